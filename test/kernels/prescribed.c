/* SPDX-License-Identifier: MIT */
#include "prescribed.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "half.h"

/* ---- tables ---------------------------------------------------------------------------------- */

static float sum_of(const float *x, int count, float factor)
{
    float lane[8] = {0};

    for (int i = 0; i < count; i++)
        lane[i % 8] += x[i] * factor;
    for (int half = 4; half; half /= 2)
        for (int j = 0; j < half; j++)
            lane[j] += lane[j + half];
    return lane[0];
}

/* The greater magnitude, where NaN is greater than all. */
static float greater(float max, float value)
{
    const float magnitude = fabsf(value);
    return isnan(max) || magnitude <= max ? max : magnitude;
}

static float block_max(const float *x, int count, bool lookup)
{
    float max = 0;

    for (int i = 0; i < count; i += 4)
        if (lookup)
            max =
                greater(max, (fabsf(x[i]) + fabsf(x[i + 1])) + (fabsf(x[i + 2]) + fabsf(x[i + 3])));
        else
            for (int j = i; j < i + 4; j++)
                max = greater(max, x[j]);
    return max;
}

/* A block that counts as zero, or that has NaN or infinity in it, has `zero` entries. */
static bool counts(float max)
{
    return max >= TMAC_TINY && max <= FLT_MAX;
}

static float meta(float max, float value)
{
    return counts(max) ? value : max < TMAC_TINY ? 0.0f : NAN;
}

static float entry(const float *x, int c)
{
    const float low = (c & 1 ? x[0] : -x[0]) + (c & 2 ? x[1] : -x[1]);
    const float high = (c & 4 ? x[2] : -x[2]) + (c & 8 ? x[3] : -x[3]);
    return low + high;
}

/* T and S of a block; returns what a unit of S is. */
static float lookup_group_sums(const struct tmac_build *build, const float *x, float scale,
                               int16_t *to)
{
    const int groups = build->block_k / build->group_k;
    const bool zero = !(scale > 0);
    float u[TMAC_MAX_BLOCK_K / 16], most = 0;

    for (int g = 0; g < groups; g++) {
        u[g] = zero ? 0 : sum_of(x + g * build->group_k, build->group_k, 1 / scale);
        most = fmaxf(most, fabsf(u[g]));
    }
    for (int g = 0; g < groups; g++) {
        int16_t *pair = to + (size_t)(g / 2) * build->meta_stride * 4 + g % 2;
        pair[0] = (int16_t)lrintf(16 * u[g]);
        pair[2] = (int16_t)(most < 0x1p-10f ? 0 : lrintf(u[g] * (127 / most)));
    }
    return isnan(scale) ? NAN : most < 0x1p-10f ? 0 : scale * (most / 127);
}

static void lookup_block(const struct tmac_build *build, int block, enum tmac_table_kind kind)
{
    const size_t begin = (size_t)block * (size_t)build->block_k,
                 at = (size_t)block * build->meta_stride;
    const float *x = build->x + begin, max = block_max(x, build->block_k, true);
    const float factor = 127.0f / max, scale = meta(max, max / 127.0f * 0.5f);

    for (size_t k = 0; k < (size_t)build->block_k; k += 4)
        for (int c = 0; c < 16; c++) {
            const size_t step = (begin + k) / TMAC_STEP_K, table = (begin + k) % TMAC_STEP_K / 4;
            const int value = counts(max) ? (int)lrintf(entry(x + k, c) * factor) : 0;
            build->tables[step * build->step_stride + table * 16 + (size_t)c] =
                (uint8_t)(kind == TMAC_TABLE_U8 ? value + 128 : value);
        }
    build->scale[at] = scale;
    build->sum[at] = meta(max, sum_of(x, build->block_k, 1));
    if (build->group_k)
        build->sum[at] = lookup_group_sums(build, x, scale,
                                           build->group_sum + begin / (size_t)build->group_k / 2 *
                                                                  build->meta_stride * 4);
}

static void int8_block(const struct tmac_build *build, int block)
{
    const size_t begin = (size_t)block * (size_t)build->block_k,
                 at = (size_t)block * build->meta_stride;
    const float *given = build->given ? &build->given[block] : NULL;
    const float max =
        given ? fabsf(*given) * 127.0f : block_max(build->x + begin, build->block_k, false);
    const float scale = given ? *given : max / 127.0f,
                factor = given ? 1.0f / *given : 127.0f / max;
    int sum = 0, group = 0;

    for (size_t k = begin; k < begin + (size_t)build->block_k; k++) {
        const int x8 = !counts(max) ? 0
                       : build->x8  ? build->x8[k]
                                    : (int)lrintf(build->x[k] * factor);
        build->tables[k / TMAC_STEP_K * build->step_stride +
                      k % TMAC_STEP_K / 4 * build->group_stride + k % 4] = (uint8_t)x8;
        sum += x8;
        if (build->group_k) {
            const size_t g = k / (size_t)build->group_k;
            group = k % (size_t)build->group_k ? group + x8 : x8;
            build->group_sum[g / 2 * build->meta_stride * 2 + g % 2] = (int16_t)group;
        }
    }
    build->scale[at] = meta(max, scale);
    build->sum[at] = meta(max, scale * (float)sum);
}

void prescribed_build(const struct tmac_build *build, enum tmac_table_kind kind)
{
    for (int b = 0; b < build->blocks; b++)
        if (kind == TMAC_TABLE_INT8)
            int8_block(build, b);
        else
            lookup_block(build, b, kind);
}

/* ---- scales ---------------------------------------------------------------------------------- */

static float load_scale(tmac_scale_type type, const uint8_t *from, int index)
{
    float value;
    uint16_t half;

    memcpy(&half, from + 2 * index, sizeof half);
    if (type != TMAC_SCALE_F32)
        return type == TMAC_SCALE_F16 ? half_to_float(half) : bf16_to_float(half);
    memcpy(&value, from + 4 * index, sizeof value);
    return value;
}

/* Row r of group g. */
static void expand_one(const struct tmac_expand *expand, int g, int r)
{
    const struct tmac_scale_format *format = expand->format;
    const struct tmac_scale_geometry geometry = tmac_scale_geometry(format, expand->tile_rows);
    const int rows = expand->tile_rows, at = g * rows + r;
    const int64_t group = expand->group + g, super = group / format->super_groups;
    const uint8_t *head = expand->packed + (size_t)super * geometry.super;
    const uint8_t *own =
        head + geometry.head + (size_t)(group - super * format->super_groups) * geometry.group;
    float scale, minimum = 1;

    scale = load_scale(format->type, head, r);
    if (format->zero == TMAC_ZERO_MINIMUM)
        minimum = load_scale(format->type, head, rows + r);
    if (format->sub == TMAC_SUB_I8) {
        scale *= (float)(int8_t)own[r];
        own += rows;
        if (format->zero == TMAC_ZERO_MINIMUM)
            minimum *= (float)own[r];
    } else if (format->sub == TMAC_SUB_U4) {
        scale *= (float)(own[r] % 16);
        minimum *= (float)(own[r] / 16);
        own += rows;
    }
    expand->scale[at] = scale;
    if (format->zero == TMAC_ZERO_POINT)
        expand->minimum[at] = -(scale * (float)own[r]);
    else if (format->zero == TMAC_ZERO_MINIMUM)
        expand->minimum[at] = minimum;
}

void prescribed_expand(const struct tmac_expand *expand)
{
    for (int g = 0; g < expand->groups; g++)
        for (int r = 0; r < expand->tile_rows; r++)
            expand_one(expand, g, r);
}
