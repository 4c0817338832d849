/* SPDX-License-Identifier: MIT
 * What the templates in arch/family are made of, on NEON. */
#ifndef TMAC_OPS_NEON_H
#define TMAC_OPS_NEON_H

#include "neon.h"

#define TEMPLATE INLINE

enum { LANES = 4 /* floats of a vector */ };

typedef uint8x16_t vec;
typedef float32x4_t vecf;

TEMPLATE vecf vecf_all(float number)
{
    return vdupq_n_f32(number);
}

TEMPLATE vecf vecf_load(const float *from)
{
    return vld1q_f32(from);
}

TEMPLATE void vecf_store(float *to, vecf v)
{
    vst1q_f32(to, v);
}

TEMPLATE vecf vecf_add(vecf a, vecf b)
{
    return vaddq_f32(a, b);
}

TEMPLATE vecf vecf_mul(vecf a, vecf b)
{
    return vmulq_f32(a, b);
}

/* a * b + c */
TEMPLATE vecf vecf_fma(vecf a, vecf b, vecf c)
{
    return vfmaq_f32(c, a, b);
}

/* Packed bytes have no alignment, so all loads of f16 are of bytes. */
TEMPLATE vecf vecf_load_f16(const uint8_t *from)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(from)));
}

/* Scales of row vector v. */
TEMPLATE vecf load_scales(const uint8_t *scales, const int v, const bool half)
{
    return half ? vecf_load_f16(scales + 8 * v)
                : vecf_load((const float *)(const void *)scales + 4 * v);
}

/* The value, such that the compiler cannot tell. */
TEMPLATE vecf vecf_here(vecf v)
{
    NEON_OPAQUE(v);
    return v;
}

TEMPLATE vec vec_load(const uint8_t *from)
{
    return vld1q_u8(from);
}

TEMPLATE void vec_store(uint8_t *to, vec v)
{
    vst1q_u8(to, v);
}

TEMPLATE vec vec_bytes(const char byte)
{
    return vdupq_n_u8((uint8_t)byte);
}

TEMPLATE vec vec_zero(void)
{
    return vdupq_n_u8(0);
}

/* Lanes of 32 bits. */
TEMPLATE vec vec_add32(vec a, vec b)
{
    return (vec)((uint32x4_t)a + (uint32x4_t)b);
}

TEMPLATE vecf vecf_convert(vec integers)
{
    return vcvtq_f32_s32(vreinterpretq_s32_u8(integers));
}

/* What is read once is fetched ahead by the hardware of all cores that this was modelled for. */
TEMPLATE void vec_prefetch(const uint8_t *codes, const size_t bytes)
{
    (void)codes;
    (void)bytes;
}

TEMPLATE void vec_prefetch_scales(const uint8_t *scales, const size_t bytes)
{
    (void)scales;
    (void)bytes;
}

/* ---- floats: inputs and scales ---------------------------------------------------------------- */

typedef int32x4_t veci;
typedef int8x16_t bytes16;

/* Of each four floats those of these numbers. */
#ifdef __clang__
#define vecf_fours(v, a, b, c, d) __builtin_shufflevector(v, v, a, b, c, d)
#else
#define vecf_fours(v, a, b, c, d) __builtin_shuffle(v, (uint32x4_t){a, b, c, d})
#endif

TEMPLATE veci veci_load_u16(const uint8_t *from)
{
    return (veci)vmovl_u16(vreinterpret_u16_u8(vld1_u8(from)));
}

TEMPLATE uint8x8_t load_4_bytes(const uint8_t *from)
{
    uint32_t bytes;

    memcpy(&bytes, from, sizeof bytes);
    return vreinterpret_u8_u32(vdup_n_u32(bytes));
}

TEMPLATE veci veci_load_u8(const uint8_t *from)
{
    return (veci)vmovl_u16(vget_low_u16(vmovl_u8(load_4_bytes(from))));
}

TEMPLATE veci veci_load_i8(const uint8_t *from)
{
    return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load_4_bytes(from)))));
}

/* To the nearest, ties to even. */
TEMPLATE veci vecf_round(vecf v)
{
    return vcvtnq_s32_f32(v);
}

TEMPLATE veci veci_max(veci a, veci b)
{
    return vmaxq_s32(a, b);
}

TEMPLATE int32_t veci_most(veci v)
{
    return vmaxvq_s32(v);
}

TEMPLATE int8x8_t narrow(veci low, veci high)
{
    return vmovn_s16(vcombine_s16(vmovn_s32(low), vmovn_s32(high)));
}

/* A table: entries 0..3 and 4..7 as given, entry 15-c minus entry c; `flip` on every byte. */
TEMPLATE void tables_store(uint8_t *to, veci low, veci high, uint8_t flip)
{
    const int8x8_t half = narrow(low, high);
    const int8x16_t table = vcombine_s8(half, vrev64_s8(vneg_s8(half)));

    vst1q_u8(to, veorq_u8(vreinterpretq_u8_s8(table), vdupq_n_u8(flip)));
}

/* 16 floats times `factor`, rounded: -128..127. */
TEMPLATE bytes16 bytes16_quantize(const float *x, float factor)
{
    veci rounded[4];

    NEON_UNROLL
    for (int i = 0; i < 4; i++)
        rounded[i] = vecf_round(vecf_load(x + 4 * i) * factor);
    return vcombine_s8(narrow(rounded[0], rounded[1]), narrow(rounded[2], rounded[3]));
}

/* Sums of `count` int8. */
typedef int16x8_t sums16;

TEMPLATE sums16 sums16_add(sums16 sums, bytes16 bytes)
{
    return vpadalq_s8(sums, bytes);
}

TEMPLATE int32_t sums16_total(sums16 sums, int count)
{
    (void)count;
    return vaddlvq_s16(sums);
}

#endif
