/* SPDX-License-Identifier: MIT
 * What AVX-VNNI has beside the operations of ops_avx2.h. */
#ifndef TMAC_OPS_AVX_VNNI_H
#define TMAC_OPS_AVX_VNNI_H

#include "../x86-avx2/ops_avx2.h"

/* sum + the four products of unsigned bytes of a and signed ones of b in each lane */
INLINE vec vec_dpbusd(vec sum, vec a, vec b)
{
    return ADD_IN_PLACE("%{vex%} vpdpbusd", _mm256_dpbusd_avx_epi32, sum, a, b);
}

/* sum + a.low * b.low + a.high * b.high, of signed words */
INLINE vec vec_dpwssd(vec sum, vec a, vec b)
{
    return ADD_IN_PLACE("%{vex%} vpdpwssd", _mm256_dpwssd_avx_epi32, sum, a, b);
}

#endif
