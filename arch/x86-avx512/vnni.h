/* SPDX-License-Identifier: MIT
 * Shared by the kernels with VNNI. */
#ifndef TMAC_AVX512_VNNI_H
#define TMAC_AVX512_VNNI_H

#include "avx512.h"

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

#endif
