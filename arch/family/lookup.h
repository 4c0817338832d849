/* SPDX-License-Identifier: MIT
 * Lookup: the walk over the blocks of a tile, for one input and for several. A template, around an
 * integer stage (lookup_stage.h):
 *
 *     layout   TILE_ROWS   integer stage                   sets
 *     ROWS32   32          lookup_average.h                AVX2, also TMAC_MODE_FAST
 *     ROWS64   64          lookup_average.h                AVX-512
 *     ROWS32   32          sums of words: arm64/lookup.c   NEON
 *     QUAD     32          lookup_quad.h                   AVX-512 VBMI, NEON with dot products
 *
 * A leaf is the walk for one struct lookup_kind, a function of its own. There are leaves for
 *     any width; on NEON one for all
 *     blocks of 16, 32, 64, 128
 *     one input, or several, whose indices are split once per block for all
 *     one input: scales as floats, or f16 as packed (blocks of 32 and more) */
#ifndef TMAC_FAMILY_LOOKUP_H
#define TMAC_FAMILY_LOOKUP_H

#include "lookup_floats.h"

INLINE void rows_load(const float *y, bool accumulate, vecf acc[VECTORS])
{
    UNROLL
    for (int i = 0; i < VECTORS; i++)
        acc[i] = accumulate ? vecf_load(y + LANES * i) : vecf_all(0);
}

INLINE void rows_store(const vecf acc[VECTORS], float *y)
{
    UNROLL
    for (int i = 0; i < VECTORS; i++)
        vecf_store(y + LANES * i, acc[i]);
}

/* The last block of a chunk, where it is short: rare enough to go step by step. */
INLINE void lookup_rest(struct stream at, int steps, const struct lookup_kind one,
                        vecf sum[VECTORS])
{
    for (int i = 0; i < VECTORS; i++)
        sum[i] = vecf_all(0);
    for (; steps > 0; steps--, at = stream_after(&at, 1, one.width, false)) {
        vecf rows[1][VECTORS];

        lookup_integers(&at, one.whole, one, rows);
        for (int i = 0; i < VECTORS; i++)
            sum[i] = vecf_add(sum[i], rows[0][i]);
    }
}

/* ---- one input ------------------------------------------------------------------------------- */

INLINE void gemv_block(const struct tile_floats *floats, const struct stream *at, int number,
                       const enum part part, const struct lookup_kind kind, vecf acc[VECTORS])
{
    vecf rows[1][VECTORS];

    if (kind.half)
        prefetch_block(floats, number);
    lookup_integers(at, part, kind, rows);
    add_block(floats, number, 0, rows[0], acc);
}

INLINE void gemv(const struct tmac_tile *tile, const struct lookup_kind kind, const bool minimum)
{
    const int steps = kind.steps ? kind.steps : 1;
    const struct tile_floats floats = tile_floats(tile, false, kind.half, minimum);
    struct stream at = {tile->codes, tile->tables, TABLE_STEP};
    int number = 0, left = tile->steps;
    vecf acc[VECTORS];

    rows_load(tile->y, tile->accumulate, acc);
    for (; left >= steps; left -= steps, at = stream_after(&at, steps, kind.width, false)) {
        if (!kind.steps)
            gemv_block(&floats, &at, number++, LOW_HALF, kind, acc);
        gemv_block(&floats, &at, number++, kind.steps ? kind.whole : HIGH_HALF, kind, acc);
    }
    if (steps > 1 && left > 0) {
        vecf rows[VECTORS];

        kind.rest(tile, at, left, rows);
        add_block(&floats, number, 0, rows, acc);
    }
    rows_store(acc, tile->y);
}

/* Of the shortest blocks the floats take a good part of the time. */
INLINE void lookup_gemv(const struct tmac_tile *tile, const struct lookup_kind kind)
{
    if (kind.steps == 1 && !tile->minimum)
        gemv(tile, kind, false);
    else
        gemv(tile, kind, tile->minimum != NULL);
}

/* ---- several inputs --------------------------------------------------------------------------
 * Block by block, so that the split indices of a block (at most 4 KB) and the inputs' results (at most
 * 2 KB) stay in the first-level cache. */

/* The results of all inputs while they are worked on. Those in memory may lie apart by what makes a core take
 * one for the other (multiples of 4 KB), so they are kept aside. Blocks of 128 are too few to copy them for. */
struct results {
    float *y;
    size_t stride;
};

INLINE void results_copy(const struct results *from, const struct results *to, int batch,
                         bool accumulate)
{
    for (int n = 0; n < batch; n++) {
        vecf rows[VECTORS];

        rows_load(from->y + (size_t)n * from->stride, accumulate, rows);
        rows_store(rows, to->y + (size_t)n * to->stride);
    }
}

INLINE void add_input(const struct tile_floats *floats, int number, int input,
                      const vecf integers[VECTORS], const struct results *results)
{
    float *y = results->y + (size_t)input * results->stride;
    vecf acc[VECTORS];

    rows_load(y, true, acc);
    add_block(floats, number, input, integers, acc);
    rows_store(acc, y);
}

INLINE void gemm_block(const struct tile_floats *floats, struct stream at, int number,
                       const enum part part, const struct lookup_kind kind,
                       const struct results *results)
{
    const int inputs = inputs_of(kind);

    for (int n = 0; n < floats->tile->batch; n += inputs, at.tables += inputs * TABLE_STEP) {
        vecf rows[MOST_INPUTS][VECTORS];

        lookup_integers(&at, part, kind, rows);
        __asm__ volatile(""); /* keeps gcc from making a loop of its own for each of the inputs */
        for (int i = 0; i < inputs; i++)
            add_input(floats, number, n + i, rows[i], results);
    }
}

INLINE void gemm_rest(const struct tmac_tile *tile, const struct tile_floats *floats,
                      struct stream at, int number, int steps, lookup_rest_fn *rest,
                      const struct results *results)
{
    for (int n = 0; n < tile->batch; n++, at.tables += TABLE_STEP) {
        vecf rows[VECTORS];

        rest(tile, at, steps, rows);
        add_input(floats, number, n, rows, results);
    }
}

INLINE void lookup_gemm(const struct tmac_tile *whole, const struct lookup_kind kind)
{
    const struct tmac_tile tile = *whole; /* which no store can change */
    const int steps = kind.steps ? kind.steps : 1;
    const struct tile_floats floats = tile_floats(&tile, true, false, tile.minimum != NULL);
    _Alignas(64) uint8_t split[4 * 4 * 8 * TILE_ROWS];
    struct stream at = {tile.codes, tile.tables, (size_t)tile.batch * TABLE_STEP};
    int number = 0, left = tile.steps;
    _Alignas(64) float room[TMAC_MAX_PANEL * TILE_ROWS];
    const struct results y = {tile.y, tile.y_stride}, aside = {room, TILE_ROWS};
    const struct results *results = steps == 4 ? &y : &aside;

    if (results != &y || !tile.accumulate)
        results_copy(&y, results, tile.batch, tile.accumulate);
    for (; left >= steps; left -= steps, at = stream_after(&at, steps, kind.width, false)) {
        const struct stream from = {split, at.tables, at.table_stride};

        lookup_split(at.codes, steps, kind.width, split);
        if (!kind.steps)
            gemm_block(&floats, from, number++, LOW_HALF, kind, results);
        gemm_block(&floats, from, number++, kind.steps ? kind.whole : HIGH_HALF, kind, results);
    }
    if (steps > 1 && left > 0)
        gemm_rest(whole, &floats, at, number, left, kind.rest, results);
    if (results != &y)
        results_copy(results, &y, tile.batch, true);
}

/* ---- leaves ---------------------------------------------------------------------------------- */

/* Of a width, by log2 of block_k / 16. f16 scales and averages have no blocks of 16. */
struct lookup_leaves {
    tmac_multiply_fn *gemv[4], *gemv_half[4], *gemm[4];
};

static inline void lookup_run(const struct lookup_leaves *leaves, const struct tmac_tile *tile)
{
    const int block = tile->block_k >= 128 ? 3 : tile->block_k / 32;

    (tile->batch > 1 ? leaves->gemm : tile->half ? leaves->gemv_half : leaves->gemv)[block](tile);
}

#define LOOKUP_LEAF(name, walk, ...)                                                               \
    INSTANCE void name(const struct tmac_tile *tile)                                               \
    {                                                                                              \
        walk(tile, (struct lookup_kind){__VA_ARGS__});                                             \
    }

#define LOOKUP_LEAF_SIZES(name, walk, ...)                                                         \
    LOOKUP_LEAF(name##_1, walk, .steps = 1, __VA_ARGS__)                                           \
    LOOKUP_LEAF(name##_2, walk, .steps = 2, __VA_ARGS__)                                           \
    LOOKUP_LEAF(name##_4, walk, .steps = 4, __VA_ARGS__)

#define LOOKUP_WHOLE_LEAVES(w, number, how)                                                        \
    INSTANCE void w##_rest(const struct tmac_tile *tile, struct stream at, int steps, vecf *rows)  \
    {                                                                                              \
        const struct lookup_kind one = {.width = number, .steps = 1, .whole = how};                \
        (void)tile;                                                                                \
        lookup_rest(at, steps, one, rows);                                                         \
    }                                                                                              \
    LOOKUP_LEAF_SIZES(w##_gemv, lookup_gemv, .width = number, .whole = how, .rest = w##_rest)      \
    LOOKUP_LEAF_SIZES(w##_half, lookup_gemv, .width = number, .whole = how, .rest = w##_rest,      \
                      .half = true)                                                                \
    LOOKUP_LEAF_SIZES(w##_gemm, lookup_gemm, .width = number, .whole = how, .rest = w##_rest,      \
                      .split = true)

#define LOOKUP_TABLE(w, gemv_0, gemm_0)                                                            \
    static const struct lookup_leaves w = {                                                        \
        .gemv = {gemv_0, w##_gemv_1, w##_gemv_2, w##_gemv_4},                                      \
        .gemv_half = {NULL, w##_half_1, w##_half_2, w##_half_4},                                   \
        .gemm = {gemm_0, w##_gemm_1, w##_gemm_2, w##_gemm_4},                                      \
    };

/* All leaves of a width as struct lookup_leaves `w`, and those by averages. `number` may be the tile's
 * width, where the integer stage leaves that to run time. */
#define LOOKUP_LEAVES(w, number)                                                                   \
    LOOKUP_WHOLE_LEAVES(w, number, WHOLE_STEP)                                                     \
    LOOKUP_LEAF(w##_gemv_0, lookup_gemv, .width = number)                                          \
    LOOKUP_LEAF(w##_gemm_0, lookup_gemm, .width = number, .split = true)                           \
    LOOKUP_TABLE(w, w##_gemv_0, w##_gemm_0)
#define LOOKUP_FAST_LEAVES(w, number)                                                              \
    LOOKUP_WHOLE_LEAVES(w, number, FAST_STEP)                                                      \
    LOOKUP_TABLE(w, NULL, NULL)

#endif
