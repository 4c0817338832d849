/* SPDX-License-Identifier: MIT
 * Without dot products: signed byte products, added up in 16 bits.
 *
 *     SMLAL  low  += codes of rows 0, 1 * activations      8 words: k .. k+3 | k .. k+3
 *     SMLAL2 high += codes of rows 2, 3 * activations
 *     SADDLP each, ADDP low, high                          4 rows of 32 bits
 *
 * A word takes one product of at most 128 * code per group (given int8 activations reach -128), 8 per step; see
 * dot_steps(). Codes of 8 bits become signed by taking 128 away. Only one of their products fits a word: low and
 * high are 32-bit lanes then, SADALP adds two words to each. What they are short of, 128 times the activations'
 * sum, is the same for all rows: `more` is one chain for all of them, which compilers find out. */
#ifndef TMAC_DOT_SMLAL_H
#define TMAC_DOT_SMLAL_H

#include "../family/codes.h"

enum {
    GEMV_VECTORS = 4, /* at once, with so many sums each: */
    GEMV_SUMS = 1,
    PASS_SUMS = 8, /* of two registers */
    UNPACKED_INPUTS = 4
};

typedef struct {
    vec low, high, more; /* `more`: of 32 bits, to be added to the rows */
} dot_sum;

INLINE dot_sum dot_zero(void)
{
    return (dot_sum){vec_zero(), vec_zero(), vec_zero()};
}

/* A sum that starts from numbers of 32 bits. */
INLINE dot_sum dot_from(vec lanes)
{
    return (dot_sum){vec_zero(), vec_zero(), lanes};
}

INLINE vec add_neighbours32(vec a, vec b)
{
    return (vec)vpaddq_s32((int32x4_t)a, (int32x4_t)b);
}

INLINE dot_sum add_words(dot_sum sum, int8x16_t codes, int8x16_t four)
{
    sum.low = (vec)vmlal_s8((int16x8_t)sum.low, vget_low_s8(codes), vget_low_s8(four));
    sum.high = (vec)vmlal_high_s8((int16x8_t)sum.high, codes, four);
    return sum;
}

INLINE dot_sum add_lanes(dot_sum sum, int8x16_t codes, int8x16_t four)
{
    const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(four));

    sum.low = (vec)vpadalq_s16((int32x4_t)sum.low, low);
    sum.high = (vec)vpadalq_s16((int32x4_t)sum.high, vmull_high_s8(codes, four));
    return sum;
}

/* Adds codes times the four activations `at` of x. */
INLINE dot_sum dot(dot_sum sum, vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    const int8x16_t four = (int8x16_t)vec_broadcast4(x + 4 * at);

    if (width != TMAC_WIDTH_8)
        return add_words(sum, (int8x16_t)codes, four);
    const vec lack = add_lanes(dot_zero(), vdupq_n_s8(-128), four).low;
    sum.more = vec_sub32(sum.more, add_neighbours32(lack, lack));
    return add_lanes(sum, (int8x16_t)veorq_u8(codes, vec_bytes((char)128)), four);
}

INLINE dot_sum dot_start(vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    return dot(dot_zero(), codes, x, at, width);
}

INLINE vec dot_rows(dot_sum sum, const tmac_width width)
{
    if (width != TMAC_WIDTH_8) {
        sum.low = (vec)vpaddlq_s16((int16x8_t)sum.low);
        sum.high = (vec)vpaddlq_s16((int16x8_t)sum.high);
    }
    return vec_add32(add_neighbours32(sum.low, sum.high), sum.more);
}

/* Whether a sum takes a whole block. */
INLINE bool dot_is_wide(const tmac_width width)
{
    return width == TMAC_WIDTH_8;
}

/* Steps that a sum takes. 4 bits: 2, 3: 4, 2: 10, 1: 31. */
INLINE int dot_steps(const tmac_width width, const int places)
{
    (void)places;
    return dot_is_wide(width) ? TMAC_MAX_BLOCK_K / TMAC_STEP_K
                              : INT16_MAX / (GROUPS * 128 * code_mask(width));
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

#include "../family/nested_lanes.h"

#endif
