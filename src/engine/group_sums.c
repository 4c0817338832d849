/* SPDX-License-Identifier: MIT
 * arch/kernels.h says what these are. */
#include "engine/group_sums.h"

#include <math.h>
#include <string.h>

void tmac_sum_int8_groups(const struct tmac_build *build, int group_k, int16_t *sums)
{
    const int quads = group_k / 4, groups = build->blocks * build->block_k / group_k;
    const size_t batch = build->meta_stride;

    for (int g = 0; g < groups; g++) {
        const uint8_t *x = build->tables + (size_t)(g * quads) * build->group_stride;
        int sum = 0;

        for (int q = 0; q < quads; q++, x += build->group_stride)
            for (int i = 0; i < 4; i++)
                sum += (int8_t)x[i];
        sums[(size_t)(g / 2) * batch * 2 + (size_t)(g % 2)] = (int16_t)sum;
    }
}

/* The sum of count * 8 activations times `factor`, lane by lane so that compilers vectorize it. */
static float sum_scaled(const float *x, int count, float factor)
{
    float lane[8] = {0};

    for (; count > 0; count--, x += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += x[j] * factor;
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* To the nearest integer, ties to even, of a magnitude below 2^22: where a float has no room for
 * fractions, its low bits are the integer. (lrintf would be a call.) */
static int16_t round_even(float x)
{
    const float moved = x + 0x1.8p23f;
    uint32_t bits;

    memcpy(&bits, &moved, sizeof bits);
    return (int16_t)((int32_t)(bits & 0x7fffff) - 0x400000);
}

/* One block: T and S of its groups, and what a unit of S stands for. */
static float sum_block(const float *x, int groups, int group_k, float scale, size_t batch,
                       int16_t *sums)
{
    const bool counts = scale > 0.0f; /* neither 0 nor NaN */
    const float unit = counts ? 1.0f / scale : 0.0f;
    float u[TMAC_MAX_BLOCK_K / 16], most = 0.0f;

    for (int g = 0; g < groups; g++) {
        u[g] = counts ? sum_scaled(x + g * group_k, group_k / 8, unit) : 0.0f;
        most = fabsf(u[g]) > most ? fabsf(u[g]) : most;
    }
    const float factor = most >= 0x1p-10f ? 127.0f / most : 0.0f;
    for (int g = 0; g < groups; g++) {
        int16_t *pair = sums + (size_t)(g / 2) * batch * 4 + (size_t)(g % 2);
        pair[0] = round_even(16.0f * u[g]);
        pair[2] = round_even(u[g] * factor);
    }
    return factor == 0.0f && counts ? 0.0f : scale * (most / 127.0f);
}

void tmac_sum_lookup_groups(const struct tmac_build *build, int group_k, int16_t *sums)
{
    const int groups = build->block_k / group_k;
    const size_t batch = build->meta_stride;

    for (int b = 0; b < build->blocks; b++) {
        const size_t meta = (size_t)b * batch;
        build->sum[meta] =
            sum_block(build->x + (size_t)b * (size_t)build->block_k, groups, group_k,
                      build->scale[meta], batch, sums + (size_t)(b * groups / 2) * batch * 4);
    }
}
