# SPDX-License-Identifier: MIT
"""The C API: libtmac.so found and opened, its structs and functions declared as in tmac.h."""

from __future__ import annotations

import ctypes
import ctypes.util
import enum
import operator
import os
import weakref
from ctypes import (CFUNCTYPE, POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64,
                    c_size_t, c_uint32, c_void_p)
from typing import Any, Optional

from ._version import __version__


class Status(enum.IntEnum):
    """tmac_status: why a call failed."""

    OK = 0
    ERROR_NULL = 1
    ERROR_STRUCT_SIZE = 2
    ERROR_ENUM = 3
    ERROR_SHAPE = 4
    ERROR_OVERFLOW = 5
    ERROR_GROUP = 6
    ERROR_CODE = 7
    ERROR_SCALE = 8
    ERROR_ZERO = 9
    ERROR_SUB_SCALE = 10
    ERROR_GGML_TYPE = 11
    ERROR_ISA = 12
    ERROR_FAMILY = 13
    ERROR_THREADS = 14
    ERROR_ROW_RANGE = 15
    ERROR_BATCH = 16
    ERROR_TABLE_LAYOUT = 17
    ERROR_NOT_BUILT = 18
    ERROR_BUFFER_SIZE = 19
    ERROR_ALIGNMENT = 20
    ERROR_MEMORY = 21
    ERROR_PACKED_MAGIC = 22
    ERROR_PACKED_VERSION = 23
    ERROR_PACKED_HEADER = 24
    ERROR_PACKED_CHECKSUM = 25
    ERROR_PACKED_SIZE = 26
    ERROR_ALLOCATOR = 27
    ERROR_CONTEXT = 28
    ERROR_TUNING_FOREIGN = 29
    ERROR_TUNING_DAMAGED = 30
    ERROR_LAYOUT = 31
    ERROR_KERNEL = 32
    ERROR_NOT_NATIVE = 33
    ERROR_EXPERT = 34
    ERROR_INPUTS = 35


WIDTH_1, WIDTH_2, WIDTH_3, WIDTH_4, WIDTH_8, WIDTH_TERNARY = 1, 2, 3, 4, 8, 17
CODES_BYTES, CODES_DENSE, CODES_GGML = 0, 1, 2
SCALE_F32, SCALE_F16, SCALE_BF16 = 0, 1, 2
ZERO_SYMMETRIC, ZERO_CONSTANT, ZERO_POINT, ZERO_MINIMUM = 0, 1, 2, 3
SUB_NONE, SUB_I8, SUB_U4 = 0, 1, 2
OUTPUT_F32, OUTPUT_F16, OUTPUT_BF16 = 0, 1, 2
MULTIPLY_ACCUMULATE = 1
ACTIVATION_F32, ACTIVATION_F16, ACTIVATION_BF16, ACTIVATION_I8 = 0, 1, 2, 3
FAMILY_AUTO, FAMILY_LOOKUP, FAMILY_DIRECT = 0, 1, 2
MODE_DEFAULT, MODE_EXACT, MODE_FAST = 0, 1, 2
GROUP_ROW, GROUP_TENSOR = -1, -2
ATTACH_VERIFY, ATTACH_NO_CHECKSUM, ATTACH_NATIVE = 0, 1, 2
PACKED_ALIGNMENT = TABLES_ALIGNMENT = 64


# void (*)(void *host, int32_t done, int32_t count, const char *what)
Progress = CFUNCTYPE(None, c_void_p, c_int32, c_int32, c_char_p)


class Struct(ctypes.Structure):
    """A struct of tmac.h: struct_size set, all other members zero unless given."""

    def __init__(self, **members: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(self), **members)


class ContextOptions(Struct):
    _fields_ = [("struct_size", c_size_t), ("isa", c_char_p), ("isa_mask", c_uint32),
                ("threads", c_int32), ("parallel_for", c_void_p), ("parallel_host", c_void_p),
                ("allocate", c_void_p), ("release", c_void_p), ("allocator_host", c_void_p),
                ("family", c_int), ("mode", c_int), ("tuning", c_void_p), ("layout", c_char_p),
                ("kernel", c_char_p)]


class WeightsDesc(Struct):
    _fields_ = [("struct_size", c_size_t), ("rows", c_int64), ("cols", c_int64), ("width", c_int),
                ("code_format", c_int), ("codes", c_void_p), ("code_row_bytes", c_int64),
                ("group", c_int64), ("scale_type", c_int), ("scales", c_void_p),
                ("scale_row_stride", c_int64), ("zero_kind", c_int), ("zero", c_float),
                ("zero_points", c_void_p), ("minimums", c_void_p), ("zero_row_stride", c_int64),
                ("sub_format", c_int), ("super_group", c_int64), ("sub_scales", c_void_p),
                ("sub_minimums", c_void_p), ("sub_row_stride", c_int64), ("ggml_type", c_int32),
                ("first_row", c_int64)]


class FormatInfo(Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("ggml_type", c_int32),
                ("block", c_int32), ("block_bytes", c_int32), ("width", c_int), ("group", c_int32),
                ("super_group", c_int32), ("scale_type", c_int), ("zero_kind", c_int),
                ("zero", c_float), ("sub_format", c_int), ("sub_bits", c_int32),
                ("flags", c_uint32)]


class Fault(Struct):
    _fields_ = [("struct_size", c_size_t), ("row", c_int64), ("col", c_int64), ("value", c_double)]


class WeightsInfo(Struct):
    _fields_ = [("struct_size", c_size_t), ("rows", c_int64), ("cols", c_int64), ("width", c_int),
                ("group", c_int64), ("super_group", c_int64), ("packed_bytes", c_size_t),
                ("row_step", c_int64), ("table_layout", c_uint32), ("family", c_int),
                ("layout", c_char_p), ("kernel", c_char_p), ("packed", c_void_p),
                ("native", c_int32)]


class PackedPlan(Struct):
    _fields_ = [("struct_size", c_size_t), ("bytes", c_size_t), ("row_step", c_int64),
                ("table_layout", c_uint32), ("family", c_int), ("layout", c_char_p),
                ("kernel", c_char_p), ("native", c_int32)]


class Activations(Struct):
    _fields_ = [("struct_size", c_size_t), ("type", c_int), ("cols", c_int64),
                ("batch", c_int64), ("data", c_void_p), ("stride", c_int64),
                ("scales", c_void_p), ("scale_group", c_int64), ("scale_stride", c_int64)]


class Team(Struct):
    _fields_ = [("struct_size", c_size_t), ("index", c_int32), ("count", c_int32),
                ("barrier", c_void_p), ("barrier_host", c_void_p)]


class MultiplyArgs(Struct):
    _fields_ = [("struct_size", c_size_t), ("weights", c_void_p), ("activations", c_void_p),
                ("tables", c_void_p), ("y", c_void_p), ("stride", c_int64), ("output_type", c_int),
                ("flags", c_uint32), ("bias", c_void_p), ("row_begin", c_int64),
                ("row_end", c_int64), ("experts", c_void_p), ("expert_count", c_int64),
                ("ids", c_void_p), ("uses", c_int64), ("ids_stride", c_int64),
                ("workspace", c_void_p), ("workspace_bytes", c_size_t), ("team", c_void_p)]


class TuneOptions(Struct):
    _fields_ = [("struct_size", c_size_t), ("batch", c_int64), ("seconds", c_double),
                ("progress", Progress), ("progress_host", c_void_p)]


STRUCTS = {"tmac_context_options": ContextOptions, "tmac_weights_desc": WeightsDesc,
           "tmac_weights_info": WeightsInfo, "tmac_packed_plan": PackedPlan,
           "tmac_format_info": FormatInfo, "tmac_fault": Fault,
           "tmac_activations": Activations, "tmac_team": Team,
           "tmac_multiply_args": MultiplyArgs, "tmac_tune_options": TuneOptions}

# Every pointer to memory or to a handle is a c_void_p. Functions that return a tmac_status come
# with check() as their errcheck, and so raise instead of returning it.
_handle_out = POINTER(c_void_p)
STATUS_FUNCTIONS = {
    "tmac_context_create": [POINTER(ContextOptions), _handle_out],
    "tmac_format_query": [c_int32, POINTER(FormatInfo)],
    "tmac_weights_desc_ggml": [POINTER(WeightsDesc), c_int32, c_int64, c_int64, c_void_p],
    "tmac_weights_pack": [c_void_p, POINTER(WeightsDesc), _handle_out],
    "tmac_weights_query": [c_void_p, POINTER(WeightsInfo)],
    "tmac_weights_unpack": [c_void_p, c_int64, c_int64, c_void_p, c_int64],
    "tmac_weights_unpack_ggml": [c_void_p, c_int32, c_int64, c_int64, c_void_p, c_int64],
    "tmac_packed_query": [c_void_p, POINTER(WeightsDesc), POINTER(PackedPlan)],
    "tmac_packed_begin": [c_void_p, POINTER(WeightsDesc), c_void_p, c_size_t],
    "tmac_packed_rows": [c_void_p, POINTER(WeightsDesc), c_int64, c_int64, c_void_p, c_size_t],
    "tmac_packed_finish": [c_void_p, c_size_t],
    "tmac_weights_attach": [c_void_p, c_void_p, c_size_t, c_uint32, _handle_out],
    "tmac_tables_create": [c_void_p, c_void_p, c_int64, _handle_out],
    "tmac_tables_build": [c_void_p, c_void_p, POINTER(Activations)],
    "tmac_tables_size": [c_uint32, c_int64, c_int64, POINTER(c_size_t)],
    "tmac_tables_build_part": [c_void_p, c_uint32, POINTER(Activations), c_int32, c_int32,
                               c_void_p, c_size_t],
    "tmac_gemv": [c_void_p, c_void_p, c_void_p, c_void_p],
    "tmac_gemm": [c_void_p, c_void_p, c_void_p, c_void_p, c_int64],
    "tmac_gemm_rows": [c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_int64],
    "tmac_matmul": [c_void_p, c_void_p, POINTER(Activations), c_void_p, c_int64],
    "tmac_multiply_rows": [c_void_p, c_void_p, c_size_t, c_int64, c_int64, c_int64, c_void_p,
                           c_int64],
    "tmac_multiply_workspace": [c_void_p, POINTER(MultiplyArgs), POINTER(c_size_t)],
    "tmac_multiply": [c_void_p, POINTER(MultiplyArgs)],
    "tmac_tuning_create": [_handle_out],
    "tmac_tuning_read": [c_void_p, c_char_p, c_size_t],
    "tmac_tune": [c_void_p, c_void_p, POINTER(WeightsDesc), POINTER(TuneOptions)],
}
OTHER_FUNCTIONS = {
    "tmac_status_text": (c_char_p, [c_int]),
    "tmac_version_text": (c_char_p, []),
    "tmac_version": (c_uint32, []),
    "tmac_format_count": (c_int32, []),
    "tmac_format_find": (c_int32, [c_char_p]),
    "tmac_format_find_ggml_type": (c_int32, [c_int32]),
    "tmac_context_free": (None, [c_void_p]),
    "tmac_context_isa": (c_char_p, [c_void_p]),
    "tmac_context_isa_mask": (c_uint32, [c_void_p]),
    "tmac_context_threads": (c_int32, [c_void_p]),
    "tmac_weights_free": (None, [c_void_p]),
    "tmac_tables_free": (None, [c_void_p]),
    "tmac_tuning_free": (None, [c_void_p]),
    "tmac_tuning_count": (c_int64, [c_void_p]),
    # Tells by its status what it found.
    "tmac_weights_desc_check": (c_int, [POINTER(WeightsDesc), POINTER(Fault)]),
    # Fails where it tells how much room it needs.
    "tmac_tuning_write": (c_int, [c_void_p, c_void_p, c_size_t, POINTER(c_size_t)]),
}


class Error(RuntimeError):
    """A call of libtmac failed; `status` says why, the text is tmac_status_text's. Where weights have bad
    data, `row`, `col` (of a code; else the first of its group) and `value` say which, and so does the text."""

    row: Optional[int] = None
    col: Optional[int] = None
    value: Optional[float] = None

    def __init__(self, status: int, fault: Optional[Fault] = None) -> None:
        text = lib.tmac_status_text(status).decode()
        if fault is not None:
            self.row, self.col, self.value = fault.row, fault.col, fault.value
            text += f": row {fault.row}, col {fault.col} has {fault.value:g}"
        super().__init__(text)
        self.status = Status(status) if status in Status._value2member_map_ else status


def check(status: int, *_: Any) -> int:
    if status != Status.OK:
        raise Error(status)
    return status


# ---- finding it ----------------------------------------------------------------------------------


def _candidates():
    """Names for dlopen, in the order in which they are tried. TMAC_LIBRARY stands alone."""
    named = os.environ.get("TMAC_LIBRARY")
    if named:
        yield named
        return
    folder = os.path.dirname(os.path.abspath(__file__))
    yield os.path.join(folder, "libtmac.so.0")
    yield os.path.join(folder, "libtmac.so")
    yield "libtmac.so.0"
    found = ctypes.util.find_library("tmac")
    if found:
        yield found


def _check_version(library: ctypes.CDLL) -> None:
    """The same major version, and at least as new as what this package declares."""
    library.tmac_version.restype = c_uint32
    have = library.tmac_version()
    major, minor, patch = (int(part) for part in __version__.split("."))
    if have // 10000 != major or have < major * 10000 + minor * 100 + patch:
        have_text = f"{have // 10000}.{have // 100 % 100}.{have % 100}"
        raise OSError(f"it is libtmac {have_text}, and tmac {__version__} cannot work with that")


def _open() -> ctypes.CDLL:
    tried = []
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
            _check_version(library)
            return library
        except (OSError, AttributeError) as error:
            tried.append(f"  {name}: {error}")
    raise ImportError("libtmac.so was not found; set TMAC_LIBRARY to its path. Tried:\n"
                      + "\n".join(tried))


def _declare(library: ctypes.CDLL) -> None:
    for name, arguments in STATUS_FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes, function.errcheck = c_int, arguments, check
    for name, (result, arguments) in OTHER_FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


lib = _open()
_declare(lib)


# ---- handles -------------------------------------------------------------------------------------


class Handle:
    """A tmac_context, tmac_weights, tmac_tables or tmac_tuning, freed when nothing refers to it any more. It
    keeps alive what C needs of it: its context's handle, and `needs`, the memory it lies in.

    Pass a Handle to a function and the call itself refers to it: what another thread closes in
    the meantime is freed when the call has returned."""

    def __init__(self, pointer: c_void_p, free: Any, context: Optional[Handle] = None,
                 *needs: Any) -> None:
        self._as_parameter_ = pointer.value
        self.context = context
        finalizer = weakref.finalize(self, _free_handle, free, pointer.value, (context, needs))
        # A process that ends takes the memory with it, and its daemon threads may be multiplying.
        finalizer.atexit = False


def _free_handle(free: Any, pointer: Optional[int], needs: tuple) -> None:
    free(pointer)  # `needs` live at least until here


class Owner:
    """What Context, Weights and Tables have in common: a handle that can be given up early."""

    _handle: Optional[Handle] = None

    @property
    def _c(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise ValueError(f"this {type(self).__name__} is closed")
        return handle

    def close(self) -> None:
        """Gives up this object's memory; it cannot be used afterwards. What others still need
        stays until they are done (weights keep their context). Closing twice is fine."""
        self._handle = None

    def __enter__(self):
        self._c
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def integer(value: Any, name: str, least: int = -2**63, most: int = 2**63 - 1) -> int:
    """An int that C's type can hold (ctypes would cut it off in silence)."""
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if not least <= value <= most:
        raise ValueError(f"{name} = {value} is out of range")
    return value
