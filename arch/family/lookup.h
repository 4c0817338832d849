/* SPDX-License-Identifier: MIT
 * Lookup in cells in which a byte is a row: vpshufb looks up a table of 16 that all 128-bit lanes
 * hold. Sums over a step, or half of one, as 16-bit numbers. A template: the folder of an instruction
 * set includes its own vector.h first, which says what a vector is and how many ROWS it has. */
#ifndef TMAC_X86_LOOKUP_H
#define TMAC_X86_LOOKUP_H

#include "sums.h"

enum { TABLE_STEP = 128 };

/* Which tables of a step to look up. FAST_STEP is a whole one, whose sums of four entries are their
 * means (struct tmac_kernels, fast). */
enum part { LOW_HALF, HIGH_HALF, WHOLE_STEP, FAST_STEP };

/* Where a kernel reads. A gemv splits the cells' half-bytes as it goes; with more inputs they are
 * split once per block, into one byte per index: [step][plane][g = 0..7][32 rows]. */
struct stream {
    const uint8_t *codes;
    const uint8_t *tables;
    size_t table_stride; /* from one step to the next */
};

TEMPLATE int planes_of(const int width)
{
    return width == TMAC_WIDTH_TERNARY ? 2 : width;
}

TEMPLATE size_t plane_bytes(const bool split)
{
    return split ? 8 * ROWS : 4 * ROWS;
}

TEMPLATE size_t step_bytes(const int width, const bool split)
{
    return (size_t)planes_of(width) * plane_bytes(split);
}

/* Indices from 32 bytes of a cell, for its low and high half-bytes. The bytes are read twice, as
 * operands of the AND and of the XOR: a load of its own would be one more micro-operation, and these
 * kernels are bound by the four that a core can start in a cycle. `again` is `at`, but the compiler
 * must not know, for it would join the loads. */
TEMPLATE vec low_index(const uint8_t *at)
{
    return vec_and(vec_bytes(15), vec_load(at));
}

TEMPLATE vec high_index(vec low, const uint8_t *again)
{
    return vec_right16(vec_xor(low, vec_load(again)), 4);
}

/* The same of the high half-bytes alone. */
TEMPLATE vec upper_index(const uint8_t *at)
{
    return vec_right16(vec_and(vec_bytes((char)0xf0), vec_load(at)), 4);
}

TEMPLATE vec load_table(const uint8_t *tables, const int g)
{
    return vec_table(tables + 16 * g);
}

TEMPLATE struct sum8 look_up(vec table0, vec index0, vec table1, vec index1)
{
    const vec a = vec_look_up(table0, index0);
    const vec b = vec_look_up(table1, index1);

    return (struct sum8){vec_here(vec_add8(a, b)), vec_avg8(a, b)};
}

TEMPLATE bool is_whole(const enum part part)
{
    return part >= WHOLE_STEP;
}

/* Tables j and 4 + j, which share the bytes of a cell, or of a half step 2j and 2j + 1. Every plane
 * uses a table while it is in a register. */
TEMPLATE void look_up2(const uint8_t *step, const uint8_t *again, const uint8_t *tables,
                       const int j, const enum part part, const int planes, const bool split,
                       struct sum8 *sum)
{
    const int g0 = is_whole(part) ? j : 2 * j + (part == HIGH_HALF ? 4 : 0);
    const int g1 = is_whole(part) ? j + 4 : g0 + 1;
    const vec table0 = load_table(tables, g0), table1 = load_table(tables, g1);

    UNROLL
    for (int p = 0; p < planes; p++) {
        const size_t plane = (size_t)p * plane_bytes(split);
        const size_t at0 = plane + (size_t)(split ? g0 : g0 % 4) * ROWS;
        const size_t at1 = plane + (size_t)(split ? g1 : g1 % 4) * ROWS;
        vec index0, index1;

        if (split) {
            index0 = vec_load(step + at0);
            index1 = vec_load(step + at1);
        } else if (part == HIGH_HALF) {
            index0 = upper_index(step + at0);
            index1 = upper_index(step + at1);
        } else {
            index0 = low_index(step + at0);
            index1 = is_whole(part) ? high_index(index0, again + at1) : low_index(step + at1);
        }
        sum[p] = look_up(table0, index0, table1, index1);
    }
}

TEMPLATE void join_planes(struct sum8 *sum, const struct sum8 *other, const int planes)
{
    UNROLL
    for (int p = 0; p < planes; p++)
        sum[p] = sum8_join(sum[p], other[p]);
}

TEMPLATE void look_up4(const uint8_t *step, const uint8_t *again, const uint8_t *tables,
                       const int j, const enum part part, const int planes, const bool split,
                       struct sum8 *sum)
{
    struct sum8 other[3];

    look_up2(step, again, tables, j, part, planes, split, sum);
    look_up2(step, again, tables, j + 1, part, planes, split, other);
    join_planes(sum, other, planes);
    UNROLL
    for (int p = 0; p < planes && part == FAST_STEP; p++)
        sum[p].sum = sum[p].mean; /* one entry from here on: the sums above are not computed */
}

/* (sum2 * 2 + sum1) * 2 + sum0 from above, the means from below. */
TEMPLATE struct sum8 join_weighted(const struct sum8 *sum, const int width)
{
    struct sum8 all;

    if (width == TMAC_WIDTH_1)
        return sum[0];
    if (width == TMAC_WIDTH_TERNARY)
        return sum8_join(sum[0], sum[1]);
    all = sum8_above(sum8_lowest(sum[0]), sum[1]);
    if (width == TMAC_WIDTH_3) {
        const struct sum8 upper = sum8_above(sum[1], sum[2]);
        all.sum = sum8_above(sum[0], upper).sum;
        all.mean = vec_avg8(all.mean, sum[2].mean);
    }
    return all;
}

/* A step of a digit: all planes, but for 4 bits. */
TEMPLATE struct sum8 digit_sum(const uint8_t *step, const uint8_t *tables, const int width,
                               const enum part part, const bool split)
{
    const int planes = width == TMAC_WIDTH_4 ? 2 : planes_of(width);
    const uint8_t *again = vec_opaque(step);
    struct sum8 sum[3], other[3];

    look_up4(step, again, tables, 0, part, planes, split, sum);
    if (is_whole(part)) {
        look_up4(step, again, tables, 2, part, planes, split, other);
        join_planes(sum, other, planes);
    }
    return join_weighted(sum, width);
}

/* `fold` steps in one reduction. */
TEMPLATE struct sum16 digit_total(const struct stream *from, const int width, const int digit,
                                  const enum part part, const int fold, const bool split)
{
    const uint8_t *codes = from->codes + (size_t)digit * 2 * plane_bytes(split);
    const int planes_log2 = width == TMAC_WIDTH_1 ? 0 : width == TMAC_WIDTH_TERNARY ? 1 : width == TMAC_WIDTH_3 ? 3 : 2;
    const int entries_log2 = part == WHOLE_STEP ? 3 : part == FAST_STEP ? 1 : 2;
    struct sum8 sum[4];

    UNROLL
    for (int s = 0; s < fold; s++) {
        sum[s] = digit_sum(codes + (size_t)s * step_bytes(width, split),
                           from->tables + (size_t)s * from->table_stride, width, part, split);
        if (s % 2)
            sum[s - 1] = sum8_join(sum[s - 1], sum[s]);
    }
    if (fold == 4)
        sum[0] = sum8_join(sum[0], sum[2]);
    return sum8_total(sum[0], entries_log2 + planes_log2 + fold / 2);
}

TEMPLATE struct sum16 total(const struct stream *from, const int width, const enum part part,
                            const int fold, const bool split)
{
    const struct sum16 low = digit_total(from, width, 0, part, fold, split);

    if (width != TMAC_WIDTH_4)
        return low;
    const struct stream again = {from->codes, vec_opaque(from->tables), from->table_stride};
    return sum16_add(low, sum16_times4(digit_total(&again, width, 1, part, fold, split)));
}

/* What the entries' + 128 adds up to per step; with means also the 1/2 that two averages round up by
 * in the middle. */
TEMPLATE int step_bias(const int width, const enum part part)
{
    const int weight = width == TMAC_WIDTH_TERNARY ? 2 : (1 << planes_of(width)) - 1;

    return weight * (part == WHOLE_STEP ? 128 * 8 : part == FAST_STEP ? 2 * 128 + 1 : 128 * 4);
}

TEMPLATE void advance(struct stream *at, const int steps, const size_t bytes)
{
    at->codes += (size_t)steps * bytes;
    at->tables += (size_t)steps * at->table_stride;
}

/* Half-bytes to bytes for every plane of `steps` cells. */
TEMPLATE void split_cells(const uint8_t *codes, int steps, const int width, uint8_t *split)
{
    for (int i = 0; i < steps * planes_of(width); i++, codes += 4 * ROWS, split += 8 * ROWS) {
        UNROLL
        for (int j = 0; j < 4; j++) {
            const vec low = low_index(codes + j * ROWS);
            vec_store(split + j * ROWS, low);
            vec_store(split + (4 + j) * ROWS, high_index(low, codes + j * ROWS));
        }
    }
}

#endif
