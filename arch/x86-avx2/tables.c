/* SPDX-License-Identifier: MIT
 * Table build on AVX2. Every rounding and its order is the scalar build's (arch/kernels.h). */
#include "avx2.h"

#include <float.h>
#include <math.h>

AVX2_TEMPLATE __m256 magnitude(__m256 x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

/* Magnitudes order like integers, NaN above infinity: an integer maximum lets NaN win. */
AVX2_TEMPLATE __m256i max_magnitude(__m256i max, __m256 magnitudes)
{
    return _mm256_max_epi32(max, _mm256_castps_si256(magnitudes));
}

AVX2_TEMPLATE float greatest(__m256i max)
{
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(max), _mm256_extracti128_si256(max, 1));

    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(m));
}

AVX2_TEMPLATE float block_sum(const float *x, int count)
{
    __m256 lanes = _mm256_setzero_ps();

    for (int i = 0; i < count; i += 8)
        lanes = _mm256_add_ps(lanes, _mm256_loadu_ps(x + i));

    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

/* Two vpaddps across give (|x0| + |x1|) + (|x2| + |x3|), in the prescribed order. */
AVX2_TEMPLATE float lookup_max(const float *x, int count)
{
    __m256i max = _mm256_setzero_si256();

    for (int i = 0; i < count; i += 16) {
        const __m256 a = magnitude(_mm256_loadu_ps(x + i));
        const __m256 b = magnitude(_mm256_loadu_ps(x + i + 8));
        const __m256 pairs = _mm256_hadd_ps(a, b);
        max = max_magnitude(max, _mm256_hadd_ps(pairs, pairs));
    }
    return greatest(max);
}

AVX2_TEMPLATE float int8_max(const float *x, int count)
{
    __m256i max = _mm256_setzero_si256();

    for (int i = 0; i < count; i += 8)
        max = max_magnitude(max, magnitude(_mm256_loadu_ps(x + i)));
    return greatest(max);
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

/* x[i] of the step's eight tables, in the order 0 2 4 6 | 1 3 5 7. */
AVX2_TEMPLATE void transpose_step(const float *from, __m256 x[4])
{
    const __m256 v0 = _mm256_loadu_ps(from), v1 = _mm256_loadu_ps(from + 8);
    const __m256 v2 = _mm256_loadu_ps(from + 16), v3 = _mm256_loadu_ps(from + 24);
    const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(v0, v1));
    const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(v2, v3));
    const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(v0, v1));
    const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(v2, v3));

    x[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23));
    x[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23));
    x[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23));
    x[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23));
}

AVX2_TEMPLATE __m256i entry(__m256 low, __m256 high, __m256 factor)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_add_ps(low, high), factor));
}

/* Entries c .. c+3, whose two high activations add to `high`: bytes, per lane [4 tables][4]. */
AVX2_TEMPLATE __m256i entries4(__m256 sum, __m256 difference, __m256 high, __m256 factor)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const __m256i transpose =
        _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9,
                         13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m256i c01 = _mm256_packs_epi32(entry(_mm256_xor_ps(sum, sign), high, factor),
                                           entry(difference, high, factor));
    const __m256i c23 = _mm256_packs_epi32(entry(_mm256_xor_ps(difference, sign), high, factor),
                                           entry(sum, high, factor));

    return _mm256_shuffle_epi8(_mm256_packs_epi16(c01, c23), transpose);
}

/* Two tables from their entries 0..7: entry 15-c is minus entry c, since every rounding on the way
 * is symmetric. `from` is 0 or 8: which entries of each lane. */
AVX2_TEMPLATE void store_tables(__m256i entries, const int from, __m256i flip, uint8_t *to)
{
    const __m256i mirror =
        _mm256_add_epi8(_mm256_set1_epi8((char)from),
                        _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1, 0, 0, 1, 2, 3,
                                         4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1, 0));
    const __m256i sign = _mm256_setr_epi64x(0x0101010101010101, -1, 0x0101010101010101, -1);
    const __m256i table = _mm256_sign_epi8(_mm256_shuffle_epi8(entries, mirror), sign);

    _mm256_storeu_si256((__m256i *)to, _mm256_xor_si256(table, flip));
}

/* The eight tables of a step; factors in the order of transpose_step. */
AVX2_TEMPLATE void build_step(const float *from, __m256 factor, __m256i flip, uint8_t *to)
{
    /* A factor of 0 must win over an infinite or NaN activation. */
    const __m256 used = _mm256_cmp_ps(factor, _mm256_setzero_ps(), _CMP_NEQ_OQ);
    __m256 x[4];

    transpose_step(from, x);
    for (int i = 0; i < 4; i++)
        x[i] = _mm256_and_ps(x[i], used);

    const __m256 sum = _mm256_add_ps(x[0], x[1]), difference = _mm256_sub_ps(x[0], x[1]);
    const __m256 minus_minus = _mm256_xor_ps(_mm256_add_ps(x[2], x[3]), _mm256_set1_ps(-0.0f));
    const __m256i c0 = entries4(sum, difference, minus_minus, factor);
    const __m256i c4 = entries4(sum, difference, _mm256_sub_ps(x[2], x[3]), factor);
    const __m256i tables0123 = _mm256_unpacklo_epi32(c0, c4);
    const __m256i tables4567 = _mm256_unpackhi_epi32(c0, c4);

    store_tables(tables0123, 0, flip, to);
    store_tables(tables0123, 8, flip, to + 32);
    store_tables(tables4567, 0, flip, to + 64);
    store_tables(tables4567, 8, flip, to + 96);
}

/* Finds the scale and the sum of a block; returns the factor for its entries. */
AVX2_TEMPLATE float start_block(const struct tmac_build *build, int block, const int block_k)
{
    const float *x = build->x + (size_t)block * (size_t)block_k;
    const size_t meta = (size_t)block * build->meta_stride;
    const float max = lookup_max(x, block_k);

    build->scale[meta] = block_meta(max, max / 127.0f * 0.5f);
    build->sum[meta] = block_meta(max, block_sum(x, block_k));
    return quantizer(max);
}

/* Blocks of 16, two to a step; a single one at the end leaves the second half alone. */
static void build_halves(const struct tmac_build *build, __m256i flip)
{
    uint8_t *to = build->tables;
    int b = 0;

    for (; b + 2 <= build->blocks; b += 2, to += build->step_stride) {
        const __m256 first = _mm256_set1_ps(start_block(build, b, 16));
        const __m256 second = _mm256_set1_ps(start_block(build, b + 1, 16));
        build_step(build->x + b * 16, _mm256_blend_ps(first, second, 0xcc), flip, to);
    }
    if (b < build->blocks) {
        float x[TMAC_STEP_K] = {0};
        uint8_t tables[128];

        memcpy(x, build->x + b * 16, 16 * sizeof *x);
        build_step(x, _mm256_set1_ps(start_block(build, b, 16)), flip, tables);
        memcpy(to, tables, 64);
    }
}

AVX2_TEMPLATE void build_blocks(const struct tmac_build *build, __m256i flip, const int block_k)
{
    uint8_t *to = build->tables;
    const float *x = build->x;

    for (int b = 0; b < build->blocks; b++) {
        const __m256 factor = _mm256_set1_ps(start_block(build, b, block_k));
        for (int k = 0; k < block_k; k += TMAC_STEP_K, to += build->step_stride, x += TMAC_STEP_K)
            build_step(x, factor, flip, to);
    }
}

static void build_lookup(const struct tmac_build *build, uint8_t flip)
{
    const __m256i flips = _mm256_set1_epi8((char)flip);

    if (build->block_k == 16)
        build_halves(build, flips);
    else if (build->block_k == 32)
        build_blocks(build, flips, 32);
    else
        build_blocks(build, flips, build->block_k);
}

/* Flipping the top bit adds 128: U8 from S8. */
void avx2_build_u8(const struct tmac_build *build)
{
    build_lookup(build, 0x80);
}

void avx2_build_s8(const struct tmac_build *build)
{
    build_lookup(build, 0);
}

/* 16 values to int8, by truncation: a given scale may be too small for them. */
AVX2_TEMPLATE __m128i quantize16(const float *x, __m256 factor, __m256 used)
{
    const __m256i byte = _mm256_set1_epi32(0xff);
    const __m256 x0 = _mm256_and_ps(_mm256_loadu_ps(x), used);
    const __m256 x1 = _mm256_and_ps(_mm256_loadu_ps(x + 8), used);
    const __m256i i0 = _mm256_and_si256(_mm256_cvtps_epi32(_mm256_mul_ps(x0, factor)), byte);
    const __m256i i1 = _mm256_and_si256(_mm256_cvtps_epi32(_mm256_mul_ps(x1, factor)), byte);
    const __m256i words = _mm256_packus_epi32(i0, i1); /* 0 1 2 3 8 9 10 11 | 4 .. 7 12 .. 15 */
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));

    return _mm_shuffle_epi32(bytes, 0xd8);
}

/* Four groups of 4 go where their inputs' neighbours leave room. */
AVX2_TEMPLATE void store_groups(__m128i bytes, size_t stride, uint8_t *to)
{
    const uint32_t group[4] = {
        (uint32_t)_mm_cvtsi128_si32(bytes), (uint32_t)_mm_extract_epi32(bytes, 1),
        (uint32_t)_mm_extract_epi32(bytes, 2), (uint32_t)_mm_extract_epi32(bytes, 3)};

    for (int i = 0; i < 4; i++)
        memcpy(to + (size_t)i * stride, &group[i], sizeof group[i]);
}

AVX2_TEMPLATE int32_t sum_words(__m128i words)
{
    __m128i sum = _mm_madd_epi16(words, _mm_set1_epi16(1));

    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    return _mm_cvtsi128_si32(sum);
}

/* Quantizes a block, returns the sum of its int8. */
AVX2_TEMPLATE int32_t int8_block(const struct tmac_build *build, int block, float factor)
{
    const __m256 factors = _mm256_set1_ps(factor);
    /* A factor of 0 must win over an infinite or NaN activation. */
    const __m256 used = _mm256_cmp_ps(factors, _mm256_setzero_ps(), _CMP_NEQ_OQ);
    size_t at = (size_t)block * (size_t)build->block_k;
    __m128i sum = _mm_setzero_si128(); /* at most 8 * 2 * 128 per word */

    for (int k = 0; k < build->block_k; k += 16, at += 16) {
        const __m128i bytes = quantize16(build->x + at, factors, used);
        uint8_t *step = build->tables + at / TMAC_STEP_K * build->step_stride;

        store_groups(bytes, build->group_stride, step + at % TMAC_STEP_K / 4 * build->group_stride);
        sum = _mm_add_epi16(sum, _mm_maddubs_epi16(_mm_set1_epi8(1), bytes));
    }
    return sum_words(sum);
}

void avx2_build_int8(const struct tmac_build *build)
{
    for (int b = 0; b < build->blocks; b++) {
        const float *x = build->x + (size_t)b * (size_t)build->block_k;
        const size_t meta = (size_t)b * build->meta_stride;
        const float max =
            build->given ? fabsf(build->given[b]) * 127.0f : int8_max(x, build->block_k);
        const float scale = build->given ? build->given[b] : max / 127.0f;
        const float factor = build->given && quantizer(max) != 0 ? 1.0f / scale : quantizer(max);
        const int32_t sum = int8_block(build, b, factor);

        build->scale[meta] = block_meta(max, scale);
        build->sum[meta] = block_meta(max, scale * (float)sum);
    }
}
