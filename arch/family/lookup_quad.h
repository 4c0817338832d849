/* SPDX-License-Identifier: MIT
 * Lookup in QUAD: a 32-bit lane is a row, and its four bytes are looked up in four tables of signed
 * entries at once; a dot product multiplies the four by their plane's weight and adds them to the lane.
 * Exact at any block: 32 lookups * 15 * 127 < 2^24. An integer stage (lookup_stage.h) for any kind but
 * by averages. Ops beside the set's:
 *     quad_tables         four tables, a type
 *     quad_load           of a half step
 *     quad_index          from the low or high half-bytes of a vector of a cell, byte j for table j
 *     quad_look_up        the entries
 *     quad_dot            sum + weights * entries, weights of 1 to 8
 *     QUAD_INPUTS         of several, how many at once: 1; or 2, in long blocks 4
 *     QUAD_LOOP           before loops over planes and steps: UNROLL, or ROLLED where width and steps are
 *                         no constants */
#ifndef TMAC_FAMILY_LOOKUP_QUAD_H
#define TMAC_FAMILY_LOOKUP_QUAD_H

#include "lookup_stage.h"

/* Blocks whose indices are too many for the registers: these are read from memory, step by step. */
INLINE bool is_long(const struct lookup_kind kind)
{
    return kind.steps * planes_of(kind.width) > 4;
}

/* Several inputs share what is read of the indices. */
INLINE int inputs_of(const struct lookup_kind kind)
{
    if (!kind.split || QUAD_INPUTS == 1)
        return 1;
    return is_long(kind) && kind.steps == 4 ? 2 * QUAD_INPUTS : QUAD_INPUTS;
}

/* Index vectors of a plane: [low, high][VECTORS] half-bytes. */
INLINE vec quad_index_at(const uint8_t *plane, const bool high, const int i, const bool split)
{
    const uint8_t *at = plane + i * (int)sizeof(vec);

    return split ? vec_load(at + high * 4 * TILE_ROWS) : quad_index(vec_load(at), high);
}

/* One plane, one half of the step's tables, all rows. */
INLINE void quad_half(const uint8_t *plane, const uint8_t *tables, const bool high, vec weights,
                      const struct lookup_kind kind, vec sum[][VECTORS])
{
    UNROLL
    for (int n = 0; n < inputs_of(kind); n++) {
        const quad_tables four = quad_load(tables + n * TABLE_STEP + 64 * high);
        UNROLL
        for (int i = 0; i < VECTORS; i++) {
            const vec index = quad_index_at(plane, high, i, kind.split);
            sum[n][i] = quad_dot(sum[n][i], weights, quad_look_up(four, index));
        }
    }
}

/* Whether the high half-bytes have sums of their own, sum[1]: so few rows of one input are too few chains of
 * vpdpbusd, whose links take 5 cycles where two ports need less than 4. */
INLINE bool has_two_sums(const enum part part, const struct lookup_kind kind)
{
    return VECTORS < 4 && !kind.split && is_whole(part);
}

INLINE void quad_step(const struct stream *step, const enum part part,
                      const struct lookup_kind kind, vec sum[][VECTORS])
{
    const int high = has_two_sums(part, kind);

    if (!kind.split)
        vec_prefetch(step->codes, step_bytes(kind.width, false));
    QUAD_LOOP
    for (int p = 0; p < planes_of(kind.width); p++) {
        const uint8_t *plane = step->codes + (size_t)p * plane_bytes(kind.split);
        const vec weights = vec_bytes(kind.width == TMAC_WIDTH_TERNARY ? 1 : (char)(1 << p));

        if (part != HIGH_HALF)
            quad_half(plane, step->tables, false, weights, kind, sum);
        if (part != LOW_HALF)
            quad_half(plane, step->tables, true, weights, kind, sum + high);
    }
}

INLINE void lookup_integers(const struct stream *at, const enum part part,
                            const struct lookup_kind kind, vecf rows[][VECTORS])
{
    const int steps = kind.steps ? kind.steps : 1;
    struct stream step = *at;
    vec sum[MOST_INPUTS][VECTORS];

    for (int n = 0; n < inputs_of(kind) + has_two_sums(part, kind); n++)
        for (int i = 0; i < VECTORS; i++)
            sum[n][i] = vec_zero();
    if (is_long(kind)) { /* gcc would keep a second copy of the indices if this were unrolled */
        for (int s = 0; s < steps; s++, step = stream_after(&step, 1, kind.width, kind.split))
            quad_step(&step, part, kind, sum);
    } else {
        QUAD_LOOP
        for (int s = 0; s < steps; s++, step = stream_after(&step, 1, kind.width, kind.split))
            quad_step(&step, part, kind, sum);
    }
    for (int i = 0; has_two_sums(part, kind) && i < VECTORS; i++)
        sum[0][i] = vec_add32(sum[0][i], sum[1][i]);
    for (int n = 0; n < inputs_of(kind); n++)
        for (int i = 0; i < VECTORS; i++)
            rows[n][i] = vecf_convert(sum[n][i]);
}

INLINE void lookup_split(const uint8_t *codes, const int steps, const int width, uint8_t *split)
{
    QUAD_LOOP
    for (int plane = 0; plane < steps * planes_of(width); plane++) {
        UNROLL
        for (int i = 0; i < 2 * VECTORS; i++)
            vec_store(
                split + (plane * 2 * VECTORS + i) * (int)sizeof(vec),
                quad_index_at(codes + plane * 4 * TILE_ROWS, i / VECTORS, i % VECTORS, false));
    }
}

#endif
