# SPDX-License-Identifier: MIT
"""What weights mean, in numpy and in the words of tmac.h; and helpers of the tests."""

import numpy as np

CODES = {1: 2, 2: 4, 3: 8, 4: 16, "ternary": 3}


def bits(array):
    return np.ascontiguousarray(array, np.float32).view(np.uint32)


def same_bits(a, b):
    return a.shape == b.shape and np.array_equal(bits(a), bits(b))


def error(y, exact):
    """Relative squared error."""
    return np.sum((y - exact) ** 2) / np.sum(exact ** 2)


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
