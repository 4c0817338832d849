/* SPDX-License-Identifier: MIT
 * Table build in plain C. Every rounding here is prescribed by arch/kernels.h. */
#include "scalar.h"

#include <float.h>
#include <math.h>

static float block_sum(const float *x, int count)
{
    float lane[8] = {0};

    for (int i = 0; i < count; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += x[i + j];
    for (int half = 4; half; half /= 2)
        for (int j = 0; j < half; j++)
            lane[j] += lane[j + half];
    return lane[0];
}

/* The greater magnitude, where NaN is greater than all. */
static float max_magnitude(float max, float value)
{
    const float magnitude = fabsf(value);
    return isnan(max) || magnitude <= max ? max : magnitude;
}

static float lookup_max(const float *x, int count)
{
    float max = 0;

    for (int i = 0; i < count; i += 4)
        max = max_magnitude(max,
                            (fabsf(x[i]) + fabsf(x[i + 1])) + (fabsf(x[i + 2]) + fabsf(x[i + 3])));
    return max;
}

static float int8_max(const float *x, int count)
{
    float max = 0;

    for (int i = 0; i < count; i++)
        max = max_magnitude(max, x[i]);
    return max;
}

/* What multiplies values on their way to int8; 0 for a block that counts as zero or is not finite.
 */
static float quantizer(float max)
{
    return max >= TMAC_TINY && max <= FLT_MAX ? 127.0f / max : 0.0f;
}

/* 0 for a block that counts as zero, NaN for one that is not finite. */
static float block_meta(float max, float value)
{
    return max <= FLT_MAX ? (max >= TMAC_TINY ? value : 0.0f) : NAN;
}

/* 0 * infinity would be NaN, whose conversion is undefined. */
static int8_t to_int8(float value, float factor)
{
    return factor == 0.0f ? 0 : (int8_t)lrintf(value * factor);
}

static void lookup_table(const float *x, float factor, uint8_t flip, uint8_t *table)
{
    for (int c = 0; c < 16; c++) {
        const float low = (c & 1 ? x[0] : -x[0]) + (c & 2 ? x[1] : -x[1]);
        const float high = (c & 4 ? x[2] : -x[2]) + (c & 8 ? x[3] : -x[3]);
        table[c] = (uint8_t)to_int8(low + high, factor) ^ flip;
    }
}

/* Flipping the top bit adds 128: U8 from S8. */
static void build_lookup(const struct tmac_build *build, uint8_t flip)
{
    for (int b = 0; b < build->blocks; b++) {
        const float *x = build->x + (size_t)b * (size_t)build->block_k;
        const float max = lookup_max(x, build->block_k), factor = quantizer(max);

        for (int k = 0; k < build->block_k; k += 4) {
            const size_t at = (size_t)b * (size_t)build->block_k + (size_t)k;
            uint8_t *step = build->tables + at / TMAC_STEP_K * build->step_stride;
            lookup_table(x + k, factor, flip, step + at % TMAC_STEP_K / 4 * 16);
        }
        build->scale[(size_t)b * build->meta_stride] = block_meta(max, max / 127.0f * 0.5f);
        build->sum[(size_t)b * build->meta_stride] = block_meta(max, block_sum(x, build->block_k));
    }
}

void scalar_build_lookup_u8(const struct tmac_build *build)
{
    build_lookup(build, 0x80);
}

void scalar_build_lookup_s8(const struct tmac_build *build)
{
    build_lookup(build, 0);
}

void scalar_build_int8(const struct tmac_build *build)
{
    for (int b = 0; b < build->blocks; b++) {
        const float *x = build->x + (size_t)b * (size_t)build->block_k;
        const float max =
            build->given ? fabsf(build->given[b]) * 127.0f : int8_max(x, build->block_k);
        const float scale = build->given ? build->given[b] : max / 127.0f;
        const float factor = build->given && quantizer(max) != 0 ? 1.0f / scale : quantizer(max);
        int32_t sum = 0;

        for (int k = 0; k < build->block_k; k++) {
            const size_t at = (size_t)b * (size_t)build->block_k + (size_t)k;
            uint8_t *step = build->tables + at / TMAC_STEP_K * build->step_stride;
            const int8_t x8 = to_int8(x[k], factor);

            step[at % TMAC_STEP_K / 4 * build->group_stride + at % 4] = (uint8_t)x8;
            sum += x8;
        }
        build->scale[(size_t)b * build->meta_stride] = block_meta(max, scale);
        build->sum[(size_t)b * build->meta_stride] = block_meta(max, scale * (float)sum);
    }
}
