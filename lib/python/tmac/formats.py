# SPDX-License-Identifier: MIT
from __future__ import annotations

from typing import Iterator, NamedTuple, Union

from . import _lib
from ._lib import lib


class Format(NamedTuple):
    """A type of ggml's blocks."""

    number: int  # in ggml's own enum
    block: int   # weights in a block
    bytes: int   # bytes of a block
    width: Union[int, str]
    group: int   # weights that share a scale


def _listed() -> Iterator[_lib.FormatInfo]:
    for index in range(lib.tmac_format_count()):
        info = _lib.FormatInfo()
        lib.tmac_format_query(index, info)
        yield info


def _width(name: str) -> Union[int, str]:
    """ "w4" is 4, "ternary" is itself."""
    return int(name[1:]) if name[1:].isdigit() else name


#: The widths of codes that Weights.pack takes, 1 to 8 bits and "ternary", and their numbers in C.
WIDTHS = {_width(info.name.decode()): info.width for info in _listed() if info.ggml_type < 0}
_NAMES = {number: width for width, number in WIDTHS.items()}

#: The ggml types that Weights.from_ggml takes, by name.
FORMATS = {info.name.decode(): Format(info.ggml_type, info.block, info.block_bytes,
                                      _NAMES[info.width], info.group)
           for info in _listed() if info.ggml_type >= 0}


def find(type: Union[str, int]) -> Format:
    if isinstance(type, str):
        if type.upper() in FORMATS:
            return FORMATS[type.upper()]
        raise _lib.Error(_lib.Status.ERROR_GGML_TYPE)
    number = _lib.integer(type, "type")
    for known in FORMATS.values():
        if known.number == number:
            return known
    raise _lib.Error(_lib.Status.ERROR_GGML_TYPE)
