/* SPDX-License-Identifier: MIT
 * Table build. Every rounding here is prescribed by arch/kernels.h. */
#include "neon.h"

#include <float.h>
#include <math.h>

static float block_sum(const float *x, int count)
{
    float32x4_t low = vdupq_n_f32(0), high = vdupq_n_f32(0);
    float32x2_t pair;

    for (int i = 0; i < count; i += 8) {
        low = vaddq_f32(low, vld1q_f32(x + i));
        high = vaddq_f32(high, vld1q_f32(x + i + 4));
    }
    low = vaddq_f32(low, high);
    pair = vadd_f32(vget_low_f32(low), vget_high_f32(low));
    return vget_lane_f32(pair, 0) + vget_lane_f32(pair, 1);
}

/* Magnitudes compare as integers, and a NaN is greater than infinity there, so it wins. */
NEON_INLINE uint32x4_t max_bits(uint32x4_t max, float32x4_t magnitude)
{
    return vmaxq_u32(max, vreinterpretq_u32_f32(vabsq_f32(magnitude)));
}

static float max_float(uint32x4_t bits)
{
    return vgetq_lane_f32(vreinterpretq_f32_u32(vdupq_n_u32(vmaxvq_u32(bits))), 0);
}

static float lookup_max(const float *x, int count)
{
    uint32x4_t max = vdupq_n_u32(0);

    for (int i = 0; i < count; i += 16) {
        const float32x4_t a = vabsq_f32(vld1q_f32(x + i)), b = vabsq_f32(vld1q_f32(x + i + 4));
        const float32x4_t c = vabsq_f32(vld1q_f32(x + i + 8)), d = vabsq_f32(vld1q_f32(x + i + 12));
        max = max_bits(max, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
    }
    return max_float(max);
}

static float int8_max(const float *x, int count)
{
    uint32x4_t max = vdupq_n_u32(0);

    for (int i = 0; i < count; i += 4)
        max = max_bits(max, vld1q_f32(x + i));
    return max_float(max);
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

/* 8 values to bytes. */
NEON_INLINE int8x8_t quantize(float32x4_t a, float32x4_t b, float factor)
{
    const int32x4_t low = vcvtnq_s32_f32(vmulq_n_f32(a, factor));
    const int32x4_t high = vcvtnq_s32_f32(vmulq_n_f32(b, factor));
    return vmovn_s16(vcombine_s16(vmovn_s32(low), vmovn_s32(high)));
}

/* The sums of two activations with signs -,- +,- -,+ +,+. */
NEON_INLINE float32x4_t signed_pairs(const float *x)
{
    static const uint32_t first_sign[4] = {1u << 31, 0, 1u << 31, 0};
    static const uint32_t second_sign[4] = {1u << 31, 1u << 31, 0, 0};
    const uint32x4_t first = vreinterpretq_u32_f32(vld1q_dup_f32(x));
    const uint32x4_t second = vreinterpretq_u32_f32(vld1q_dup_f32(x + 1));

    return vaddq_f32(vreinterpretq_f32_u32(veorq_u32(first, vld1q_u32(first_sign))),
                     vreinterpretq_f32_u32(veorq_u32(second, vld1q_u32(second_sign))));
}

/* Entries 0..7 have -x3; 15-t is -t, also when rounded. */
NEON_INLINE void lookup_table(const float *x, float factor, uint8x16_t flip, uint8_t *table)
{
    const float32x4_t low = signed_pairs(x), high = signed_pairs(x + 2);
    const int8x8_t entry = quantize(vaddq_f32(low, vdupq_laneq_f32(high, 0)),
                                    vaddq_f32(low, vdupq_laneq_f32(high, 1)), factor);
    const int8x16_t entries = vcombine_s8(entry, vrev64_s8(vneg_s8(entry)));

    vst1q_u8(table, veorq_u8(vreinterpretq_u8_s8(entries), flip));
}

/* Flipping the top bit adds 128: U8 from S8. */
static void build_lookup(const struct tmac_build *build, uint8x16_t flip)
{
    for (int b = 0; b < build->blocks; b++) {
        const size_t begin = (size_t)b * (size_t)build->block_k;
        const size_t meta = (size_t)b * build->meta_stride;
        const float *x = build->x + begin;
        const float max = lookup_max(x, build->block_k), factor = quantizer(max);

        for (int k = 0; k < build->block_k; k += 4) {
            const size_t at = begin + (size_t)k;
            uint8_t *table =
                build->tables + at / TMAC_STEP_K * build->step_stride + at % TMAC_STEP_K / 4 * 16;

            if (factor == 0.0f) /* 0 * infinity would be NaN */
                vst1q_u8(table, flip);
            else
                lookup_table(x + k, factor, flip, table);
        }
        build->scale[meta] = block_meta(max, max / 127.0f * 0.5f);
        build->sum[meta] = block_meta(max, block_sum(x, build->block_k));
    }
}

void neon_build_lookup_u8(const struct tmac_build *build)
{
    build_lookup(build, vdupq_n_u8(0x80));
}

void neon_build_lookup_s8(const struct tmac_build *build)
{
    build_lookup(build, vdupq_n_u8(0));
}

/* 16 activations, 4 to a group; returns their sum. */
NEON_INLINE int32_t int8_groups(const float *x, float factor, uint8_t *to, size_t stride)
{
    int8x16_t x8 = vdupq_n_s8(0);
    uint32x4_t groups;

    if (factor != 0.0f)
        x8 = vcombine_s8(quantize(vld1q_f32(x), vld1q_f32(x + 4), factor),
                         quantize(vld1q_f32(x + 8), vld1q_f32(x + 12), factor));
    groups = vreinterpretq_u32_s8(x8);
    vst1q_lane_u32((uint32_t *)(void *)to, groups, 0);
    vst1q_lane_u32((uint32_t *)(void *)(to + stride), groups, 1);
    vst1q_lane_u32((uint32_t *)(void *)(to + 2 * stride), groups, 2);
    vst1q_lane_u32((uint32_t *)(void *)(to + 3 * stride), groups, 3);
    return vaddlvq_s8(x8);
}

void neon_build_int8(const struct tmac_build *build)
{
    for (int b = 0; b < build->blocks; b++) {
        const size_t begin = (size_t)b * (size_t)build->block_k;
        const size_t meta = (size_t)b * build->meta_stride;
        const float *x = build->x + begin;
        const float max =
            build->given ? fabsf(build->given[b]) * 127.0f : int8_max(x, build->block_k);
        const float scale = build->given ? build->given[b] : max / 127.0f;
        const float factor = build->given && quantizer(max) != 0 ? 1.0f / scale : quantizer(max);
        int32_t sum = 0;

        for (int k = 0; k < build->block_k; k += 16) {
            const size_t at = begin + (size_t)k;
            uint8_t *to = build->tables + at / TMAC_STEP_K * build->step_stride +
                          at % TMAC_STEP_K / 4 * build->group_stride;
            sum += int8_groups(x + k, factor, to, build->group_stride);
        }
        build->scale[meta] = block_meta(max, scale);
        build->sum[meta] = block_meta(max, scale * (float)sum);
    }
}
