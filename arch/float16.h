/* SPDX-License-Identifier: MIT
 * Half and bfloat16 to single precision without help from the CPU. Both conversions are exact. */
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

#endif
