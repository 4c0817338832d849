# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from . import _lib, formats
from ._lib import lib

if TYPE_CHECKING:
    from .context import Context


class Tuning(_lib.Owner):
    """Choices of layouts and blockings that were measured on this machine.

        tuning = tmac.Tuning()
        tuning.tune(context, "Q4_K", 4096, 4096)
        tuning.save()                                  # later: tuning.load()
        context = tmac.Context(tuning=tuning)          # keeps a copy

    Not to be used by several threads at once.
    """

    def __init__(self) -> None:
        pointer = ctypes.c_void_p()
        lib.tmac_tuning_create(pointer)
        self._handle = _lib.Handle(pointer, lib.tmac_tuning_free)

    def load(self, path: Union[str, os.PathLike, None] = None) -> Tuning:
        """Adds the choices in a file; None: the user's own, that of tmac-tune. Raises OSError where
        there is none, Error with status ERROR_TUNING_FOREIGN for one of another CPU or version."""
        text = _path(path).read_bytes()
        lib.tmac_tuning_read(self._c, text, len(text))
        return self

    def save(self, path: Union[str, os.PathLike, None] = None) -> None:
        """Writes all choices, in place of what the file held: who reads it at the same time finds
        the old file or the new."""
        file = _path(path)
        if path is None:
            file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
        try:
            partial.write_bytes(self._text())
            os.replace(partial, file)
        finally:
            partial.unlink(missing_ok=True)

    def _text(self) -> bytes:
        size = ctypes.c_size_t()
        lib.tmac_tuning_write(self._c, None, 0, size)
        text = ctypes.create_string_buffer(size.value)
        _lib.check(lib.tmac_tuning_write(self._c, text, size.value, size))
        return text.raw[:size.value]

    def tune(self, context: Context, ggml_type: Union[str, int], rows: int, cols: int, *,
             batch: int = 1, seconds: float = 0.1,
             progress: Optional[Callable[[int, int, str], None]] = None) -> Tuning:
        """Measures what is fastest for matrices of a ggml type in a context, in a few seconds.

        batch     that the layout is chosen for; 1: generating text
        seconds   to spend on each candidate
        progress  called with how many measurements are done, how many there are, and what is next
        """
        desc = _lib.WeightsDesc()
        lib.tmac_weights_desc_ggml(desc, formats.find(ggml_type).number, _lib.integer(rows, "rows"),
                                   _lib.integer(cols, "cols"), None)
        tell = _lib.Progress(_teller(progress) if progress else 0)
        options = _lib.TuneOptions(batch=_lib.integer(batch, "batch"), seconds=seconds,
                                   progress=tell)
        lib.tmac_tune(context._c, self._c, desc, options)
        return self

    def __len__(self) -> int:
        return lib.tmac_tuning_count(self._c)


def _path(path: Union[str, os.PathLike, None]) -> Path:
    if path is not None:
        return Path(os.fsdecode(path))
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return Path(cache if cache.startswith("/") else Path.home() / ".cache", "libtmac", "tuning.txt")


def _teller(progress: Callable[[int, int, str], None]) -> Any:
    def tell(_: Any, done: int, count: int, what: bytes) -> None:
        progress(done, count, what.decode())
    return tell
