/* SPDX-License-Identifier: MIT
 * Lookup in cells in which a byte is a row: one instruction looks up a vector of rows in a table of 16
 * entries. Sums are exact, by averages of bytes (lookup_sums.h). An integer stage (lookup_stage.h) for
 * kinds of one input at a time, split or not; FAST_STEP for any width but 4 bits and whole steps only.
 * A vector is all rows of a tile: VEC_BYTES are TILE_ROWS, on AVX2 32, on AVX-512 64. */
#ifndef TMAC_FAMILY_LOOKUP_AVERAGE_H
#define TMAC_FAMILY_LOOKUP_AVERAGE_H

#include "lookup_stage.h"
#include "lookup_sums.h"

_Static_assert((int)VEC_BYTES == (int)TILE_ROWS, "a vector is all rows of a tile");

INLINE int inputs_of(const struct lookup_kind kind)
{
    (void)kind;
    return 1;
}

/* Indices from the half-bytes of a vector of a cell: the low ones; the high ones, beside these, from the
 * same bytes read `again`; the high ones alone. */
INLINE vec low_index(const uint8_t *at)
{
    return vec_and(vec_bytes(15), vec_load(at));
}

INLINE vec high_index(vec low, const uint8_t *again)
{
    return vec_right16(vec_xor(low, vec_load(again)), 4);
}

INLINE vec upper_index(const uint8_t *at)
{
    return vec_right16(vec_and(vec_bytes((char)0xf0), vec_load(at)), 4);
}

INLINE struct sum8 look_up(vec table0, vec index0, vec table1, vec index1)
{
    const vec a = vec_look_up(table0, index0);
    const vec b = vec_look_up(table1, index1);

    return (struct sum8){vec_here(vec_add8(a, b)), vec_avg8(a, b)};
}

/* Tables j and 4 + j, which share the bytes of a cell, or of a half step 2j and 2j + 1. Every plane
 * uses a table while it is in a register. The bytes of a cell are read twice, as operands of two
 * instructions: a load of its own would be one more micro-operation, and the kernels of AVX2 are bound
 * by the four that a core can start in a cycle. `again` is `step`, but the compiler must not know, for
 * it would join the loads. */
INLINE void look_up2(const uint8_t *step, const uint8_t *again, const uint8_t *tables, const int j,
                     const enum part part, const int planes, const bool split, struct sum8 *sum)
{
    const int g0 = is_whole(part) ? j : 2 * j + (part == HIGH_HALF ? 4 : 0);
    const int g1 = is_whole(part) ? j + 4 : g0 + 1;
    const vec table0 = vec_table(tables + 16 * g0), table1 = vec_table(tables + 16 * g1);

    UNROLL
    for (int p = 0; p < planes; p++) {
        const size_t plane = (size_t)p * plane_bytes(split);
        const size_t at0 = plane + (size_t)(split ? g0 : g0 % 4) * VEC_BYTES;
        const size_t at1 = plane + (size_t)(split ? g1 : g1 % 4) * VEC_BYTES;
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

INLINE void join_planes(struct sum8 *sum, const struct sum8 *other, const int planes)
{
    UNROLL
    for (int p = 0; p < planes; p++)
        sum[p] = sum8_join(sum[p], other[p]);
}

INLINE void look_up4(const uint8_t *step, const uint8_t *again, const uint8_t *tables, const int j,
                     const enum part part, const int planes, const bool split, struct sum8 *sum)
{
    struct sum8 other[3];

    look_up2(step, again, tables, j, part, planes, split, sum);
    look_up2(step, again, tables, j + 1, part, planes, split, other);
    join_planes(sum, other, planes);
    if (part == FAST_STEP) /* one entry from here on: the sums above are not computed */
        for (int p = 0; p < planes; p++)
            sum[p].sum = sum[p].mean;
}

/* (sum2 * 2 + sum1) * 2 + sum0 from above, the means from below. */
INLINE struct sum8 join_weighted(const struct sum8 *sum, const int width)
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

/* A step of a digit: all planes, but for 4 bits two. */
INLINE struct sum8 digit_sum(const uint8_t *step, const uint8_t *tables, const int width,
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
INLINE struct sum16 digit_total(const struct stream *from, const int width, const int digit,
                                const enum part part, const int fold, const bool split)
{
    const uint8_t *codes = from->codes + (size_t)digit * 2 * plane_bytes(split);
    const int entries_log2 = part == WHOLE_STEP ? 3 : part == FAST_STEP ? 1 : 2;
    struct sum8 sum[4];

    UNROLL
    for (int s = 0; s < fold; s++) {
        if (!split && digit == 0)
            vec_prefetch(codes + (size_t)s * step_bytes(width, false), step_bytes(width, false));
        sum[s] = digit_sum(codes + (size_t)s * step_bytes(width, split),
                           from->tables + (size_t)s * from->table_stride, width, part, split);
        if (s % 2)
            sum[s - 1] = sum8_join(sum[s - 1], sum[s]);
    }
    if (fold == 4)
        sum[0] = sum8_join(sum[0], sum[2]);
    return sum8_total(sum[0], entries_log2 + sum8_planes_log2(width) + fold / 2);
}

INLINE struct sum16 total(const struct stream *from, const int width, const enum part part,
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
INLINE int step_bias(const int width, const enum part part)
{
    const int weight = width == TMAC_WIDTH_TERNARY ? 2 : (1 << planes_of(width)) - 1;

    return weight * (part == WHOLE_STEP ? 128 * 8 : part == FAST_STEP ? 2 * 128 + 1 : 128 * 4);
}

/* Steps that one reduction takes: see lookup_sums.h. */
INLINE int most_folded(const int width)
{
    return width == TMAC_WIDTH_3 || width == TMAC_WIDTH_4 ? 1 : width == TMAC_WIDTH_2 ? 2 : 4;
}

/* Steps that fit 16 bits without a sign: 255 * 8 * 7 * 4 = 57120 at 3 bits, and for two steps of 4
 * bits 255 * 8 * 15 * 2 = 61200. */
INLINE void short_integers(const struct stream *at, const int steps, const int width,
                           const enum part part, const bool split, vecf rows[VECTORS])
{
    const int most = most_folded(width), fold = steps < most ? steps : most;
    const vecf bias = vecf_all(0x1p23f + (float)(step_bias(width, part) * steps));
    struct stream from = *at;
    struct sum16 sum;

    for (int s = 0; s < steps; s += fold, from = stream_after(&from, fold, width, split)) {
        const struct sum16 more = total(&from, width, part, fold, split);
        sum = s ? sum16_add(sum, more) : more;
    }
    vec_to_floats(sum.low, sum.high, bias, rows);
}

INLINE void lookup_integers(const struct stream *at, const enum part part,
                            const struct lookup_kind kind, vecf rows[][VECTORS])
{
    const int steps = kind.steps ? kind.steps : 1;
    const bool widened = kind.width == TMAC_WIDTH_4 && steps > 2;

    short_integers(at, widened ? 2 : steps, kind.width, part, kind.split, rows[0]);
    if (widened) {
        const struct stream second = stream_after(at, 2, kind.width, kind.split);
        vecf more[VECTORS];

        short_integers(&second, steps - 2, kind.width, part, kind.split, more);
        UNROLL
        for (int i = 0; i < VECTORS; i++)
            rows[0][i] = vecf_add(rows[0][i], more[i]);
    }
}

/* Half-bytes to bytes, for every plane of `steps` cells. */
INLINE void lookup_split(const uint8_t *codes, const int steps, const int width, uint8_t *split)
{
    for (int i = 0; i < steps * planes_of(width);
         i++, codes += 4 * TILE_ROWS, split += 8 * TILE_ROWS)
        for (int at = 0; at < 4 * TILE_ROWS; at += VEC_BYTES) {
            const vec low = low_index(codes + at);

            vec_store(split + at, low);
            vec_store(split + 4 * TILE_ROWS + at, high_index(low, codes + at));
        }
}

#endif
