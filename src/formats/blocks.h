/* SPDX-License-Identifier: MIT
 * What readers and writers of blocks share. */
#ifndef TMAC_BLOCKS_H
#define TMAC_BLOCKS_H

#include "formats/strips.h"

/* ggml has codes i, 32 + i, 64 + i and 96 + i in byte i of 32; four strips have what 8 bytes hold in the
 * same bits of 4 words. Each is the other's inverse, and this does both. */
static inline void exchange_quarters(const uint8_t *from, int from_stride, uint8_t *to,
                                     int to_stride)
{
    uint64_t a = load64(from), b = load64(from + from_stride);
    uint64_t c = load64(from + 2 * from_stride), d = load64(from + 3 * from_stride);

    swap_parts(&a, &b, 2, 0x3333333333333333);
    swap_parts(&c, &d, 2, 0x3333333333333333);
    swap_parts(&a, &c, 4, 0x0f0f0f0f0f0f0f0f);
    swap_parts(&b, &d, 4, 0x0f0f0f0f0f0f0f0f);
    store64(to, a);
    store64(to + to_stride, b);
    store64(to + 2 * to_stride, c);
    store64(to + 3 * to_stride, d);
}

/* 256 codes of 2 bits in this order, whatever else their blocks have. */
static inline void exchange_256(const uint8_t *from, uint8_t *to)
{
    exchange_quarters(from, 8, to, 8);
    exchange_quarters(from + 32, 8, to + 32, 8);
}

#endif
