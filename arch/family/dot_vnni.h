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

/* Adds codes times the four activations `at` of x. */
INLINE dot_sum dot(dot_sum sum, vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    (void)width;
    return vec_dpbusd(sum, codes, vec_broadcast4(x + 4 * at));
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
    const int bits = field_bits(width);

    return bits == 8 ? 1 : bits == 4 || !several_steps ? 2 : 4;
}

/* Sums per position: two chains of vpdpbusd per row vector, 5 cycles per link, would not fill two ports.
 * Where fields are shifted there is work enough beside theirs. */
INLINE int gemv_chains(const tmac_width width)
{
    return width == TMAC_WIDTH_4 ? 2 : width == TMAC_WIDTH_8 ? 4 : 1;
}

#endif
