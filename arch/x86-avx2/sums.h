/* SPDX-License-Identifier: MIT
 * The integer stage of lookup: exact sums of bytes, in bytes.
 *
 * A lookup gives 32 rows one unsigned byte each (entry + 128), and n of them are to be added.
 * Widening them takes more instructions than looking them up, so two byte vectors are kept instead:
 *     sum    the sum modulo 256                  (vpaddb, one per entry)
 *     mean   the mean, from a tree of averages   (vpavgb, one per entry)
 * vpavgb rounds up by 0 or 1/2 each time, so n * mean exceeds the sum by an excess that is bounded
 * by the shape of the tree; while the bound is below 256 the sum modulo 256 tells the excess:
 *     excess = (n * mean - sum) mod 256
 *     total  = n * mean - excess                 (one vpmaddubsw of mean and excess, interleaved)
 * One level of the tree can add n/2 to the excess, whatever its depth: 12 for 8 entries.
 *
 * Planes of different weight join the same pair: their sums by doubling, their means by an average
 * with the next lower planes, which halves these:
 *     x0 = avg(mean0, 0), x1 = avg(x0, mean1), ...: n 2^planes x = n (mean0 + 2 mean1 + ...)
 *
 * Greatest excess per reduction (8 entries per plane and step of 32):
 *     1 bit   4 steps  32 * 5/2                                   =  80
 *     ternary 4 steps  64 * 6/2                                   = 192
 *     2 bits  2 steps  2 * (3 * 12 + (32 + 16)/2) + 64/2          = 152
 *     3 bits  1 step   7 * 12 + (64 + 32 + 16)/2                  = 140
 *     4 bits  would be 15 * 12 + (128 + 64 + 32 + 16)/2 = 300: taken as two digits of 2 bits.
 */
#ifndef TMAC_AVX2_SUMS_H
#define TMAC_AVX2_SUMS_H

#include "avx2.h"

struct sum8 {
    __m256i sum, mean;
};

/* Totals of 32 rows: low has rows 0..7 and 16..23, high rows 8..15 and 24..31. */
struct sum16 {
    __m256i low, high;
};

AVX2_TEMPLATE struct sum8 sum8_join(struct sum8 a, struct sum8 b)
{
    return (struct sum8){avx2_here(_mm256_add_epi8(a.sum, b.sum)), _mm256_avg_epu8(a.mean, b.mean)};
}

/* Puts a plane of twice the weight above: see the picture at the top. */
AVX2_TEMPLATE struct sum8 sum8_above(struct sum8 low, struct sum8 high)
{
    const __m256i twice = _mm256_add_epi8(high.sum, high.sum);

    return (struct sum8){_mm256_add_epi8(low.sum, twice), _mm256_avg_epu8(low.mean, high.mean)};
}

AVX2_TEMPLATE struct sum8 sum8_lowest(struct sum8 plane)
{
    return (struct sum8){plane.sum, _mm256_avg_epu8(plane.mean, _mm256_setzero_si256())};
}

/* total = mean * 2^shift - excess; shift <= 6 keeps the multiplier in an int8. */
AVX2_TEMPLATE __m256i sum8_excess(struct sum8 s, const int shift)
{
    const __m256i kept = _mm256_set1_epi8((char)(0xff << shift));

    return _mm256_sub_epi8(_mm256_and_si256(_mm256_slli_epi16(s.mean, shift), kept), s.sum);
}

AVX2_TEMPLATE struct sum16 sum8_total(struct sum8 s, const int shift)
{
    const __m256i multiplier = _mm256_set1_epi16((short)(0xff00 | 1 << shift));
    const __m256i excess = sum8_excess(s, shift);

    return (struct sum16){
        _mm256_maddubs_epi16(_mm256_unpacklo_epi8(s.mean, excess), multiplier),
        _mm256_maddubs_epi16(_mm256_unpackhi_epi8(s.mean, excess), multiplier),
    };
}

AVX2_TEMPLATE struct sum16 sum16_add(struct sum16 a, struct sum16 b)
{
    return (struct sum16){_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)};
}

AVX2_TEMPLATE struct sum16 sum16_times4(struct sum16 a)
{
    return (struct sum16){_mm256_slli_epi16(a.low, 2), _mm256_slli_epi16(a.high, 2)};
}

/* Rows 8i .. 8i+7 as floats, less a bias. Under the upper half 0x4b00 an unsigned 16-bit number n is
 * the float 2^23 + n: one subtraction converts and takes the bias away, all exactly. */
AVX2_TEMPLATE void sum16_to_f32(struct sum16 s, __m256 bias, __m256 rows[4])
{
    const __m256i exponent = _mm256_set1_epi16(0x4b00);
    const __m256i low = _mm256_permute4x64_epi64(s.low, 0xd8);   /* 0-3 16-19 | 4-7 20-23 */
    const __m256i high = _mm256_permute4x64_epi64(s.high, 0xd8); /* 8-11 24-27 | 12-15 28-31 */
    const __m256i bits[4] = {
        _mm256_unpacklo_epi16(low, exponent), _mm256_unpacklo_epi16(high, exponent),
        _mm256_unpackhi_epi16(low, exponent), _mm256_unpackhi_epi16(high, exponent)};

    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        rows[i] = _mm256_sub_ps(_mm256_castsi256_ps(bits[i]), bias);
}

#endif
