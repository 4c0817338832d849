# SPDX-License-Identifier: MIT
"""What is wrong is refused, before C or by C, and said."""

import numpy as np
import pytest
import tmac
from tmac import Status


def pack(**changes):
    options = dict(codes=np.zeros((4, 64), np.uint8), scales=np.ones((4, 2), np.float32),
                   width=2, group=32)
    options.update(changes)
    return tmac.Weights.pack(options.pop("codes"), options.pop("scales"), **options)


def f32(*shape):
    return np.ones(shape, np.float32)


def u8(*shape):
    return np.ones(shape, np.uint8)


@pytest.mark.parametrize("changes,error", [
    (dict(codes=np.zeros((4, 64), np.int8)), TypeError),
    (dict(codes=np.zeros((4, 64))), TypeError),
    (dict(codes="codes"), TypeError),
    (dict(codes=u8(4 * 64)), ValueError),
    (dict(codes=u8(1, 4, 64)), ValueError),
    (dict(scales=np.ones((4, 2))), TypeError),
    (dict(scales=np.ones((4, 2), ">f4")), TypeError),
    (dict(scales=np.ones((4, 2), np.uint16)), TypeError),
    (dict(scales=f32(4, 2), bfloat16=True), TypeError),
    (dict(scales=f32(4, 3)), ValueError),
    (dict(scales=f32(8)), ValueError),
    (dict(scales=f32(2, 4)), ValueError),
    (dict(scales=f32(1, 4), group="row"), ValueError),
    (dict(scales=f32(4), group="tensor"), ValueError),
    (dict(width=5), ValueError),
    (dict(width="2"), ValueError),
    (dict(group="all"), ValueError),
    (dict(group=-1), ValueError),
    (dict(group=2**70), ValueError),
    (dict(group=32.0), TypeError),
    (dict(zero=1, zero_points=u8(4, 2)), ValueError),
    (dict(zero_points=u8(4, 1)), ValueError),
    (dict(zero_points=f32(4, 2)), TypeError),
    (dict(minimums=f32(4, 1)), ValueError),
    (dict(minimums=np.ones((4, 2), np.float16)), TypeError),
    (dict(sub_scales=np.ones((4, 2), np.int8)), ValueError),
    (dict(super_group=64), ValueError),
    (dict(sub_minimums=u8(4, 2)), ValueError),
    (dict(scales=f32(4, 1), sub_scales=u8(4, 2), super_group=64), TypeError),
    (dict(scales=f32(4, 1), sub_scales=np.ones((4, 3), np.int8), super_group=64), ValueError),
    (dict(scales=f32(4, 1), minimums=f32(4, 1), sub_scales=np.ones((4, 2), np.int8),
          super_group=64), ValueError),
    (dict(sub_format="i4"), ValueError),
    (dict(dense=True), ValueError),
    (dict(cols=64), ValueError),
    (dict(dense=True, cols=64), ValueError),  # 64 bytes hold 256 codes
    (dict(dense=True, cols=2**62), ValueError),
    (dict(dense=True, cols=-64), ValueError),
])
def test_pack_refused_before_c(changes, error):
    with pytest.raises(error):
        pack(**changes)


@pytest.mark.parametrize("changes,status", [
    (dict(codes=u8(0, 64)), Status.ERROR_SHAPE),
    (dict(codes=u8(4, 0)), Status.ERROR_SHAPE),
    (dict(group=48), Status.ERROR_GROUP),
    (dict(group=128), Status.ERROR_GROUP),
    (dict(codes=np.full((4, 64), 4, np.uint8)), Status.ERROR_CODE),
    (dict(codes=np.full((4, 64), 3, np.uint8), width="ternary"), Status.ERROR_CODE),
    (dict(scales=np.full((4, 2), np.nan, np.float32)), Status.ERROR_SCALE),
    (dict(scales=np.full((4, 2), np.inf, np.float16)), Status.ERROR_SCALE),
    (dict(scales=np.full((4, 2), 0x7F80, np.uint16), bfloat16=True), Status.ERROR_SCALE),
    (dict(minimums=np.full((4, 2), -np.inf, np.float32)), Status.ERROR_SCALE),
    (dict(zero=np.nan), Status.ERROR_ZERO),
    (dict(zero=1e300), Status.ERROR_ZERO),
    (dict(zero_points=np.full((4, 2), 5, np.uint8)), Status.ERROR_ZERO),
    (dict(scales=f32(4, 1), sub_scales=np.full((4, 2), 16, np.int8), super_group=64,
          sub_format="u4"), Status.ERROR_SUB_SCALE),
    (dict(scales=f32(4, 1), sub_scales=np.ones((4, 2), np.int8), super_group=32),
     Status.ERROR_GROUP),
])
def test_pack_refused_by_c(changes, status):
    with pytest.raises(tmac.Error) as caught:
        pack(**changes)
    assert caught.value.status is status
    assert str(caught.value).startswith(tmac._lib.lib.tmac_status_text(status).decode())
    assert isinstance(caught.value, RuntimeError)


def test_where_bad_data_is():
    codes, scales = u8(4, 64), f32(4, 2)
    codes[2, 37] = 7
    with pytest.raises(tmac.Error, match="row 2, col 37 has 7") as caught:
        pack(codes=codes)
    assert (caught.value.row, caught.value.col, caught.value.value) == (2, 37, 7)
    scales[3, 1] = np.inf
    with pytest.raises(tmac.Error, match="row 3, col 32 has inf") as caught:
        pack(scales=scales)
    assert (caught.value.row, caught.value.col, caught.value.value) == (3, 32, np.inf)
    with pytest.raises(tmac.Error) as caught:
        pack(group=48)
    assert caught.value.row is caught.value.col is caught.value.value is None


@pytest.mark.parametrize("x,options,error", [
    (f32(63), {}, ValueError),
    (f32(64, 1), {}, ValueError),
    (f32(1, 64), {}, ValueError),
    (np.ones(64), {}, TypeError),
    (np.ones(64, np.uint16), {}, TypeError),
    (np.ones(64, ">f4"), {}, TypeError),
    (f32(64), dict(bfloat16=True), TypeError),
    (f32(64), dict(scales=f32(1)), ValueError),
    (f32(64), dict(scale_group=16), ValueError),
    (np.ones(64, np.int8), {}, ValueError),
    (np.ones(64, np.int8), dict(scales=np.ones(1)), TypeError),
    (np.ones(64, np.int8), dict(scales=f32(2)), ValueError),
    (np.ones(64, np.int8), dict(scales=f32(3), scale_group=16), ValueError),
    (np.ones(64, np.int8), dict(scales=f32(8), scale_group=8), ValueError),
    (np.ones(64, np.int8), dict(scales=f32(1), scale_group=-16), ValueError),
    (f32(64), dict(out=f32(5)), ValueError),
    (f32(64), dict(out=f32(1, 4)), ValueError),
    (f32(64), dict(out=np.ones(4)), TypeError),
    (f32(64), dict(out=[0.0] * 4), TypeError),
    (f32(64), dict(out=f32(8)[::2]), ValueError),
    (f32(64), dict(out=f32(4)[::-1]), ValueError),
    (f32(64), dict(out=np.broadcast_to(f32(1), 4)), ValueError),
    (f32(64), dict(layout="?"), TypeError),
])
def test_gemv_refused_before_c(x, options, error):
    with pytest.raises(error):
        pack().gemv(x, **options)


@pytest.mark.parametrize("out", [
    f32(2, 5), f32(4, 2).T, f32(2, 8)[:, ::2], f32(2, 4)[::-1], np.broadcast_to(f32(4), (2, 4)),
    np.lib.stride_tricks.as_strided(f32(8), (2, 4), (8, 4)),
    np.lib.stride_tricks.as_strided(f32(16), (2, 4), (18, 4)),
])
def test_gemm_out_refused(out):
    with pytest.raises(ValueError):
        pack().gemm(f32(2, 64), out=out)


def test_read_only_out():
    out = f32(4)
    out.flags.writeable = False
    with pytest.raises(ValueError):
        pack().gemv(f32(64), out=out)


def expect(status):
    return pytest.raises(tmac.Error, match=tmac._lib.lib.tmac_status_text(status).decode())


def test_tables():
    weights = pack()
    tables = tmac.Tables(weights, 2)
    for multiply in (weights.gemv, weights.gemm):
        with expect(Status.ERROR_NOT_BUILT):
            multiply(tables)
    with expect(Status.ERROR_BATCH):
        tables.build(f32(3, 64))
    tables.build(f32(2, 64))
    with expect(Status.ERROR_BATCH):
        weights.gemv(tables)
    with pytest.raises(TypeError, match="bfloat16"):
        weights.gemm(tables, bfloat16=True)
    with pytest.raises(ValueError):
        tables.build(f32(2, 65))
    with expect(Status.ERROR_NOT_BUILT):  # an error leaves nothing behind
        weights.gemm(tables)
    tables.build(f32(2, 64))
    other = pack(codes=np.zeros((4, 128), np.uint8), scales=f32(4, 4))
    with expect(Status.ERROR_TABLE_LAYOUT):
        other.gemm(tables)
    with expect(Status.ERROR_SHAPE):
        tmac.Tables(weights, 0)
    with pytest.raises(ValueError):
        tmac.Tables(weights, 2**63)


def test_other_ranges():
    for begin, end in [(-1, 2), (3, 2), (0, 5), (5, None)]:
        with pytest.raises(ValueError):
            pack().unpack(begin, end)
    with pytest.raises(TypeError):
        tmac.Weights()


def test_context(monkeypatch):
    monkeypatch.delenv("TMAC_ISA", raising=False)
    with expect(Status.ERROR_ISA):
        tmac.Context(isa="pdp-11")
    for threads in (-1, 1025):
        with expect(Status.ERROR_THREADS):
            tmac.Context(threads=threads)
    with pytest.raises(ValueError):
        tmac.Context(threads=2**32 + 1)
    with pytest.raises(ValueError):
        tmac.Context(family="fast")
    with pytest.raises(TypeError):
        tmac.Context(isa=b"scalar")
    for option in ("layout", "kernel"):
        with pytest.raises(TypeError):
            tmac.Context(**{option: b"direct"})
    with expect(Status.ERROR_LAYOUT):
        tmac.Context(layout="none such")
    with expect(Status.ERROR_KERNEL):
        tmac.Context(kernel="none such")
    with expect(Status.ERROR_LAYOUT):
        tmac.Context(layout="quad", kernel="direct_scalar")
    with expect(Status.ERROR_FAMILY):
        tmac.Context(layout="quad", mode="exact")
    context = tmac.Context(isa="scalar", threads=3)
    assert (context.isa, context.isa_mask, context.threads) == ("scalar", 1, 3)
    assert tmac.Context(isa_mask=1).isa == "scalar"
    monkeypatch.setenv("TMAC_ISA", "scalar")
    assert tmac.Context().isa == "scalar"
    monkeypatch.setenv("TMAC_ISA", "pdp-11")
    with expect(Status.ERROR_ISA):
        tmac.Context()
