# SPDX-License-Identifier: MIT
"""tmac.multiply: row ranges, bias, accumulating, result types, mixtures of experts."""

import numpy as np
import pytest
import reference
import tmac
from reference import same_bits
from tmac import Status

ROWS, COLS, N, EXPERTS, USES = 75, 256, 9, 5, 3


def pack(codes, context):
    scales = np.full((codes.shape[0], COLS // 32), 0.0625, np.float16)
    return tmac.Weights.pack(codes, scales, width=4, group=32, context=context)


class Model:
    def __init__(self, context, rng):
        codes = rng.integers(0, 16, (EXPERTS * ROWS, COLS), np.uint8)
        self.experts = [pack(part, context) for part in codes.reshape(EXPERTS, ROWS, COLS)]
        self.stacked = pack(codes, context)
        self.weights = self.experts[0]
        self.x = rng.standard_normal((N, COLS)).astype(np.float32)
        self.bias = rng.standard_normal((EXPERTS, ROWS)).astype(np.float32)
        self.ids = rng.integers(0, EXPERTS, (N, USES))
        self.y = np.stack([expert.gemm(self.x) for expert in self.experts])  # [expert, n, rows]

    def mixture(self, ids):
        return self.y[ids, np.arange(len(ids))[:, None]]


@pytest.fixture
def model(context, rng):
    return Model(context, rng)


def test_the_same_as_gemm(model):
    x, y = model.x, model.y[0]
    assert same_bits(tmac.multiply(model.weights, x), y)
    assert same_bits(tmac.multiply(model.weights, x[2]), y[2])
    assert same_bits(tmac.multiply(model.weights, tmac.Tables(model.weights, N).build(x)), y)
    half = x.astype(np.float16)
    assert same_bits(tmac.multiply(model.weights, half), model.weights.gemm(half))
    words, _ = reference.bfloat16(x)
    assert same_bits(tmac.multiply(model.weights, words, bfloat16=True),
                     model.weights.gemm(words, bfloat16=True))
    assert tmac.multiply(model.weights, x[:0]).shape == (0, ROWS)


def test_bias_and_accumulate(model, rng):
    y, bias = model.y[0], model.bias[0]
    assert same_bits(tmac.multiply(model.weights, model.x, bias=bias), y + bias)
    out = rng.standard_normal(y.shape).astype(np.float32)
    before = out.copy()
    assert tmac.multiply(model.weights, model.x, bias=bias, accumulate=True, out=out) is out
    assert same_bits(out, (y + bias) + before)
    out[:] = before
    tmac.multiply(model.weights, model.x, accumulate=True, out=out)
    assert same_bits(out, y + before)


@pytest.mark.parametrize("begin,end", [(0, ROWS), (0, 33), (7, 64), (40, None), (5, 5), (0, 0)])
def test_rows(model, begin, end):
    want = np.full_like(model.y[0], 7)
    want[:, begin:end] = model.y[0][:, begin:end]
    out = np.full_like(want, 7)
    tmac.multiply(model.weights, model.x, begin=begin, end=end, out=out)
    assert same_bits(out, want)
    want[want == 7] = 0
    assert same_bits(tmac.multiply(model.weights, model.x, begin=begin, end=end), want)


def test_result_types(model):
    y = model.y[0]
    half = tmac.multiply(model.weights, model.x, dtype=np.float16)
    assert half.dtype == np.float16 and np.array_equal(half, y.astype(np.float16))
    out = np.empty(y.shape, np.float16)
    tmac.multiply(model.weights, model.x, out=out)
    assert np.array_equal(out, half)
    words = tmac.multiply(model.weights, model.x, dtype="bfloat16")
    assert words.dtype == np.uint16
    assert np.allclose(reference.bfloat16_values(words), y, rtol=2**-8)
    out = np.empty(y.shape, np.uint16)
    tmac.multiply(model.weights, model.x, out=out)
    assert np.array_equal(out, words)
    with pytest.raises(TypeError):
        tmac.multiply(model.weights, model.x, dtype=np.float64)
    with pytest.raises(TypeError):
        tmac.multiply(model.weights, model.x, dtype=np.float16, out=np.empty(y.shape, np.float32))


def test_experts(model):
    want = model.mixture(model.ids)
    assert same_bits(tmac.multiply(model.experts, model.x, ids=model.ids), want)
    assert same_bits(tmac.multiply(model.stacked, model.x, ids=model.ids, expert_count=EXPERTS),
                     want)
    assert same_bits(tmac.multiply(tuple(model.experts), model.x[0], ids=model.ids[0]), want[0])
    biased = tmac.multiply(model.experts, model.x, ids=model.ids, bias=model.bias, begin=3, end=70)
    want = (want + model.bias[model.ids])
    assert same_bits(biased[..., 3:70], want[..., 3:70])
    assert not biased[..., :3].any() and not biased[..., 70:].any()


def test_experts_not_used(model):
    ids = model.ids.astype(np.int32)
    ids[0], ids[4, 1] = -1, -7
    want = model.mixture(np.maximum(ids, 0))
    want[ids < 0] = 0
    assert same_bits(tmac.multiply(model.experts, model.x, ids=ids), want)
    out = np.full_like(want, 2)
    tmac.multiply(model.experts, model.x, ids=ids, out=out)
    want[ids < 0] = 2
    assert same_bits(out, want)


def test_experts_out(model):
    wide = np.full((N, USES, ROWS + 5), 3, np.float32)
    out = wide[..., :ROWS]
    assert tmac.multiply(model.experts, model.x, ids=model.ids, out=out) is out
    assert same_bits(out, model.mixture(model.ids)) and (wide[..., ROWS:] == 3).all()
    with pytest.raises(ValueError):
        tmac.multiply(model.experts, model.x, ids=model.ids,
                      out=np.empty((N, USES + 1, ROWS), np.float32)[:, :USES])
    with pytest.raises(ValueError):
        tmac.multiply(model.experts, model.x, ids=model.ids, out=np.empty((N, ROWS), np.float32))


def test_refused_before_c(model):
    experts, x, ids = model.experts, model.x, model.ids
    for weights, options, error in [
        (model.weights, dict(begin=-1), ValueError),
        (model.weights, dict(begin=5, end=4), ValueError),
        (model.weights, dict(end=ROWS + 1), ValueError),
        (model.weights, dict(accumulate=True), ValueError),
        (model.weights, dict(bias=model.bias), ValueError),
        (model.weights, dict(bias=np.zeros(ROWS)), TypeError),
        (model.weights, dict(ids=ids), ValueError),
        (model.weights, dict(expert_count=EXPERTS), ValueError),
        (experts, {}, ValueError),
        (experts, dict(ids=ids, expert_count=EXPERTS + 1), ValueError),
        (experts, dict(ids=ids[:-1]), ValueError),
        (experts, dict(ids=ids[0]), ValueError),
        (experts, dict(ids=ids * 1.0), TypeError),
        (experts, dict(ids=ids + 2**32), ValueError),
        (experts, dict(ids=ids, bias=model.bias[0]), ValueError),
        ([], dict(ids=ids), ValueError),
    ]:
        with pytest.raises(error):
            tmac.multiply(weights, x, **options)


def test_refused_by_c(model, context, rng):
    def expect(status, weights, x=model.x, **options):
        with pytest.raises(tmac.Error) as caught:
            tmac.multiply(weights, x, **options)
        assert caught.value.status is status

    ids = model.ids
    expect(Status.ERROR_EXPERT, model.experts, ids=np.full_like(ids, EXPERTS))
    expect(Status.ERROR_EXPERT, model.stacked, ids=ids, expert_count=EXPERTS + 1)
    other = pack(rng.integers(0, 16, (ROWS + 1, COLS), np.uint8), context)
    expect(Status.ERROR_EXPERT, [*model.experts, other], ids=ids)
    expect(Status.ERROR_SHAPE, model.experts, ids=ids[:, :0])
    expect(Status.ERROR_INPUTS, model.experts, tmac.Tables(model.weights, N).build(model.x), ids=ids)
    expect(Status.ERROR_NOT_BUILT, model.weights, tmac.Tables(model.weights, N))
    foreign = pack(np.zeros((ROWS, COLS), np.uint8), tmac.Context(isa="scalar"))
    expect(Status.ERROR_CONTEXT, [*model.experts, foreign], ids=ids)
