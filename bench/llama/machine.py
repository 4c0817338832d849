# SPDX-License-Identifier: MIT
"""Where and with what something was measured."""

import hashlib
import platform
import re
import subprocess
import time
from pathlib import Path

from tools import tool


def cpu():
    match = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def commit():
    command = ["git", "describe", "--always", "--dirty"]
    folder = Path(__file__).resolve().parent
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return result.stdout.strip() or "unknown"


def llama_version():
    text = subprocess.run([tool("llama-bench"), "--version"], capture_output=True, text=True)
    match = re.search(r"version:\s*(.*)", text.stdout + text.stderr)
    return match[1] if match else "unknown"


def describe(plugin):
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": cpu(),
        "commit": commit(),
        "llama.cpp": llama_version(),
        # Of the file: a rebuilt plug-in is another one.
        "plugin": hashlib.sha256(plugin.read_bytes()).hexdigest()[:16] if plugin else "none",
    }


def sentence(found):
    return f"{found['cpu']}, {found['date']}, libtmac {found['commit']}, llama.cpp {found['llama.cpp']}."
