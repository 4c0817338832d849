/* SPDX-License-Identifier: MIT
 * The dot product by vpmaddubsw, which multiplies unsigned codes by int8 activations and adds pairs into
 * 16 bits: at most 2 * 128 * 15 = 3840 (given int8 activations reach -128). Words take as many as fit,
 * then vpmaddwd adds the two words of a row.
 *
 * 8 bits would not fit even one: codes and activations become words, those of even and of odd bytes,
 * and vpmaddwd multiplies them, into 32 bits at once. What depends on codes or activations only the
 * compiler computes once for all sums.
 * Parameters: vec_maddubs(), vec_madd16(). */
#ifndef TMAC_DOT_WORDS_H
#define TMAC_DOT_WORDS_H

#include "codes.h"

typedef vec dot_sum;

INLINE dot_sum dot_zero(void)
{
    return vec_zero();
}

INLINE vec dot_of_words(vec sum, vec codes, vec x)
{
    const vec x_even = vec_sra16(vec_left16(x, 8), 8), x_odd = vec_sra16(x, 8);
    const vec even = vec_and(codes, vec_words(0xff)), odd = vec_right16(codes, 8);

    sum = vec_here(vec_add32(sum, vec_madd16(even, x_even)));
    return vec_here(vec_add32(sum, vec_madd16(odd, x_odd)));
}

/* Adds codes times the four activations `at` of x. */
INLINE dot_sum dot(dot_sum sum, vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    const vec four = vec_broadcast4(x + 4 * at);

    if (width == TMAC_WIDTH_8)
        return dot_of_words(sum, codes, four);
    /* In this order: gcc would turn a chain of additions into a tree, whose terms wait for it in
     * registers. */
    return vec_here(vec_add16(sum, vec_maddubs(codes, four)));
}

INLINE vec dot_rows(dot_sum sum, const tmac_width width)
{
    return width == TMAC_WIDTH_8 ? sum : vec_madd16(sum, vec_words(1));
}

/* Whether a sum takes a whole block. */
INLINE bool dot_is_wide(const tmac_width width)
{
    return width == TMAC_WIDTH_8;
}

/* Steps that a sum takes where gemv has so many places: 8 / places groups of each step. 4 bits: 1, 3: 2,
 * 2: 5, 1: 15. */
INLINE int dot_steps(const tmac_width width, const int places)
{
    const int most = code_mask(width) << (places - 1) * field_bits(width);

    return dot_is_wide(width) ? TMAC_MAX_BLOCK_K / TMAC_STEP_K
                              : INT16_MAX / (GROUPS / places * 2 * 128 * most);
}

/* Positions that gemv sums apart, and sums for each. */
INLINE int gemv_places(const tmac_width width, const bool several_steps)
{
    (void)width;
    (void)several_steps;
    return 1;
}

INLINE int gemv_chains(const tmac_width width)
{
    (void)width;
    return 1;
}

#endif
