/* SPDX-License-Identifier: MIT
 * AVX-VNNI for machines without it: compiling the files of arch/x86-avx-vnni with
 * `-include emulate_avx_vnni.h` and without -mavxvnni gives a set that runs wherever AVX2 does, under
 * another name. Correct, not fast. */
#ifndef TEST_EMULATE_AVX_VNNI_H
#define TEST_EMULATE_AVX_VNNI_H

#include <immintrin.h>

#define TMAC_EMULATED /* no instructions but by intrinsics */

/* Four products of unsigned and signed bytes, added to 32 bits; no pair of them may be added in 16. */
static inline __m256i emulated_dpbusd(__m256i sum, __m256i a, __m256i b)
{
    const __m256i a_even = _mm256_and_si256(a, _mm256_set1_epi16(0xff));
    const __m256i b_even = _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8);
    const __m256i even = _mm256_madd_epi16(a_even, b_even);
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(b, 8));

    return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}

static inline __m256i emulated_dpwssd(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

#define _mm256_dpbusd_avx_epi32 emulated_dpbusd
#define _mm256_dpwssd_avx_epi32 emulated_dpwssd

#define tmac_set_avx_vnni emulated_set_avx_vnni
#define avx_vnni_direct emulated_direct
#define avx_vnni_nested emulated_nested
#define avx_vnni_nested_scaled_accepts emulated_nested_scaled_accepts
#define avx_vnni_nested_scaled emulated_nested_scaled
#define avx_vnni_nested_centred_accepts emulated_nested_centred_accepts
#define avx_vnni_nested_centred emulated_nested_centred

#endif
