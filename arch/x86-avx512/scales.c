/* SPDX-License-Identifier: MIT
 * Packed scales to floats. */
#include "avx512.h"

INLINE __m512 load_16_scales(tmac_scale_type type, const uint8_t *at)
{
    if (type == TMAC_SCALE_F32)
        return _mm512_loadu_ps(at);
    const __m256i half = _mm256_loadu_si256((const __m256i *)at);
    if (type == TMAC_SCALE_F16)
        return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

INLINE __m512 load_16_u8(const uint8_t *at)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)at)));
}

INLINE __m512 load_16_i8(const uint8_t *at)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)at)));
}

/* 16 rows of one group: sub-scale and sub-minimum, and the sign flip that makes -(a * b). */
INLINE void expand_16(const struct tmac_expand *expand, const tmac_zero zero,
                      const tmac_sub_format sub, const uint8_t *head, const uint8_t *own,
                      size_t row, size_t to)
{
    const struct tmac_scale_format *format = expand->format;
    const size_t rows = (size_t)expand->tile_rows, type_bytes = tmac_scale_type_bytes(format->type);
    __m512 scale = load_16_scales(format->type, head + row * type_bytes);
    __m512 sub_minimum = _mm512_set1_ps(1.0f), minimum;

    if (sub == TMAC_SUB_I8) {
        scale = _mm512_mul_ps(scale, load_16_i8(own + row));
        own += rows;
        if (zero == TMAC_ZERO_MINIMUM)
            sub_minimum = load_16_u8(own + row);
    } else if (sub == TMAC_SUB_U4) {
        const __m512i both = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(own + row)));
        scale =
            _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_and_si512(both, _mm512_set1_epi32(15))));
        sub_minimum = _mm512_cvtepi32_ps(_mm512_srli_epi32(both, 4));
        own += rows;
    }
    _mm512_storeu_ps(expand->scale + to, scale);
    if (tmac_zero_is_constant(zero))
        return;
    if (zero == TMAC_ZERO_POINT)
        minimum = _mm512_xor_ps(_mm512_mul_ps(scale, load_16_u8(own + row)), _mm512_set1_ps(-0.0f));
    else
        minimum = _mm512_mul_ps(load_16_scales(format->type, head + (rows + row) * type_bytes),
                                sub_minimum);
    _mm512_storeu_ps(expand->minimum + to, minimum);
}

INLINE void expand_groups(const struct tmac_expand *expand, const tmac_zero zero,
                          const tmac_sub_format sub)
{
    const struct tmac_scale_geometry geometry =
        tmac_scale_geometry(expand->format, expand->tile_rows);
    const size_t rows = (size_t)expand->tile_rows;
    const int64_t supers = expand->format->super_groups;
    /* One division, and a short one: 64 bits take up to 90 cycles, as long as a group. */
    const bool small = expand->group <= UINT32_MAX && supers <= UINT32_MAX;
    const int64_t super =
        small ? (uint32_t)expand->group / (uint32_t)supers : expand->group / supers;
    int64_t in_super = expand->group - super * supers;
    const uint8_t *head = expand->packed + (size_t)super * geometry.super;
    const uint8_t *own = head + geometry.head + (size_t)in_super * geometry.group;

    for (size_t g = 0; g < (size_t)expand->groups; g++) {
        _mm_prefetch((const char *)own + AHEAD_SCALES, _MM_HINT_T0);
        for (size_t row = 0; row < rows; row += 16)
            expand_16(expand, zero, sub, head, own, row, g * rows + row);
        own += geometry.group;
        if (++in_super == supers) {
            in_super = 0;
            head += geometry.super;
            own = head + geometry.head;
        }
    }
}

/* One level, no zeros: the groups are one run of scales. */
INLINE void expand_run(const struct tmac_expand *expand, const tmac_scale_type type)
{
    const size_t type_bytes = tmac_scale_type_bytes(type), rows = (size_t)expand->tile_rows;
    const uint8_t *from = expand->packed + (size_t)expand->group * rows * type_bytes;

    for (size_t i = 0, count = (size_t)expand->groups * rows; i < count; i += 32) {
        const uint8_t *at = from + i * type_bytes;
        const __m512 scale0 = load_16_scales(type, at);
        const __m512 scale1 = load_16_scales(type, at + 16 * type_bytes);

        _mm_prefetch((const char *)at + AHEAD_SCALES, _MM_HINT_T0);
        _mm512_storeu_ps(expand->scale + i, scale0);
        _mm512_storeu_ps(expand->scale + i + 16, scale1);
    }
}

INLINE void expand_one_level(const struct tmac_expand *expand)
{
    if (expand->format->zero == TMAC_ZERO_MINIMUM)
        expand_groups(expand, TMAC_ZERO_MINIMUM, TMAC_SUB_NONE);
    else if (expand->format->zero == TMAC_ZERO_POINT)
        expand_groups(expand, TMAC_ZERO_POINT, TMAC_SUB_NONE);
    else if (expand->format->super_groups != 1)
        expand_groups(expand, TMAC_ZERO_SYMMETRIC, TMAC_SUB_NONE);
    else if (expand->format->type == TMAC_SCALE_BF16)
        expand_run(expand, TMAC_SCALE_BF16);
    else if (expand->format->type == TMAC_SCALE_F32)
        expand_run(expand, TMAC_SCALE_F32);
    else
        expand_run(expand, TMAC_SCALE_F16);
}

INLINE void expand_two_levels(const struct tmac_expand *expand, const tmac_sub_format sub)
{
    if (expand->format->zero == TMAC_ZERO_MINIMUM)
        expand_groups(expand, TMAC_ZERO_MINIMUM, sub);
    else if (expand->format->zero == TMAC_ZERO_POINT)
        expand_groups(expand, TMAC_ZERO_POINT, sub);
    else
        expand_groups(expand, TMAC_ZERO_SYMMETRIC, sub);
}

void avx512_expand(const struct tmac_expand *expand)
{
    switch (expand->format->sub) {
    case TMAC_SUB_I8:
        expand_two_levels(expand, TMAC_SUB_I8);
        break;
    case TMAC_SUB_U4:
        expand_two_levels(expand, TMAC_SUB_U4);
        break;
    default:
        expand_one_level(expand);
    }
}

INLINE void rows_to_f32(const uint16_t *from, float *to, size_t count,
                        const tmac_scale_type type)
{
    size_t i = 0;

    for (; i + 16 <= count; i += 16)
        _mm512_storeu_ps(to + i, load_16_scales(type, (const uint8_t *)(from + i)));
    if (i < count) {
        const __mmask16 rest = (__mmask16)((1u << (count - i)) - 1);
        uint16_t last[16] = {0};

        memcpy(last, from + i, (count - i) * sizeof *from);
        _mm512_mask_storeu_ps(to + i, rest, load_16_scales(type, (const uint8_t *)last));
    }
}

void avx512_f16_to_f32(const uint16_t *from, float *to, size_t count)
{
    rows_to_f32(from, to, count, TMAC_SCALE_F16);
}

void avx512_bf16_to_f32(const uint16_t *from, float *to, size_t count)
{
    rows_to_f32(from, to, count, TMAC_SCALE_BF16);
}
