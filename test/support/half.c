/* SPDX-License-Identifier: MIT */
#include "half.h"

#include <math.h>
#include <string.h>

float half_to_float(uint16_t half)
{
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const float sign = half & 0x8000 ? -1.0f : 1.0f;

    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexpf((float)fraction, -24);
    return sign * ldexpf((float)(1024 + fraction), exponent - 25);
}

uint16_t half_from_float(float value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    int exponent;
    const float fraction = frexpf(fabsf(value), &exponent); /* [0.5, 1), 0 for 0 */

    if (exponent < -13 || fraction == 0.0f)
        return (uint16_t)(sign | (unsigned)rintf(ldexpf(fabsf(value), 24)));
    /* A fraction that rounds up to 2 carries into the exponent, as it should. */
    return (uint16_t)(sign + ((unsigned)(exponent + 14) << 10) +
                      (unsigned)rintf((2.0f * fraction - 1.0f) * 1024.0f));
}

float bf16_to_float(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t bf16_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)(bits >> 16);
}
