# SPDX-License-Identifier: MIT
"""How far what one model computes is from what another does, by llama-perplexity."""

import os
import re
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass

from tools import run

CONTEXT = 512


@dataclass(frozen=True)
class Divergence:
    perplexity: float
    change: float  # of the perplexity, relative
    change_error: float  # its standard error: both saw the same text
    kl: float
    same_top: float  # how often both find the same token the most likely


def find(label, text):
    """(value, standard error) that llama-perplexity prints after a label."""
    match = re.search(rf"{label}\s*[:=]\s*(\S+)\s*(?:±|\+/-)\s*(\S+)", text)
    if not match:
        print(text[-4000:], file=sys.stderr)
        sys.exit(f"llama-perplexity has not printed {label}")
    return float(match[1]), float(match[2])


class Measurement:
    """One text, always the same way."""

    def __init__(self, text, chunks, threads, folder):
        self.options = ("-f", text, "-c", CONTEXT, "--chunks", chunks, "-t", threads)
        self.folder = folder  # for large files that soon go away

    def run(self, model, plugin, base, *options):
        # Waiting threads sleep: others may need the cores, and time is not what is measured.
        return run("llama-perplexity", "-m", model, *self.options, "--kl-divergence-base", base,
                   *options, plugin=plugin, OMP_WAIT_POLICY="passive").output  # fmt: skip

    @contextmanager
    def base(self, model, plugin=None):
        """(perplexity, file of all logits)."""
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".logits") as file:
            yield find("Final estimate: PPL", self.run(model, plugin, file.name))[0], file.name

    def divergence(self, model, plugin, base, base_perplexity):
        text = self.run(model, plugin, base, "--kl-divergence")
        perplexity = find(r"Mean PPL\(Q\)", text)[0]
        # Not their own ratio: the file of logits cuts off what is very unlikely.
        return Divergence(
            perplexity=perplexity,
            change=perplexity / base_perplexity - 1,
            change_error=find(r"Mean PPL\(Q\)/PPL\(base\)", text)[1],
            kl=find(r"Mean\s+KLD", text)[0],
            same_top=find("Same top p", text)[0] / 100,
        )


@contextmanager
def float_model(model, folder):
    """The same weights in F32, which llama.cpp multiplies with activations in F32."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".f32") as file:
        run("llama-quantize", "--allow-requantize", model, file.name, "F32", os.cpu_count())
        yield file.name
