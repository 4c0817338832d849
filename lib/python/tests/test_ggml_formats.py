# SPDX-License-Identifier: MIT
"""ggml's blocks, packed and unpacked, give the floats that ggml and gguf give, bit for bit.

Every finite half float appears as scale, and as minimum where a format has one; every sub-scale and
sub-minimum appears at every place in a block; codes are random."""

import ctypes
import os
from pathlib import Path

import gguf
import numpy as np
import pytest
import reference
import tmac
from conftest import skip_impossible
from gguf.quants import Q4_K
from reference import same_bits
from tmac import FORMATS, Status

FINITE = np.arange(65536, dtype=np.uint16)
FINITE = FINITE[FINITE & 0x7C00 != 0x7C00]
BLOCKS = len(FINITE)
ROWS = 31 * 16  # BLOCKS is 2^11 * 31
# Where in a block its half floats are: the scale, then the minimum.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
          "TQ1_0": [52], "TQ2_0": [64], "Q1_0": [0], "Q2_0": [0], "Q8_0": [0]}
types = pytest.mark.parametrize("name", FORMATS)


def random_blocks(name, count, rng, halves=None):
    """uint8 [count, bytes]. halves: half floats to draw scales and minimums from; None: every
    finite one, once each."""
    blocks = rng.integers(0, 256, (count, FORMATS[name].bytes), np.uint8)
    if name == "TQ2_0":  # no code 3
        codes = rng.integers(0, 3, (count, 64, 4), np.uint8)
        blocks[:, :64] = (codes << np.array([0, 2, 4, 6], np.uint8)).sum(axis=2, dtype=np.uint8)
    for at in HALVES[name]:
        words = rng.permutation(FINITE) if halves is None else rng.choice(halves, count)
        blocks[:, at:at + 2] = words.view(np.uint8).reshape(count, 2)
    return blocks


def moderate(rng):
    """Half floats as scales are in models."""
    return rng.uniform(0.001, 0.01, 1000).astype(np.float16).view(np.uint16)


def pack(name, blocks, rows, context=None):
    cols = len(blocks) // rows * FORMATS[name].block
    return tmac.Weights.from_ggml(name, blocks, rows, cols, context=context)


# ---- decoders ------------------------------------------------------------------------------------


def halves_to_float(blocks):
    return blocks[:, :2].copy().view(np.float16).astype(np.float32)


def decode_q1_0(blocks):
    """128 weights: f16 d, 16 bytes of 8 bits, the first the lowest; w = d or -d."""
    d = halves_to_float(blocks)
    return np.where(np.unpackbits(blocks[:, 2:], axis=1, bitorder="little") == 1, d, -d)


def decode_q2_0(blocks):
    """64 weights: f16 d, 16 bytes of 4 codes, the first the lowest; w = (q - 1) d."""
    q = np.stack([blocks[:, 2:] >> shift & 3 for shift in (0, 2, 4, 6)], axis=2)
    return (q.reshape(len(blocks), 64).astype(np.float32) - 1) * halves_to_float(blocks)


def decode(name, blocks):
    own = {"Q1_0": decode_q1_0, "Q2_0": decode_q2_0}.get(name)  # gguf 0.19 cannot
    if own:
        return own(blocks)
    return gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name])


def peer_folder():
    """The prebuilt llama.cpp that ./quickstart fetches."""
    if "TMAC_PEER" in os.environ:
        return os.environ["TMAC_PEER"]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("TMAC_CACHE") or Path(cache) / "libtmac")
    return str(max(cache.glob("peer-*"), default=""))


class TypeTraits(ctypes.Structure):
    """As bench/peer.c knows it."""

    _fields_ = [("name", ctypes.c_char_p), ("block", ctypes.c_int64),
                ("interleave", ctypes.c_int64), ("bytes", ctypes.c_size_t),
                ("quantized", ctypes.c_bool),
                ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p,
                                              ctypes.c_int64))]


@pytest.fixture(scope="module")
def ggml():
    library = Path(peer_folder(), "libggml-base.so")
    if not peer_folder() or not library.exists():
        pytest.skip("no llama.cpp to compare with (TMAC_PEER)")
    library = ctypes.CDLL(str(library))
    library.ggml_get_type_traits.restype = ctypes.POINTER(TypeTraits)
    return library


def ggml_decode(library, name, blocks):
    known = FORMATS[name]
    traits = library.ggml_get_type_traits(known.number).contents
    assert (traits.name.decode().upper(), traits.block, traits.bytes) == (
        name, known.block, known.bytes)
    out = np.empty((len(blocks), known.block), np.float32)
    traits.to_float(blocks.ctypes.data, out.ctypes.data, out.size)
    return out


# ---- tests ---------------------------------------------------------------------------------------


@types
def test_every_scale(name, rng):
    blocks = random_blocks(name, BLOCKS, rng)
    for at in HALVES[name]:
        seen = blocks[:, at:at + 2].copy().view(np.uint16).ravel()
        assert np.array_equal(np.sort(seen), FINITE)
    weights = pack(name, blocks, ROWS)
    exact = decode(name, blocks).reshape(ROWS, -1)
    assert same_bits(weights.unpack(), exact)


@types
def test_like_ggml(name, rng, ggml):
    blocks = random_blocks(name, BLOCKS, rng)
    exact = ggml_decode(ggml, name, blocks).reshape(ROWS, -1)
    assert same_bits(pack(name, blocks, ROWS).unpack(), exact)


def every_value_everywhere(values, most):
    """Each of 0..most in every column."""
    return all(len(np.unique(column)) == most + 1 for column in values.T)


def test_every_sub_scale(rng):
    """That random blocks have them all (test_every_scale then compares them)."""
    blocks = random_blocks("Q4_K", BLOCKS, rng)
    for values in Q4_K.get_scale_min(blocks[:, 4:16].copy()):
        assert values.shape == (BLOCKS, 8) and every_value_everywhere(values, 63)
    blocks = random_blocks("Q2_K", BLOCKS, rng)
    assert every_value_everywhere(blocks[:, :16] & 15, 15)
    assert every_value_everywhere(blocks[:, :16] >> 4, 15)
    sub = random_blocks("Q3_K", BLOCKS, rng)[:, 96:108]
    low = np.hstack([sub[:, :8] & 15, sub[:, :8] >> 4])
    high = np.hstack([sub[:, 8:] >> shift & 3 for shift in (0, 2, 4, 6)])
    assert every_value_everywhere(low | high << 4, 63)


@types
def test_every_context_unpacks_the_same(name, rng, context):
    skip_impossible(context, FORMATS[name].width)
    blocks = random_blocks(name, 70 * 2, rng, FINITE)
    assert same_bits(pack(name, blocks, 70, context).unpack(),
                     decode(name, blocks).reshape(70, -1))


def quantize_tq1_0(trits):
    return gguf.quants.quantize(trits.astype(np.float32), gguf.GGMLQuantizationType.TQ1_0)


@types
def test_back_to_the_byte(name, rng, context):
    skip_impossible(context, FORMATS[name].width)
    blocks = random_blocks(name, 70 * 3, rng, FINITE)
    if name == "TQ1_0":  # ggml knows several bytes for the same five weights, and writes one
        blocks[:, :52] = quantize_tq1_0(rng.integers(-1, 2, (len(blocks), 256)))[:, :52]
    weights, rows = pack(name, blocks, 70, context), blocks.reshape(70, -1)
    for kind in (name, name.lower(), FORMATS[name].number):
        assert np.array_equal(weights.to_ggml(kind), rows)
    for begin, end in ((0, 1), (31, 33), (69, None), (70, 70)):
        assert np.array_equal(weights.to_ggml(name, begin, end), rows[begin:end])
    for begin, end in ((-1, 1), (2, 1), (0, 71)):
        with pytest.raises(ValueError):
            weights.to_ggml(name, begin, end)
    alike = ("TQ1_0", "TQ2_0") if name in ("TQ1_0", "TQ2_0") else (name,)
    for other in {*FORMATS, "Q6_K"} - {*alike}:
        with pytest.raises(tmac.Error) as caught:
            weights.to_ggml(other)
        assert caught.value.status is Status.ERROR_GGML_TYPE


def test_every_trit_byte_as_ggml_writes_it():
    digits = np.arange(243)[:, None] // 3 ** np.arange(4, -1, -1) % 3 - 1  # first trit on top
    blocks = quantize_tq1_0(np.hstack([np.repeat(digits, 32, axis=1), np.repeat(digits, 16, axis=1),
                                       np.repeat(digits[:, :4], 4, axis=1)]))
    assert len(np.unique(blocks[:, 47])) == 243
    assert np.array_equal(pack("TQ1_0", blocks, 243).to_ggml("TQ1_0"), blocks)


@types
def test_gemv(name, rng, context):
    skip_impossible(context, FORMATS[name].width)
    rows, blocks_in_row = 100, 1024 // FORMATS[name].block
    blocks = random_blocks(name, rows * blocks_in_row, rng, moderate(rng))
    weights = pack(name, blocks, rows, context)
    x = rng.standard_normal((20, 1024)).astype(np.float32)
    y = np.array([weights.gemv(column) for column in x])
    assert reference.is_near(y, x, weights, decode(name, blocks).reshape(rows, 1024))


@types
@pytest.mark.parametrize("bad", [0x7C00, 0xFC00, 0x7E00, 0x7C01, 0xFFFF],
                         ids=["inf", "-inf", "nan", "signalling nan", "all ones"])
def test_scales_that_are_not_finite(name, rng, bad):
    for at in HALVES[name]:
        for where in (0, 70 * 2 - 1):
            blocks = random_blocks(name, 70 * 2, rng, FINITE)
            blocks[where, at:at + 2] = np.array([bad], np.uint16).view(np.uint8)
            with pytest.raises(tmac.Error) as caught:
                pack(name, blocks, 70)
            assert caught.value.status is Status.ERROR_SCALE


@pytest.mark.parametrize("where", range(0, 256, 5))
def test_tq2_0_code_3(rng, where):
    blocks = random_blocks("TQ2_0", 4, rng, FINITE)
    blocks[3, where % 64] |= 3 << where // 64 * 2
    with pytest.raises(tmac.Error) as caught:
        pack("TQ2_0", blocks, 2)
    assert caught.value.status is Status.ERROR_CODE


@types
def test_sizes(name, rng):
    known = FORMATS[name]
    blocks = random_blocks(name, 8, rng, FINITE)
    data, cols = blocks.tobytes(), 2 * known.block
    for wrong, rows, columns in [(data[:-1], 4, cols), (data + b"\0", 4, cols), (b"", 4, cols),
                                 (data, 5, cols), (data, 3, cols), (data, 4, 3 * known.block),
                                 (data, 2**40, cols), (data, 2**61, cols), (data, 2**64, cols),
                                 (data, 4, 2**62), (data, 1, 2**62), (blocks[:7], 4, cols)]:
        with pytest.raises(ValueError):
            tmac.Weights.from_ggml(name, wrong, rows, columns)
    for rows, columns, status in [(0, cols, Status.ERROR_SHAPE), (-4, cols, Status.ERROR_SHAPE),
                                  (4, 0, Status.ERROR_SHAPE), (4, -cols, Status.ERROR_SHAPE),
                                  (4, cols - 1, Status.ERROR_GROUP),
                                  (4, known.block // 2, Status.ERROR_GROUP)]:
        with pytest.raises(tmac.Error) as caught:
            tmac.Weights.from_ggml(name, data, rows, columns)
        assert caught.value.status is status


def test_what_data_may_be(rng, tmp_path):
    blocks = random_blocks("Q4_K", 8, rng, FINITE)
    packed = pack("Q4_K", blocks, 4).packed
    path = tmp_path / "blocks"
    path.write_bytes(b"123" + blocks.tobytes())
    strided = np.repeat(blocks, 2, axis=0)[::2]
    for data in (blocks.tobytes(), bytearray(blocks.tobytes()), memoryview(blocks.tobytes()),
                 blocks.reshape(-1), blocks.view(np.float32), strided,
                 np.memmap(path, np.uint8, "r", offset=3)):  # not aligned
        for kind in ("Q4_K", "q4_k", 12, gguf.GGMLQuantizationType.Q4_K):
            assert np.array_equal(tmac.Weights.from_ggml(kind, data, 4, 512).packed, packed)
    for data in (None, 5, "blocks", [1, 2], np.array([None])):
        with pytest.raises(TypeError):
            tmac.Weights.from_ggml("Q4_K", data, 4, 512)
    for kind in ("Q6_K", "", 14, 0, -1, 2**40):
        with pytest.raises(tmac.Error) as caught:
            tmac.Weights.from_ggml(kind, blocks, 4, 512)
        assert caught.value.status is Status.ERROR_GGML_TYPE
    with pytest.raises(TypeError):
        tmac.Weights.from_ggml(12.0, blocks, 4, 512)
