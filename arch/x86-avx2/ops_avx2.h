/* SPDX-License-Identifier: MIT
 * What the templates in arch/family are made of, on AVX2: 32 rows, a byte each. */
#ifndef TMAC_AVX2_VECTOR_H
#define TMAC_AVX2_VECTOR_H

#include "avx2.h"

#include "../family/inline.h"

#include <immintrin.h>
#include <string.h>

enum { ROWS = 32, LANES = 8 /* floats of a vector */ };

typedef __m256i vec;
typedef __m256 vecf;

INLINE vec vec_load(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

INLINE void vec_store(uint8_t *to, vec v)
{
    _mm256_storeu_si256((__m256i *)to, v);
}

/* A table of 16 entries in every 128-bit lane, and what it has at 32 indices. */
INLINE vec vec_table(const uint8_t *table)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

INLINE vec vec_look_up(vec table, vec index)
{
    return _mm256_shuffle_epi8(table, index);
}

INLINE vec vec_bytes(const char byte)
{
    return _mm256_set1_epi8(byte);
}

INLINE vec vec_words(const short word)
{
    return _mm256_set1_epi16(word);
}

INLINE vec vec_and(vec a, vec b)
{
    return _mm256_and_si256(a, b);
}

INLINE vec vec_xor(vec a, vec b)
{
    return _mm256_xor_si256(a, b);
}

INLINE vec vec_right16(vec v, const int bits)
{
    return _mm256_srli_epi16(v, bits);
}

INLINE vec vec_left16(vec v, const int bits)
{
    return _mm256_slli_epi16(v, bits);
}

INLINE vec vec_add8(vec a, vec b)
{
    return _mm256_add_epi8(a, b);
}

INLINE vec vec_sub8(vec a, vec b)
{
    return _mm256_sub_epi8(a, b);
}

INLINE vec vec_avg8(vec a, vec b)
{
    return _mm256_avg_epu8(a, b);
}

INLINE vec vec_add16(vec a, vec b)
{
    return _mm256_add_epi16(a, b);
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

/* The same pointer, which the compiler cannot tell. */
INLINE uint8_t *vec_opaque(const uint8_t *pointer)
{
    __asm__("" : "+r"(pointer));
    return (uint8_t *)pointer;
}

/* The value, computed here and now. Without this, gcc turns a chain of integer additions into a tree,
 * and keeps so many terms waiting for it that they spill. */
INLINE vec vec_here(vec v)
{
    __asm__("" : "+x"(v));
    return v;
}

/* How far ahead of the loads to prefetch codes, line by line (they come in pairs), and f16 scales, which are a
 * stream of their own; in bytes. */
enum { AHEAD_CODES = 4096, AHEAD_SCALES = 512, AHEAD_LINES = 128 };

/* The codes of a gemv are read once: fetch some KB ahead, past what the hardware prefetcher (which
 * stops at every page) has seen. How many hardly matters: 1, 2, 4 and 6 KB are within 4 % of each
 * other, but for 4 bits, where 4 and more are up to 7 % faster than 1 (Cascade Lake). A prefetch never
 * faults. */
INLINE void vec_prefetch(const uint8_t *codes, const size_t bytes)
{
    UNROLL
    for (size_t line = 0; line < bytes; line += AHEAD_LINES)
        _mm_prefetch((const char *)codes + AHEAD_CODES + line, _MM_HINT_T0);
}

INLINE vecf vecf_all(float number)
{
    return _mm256_set1_ps(number);
}

INLINE vecf vecf_add(vecf a, vecf b)
{
    return _mm256_add_ps(a, b);
}

INLINE vecf vecf_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

INLINE void vecf_store(float *to, vecf v)
{
    _mm256_storeu_ps(to, v);
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

/* Indices from the half-bytes of 32 bytes of a cell: the low ones; the high ones, beside these, from the
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
    (void)bytes; /* lines come in pairs */
    _mm_prefetch((const char *)scales + AHEAD_SCALES, _MM_HINT_T0);
}

INLINE vecf vecf_mul(vecf a, vecf b)
{
    return _mm256_mul_ps(a, b);
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

/* The value, such that the compiler cannot tell. */
INLINE vecf vecf_here(vecf v)
{
    __asm__("" : "+x"(v));
    return v;
}

/* ---- direct and nested: 32-bit lanes are rows ------------------------------------------------- */

enum {
    ROW_VECTORS = 4,     /* of a tile of 32 rows */
    BYTE_SHIFTS = false, /* there are none */
    VEC_REGISTERS = 16,
    VEC_BYTES = 32,
    GEMV_VECTORS = 4, /* at once, with so many sums each: */
    GEMV_SUMS = 2,
    PASS_SUMS = 8,
    UNPACKED_INPUTS = 4
};

INLINE vec vec_zero(void)
{
    return _mm256_setzero_si256();
}

INLINE vec vec_broadcast4(const uint8_t *from)
{
    int32_t four;

    memcpy(&four, from, sizeof four);
    return _mm256_set1_epi32(four);
}

INLINE vec vec_sra16(vec v, const int bits)
{
    return _mm256_srai_epi16(v, bits);
}

INLINE vec vec_madd16(vec a, vec b)
{
    return _mm256_madd_epi16(a, b);
}

/* Bits of a where `mask` has ones, of b elsewhere. */
INLINE vec vec_select(vec mask, vec a, vec b)
{
    return _mm256_or_si256(_mm256_and_si256(mask, a), _mm256_andnot_si256(mask, b));
}

INLINE vec vec_add32(vec a, vec b)
{
    return _mm256_add_epi32(a, b);
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
    return _mm256_srai_epi32(v, bits);
}

INLINE vecf vecf_convert(vec integers)
{
    return _mm256_cvtepi32_ps(integers);
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
    return _mm256_set1_epi32(number);
}

INLINE vec vec_left32(vec v, const int bits)
{
    return _mm256_slli_epi32(v, bits);
}

INLINE vec vec_right32_unsigned(vec v, const int bits)
{
    return _mm256_srli_epi32(v, bits);
}

INLINE vec vec_mul32(vec a, vec b)
{
    return _mm256_mullo_epi32(a, b);
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

/* Word `which` of each lane in both places. */
INLINE vec vec_both_words(vec words, const int which)
{
    const __m256i first = _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, 0, 1,
                                           0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
    const __m256i second = _mm256_add_epi8(first, _mm256_set1_epi8(2));

    return _mm256_shuffle_epi8(words, which ? second : first);
}

/* In every byte 4 times the number of its lane among the four of 128 bits. */
INLINE vec vec_lane_rows(void)
{
    return _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404, 0x08080808,
                             0x0c0c0c0c);
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

typedef int32_t veci __attribute__((vector_size(32)));
typedef int8_t bytes16 __attribute__((vector_size(16)));

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
