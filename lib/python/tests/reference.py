# SPDX-License-Identifier: MIT
"""What weights mean, in numpy and in the words of tmac.h; and helpers of the tests."""

import numpy as np

CODES = {1: 2, 2: 4, 3: 8, 4: 16, 8: 256, "ternary": 3}


def bits(array):
    return np.ascontiguousarray(array, np.float32).view(np.uint32)


def same_bits(a, b):
    return a.shape == b.shape and np.array_equal(bits(a), bits(b))


def greatest_of_blocks(x, size):
    """float64 [inputs, cols]: the greatest sum of `size` neighbours' magnitudes in each block of 128,
    for all of it. Shorter blocks, of weights in groups of less, have no greater ones."""
    inputs, cols = x.shape
    padded = np.zeros((inputs, -(-cols // 128), 128 // size, size))
    padded.reshape(inputs, -1)[:, :cols] = np.abs(x)
    return np.repeat(padded.sum(axis=3).max(axis=2), 128, axis=1)[:, :cols]


def expected_squares(x, w, info):
    """The squared error that rounding is expected to give all rows of an input, or more: see
    docs/numerics.md. Codes are taken to be spread evenly: a lookup plane's error, of weights
    of b bits, is then lambda^2 / 48 times their squares, whatever b is."""
    direct = (greatest_of_blocks(x, 1) / 127) ** 2 / 12
    lookup = (greatest_of_blocks(x, 4) / 127) ** 2 / 48
    if info.family == "direct":
        squares = direct
    elif info.layout == "nested_rows32":  # a sum of 16 activations is rounded like one of them
        squares = direct + lookup
    else:
        squares = lookup
    return (squares @ np.square(w, dtype=np.float64).T).sum(axis=1)


def is_near(y, x, weights, w=None):
    """Is y = x w^T but for what rounding makes of it, in sum over all inputs? w: the exact weights.
    The limit is that of test/support/rounding.c, tally_limit(): a wrong alarm in 10^7."""
    w = (weights.unpack() if w is None else w).astype(np.float64)
    x = x.astype(np.float64)
    expected = expected_squares(x, w, weights.info)
    limit = expected.sum() + 8 * np.sqrt(np.sum(expected ** 2)) + 32 * expected.max()
    return np.sum((y - x @ w.T) ** 2) <= limit


def widen(groups, cols):
    """[rows, groups] to [rows, cols]."""
    return np.repeat(groups, cols // groups.shape[1], axis=1)


def weights(codes, width, scale, zero=None, zero_points=None, minimum=None):
    """float32 [rows, cols]; scale and minimum are float32 and have a column for every group."""
    rows, cols = codes.shape
    scale = widen(np.broadcast_to(scale, (rows, scale.shape[1])), cols)
    q = codes.astype(np.float32)
    if minimum is not None:
        return scale * q + widen(np.broadcast_to(minimum, (rows, minimum.shape[1])), cols)
    if zero_points is not None:
        return scale * (q - widen(zero_points.astype(np.float32), cols))
    if zero is not None:
        return scale * (q - np.float32(zero))
    if width == 1:
        return scale * (2 * q - 1)
    return scale * (q - np.float32(1 if width == "ternary" else CODES[width] // 2))


def bfloat16(values):
    """uint16 that hold bfloat16 (cut off), and their values."""
    words = (np.ascontiguousarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return words, bfloat16_values(words)


def bfloat16_values(words):
    return (words.astype(np.uint32) << 16).view(np.float32)


def dense(codes, width):
    """Codes [rows, cols] as rows of a stream of bits."""
    each = 2 if width == "ternary" else width
    stream = (codes[:, :, None] >> np.arange(each, dtype=np.uint8)) & 1
    return np.packbits(stream.reshape(codes.shape[0], -1), axis=1, bitorder="little")
