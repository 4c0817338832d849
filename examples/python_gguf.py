#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Multiplies the matrices of one layer of a GGUF file: usage: python_gguf.py MODEL [LAYER]

Needs numpy, gguf, and the package in lib/python (PYTHONPATH) with libtmac.so (TMAC_LIBRARY)."""

import sys
import time

import gguf
import numpy as np
import tmac


def best_time(function):
    """Microseconds: the best of 20."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


def main(path, layer="0"):
    context = tmac.Context(threads=1)  # matrices this small are not worth a second one
    print(context)
    for tensor in gguf.GGUFReader(path).tensors:
        kind = tensor.tensor_type.name
        if not tensor.name.startswith(f"blk.{layer}.") or kind not in tmac.FORMATS:
            continue
        cols, rows = (int(n) for n in tensor.shape)  # ggml counts the columns first
        weights = tmac.Weights.from_ggml(kind, tensor.data, rows, cols, context=context)
        x = np.random.default_rng(0).standard_normal(cols).astype(np.float32)
        exact = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float64) @ x
        error = np.sum((weights.gemv(x) - exact) ** 2) / np.sum(exact**2)
        print(f"{tensor.name:24} {kind:5} {rows:6} x {cols:<6} relative squared error {error:.1e}, "
              f"{best_time(lambda: weights.gemv(x)):6.0f} us")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
