# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
from typing import Any, Optional, Sequence, Union

import numpy as np

from . import _lib
from ._arrays import BFLOAT16, Activations, no_options, output, row_range, row_stride, take
from ._lib import lib
from .tables import Tables
from .weights import Weights

# dtype as one gives it, that of the array, and the type in C
OUTPUTS = {"float32": (np.dtype(np.float32), _lib.OUTPUT_F32),
           "float16": (np.dtype(np.float16), _lib.OUTPUT_F16),
           "bfloat16": (BFLOAT16, _lib.OUTPUT_BF16)}


def multiply(weights: Union[Weights, Sequence[Weights]], x: Any, *, begin: int = 0,
             end: Optional[int] = None, bias: Any = None, accumulate: bool = False,
             dtype: Any = None, out: Optional[np.ndarray] = None, ids: Any = None,
             expert_count: int = 0, **activations: Any) -> np.ndarray:
    """All that libtmac can do in one multiplication: out = W x (+ bias) (+ out).

    x           [cols] or [n, cols] as for Tables.build, with its other arguments; or Tables
    begin, end  write these rows of the outputs only
    bias        float32 [rows], added to every output
    accumulate  add to what `out` holds
    dtype       of the result: float32, float16, or "bfloat16" in uint16; nothing: that of `out`,
                else float32
    out         [rows] or [n, rows] to write to, its rows may lie apart. Nothing: a new array, with
                zeros wherever nothing is written

    A mixture of experts: every input is multiplied by a few of many matrices, and each matrix is
    read once for all its inputs.

    weights       a sequence of experts of one shape, packed from one format; or all of them stacked
                  in one matrix [expert_count * rows, cols], and expert_count
    ids           integers [uses] or [n, uses]: the experts of each input; negative: none, and that
                  output is not written. The result is [uses, rows] or [n, uses, rows]
    bias          float32 [expert_count, rows]
    """
    stacked = isinstance(weights, Weights)
    if (ids is None) != (stacked and not expert_count):
        raise ValueError("ids go with a sequence of experts, or with expert_count")
    handles = [weights._c] if stacked else [expert._c for expert in weights]
    if not handles:
        raise ValueError("there must be at least one expert")
    if not stacked and expert_count not in (0, len(handles)):
        raise ValueError(f"expert_count is {expert_count}, but there are {len(handles)} experts")
    first = weights if stacked else weights[0]
    expert_count = _lib.integer(expert_count, "expert_count", 0) if stacked else len(handles)
    rows = first.rows // expert_count if stacked and expert_count else first.rows
    begin, end = row_range(begin, end, rows)
    args = _lib.MultiplyArgs(row_begin=begin, row_end=end, expert_count=expert_count,
                             flags=_lib.MULTIPLY_ACCUMULATE if accumulate else 0)
    if stacked:
        args.weights = handles[0]._as_parameter_
    else:
        experts = (ctypes.c_void_p * len(handles))(*(one._as_parameter_ for one in handles))
        args.experts = ctypes.addressof(experts)

    if isinstance(x, Tables):
        no_options(activations)
        if x.batch is None:
            raise _lib.Error(_lib.Status.ERROR_NOT_BUILT)
        tables, shape = x._c, (x.batch,)
        args.tables = tables._as_parameter_
    else:
        inputs = Activations(x, first.cols, **activations)
        shape = inputs.x.shape[:-1]
        args.activations = ctypes.addressof(inputs.c)
    if ids is not None:
        ids = _int32(ids, "ids")
        if ids.shape[:-1] != shape:
            raise ValueError(f"ids must have shape {(*shape, 'uses')}, not {ids.shape}")
        shape = ids.shape
        args.ids, args.uses = ids.ctypes.data, shape[-1]
    if bias is not None:
        bias = take(bias, "bias", [np.float32], (expert_count, rows) if expert_count else (rows,))
        args.bias = bias.ctypes.data

    if out is None and accumulate:
        raise ValueError("accumulate needs out")
    name = _output_name(dtype, out)
    element, args.output_type = OUTPUTS[name]
    if out is None:
        out = np.zeros((*shape, rows), element)
    lines = _lines(out, (*shape, rows), element)
    args.y, args.stride = lines.ctypes.data, row_stride(lines)
    if end:  # C takes 0 for all rows
        lib.tmac_multiply(handles[0].context, args)
    return out


def _output_name(dtype: Any, out: Optional[np.ndarray]) -> str:
    if dtype is None:
        given = getattr(out, "dtype", np.dtype(np.float32))
        dtype = "bfloat16" if given == BFLOAT16 else given
    name = dtype if dtype == "bfloat16" else np.dtype(dtype).name
    if name not in OUTPUTS:
        raise TypeError(f"dtype must be one of {', '.join(OUTPUTS)}, not {name}")
    return name


def _lines(out: np.ndarray, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """`out` as [rows] or [outputs, rows], not copied."""
    if not isinstance(out, np.ndarray) or out.shape != shape or len(shape) < 3:
        return output(out, shape, dtype)
    lines = out.reshape(shape[0] * shape[1], shape[2])
    if out.size and not np.may_share_memory(out, lines):
        raise ValueError("the rows of out must be as far apart within an input as between inputs")
    return output(lines, lines.shape, dtype)


def _int32(value: Any, name: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} must have 1 or 2 dimensions, not shape {array.shape}")
    if array.size and not -2**31 <= array.min() <= array.max() < 2**31:
        raise ValueError(f"{name} are out of range")
    return np.require(array.astype(np.int32, copy=False), requirements=["C", "A"])
