/* SPDX-License-Identifier: MIT
 * Shared by the kernels with VNNI. */
#ifndef TMAC_AVX512_VNNI_H
#define TMAC_AVX512_VNNI_H

#include "direct.h"

INLINE __m512i dot(__m512i sum, __m512i codes, __m512i x)
{
#if defined(__GNUC__) && !defined(__clang__)
    /* With the intrinsic gcc 12 copies every sum at each turn of gemv's loop: a quarter more to
     * decode. In panels it does not, and there this makes it copy one. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(x));
    return sum;
#else
    return _mm512_dpbusd_epi32(sum, codes, x);
#endif
}

/* sum + a.low * b.low + a.high * b.high, of signed words. In place, as above. */
INLINE __m512i dot_words(__m512i sum, __m512i a, __m512i b)
{
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
#else
    return _mm512_dpwssd_epi32(sum, a, b);
#endif
}

/* Adds the words of a pair of groups, of 2 x 16 rows, times the sums of activations of 8 inputs. */
INLINE void dot_pair(__m512i sum[2][TMAC_MAX_PANEL], const __m512i words[2], const int16_t *x)
{
    UNROLL
    for (int n = 0; n < TMAC_MAX_PANEL; n++) {
        const __m512i pair = broadcast_4_bytes((const uint8_t *)(x + 2 * n));
        sum[0][n] = dot_words(sum[0][n], words[0], pair);
        sum[1][n] = dot_words(sum[1][n], words[1], pair);
    }
}

/* Codes of 2 x 16 rows and a group of 4 activations, times a panel of `batch`: 2 x 8 sums, and an
 * activation that two of them share, keep both ports busy without waiting for loads. */
INLINE void dot_group(__m512i sum[2][TMAC_MAX_PANEL], __m512i codes0, __m512i codes1,
                      const uint8_t *x, const int batch)
{
    UNROLL
    for (int n = 0; n < batch; n++) {
        const __m512i x4 = broadcast_4_bytes(x + 4 * n);
        sum[0][n] = dot(sum[0][n], codes0, x4);
        sum[1][n] = dot(sum[1][n], codes1, x4);
    }
}

/* Groups [group, end) of one step of unpacked codes. A loop of 8 turns that ends a block is too short
 * to hide how it ends: there it is unrolled. */
INLINE void dot_step(__m512i sum[2][TMAC_MAX_PANEL], const struct unpacked *codes, const uint8_t *x,
                     const int group, const int end, const int batch)
{
    for (int g = group; g < end; g++)
        dot_group(sum, load_bytes(codes->codes[g][0]), load_bytes(codes->codes[g][1]),
                  x + 4 * g * batch, batch);
}

INLINE void dot_only_step(__m512i sum[2][TMAC_MAX_PANEL], const struct unpacked *codes,
                          const uint8_t *x, const int group, const int end, const int batch)
{
    UNROLL
    for (int g = group; g < end; g++)
        dot_group(sum, load_bytes(codes->codes[g][0]), load_bytes(codes->codes[g][1]),
                  x + 4 * g * batch, batch);
}

#endif
