/* SPDX-License-Identifier: MIT */
#include "layouts/checksum.h"

#include "formats/words.h"

static const uint64_t PRIME = 0x9e3779b97f4a7c15u; /* odd, so that multiplying loses no bit */

static uint64_t mix(uint64_t state, uint64_t word)
{
    state = (state ^ word) * PRIME;
    return state ^ state >> 29;
}

/* Four lanes, because one multiplication waits for the one before it: that keeps up with memory. */
uint64_t tmac_checksum(const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    uint64_t lane[4] = {1, 2, 3, 4}, sum = count;

    for (; count >= 32; count -= 32, at += 32)
        for (int i = 0; i < 4; i++)
            lane[i] = mix(lane[i], load64(at + 8 * i));
    for (int i = 0; i < 4; i++)
        sum = mix(sum, lane[i]);
    for (; count; count--, at++)
        sum = mix(sum, *at);
    return mix(sum, 0);
}
