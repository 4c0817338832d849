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

/* For nested_many.h, whose sums start from numbers of 32 bits: not of words, but the template mentions it. */
INLINE dot_sum dot_from(vec lanes)
{
    return lanes;
}

/* Codes times the four activations `at` of x. */
INLINE dot_sum dot_start(vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    const vec four = vec_broadcast4(x + 4 * at);
    const vec x_even = vec_sra16(vec_left16(four, 8), 8), x_odd = vec_sra16(four, 8);
    const vec even = vec_and(codes, vec_words(0xff)), odd = vec_right16(codes, 8);

    if (width == TMAC_WIDTH_8)
        return vec_add32(vec_madd16(even, x_even), vec_madd16(odd, x_odd));
    return vec_maddubs(codes, four);
}

/* The same, added to a sum; in this order: gcc would turn a chain of additions into a tree, whose terms
 * wait for it in registers. */
INLINE dot_sum dot(dot_sum sum, vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    const vec product = dot_start(codes, x, at, width);

    return vec_here(width == TMAC_WIDTH_8 ? vec_add32(sum, product) : vec_add16(sum, product));
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

/* ---- NESTED: integers of groups times their sub-scales ------------------------------------------
 * The two words that a row has of a group, at most 8 * 2 * 128 * 15 = 30720 for 32 activations, are added
 * up by the vpmaddwd that scales them. */

/* sum + a.low * b.low + a.high * b.high, of signed words */
INLINE vec scale_pairs(vec sum, vec a, vec b)
{
    return vec_add32(sum, vec_madd16(a, b));
}

/* How several inputs take the sub-scale of group `which` of a pair. */
INLINE vec group_sub(vec pair, const int which)
{
    return vec_both_words(pair, which);
}

INLINE vec scale_group(vec sum, dot_sum group, vec sub)
{
    return scale_pairs(sum, group, sub);
}

/* Sums that a group of 32 activations takes. */
INLINE int group_parts(const bool centred)
{
    (void)centred;
    return 1;
}

/* 4 bits: the high half-bytes are what an XOR with the low ones leaves. That reads the bytes again (`again` is
 * `cell`, which the compiler must not know), but as an operand, and it is the number of instructions that
 * counts. */
INLINE void halves_4(const uint8_t *cell, const uint8_t *x, const int v, const int vectors,
                     dot_sum low[], dot_sum high[])
{
    const uint8_t *again = vec_opaque(cell);

    UNROLL
    for (int z = 0; z < 4; z++) {
        UNROLL
        for (int i = 0; i < vectors; i++) {
            const vec codes = vec_and(vec_bytes(15), slice_vector(cell, z, v + i));
            const vec upper = vec_xor(codes, slice_vector(again, z, v + i));
            const vec shifted = vec_right16(upper, 4);

            low[i] =
                z ? dot(low[i], codes, x, z, TMAC_WIDTH_4) : dot_start(codes, x, z, TMAC_WIDTH_4);
            high[i] = z ? dot(high[i], shifted, x, 4 + z, TMAC_WIDTH_4)
                        : dot_start(shifted, x, 4 + z, TMAC_WIDTH_4);
        }
    }
}

/* 2 bits: the two fields of a half-byte are masked in place, and the sum of the upper ones is 4 times too
 * great. */
INLINE dot_sum half_2(const uint8_t *cell, const uint8_t *x, const int v, const int half)
{
    dot_sum sum[2];

    UNROLL
    for (int z = 0; z < 2; z++) {
        const vec fields = fields_moved(slice_vector(cell, z, v), 4 * half, 0);

        UNROLL
        for (int j = 0; j < 2; j++) {
            const vec codes = vec_and(fields, vec_bytes((char)(3 << 2 * j)));
            const int group = 4 * half + 2 * j + z;

            sum[j] = z ? dot(sum[j], codes, x, group, TMAC_WIDTH_2)
                       : dot_start(codes, x, group, TMAC_WIDTH_2);
        }
    }
    return vec_add16(sum[0], vec_sra16(sum[1], 2));
}

/* The sums of both halves of a step. */
INLINE void step_halves(const uint8_t *cell, const uint8_t *x, const tmac_width width, const int v,
                        const int vectors, dot_sum low[], dot_sum high[])
{
    const int bits = field_bits(width), in_byte = GROUPS / bits;

    if (width == TMAC_WIDTH_4) {
        halves_4(cell, x, v, vectors, low, high);
        return;
    }
    if (width == TMAC_WIDTH_2) {
        UNROLL
        for (int i = 0; i < vectors; i++) {
            low[i] = half_2(cell, x, v + i, 0);
            high[i] = half_2(cell, x, v + i, 1);
        }
        return;
    }
    UNROLL
    for (int z = 0; z < bits; z++) {
        UNROLL
        for (int i = 0; i < vectors; i++) {
            const vec fields = field_vector(cell, width, z, v + i);

            UNROLL
            for (int j = 0; j < in_byte; j++) {
                const int group = z + bits * j;
                const vec codes = field_codes(fields, width, j);
                dot_sum *to = group < 4 ? &low[i] : &high[i];

                *to = group % 4 ? dot(*to, codes, x, group, width)
                                : dot_start(codes, x, group, width);
            }
        }
    }
}

/* Adds a step of one input, for row vectors from v on, scaled by the pair of words in `sub`: each half by its
 * own, or `wide` both by word `which`. */
INLINE void nested_step(vec sum[], const uint8_t *cell, const uint8_t *x, const tmac_width width,
                        const int v, const int vectors, const vec sub[], const bool wide,
                        const int which)
{
    dot_sum low[ROW_VECTORS], high[ROW_VECTORS];

    step_halves(cell, x, width, v, vectors, low, high);
    UNROLL
    for (int i = 0; i < vectors; i++) {
        if (wide) {
            sum[i] = scale_pairs(sum[i], vec_add16(low[i], high[i]), vec_both_words(sub[i], which));
        } else {
            sum[i] = scale_pairs(sum[i], low[i], vec_both_words(sub[i], 0));
            sum[i] = scale_pairs(sum[i], high[i], vec_both_words(sub[i], 1));
        }
    }
}

#endif
