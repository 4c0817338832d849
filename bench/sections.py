# SPDX-License-Identifier: MIT
"""The Markdown of a Results: one section for one machine."""

from results import width_of

TABLE_BATCHES = (4, 32, 256)  # of the table with every format


def number(value, digits=3):
    """Three digits that mean something, as people write them."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def ratio(ours, theirs):
    return f"**{theirs.total_us / ours.total_us:.2f}**" if ours and theirs else ""


def percent(value):
    return "" if value is None else f"{100 * value:.0f} %"


def table(head, rows):
    """Cells that stay empty in every row take their column with them."""
    used = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = ["| " + " | ".join(head[i] for i in used) + " |"]
    lines.append("|" + "|".join("---" if i == 0 else "--:" for i in used) + "|")
    lines += ["| " + " | ".join(row[i] for i in used) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def joules(row):
    return number(row.counters.get("nJ/weight")) if row else ""


def peer_text(row):
    if not row:
        return ""
    return f"{number(row.total_us)} ({row.variant}{', repacked' * (row.layout == 'repacked')})"


def energy(results):
    if context_value(results, "rapl") == "none":
        return "RAPL: not available on this machine."
    return f"RAPL: {results.context['rapl']}; nJ of the whole package."


def context_value(results, key):
    return results.context.get(key, "none")


def machine(results):
    context = results.context
    caches = ", ".join(
        f"L{c['level']} {c['size'] // 1024} KB"
        for c in context["caches"]
        if c["type"] != "Instruction"
    )
    peers = ", ".join(results.variants) or "none here"
    facts = [
        f"{context['date'][:10]} · libtmac {context['libtmac']} ({context['commit']}) · "
        f"{context['compiler']} · {context['num_cpus']} CPUs · {caches}",
        f"llama.cpp variants: {peers}. Best of {results.rounds} round{'s' * (results.rounds > 1)}. "
        f"{energy(results)}",
    ]
    return "\n".join(facts) + "\n"


def roofs(results):
    sizes = [r.format for r in results.find(kind="roof", threads=1) if r.format.startswith("read/")]
    head = ["roof of this run"] + [s.removeprefix("read/") for s in sizes] + ["int8 dot", "lookup"]
    rows = []
    for threads in sorted({row.threads for row in results.find(kind="roof")}):
        cells = [number(results.roof(s, threads)) for s in sizes]
        cells += [number(results.roof(name, threads)) for name in ("dot", "lookup")]
        rows.append([f"{threads} thread{'s' * (threads > 1)}"] + cells)
    if not rows:
        return ""
    return (
        table(head, rows)
        + "\nGB/s read from a footprint of that size; 10^9 multiplications "
        f"({context_value(results, 'dot')}), and 1-bit weights looked up "
        f"({context_value(results, 'lookup')}) per second.\n"
    )


def gemv_row(results, name, threads):
    ours = [results.own(name, isa, threads=threads) for isa in results.isas]
    best = ours[-1]  # what a user gets here, faster ones below it or not
    width = width_of(name)
    same = results.peer((name,), threads=threads)
    rival = results.peer_of_width(width, threads=threads)
    l1 = results.find(kind="l1", format=name, isa=best.isa, family=best.family)
    return [
        name,
        f"{best.counters['bits/weight']:.2f}",
        *(number(row.total_us) if row else "" for row in ours),
        number(best.rate),
        number(l1[0].counters["Gweights/s"]) if l1 and threads == 1 else "",
        percent(best.counters.get("roof_share")),
        joules(best),
        f"{best.counters['error']:.1e}",
        peer_text(same),
        joules(same),
        ratio(best, same),
        f"{number(rival.total_us)} ({rival.format})" if rival else "",
        ratio(best, rival),
    ]


def gemv(results, threads):
    names = [n for n in results.formats() if results.own(n, results.best_isa, threads=threads)]
    head = ["format", "bits per weight", *results.isas, "Gweights/s", "in L1", "of read roof"]
    head += ["nJ per weight", "error", "llama.cpp, same type", "its nJ per weight", "times faster"]
    head += ["llama.cpp, best of width", "times faster"]
    if not names:
        return ""
    return (
        f"#### One input, {threads} thread{'s' * (threads > 1)}, microseconds\n\n"
        + table(head, [gemv_row(results, name, threads) for name in names])
    )


def gemm_row(results, name, counts):
    cells = [name]
    for n in counts:
        ours = results.own(name, results.best_isa, batch=n)
        theirs = results.peer_of_width(width_of(name), batch=n)
        cells += [
            number(ours.rate) if ours else "",
            f"{number(theirs.rate)} ({theirs.format})" if theirs else "",
            ratio(ours, theirs),
        ]
    last = results.own(name, results.best_isa, batch=counts[-1])
    return cells + [percent(last.counters.get("dot_share")) if last else ""]


def gemm(results):
    counts = [n for n in TABLE_BATCHES if results.find(kind="gemm", batch=n)]
    names = list(dict.fromkeys(row.format for row in results.rows if row.kind == "gemm"))
    if not counts:
        return ""
    head = ["format"]
    for n in counts:
        head += [f"batch of {n}", "llama.cpp, best of width", "times"]
    head.append(f"of int8 peak, batch of {counts[-1]}")
    return (
        f"#### Batches, 1 thread, {results.best_isa}, Gweights/s\n\n"
        + table(head, [gemm_row(results, name, counts) for name in names])
    )


def families(results):
    """Both families on the best instruction set: was the choice right?"""
    rows = []
    for name in results.formats():
        found = results.find(
            kind="gemv", format=name, isa=results.best_isa, threads=1, shape="4096x4096"
        )
        times = {row.family: row for row in found}
        if len(times) == 2:
            chosen = next(row.family for row in found if not row.forced)
            rows.append([name, *(number(times[f].total_us) for f in ("lookup", "direct")), chosen])
    if not rows:
        return ""
    return (
        f"#### Both families on {results.best_isa}, one input, 1 thread, microseconds\n\n"
        + table(["format", "lookup", "direct", "chosen"], rows)
    )


def modes(results):
    """What TMAC_MODE_EXACT costs and TMAC_MODE_FAST gains, in time and error."""

    def cell(row):
        return f"{number(row.total_us)} ({row.counters['error']:.1e})" if row else ""

    shown = [
        (f"{label}, {isa}", kind, isa)
        for label, kind in (("default", "gemv"), ("exact", "exact"), ("fast", "fast"))
        for isa in dict.fromkeys((results.best_isa, "x86-avx2"))
        if results.find(kind=kind, isa=isa)
    ]
    rows = []
    for name in results.formats():
        found = [
            results.find(
                kind=kind, format=name, isa=isa, threads=1, shape="4096x4096", forced=False
            )
            for _, kind, isa in shown
        ]
        if any(found):
            rows.append([name] + [cell(row[0] if row else None) for row in found])
    if not results.find(kind=("exact", "fast")):
        return ""
    return "#### Modes, one input, 1 thread, microseconds (relative squared error)\n\n" + table(
        ["format"] + [head for head, _, _ in shown], rows
    )


def table_times(results):
    rows = results.find(kind="tables", threads=1, isa=results.best_isa)
    if not rows:
        return ""
    counts = sorted({row.batch for row in rows})
    cells = []
    for name, family in dict.fromkeys((row.format, row.family) for row in rows):
        times = {row.batch: row.us for row in rows if (row.format, row.family) == (name, family)}
        cells.append([f"{family} ({name})"] + [number(times.get(n)) for n in counts])
    return (
        f"#### Tables of 4096 activations, 1 thread, {results.best_isa}, microseconds\n\n"
        + table(["tables"] + [f"batch of {n}" for n in counts], cells)
    )


def pack_rates(results):
    rows = results.find(kind="pack", threads=1, isa=results.best_isa)
    if not rows:
        return ""
    cells = [
        [row.format, row.family, number(row.counters["source_GB/s"]), number(row.us / 1000)]
        for row in rows
    ]
    return "#### Packing 4096x4096, 1 thread\n\n" + table(
        ["format", "family", "GB/s of source", "ms"], cells
    )
