/* SPDX-License-Identifier: MIT */
#ifndef TMAC_AVX512_VNNI_H
#define TMAC_AVX512_VNNI_H

#include "avx512.h"

/* Adds four neighbouring products of unsigned by signed bytes to each 32-bit lane. */
INLINE __m512i dot(__m512i sum, __m512i codes, __m512i x)
{
#if defined(__GNUC__) && !defined(__clang__)
    /* With the intrinsic gcc 12 copies every sum at each turn of a loop: a quarter more to decode. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(x));
    return sum;
#else
    return _mm512_dpbusd_epi32(sum, codes, x);
#endif
}

#endif
