# SPDX-License-Identifier: MIT
"""numpy arrays on their way to C: checked, and copied where C could not read them."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

import numpy as np

from . import _lib

FLOATS = {np.dtype(np.float32): _lib.SCALE_F32, np.dtype(np.float16): _lib.SCALE_F16}
ACTIVATIONS = {np.dtype(np.float32): _lib.ACTIVATION_F32,
               np.dtype(np.float16): _lib.ACTIVATION_F16,
               np.dtype(np.int8): _lib.ACTIVATION_I8}
BFLOAT16 = np.dtype(np.uint16)


def take(value: Any, name: str, dtypes: Any, shape: Union[None, int, Sequence[int]]) -> np.ndarray:
    """`value` as an aligned C-contiguous array (a copy only where it is not one). Its dtype must be
    one of `dtypes`, its shape `shape`: an int is a number of dimensions, None is any shape."""
    array = np.asarray(value)
    dtypes = [np.dtype(dtype) for dtype in dtypes]
    if array.dtype not in dtypes:
        wanted = " or ".join(str(dtype) for dtype in dtypes)
        raise TypeError(f"{name} must be {wanted}, not {array.dtype}")
    if isinstance(shape, int):
        if array.ndim != shape:
            raise ValueError(f"{name} must have {shape} dimensions, not shape {array.shape}")
    elif shape is not None and array.shape != tuple(shape):
        raise ValueError(f"{name} must have shape {tuple(shape)}, not {array.shape}")
    return np.require(array, requirements=["C", "A"])


def take_bytes(data: Any, name: str) -> np.ndarray:
    """The bytes of an array of any type, or of anything with a buffer, as uint8 [n]. A copy only
    for arrays that are not contiguous."""
    if isinstance(data, np.ndarray):
        if data.dtype.hasobject:
            raise TypeError(f"{name} must not be an array of objects")
        return np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    try:
        return np.frombuffer(data, np.uint8)
    except (TypeError, AttributeError, BufferError):
        raise TypeError(f"{name} must be bytes or an array, not {type(data).__name__}") from None


def output(out: Optional[np.ndarray], shape: Sequence[int], dtype: Any = np.float32) -> np.ndarray:
    """An array for C to write to: a new one, or `out`, whose rows may lie apart."""
    shape, dtype = tuple(shape), np.dtype(dtype)
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        raise TypeError(f"out must be a {dtype} array")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, not {out.shape}")
    if not out.flags.writeable or not out.flags.aligned:
        raise ValueError("out must be writeable and aligned")
    size = dtype.itemsize
    if out.size and (shape[-1] > 1 and out.strides[-1] != size or
                     len(shape) == 2 and shape[0] > 1 and
                     (out.strides[0] < size * shape[1] or out.strides[0] % size)):
        raise ValueError("the rows of out must be contiguous, each behind the last")
    return out


def row_stride(array: np.ndarray) -> int:
    """Elements from one row of an output() to the next."""
    two_rows = array.ndim == 2 and array.shape[0] > 1
    return array.strides[0] // array.itemsize if two_rows and array.size else array.shape[-1]


def row_range(begin: int, end: Optional[int], rows: int) -> tuple:
    begin = _lib.integer(begin, "begin")
    end = rows if end is None else _lib.integer(end, "end")
    if not 0 <= begin <= end <= rows:
        raise ValueError(f"rows {begin}..{end} are not in 0..{rows}")
    return begin, end


def no_options(activations: dict) -> None:
    if activations:
        raise TypeError(f"{', '.join(activations)} belong to Tables.build")


class Activations:
    """Arrays of activations described for C, and kept alive with the description."""

    def __init__(self, x: Any, cols: int, scales: Any = None, scale_group: int = 0,
                 bfloat16: bool = False) -> None:
        x = take(x, "x", [BFLOAT16] if bfloat16 else ACTIVATIONS, None)
        if x.ndim not in (1, 2) or x.shape[-1] != cols:
            raise ValueError(f"x must have shape ({cols},) or (n, {cols}), not {x.shape}")
        self.batch = 1 if x.ndim == 1 else x.shape[0]
        self.x = x
        self.c = _lib.Activations(
            type=_lib.ACTIVATION_BF16 if bfloat16 else ACTIVATIONS[x.dtype],
            cols=cols, batch=self.batch, data=x.ctypes.data)
        if x.dtype == np.int8:
            self._set_scales(scales, _lib.integer(scale_group, "scale_group", 0), cols)
        elif scales is not None or scale_group:
            raise ValueError("scales and scale_group are for int8 activations")

    def _set_scales(self, scales: Any, group: int, cols: int) -> None:
        if scales is None:
            raise ValueError("int8 activations need their scales")
        if group % 16:
            raise ValueError("scale_group must be a multiple of 16, or 0")
        per_input = -(-cols // group) if group else 1
        scales = np.asarray(scales)
        if scales.size == self.batch * per_input:  # [per_input] and [batch] are as clear
            scales = scales.reshape(self.batch, per_input)
        self.scales = take(scales, "scales", [np.float32], (self.batch, per_input))
        self.c.scales = self.scales.ctypes.data
        self.c.scale_group = group
