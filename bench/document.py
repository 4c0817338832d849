# SPDX-License-Identifier: MIT
"""One machine's part of docs/benchmarks.md."""

from functools import partial

import comparisons
import plots
import sections


def drawings(results):
    """(name, what it shows, function of a path) of every plot there are rows for."""
    for threads in sorted({row.threads for row in results.find(kind="gemv", shape="4096x4096")}):
        yield (
            f"gemv-t{threads}",
            f"one input, {threads} thread{'s' * (threads > 1)}",
            partial(plots.plot_gemv, results, threads),
        )
    if results.find(kind="gemm"):
        yield "gemm", "batches", partial(plots.plot_gemm, results)
    names = comparisons.batch_formats(results)
    if names:
        yield "batch", "every size of batch", partial(plots.plot_formats, results, names)
    if results.find(kind="l1"):
        yield "bits", "cost over bits", partial(plots.plot_bits, results)


def section(results, drawn):
    parts = [f"### {results.cpu}\n", sections.machine(results), sections.roofs(results)]
    parts += [f"![{text}]({path})\n" for text, path in drawn]
    parts += [sections.gemv(results, t) for t in sorted({row.threads for row in results.rows})]
    for table in (
        sections.gemm,
        comparisons.small_batches,
        comparisons.small_matrices,
        comparisons.squares,
        comparisons.one_bit,
        comparisons.fma,
        comparisons.peaks,
        sections.families,
        sections.modes,
        sections.table_times,
        sections.pack_rates,
    ):
        parts.append(table(results))
    if results.errors:
        parts.append("Rows that failed:\n\n" + "".join(f"- {error}\n" for error in results.errors))
    return "\n".join(part for part in parts if part)
