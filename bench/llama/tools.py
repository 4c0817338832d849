# SPDX-License-Identifier: MIT
"""llama.cpp's programs, and what they are run with."""

import os
import sys
from pathlib import Path

# What llama-quantize calls the types. All but the mixtures are made with --pure.
TYPES = {
    "Q1_0": "Q1_0",
    "TQ1_0": "TQ1_0",
    "TQ2_0": "TQ2_0",
    "Q2_0": "Q2_0",
    "Q2_K": "Q2_K",
    "Q3_K": "Q3_K_S",
    "Q4_0": "Q4_0",
    "Q4_K": "Q4_K_S",
    "Q4_1": "Q4_1",
    "Q4_K_M": "Q4_K_M",
}
MIXTURES = {"Q4_K_M": ("Q4_K", "Q6_K")}


def tool(name):
    folder = os.environ.get("TMAC_LLAMA_BUILD")
    if not folder:
        sys.exit("TMAC_LLAMA_BUILD is not set: the folder of bench/llama/build-llama")
    path = Path(folder) / "bin" / name
    if not path.exists():
        sys.exit(f"{path} does not exist: run bench/llama/build-llama")
    return path


def environment(plugin=None):
    """With libtmac's plug-in, or certainly without any."""
    variables = {k: v for k, v in os.environ.items() if k != "GGML_BACKEND_PATH"}
    if plugin:
        variables["GGML_BACKEND_PATH"] = str(plugin)
    return variables
