/* SPDX-License-Identifier: MIT
 * Table builds. Every rounding is prescribed by arch/kernels.h. */
#include "avx512.h"

#include <float.h>
#include <math.h>

/* A block's greatest magnitude and what follows from it. Magnitudes are compared as integers: a
 * float without sign orders like its bits, with NaN above infinity, so that NaN wins. */
struct block_max {
    float max;
    float factor; /* what multiplies values on their way to int8; 0 for an all zero block */
};

INLINE __m512i magnitude(__m512 x)
{
    return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}

INLINE float bits_to_float(int bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE float quantizer(float max)
{
    return max >= TMAC_TINY && max <= FLT_MAX ? 127.0f / max : 0.0f;
}

/* 0 for a block that counts as zero, NaN for one that is not finite. */
INLINE float block_meta(float max, float value)
{
    return max <= FLT_MAX ? (max >= TMAC_TINY ? value : 0.0f) : NAN;
}

/* Lanes in the order of struct tmac_build: j and j+4, j and j+2, 0 and 1. */
INLINE float block_sum(const float *x, int count)
{
    __m256 lane = _mm256_setzero_ps();

    for (int i = 0; i < count; i += 8)
        lane = _mm256_add_ps(lane, _mm256_loadu_ps(x + i));
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(lane), _mm256_extractf128_ps(lane, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

/* (|x0| + |x1|) + (|x2| + |x3|) of each group of 4, in all its lanes. */
INLINE __m512i lookup_magnitude(const float *x)
{
    const __m512 value = _mm512_castsi512_ps(magnitude(_mm512_loadu_ps(x)));
    const __m512 pairs = _mm512_add_ps(value, _mm512_permute_ps(value, 0xB1));

    return _mm512_castps_si512(_mm512_add_ps(pairs, _mm512_permute_ps(pairs, 0x4E)));
}

INLINE float lookup_max(const float *x, int count)
{
    __m512i max = lookup_magnitude(x);

    for (int i = 16; i < count; i += 16)
        max = _mm512_max_epi32(max, lookup_magnitude(x + i));
    return bits_to_float(_mm512_reduce_max_epi32(max));
}

/* 4 tables, a lane of 128 bits each: from 16 activations to 64 entries.
 *
 * low[i] = +-x0 +-x1 and high[i] = +-x2 +-x3, + where a bit of i is set; entry 4h + l is
 * high[h] + low[l], so that quarter h of all tables is `low` plus one element of `high`. */
INLINE __m512i lookup_tables(const float *x, __m512 factor)
{
    const __m512 value = _mm512_loadu_ps(x);
    const __m512 first = _mm512_castsi512_ps(_mm512_broadcast_i32x4(
        _mm_setr_epi32(INT32_MIN, 0, INT32_MIN, 0))); /* the sign of x0, x2 */
    const __m512 second =
        _mm512_castsi512_ps(_mm512_broadcast_i32x4(_mm_setr_epi32(INT32_MIN, INT32_MIN, 0, 0)));
    const __m512 low = _mm512_add_ps(_mm512_xor_ps(_mm512_permute_ps(value, 0x00), first),
                                     _mm512_xor_ps(_mm512_permute_ps(value, 0x55), second));
    const __m512 high = _mm512_add_ps(_mm512_xor_ps(_mm512_permute_ps(value, 0xAA), first),
                                      _mm512_xor_ps(_mm512_permute_ps(value, 0xFF), second));
    const __m512i q0 = _mm512_cvtps_epi32(
        _mm512_mul_ps(_mm512_add_ps(low, _mm512_permute_ps(high, 0x00)), factor));
    const __m512i q1 = _mm512_cvtps_epi32(
        _mm512_mul_ps(_mm512_add_ps(low, _mm512_permute_ps(high, 0x55)), factor));
    const __m512i q2 = _mm512_cvtps_epi32(
        _mm512_mul_ps(_mm512_add_ps(low, _mm512_permute_ps(high, 0xAA)), factor));
    const __m512i q3 = _mm512_cvtps_epi32(
        _mm512_mul_ps(_mm512_add_ps(low, _mm512_permute_ps(high, 0xFF)), factor));

    return _mm512_packs_epi16(_mm512_packs_epi32(q0, q1), _mm512_packs_epi32(q2, q3));
}

/* Flipping the top bit adds 128: U8 from S8. */
INLINE void build_lookup(const struct tmac_build *build, const char flip)
{
    for (int b = 0; b < build->blocks; b++) {
        const size_t begin = (size_t)b * (size_t)build->block_k;
        const float *x = build->x + begin;
        const float max = lookup_max(x, build->block_k), factor = quantizer(max);
        const size_t meta = (size_t)b * build->meta_stride;

        for (int k = 0; k < build->block_k; k += 16) {
            const size_t at = begin + (size_t)k;
            uint8_t *to =
                build->tables + at / TMAC_STEP_K * build->step_stride + at % TMAC_STEP_K / 16 * 64;
            /* Infinity times 0 would convert to INT32_MIN. */
            __m512i entries = _mm512_setzero_si512();

            if (factor != 0)
                entries = lookup_tables(x + k, _mm512_set1_ps(factor));
            _mm512_storeu_si512(to, _mm512_xor_si512(entries, _mm512_set1_epi8(flip)));
        }
        build->scale[meta] = block_meta(max, max / 127.0f * 0.5f);
        build->sum[meta] = block_meta(max, block_sum(x, build->block_k));
    }
}

void avx512_build_lookup_u8(const struct tmac_build *build)
{
    build_lookup(build, (char)0x80);
}

void avx512_build_lookup_s8(const struct tmac_build *build)
{
    build_lookup(build, 0);
}

INLINE float int8_max(const float *x, int count)
{
    __m512i max = magnitude(_mm512_loadu_ps(x));

    for (int i = 16; i < count; i += 16)
        max = _mm512_max_epi32(max, magnitude(_mm512_loadu_ps(x + i)));
    return bits_to_float(_mm512_reduce_max_epi32(max));
}

/* 16 activations: stored as int8 by groups of 4, and returned as int32. Values past int8, which a
 * given scale may make, keep their low byte, as in the scalar conversion. */
INLINE __m512i int8_groups(const float *x, float factor, uint8_t *to, size_t group_stride)
{
    const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), _mm512_set1_ps(factor)));
    const __m128i bytes = _mm512_cvtepi32_epi8(q);

    if (group_stride == 4) {
        _mm_storeu_si128((__m128i *)to, bytes);
    } else {
        _mm_storeu_si32(to, bytes);
        _mm_storeu_si32(to + group_stride, _mm_shuffle_epi32(bytes, 1));
        _mm_storeu_si32(to + 2 * group_stride, _mm_shuffle_epi32(bytes, 2));
        _mm_storeu_si32(to + 3 * group_stride, _mm_shuffle_epi32(bytes, 3));
    }
    return _mm512_cvtepi8_epi32(bytes);
}

INLINE void int8_zeros(uint8_t *to, size_t group_stride)
{
    for (size_t g = 0; g < 4; g++)
        memset(to + g * group_stride, 0, 4);
}

void avx512_build_int8(const struct tmac_build *build)
{
    for (int b = 0; b < build->blocks; b++) {
        const size_t begin = (size_t)b * (size_t)build->block_k;
        const float *x = build->x + begin;
        const float max =
            build->given ? fabsf(build->given[b]) * 127.0f : int8_max(x, build->block_k);
        const float scale = build->given ? build->given[b] : max / 127.0f;
        const float factor = build->given && quantizer(max) != 0 ? 1.0f / scale : quantizer(max);
        const size_t meta = (size_t)b * build->meta_stride;
        __m512i sum = _mm512_setzero_si512();

        for (int k = 0; k < build->block_k; k += 16) {
            const size_t at = begin + (size_t)k;
            uint8_t *to = build->tables + at / TMAC_STEP_K * build->step_stride +
                          at % TMAC_STEP_K / 4 * build->group_stride;
            if (factor != 0)
                sum = _mm512_add_epi32(sum, int8_groups(x + k, factor, to, build->group_stride));
            else
                int8_zeros(to, build->group_stride);
        }
        build->scale[meta] = block_meta(max, scale);
        build->sum[meta] = block_meta(max, scale * (float)_mm512_reduce_add_epi32(sum));
    }
}
