# SPDX-License-Identifier: MIT
"""Plots of a Results: bars for one input (gemv), lines over the size of the batch (gemm),
and over the bits."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from results import WIDTHS, width_of  # noqa: E402

plt.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "libtmac",  # the same figures give the same file
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
    }
)

BLUES = ["#dce8f5", "#b9d3ee", "#7aaedc", "#3c82c4", "#12508f"]
PEERS = ["#f3c58f", "#e08a2c"]
ROOF = "#b02a2a"


def colors(results):
    """Libtmac in blues, the darker the better the instruction set; llama.cpp in oranges."""
    blues = BLUES[-len(results.isas) :] if len(results.isas) <= len(BLUES) else BLUES * 2
    found = {isa: blues[i] for i, isa in enumerate(results.isas)}
    for i, variant in enumerate(reversed(results.variants)):
        found[variant] = PEERS[-1 - i]
    return found


def series_name(results, key):
    return f"libtmac {key}" if key in results.isas else f"llama.cpp {key}"


def width_title(width):
    return {"1": "1 bit", "ternary": "ternary"}.get(width, f"{width} bits")


def save(figure, path):
    figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)
    plt.close(figure)


# ---- gemv ----


def own_format(results, width):
    """The format of its own that stands for a width in plots: one scale per 32 weights, as most of
    llama.cpp's types have, or near it."""
    own = WIDTHS[width][0]
    return f"{own}/g32" if f"{own}/g32" in results.formats() else f"{own}/g128"


def group_rows(results, group, threads):
    """(key, row) of all bars over one label: a width, or a type of llama.cpp's."""
    is_width = group in WIDTHS
    own = own_format(results, group) if is_width else group
    for isa in results.isas:
        yield isa, results.own(own, isa, threads=threads)
    types = WIDTHS[group][1] if is_width else (group,)
    for variant in results.variants:
        yield variant, results.peer(types, (variant,), threads=threads)


def draw_group(axes, results, group, at, threads, palette):
    bars = [(key, row) for key, row in group_rows(results, group, threads) if row]
    if not bars:
        return
    width = 0.84 / (len(results.isas) + len(results.variants))
    for i, (key, row) in enumerate(bars):
        x = at + (i - (len(bars) - 1) / 2) * width
        axes.bar(x, row.rate, width * 0.94, color=palette[key])
        text = f"{row.rate:.0f}"
        if group in WIDTHS and row.variant:
            text += f"  {row.format}"
        axes.annotate(
            text, (x, row.rate), (0, 2), textcoords="offset points",
            rotation=90, ha="center", va="bottom", fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
    first = bars[0][1]
    roof = max(row.counters["roof_GB/s"] for _, row in bars) * 8 / first.counters["bits/weight"]
    axes.plot([at - 0.46, at + 0.46], [roof, roof], color=ROOF, linewidth=1.5, zorder=0.5)


def draw_groups(axes, results, groups, threads, palette, labels):
    for at, group in enumerate(groups):
        draw_group(axes, results, group, at, threads, palette)
    axes.set_xticks(range(len(groups)), labels)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)
    axes.set_ylabel("Gweights/s")
    axes.set_ylim(top=axes.get_ylim()[1] * 1.12)
    axes.margins(x=0.01)


def legend(figure, results, palette, roof_text, in_a_row):
    handles = [plt.Rectangle((0, 0), 1, 1, color=palette[key]) for key in palette]
    names = [series_name(results, key) for key in palette]
    if roof_text:
        handles.append(Line2D([], [], color=ROOF, linewidth=1.5))
        names.append(roof_text)
    figure.legend(handles, names, loc="outside lower center", ncols=in_a_row, frameon=False)


def plot_gemv(results, threads, path):
    palette = colors(results)
    types = [t for _, names in WIDTHS.values() for t in names if t in results.formats()]
    widths = [w for w in WIDTHS if own_format(results, w) in results.formats()]
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 7.6), layout="constrained")
    figure.suptitle(
        f"4096x4096 times one input, {threads} thread{'s' * (threads > 1)} · {results.cpu}"
    )
    draw_groups(
        top, results, widths, threads, palette,
        [width_title(w) + "\n" for w in widths],
    )  # fmt: skip
    top.set_title("by width: a scale per 32 weights, and llama.cpp's fastest type", fontsize=10)
    if types:
        draw_groups(bottom, results, types, threads, palette, types)
        bottom.set_title("the same weights on both sides: llama.cpp's types", fontsize=10)
    else:
        bottom.remove()
    legend(figure, results, palette, "read roof: the packed weights read at full speed", 3)
    save(figure, path)


# ---- gemm ----


def line(rows):
    """Sizes of batches, and rates, of the rows that there are."""
    found = [(row.batch, row.rate) for row in rows if row]
    return [n for n, _ in found], [rate for _, rate in found]


def draw_batches(axes, results, own, types, palette):
    """Rates over the size of the batch: libtmac's with the format `own`, llama.cpp's fastest of
    `types`."""
    counts = sorted({row.batch for row in results.find(kind=("gemv", "gemm"))})
    for isa in results.isas:
        rows = [results.own(own, isa, batch=n) for n in counts]
        axes.plot(*line(rows), "o-", color=palette[isa], markersize=4)
    for variant in results.variants:
        rows = [results.peer(types, (variant,), batch=n) for n in counts]
        axes.plot(*line(rows), "s--", color=palette[variant], markersize=4)
    ticks = [n for n in counts if n in (1, 4, 16, 64, 256)]
    axes.set_xscale("log", base=4)
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.minorticks_off()
    axes.set_xlabel("batch")
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)


def finish_batches(figure, panels, results, palette, path):
    dots = results.roof("dot")
    for axes in panels:
        if dots:
            axes.axhline(dots, color=ROOF, linewidth=1.5)
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("Gweights/s (rows · cols · batch)")
    peak = f"int8 dot peak ({results.context['dot']})" if dots else None
    legend(figure, results, palette, peak, 4)
    save(figure, path)


def plot_gemm(results, path):
    palette = colors(results)
    figure, panels = plt.subplots(1, len(WIDTHS), figsize=(2.4 * len(WIDTHS), 4.2), sharey=True, layout="constrained")
    figure.suptitle(
        f"4096x4096 times a batch, 1 thread · {results.cpu}\n"
        "a scale per 128 weights, and llama.cpp's fastest type"
    )
    for axes, (width, (own, types)) in zip(panels, WIDTHS.items()):
        draw_batches(axes, results, own + "/g128", types, palette)
        axes.set_title(width_title(width), fontsize=10)
    finish_batches(figure, panels, results, palette, path)


def plot_formats(results, names, path):
    """The same for single formats; llama.cpp's is the same type, or its fastest of the width."""
    palette = colors(results)
    figure, panels = plt.subplots(
        1, len(names), figsize=(12, 4.6), sharey=True, layout="constrained", squeeze=False
    )
    figure.suptitle(f"4096x4096 times a batch of 1 to 256, 1 thread · {results.cpu}")
    for axes, name in zip(panels[0], names):
        types = (name,) if results.peer((name,)) else WIDTHS[width_of(name)][1]
        draw_batches(axes, results, name, types, palette)
        both = name if types == (name,) else f"{name}, and {' or '.join(types)}"
        axes.set_title(both, fontsize=10)
    finish_batches(figure, panels[0], results, palette, path)


# ---- cost over bits ----

WAYS = {"lookup": BLUES[-2], "direct": BLUES[-4], "FMA": "#555555"}


def bits_of(width):
    return 1.58 if width == "ternary" else int(width)


def way_row(results, way, kind, width):
    name = WIDTHS[width][0] + "/g128"
    if way != "FMA":
        return results.family(kind, name, way)
    loops = results.baseline_loops("fma-")
    return results.baseline(kind, name, loops[-1]) if loops else None


def draw_cost(axes, results, kind):
    for way, color in WAYS.items():
        rows = {bits_of(width): way_row(results, way, kind, width) for width in WIDTHS}
        points = [(bits, 1000 / row.rate) for bits, row in rows.items() if row]
        if points:
            axes.plot(*zip(*points), "o-", color=color, markersize=5, label=way)
    bits = [bits_of(width) for width in WIDTHS]
    axes.set_xticks(bits, map(str, bits))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("bits")
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)


def plot_bits(results, path):
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    figure.suptitle(
        f"What a weight costs, one input, 1 thread, group 128, {results.best_isa} · {results.cpu}"
    )
    for axes, kind, title in zip(panels, ("l1", "gemv"), ("in L1", "4096x4096")):
        draw_cost(axes, results, kind)
        axes.set_title(title, fontsize=10)
    panels[0].set_ylabel("picoseconds per weight")
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center", ncols=len(WAYS), frameon=False,
    )  # fmt: skip
    save(figure, path)
