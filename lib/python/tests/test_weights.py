# SPDX-License-Identifier: MIT
"""Packing, unpacking and multiplying every kind of weights, against numpy."""

import numpy as np
import pytest
import reference
import tmac
from conftest import skip_impossible
from reference import CODES, is_near, same_bits

ROWS = 70  # more than two tiles, and not whole ones
WIDTHS = list(CODES)


def random_scales(rng, shape, dtype):
    """Scales, as they are given and as float32."""
    values = rng.uniform(-0.1, 0.1, shape).astype(np.float32)
    if dtype == "bfloat16":
        return reference.bfloat16(values)
    values = values.astype(dtype)
    return values, values.astype(np.float32)


def random_zero_points(rng, shape, width):
    most = {"ternary": 4, 8: 255}.get(width) or CODES[width]
    return rng.integers(0, most + 1, shape, np.uint8)


def check_product(weights, exact_weights, rng):
    """Near to the exact product, and the same to the bit whatever the batch."""
    x = rng.standard_normal((64, weights.cols)).astype(np.float32)
    y = weights.gemm(x)
    assert is_near(y, x, weights, exact_weights)
    assert same_bits(weights.gemv(x[5]), y[5])
    for n in (1, 3, 17):
        assert same_bits(weights.gemm(x[:n]), y[:n])


@pytest.mark.parametrize("group", [16, 32, 64, 128, 256, "row", "tensor"])
@pytest.mark.parametrize("width", WIDTHS)
def test_groups(context, rng, width, group):
    skip_impossible(context, width)
    cols = 512 if isinstance(group, int) else 500
    codes = rng.integers(0, CODES[width], (ROWS, cols), np.uint8)
    shape = {"row": (ROWS, 1), "tensor": (1, 1)}.get(group) or (ROWS, cols // group)
    scales, values = random_scales(rng, shape, np.float32)
    weights = tmac.Weights.pack(codes, scales, width=width, group=group, context=context)
    exact = reference.weights(codes, width, values)
    assert same_bits(weights.unpack(), exact)
    assert same_bits(weights.unpack(33, 65), exact[33:65])
    assert (weights.rows, weights.cols, weights.info.width) == (ROWS, cols, width)
    assert weights.info.group == (group if isinstance(group, int) else "row")
    check_product(weights, exact, rng)


@pytest.mark.parametrize("kind", ["zero", "zero_points", "minimums"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, "bfloat16"])
@pytest.mark.parametrize("width", WIDTHS)
def test_zeros(context, rng, width, dtype, kind):
    skip_impossible(context, width)
    cols, group = 256, 32
    codes = rng.integers(0, CODES[width], (ROWS, cols), np.uint8)
    shape = (ROWS, cols // group)
    scales, values = random_scales(rng, shape, dtype)
    options = {}
    if kind == "zero":
        options["zero"] = 0.75
        exact = reference.weights(codes, width, values, zero=0.75)
    elif kind == "zero_points":
        options["zero_points"] = random_zero_points(rng, shape, width)
        exact = reference.weights(codes, width, values, zero_points=options["zero_points"])
    else:
        options["minimums"], minimums = random_scales(rng, shape, dtype)
        exact = reference.weights(codes, width, values, minimum=minimums)
    weights = tmac.Weights.pack(codes, scales, width=width, group=group, context=context,
                                bfloat16=dtype == "bfloat16", **options)
    assert same_bits(weights.unpack(), exact)
    check_product(weights, exact, rng)


@pytest.mark.parametrize("sub_format,group,super_group", [
    ("i8", 16, 256), ("i8", 32, 64), ("i8", 128, 256), ("i8", 64, "row"),
    ("u4", 16, 32), ("u4", 16, 256), ("u4", 32, "row")])
@pytest.mark.parametrize("kind", ["symmetric", "zero_points", "minimums"])
@pytest.mark.parametrize("width", WIDTHS)
def test_two_levels(context, rng, width, kind, sub_format, group, super_group):
    skip_impossible(context, width)
    cols = 512
    codes = rng.integers(0, CODES[width], (ROWS, cols), np.uint8)
    shape, above = (ROWS, cols // group), 1 if super_group == "row" else cols // super_group
    scales, values = random_scales(rng, (ROWS, above), np.float16)
    low, high, most = (-128, 127, 255) if sub_format == "i8" else (0, 15, 15)
    sub_scales = rng.integers(low, high + 1, shape, np.int8)
    values = reference.widen(values, shape[1]) * sub_scales.astype(np.float32)
    options, model = {}, {}
    if kind == "zero_points":
        options["zero_points"] = model["zero_points"] = random_zero_points(rng, shape, width)
    elif kind == "minimums":
        options["minimums"], minimums = random_scales(rng, (ROWS, above), np.float16)
        options["sub_minimums"] = rng.integers(0, most + 1, shape, np.uint8)
        model["minimum"] = (reference.widen(minimums, shape[1])
                            * options["sub_minimums"].astype(np.float32))
    weights = tmac.Weights.pack(codes, scales, width=width, group=group, context=context,
                                sub_scales=sub_scales, super_group=super_group,
                                sub_format=sub_format, **options)
    exact = reference.weights(codes, width, values, **model)
    if kind == "zero_points":  # where a sub-scale is 0, the sign of the weight is not kept
        assert np.array_equal(weights.unpack(), exact)
    else:
        assert same_bits(weights.unpack(), exact)
    assert weights.info.super_group == (cols if super_group == "row" else super_group)
    check_product(weights, exact, rng)


@pytest.mark.parametrize("cols", [64, 101, 500])
@pytest.mark.parametrize("width", WIDTHS)
def test_dense_codes(rng, width, cols):
    codes = rng.integers(0, CODES[width], (ROWS, cols), np.uint8)
    scales = rng.standard_normal(ROWS).astype(np.float32)
    dense = tmac.Weights.pack(reference.dense(codes, width), scales, width=width, group="row",
                              dense=True, cols=cols)
    plain = tmac.Weights.pack(codes, scales, width=width, group="row")
    assert np.array_equal(dense.packed, plain.packed)


@pytest.mark.parametrize("rows,cols", [(1, 1), (1, 16), (2, 3), (65, 63), (33, 65)])
def test_small_and_odd_shapes(context, rng, rows, cols):
    codes = rng.integers(0, 8, (rows, cols), np.uint8)
    weights = tmac.Weights.pack(codes, np.ones(rows, np.float32), width=3, group="row",
                                context=context)
    exact = reference.weights(codes, 3, np.ones((rows, 1), np.float32))
    assert same_bits(weights.unpack(), exact)
    x = np.ones(cols, np.float32)
    # The bound of lookup, lambda / 4 * (2^b - 1) for every 4 activations. Direct is exact here.
    assert np.allclose(weights.gemv(x), exact.sum(axis=1), atol=4 / 127 / 4 * 7 * -(-cols // 4))


# ---- activations ---------------------------------------------------------------------------------


@pytest.fixture
def matrix(rng):
    codes = rng.integers(0, 16, (ROWS, 256), np.uint8)
    scales = rng.uniform(0.5, 1, (ROWS, 8)).astype(np.float32)
    return tmac.Weights.pack(codes, scales, width=4, group=32)


def test_activation_types(matrix, rng):
    x = rng.standard_normal((5, 256)).astype(np.float32)
    assert is_near(matrix.gemm(x), x, matrix)
    half = x.astype(np.float16)
    assert same_bits(matrix.gemm(half), matrix.gemm(half.astype(np.float32)))
    words, values = reference.bfloat16(x)
    assert same_bits(matrix.gemm(words, bfloat16=True), matrix.gemm(values))


def test_int8_activations(matrix, rng):
    x = rng.integers(-127, 128, (3, 256), np.int8)
    column = rng.uniform(0.5, 1, 3).astype(np.float32)
    assert is_near(matrix.gemm(x, scales=column), x * column[:, None], matrix)
    assert same_bits(matrix.gemm(x, scales=column)[0],
                     matrix.gemv(x[0], scales=column[:1]))
    grouped = rng.uniform(0.5, 1, (3, 6)).astype(np.float32)  # 256 / 48, rounded up
    scales = np.repeat(grouped, 48, axis=1)[:, :256]
    assert is_near(matrix.gemm(x, scales=grouped, scale_group=48), x * scales, matrix)


def test_one_table_for_several_weights(rng):
    x = rng.standard_normal((4, 256)).astype(np.float32)
    several = [tmac.Weights.pack(rng.integers(0, 16, (rows, 256), np.uint8),
                                 np.ones((rows, 4), np.float32), width=4, group=64)
               for rows in (64, 16, 100)]
    tables = tmac.Tables(several[0], 8)
    assert tables.batch is None
    assert tables.build(x) is tables and tables.batch == 4
    for weights in several:
        assert same_bits(weights.gemm(tables), weights.gemm(x))
        assert same_bits(tmac.matmul(weights, tables), tmac.matmul(weights, x))
    tables.build(x[1])
    for weights in several:
        assert same_bits(weights.gemv(tables), weights.gemm(x)[1])
        assert same_bits(weights.gemv(tables), tmac.matmul(weights, x[1]))


def test_inputs_do_not_depend_on_each_other(context, matrix, rng):
    weights = tmac.Weights.pack(rng.integers(0, 4, (ROWS, 256), np.uint8),
                                np.ones((ROWS, 8), np.float32), width=2, group=32, context=context)
    x = rng.standard_normal((37, 256)).astype(np.float32)
    y = weights.gemm(x)
    for n in (0, 7, 36):
        assert same_bits(y[n], weights.gemv(x[n]))


def test_arrays_that_are_not_contiguous(matrix, rng):
    x = rng.standard_normal((256, 6)).astype(np.float32)
    assert same_bits(matrix.gemm(x.T), matrix.gemm(np.ascontiguousarray(x.T)))
    assert same_bits(matrix.gemv(x[:, 2]), matrix.gemv(x[:, 2].copy()))
    assert same_bits(matrix.gemv(x[::-1, 2]), matrix.gemv(x[::-1, 2].copy()))
    raw = np.zeros(256 * 4 + 1, np.uint8)
    raw[1:] = x[:, 0].copy().view(np.uint8)
    assert same_bits(matrix.gemv(raw[1:].view(np.float32)), matrix.gemv(x[:, 0]))  # not aligned
    codes = rng.integers(0, 4, (64, 20), np.uint8)
    assert np.array_equal(
        tmac.Weights.pack(codes.T, np.ones((20, 2), np.float16), width=2, group=32).packed,
        tmac.Weights.pack(codes.T.copy(), np.ones((40, 4), np.float16)[::2, ::2], width=2,
                          group=32).packed)


def test_out(matrix, rng):
    x = rng.standard_normal((4, 256)).astype(np.float32)
    y = matrix.gemm(x)
    wide = np.full((4, ROWS + 9), np.nan, np.float32)
    result = matrix.gemm(x, out=wide[:, 3:3 + ROWS])
    assert np.shares_memory(result, wide) and same_bits(result, y)
    assert np.isnan(wide[:, :3]).all() and np.isnan(wide[:, 3 + ROWS:]).all()
    line = np.empty(ROWS, np.float32)
    assert matrix.gemv(x[0], out=line) is line and same_bits(line, y[0])
    tables = tmac.Tables(matrix, 4).build(x)
    wide[:] = np.nan
    assert same_bits(matrix.gemm(tables, out=wide[:, :ROWS]), y)
    one = matrix.gemm(x[:1], out=wide[:1, 1:1 + ROWS])
    assert same_bits(one, y[:1])
    big = np.full((3, 300), np.nan, np.float32)
    assert same_bits(matrix.unpack(1, 4, out=big[:, :256]), matrix.unpack()[1:4])
    assert np.isnan(big[:, 256:]).all()


def test_empty_batch_and_no_rows(matrix):
    assert matrix.gemm(np.empty((0, 256), np.float32)).shape == (0, ROWS)
    assert matrix.gemm(tmac.Tables(matrix).build(np.empty((0, 256), np.float32))).shape == (0, ROWS)
    assert matrix.unpack(5, 5).shape == (0, 256)


def test_nan_stays_in_its_input(matrix, rng):
    x = rng.standard_normal((3, 256)).astype(np.float32)
    clean = matrix.gemm(x)
    x[1, 100] = np.nan
    y = matrix.gemm(x)
    assert np.isnan(y[1]).all() and same_bits(y[[0, 2]], clean[[0, 2]])
