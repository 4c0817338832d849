# SPDX-License-Identifier: MIT
"""llama.cpp's programs, run with and without libtmac's plug-in."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# Between vfork and exec a child has our memory, and our peak would count as its own.
subprocess._USE_VFORK = False

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
    "Q8_0": "Q8_0",
    "Q4_K_M": "Q4_K_M",
}
MIXTURES = {"Q4_K_M": ("Q4_K", "Q6_K")}

# A small model that was not trained for them makes no sense in these types, and numbers about it
# make little. So there also is <type>-part: three layers in the type, all else in Q8_0.
PARTS = ("Q1_0", "TQ1_0", "TQ2_0", "Q2_0", "Q2_K")


def tool(name):
    folder = os.environ.get("TMAC_LLAMA_BUILD")
    if not folder:
        sys.exit("TMAC_LLAMA_BUILD is not set: the folder of bench/llama/build-llama")
    path = Path(folder) / "bin" / name
    if not path.exists():
        sys.exit(f"{path} does not exist: run bench/llama/build-llama")
    return path


@dataclass(frozen=True)
class Run:
    stdout: str
    stderr: str
    seconds: float
    peak_bytes: int  # of resident memory

    @property
    def output(self):
        return self.stdout + self.stderr


def run(name, *arguments, plugin=None, **variables):
    """Runs one to its end; its failure ends everything. `plugin` is None for certainly none."""
    command = [str(part) for part in (tool(name), *arguments)]
    ours = ("GGML_BACKEND_PATH", "LD_PRELOAD")
    environment = {k: v for k, v in os.environ.items() if k not in ours} | variables
    if plugin:
        # Built with the CPU backend linked in, only llama-bench asks ggml to load others.
        environment["GGML_BACKEND_PATH" if name == "llama-bench" else "LD_PRELOAD"] = str(plugin)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        # Not process.wait(): this also tells the memory.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    result = Run(*texts, seconds, usage.ru_maxrss * 1024)
    if process.returncode != 0:
        print(result.output[-4000:], file=sys.stderr)
        sys.exit(f"failed with {process.returncode}: {' '.join(command)} (plug-in: {plugin})")
    return result


def backends(model, plugin):
    arguments = ("-m", model, "-p", 1, "-n", 0, "-t", 1, "-r", 1, "--no-warmup", "-o", "json")
    return json.loads(run("llama-bench", *arguments, plugin=plugin).stdout)[0]["backends"]


def check_plugin(plugin, model):
    """A plug-in that cannot be loaded is a line on stderr to llama.cpp, no more: noticed here."""
    if not plugin.is_file():
        sys.exit(f"the plug-in {plugin} does not exist")
    found = backends(model, plugin)
    if found == backends(model, None):
        sys.exit(f"llama.cpp does not load the plug-in {plugin}: its backends are {found} as without")
    return found


def plugin_of(parser):
    """The option that all measurements have."""
    parser.add_argument(
        "--plugin", type=Path,
        help="libggml-tmac.so; without it, llama.cpp alone is measured",
    )  # fmt: skip
