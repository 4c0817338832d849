# SPDX-License-Identifier: MIT
"""Saving and loading, who keeps what alive, threads, and finding the library."""

import gc
import os
import shutil
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tmac
from reference import same_bits
from tmac import Status

PYTHON = Path(tmac.__file__).parents[1]


def pack(context=None, rows=70):
    rng = np.random.default_rng(5)
    return tmac.Weights.pack(rng.integers(0, 4, (rows, 256), np.uint8),
                             rng.standard_normal((rows, 8)).astype(np.float32),
                             width=2, group=32, context=context)


X = np.random.default_rng(6).standard_normal((3, 256)).astype(np.float32)


def test_save_and_load(tmp_path):
    weights = pack()
    path = tmp_path / "w.tmac"
    weights.save(path)
    assert path.stat().st_size == weights.info.packed_bytes == weights.packed.size
    loaded = tmac.Weights.load(path)
    assert loaded.info == weights.info
    assert same_bits(loaded.gemm(X), weights.gemm(X))
    loaded.save(path)  # over the file that it is mapped from
    assert same_bits(loaded.gemm(X), weights.gemm(X))
    assert same_bits(tmac.Weights.load(path).unpack(), weights.unpack())
    assert os.listdir(tmp_path) == ["w.tmac"]
    with pytest.raises(OSError):
        weights.save(tmp_path / "missing" / "w.tmac")
    with pytest.raises(OSError):
        tmac.Weights.load(tmp_path / "missing")


def test_damaged_files(tmp_path):
    path = tmp_path / "w.tmac"
    packed = pack().packed

    def status(data, **options):
        path.write_bytes(data)
        with pytest.raises(tmac.Error) as caught:
            tmac.Weights.load(path, **options)
        return caught.value.status

    assert status(b"") is Status.ERROR_PACKED_SIZE
    assert status(packed[:10]) in (Status.ERROR_PACKED_SIZE, Status.ERROR_PACKED_MAGIC)
    assert status(packed[:-1]) is Status.ERROR_PACKED_SIZE
    assert status(packed[:-1], verify=False) is Status.ERROR_PACKED_SIZE
    assert status(bytes(packed.size)) is Status.ERROR_PACKED_MAGIC
    damaged = packed.copy()
    damaged[-1] ^= 1
    assert status(damaged) is Status.ERROR_PACKED_CHECKSUM
    path.write_bytes(damaged)
    tmac.Weights.load(path, verify=False)


def test_attach():
    weights = pack()
    room = np.zeros(weights.packed.size + 128, np.uint8)
    start = -room.ctypes.data % 64
    room[start:start + weights.packed.size] = weights.packed
    attached = tmac.Weights.attach(room[start:start + weights.packed.size])
    gone = weakref.ref(room)
    del room
    gc.collect()
    assert gone() is not None
    assert same_bits(attached.gemm(X), weights.gemm(X))
    attached.close()
    gc.collect()
    assert gone() is None
    room = np.zeros(weights.packed.size + 64, np.uint8)
    start = -room.ctypes.data % 64 + 1
    with pytest.raises(tmac.Error) as caught:
        tmac.Weights.attach(room[start:start + weights.packed.size - 64])
    assert caught.value.status is Status.ERROR_ALIGNMENT
    with pytest.raises(ValueError):
        tmac.Weights.attach(room[::2])
    with pytest.raises(TypeError):
        tmac.Weights.attach("packed")


def test_native(tmp_path):
    path = tmp_path / "weights.tmac"
    kernel = "direct_scalar"
    weights = pack(context=tmac.Context(isa="scalar", kernel=kernel))
    assert (weights.info.kernel, weights.info.layout) == (kernel, "direct")
    assert not weights.info.native
    weights.save(path)
    scalar = tmac.Context(isa="scalar")
    assert tmac.Weights.load(path, context=scalar).info.native is False
    for verify in (True, False):
        with pytest.raises(tmac.Error) as caught:
            tmac.Weights.load(path, verify=verify, native=True, context=scalar)
        assert caught.value.status is Status.ERROR_NOT_NATIVE
    best = tmac.Context()
    if best.isa != "scalar":
        assert tmac.Weights.load(path, native=True, context=best).info.native is True


def test_packed_is_read_only_and_stays():
    weights = pack()
    packed, copy = weights.packed, weights.packed.copy()
    with pytest.raises(ValueError):
        packed[0] = 1
    with pytest.raises(ValueError):
        packed.flags.writeable = True
    handle = weakref.ref(weights._handle)
    weights.close()
    gc.collect()
    assert handle() is not None and np.array_equal(packed, copy)
    del packed
    gc.collect()
    assert handle() is None


def test_the_last_one_frees():
    context = tmac.Context()
    weights = pack(context)
    tables = tmac.Tables(weights, 3).build(X)
    handles = [weakref.ref(thing._handle) for thing in (context, weights, tables)]
    y = weights.gemm(tables)
    context.close()
    del context
    gc.collect()
    assert handles[0]() is not None and same_bits(weights.gemm(tables), y)
    weights.close()
    gc.collect()
    assert handles[1]() is None and handles[0]() is not None
    tables.close()
    gc.collect()
    assert handles[2]() is None and handles[0]() is None


def test_freed_in_a_cycle():
    weights = pack(tmac.Context())
    weights.myself = weights
    handles = [weakref.ref(weights._handle), weakref.ref(weights._handle.context)]
    del weights
    gc.collect()
    assert [handle() for handle in handles] == [None, None]


def test_closed():
    with tmac.Context() as context, pack(context) as weights:
        with tmac.Tables(weights) as tables:
            tables.build(X[0])
            weights.gemv(tables)
    assert "closed" in repr(context) and "closed" in repr(weights)
    weights.close()
    for use in (lambda: context.isa, lambda: pack(context), lambda: weights.gemm(X),
                lambda: weights.packed, lambda: weights.unpack(), lambda: tmac.Tables(weights),
                lambda: tables.build(X[0]), weights.__enter__):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_default_context_comes_back():
    first = tmac.default_context()
    assert tmac.default_context() is first
    first.close()
    assert tmac.default_context() is not first
    pack().gemm(X)


def test_threads_share():
    weights = pack(tmac.Context(threads=1), rows=500)
    tables = tmac.Tables(weights, 3).build(X)
    y = weights.gemm(X)

    def work(_):
        own = tmac.Tables(weights, 3).build(X)
        return (same_bits(weights.gemm(tables), y) and same_bits(weights.gemm(own), y) and
                same_bits(weights.gemm(X), y))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(100)))


def test_closing_while_another_thread_multiplies():
    for _ in range(20):
        weights = pack(tmac.Context(threads=1), rows=500)
        y, results = weights.gemm(X), []

        def work():
            try:
                while True:
                    results.append(same_bits(weights.gemm(X), y))
            except ValueError:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        while not results:
            pass
        weights.close()
        thread.join()
        assert all(results)


def run(code, **environment):
    env = dict(os.environ, PYTHONPATH=str(PYTHON), **environment)
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)


def test_import_errors(tmp_path):
    result = run("import tmac", TMAC_LIBRARY=str(tmp_path / "nothing.so"))
    assert result.returncode and "ImportError" in result.stderr
    assert "TMAC_LIBRARY" in result.stderr and "nothing.so" in result.stderr
    result = run("import tmac", TMAC_LIBRARY="libc.so.6")  # a library, but another one
    assert "ImportError" in result.stderr and "tmac_version" in result.stderr


def test_version_is_checked():
    # The package without its __init__, so that _version can be changed before _lib reads it.
    code = ("import sys, types; package = types.ModuleType('tmac');"
            f"package.__path__ = [{str(PYTHON / 'tmac')!r}]; sys.modules['tmac'] = package\n"
            "import tmac._version; tmac._version.__version__ = %r\nimport tmac._lib")
    for version in ("0.99.0", "1.0.0"):
        assert "cannot work with that" in run(code % version).stderr
    assert run(code % "0.0.1").returncode == 0


def test_found_beside_the_package_and_by_soname(tmp_path):
    library = os.path.realpath(os.environ["TMAC_LIBRARY"])
    (tmp_path / "libtmac.so.0").symlink_to(library)
    code = "import tmac; print(tmac._lib.lib._name)"
    result = run(code, TMAC_LIBRARY="", LD_LIBRARY_PATH=str(tmp_path))
    assert result.stdout.strip().endswith("libtmac.so.0"), result.stderr
    package = tmp_path / "package"
    shutil.copytree(PYTHON / "tmac", package / "tmac", ignore=shutil.ignore_patterns("*.so*"))
    (package / "tmac" / "libtmac.so.0").symlink_to(library)
    result = run(f"import sys; sys.path.insert(0, {str(package)!r}); {code}", TMAC_LIBRARY="")
    assert result.stdout.strip() == str(package / "tmac" / "libtmac.so.0"), result.stderr


def test_exit_with_things_alive():
    code = ("import numpy as np, tmac, threading\n"
            "w = tmac.Weights.pack(np.zeros((900, 256), np.uint8), np.ones(900, np.float32),"
            " width=2, group='row')\n"
            "x = np.ones((9, 256), np.float32)\n"
            "def work():\n"
            "    while True: w.gemm(x)\n"
            "threading.Thread(target=work, daemon=True).start()\n"
            "w.gemm(x)\n")
    result = run(code)
    assert result.returncode == 0 and not result.stderr
