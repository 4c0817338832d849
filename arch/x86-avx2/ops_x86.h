/* SPDX-License-Identifier: MIT
 * What AVX2 and AVX-512 say in the same way: operations made of others, and those on 16 bytes. A part of their
 * ops, which define AHEAD_CODES, AHEAD_SCALES and AHEAD_LINES: how far ahead of the loads to prefetch codes,
 * and f16 scales, which are a stream of their own, and how far from line to line; in bytes. */
#ifndef TMAC_OPS_X86_H
#define TMAC_OPS_X86_H

enum { BYTE_SHIFTS = false /* there are none */ };

/* The value, computed here and now. Without this, gcc turns a chain of integer additions into a tree,
 * and keeps so many terms waiting for it that they spill. */
INLINE vec vec_here(vec v)
{
    __asm__("" : "+v"(v));
    return v;
}

/* The value, such that the compiler cannot tell. */
INLINE vecf vecf_here(vecf v)
{
    __asm__("" : "+v"(v));
    return v;
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

/* Word `which` of each lane in both places. */
INLINE vec vec_both_words(vec words, const int which)
{
    static const uint8_t bytes[2][16] = {{0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13},
                                         {2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15}};

    return vec_look_up(words, vec_table(bytes[which]));
}

/* In every byte 4 times the number of its lane among the four of 128 bits. */
INLINE vec vec_lane_rows(void)
{
    static const uint8_t rows[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};

    return vec_table(rows);
}

/* ---- fetching ahead ---------------------------------------------------------------------------- */

INLINE void prefetch_lines(const uint8_t *from, const size_t bytes, const size_t apart)
{
    UNROLL
    for (size_t line = 0; line < bytes; line += apart)
        _mm_prefetch((const char *)from + line, _MM_HINT_T0);
}

/* The codes of a gemv are read once: fetch some KB ahead, past what the hardware prefetcher (which
 * stops at every page) has seen. Tiles lie one after another, so what lies ahead is the next cells of this tile
 * or the scales of the next; past the weights' end it is harmless, for a prefetch never faults. */
INLINE void vec_prefetch(const uint8_t *codes, const size_t bytes)
{
    prefetch_lines(codes + AHEAD_CODES, bytes, AHEAD_LINES);
}

/* Of a stream of f16 scales beside the codes. */
INLINE void vec_prefetch_scales(const uint8_t *scales, const size_t bytes)
{
    prefetch_lines(scales + AHEAD_SCALES, bytes, AHEAD_LINES);
}

/* ---- sums of int8 ------------------------------------------------------------------------------ */

/* Bytes are taken as 128 more than they are, and that of `count` of them is taken away. */
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
