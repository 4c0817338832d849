/* SPDX-License-Identifier: MIT
 * What the templates in arch/family are made of, on AVX-512 BW: 64 rows, a byte each. */
#ifndef TMAC_AVX512_VECTOR_H
#define TMAC_AVX512_VECTOR_H

#include "avx512.h"

#include "../family/inline.h"

#include <immintrin.h>
#include <string.h>

enum { ROWS = 64, LANES = 16 /* floats of a vector */ };

typedef __m512i vec;
typedef __m512 vecf;

INLINE vec vec_load(const uint8_t *from)
{
    return _mm512_loadu_si512(from);
}

INLINE void vec_store(uint8_t *to, vec v)
{
    _mm512_storeu_si512(to, v);
}

/* A table of 16 entries in every 128-bit lane, and what it has at 64 indices. */
INLINE vec vec_table(const uint8_t *table)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
}

INLINE vec vec_look_up(vec table, vec index)
{
    return _mm512_shuffle_epi8(table, index);
}

INLINE vec vec_bytes(const char byte)
{
    return _mm512_set1_epi8(byte);
}

INLINE vec vec_words(const short word)
{
    return _mm512_set1_epi16(word);
}

INLINE vec vec_and(vec a, vec b)
{
    return _mm512_and_si512(a, b);
}

INLINE vec vec_xor(vec a, vec b)
{
    return _mm512_xor_si512(a, b);
}

INLINE vec vec_right16(vec v, const int bits)
{
    return _mm512_srli_epi16(v, bits);
}

INLINE vec vec_left16(vec v, const int bits)
{
    return _mm512_slli_epi16(v, bits);
}

INLINE vec vec_add8(vec a, vec b)
{
    return _mm512_add_epi8(a, b);
}

INLINE vec vec_sub8(vec a, vec b)
{
    return _mm512_sub_epi8(a, b);
}

INLINE vec vec_avg8(vec a, vec b)
{
    return _mm512_avg_epu8(a, b);
}

INLINE vec vec_add16(vec a, vec b)
{
    return _mm512_add_epi16(a, b);
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

INLINE uint8_t *vec_opaque(const uint8_t *pointer)
{
    __asm__("" : "+r"(pointer));
    return (uint8_t *)pointer;
}

INLINE vec vec_here(vec v)
{
    __asm__("" : "+v"(v));
    return v;
}

/* How far ahead of the loads to prefetch. Tiles lie one after another, so what lies ahead is the
 * next cells of this tile or the scales of the next; past the weights' end it is harmless. */
enum { AHEAD_CODES = 3072, AHEAD_SCALES = 1024 };

INLINE void vec_prefetch(const uint8_t *codes, const size_t bytes)
{
    UNROLL
    for (size_t line = 0; line < bytes; line += 64)
        _mm_prefetch((const char *)codes + AHEAD_CODES + line, _MM_HINT_T0);
}

INLINE vecf vecf_all(float number)
{
    return _mm512_set1_ps(number);
}

INLINE vecf vecf_add(vecf a, vecf b)
{
    return _mm512_add_ps(a, b);
}

INLINE vecf vecf_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

INLINE void vecf_store(float *to, vecf v)
{
    _mm512_storeu_ps(to, v);
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

/* Indices from the half-bytes of 64 bytes of a cell: the low ones; the high ones, beside these, from the
 * same bytes read `again`; the high ones alone. */
INLINE vec vec_low_index(const uint8_t *at)
{
    return vec_and(vec_bytes(15), vec_load(at));
}

INLINE vec vec_high_index(vec low, const uint8_t *again)
{
    return vec_right16(vec_xor(low, vec_load(again)), 4);
}

INLINE vec vec_upper_index(const uint8_t *at)
{
    return vec_right16(vec_and(vec_bytes((char)0xf0), vec_load(at)), 4);
}

/* Of a stream of f16 scales beside the codes. */
INLINE void vec_prefetch_scales(const uint8_t *scales, const size_t bytes)
{
    UNROLL
    for (size_t line = 0; line < bytes; line += 64)
        _mm_prefetch((const char *)scales + AHEAD_SCALES + line, _MM_HINT_T0);
}

INLINE vecf vecf_mul(vecf a, vecf b)
{
    return _mm512_mul_ps(a, b);
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

/* The value, such that the compiler cannot tell. */
INLINE vecf vecf_here(vecf v)
{
    __asm__("" : "+v"(v));
    return v;
}

/* ---- direct and nested: 32-bit lanes are rows ------------------------------------------------- */

enum {
    ROW_VECTORS = 2,     /* of a tile of 32 rows */
    BYTE_SHIFTS = false, /* there are none */
    VEC_REGISTERS = 32,
    VEC_BYTES = 64,
    GEMV_VECTORS = 2, /* at once, with so many sums each: */
    GEMV_SUMS = 4,
    PASS_SUMS = 16,
    UNPACKED_INPUTS = 8
};

INLINE vec vec_zero(void)
{
    return _mm512_setzero_si512();
}

INLINE vec vec_broadcast4(const uint8_t *from)
{
    int32_t four;

    memcpy(&four, from, sizeof four);
    return _mm512_set1_epi32(four);
}

INLINE vec vec_sra16(vec v, const int bits)
{
    return _mm512_srai_epi16(v, bits);
}

INLINE vec vec_madd16(vec a, vec b)
{
    return _mm512_madd_epi16(a, b);
}

/* Bits of a where `mask` has ones, of b elsewhere. */
INLINE vec vec_select(vec mask, vec a, vec b)
{
    return _mm512_ternarylogic_epi32(mask, a, b, 0xCA);
}

INLINE vec vec_add32(vec a, vec b)
{
    return _mm512_add_epi32(a, b);
}

/* Between the rounds of an unrolled loop. The compiler's order is good. */
INLINE void vec_in_order(void)
{
}

/* Bytes; bits of the neighbour come in. */
INLINE vec vec_right_bytes(vec v, const int bits)
{
    return vec_right16(v, bits);
}

INLINE vec vec_left_bytes(vec v, const int bits)
{
    return vec_left16(v, bits);
}

INLINE vec vec_right32(vec v, const int bits)
{
    return _mm512_srai_epi32(v, bits);
}

INLINE vecf vecf_convert(vec integers)
{
    return _mm512_cvtepi32_ps(integers);
}

/* Scales of row vector v. */
INLINE vecf load_scales(const uint8_t *scales, const int v, const bool half)
{
    return half ? vecf_load_f16(scales + 2 * LANES * v)
                : vecf_load((const float *)(const void *)scales + LANES * v);
}

/* One number per 32-bit lane. */
INLINE vec vec_lanes(int32_t number)
{
    return _mm512_set1_epi32(number);
}

INLINE vec vec_left32(vec v, const int bits)
{
    return _mm512_slli_epi32(v, bits);
}

INLINE vec vec_right32_unsigned(vec v, const int bits)
{
    return _mm512_srli_epi32(v, bits);
}

INLINE vec vec_mul32(vec a, vec b)
{
    return _mm512_mullo_epi32(a, b);
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

/* Word `which` of each lane in both places. */
INLINE vec vec_both_words(vec words, const int which)
{
    const __m512i first =
        _mm512_set_epi32(0x0d0c0d0c, 0x09080908, 0x05040504, 0x01000100, 0x0d0c0d0c, 0x09080908,
                         0x05040504, 0x01000100, 0x0d0c0d0c, 0x09080908, 0x05040504, 0x01000100,
                         0x0d0c0d0c, 0x09080908, 0x05040504, 0x01000100);
    const __m512i second = _mm512_add_epi8(first, _mm512_set1_epi8(2));

    return _mm512_shuffle_epi8(words, which ? second : first);
}

/* In every byte 4 times the number of its lane among the four of 128 bits. */
INLINE vec vec_lane_rows(void)
{
    return _mm512_set4_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0);
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

typedef int32_t veci __attribute__((vector_size(64)));
typedef int8_t bytes16 __attribute__((vector_size(16)));

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

/* Sums of int8: bytes are taken as 128 more than they are, and that of `count` of them is taken away. */
typedef __m128i sums16;

INLINE sums16 sums16_add(sums16 sums, bytes16 bytes)
{
    const __m128i above = _mm_xor_si128((__m128i)bytes, _mm_set1_epi8((char)0x80));
    return _mm_add_epi64(sums, _mm_sad_epu8(above, _mm_setzero_si128()));
}

INLINE int32_t sums16_total(sums16 sums, int count)
{
    return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e))) - count * 128;
}

#endif
