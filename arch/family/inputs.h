/* SPDX-License-Identifier: MIT
 * Activations to what kernels multiply with: lookup tables, int8, sums. arch/contract.h prescribes every
 * rounding and its order; they are written here and nowhere else.
 *
 * Of a set's operations this takes, besides vecf_load, vecf_all and LANES (a multiple of 4, at most 16),
 * the section "floats: inputs and scales". */
#ifndef TMAC_FAMILY_INPUTS_H
#define TMAC_FAMILY_INPUTS_H

#include "contract.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- blocks ---------------------------------------------------------------------------------- */

/* What multiplies values on their way to int8; 0 for a block that counts as zero or is not finite. */
INLINE float block_factor(float max)
{
    return max >= TMAC_TINY && max <= FLT_MAX ? 127.0f / max : 0.0f;
}

/* 0 for a block that counts as zero, NaN for one that is not finite. */
INLINE float block_meta(float max, float value)
{
    return max <= FLT_MAX ? (max >= TMAC_TINY ? value : 0.0f) : NAN;
}

/* The sum of x * factor, or of x itself. */
INLINE float block_sum(const float *x, const int count, const bool scaled, float factor)
{
    typedef float four __attribute__((vector_size(16)));
    typedef float eight __attribute__((vector_size(32)));
    eight lanes = {0}, v;
    four half[2];

    for (int i = 0; i < count; i += 8) {
        memcpy(&v, x + i, sizeof v);
        lanes += scaled ? v * factor : v;
    }
    memcpy(half, &lanes, sizeof half);
    half[0] += half[1];
    return (half[0][0] + half[0][2]) + (half[0][1] + half[0][3]);
}

/* Magnitudes order like integers, with NaN above infinity, so that NaN wins. */
INLINE vecf magnitude(vecf x)
{
    return (vecf)((veci)x & INT32_MAX);
}

INLINE float greatest(veci magnitudes)
{
    const int32_t most = veci_most(magnitudes);
    float max;

    memcpy(&max, &most, sizeof max);
    return max;
}

/* ---- lookup ---------------------------------------------------------------------------------- */

/* The greatest (|x0| + |x1|) + (|x2| + |x3|). */
INLINE float lookup_max(const float *x, int count)
{
    veci max = {0};

    for (int i = 0; i < count; i += LANES) {
        const vecf v = magnitude(vecf_load(x + i)), pairs = v + vecf_fours(v, 1, 0, 3, 2);
        max = veci_max(max, (veci)(pairs + vecf_fours(pairs, 2, 3, 0, 1)));
    }
    return greatest(max);
}

static const int32_t lookup_signs[2][16] = {
#define MINUS INT32_MIN
    {MINUS, 0, MINUS, 0, MINUS, 0, MINUS, 0, MINUS, 0, MINUS, 0, MINUS, 0, MINUS, 0},
    {0, 0, MINUS, MINUS, 0, 0, MINUS, MINUS, 0, 0, MINUS, MINUS, 0, 0, MINUS, MINUS},
#undef MINUS
};

/* The tables of LANES activations. Of each only entries 0..7 are computed: entry 15-c is minus entry c,
 * since every rounding on the way is symmetric; so is entry 3-c of low.
 *     pairs  -x0-x1, x0-x1, -x2-x3, x2-x3       low  -x0-x1, x0-x1, -(x0-x1), -(-x0-x1) */
INLINE void lookup_tables(const float *x, vecf factor, uint8_t flip, uint8_t *to)
{
    veci first, second;
    memcpy(&first, lookup_signs[0], sizeof first);
    memcpy(&second, lookup_signs[1], sizeof second);

    const vecf v = vecf_load(x), even = vecf_fours(v, 0, 0, 2, 2), odd = vecf_fours(v, 1, 1, 3, 3);
    const vecf pairs = (vecf)((veci)even ^ first) - odd;
    const vecf low = (vecf)((veci)vecf_fours(pairs, 0, 1, 1, 0) ^ second);

    tables_store(to, vecf_round((low + vecf_fours(pairs, 2, 2, 2, 2)) * factor),
                 vecf_round((low + vecf_fours(pairs, 3, 3, 3, 3)) * factor), flip);
}

/* To the nearest integer, ties to even, of a magnitude below 2^22: where a float has no room for
 * fractions, its low bits are the integer. (lrintf would be a call.) */
INLINE int32_t round_even(float x)
{
    const float moved = x + 0x1.8p23f;
    int32_t bits;

    memcpy(&bits, &moved, sizeof bits);
    return bits - 0x4b400000;
}

/* T and S of a block's groups; returns what a unit of S stands for. */
INLINE float lookup_group_sums(const struct tmac_build *build, int block, float scale,
                               const int group_k)
{
    const int groups = build->block_k / group_k;
    const float *x = build->x + (size_t)block * (size_t)build->block_k;
    const bool counts = scale > 0.0f; /* neither 0 nor NaN */
    const float unit = counts ? 1.0f / scale : 0.0f;
    int16_t *to = build->group_sum + (size_t)(block * groups / 2) * build->meta_stride * 4;
    float u[8] = {0}, most = 0.0f;
    int32_t t[8], s[8];

    for (int g = 0; g < groups && counts; g++) {
        u[g] = block_sum(x + g * group_k, group_k, true, unit);
        most = fabsf(u[g]) > most ? fabsf(u[g]) : most;
    }
    const float factor = most >= 0x1p-10f ? 127.0f / most : 0.0f;
    for (int g = 0; g < 8; g++) {
        t[g] = round_even(u[g] * 16.0f);
        s[g] = round_even(u[g] * factor);
    }
    for (int g = 0; g < groups; g++, to += g % 2 ? 1 : build->meta_stride * 4 - 1) {
        to[0] = (int16_t)t[g];
        to[2] = (int16_t)s[g];
    }
    return factor == 0.0f && counts ? 0.0f : scale * (most / 127.0f);
}

/* U8 is S8 with the top bit flipped, which adds 128. */
INLINE void build_lookup(const struct tmac_build *build, const uint8_t flip)
{
    for (int b = 0; b < build->blocks; b++) {
        const size_t begin = (size_t)b * (size_t)build->block_k,
                     meta = (size_t)b * build->meta_stride;
        const float *x = build->x + begin;
        const float max = lookup_max(x, build->block_k), factor = block_factor(max);
        const float scale = block_meta(max, max / 127.0f * 0.5f);

        build->scale[meta] = scale;
        if (!build->group_k)
            build->sum[meta] = block_meta(max, block_sum(x, build->block_k, false, 1));
        for (int k = 0; k < build->block_k; k += 16) {
            const size_t at = begin + (size_t)k;
            uint8_t *to =
                build->tables + at / TMAC_STEP_K * build->step_stride + at % TMAC_STEP_K * 4;

            if (factor == 0.0f) /* 0 * infinity would be NaN */
                memset(to, flip, 64);
            else
                for (int i = 0; i < 16; i += LANES)
                    lookup_tables(x + k + i, vecf_all(factor), flip, to + 4 * i);
        }
        if (build->group_k == 16)
            build->sum[meta] = lookup_group_sums(build, b, scale, 16);
        else if (build->group_k == 32)
            build->sum[meta] = lookup_group_sums(build, b, scale, 32);
    }
}

static void build_u8(const struct tmac_build *build)
{
    build_lookup(build, 0x80);
}

static void build_s8(const struct tmac_build *build)
{
    build_lookup(build, 0);
}

/* ---- int8 ------------------------------------------------------------------------------------ */

INLINE float int8_max(const float *x, int count)
{
    veci max = {0};

    for (int i = 0; i < count; i += LANES)
        max = veci_max(max, (veci)magnitude(vecf_load(x + i)));
    return greatest(max);
}

/* Four groups of 4 go where their inputs' neighbours leave room. */
INLINE void int8_store(bytes16 bytes, uint8_t *to, size_t stride)
{
    typedef uint32_t groups4 __attribute__((vector_size(16)));
    const groups4 groups = (groups4)bytes;

    if (stride == 4) {
        memcpy(to, &bytes, sizeof bytes);
        return;
    }
    for (int g = 0; g < 4; g++, to += stride) {
        const uint32_t group = groups[g];
        memcpy(to, &group, sizeof group);
    }
}

/* `count` int8, a multiple of 16; returns their sum. */
INLINE int32_t int8_run(const struct tmac_build *build, size_t begin, int count, float factor)
{
    const size_t stride = build->group_stride;
    sums16 sums = {0};

    for (size_t at = begin; at < begin + (size_t)count; at += 16) {
        uint8_t *step = build->tables + at / TMAC_STEP_K * build->step_stride;
        bytes16 bytes = {0};

        if (factor != 0.0f && build->x8)
            memcpy(&bytes, build->x8 + at, sizeof bytes);
        else if (factor != 0.0f) /* 0 * infinity would be NaN */
            bytes = bytes16_quantize(build->x + at, factor);
        int8_store(bytes, step + at % TMAC_STEP_K / 4 * stride, stride);
        sums = sums16_add(sums, bytes);
    }
    return sums16_total(sums, count);
}

/* Group by group, a block; returns the sum of all. */
INLINE int32_t int8_groups(const struct tmac_build *build, size_t begin, const int group_k,
                           float factor)
{
    const size_t pair = build->meta_stride * 2;
    int16_t *to = build->group_sum + begin / (size_t)group_k / 2 * pair;
    int32_t sum = 0;

    for (int k = 0; k < build->block_k; k += 2 * group_k, to += pair)
        for (int i = 0; i < 2; i++) {
            const int32_t group =
                int8_run(build, begin + (size_t)(k + i * group_k), group_k, factor);
            to[i] = (int16_t)group;
            sum += group;
        }
    return sum;
}

static void build_int8(const struct tmac_build *build)
{
    for (int b = 0; b < build->blocks; b++) {
        const size_t begin = (size_t)b * (size_t)build->block_k,
                     meta = (size_t)b * build->meta_stride;
        const float *given = build->given;
        const float max =
            given ? fabsf(given[b]) * 127.0f : int8_max(build->x + begin, build->block_k);
        const float scale = given ? given[b] : max / 127.0f;
        const float factor = given && block_factor(max) != 0.0f ? 1.0f / scale : block_factor(max);
        const int32_t sum = build->group_k == 16   ? int8_groups(build, begin, 16, factor)
                            : build->group_k == 32 ? int8_groups(build, begin, 32, factor)
                                                   : int8_run(build, begin, build->block_k, factor);

        build->scale[meta] = block_meta(max, scale);
        build->sum[meta] = block_meta(max, scale * (float)sum);
    }
}

#endif
