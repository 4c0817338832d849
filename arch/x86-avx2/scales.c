/* SPDX-License-Identifier: MIT
 * Packed scales to floats on AVX2. Products and their order are the scalar expand's. */
#include "avx2.h"

#include "float16.h"

/* Eight values of the scale type, the first at index `at`. */
AVX2_TEMPLATE __m256 load_scales(const tmac_scale_type type, const uint8_t *from, size_t at)
{
    if (type == TMAC_SCALE_F32)
        return _mm256_loadu_ps((const float *)(const void *)(from + 4 * at));

    const __m128i halves = _mm_loadu_si128((const __m128i *)(from + 2 * at));
    if (type == TMAC_SCALE_F16)
        return _mm256_cvtph_ps(halves);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

AVX2_TEMPLATE __m256 u8_to_f32(__m128i bytes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

AVX2_TEMPLATE __m128i load8(const uint8_t *from)
{
    return _mm_loadl_epi64((const __m128i *)from);
}

/* Eight rows of a group. */
struct sub_rows {
    __m256 scale, minimum;
    const uint8_t *zero; /* of row 0 */
};

AVX2_TEMPLATE struct sub_rows load_sub(const struct tmac_scale_format *format, const uint8_t *own,
                                       int rows, int row)
{
    const bool minimum = format->zero == TMAC_ZERO_MINIMUM;
    const __m128i low = _mm_set1_epi8(15), bytes = load8(own + row);
    struct sub_rows sub = {_mm256_set1_ps(1.0f), _mm256_set1_ps(1.0f), own + rows};

    if (format->sub == TMAC_SUB_U4) {
        sub.scale = u8_to_f32(_mm_and_si128(bytes, low));
        sub.minimum = u8_to_f32(_mm_and_si128(_mm_srli_epi16(bytes, 4), low));
    } else {
        sub.scale = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
        if (minimum)
            sub.minimum = u8_to_f32(load8(own + rows + row));
    }
    return sub;
}

AVX2_TEMPLATE void expand_group(const struct tmac_expand *expand, const uint8_t *head,
                                const uint8_t *own, float *scale, float *minimum,
                                const tmac_scale_type type)
{
    const struct tmac_scale_format *format = expand->format;
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const int rows = expand->tile_rows;

    for (int row = 0; row < rows; row += 8) {
        struct sub_rows sub = {_mm256_set1_ps(1.0f), _mm256_set1_ps(1.0f), own};
        if (format->sub != TMAC_SUB_NONE)
            sub = load_sub(format, own, rows, row);

        const __m256 packed = load_scales(type, head, (size_t)row);
        const __m256 scales = _mm256_mul_ps(packed, sub.scale);
        _mm256_storeu_ps(scale + row, scales);
        if (format->zero == TMAC_ZERO_POINT) {
            const __m256 product = _mm256_mul_ps(scales, u8_to_f32(load8(sub.zero + row)));
            _mm256_storeu_ps(minimum + row, _mm256_xor_ps(product, sign));
        } else if (format->zero == TMAC_ZERO_MINIMUM) {
            const __m256 packed_minimum = load_scales(type, head, (size_t)(rows + row));
            _mm256_storeu_ps(minimum + row, _mm256_mul_ps(packed_minimum, sub.minimum));
        }
    }
}

/* `count` scales, a multiple of 32: what a gemv of small groups spends a good part of its time on.
 * Those of the next chunk, which lie behind them, are prefetched. */
AVX2_TEMPLATE void expand_run(const uint8_t *packed, float *scale, size_t count,
                              const tmac_scale_type type)
{
    const size_t bytes = tmac_scale_type_bytes(type), ahead = count * bytes;

    for (; count >= 32; count -= 32, packed += 32 * bytes, scale += 32) {
        _mm_prefetch((const char *)packed + ahead, _MM_HINT_T0);
        if (type == TMAC_SCALE_F32)
            _mm_prefetch((const char *)packed + ahead + 64, _MM_HINT_T0);
        AVX2_UNROLL
        for (size_t i = 0; i < 32; i += 8)
            _mm256_storeu_ps(scale + i, load_scales(type, packed, i));
    }
}

/* One level without minimums or zero points is one run of scales. */
AVX2_TEMPLATE void expand_plain(const struct tmac_expand *expand, const tmac_scale_type type)
{
    const size_t rows = (size_t)expand->tile_rows, first = (size_t)expand->group * rows;
    const uint8_t *packed = expand->packed + first * tmac_scale_type_bytes(type);
    const size_t count = (size_t)expand->groups * rows;

    expand_run(packed, expand->scale, count, type);
}

AVX2_TEMPLATE void expand(const struct tmac_expand *expand, const tmac_scale_type type)
{
    const struct tmac_scale_format *format = expand->format;
    const struct tmac_scale_geometry geometry = tmac_scale_geometry(format, expand->tile_rows);

    if (format->sub == TMAC_SUB_NONE && tmac_zero_is_constant(format->zero) &&
        format->super_groups == 1) {
        expand_plain(expand, type);
        return;
    }
    for (int g = 0; g < expand->groups; g++) {
        const size_t at = (size_t)g * (size_t)expand->tile_rows;
        const uint8_t *head, *own;

        tmac_scale_find(&geometry, format, expand->packed, expand->group + g, &head, &own);
        expand_group(expand, head, own, expand->scale + at,
                     tmac_zero_is_constant(format->zero) ? NULL : expand->minimum + at, type);
    }
}

void avx2_expand(const struct tmac_expand *from)
{
    switch (from->format->type) {
    case TMAC_SCALE_F32:
        expand(from, TMAC_SCALE_F32);
        break;
    case TMAC_SCALE_F16:
        expand(from, TMAC_SCALE_F16);
        break;
    default:
        expand(from, TMAC_SCALE_BF16);
    }
}

void avx2_f16_to_f32(const uint16_t *from, float *to, size_t count)
{
    size_t i = 0;

    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(to + i, load_scales(TMAC_SCALE_F16, (const uint8_t *)from, i));
    for (; i < count; i++)
        to[i] = _cvtsh_ss(from[i]);
}

void avx2_bf16_to_f32(const uint16_t *from, float *to, size_t count)
{
    size_t i = 0;

    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(to + i, load_scales(TMAC_SCALE_BF16, (const uint8_t *)from, i));
    for (; i < count; i++)
        to[i] = tmac_bf16_to_f32(from[i]);
}
