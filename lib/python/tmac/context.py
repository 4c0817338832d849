# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
import threading
from typing import Optional

from . import _lib
from ._lib import lib
from .tuning import Tuning

FAMILIES = {"auto": _lib.FAMILY_AUTO, "lookup": _lib.FAMILY_LOOKUP, "direct": _lib.FAMILY_DIRECT}
MODES = {"default": _lib.MODE_DEFAULT, "exact": _lib.MODE_EXACT, "fast": _lib.MODE_FAST}


class Context(_lib.Owner):
    """Instruction set, threads and kernel family for the weights that are made with it.

    isa       the best instruction set allowed, by its name in tmac.h ("scalar", "x86-avx2", ...);
              None: all that this machine has. The environment variable TMAC_ISA limits it too.
    threads   0: as many as OpenMP offers; at most 1024
    family    "auto", "lookup" or "direct"
    isa_mask  bits TMAC_ISA_* that may be used; 0: all
    mode      "default"; "exact": activations become int8 with one scale per input, and all sums of
              codes times int8 are exact; "fast": lookup kernels may average table entries
    tuning    a Tuning whose choices to use
    layout, kernel
              for those who measure or test: the name of a packed layout, or of a kernel and so of its
              layout. Weights that it cannot hold are refused (Error with status ERROR_LAYOUT)

    Any number of threads may use it at once. Weights and Tables keep it alive.
    """

    def __init__(self, isa: Optional[str] = None, threads: int = 0, family: str = "auto", *,
                 isa_mask: int = 0, mode: str = "default",
                 tuning: Optional[Tuning] = None, layout: Optional[str] = None,
                 kernel: Optional[str] = None) -> None:
        if family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(FAMILIES)}, not {family!r}")
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        tuning_handle = None if tuning is None else tuning._c  # alive until the call has copied it
        options = _lib.ContextOptions(
            isa=_name(isa, "isa"), layout=_name(layout, "layout"), kernel=_name(kernel, "kernel"),
            isa_mask=_lib.integer(isa_mask, "isa_mask", 0, 2**32 - 1),
            threads=_lib.integer(threads, "threads", -2**31, 2**31 - 1),
            family=FAMILIES[family], mode=MODES[mode],
            tuning=None if tuning_handle is None else tuning_handle._as_parameter_)
        pointer = ctypes.c_void_p()
        lib.tmac_context_create(options, pointer)
        self._handle = _lib.Handle(pointer, lib.tmac_context_free)
        self.family = family
        self.mode = mode

    @property
    def isa(self) -> str:
        """The instruction set in use."""
        return lib.tmac_context_isa(self._c).decode()

    @property
    def isa_mask(self) -> int:
        """All instruction sets in use, as bits TMAC_ISA_*."""
        return lib.tmac_context_isa_mask(self._c)

    @property
    def threads(self) -> int:
        return lib.tmac_context_threads(self._c)

    def __repr__(self) -> str:
        if self._handle is None:
            return "<tmac.Context, closed>"
        return f"<tmac.Context {self.isa}, {self.threads} threads, {self.family}>"


def _name(name: Optional[str], what: str) -> Optional[bytes]:
    if name is not None and not isinstance(name, str):
        raise TypeError(f"{what} must be a string or None, not {type(name).__name__}")
    return None if name is None else name.encode()


_default: Optional[Context] = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context of everything made without one: Context(), made when it is first needed."""
    global _default
    with _default_lock:
        if _default is None or _default._handle is None:
            _default = Context()
        return _default
