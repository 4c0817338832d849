# SPDX-License-Identifier: MIT
"""Modes of a context, and tuning."""

import numpy as np
import pytest
import tmac
from reference import same_bits
from tmac import Status


def codes_and_scales(width, rows=40, cols=512):
    rng = np.random.default_rng(width)
    return (rng.integers(0, 1 << width, (rows, cols), np.uint8),
            rng.choice(np.array([0.5, -1.0], np.float32), (rows, 1)))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_exact_is_the_integer_dot_product(width):
    codes, scales = codes_and_scales(width)
    context = tmac.Context(mode="exact")
    weights = tmac.Weights.pack(codes, scales, width=width, group="row", zero=1.0, context=context)
    x = np.random.default_rng(9).integers(-126, 127, (3, 512)).astype(np.float32)
    x[:, 100] = 127
    assert (weights.gemm(x) == x.astype(int) @ (codes.astype(int) - 1).T * scales.T).all()


def test_unknown_mode():
    with pytest.raises(ValueError):
        tmac.Context(mode="exactly")
    with pytest.raises(tmac.Error) as caught:
        tmac.Context(mode="exact", family="lookup")
    assert caught.value.status == Status.ERROR_FAMILY


def test_tuning(tmp_path):
    told = []
    path = tmp_path / "tuning.txt"
    context = tmac.Context(threads=1)
    tuning = tmac.Tuning()
    tuning.tune(context, "Q4_0", 64, 256, seconds=1e-4,
                progress=lambda done, count, what: told.append((done, count, what)))
    assert len(tuning) == 1
    assert [done for done, _, _ in told] == list(range(len(told)))
    assert told[-1][0] == told[-1][1] and told[-1][2] == "done"
    tuning.save(path)
    assert len(tmac.Tuning().load(path)) == 1

    blocks = np.random.default_rng(1).integers(0, 64, (64, 8, 18), np.uint8)
    blocks[:, :, 1] = 0x20
    tuned = tmac.Context(threads=1, tuning=tuning)
    tuning.close()
    x = np.random.default_rng(2).standard_normal((40, 256)).astype(np.float32)
    weights = tmac.Weights.from_ggml("Q4_0", blocks, 64, 256, context=tuned)
    plain = tmac.Weights.attach(weights.packed, context=context)
    assert same_bits(weights.gemm(x), plain.gemm(x))


def test_tuning_files(tmp_path, monkeypatch):
    tuning = tmac.Tuning()
    path = tmp_path / "libtmac" / "tuning.txt"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        tuning.load()
    tuning.save()
    assert path.exists() and len(tuning.load()) == 0
    for text, status in ((b"", Status.ERROR_TUNING_DAMAGED),
                         (b"libtmac tuning 1\nversion 0.0.0\n", Status.ERROR_TUNING_FOREIGN)):
        path.write_bytes(text)
        with pytest.raises(tmac.Error) as caught:
            tuning.load(path)
        assert caught.value.status == status
    assert len(tuning) == 0
