/* SPDX-License-Identifier: MIT
 * The dot product by vpdpbusd: unsigned codes times int8 activations, four neighbouring products added
 * into the row's 32-bit lane. Exact at any block: 128 * 255 * 128 < 2^24.
 *
 * gemv masks codes where they stand in their byte, and sums each position on its own. To shift fields
 * down first makes fewer positions, which pays as long as a block is too short for more of them.
 * Parameters: vec_dpbusd(), vec_dpwssd(). */
#ifndef TMAC_DOT_VNNI_H
#define TMAC_DOT_VNNI_H

#include "codes.h"

typedef vec dot_sum;

INLINE dot_sum dot_zero(void)
{
    return vec_zero();
}

/* A sum that starts from numbers of 32 bits. */
INLINE dot_sum dot_from(vec lanes)
{
    return lanes;
}

/* Adds codes times the four activations `at` of x. */
INLINE dot_sum dot(dot_sum sum, vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    (void)width;
    return vec_dpbusd(sum, codes, vec_broadcast4(x + 4 * at));
}

INLINE dot_sum dot_start(vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    return dot(vec_zero(), codes, x, at, width);
}

INLINE vec dot_rows(dot_sum sum, const tmac_width width)
{
    (void)width;
    return sum;
}

/* Whether a sum takes a whole block. */
INLINE bool dot_is_wide(const tmac_width width)
{
    (void)width;
    return true;
}

/* Steps that a sum takes where gemv has so many places. */
INLINE int dot_steps(const tmac_width width, const int places)
{
    (void)width;
    (void)places;
    return TMAC_MAX_BLOCK_K / TMAC_STEP_K;
}

/* Positions that gemv sums apart. */
INLINE int gemv_places(const tmac_width width, const bool several_steps)
{
    const int bits = field_bits(width), most = several_steps ? GEMV_SUMS : 2;

    return GROUPS / bits < most ? GROUPS / bits : most;
}

/* Sums per position: two chains of vpdpbusd per row vector, 5 cycles per link, would not fill two ports.
 * Where fields are shifted there is work enough beside theirs. */
INLINE int gemv_chains(const tmac_width width)
{
    return width == TMAC_WIDTH_4 ? GEMV_SUMS / 2 : width == TMAC_WIDTH_8 ? GEMV_SUMS : 1;
}

/* ---- NESTED: integers of groups times their sub-scales -----------------------------------------
 * The sum of 16 activations, at most 16 * 15 * 128 = 30720, fits a word, and vpdpwssd scales two words of a
 * row at once. Groups of 32 are taken as two halves that share their sub-scale, or centred: see
 * nested_panels.h. */

/* sum + a.low * b.low + a.high * b.high, of signed words */
INLINE vec scale_pairs(vec sum, vec a, vec b)
{
    return vec_dpwssd(sum, a, b);
}

/* How several inputs take the sub-scale of group `which` of a pair: below, and 0 above it. */
INLINE vec group_sub(vec pair, const int which)
{
    return which ? vec_right32_unsigned(pair, 16) : vec_and(pair, vec_lanes(0xffff));
}

INLINE vec scale_group(vec sum, dot_sum group, vec sub)
{
    return scale_pairs(sum, group, sub);
}

/* Sums that a group of 32 activations takes. */
INLINE int group_parts(const bool centred)
{
    return centred ? 1 : 2;
}

/* The sums of both halves of a step as pairs of words. Fields are masked in place and summed apart; those of
 * the upper half-bytes are 16 times too great, which the shift up to the high word makes up for. */
INLINE vec step_pairs(const uint8_t *cell, const uint8_t *x, const tmac_width width, const int v)
{
    const int bits = field_bits(width), in_byte = GROUPS / bits;
    dot_sum sum[4] = {dot_zero(), dot_zero(), dot_zero(), dot_zero()};
    vec low, high;

    UNROLL
    for (int z = 0; z < bits; z++) {
        const vec fields = field_vector(cell, width, z, v);

        UNROLL
        for (int j = 0; j < in_byte; j++) {
            const int s = bits == GROUPS ? z / 4 : j;
            const vec codes =
                in_byte == 1 ? field_codes(fields, width, 0)
                             : vec_and(fields, vec_bytes((char)(code_mask(width) << bits * j)));
            sum[s] = dot(sum[s], codes, x, z + bits * j, width);
        }
    }
    low = bits == 2 ? vec_add32(sum[0], vec_right32(sum[1], 2)) : sum[0];
    high = bits == 2 ? vec_add32(sum[2], vec_right32(sum[3], 2)) : sum[1];
    return vec_pairs(low, vec_left32(high, bits == GROUPS ? 16 : 12));
}

/* Adds a step of one input, for row vectors from v on, scaled by the pair of words in `sub`: each half by its
 * own, or `wide` both by word `which`. */
INLINE void nested_step(vec sum[], const uint8_t *cell, const uint8_t *x, const tmac_width width,
                        const int v, const int vectors, const vec sub[], const bool wide,
                        const int which)
{
    UNROLL
    for (int i = 0; i < vectors; i++)
        sum[i] = scale_pairs(sum[i], step_pairs(cell, x, width, v + i),
                             wide ? vec_both_words(sub[i], which) : sub[i]);
}

#endif
