/* SPDX-License-Identifier: MIT
 * What VNNI has beside the operations of ops_avx512.h. */
#ifndef TMAC_OPS_AVX512_VNNI_H
#define TMAC_OPS_AVX512_VNNI_H

#include "ops_avx512.h"

/* sum + the four products of unsigned bytes of a and signed ones of b in each lane */
INLINE vec vec_dpbusd(vec sum, vec a, vec b)
{
    return ADD_IN_PLACE("vpdpbusd", _mm512_dpbusd_epi32, sum, a, b);
}

/* sum + a.low * b.low + a.high * b.high, of signed words */
INLINE vec vec_dpwssd(vec sum, vec a, vec b)
{
    return ADD_IN_PLACE("vpdpwssd", _mm512_dpwssd_epi32, sum, a, b);
}

#endif
