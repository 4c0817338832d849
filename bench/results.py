# SPDX-License-Identifier: MIT
"""The rows of one or more runs of tmac_bench on one machine, and questions to ask them."""

import json
import re
from dataclasses import dataclass, field

# Of each width that was measured libtmac's own name for it, and llama.cpp's types: the benchmark's
# "formats", "w1 Q1_0; ternary TQ1_0 TQ2_0; ...", read with the results.
WIDTHS = {}

OWN = re.compile(
    r"(?P<kind>gemv|gemm|l1|pack|tables|exact|fast)/(?P<format>.+?)/(?P<shape>\d+(?:x\d+)?)"
    r"/(?P<isa>[^/]+)/(?P<family>[^/]+)(?:/n(?P<n>\d+))?/t(?P<t>\d+)$"
)
PEER = re.compile(
    r"peer/(?P<variant>[^/]+)/(?P<kind>gemv|gemm)/(?P<format>[^/]+)/(?P<shape>\d+x\d+)"
    r"/(?P<layout>plain|repacked)(?:/n(?P<n>\d+))?/t(?P<t>\d+)$"
)
BASELINE = re.compile(
    r"baseline/(?P<loops>[^/]+)/(?P<kind>gemv|gemm|l1)/(?P<format>.+?)/(?P<shape>\d+x\d+)"
    r"(?:/n(?P<n>\d+))?/t(?P<t>\d+)$"
)
ROOF = re.compile(r"roof/(?P<format>.+)/t(?P<t>\d+)$")


def read_widths(formats):
    for own, *types in map(str.split, formats.split(";")):
        WIDTHS[own.removeprefix("w")] = (own, tuple(types))


@dataclass
class Row:
    kind: str
    format: str
    threads: int
    batch: int = 1
    shape: str = ""
    isa: str = ""  # libtmac's
    family: str = ""
    forced: bool = False
    variant: str = ""  # llama.cpp's
    layout: str = ""
    loops: str = ""  # the baseline's
    kernel: str = ""
    us: float = 0.0  # best call
    counters: dict = field(default_factory=dict)

    @property
    def total_us(self):
        """With the tables: what llama.cpp's time has in it too, as it quantizes activations. In L1
        the kernel alone counts."""
        if self.kind.endswith("l1"):
            return self.us
        return self.us + self.counters.get("tables_us", 0.0)

    @property
    def rate(self):
        """Gweights/s, tables included."""
        return self.counters["Gweights/s"] * self.us / self.total_us


def width_of(format_name):
    for width, (own, types) in WIDTHS.items():
        if format_name in types or format_name.split("/")[0] == own:
            return width
    raise ValueError(f"a format of unknown width: {format_name}")


def parse(entry):
    name = entry["run_name"]
    for pattern, side in ((PEER, "peer-"), (BASELINE, "baseline-"), (ROOF, "roof"), (OWN, "")):
        match = pattern.match(name)
        if match:
            break
    else:
        return None
    part = match.groupdict()
    label = entry.get("label", "")
    return Row(
        kind=side + part.get("kind", ""),
        format=part["format"],
        threads=int(part["t"]),
        batch=int(part.get("n") or 1),
        shape=part.get("shape") or "",
        isa=part.get("isa") or "",
        family=part.get("family") or "",
        forced=label.startswith("forced "),
        variant=part.get("variant") or "",
        layout=part.get("layout") or "",
        loops=part.get("loops") or "",
        kernel=label.removeprefix("forced "),
        us=entry["real_time"],
        counters={k: v for k, v in entry.items() if isinstance(v, float)},
    )


class Results:
    """Several files are rounds of the same measurements: the fastest of each row counts."""

    def __init__(self, paths):
        self.errors = []
        best = {}
        for path in paths:
            with open(path, encoding="utf-8") as file:
                run = json.load(file)
            self.context = run["context"]
            read_widths(self.context["formats"])
            for entry in run["benchmarks"]:
                self._add(best, entry)
        self.rounds = len(paths)
        self.rows = [row for row in map(parse, best.values()) if row]
        self.isas = [i for i in self.context["isas"].split() if i != "scalar"] or ["scalar"]
        self.best_isa = self.isas[-1]
        self.variants = list(
            dict.fromkeys(
                self.context[key]
                for key in ("peer_avx2", "peer_best")
                if self.context.get(key, "none") != "none"
            )
        )

    @property
    def cpu(self):
        """Its name, with the numbers that tell its kind: names are shared."""
        name = re.sub(r"\((R|TM)\)", "", self.context["cpu"])
        numbers = re.search(r"\d+-\d+-\d+$", self.context.get("slug", ""))
        return f"{name} ({numbers[0]})" if numbers else name

    def _add(self, best, entry):
        if entry.get("run_type") == "aggregate":
            return
        name = entry["run_name"]
        if entry.get("error_occurred"):
            self.errors.append(f"{name}: {entry['error_message']}")
        elif name not in best or entry["real_time"] < best[name]["real_time"]:
            best[name] = entry

    def find(self, **wanted):
        """All rows with these members; a list or tuple stands for any of its values."""

        def fits(row):
            return all(
                getattr(row, key) in value
                if isinstance(value, (list, tuple))
                else getattr(row, key) == value
                for key, value in wanted.items()
            )

        return [row for row in self.rows if fits(row)]

    def own(self, format_name, isa, batch=1, threads=1, shape="4096x4096"):
        """libtmac's row with the family it chooses itself, or None."""
        rows = self.find(
            kind=("gemv", "gemm"), format=format_name, isa=isa, batch=batch,
            threads=threads, shape=shape, forced=False,
        )  # fmt: skip
        return rows[0] if rows else None

    def peer(self, formats, variants=None, batch=1, threads=1, shape="4096x4096"):
        """llama.cpp's fastest row of these types, in any layout, or None."""
        rows = self.find(
            kind=("peer-gemv", "peer-gemm"), format=tuple(formats), batch=batch,
            variant=tuple(variants or self.variants), threads=threads, shape=shape,
        )  # fmt: skip
        return min(rows, key=lambda row: row.us, default=None)

    def peer_of_width(self, width, **wanted):
        return self.peer(WIDTHS[width][1], **wanted)

    def family(self, kind, format_name, family, isa=None):
        """libtmac's row of a family, chosen or forced, or None; on the best instruction set, unless
        one is named."""
        isa = isa or self.best_isa
        rows = self.find(kind=kind, format=format_name, isa=isa, family=family, threads=1)
        rows = [row for row in rows if kind == "l1" or row.shape == "4096x4096"]
        return rows[0] if rows else None

    def baseline(self, kind, format_name, loops, batch=1):
        """A row of the baseline, or None."""
        rows = self.find(
            kind=f"baseline-{kind}", format=format_name, loops=loops, batch=batch
        )
        return rows[0] if rows else None

    def baseline_loops(self, prefix):
        """Names of the baseline's loops that start so, in the order they were measured."""
        names = dict.fromkeys(row.loops for row in self.rows)
        return [name for name in names if name.startswith(prefix)]

    def roof(self, name, threads=1):
        """A roof's rate in 10^9 per second, or None."""
        rows = self.find(kind="roof", format=name, threads=threads)
        for unit in ("GB/s", "Gdot/s", "Gweights/s"):
            if rows and unit in rows[0].counters:
                return rows[0].counters[unit]
        return None

    def formats(self):
        """Every format with a gemv row, in the order they were measured."""
        return list(dict.fromkeys(row.format for row in self.find(kind="gemv")))
