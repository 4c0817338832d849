/* SPDX-License-Identifier: MIT
 * A product cut into pieces of rows and inputs, which threads take one after the other. */
#ifndef TMAC_SPLIT_H
#define TMAC_SPLIT_H

#include "engine/multiply.h"

#include <stdatomic.h>

/* Multiplications that take a few microseconds, about what it costs to wake a thread. */
enum { TMAC_THREAD_WORK = 1 << 17 };

struct tmac_split {
    int64_t row_begin, row_end;
    int64_t row_step; /* from one piece to the next, whole tiles */
    int64_t row_parts;
    int64_t batch;
    int64_t batch_parts;
};

/* Rows [row_begin, row_end) of a product, for so many threads. A thread gets about four pieces, so that
 * others can help a slow one out, unless they get so small that taking them costs. */
struct tmac_split tmac_split_of(const struct tmac_product *product, int64_t row_begin,
                                int64_t row_end, int threads);

static inline int64_t tmac_split_pieces(const struct tmac_split *split)
{
    return split->row_parts * split->batch_parts;
}

void tmac_split_multiply(const struct tmac_split *split, const struct tmac_product *product,
                         int64_t piece);

/* Pieces of work: every thread starts with the piece of its own number, and then takes the next that
 * nobody has. */
struct tmac_pieces {
    _Atomic int64_t next;
};

static inline void tmac_pieces_start(struct tmac_pieces *pieces, int threads)
{
    atomic_store_explicit(&pieces->next, threads, memory_order_relaxed);
}

static inline int64_t tmac_pieces_take(struct tmac_pieces *pieces)
{
    return atomic_fetch_add_explicit(&pieces->next, 1, memory_order_relaxed);
}

/* Rows [row_begin, row_end) of a product with the context's threads. */
void tmac_split_run(const struct tmac_context *context, const struct tmac_product *product,
                    int64_t row_begin, int64_t row_end);

#endif
