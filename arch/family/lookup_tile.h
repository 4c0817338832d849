/* SPDX-License-Identifier: MIT
 * Kernels of the layouts ROWS32 and ROWS64: a tile is ROWS rows, a byte each. A template, as lookup.h. */
#ifndef TMAC_X86_LOOKUP_TILE_H
#define TMAC_X86_LOOKUP_TILE_H

#include "lookup.h"

/* Steps that one reduction takes: see sums.h. */
TEMPLATE int most_folded(const int width)
{
    return width == TMAC_WIDTH_3 || width == TMAC_WIDTH_4 ? 1 : width == TMAC_WIDTH_2 ? 2 : 4;
}

/* The integers, as floats, of steps that fit 16 bits without a sign: 255 * 8 * 7 * 4 = 57120 at 3
 * bits, and for two steps of 4 bits 255 * 8 * 15 * 2 = 61200. */
TEMPLATE void short_integer(struct stream *at, const int steps, const int width,
                            const enum part part, const bool split, vecf rows[4])
{
    const int most = most_folded(width), fold = steps < most ? steps : most;
    const vecf bias = vecf_all(0x1p23f + (float)(step_bias(width, part) * steps));
    struct sum16 sum = total(at, width, part, fold, split);

    advance(at, fold, step_bytes(width, split));
    for (int s = fold; s < steps; s += fold) {
        sum = sum16_add(sum, total(at, width, part, fold, split));
        advance(at, fold, step_bytes(width, split));
    }
    vec_to_floats(sum.low, sum.high, bias, rows);
}

TEMPLATE void block_integer(struct stream *at, const int steps, const int width,
                            const enum part part, const bool split, vecf rows[4])
{
    const bool widened = width == TMAC_WIDTH_4 && steps > 2;
    vecf more[4];

    short_integer(at, widened ? 2 : steps, width, part, split, rows);
    if (widened) {
        short_integer(at, steps - 2, width, part, split, more);
        for (int i = 0; i < 4; i++)
            rows[i] = vecf_add(rows[i], more[i]);
    }
}

/* Adds up bytes, in the order of the rows. */
static void add_bytes(vec bytes, int bias, int weight, int32_t sum[ROWS])
{
    uint8_t row[ROWS];

    vec_store(row, bytes);
    for (int r = 0; r < ROWS; r++)
        sum[r] += (row[r] - bias) * weight;
}

/* Tables g and g + 4 of a plane. */
TEMPLATE void rest_entries(const uint8_t *plane, const uint8_t *tables, int g, vec entries[2])
{
    const vec low = low_index(plane + g * ROWS);

    entries[0] = vec_look_up(load_table(tables, g), low);
    entries[1] = vec_look_up(load_table(tables, g + 4), high_index(low, plane + g * ROWS));
}

static void rest_plane(const uint8_t *plane, const uint8_t *tables, bool fast, int weight,
                       int32_t sum[ROWS])
{
    for (int g = 0; g < 4; g += 2) {
        vec a[2], b[2];

        rest_entries(plane, tables, g, a);
        rest_entries(plane, tables, g + 1, b);
        if (fast) {
            add_bytes(vec_avg8(vec_avg8(a[0], a[1]), vec_avg8(b[0], b[1])), 128, weight, sum);
            continue;
        }
        for (int i = 0; i < 2; i++) {
            add_bytes(a[i], 128, weight, sum);
            add_bytes(b[i], 128, weight, sum);
        }
    }
    if (fast) /* two means, 1/2 each: see step_bias */
        for (int r = 0; r < ROWS; r++)
            sum[r] -= weight;
}

/* The last block of a chunk, where it is short, of any width: rare enough to be small and slow. */
static __attribute__((noinline)) void rest_integer(struct stream at, int steps, tmac_width width,
                                                   bool fast, vecf rows[4])
{
    int32_t sum[ROWS] = {0};

    for (; steps > 0; steps--, advance(&at, 1, step_bytes((int)width, false)))
        for (int p = 0; p < planes_of((int)width); p++)
            rest_plane(at.codes + p * 4 * ROWS, at.tables, fast, width == TMAC_WIDTH_TERNARY ? 1 : 1 << p,
                       sum);
    for (int i = 0; i < 4; i++)
        rows[i] = vecf_from_ints(sum + LANES * i);
}

TEMPLATE void add_block(const struct vec_block *block, const vecf rows[4], vecf acc[4])
{
    UNROLL
    for (int i = 0; i < 4; i++)
        acc[i] = vec_block_add(block, LANES * i, rows[i], acc[i]);
}

/* Where the results of an input come from and go to. */
TEMPLATE void load_rows(const float *y, vecf acc[4])
{
    UNROLL
    for (int i = 0; i < 4; i++)
        acc[i] = y ? vecf_load(y + LANES * i) : vecf_all(0);
}

TEMPLATE void store_rows(const vecf acc[4], float *y)
{
    UNROLL
    for (int i = 0; i < 4; i++)
        vecf_store(y + LANES * i, acc[i]);
}

/* One input. `block_steps` is 0 for blocks of half a step, `whole` how whole ones are looked up. */
TEMPLATE void lookup_gemv(const struct tmac_tile *tile, const int width, const int block_steps,
                          const enum part whole, const bool minimum, const bool half)
{
    const int most = block_steps ? block_steps : 1;
    struct stream at = {tile->codes, tile->tables, TABLE_STEP};
    int number = 0, left = tile->steps;
    struct vec_block block;
    vecf acc[4], rows[4];

    load_rows(tile->accumulate ? tile->y : NULL, acc);
    for (; left >= most; left -= most) {
        vec_prefetch(at.codes, step_bytes(width, false) * (size_t)most);
        block = vec_block(tile, number++, 0, 1, minimum, half);
        if (!block_steps) {
            struct stream same = at;
            block_integer(&same, 1, width, LOW_HALF, false, rows);
            add_block(&block, rows, acc);
            block = vec_block(tile, number++, 0, 1, minimum, half);
        }
        block_integer(&at, most, width, block_steps ? whole : HIGH_HALF, false, rows);
        add_block(&block, rows, acc);
    }
    if (most > 1 && left > 0) {
        block = vec_block(tile, number, 0, 1, minimum, half);
        rest_integer(at, left, width, whole == FAST_STEP, rows);
        add_block(&block, rows, acc);
    }
    store_rows(acc, tile->y);
}

TEMPLATE void add_input(const struct tmac_tile *tile, int number, int input, const vecf rows[4])
{
    const struct vec_block block =
        vec_block(tile, number, input, tile->batch, tile->minimum != NULL, false);
    float *y = tile->y + (size_t)input * tile->y_stride;
    vecf acc[4];

    load_rows(y, acc);
    add_block(&block, rows, acc);
    store_rows(acc, y);
}

/* All inputs of a block whose indices are split. */
TEMPLATE void add_batch(const struct tmac_tile *tile, struct stream at, int number,
                          const int steps, const int width, const enum part part)
{
    for (int n = 0; n < tile->batch; n++, at.tables += TABLE_STEP) {
        struct stream from = at;
        vecf rows[4];

        block_integer(&from, steps, width, part, true, rows);
        add_input(tile, number, n, rows);
    }
}

static __attribute__((noinline)) void add_rest(const struct tmac_tile *tile, struct stream at,
                                               int number, int steps, bool fast)
{
    for (int n = 0; n < tile->batch; n++, at.tables += TABLE_STEP) {
        vecf rows[4];

        rest_integer(at, steps, tile->width, fast, rows);
        add_input(tile, number, n, rows);
    }
}

/* Several inputs: block by block, so that the split indices of a block (at most 4 KB) and the
 * inputs' results (at most 1 KB) stay in L1. */
TEMPLATE void lookup_gemm(const struct tmac_tile *tile, const int width, const int block_steps,
                          const enum part whole)
{
    const int most = block_steps ? block_steps : 1;
    _Alignas(64) uint8_t split[4 * 4 * 8 * ROWS];
    struct stream at = {split, tile->tables, (size_t)tile->batch * TABLE_STEP};
    const uint8_t *codes = tile->codes;
    int number = 0, left = tile->steps;

    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (; left >= most; left -= most, number++) {
        split_cells(codes, most, width, split);
        if (!block_steps)
            add_batch(tile, at, number++, 1, width, LOW_HALF);
        add_batch(tile, at, number, most, width, block_steps ? whole : HIGH_HALF);
        codes += (size_t)most * step_bytes(width, false);
        at.tables += (size_t)most * at.table_stride;
    }
    if (most > 1 && left > 0) {
        at.codes = codes;
        add_rest(tile, at, number, left, whole == FAST_STEP);
    }
}

TEMPLATE void lookup_blocks(const struct tmac_tile *tile, const int width, const int block_steps,
                            const enum part whole, const bool several)
{
    const bool minimum = tile->minimum != NULL;

    if (several)
        lookup_gemm(tile, width, block_steps, whole);
    else if (block_steps == 0 || !tile->half)
        lookup_gemv(tile, width, block_steps, whole, minimum, false);
    else if (block_steps == 1 && !minimum)
        lookup_gemv(tile, width, block_steps, whole, false, true);
    else
        lookup_gemv(tile, width, block_steps, whole, minimum, true);
}

/* Any tile of several inputs, or of one. FAST_STEP has no blocks of 16. */
TEMPLATE void lookup_batch(const struct tmac_tile *tile, const int width, const enum part whole,
                             const bool several)
{
    if (tile->block_k == 32)
        lookup_blocks(tile, width, 1, whole, several);
    else if (tile->block_k == 64)
        lookup_blocks(tile, width, 2, whole, several);
    else if (tile->block_k == 128)
        lookup_blocks(tile, width, 4, whole, several);
    else if (whole == WHOLE_STEP)
        lookup_blocks(tile, width, 0, whole, several);
}

TEMPLATE void lookup(const struct tmac_tile *tile, const int width, const enum part whole)
{
    if (tile->batch == 1)
        lookup_batch(tile, width, whole, false);
    else
        lookup_batch(tile, width, whole, true);
}

#endif
