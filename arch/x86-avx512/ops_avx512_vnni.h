/* SPDX-License-Identifier: MIT
 * What VNNI has beside the operations of ops_avx512.h. */
#ifndef TMAC_OPS_AVX512_VNNI_H
#define TMAC_OPS_AVX512_VNNI_H

#include "ops_avx512.h"

/* With the intrinsics gcc 12 copies every sum at each turn of gemv's loop: a quarter more to decode. In
 * panels it does not, and there this makes it copy one. */
#if defined(__GNUC__) && !defined(__clang__)
#define IN_PLACE(instruction, sum, a, b) __asm__(instruction " %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#endif

/* sum + the four products of unsigned bytes of a and signed ones of b in each lane */
INLINE vec vec_dpbusd(vec sum, vec a, vec b)
{
#ifdef IN_PLACE
    IN_PLACE("vpdpbusd", sum, a, b);
    return sum;
#else
    return _mm512_dpbusd_epi32(sum, a, b);
#endif
}

/* sum + a.low * b.low + a.high * b.high, of signed words */
INLINE vec vec_dpwssd(vec sum, vec a, vec b)
{
#ifdef IN_PLACE
    IN_PLACE("vpdpwssd", sum, a, b);
    return sum;
#else
    return _mm512_dpwssd_epi32(sum, a, b);
#endif
}

#endif
