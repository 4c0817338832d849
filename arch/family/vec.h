/* SPDX-License-Identifier: MIT
 * The operations of a set that C has an expression for, on the compiler's vectors. Before this come, of the
 * set,
 *     VEC_BYTES, LANES   bytes and floats of a vector
 *     vec, vecf          that vector, of integers of any size and of floats
 * and after it come the operations that only intrinsics can say. gcc 12 makes many instructions of
 * __builtin_convertvector() where sizes differ, so that loads which widen are among these. */
#ifndef TMAC_FAMILY_VEC_H
#define TMAC_FAMILY_VEC_H

#include "inline.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef int8_t vec_i8 __attribute__((vector_size(VEC_BYTES)));
typedef uint8_t vec_u8 __attribute__((vector_size(VEC_BYTES)));
typedef int16_t vec_i16 __attribute__((vector_size(VEC_BYTES)));
typedef uint16_t vec_u16 __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t vec_u32 __attribute__((vector_size(VEC_BYTES)));
typedef int32_t veci __attribute__((vector_size(VEC_BYTES)));
typedef int8_t bytes16 __attribute__((vector_size(16)));

INLINE vec vec_load(const uint8_t *from)
{
    vec v;

    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void vec_store(uint8_t *to, vec v)
{
    memcpy(to, &v, sizeof v);
}

/* The same pointer, which the compiler cannot tell. */
INLINE const uint8_t *vec_opaque(const uint8_t *pointer)
{
    __asm__("" : "+r"(pointer));
    return pointer;
}

/* ---- one number in every lane ------------------------------------------------------------------ */

INLINE vec vec_zero(void)
{
    return (vec){0};
}

INLINE vec vec_bytes(const char byte)
{
    return (vec)((vec_i8){0} + (int8_t)byte);
}

INLINE vec vec_words(const short word)
{
    return (vec)((vec_i16){0} + word);
}

INLINE vec vec_lanes(int32_t number)
{
    return (vec)((veci){0} + number);
}

INLINE vec vec_broadcast4(const uint8_t *from)
{
    int32_t four;

    memcpy(&four, from, sizeof four);
    return vec_lanes(four);
}

/* ---- integers: bits, bytes, words, lanes of 32 bits -------------------------------------------- */

INLINE vec vec_and(vec a, vec b)
{
    return (vec)((vec_u8)a & (vec_u8)b);
}

INLINE vec vec_xor(vec a, vec b)
{
    return (vec)((vec_u8)a ^ (vec_u8)b);
}

INLINE vec vec_add8(vec a, vec b)
{
    return (vec)((vec_u8)a + (vec_u8)b);
}

INLINE vec vec_sub8(vec a, vec b)
{
    return (vec)((vec_u8)a - (vec_u8)b);
}

INLINE vec vec_add16(vec a, vec b)
{
    return (vec)((vec_u16)a + (vec_u16)b);
}

INLINE vec vec_right16(vec v, const int bits)
{
    return (vec)((vec_u16)v >> (uint16_t)bits);
}

INLINE vec vec_left16(vec v, const int bits)
{
    return (vec)((vec_u16)v << (uint16_t)bits);
}

/* With a sign, as vec_right32(). */
INLINE vec vec_sra16(vec v, const int bits)
{
    return (vec)((vec_i16)v >> (int16_t)bits);
}

INLINE vec vec_add32(vec a, vec b)
{
    return (vec)((vec_u32)a + (vec_u32)b);
}

INLINE vec vec_sub32(vec a, vec b)
{
    return (vec)((vec_u32)a - (vec_u32)b);
}

INLINE vec vec_mul32(vec a, vec b)
{
    return (vec)((vec_u32)a * (vec_u32)b);
}

INLINE vec vec_left32(vec v, const int bits)
{
    return (vec)((vec_u32)v << (uint32_t)bits);
}

INLINE vec vec_right32(vec v, const int bits)
{
    return (vec)((veci)v >> bits);
}

INLINE vec vec_right32_unsigned(vec v, const int bits)
{
    return (vec)((vec_u32)v >> (uint32_t)bits);
}

/* ---- floats ------------------------------------------------------------------------------------ */

/* Less 0, which is the number itself to the bit. */
INLINE vecf vecf_all(float number)
{
    return number - (vecf){0};
}

INLINE vecf vecf_load(const float *from)
{
    vecf v;

    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void vecf_store(float *to, vecf v)
{
    memcpy(to, &v, sizeof v);
}

INLINE vecf vecf_add(vecf a, vecf b)
{
    return a + b;
}

INLINE vecf vecf_mul(vecf a, vecf b)
{
    return a * b;
}

INLINE vecf vecf_convert(vec integers)
{
    return __builtin_convertvector((veci)integers, vecf);
}

INLINE vecf vecf_load_f16(const uint8_t *from); /* of the set */

/* Scales of row vector v. */
INLINE vecf load_scales(const uint8_t *scales, const int v, const bool half)
{
    return half ? vecf_load_f16(scales + 2 * LANES * v)
                : vecf_load((const float *)(const void *)scales + LANES * v);
}

#endif
