# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
import os
import secrets
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from . import _lib, formats
from ._arrays import (BFLOAT16, FLOATS, Activations, no_options, output, row_range, row_stride, take,
                      take_bytes)
from ._lib import lib
from .context import FAMILIES, Context, default_context
from .formats import WIDTHS
from .tables import Tables

# What fails by a number in the data, which can be found.
BAD_DATA = (_lib.Status.ERROR_CODE, _lib.Status.ERROR_SCALE, _lib.Status.ERROR_ZERO,
            _lib.Status.ERROR_SUB_SCALE)
SUB_FORMATS = {"i8": _lib.SUB_I8, "u4": _lib.SUB_U4}


class WeightsInfo(NamedTuple):
    """What weights are and how they are packed; see tmac_weights_info in tmac.h."""

    rows: int
    cols: int
    width: Union[int, str]        # one of WIDTHS
    group: Union[int, str]        # "row": one scale per row or tensor
    super_group: Union[int, str]  # 0: one level of scales; "row"
    packed_bytes: int
    row_step: int
    table_layout: int             # tables with the same one serve these weights
    family: str
    layout: str
    kernel: str
    native: bool                  # False: only scalar code can multiply them here, many times slower


class Weights(_lib.Owner):
    """A weight matrix [rows, cols], packed for the kernels of this CPU. Made by pack, from_ggml,
    load or attach. Any number of threads may use it at once."""

    info: WeightsInfo
    _packed: int  # where the packed bytes are

    def __init__(self) -> None:
        raise TypeError("use Weights.pack, .from_ggml, .load or .attach")

    # ---- making ----

    @classmethod
    def pack(cls, codes: Any, scales: Any, *, width: Union[int, str], group: Union[int, str],
             zero: Optional[float] = None, zero_points: Any = None, minimums: Any = None,
             sub_scales: Any = None, sub_minimums: Any = None,
             super_group: Union[int, str] = 0, sub_format: str = "i8", dense: bool = False,
             cols: Optional[int] = None, bfloat16: bool = False,
             context: Optional[Context] = None) -> Weights:
        """Packs quantized weights w = scale * (code - zero), or scale * code + minimum.

        codes         uint8 [rows, cols], one code per byte; with dense=True and cols, rows of codes
                      of `width` bits (ternary: 2), the first in the lowest bits of the first byte
        width         bits of a code, or "ternary" (codes 0, 1, 2): one of WIDTHS
        group         weights that share a scale: 16, 32, 64, 128, 256, "row" or "tensor"
        scales        float32 or float16 (bfloat16=True: uint16 that hold bfloat16):
                      [rows, cols / group], with sub-scales [rows, cols / super_group];
                      "row": [rows] or [rows, 1]; "tensor": [] or [1]
        zero          nothing: 2^(width-1); 1 bit: 1/2 at twice the scale; ternary: 1
        zero_points   uint8 [rows, cols / group], instead of zero
        minimums      shaped and typed like scales, instead of zero
        sub_scales    int8 [rows, cols / group]; the scale is then scales * sub_scales
        sub_minimums  uint8 [rows, cols / group]; the minimum is then minimums * sub_minimums
        super_group   weights under one scale when there are sub-scales: up to 256, or "row"
        sub_format    "i8", or "u4" where all sub-scales and sub-minimums are 0..15

        The arrays are copied first if not contiguous, and not needed afterwards.
        """
        if width not in WIDTHS:
            raise ValueError(f"width must be one of {[*WIDTHS]}, not {width!r}")
        if sub_format not in SUB_FORMATS:
            raise ValueError(f"sub_format must be 'i8' or 'u4', not {sub_format!r}")
        if sum(given is not None for given in (zero, zero_points, minimums)) > 1:
            raise ValueError("only one of zero, zero_points and minimums can be given")
        if bool(dense) != (cols is not None):
            raise ValueError("dense codes, and only they, need cols")
        two_levels = sub_scales is not None
        if bool(super_group) != two_levels:
            raise ValueError("sub_scales and super_group go together")
        if (sub_minimums is not None) != (two_levels and minimums is not None):
            raise ValueError("sub_minimums go with both sub_scales and minimums")

        codes = take(codes, "codes", [np.uint8], 2)
        rows, row_bytes = codes.shape
        if dense:
            cols = _lib.integer(cols, "cols")
            bits = 2 if width == "ternary" else int(width)
            if row_bytes != -(-cols * bits // 8):
                raise ValueError(f"{cols} dense codes take {-(-cols * bits // 8)} bytes in a row, "
                                 f"not {row_bytes}")
        else:
            cols = row_bytes
        scales = take(scales, "scales", [BFLOAT16] if bfloat16 else FLOATS, None)
        desc = _lib.WeightsDesc(
            rows=rows, cols=cols, width=WIDTHS[width],
            code_format=_lib.CODES_DENSE if dense else _lib.CODES_BYTES, codes=codes.ctypes.data,
            group=_group(group, "group", {"row": _lib.GROUP_ROW, "tensor": _lib.GROUP_TENSOR}),
            scale_type=_lib.SCALE_BF16 if bfloat16 else FLOATS[scales.dtype])
        if two_levels:
            desc.sub_format = SUB_FORMATS[sub_format]
            desc.super_group = _group(super_group, "super_group", {"row": _lib.GROUP_ROW})
        if zero is not None:
            desc.zero_kind, desc.zero = _lib.ZERO_CONSTANT, float(zero)
        elif zero_points is not None:
            desc.zero_kind = _lib.ZERO_POINT
        elif minimums is not None:
            desc.zero_kind = _lib.ZERO_MINIMUM
        context = default_context() if context is None else context
        # C judges the description by itself first: the shapes below divide by its groups.
        lib.tmac_packed_query(context._c, desc, _lib.PackedPlan())

        per_group = _shape(rows, cols, desc.group)
        per_scale = _shape(rows, cols, desc.super_group) if two_levels else per_group
        keep = [codes]

        def point(member: str, array: Any, dtypes: Any, shape: tuple) -> None:
            if array is not None:
                array = np.asarray(array)
                if shape[1] == 1 and array.ndim <= 1 and array.size == shape[0]:
                    array = array.reshape(shape)
                keep.append(take(array, member, dtypes, shape))
                setattr(desc, member, keep[-1].ctypes.data)

        point("scales", scales, [scales.dtype], per_scale)
        point("minimums", minimums, [scales.dtype], per_scale)
        point("zero_points", zero_points, [np.uint8], per_group)
        point("sub_scales", sub_scales, [np.int8], per_group)
        point("sub_minimums", sub_minimums, [np.uint8], per_group)
        return cls._pack(context, desc)

    @classmethod
    def from_ggml(cls, type: Union[str, int], data: Any, rows: int, cols: int, *,
                  context: Optional[Context] = None) -> Weights:
        """Packs rows of ggml blocks as they lie in a GGUF file.

        type  a name of FORMATS, or ggml's number (gguf's enum will do)
        data  bytes, memmap, or array of any type; exactly rows * cols / block blocks. Not needed
              afterwards.
        """
        known = formats.find(type)
        rows = _lib.integer(rows, "rows")
        cols = _lib.integer(cols, "cols")
        desc = _lib.WeightsDesc()
        lib.tmac_weights_desc_ggml(desc, known.number, rows, cols, None)
        blocks = take_bytes(data, "data")
        wanted = rows * (cols // known.block) * known.bytes
        if blocks.size != wanted:
            raise ValueError(f"{rows} x {cols} weights are {wanted} bytes, not {blocks.size}")
        desc.codes = blocks.ctypes.data
        return cls._pack(default_context() if context is None else context, desc)

    @classmethod
    def attach(cls, packed: Any, *, verify: bool = True, native: bool = False,
               context: Optional[Context] = None) -> Weights:
        """Weights of packed bytes where they lie: not copied, kept alive, and not to be changed
        while in use. Aligned to 64 bytes, contiguous. verify=False skips the checksum; native=True
        refuses what only scalar code could multiply here (Error with status ERROR_NOT_NATIVE)."""
        handle = (default_context() if context is None else context)._c
        if isinstance(packed, np.ndarray) and not packed.flags.c_contiguous:
            raise ValueError("packed must be contiguous")
        packed = take_bytes(packed, "packed")
        pointer = ctypes.c_void_p()
        lib.tmac_weights_attach(
            handle, packed.ctypes.data, packed.size,
            (_lib.ATTACH_VERIFY if verify else _lib.ATTACH_NO_CHECKSUM) |
            (_lib.ATTACH_NATIVE if native else 0), pointer)
        return cls._own(handle, pointer, packed)

    @classmethod
    def load(cls, path: Union[str, os.PathLike], *, verify: bool = True, native: bool = False,
             context: Optional[Context] = None) -> Weights:
        """Maps a file that save() wrote, and attaches it. It must not be changed while the weights
        live."""
        if os.stat(path).st_size == 0:  # which cannot be mapped
            raise _lib.Error(_lib.Status.ERROR_PACKED_SIZE)
        return cls.attach(np.memmap(path, np.uint8, "r"), verify=verify, native=native,
                          context=context)

    @classmethod
    def _pack(cls, context: Context, desc: _lib.WeightsDesc) -> Weights:
        pointer, handle = ctypes.c_void_p(), context._c
        try:
            lib.tmac_weights_pack(handle, desc, pointer)
        except _lib.Error as error:
            fault = _lib.Fault()
            if error.status not in BAD_DATA or lib.tmac_weights_desc_check(desc, fault) != error.status:
                raise
            raise _lib.Error(error.status, fault) from None
        return cls._own(handle, pointer)

    @classmethod
    def _own(cls, context: _lib.Handle, pointer: ctypes.c_void_p, *needs: Any) -> Weights:
        self = cls.__new__(cls)
        self._handle = _lib.Handle(pointer, lib.tmac_weights_free, context, *needs)
        info = _lib.WeightsInfo()
        lib.tmac_weights_query(self._handle, info)
        self._packed = info.packed
        self.info = WeightsInfo(
            info.rows, info.cols, _name(WIDTHS, info.width), _group_name(info.group),
            _group_name(info.super_group), info.packed_bytes, info.row_step, info.table_layout,
            _name(FAMILIES, info.family), info.layout.decode(), info.kernel.decode(),
            info.native != 0)
        return self

    # ---- looking ----

    @property
    def rows(self) -> int:
        return self.info.rows

    @property
    def cols(self) -> int:
        return self.info.cols

    @property
    def packed(self) -> np.ndarray:
        """The packed bytes, uint8, read-only, not copied; the array keeps them alive."""
        handle = self._c
        memory = (ctypes.c_uint8 * self.info.packed_bytes).from_address(self._packed)
        memory.handle = handle  # type: ignore[attr-defined]
        return np.frombuffer(memoryview(memory).toreadonly(), np.uint8)

    def unpack(self, begin: int = 0, end: Optional[int] = None, *,
               out: Optional[np.ndarray] = None) -> np.ndarray:
        """Rows [begin, end) as float32 [end - begin, cols]."""
        begin, end = row_range(begin, end, self.rows)
        out = output(out, (end - begin, self.cols))
        lib.tmac_weights_unpack(self._c, begin, end, out.ctypes.data, row_stride(out))
        return out

    def to_ggml(self, type: Union[str, int], begin: int = 0,
                end: Optional[int] = None) -> np.ndarray:
        """Rows [begin, end) as ggml blocks, uint8 [end - begin, bytes of a row]: what from_ggml took,
        byte for byte (TQ1_0: the bytes that ggml writes). Other weights too, where blocks of this
        type hold exactly their kinds of numbers.

        type  a name of FORMATS, or ggml's number
        """
        known = formats.find(type)
        begin, end = row_range(begin, end, self.rows)
        out = np.empty((end - begin, self.cols // known.block * known.bytes), np.uint8)
        lib.tmac_weights_unpack_ggml(self._c, known.number, begin, end, out.ctypes.data, 0)
        return out

    def save(self, path: Union[str, os.PathLike]) -> None:
        """Writes the packed bytes to a file, all or nothing; load() maps it. The file fits every
        machine, and is fast on those with the same best instruction set."""
        partial = f"{os.fspath(path)}.{secrets.token_hex(4)}.part"
        try:
            with open(partial, "xb") as file:
                file.write(self.packed.data)
            os.replace(partial, path)  # these weights may be mapped from the old file
        except BaseException:
            if os.path.exists(partial):
                os.remove(partial)
            raise

    def __repr__(self) -> str:
        width = self.info.width if self.info.width == "ternary" else f"{self.info.width}-bit"
        closed = ", closed" if self._handle is None else ""
        return f"<tmac.Weights {self.rows} x {self.cols}, {width}, {self.info.kernel}{closed}>"

    # ---- multiplying ----

    def gemv(self, x: Any, *, out: Optional[np.ndarray] = None, **activations: Any) -> np.ndarray:
        """W x: float32 [rows].

        x    [cols] as for Tables.build, with its other arguments; or Tables of one input
        out  float32 [rows] to write to
        """
        if isinstance(x, Tables):
            no_options(activations)
            out = output(out, (self.rows,))
            handle = self._c
            lib.tmac_gemv(handle.context, handle, x._c, out.ctypes.data)
            return out
        if np.ndim(x) != 1:
            raise ValueError(f"x must have shape ({self.cols},), not {np.shape(x)}")
        return self._matmul(x, (self.rows,), out, activations)

    def gemm(self, x: Any, *, out: Optional[np.ndarray] = None, **activations: Any) -> np.ndarray:
        """X W^T: float32 [n, rows].

        x    [n, cols] as for Tables.build, with its other arguments; or Tables of a batch of n
        out  float32 [n, rows] to write to; its rows may lie apart
        """
        if isinstance(x, Tables):
            no_options(activations)
            if x.batch is None:
                raise _lib.Error(_lib.Status.ERROR_NOT_BUILT)
            out = output(out, (x.batch, self.rows))
            handle = self._c
            lib.tmac_gemm(handle.context, handle, x._c, out.ctypes.data, row_stride(out))
            return out
        if np.ndim(x) != 2:
            raise ValueError(f"x must have shape (n, {self.cols}), not {np.shape(x)}")
        return self._matmul(x, (np.shape(x)[0], self.rows), out, activations)

    def _matmul(self, x: Any, shape: tuple, out: Optional[np.ndarray],
                options: dict) -> np.ndarray:
        activations = Activations(x, self.cols, **options)
        out = output(out, shape)
        handle = self._c
        lib.tmac_matmul(handle.context, handle, activations.c, out.ctypes.data, row_stride(out))
        return out


def matmul(weights: Weights, x: Any, *, out: Optional[np.ndarray] = None,
           **activations: Any) -> np.ndarray:
    """weights.gemv(x) for one dimension, weights.gemm(x) for two and for Tables."""
    one = not isinstance(x, Tables) and np.ndim(x) == 1
    return (weights.gemv if one else weights.gemm)(x, out=out, **activations)


def _group(value: Union[int, str], name: str, words: dict) -> int:
    if isinstance(value, str):
        if value not in words:
            raise ValueError(f"{name} must be a number or one of {', '.join(words)}, "
                             f"not {value!r}")
        return words[value]
    return _lib.integer(value, name, 1)


def _group_name(group: int) -> Union[int, str]:
    return "row" if group == _lib.GROUP_ROW else group


def _name(names: dict, number: int) -> Any:
    return next((name for name, value in names.items() if value == number), number)


def _shape(rows: int, cols: int, group: int) -> tuple:
    """Of an array with a number for every group of every row."""
    if group == _lib.GROUP_TENSOR:
        return (1, 1)
    return (rows, 1 if group == _lib.GROUP_ROW else cols // group)
