# SPDX-License-Identifier: MIT
"""Tests run from the source tree: TMAC_LIBRARY, or else the newest build in the repository."""

import glob
import os
import sys
from pathlib import Path

import numpy as np
import pytest

PYTHON = Path(__file__).resolve().parents[1]
ROOT = PYTHON.parents[1]

if not os.environ.get("TMAC_LIBRARY"):
    built = glob.glob(str(ROOT / "build*" / "lib" / "tmac" / "libtmac.so.0"))
    if built:
        os.environ["TMAC_LIBRARY"] = max(built, key=os.path.getmtime)
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads would starve each other
sys.path.insert(0, str(PYTHON))

import tmac  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(2024)


def contexts():
    """The best kernels of this machine, each family, and the plain C ones."""
    return [tmac.Context(), tmac.Context(family="lookup"), tmac.Context(family="direct"),
            tmac.Context(isa="scalar", threads=2)]


CONTEXTS = contexts()


def skip_impossible(context, width):
    """Lookup has no 8 bits."""
    if context is CONTEXTS[1] and width == 8:
        pytest.skip("no lookup of 8 bits")


@pytest.fixture(scope="session", params=CONTEXTS, ids=["auto", "lookup", "direct", "scalar"])
def context(request):
    return request.param
