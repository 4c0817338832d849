# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from . import _lib, ggml
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
        """Adds the choices in a file; None: the user's own. Raises Error with status ERROR_FILE
        where there is none, ERROR_TUNING_FOREIGN for one of another CPU or version."""
        lib.tmac_tuning_load(self._c, _path(path))
        return self

    def save(self, path: Union[str, os.PathLike, None] = None) -> None:
        """Writes all choices, in place of what the file held."""
        lib.tmac_tuning_save(self._c, _path(path))

    def tune(self, context: Context, ggml_type: Union[str, int], rows: int, cols: int, *,
             batch: int = 1, seconds: float = 0.1,
             progress: Optional[Callable[[int, int, str], None]] = None) -> Tuning:
        """Measures what is fastest for matrices of a ggml type in a context, in a few seconds.

        batch     that the layout is chosen for; 1: generating text
        seconds   to spend on each candidate
        progress  called with how many measurements are done, how many there are, and what is next
        """
        desc = _lib.WeightsDesc()
        lib.tmac_weights_desc_ggml(desc, ggml.find(ggml_type).number, _lib.integer(rows, "rows"),
                                   _lib.integer(cols, "cols"), None)
        tell = _lib.Progress(_teller(progress) if progress else 0)
        options = _lib.TuneOptions(batch=_lib.integer(batch, "batch"), seconds=seconds,
                                   progress=tell)
        lib.tmac_tune(context._c, self._c, desc, options)
        return self

    def __len__(self) -> int:
        return lib.tmac_tuning_count(self._c)


def _path(path: Union[str, os.PathLike, None]) -> Optional[bytes]:
    return None if path is None else os.fsencode(path)


def _teller(progress: Callable[[int, int, str], None]) -> Any:
    def tell(_: Any, done: int, count: int, what: bytes) -> None:
        progress(done, count, what.decode())
    return tell
