# SPDX-License-Identifier: MIT
"""Models of well-known shapes with random weights: for speed, and for nothing else."""

import math
from dataclasses import dataclass

import numpy

from gguf_files import Tensor, gguf, metadata, open_model

KINDS = gguf.GGUFValueType
UINT, FLOAT, STRING = KINDS.UINT32, KINDS.FLOAT32, KINDS.STRING


@dataclass(frozen=True)
class Shape:
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    layers: int  # of the whole model
    default_layers: int  # enough for 100 MB at one bit a weight: three times a large cache
    vocabulary: int

    @property
    def keys(self):
        return self.embedding // self.heads * self.kv_heads


SHAPES = {
    "llama2-7b": Shape(4096, 11008, 32, 32, 32, 4, 32000),
    # BitNet b1.58 3B has 3200 and 8640, which no type with blocks of 256 takes: these are the next
    # that do (4 % and 1 % more), with 26 heads of 128 instead of 32 of 100.
    "bitnet-3b": Shape(3328, 8704, 26, 26, 26, 6, 32000),
    "small": Shape(1024, 2816, 16, 4, 16, 4, 16000),  # for trying things out
    "tiny": Shape(256, 768, 4, 2, 2, 2, 2000),
}

BLOCK = numpy.random.default_rng(1).standard_normal(999983, dtype=numpy.float32)  # a prime: rows differ


def random_tensor(name, rows, cols, start):
    """Values of mean square 1/cols: what is multiplied keeps its size."""

    def make():
        block = numpy.roll(BLOCK / math.sqrt(cols), start).astype(numpy.float16)
        return numpy.resize(block, (rows, cols))

    return Tensor(name, (rows, cols), numpy.float16, make)


def ones(name, size):
    return Tensor(name, (size,), numpy.float32, lambda: numpy.ones(size, numpy.float32))


def layer(shape, number):
    width, ffn = shape.embedding, shape.feed_forward
    prefix = f"blk.{number}."
    yield ones(f"{prefix}attn_norm.weight", width)
    yield ones(f"{prefix}ffn_norm.weight", width)
    for i, (name, rows, cols) in enumerate((
        ("attn_q", width, width),
        ("attn_k", shape.keys, width),
        ("attn_v", shape.keys, width),
        ("attn_output", width, width),
        ("ffn_gate", ffn, width),
        ("ffn_up", ffn, width),
        ("ffn_down", width, ffn),
    )):  # fmt: skip
        yield random_tensor(f"{prefix}{name}.weight", rows, cols, 7919 * (7 * number + i + 1))


def tensors(shape, layers, vocabulary):
    width = shape.embedding
    yield random_tensor("token_embd.weight", vocabulary, width, 0)
    yield ones("output_norm.weight", width)
    yield random_tensor("output.weight", vocabulary, width, 104729)
    for number in range(layers):
        yield from layer(shape, number)


def cut_tokenizer(path, vocabulary):
    """The tokenizer of a model with its first tokens only, and the merges that make those."""
    fields = metadata(open_model(path), "tokenizer.")
    tokens = fields["tokenizer.ggml.tokens"][0]
    if len(tokens) < vocabulary:
        raise SystemExit(f"{path} has {len(tokens)} tokens; {vocabulary} are needed")
    kept = set(tokens[:vocabulary])
    for name in ("tokens", "token_type", "scores"):
        name = f"tokenizer.ggml.{name}"
        if name in fields:
            content, *kinds = fields[name]
            fields[name] = (content[:vocabulary], *kinds)
    if "tokenizer.ggml.merges" in fields:
        merges, *kinds = fields["tokenizer.ggml.merges"]
        merges = [merge for merge in merges if {*merge.split(" "), merge.replace(" ", "")} <= kept]
        fields["tokenizer.ggml.merges"] = (merges, *kinds)
    return fields


def random_model(name, layers, tokenizer):
    """(metadata, tensors). The vocabulary is cut as the layers are: every matrix keeps its share of
    the model."""
    shape = SHAPES[name]
    vocabulary = max(512, -(-shape.vocabulary * layers // shape.layers // 64) * 64)
    fields = cut_tokenizer(tokenizer, vocabulary)
    whole = "" if layers == shape.layers else f", {layers} of {shape.layers} layers"
    fields |= {
        "general.name": (f"random, as {name}{whole}", STRING, None),
        "general.file_type": (1, UINT, None),  # F16
        "llama.vocab_size": (vocabulary, UINT, None),
        "llama.context_length": (4096, UINT, None),
        "llama.embedding_length": (shape.embedding, UINT, None),
        "llama.block_count": (layers, UINT, None),
        "llama.feed_forward_length": (shape.feed_forward, UINT, None),
        "llama.rope.dimension_count": (shape.embedding // shape.heads, UINT, None),
        "llama.attention.head_count": (shape.heads, UINT, None),
        "llama.attention.head_count_kv": (shape.kv_heads, UINT, None),
        "llama.attention.layer_norm_rms_epsilon": (1e-5, FLOAT, None),
    }
    return fields, list(tensors(shape, layers, vocabulary))
