/* SPDX-License-Identifier: MIT
 * What the templates in arch/family are made of, on AVX2. */
#ifndef TMAC_OPS_AVX2_H
#define TMAC_OPS_AVX2_H

#include "avx2.h"

#include <immintrin.h>

enum {
    VEC_BYTES = 32,
    LANES = 8,       /* floats of a vector */
    ROW_VECTORS = 4, /* of a tile of 32 rows */
    VEC_REGISTERS = 16,
    GEMV_VECTORS = 4, /* at once, with so many sums each: */
    GEMV_SUMS = 2,
    PASS_SUMS = 8,
    UNPACKED_INPUTS = 4
};

/* Lines come in pairs. How many KB ahead hardly matters: 1, 2, 4 and 6 are within 4 % of each other, but for 4
 * bits, where 4 and more are up to 7 % faster than 1 (Cascade Lake). */
enum { AHEAD_CODES = 4096, AHEAD_SCALES = 512, AHEAD_LINES = 128 };

typedef __m256i vec;
typedef __m256 vecf;

#include "../family/vec.h"

/* A table of 16 entries in every 128-bit lane, and what it has at the indices. */
INLINE vec vec_table(const uint8_t *table)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

INLINE vec vec_look_up(vec table, vec index)
{
    return _mm256_shuffle_epi8(table, index);
}

#include "ops_x86.h"

INLINE vec vec_avg8(vec a, vec b)
{
    return _mm256_avg_epu8(a, b);
}

INLINE vec vec_maddubs(vec a, vec b)
{
    return _mm256_maddubs_epi16(a, b);
}

INLINE vec vec_unpack_low8(vec a, vec b)
{
    return _mm256_unpacklo_epi8(a, b);
}

INLINE vec vec_unpack_high8(vec a, vec b)
{
    return _mm256_unpackhi_epi8(a, b);
}

/* Unsigned words, of each 16 rows the first 8 in `low`, as floats in the order of the rows, less a
 * bias. Under the upper half 0x4b00 an unsigned 16-bit number n is the float 2^23 + n: one
 * subtraction converts and takes the bias away, all exactly. */
INLINE void vec_to_floats(vec low, vec high, vecf bias, vecf rows[4])
{
    const vec exponent = _mm256_set1_epi16(0x4b00);

    low = _mm256_permute4x64_epi64(low, 0xd8);   /* 0-3 16-19 | 4-7 20-23 */
    high = _mm256_permute4x64_epi64(high, 0xd8); /* 8-11 24-27 | 12-15 28-31 */
    rows[0] = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_unpacklo_epi16(low, exponent)), bias);
    rows[1] = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_unpacklo_epi16(high, exponent)), bias);
    rows[2] = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_unpackhi_epi16(low, exponent)), bias);
    rows[3] = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_unpackhi_epi16(high, exponent)), bias);
}

/* a * b + c */
INLINE vecf vecf_fma(vecf a, vecf b, vecf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

INLINE vecf vecf_load_f16(const uint8_t *from)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
}

/* ---- direct and nested: 32-bit lanes are rows ------------------------------------------------- */

INLINE vec vec_madd16(vec a, vec b)
{
    return _mm256_madd_epi16(a, b);
}

/* Bits of a where `mask` has ones, of b elsewhere. */
INLINE vec vec_select(vec mask, vec a, vec b)
{
    return _mm256_or_si256(_mm256_and_si256(mask, a), _mm256_andnot_si256(mask, b));
}

/* 16 bytes as words. */
INLINE vec vec_widen_i8(const uint8_t *from)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)from));
}

INLINE vec vec_widen_u8(const uint8_t *from)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)from));
}

/* The low words of a, the high ones of b. */
INLINE vec vec_pairs(vec a, vec b)
{
    return _mm256_blend_epi16(a, b, 0xaa);
}

/* a, and in bytes where codes have `bit` (1 to 64) a + b. */
INLINE vec vec_add8_where(vec codes, const char bit, vec a, vec b)
{
    const __m256i set =
        _mm256_cmpgt_epi8(_mm256_and_si256(codes, _mm256_set1_epi8(bit)), _mm256_setzero_si256());

    return _mm256_add_epi8(a, _mm256_and_si256(set, b));
}

/* Of NESTED: a pair of groups' codes, and the own bytes of theirs. Every line of them, a little ahead, takes
 * up to a fifth less time at 4 bits than every second line of a block, further ahead and all at once. */
INLINE void vec_prefetch_pair(const uint8_t *codes, const size_t bytes, const uint8_t *own,
                              const size_t own_bytes)
{
    enum { AHEAD = 512 };

    for (size_t line = 0; line < bytes; line += 64)
        _mm_prefetch((const char *)codes + AHEAD + line, _MM_HINT_T0);
    for (size_t line = 0; line < own_bytes; line += 64)
        _mm_prefetch((const char *)own + AHEAD + line, _MM_HINT_T0);
}

/* ---- floats: inputs and scales ---------------------------------------------------------------- */

/* Of each four floats those of these numbers. */
#define vecf_fours(v, a, b, c, d) _mm256_permute_ps(v, (a) | (b) << 2 | (c) << 4 | (d) << 6)

INLINE veci veci_load_u16(const uint8_t *from)
{
    return (veci)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from));
}

INLINE veci veci_load_u8(const uint8_t *from)
{
    return (veci)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
}

INLINE veci veci_load_i8(const uint8_t *from)
{
    return (veci)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from));
}

/* To the nearest, ties to even. */
INLINE veci vecf_round(vecf v)
{
    return (veci)_mm256_cvtps_epi32(v);
}

INLINE veci veci_max(veci a, veci b)
{
    return (veci)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

INLINE int32_t veci_most(veci v)
{
    __m128i m =
        _mm_max_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));

    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
}

/* LANES / 4 tables: entries 0..3 and 4..7 as given, entry 15-c minus entry c; `flip` on every byte. */
INLINE void tables_store(uint8_t *to, veci low, veci high, uint8_t flip)
{
    const __m256i mirror = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 14, 12, 10, 8, 6, 4, 2, 0));
    const __m256i sign = _mm256_broadcastsi128_si256(_mm_set_epi64x(-1, 0x0101010101010101));
    const __m256i words = _mm256_packs_epi32((__m256i)low, (__m256i)high);
    const __m256i tables = _mm256_sign_epi8(_mm256_shuffle_epi8(words, mirror), sign);

    vec_store(to, vec_xor(tables, vec_bytes((char)flip)));
}

/* 16 floats times `factor`, rounded: -128..127. */
INLINE bytes16 bytes16_quantize(const float *x, float factor)
{
    const veci first = vecf_round(vecf_load(x) * vecf_all(factor));
    const veci second = vecf_round(vecf_load(x + 8) * vecf_all(factor));
    const __m256i words = _mm256_packs_epi32((__m256i)first, (__m256i)second);
    const __m128i bytes = /* 0 1 2 3 8 9 10 11 | 4 .. 7 12 .. 15 */
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));

    return (bytes16)_mm_shuffle_epi32(bytes, 0xd8);
}

#endif
