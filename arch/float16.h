/* SPDX-License-Identifier: MIT
 * Half and bfloat16 to single precision, which is exact, and back, without help from the CPU. */
#ifndef TMAC_FLOAT16_H
#define TMAC_FLOAT16_H

#include <stdint.h>
#include <string.h>

static inline float tmac_bits_to_f32(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float tmac_bf16_to_f32(uint16_t half)
{
    return tmac_bits_to_f32((uint32_t)half << 16);
}

static inline float tmac_f16_to_f32(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 31, fraction = half & 0x3ff;

    if (exponent == 31)
        return tmac_bits_to_f32(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) {
        const float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    return tmac_bits_to_f32(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint32_t tmac_f32_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* To nearest, ties to even; a NaN stays one. */
static inline uint16_t tmac_f32_to_bf16(float value)
{
    const uint32_t bits = tmac_f32_to_bits(value);

    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* The same. Adding 2^k leaves the bits that a half has in the low bits of a float: the addition rounds. */
static inline uint16_t tmac_f32_to_f16(float value)
{
    const uint32_t bits = tmac_f32_to_bits(value), magnitude = bits & 0x7fffffff;
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);

    if (magnitude >= 0x47800000) /* 65536 and above, infinity, NaN */
        return (uint16_t)(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (magnitude < 0x38800000) { /* below 2^-14: units of 2^-24 */
        const float moved = tmac_bits_to_f32(magnitude) + 0.5f;
        return (uint16_t)(sign | (tmac_f32_to_bits(moved) - 0x3f000000));
    }
    /* 13 bits fall away, the exponent's bias is 112 less; a carry into it is right. */
    return (uint16_t)(sign | ((magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

#endif
