# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Optional

from . import _lib
from ._arrays import Activations
from ._lib import lib

if TYPE_CHECKING:
    from .weights import Weights


class Tables(_lib.Owner):
    """What the kernels want prepared from activations, with room for a batch of `max_batch`.

    Build once, then multiply every Weights that has the same `cols` and `info.table_layout` as
    `weights`, which are needed for nothing else. Build from one thread, while no other uses it.
    """

    def __init__(self, weights: Weights, max_batch: int = 1) -> None:
        pointer = ctypes.c_void_p()
        handle = weights._c
        lib.tmac_tables_create(handle.context, handle, _lib.integer(max_batch, "max_batch"),
                               pointer)
        self._handle = _lib.Handle(pointer, lib.tmac_tables_free, handle.context)
        self.cols = weights.cols
        self.max_batch = int(max_batch)
        #: How many inputs they hold; None: not built.
        self.batch: Optional[int] = None

    def build(self, x: Any, *, scales: Any = None, scale_group: int = 0,
              bfloat16: bool = False) -> Tables:
        """Replaces what the tables hold; on an error they hold nothing. Returns itself.

        x            [cols] for one input, or [n, cols]: float32, float16, int8 (with scales), or
                     with bfloat16=True uint16 that hold bfloat16. Copied first if not contiguous,
                     and not needed afterwards.
        scales       int8: float32 [n, ceil(cols / scale_group)], x is int8 times scale
        scale_group  int8: activations per scale, a multiple of 16; 0: one scale per input
        """
        self.batch = None
        activations = Activations(x, self.cols, scales, scale_group, bfloat16)
        handle = self._c
        lib.tmac_tables_build(handle.context, handle, activations.c)
        self.batch = activations.batch
        return self

    def __repr__(self) -> str:
        return f"<tmac.Tables {self.batch} of {self.max_batch} inputs of {self.cols}>"
