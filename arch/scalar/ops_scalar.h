/* SPDX-License-Identifier: MIT
 * What the templates in arch/family are made of, without a CPU's own: four floats, by the compiler's
 * vectors. */
#ifndef TMAC_OPS_SCALAR_H
#define TMAC_OPS_SCALAR_H

#include "scalar.h"

#include "float16.h"

#include <math.h>

#define INLINE static inline
#define UNROLL

enum { VEC_BYTES = 16, LANES = 4 /* floats of a vector */ };

typedef uint8_t vec __attribute__((vector_size(VEC_BYTES)));
typedef float vecf __attribute__((vector_size(VEC_BYTES)));

#include "../family/vec.h"

INLINE vecf vecf_fma(vecf a, vecf b, vecf c)
{
    for (int i = 0; i < LANES; i++)
        a[i] = fmaf(a[i], b[i], c[i]);
    return a;
}

/* ---- floats: inputs and scales ---------------------------------------------------------------- */

/* Of each four floats those of these numbers. */
#ifdef __clang__
#define vecf_fours(v, a, b, c, d) __builtin_shufflevector(v, v, a, b, c, d)
#else
#define vecf_fours(v, a, b, c, d) __builtin_shuffle(v, (veci){a, b, c, d})
#endif

INLINE vecf vecf_load_f16(const uint8_t *from)
{
    uint16_t half[4];

    memcpy(half, from, sizeof half);
    return (vecf){tmac_f16_to_f32(half[0]), tmac_f16_to_f32(half[1]), tmac_f16_to_f32(half[2]),
                  tmac_f16_to_f32(half[3])};
}

INLINE veci veci_load_u16(const uint8_t *from)
{
    uint16_t word[4];

    memcpy(word, from, sizeof word);
    return (veci){word[0], word[1], word[2], word[3]};
}

INLINE veci veci_load_u8(const uint8_t *from)
{
    return (veci){from[0], from[1], from[2], from[3]};
}

INLINE veci veci_load_i8(const uint8_t *from)
{
    return (veci){(int8_t)from[0], (int8_t)from[1], (int8_t)from[2], (int8_t)from[3]};
}

/* To the nearest, ties to even, of a magnitude below 2^22: where a float has no room for fractions, its
 * low bits are the integer. */
INLINE veci vecf_round(vecf v)
{
    return (veci)(v + 0x1.8p23f) - 0x4b400000;
}

INLINE veci veci_max(veci a, veci b)
{
    const veci above = a > b;
    return (a & above) | (b & ~above);
}

INLINE int32_t veci_most(veci v)
{
    int32_t most = v[0];

    for (int i = 1; i < LANES; i++)
        most = v[i] > most ? v[i] : most;
    return most;
}

/* A table: entries 0..3 and 4..7 as given, entry 15-c minus entry c; `flip` on every byte. */
INLINE void tables_store(uint8_t *to, veci low, veci high, uint8_t flip)
{
    for (int c = 0; c < 4; c++) {
        to[c] = (uint8_t)low[c] ^ flip;
        to[4 + c] = (uint8_t)high[c] ^ flip;
        to[11 - c] = (uint8_t)-high[c] ^ flip;
        to[15 - c] = (uint8_t)-low[c] ^ flip;
    }
}

/* 16 floats times `factor`, rounded: -128..127. */
INLINE bytes16 bytes16_quantize(const float *x, float factor)
{
    bytes16 bytes;

    for (int i = 0; i < 16; i += LANES) {
        const veci rounded = vecf_round(vecf_load(x + i) * factor);
        for (int j = 0; j < LANES; j++)
            bytes[i + j] = (int8_t)rounded[j];
    }
    return bytes;
}

/* Sums of `count` int8. */
typedef int32_t sums16;

INLINE sums16 sums16_add(sums16 sums, bytes16 bytes)
{
    for (int i = 0; i < 16; i++)
        sums += bytes[i];
    return sums;
}

INLINE int32_t sums16_total(sums16 sums, int count)
{
    (void)count;
    return sums;
}

#endif
