# SPDX-License-Identifier: MIT
"""The declarations of tmac/_lib.py are those of tmac.h, and the low-level calls work from Python."""

import ctypes
import re
import shutil
import subprocess

import numpy as np
import pytest
import tmac
from conftest import ROOT
from tmac import FORMATS, _lib
from tmac._lib import lib

HEADER = (ROOT / "include" / "tmac.h").read_text()
CONSTANTS = [name for name in vars(_lib) if re.match(
    "(WIDTH|CODES|SCALE|ZERO|SUB|ACTIVATION|OUTPUT|MULTIPLY|FAMILY|MODE|GROUP|ATTACH|PACKED|TABLES)_", name)]


def c_compiler():
    return next((cc for cc in ("cc", "gcc", "clang") if shutil.which(cc)), None)


def declared():
    """What _lib says, as a C program is made to say it."""
    for name, struct in _lib.STRUCTS.items():
        yield f"sizeof({name})", ctypes.sizeof(struct)
        for member, _ in struct._fields_:
            field = getattr(struct, member)
            yield f"offsetof({name}, {member})", field.offset
            yield f"sizeof((({name} *)0)->{member})", field.size
    for status in tmac.Status:
        yield ("TMAC_OK" if status == 0 else f"TMAC_{status.name}"), int(status)
    for name in CONSTANTS:
        yield f"TMAC_{name}", getattr(_lib, name)


@pytest.mark.skipif(c_compiler() is None, reason="no C compiler")
def test_structs_and_constants(tmp_path):
    source = tmp_path / "abi.c"
    lines = "".join(f'    printf("%lld\\n", (long long)({what}));\n' for what, _ in declared())
    source.write_text('#include "tmac.h"\n#include <stdio.h>\nint main(void)\n{\n' + lines + "}\n")
    program = tmp_path / "abi"
    subprocess.run([c_compiler(), "-I", ROOT / "include", source, "-o", program], check=True)
    said = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    assert [f"{what} = {value}" for what, value in declared()] == [
        f"{what} = {value}" for (what, _), value in zip(declared(), said)]


def test_nothing_is_missing():
    functions = set(re.findall(r"^TMAC_API .*?\b(tmac_\w+)\(", HEADER, re.M))
    assert functions == set(_lib.STATUS_FUNCTIONS) | set(_lib.OTHER_FUNCTIONS)
    assert set(re.findall(r"\bTMAC_(ERROR_\w+) =", HEADER)) == {
        status.name for status in tmac.Status if status}
    structs = re.findall(r"^typedef struct (tmac_\w+) \{(.*?)^\} ", HEADER, re.M | re.S)
    assert {name for name, _ in structs} == set(_lib.STRUCTS)
    for name, body in structs:
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
        assert re.findall(r"(\w+);", body) == [m for m, _ in _lib.STRUCTS[name]._fields_]
    enums = re.findall(r"^typedef enum tmac_\w+ \{(.*?)^\} ", HEADER, re.M | re.S)
    values = set(re.findall(r"\bTMAC_(\w+) = \d", "".join(enums)))
    assert values <= set(CONSTANTS) | {status.name for status in tmac.Status}


def test_version():
    parts = [re.search(rf"define TMAC_VERSION_{part} (\d+)", HEADER).group(1)
             for part in ("MAJOR", "MINOR", "PATCH")]
    assert tmac.__version__ == ".".join(parts) == lib.tmac_version_text().decode()


def test_statuses_have_texts():
    texts = [lib.tmac_status_text(status) for status in tmac.Status]
    assert len(set(texts)) == len(texts)
    assert lib.tmac_status_text(999) == lib.tmac_status_text(-1) not in texts
    assert tmac.Error(999).status == 999


def test_ggml_types():
    for known in FORMATS.values():
        desc = _lib.WeightsDesc()
        lib.tmac_weights_desc_ggml(desc, known.number, 1, known.block, None)
        if known.block > 32:
            with pytest.raises(tmac.Error):
                lib.tmac_weights_desc_ggml(desc, known.number, 1, known.block // 2, None)
        assert lib.tmac_format_find_ggml_type(known.number) == lib.tmac_format_find(
            next(name for name in FORMATS if FORMATS[name] is known).lower().encode())


def aligned(size):
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size]


def test_low_level_calls():
    """A host with its own memory and threads: plan, begin, rows, finish, attach; parts; ranges."""
    rng = np.random.default_rng(3)
    rows, cols, n, context = 300, 128, 3, tmac.Context()
    codes = rng.integers(0, 8, (rows, cols), np.uint8)
    scales = rng.standard_normal((rows, 4)).astype(np.float32)
    desc = _lib.WeightsDesc(rows=rows, cols=cols, width=3, codes=codes.ctypes.data, group=32,
                            scales=scales.ctypes.data)
    plan = _lib.PackedPlan()
    lib.tmac_packed_query(context._c, desc, plan)
    packed = aligned(plan.bytes)
    lib.tmac_packed_begin(context._c, desc, packed.ctypes.data, plan.bytes)
    step = plan.row_step
    for begin in reversed(range(0, rows, step)):
        lib.tmac_packed_rows(context._c, desc, begin, min(rows, begin + step), packed.ctypes.data,
                             plan.bytes)
    with pytest.raises(tmac.Error) as caught:
        tmac.Weights.attach(packed, context=context)
    assert caught.value.status is tmac.Status.ERROR_PACKED_CHECKSUM  # not finished yet
    lib.tmac_packed_finish(packed.ctypes.data, plan.bytes)
    weights = tmac.Weights.attach(packed, context=context)
    easy = tmac.Weights.pack(codes, scales, width=3, group=32, context=context)
    assert np.array_equal(packed, easy.packed)
    assert (plan.table_layout, plan.kernel.decode()) == (easy.info.table_layout, easy.info.kernel)

    x = rng.standard_normal((n, cols)).astype(np.float32)
    activations = _lib.Activations(cols=cols, batch=n, data=x.ctypes.data)
    size = ctypes.c_size_t()
    lib.tmac_tables_size(plan.table_layout, cols, n, size)
    tables = aligned(size.value)
    for part in (2, 0, 1):
        lib.tmac_tables_build_part(context._c, plan.table_layout, activations, part, 3,
                                   tables.ctypes.data, size.value)
    y = np.full((n, rows), np.nan, np.float32)
    for begin, end in ((0, 96), (96, 97), (97, 300)):
        lib.tmac_multiply_rows(weights._c, tables.ctypes.data, size.value, n, begin, end,
                               y.ctypes.data, rows)
    assert np.array_equal(y, easy.gemm(x))
    y[:] = np.nan
    lib.tmac_gemm_rows(context._c, easy._c, tmac.Tables(easy, n).build(x)._c, 7, 200,
                       y.ctypes.data, rows)
    assert np.array_equal(y[:, 7:200], easy.gemm(x)[:, 7:200])
    assert np.isnan(y[:, :7]).all() and np.isnan(y[:, 200:]).all()
