/* SPDX-License-Identifier: MIT
 * The dot product by SDOT: signed codes times int8 activations, four neighbouring products added into the row's
 * 32-bit lane. Exact at any block. The activations of 4 groups (or of 4 inputs of one) are a register, of which
 * SDOT takes a lane.
 *
 * Codes of 8 bits become signed by taking 128 away, which is the activations' sum times 128 too little. That sum
 * is the same for all rows: `lack` is one chain for all of them, which compilers find out. */
#ifndef TMAC_DOT_SDOT_H
#define TMAC_DOT_SDOT_H

#include "../family/codes.h"

enum {
    GEMV_VECTORS = 4, /* at once, with so many sums each: */
    GEMV_SUMS = 4,
    PASS_SUMS = 16,
    UNPACKED_INPUTS = 8
};

typedef struct {
    vec rows, lack; /* the sum is rows - lack */
} dot_sum;

INLINE dot_sum dot_zero(void)
{
    return (dot_sum){vec_zero(), vec_zero()};
}

/* A sum that starts from numbers of 32 bits. */
INLINE dot_sum dot_from(vec lanes)
{
    return (dot_sum){lanes, vec_zero()};
}

/* Of the four activations `at` of x, lane `at` % 4 of a register. As with vpdpbusd (inline.h) gcc 12 copies sums
 * around the intrinsics. */
INLINE vec sdot(vec sum, vec codes, const uint8_t *x, const int at)
{
    const vec four = vec_load(x + at / 4 * 16);

#if defined(__clang__) || !defined(__OPTIMIZE__)
    const int32x4_t rows = (int32x4_t)sum;
    const int8x16_t a = (int8x16_t)codes, b = (int8x16_t)four;

    return (vec)(at % 4 == 0   ? vdotq_laneq_s32(rows, a, b, 0)
                 : at % 4 == 1 ? vdotq_laneq_s32(rows, a, b, 1)
                 : at % 4 == 2 ? vdotq_laneq_s32(rows, a, b, 2)
                               : vdotq_laneq_s32(rows, a, b, 3));
#else
    __asm__("sdot %0.4s, %1.16b, %2.4b[%3]" : "+w"(sum) : "w"(codes), "w"(four), "n"(at % 4));
    return sum;
#endif
}

/* Adds codes times the four activations `at` of x. */
INLINE dot_sum dot(dot_sum sum, vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    if (width == TMAC_WIDTH_8) {
        codes = veorq_u8(codes, vec_bytes((char)128));
        sum.lack = sdot(sum.lack, vec_bytes(-128), x, at);
    }
    sum.rows = sdot(sum.rows, codes, x, at);
    return sum;
}

INLINE dot_sum dot_start(vec codes, const uint8_t *x, const int at, const tmac_width width)
{
    return dot(dot_zero(), codes, x, at, width);
}

INLINE vec dot_rows(dot_sum sum, const tmac_width width)
{
    return width == TMAC_WIDTH_8 ? vec_sub32(sum.rows, sum.lack) : sum.rows;
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

/* Positions that gemv sums apart: codes stay where they are as long as that is a positive signed byte. */
INLINE int gemv_places(const tmac_width width, const bool several_steps)
{
    return width == TMAC_WIDTH_1                                  ? (several_steps ? 4 : 2)
           : width == TMAC_WIDTH_2 || width == TMAC_WIDTH_TERNARY ? (several_steps ? 3 : 2)
           : width == TMAC_WIDTH_3                                ? 2
                                                                  : 1;
}

/* Sums per position: 4 row vectors are chains enough for two pipes. */
INLINE int gemv_chains(const tmac_width width)
{
    (void)width;
    return 1;
}

#include "../family/nested_lanes.h"

#endif
