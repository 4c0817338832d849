#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes models that can be quantized to every type: `pad` a real one, or one of `random` weights."""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from gguf_files import write_model  # noqa: E402
from padded import padded  # noqa: E402
from random_model import SHAPES, random_model  # noqa: E402


def pad(arguments):
    write_model(arguments.out, *padded(arguments.model))


def random(arguments):
    shape = SHAPES[arguments.shape]
    layers = shape.layers if arguments.full else arguments.layers or shape.default_layers
    if not 0 < layers <= shape.layers:
        sys.exit(f"--layers {layers}: {arguments.shape} has {shape.layers}")
    write_model(arguments.out, *random_model(arguments.shape, layers, arguments.tokenizer))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="pad | random")
    command = commands.add_parser("pad", help="the same function with sizes that divide by 256, F32")
    command.add_argument("model", type=Path, help="GGUF file of a Llama")
    command.add_argument("out", type=Path)
    command.set_defaults(run=pad)
    command = commands.add_parser("random", help="random weights, F16")
    command.add_argument("shape", choices=SHAPES)
    command.add_argument("out", type=Path)
    command.add_argument("--tokenizer", type=Path, required=True, metavar="MODEL",
                         help="GGUF file to take the tokenizer from")  # fmt: skip
    size = command.add_mutually_exclusive_group()
    size.add_argument("--layers", type=int, help="as many layers (default: a few)")
    size.add_argument("--full", action="store_true", help="all layers")
    command.set_defaults(run=random)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
