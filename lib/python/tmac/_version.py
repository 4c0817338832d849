# SPDX-License-Identifier: MIT
"""The version of include/tmac.h that this package declares (kept equal by tests/test_abi.py)."""

__version__ = "0.1.0"
