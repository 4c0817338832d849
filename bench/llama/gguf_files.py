# SPDX-License-Identifier: MIT
"""GGUF files: written tensor by tensor, so that a model need not fit into memory; and what is in one."""

import math
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy

# The package that comes with llama.cpp knows all of its types; the published one may be older.
if os.environ.get("TMAC_LLAMA_SOURCE"):
    sys.path.insert(0, os.path.join(os.environ["TMAC_LLAMA_SOURCE"], "gguf-py"))
import gguf  # noqa: E402
from gguf import GGUFReader, GGUFValueType, GGUFWriter  # noqa: E402

ARCHITECTURE = "llama"


@dataclass(frozen=True)
class Tensor:
    """One to be written. `make()` returns its values when their turn has come."""

    name: str
    shape: tuple  # rows, columns; or one size
    dtype: type
    make: callable


def open_model(path):
    """A reader of a model that this code understands, or an error that says why not."""
    try:
        reader = GGUFReader(path)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path} is no GGUF file that can be read: {error}") from error
    architecture = value(reader, "general.architecture")
    if architecture != ARCHITECTURE:
        raise SystemExit(f"{path} is of architecture {architecture}, not {ARCHITECTURE}")
    return reader


def value(reader, name):
    field = reader.get_field(name)
    if field is None:
        raise SystemExit(f"the model lacks {name}")
    return field.contents()


def is_matrix(tensor):
    """One that models multiply with (or look rows up in), and that quantization is about."""
    return len(tensor.shape) == 2 and tensor.name.endswith(".weight")


@lru_cache
def types(path):
    """{name: (type, bytes)} of all matrices of a model, which does not change any more."""
    matrices = filter(is_matrix, open_model(path).tensors)
    return {tensor.name: (tensor.tensor_type.name, int(tensor.n_bytes)) for tensor in matrices}


def metadata(reader, prefix=""):
    """{name: (value, type, type of elements or None)} of fields that start with `prefix`."""
    fields = {}
    for field in reader.fields.values():
        # GGUF.* stand for the file's header, and the writer has its own idea of the architecture.
        if field.name.startswith(prefix) and not field.name.startswith(("GGUF.", "general.architecture")):
            is_array = field.types[0] == GGUFValueType.ARRAY
            fields[field.name] = (field.contents(), field.types[0], field.types[-1] if is_array else None)
    return fields


def write_model(path, fields, tensors):
    """All or nothing: an interrupted one leaves only PATH.partial."""
    partial = Path(f"{path}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(partial, ARCHITECTURE)
    for name, (content, kind, element) in fields.items():
        writer.add_key_value(name, content, kind, element)
    for tensor in tensors:
        size = math.prod(tensor.shape) * numpy.dtype(tensor.dtype).itemsize
        writer.add_tensor_info(tensor.name, tensor.shape, numpy.dtype(tensor.dtype), size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        values = tensor.make()
        if values.shape != tensor.shape or values.dtype != tensor.dtype:
            raise AssertionError(f"{tensor.name} is {values.dtype} {values.shape}")
        writer.write_tensor_data(numpy.ascontiguousarray(values))
    writer.close()
    os.replace(partial, path)
