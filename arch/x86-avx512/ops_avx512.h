/* SPDX-License-Identifier: MIT
 * What the templates in arch/family are made of, on AVX-512 BW. */
#ifndef TMAC_OPS_AVX512_H
#define TMAC_OPS_AVX512_H

#include "avx512.h"

#include <immintrin.h>

enum {
    VEC_BYTES = 64,
    LANES = 16,      /* floats of a vector */
    ROW_VECTORS = 2, /* of a tile of 32 rows */
    VEC_REGISTERS = 32,
    GEMV_VECTORS = 2, /* at once, with so many sums each: */
    GEMV_SUMS = 4,
    PASS_SUMS = 16,
    UNPACKED_INPUTS = 8
};

enum { AHEAD_CODES = 3072, AHEAD_SCALES = 1024, AHEAD_LINES = 64 };

typedef __m512i vec;
typedef __m512 vecf;

#include "../family/vec.h"

/* A table of 16 entries in every 128-bit lane, and what it has at the indices. */
INLINE vec vec_table(const uint8_t *table)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
}

INLINE vec vec_look_up(vec table, vec index)
{
    return _mm512_shuffle_epi8(table, index);
}

#include "../x86-avx2/ops_x86.h"

INLINE vec vec_avg8(vec a, vec b)
{
    return _mm512_avg_epu8(a, b);
}

INLINE vec vec_maddubs(vec a, vec b)
{
    return _mm512_maddubs_epi16(a, b);
}

INLINE vec vec_unpack_low8(vec a, vec b)
{
    return _mm512_unpacklo_epi8(a, b);
}

INLINE vec vec_unpack_high8(vec a, vec b)
{
    return _mm512_unpackhi_epi8(a, b);
}

/* Unsigned words, of each 16 rows the first 8 in `low`, as floats in the order of the rows, less a
 * bias. Under the upper half 0x4b00 an unsigned 16-bit number n is the float 2^23 + n: one
 * subtraction converts and takes the bias away, all exactly.
 *
 *     low, high   lane i: rows 16i .. 16i+7; 16i+8 .. 16i+15
 *     first       rows 0..3, 16..19 | 4..7, 20..23 | 8..11, 24..27 | 12..15, 28..31
 *     second      the same + 32 */
INLINE void vec_to_floats(vec low, vec high, vecf bias, vecf rows[4])
{
    const vec exponent = _mm512_set1_epi16(0x4b00);
    const vec index = _mm512_setr_epi64(0, 2, 1, 3, 8, 10, 9, 11);
    const vec next = _mm512_setr_epi64(4, 6, 5, 7, 12, 14, 13, 15);
    const vec first = _mm512_permutex2var_epi64(low, index, high);
    const vec second = _mm512_permutex2var_epi64(low, next, high);

    rows[0] = _mm512_sub_ps(_mm512_castsi512_ps(_mm512_unpacklo_epi16(first, exponent)), bias);
    rows[1] = _mm512_sub_ps(_mm512_castsi512_ps(_mm512_unpackhi_epi16(first, exponent)), bias);
    rows[2] = _mm512_sub_ps(_mm512_castsi512_ps(_mm512_unpacklo_epi16(second, exponent)), bias);
    rows[3] = _mm512_sub_ps(_mm512_castsi512_ps(_mm512_unpackhi_epi16(second, exponent)), bias);
}

/* a * b + c */
INLINE vecf vecf_fma(vecf a, vecf b, vecf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

INLINE vecf vecf_load_f16(const uint8_t *from)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
}

/* ---- direct and nested: 32-bit lanes are rows ------------------------------------------------- */

INLINE vec vec_madd16(vec a, vec b)
{
    return _mm512_madd_epi16(a, b);
}

/* Bits of a where `mask` has ones, of b elsewhere. */
INLINE vec vec_select(vec mask, vec a, vec b)
{
    return _mm512_ternarylogic_epi32(mask, a, b, 0xCA);
}

/* 32 bytes as words. */
INLINE vec vec_widen_i8(const uint8_t *from)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)from));
}

INLINE vec vec_widen_u8(const uint8_t *from)
{
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)from));
}

/* The low words of a, the high ones of b. */
INLINE vec vec_pairs(vec a, vec b)
{
    return _mm512_mask_blend_epi16(0xaaaaaaaa, a, b);
}

/* a, and in bytes where codes have `bit` (1 to 64) a + b. */
INLINE vec vec_add8_where(vec codes, const char bit, vec a, vec b)
{
    return _mm512_mask_add_epi8(a, _mm512_test_epi8_mask(codes, _mm512_set1_epi8(bit)), a, b);
}

/* Of NESTED: a pair of groups' codes, and the own bytes of theirs. */
INLINE void vec_prefetch_pair(const uint8_t *codes, const size_t bytes, const uint8_t *own,
                              const size_t own_bytes)
{
    (void)own_bytes;
    vec_prefetch(codes, bytes);
    _mm_prefetch((const char *)own + AHEAD_SCALES, _MM_HINT_T0);
}

/* ---- floats: inputs and scales ---------------------------------------------------------------- */

/* Of each four floats those of these numbers. */
#define vecf_fours(v, a, b, c, d) _mm512_permute_ps(v, (a) | (b) << 2 | (c) << 4 | (d) << 6)

INLINE veci veci_load_u16(const uint8_t *from)
{
    return (veci)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
}

INLINE veci veci_load_u8(const uint8_t *from)
{
    return (veci)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from));
}

INLINE veci veci_load_i8(const uint8_t *from)
{
    return (veci)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from));
}

/* To the nearest, ties to even. */
INLINE veci vecf_round(vecf v)
{
    return (veci)_mm512_cvtps_epi32(v);
}

INLINE veci veci_max(veci a, veci b)
{
    return (veci)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

INLINE int32_t veci_most(veci v)
{
    return _mm512_reduce_max_epi32((__m512i)v);
}

/* LANES / 4 tables: entries 0..3 and 4..7 as given, entry 15-c minus entry c; `flip` on every byte. */
INLINE void tables_store(uint8_t *to, veci low, veci high, uint8_t flip)
{
    const vec mirror =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 14, 12, 10, 8, 6, 4, 2, 0));
    const vec words = _mm512_packs_epi32((vec)low, (vec)high);
    const vec tables = _mm512_shuffle_epi8(words, mirror);
    const vec all =
        _mm512_mask_sub_epi8(tables, 0xff00ff00ff00ff00, _mm512_setzero_si512(), tables);

    vec_store(to, vec_xor(all, vec_bytes((char)flip)));
}

/* 16 floats times `factor`, rounded: -128..127. */
INLINE bytes16 bytes16_quantize(const float *x, float factor)
{
    return (bytes16)_mm512_cvtsepi32_epi8((vec)vecf_round(vecf_load(x) * vecf_all(factor)));
}

#endif
