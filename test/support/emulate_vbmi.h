/* SPDX-License-Identifier: MIT
 * AVX-512 VBMI for machines without it: compiling the _vbmi.c files of arch/x86-avx512 with
 * `-include emulate_vbmi.h` and without -mavx512vbmi gives kernels that run wherever AVX-512BW
 * does. Correct, not fast; an intrinsic that is missing here is an error at compile time (gcc:
 * "target specific option mismatch"). */
#ifndef TEST_EMULATE_VBMI_H
#define TEST_EMULATE_VBMI_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

static inline __m512i emulated_permutexvar(__m512i index, __m512i table)
{
    uint8_t i[64], t[64], out[64];

    memcpy(i, &index, 64);
    memcpy(t, &table, 64);
    for (int b = 0; b < 64; b++)
        out[b] = t[i[b] & 63];
    memcpy(&index, out, 64);
    return index;
}

static inline __m512i emulated_permutex2var(__m512i low, __m512i index, __m512i high)
{
    uint8_t i[64], t[128], out[64];

    memcpy(i, &index, 64);
    memcpy(t, &low, 64);
    memcpy(t + 64, &high, 64);
    for (int b = 0; b < 64; b++)
        out[b] = t[i[b] & 127];
    memcpy(&index, out, 64);
    return index;
}

static inline __m512i emulated_multishift(__m512i shift, __m512i value)
{
    uint8_t s[64], out[64];
    uint64_t v[8];

    memcpy(s, &shift, 64);
    memcpy(v, &value, 64);
    for (int b = 0; b < 64; b++) {
        const int by = s[b] & 63;
        out[b] = (uint8_t)(v[b / 8] >> by | v[b / 8] << (-by & 63));
    }
    memcpy(&value, out, 64);
    return value;
}

/* The 256-bit forms: the table is repeated above, for the index bits that do not count. */
static inline __m256i emulated_permutexvar256(__m256i index, __m256i table)
{
    const __m512i wide = _mm512_broadcast_i64x4(table);
    return _mm512_castsi512_si256(emulated_permutexvar(_mm512_castsi256_si512(index), wide));
}

static inline __m256i emulated_permutex2var256(__m256i low, __m256i index, __m256i high)
{
    const __m512i table = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    return _mm512_castsi512_si256(emulated_permutexvar(_mm512_castsi256_si512(index), table));
}

#define _mm512_permutexvar_epi8 emulated_permutexvar
#define _mm512_maskz_permutexvar_epi8(m, i, t) _mm512_maskz_mov_epi8(m, emulated_permutexvar(i, t))
#define _mm512_mask_permutexvar_epi8(w, m, i, t)                                                   \
    _mm512_mask_mov_epi8(w, m, emulated_permutexvar(i, t))
#define _mm512_permutex2var_epi8 emulated_permutex2var
#define _mm512_mask_permutex2var_epi8(a, m, i, b)                                                  \
    _mm512_mask_mov_epi8(a, m, emulated_permutex2var(a, i, b))
#define _mm512_mask2_permutex2var_epi8(a, i, m, b)                                                 \
    _mm512_mask_mov_epi8(i, m, emulated_permutex2var(a, i, b))
#define _mm512_maskz_permutex2var_epi8(m, a, i, b)                                                 \
    _mm512_maskz_mov_epi8(m, emulated_permutex2var(a, i, b))
#define _mm512_multishift_epi64_epi8 emulated_multishift
#define _mm512_maskz_multishift_epi64_epi8(m, s, v)                                                \
    _mm512_maskz_mov_epi8(m, emulated_multishift(s, v))
#define _mm256_permutexvar_epi8 emulated_permutexvar256
#define _mm256_permutex2var_epi8 emulated_permutex2var256

#endif
