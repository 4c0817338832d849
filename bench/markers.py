# SPDX-License-Identifier: MIT
"""The parts of docs/*.md that programs write."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def replace_part(name, writer, body, document="benchmarks.md"):
    """Puts `body` between the document's markers of that name."""
    path = DOCS / document
    begin, end = f"<!-- {name}: written by {writer} -->\n", f"<!-- end of {name} -->\n"
    text = path.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        sys.exit(f"{path} has lost its markers: {begin.strip()} and {end.strip()}")
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    path.write_text(f"{before}{begin}\n{body}\n{end}{after}", encoding="utf-8")
    print(f"wrote {path}")
