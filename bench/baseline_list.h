/* SPDX-License-Identifier: MIT
 *
 * What the files of the baseline share. Each lists its loops; baseline.c asks which run here.
 */
#ifndef TMAC_BENCH_BASELINE_LIST_H
#define TMAC_BENCH_BASELINE_LIST_H

#include "baseline.h"

struct baseline_entry {
    struct baseline loops;
    int usable; /* on this CPU */
};

/* Both write at most BASELINE_MOST entries, and return how many. None where no loop is written for
 * the architecture. */
enum { BASELINE_MOST = 8 };
int baseline_list_fma(struct baseline_entry *entries);
int baseline_list_mask(struct baseline_entry *entries);

/* Loops of a constant length, whose arrays are registers. */
#define UNROLL _Pragma("GCC unroll 32")

static inline size_t baseline_groups(struct baseline_shape shape)
{
    return (size_t)(shape.cols / BASELINE_GROUP);
}

#endif
