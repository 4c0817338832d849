/* SPDX-License-Identifier: MIT
 * What the templates in arch/family are made of, on NEON. */
#ifndef TMAC_OPS_NEON_H
#define TMAC_OPS_NEON_H

#include "neon.h"

#include "family/inline.h"

#include <arm_neon.h>

enum { VEC_BYTES = 16, LANES = 4 /* floats of a vector */ };

typedef uint8x16_t vec;
typedef float32x4_t vecf;

#include "family/vec.h"

/* a * b + c */
INLINE vecf vecf_fma(vecf a, vecf b, vecf c)
{
    return vfmaq_f32(c, a, b);
}

/* Packed bytes have no alignment, so all loads of f16 are of bytes. */
INLINE vecf vecf_load_f16(const uint8_t *from)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(from)));
}

/* The value, such that the compiler cannot tell. */
INLINE vecf vecf_here(vecf v)
{
    __asm__("" : "+w"(v));
    return v;
}

/* What is read once is fetched ahead by the hardware of all cores that this was modelled for. */
INLINE void vec_prefetch(const uint8_t *codes, const size_t bytes)
{
    (void)codes;
    (void)bytes;
}

INLINE void vec_prefetch_scales(const uint8_t *scales, const size_t bytes)
{
    (void)scales;
    (void)bytes;
}

/* ---- direct and nested: 32-bit lanes are rows ------------------------------------------------- */

enum {
    ROW_VECTORS = 8, /* of a tile of 32 rows */
    VEC_REGISTERS = 32,
    BYTE_SHIFTS = true
};

/* The value, such that the compiler cannot tell. */
INLINE vec vec_here(vec v)
{
    __asm__("" : "+w"(v));
    return v;
}

/* Between the rounds of an unrolled loop: gcc would move the loads and shifts of all rounds to the front, run out of
 * registers and spill. */
INLINE void vec_in_order(void)
{
    __asm__ volatile("");
}

/* Bits of a where the mask has ones, else of b. */
INLINE vec vec_select(vec mask, vec a, vec b)
{
    return vbslq_u8(mask, a, b);
}

INLINE vec vec_right_bytes(vec v, const int bits)
{
    return v >> (uint8_t)bits;
}

INLINE vec vec_left_bytes(vec v, const int bits)
{
    return v << (uint8_t)bits;
}

/* a.low * b.low + a.high * b.high, of the signed words of each lane */
INLINE vec vec_madd16(vec a, vec b)
{
    const int16x8_t aw = vreinterpretq_s16_u8(a), bw = vreinterpretq_s16_u8(b);

    return (vec)vpaddq_s32(vmull_s16(vget_low_s16(aw), vget_low_s16(bw)), vmull_high_s16(aw, bw));
}

INLINE vec vec_widen_u8(const uint8_t *from)
{
    return (vec)vmovl_u8(vld1_u8(from));
}

INLINE vec vec_widen_i8(const uint8_t *from)
{
    return (vec)vmovl_s8(vreinterpret_s8_u8(vld1_u8(from)));
}

INLINE void vec_prefetch_pair(const uint8_t *codes, const size_t bytes, const uint8_t *own,
                              const size_t own_bytes)
{
    (void)codes;
    (void)bytes;
    (void)own;
    (void)own_bytes;
}

/* ---- floats: inputs and scales ---------------------------------------------------------------- */

/* Of each four floats those of these numbers. */
#ifdef __clang__
#define vecf_fours(v, a, b, c, d) __builtin_shufflevector(v, v, a, b, c, d)
#else
#define vecf_fours(v, a, b, c, d) __builtin_shuffle(v, (uint32x4_t){a, b, c, d})
#endif

INLINE veci veci_load_u16(const uint8_t *from)
{
    return (veci)vmovl_u16(vreinterpret_u16_u8(vld1_u8(from)));
}

INLINE uint8x8_t load_4_bytes(const uint8_t *from)
{
    uint32_t bytes;

    memcpy(&bytes, from, sizeof bytes);
    return vreinterpret_u8_u32(vdup_n_u32(bytes));
}

INLINE veci veci_load_u8(const uint8_t *from)
{
    return (veci)vmovl_u16(vget_low_u16(vmovl_u8(load_4_bytes(from))));
}

INLINE veci veci_load_i8(const uint8_t *from)
{
    return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load_4_bytes(from)))));
}

/* To the nearest, ties to even. */
INLINE veci vecf_round(vecf v)
{
    return vcvtnq_s32_f32(v);
}

INLINE veci veci_max(veci a, veci b)
{
    return vmaxq_s32(a, b);
}

INLINE int32_t veci_most(veci v)
{
    return vmaxvq_s32(v);
}

INLINE int8x8_t narrow(veci low, veci high)
{
    return vmovn_s16(vcombine_s16(vmovn_s32(low), vmovn_s32(high)));
}

/* A table: entries 0..3 and 4..7 as given, entry 15-c minus entry c; `flip` on every byte. */
INLINE void tables_store(uint8_t *to, veci low, veci high, uint8_t flip)
{
    const int8x8_t half = narrow(low, high);
    const int8x16_t table = vcombine_s8(half, vrev64_s8(vneg_s8(half)));

    vst1q_u8(to, veorq_u8(vreinterpretq_u8_s8(table), vdupq_n_u8(flip)));
}

/* 16 floats times `factor`, rounded: -128..127. */
INLINE bytes16 bytes16_quantize(const float *x, float factor)
{
    veci rounded[4];

    UNROLL
    for (int i = 0; i < 4; i++)
        rounded[i] = vecf_round(vecf_load(x + 4 * i) * factor);
    return vcombine_s8(narrow(rounded[0], rounded[1]), narrow(rounded[2], rounded[3]));
}

/* Sums of `count` int8. */
typedef int16x8_t sums16;

INLINE sums16 sums16_add(sums16 sums, bytes16 bytes)
{
    return vpadalq_s8(sums, bytes);
}

INLINE int32_t sums16_total(sums16 sums, int count)
{
    (void)count;
    return vaddlvq_s16(sums);
}

#endif
