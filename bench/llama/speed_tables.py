# SPDX-License-Identifier: MIT
"""The Markdown of what bench/llama/speed measures."""

from machine import sentence
from sections import number, percent, table

SIDES = ("llama.cpp", "libtmac")


def times(new, old):
    return f"**{new / old:.2f}**" if new and old else ""


def pair(row, key):
    return [row["sides"].get(side, {}).get(key) for side in SIDES]


def speed_cells(row):
    result = [row["type"], str(row["threads"])]
    for key in ("prompt", "generate"):
        old, new = pair(row, key)
        result += [number(old), number(new), times(new, old)]
    size = row["bytes_per_token"]
    result.append(number(size / 1e6))
    result += [number(rate and rate * size / 1e9) for rate in pair(row, "generate")]
    result.append(number(row["roof"]))
    old, new = pair(row, "generate")
    result.append(percent((new or old) * size / 1e9 / row["roof"]))
    return result


SPEED = (
    "type", "threads", "prompt, tokens/s", "with libtmac", "times", "generation, tokens/s",
    "with libtmac", "times", "MB per token", "GB/s", "with libtmac", "machine reads GB/s", "share of it",
)  # fmt: skip


def start_cells(row):
    old, new = pair(row, "seconds")
    result = [row["type"], number(old), number(new)]
    return result + [number(size and size / 1e6) for size in pair(row, "peak_bytes")]


START = ("type", "first token after s", "with libtmac", "peak memory MB", "with libtmac")


def mixtures(rows):
    shares = {row["type"]: row["share"] for row in rows if row["share"] < 1}
    return "".join(
        f"{name}: {percent(share)} of the bytes that a token reads are in types that libtmac takes; "
        "llama.cpp multiplies the rest.\n"
        for name, share in shares.items()
    )


def model_part(model, rows):
    speed = [row for row in rows if row["kind"] == "speed"]
    start = [row for row in rows if row["kind"] == "start"]
    parts = [f"### {model}\n"]
    if speed:
        parts += [table(SPEED, [speed_cells(row) for row in speed]), mixtures(speed)]
    if start:
        parts.append(table(START, [start_cells(row) for row in start]))
    return "\n".join(part for part in parts if part)


def document(data):
    context = data["context"]
    head = (
        f"{sentence(context)} Prompts of {context['prompt']} tokens, {context['generate']} tokens "
        f"generated; best of {context['rounds']} rounds with two runs each.\n"
    )
    models = list(dict.fromkeys(row["model"] for row in data["rows"]))
    parts = [model_part(model, [row for row in data["rows"] if row["model"] == model]) for model in models]
    return "\n".join([head, *parts])
