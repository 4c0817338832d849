# SPDX-License-Identifier: MIT
from __future__ import annotations

from typing import NamedTuple, Union

from . import _lib


class GgmlType(NamedTuple):
    number: int  # in ggml's own enum
    block: int   # weights in a block
    bytes: int   # bytes of a block


#: The ggml types that Weights.from_ggml takes, by name.
GGML_TYPES = {
    "Q4_0": GgmlType(2, 32, 18),
    "Q4_1": GgmlType(3, 32, 20),
    "Q2_K": GgmlType(10, 256, 84),
    "Q3_K": GgmlType(11, 256, 110),
    "Q4_K": GgmlType(12, 256, 144),
    "TQ1_0": GgmlType(34, 256, 54),
    "TQ2_0": GgmlType(35, 256, 66),
    "Q1_0": GgmlType(41, 128, 18),
    "Q2_0": GgmlType(42, 64, 18),
}


def find(type: Union[str, int]) -> GgmlType:
    if isinstance(type, str):
        if type.upper() in GGML_TYPES:
            return GGML_TYPES[type.upper()]
        raise _lib.Error(_lib.Status.ERROR_GGML_TYPE)
    number = _lib.integer(type, "type")
    for known in GGML_TYPES.values():
        if known.number == number:
            return known
    raise _lib.Error(_lib.Status.ERROR_GGML_TYPE)
