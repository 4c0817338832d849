# SPDX-License-Identifier: MIT
"""Tables for one question each: small batches, small matrices, other ways to multiply, peaks."""

from results import WIDTHS, width_of
from sections import joules, number, peer_text, percent, ratio, table


def plain_widths():
    return [width for width in WIDTHS if width != "ternary"]


def own_128(width):
    return WIDTHS[width][0] + "/g128"


def microseconds(row):
    return number(row.total_us) if row else ""


def rate(row):
    return number(row.rate) if row else ""


# ---- small batches ----


def batch_formats(results):
    """Formats that were measured with every size of batch."""
    return list(dict.fromkeys(row.format for row in results.find(kind="gemm", batch=2)))


def rival(results, name, **wanted):
    """llama.cpp's same type, or where it has none its fastest of that width."""
    return results.peer((name,), **wanted) or results.peer_of_width(width_of(name), **wanted)


def small_batches(results):
    counts = [n for n in (2, 4, 8, 16, 32, 64) if results.find(kind="gemm", batch=n)]
    rows = []
    for name in batch_formats(results):
        pairs = [
            (results.own(name, results.best_isa, batch=n), rival(results, name, batch=n))
            for n in counts
        ]
        other = next((theirs.format for _, theirs in pairs if theirs), "")
        rows.append([name, other, *(ratio(ours, theirs) for ours, theirs in pairs)])
    if not counts or not rows:
        return ""
    return (
        f"#### Small batches, 1 thread, {results.best_isa}: times as fast as llama.cpp\n\n"
        + table(["format", "llama.cpp's"] + [f"batch of {n}" for n in counts], rows)
    )


# ---- other matrices ----


def alone(row, single):
    """The row, unless its threads had to wait for a core that another program had: then calls take
    a scheduler's time slice, and tell nothing."""
    return row if not (row and single and row.us > 4 * single.us) else None


def small_row(results, name, shape, threads):
    single = results.own(name, results.best_isa, shape=shape), rival(results, name, shape=shape)
    cells = []
    for count in threads:
        ours = results.own(name, results.best_isa, threads=count, shape=shape)
        theirs = rival(results, name, threads=count, shape=shape)
        ours, theirs = alone(ours, single[0]), alone(theirs, single[1])
        cells += [microseconds(ours), peer_text(theirs), ratio(ours, theirs)]
    return [name, shape, *cells]


def small_matrices(results):
    found = results.find(kind="gemv", shape=("576x576", "1536x576", "576x1536", "192x576"))
    pairs = dict.fromkeys((row.format, row.shape) for row in found)
    threads = sorted({row.threads for row in found})
    head = ["format", "rows x cols"]
    for count in threads:
        head += [f"{count} thread{'s' * (count > 1)}", "llama.cpp", "times faster"]
    if not pairs:
        return ""
    title = f"Small matrices, those of SmolLM2-135M, one input, {results.best_isa}, microseconds"
    rows = [small_row(results, *pair, threads) for pair in pairs]
    note = "Left empty where threads waited for a core that was not free.\n"
    return f"#### {title}\n\n" + table(head, rows) + (f"\n{note}" if len(threads) > 1 else "")


def square_row(results, name, shape):
    ours = [results.own(name, isa, shape=shape) for isa in results.isas]
    same = results.peer((name,), shape=shape)
    return [
        name,
        *map(microseconds, ours),
        percent(ours[-1].counters.get("roof_share")) if ours[-1] else "",
        peer_text(same),
        ratio(ours[-1], same),
    ]


def squares(results, shape="2048x2048"):
    found = results.find(kind="gemv", shape=shape, threads=1)
    names = dict.fromkeys(row.format for row in found)
    head = ["format", *results.isas, "of read roof", "llama.cpp, same type", "times faster"]
    if not names:
        return ""
    return f"#### {shape}, one input, 1 thread, microseconds\n\n" + table(
        head, [square_row(results, name, shape) for name in names]
    )


# ---- other ways to multiply ----


def fma(results):
    loops = results.baseline_loops("fma-")
    rows = []
    for name in map(own_128, plain_widths()):
        ours = [results.own(name, isa) for isa in results.isas]
        gemv = [results.baseline("gemv", name, one) for one in loops]
        gemm = [results.baseline("gemm", name, one, batch=32) for one in loops]
        if not any(gemv):
            continue
        rows.append(
            [name, *map(microseconds, ours), *map(microseconds, gemv)]
            + [ratio(ours[-1], gemv[-1]), joules(ours[-1]), joules(gemv[-1])]
            + [rate(results.own(name, results.best_isa, batch=32)), *map(rate, gemm)]
        )
    if not rows:
        return ""
    head = ["format", *results.isas, *loops, f"times {loops[-1]}"]
    head += ["nJ per weight", f"{loops[-1]}, nJ per weight"]
    head += ["batch of 32, Gweights/s", *(f"{one}, batch of 32" for one in loops)]
    return (
        "#### Weights made floats, then FMA: one input, 1 thread, microseconds\n\n"
        + table(head, rows)
    )


def one_bit_rows(results, name):
    """(way, gemv, l1)"""
    for isa in results.isas:
        for family in ("lookup", "direct"):
            gemv, l1 = (results.family(kind, name, family, isa) for kind in ("gemv", "l1"))
            if gemv:
                yield f"libtmac {isa}, {family}", gemv, l1
    for loops in results.baseline_loops("mask-add-") + results.baseline_loops("fma-"):
        yield loops, results.baseline("gemv", name, loops), results.baseline("l1", name, loops)


def one_bit(results):
    if not results.baseline_loops("mask-add-"):
        return ""
    rows = [
        [way, microseconds(gemv), rate(gemv), rate(l1), joules(gemv)]
        + [f"{gemv.counters['error']:.1e}" if gemv else ""]
        for way, gemv, l1 in one_bit_rows(results, own_128("1"))
    ]
    head = ["1 bit, group 128", "microseconds", "Gweights/s", "in L1", "nJ per weight", "error"]
    return "#### 1 bit with and without tables, one input, 1 thread\n\n" + table(head, rows)


# ---- peaks ----


def planes(width):
    return 2 if width == "ternary" else int(width)


def peak_row(results, width):
    name = own_128(width)
    lookup, direct = (results.family("l1", name, family) for family in ("lookup", "direct"))
    peaks = results.roof("lookup"), results.roof("dot")
    share = [None, None]
    if lookup and peaks[0]:
        share[0] = lookup.counters["Gweights/s"] * planes(width) / peaks[0]
    if direct and peaks[1]:
        share[1] = direct.counters["Gweights/s"] / peaks[1]
    return [name, rate(lookup), percent(share[0]), rate(direct), percent(share[1])]


def peaks(results):
    rows = [peak_row(results, width) for width in WIDTHS]
    rows = [row for row in rows if row[1] or row[3]]
    if not rows:
        return ""
    context = results.context
    head = ["format", "lookup", f"of the peak of {context.get('lookup', 'lookups')}"]
    head += ["direct", f"of the peak of {context.get('dot', 'int8 dot')}"]
    return (
        f"#### In L1 at group 128 on {results.best_isa}, Gweights/s, and the share of what the "
        "instruction could do alone\n\n" + table(head, rows)
    )
