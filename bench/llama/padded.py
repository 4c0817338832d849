# SPDX-License-Identifier: MIT
"""A model with sizes that every quantization takes, and that computes what a given model does.

K-quants and ternary types take 256 weights a block, and SmolLM2-135M has rows of 576. Its matrices
get zero rows and columns until their sizes divide by 256; that adds attention heads, which attend
with zeros. The mean in the RMS norms then is over more values and so smaller by a factor; the norms'
weights and epsilon make up for it. Weights are dequantized to F32: nothing is rounded.
"""

import math

import numpy

from gguf_files import Tensor, gguf, metadata, open_model, value

BLOCK = 256

# The sizes of every tensor that a Llama has, by the last words of its name.
SIZES = {
    "token_embd": ("vocabulary", "embedding"),
    "output": ("vocabulary", "embedding"),
    "output_norm": ("embedding",),
    "attn_norm": ("embedding",),
    "attn_q": ("queries", "embedding"),
    "attn_k": ("keys", "embedding"),
    "attn_v": ("keys", "embedding"),
    "attn_output": ("embedding", "queries"),
    "ffn_norm": ("embedding",),
    "ffn_gate": ("feed forward", "embedding"),
    "ffn_up": ("feed forward", "embedding"),
    "ffn_down": ("embedding", "feed forward"),
}


def round_up(size):
    return -(-size // BLOCK) * BLOCK


class Padding:
    def __init__(self, reader):
        def llama(name):
            return value(reader, f"llama.{name}")

        embedding, feed_forward = llama("embedding_length"), llama("feed_forward_length")
        heads, kv_heads = llama("attention.head_count"), llama("attention.head_count_kv")
        head = embedding // heads
        group = heads // kv_heads  # query heads that share one KV head; heads are in order of groups
        self.embedding = round_up(embedding)
        if heads * head != embedding or group * kv_heads != heads:
            raise SystemExit(f"{heads} heads, {kv_heads} KV heads, {embedding} values: no even shares")
        if self.embedding % (head * group):
            raise SystemExit(f"{self.embedding} values are no whole groups of {group} heads of {head}")
        self.heads = self.embedding // head
        self.kv_heads = self.heads // group
        self.feed_forward = round_up(feed_forward)
        self.mean = embedding / self.embedding  # what padding leaves of the mean of squares
        self.epsilon = llama("attention.layer_norm_rms_epsilon") * self.mean
        self.sizes = {
            "vocabulary": len(value(reader, "tokenizer.ggml.tokens")),
            "embedding": self.embedding,
            "queries": self.heads * head,
            "keys": self.kv_heads * head,
            "feed forward": self.feed_forward,
        }

    def fields(self, reader):
        fields = metadata(reader)
        for name, new in {
            "llama.embedding_length": self.embedding,
            "llama.feed_forward_length": self.feed_forward,
            "llama.attention.head_count": self.heads,
            "llama.attention.head_count_kv": self.kv_heads,
            "llama.attention.layer_norm_rms_epsilon": self.epsilon,
            "general.file_type": 0,  # F32
        }.items():
            _, kind, element = fields.get(name, (None, gguf.GGUFValueType.UINT32, None))
            fields[name] = (new, kind, element)
        return fields

    def tensor(self, tensor):
        word = tensor.name.split(".")[-2]
        if word not in SIZES or not tensor.name.endswith(".weight"):
            raise SystemExit(f"{tensor.name}: no tensor of a plain Llama")
        shape = tuple(self.sizes[size] for size in SIZES[word])
        factor = math.sqrt(self.mean) if word.endswith("_norm") else 1

        def make():
            old = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32, copy=False)
            new = numpy.zeros(shape, numpy.float32)
            new[tuple(slice(size) for size in old.shape)] = old * numpy.float32(factor)
            return new

        return Tensor(tensor.name, shape, numpy.float32, make)


def padded(path):
    """(metadata, tensors) of the padded model."""
    reader = open_model(path)
    padding = Padding(reader)
    return padding.fields(reader), [padding.tensor(tensor) for tensor in reader.tensors]
