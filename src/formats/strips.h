/* SPDX-License-Identifier: MIT
 * Strips: the codes of one row and one step, between a source of weights and the cells. A strip is one
 * after the other for each slice of the codes (contract.h), the lowest first. That of a slice of b bits
 * has 4b bytes: field f of byte i, from bit b f up, is that of code 4b f + i. */
#ifndef TMAC_STRIPS_H
#define TMAC_STRIPS_H

#include "contract.h"
#include "formats/words.h"

enum {
    TMAC_CHUNK_K = 256, /* the largest ggml block, so that chunks start at blocks */
    TMAC_CHUNK_STEPS = TMAC_CHUNK_K / TMAC_STEP_K,
    TMAC_MAX_STRIP = 32
};

static inline size_t tmac_strip_bytes(tmac_width width)
{
    return TMAC_STEP_K / 8 * (size_t)tmac_width_bits(width);
}

/* ---- codes, one per byte, to strips ------------------------------------------------------------ */

/* The codes of a step, eight in each word. */
struct tmac_step_codes {
    uint64_t a, b, c, d;
};

/* One slice: `bits` from bit `shift` up, `whole` where a code has no others. These are constants where
 * it is called. */
static inline void tmac_codes_to_slice(struct tmac_step_codes codes, int bits, int shift,
                                       bool whole, uint8_t *strip)
{
    const uint64_t mask = whole ? ~(uint64_t)0 : ((1u << bits) - 1) * 0x0101010101010101u;
    const uint64_t a = codes.a >> shift & mask, b = codes.b >> shift & mask;
    const uint64_t c = codes.c >> shift & mask, d = codes.d >> shift & mask;

    if (bits == 8) {
        store64(strip, a);
        store64(strip + 8, b);
        store64(strip + 16, c);
        store64(strip + 24, d);
    } else if (bits == 4) {
        store64(strip, a | c << 4);
        store64(strip + 8, b | d << 4);
    } else {
        const uint64_t fields = a | b << 2 | c << 4 | d << 6;
        if (bits == 2)
            store64(strip, fields);
        else
            store32(strip, (uint32_t)(fields | fields >> 31));
    }
}

/* Codes of 3 bits by way of half-bytes, which is faster than slice by slice. */
static inline void tmac_codes_to_strip_3(struct tmac_step_codes codes, uint8_t *strip)
{
    const uint64_t low = 0x3333333333333333, third = 0x1111111111111111;
    const uint64_t first = codes.a | codes.c << 4, second = codes.b | codes.d << 4;
    const uint64_t top = (first >> 2 & third) | (second & third << 2);

    store64(strip, (first & low) | (second & low) << 2);
    store32(strip + 8, (uint32_t)(top | top >> 31));
}

static inline void tmac_codes_to_strip(struct tmac_step_codes codes, tmac_width width,
                                       uint8_t *strip)
{
    const int low = tmac_slice_low(width), high = tmac_slice_high(width);

    if (width == TMAC_WIDTH_3) {
        tmac_codes_to_strip_3(codes, strip);
        return;
    }
    tmac_codes_to_slice(codes, low, 0, !high, strip);
    if (high)
        tmac_codes_to_slice(codes, high, low, false, strip + 4 * low);
}

/* Codes of `steps` steps to their strips. */
static inline void tmac_codes_to_strips(const uint8_t *codes, int steps, tmac_width width,
                                        uint8_t *strips)
{
    for (int s = 0; s < steps; s++, codes += TMAC_STEP_K, strips += tmac_strip_bytes(width))
        tmac_codes_to_strip((struct tmac_step_codes){load64(codes), load64(codes + 8),
                                                     load64(codes + 16), load64(codes + 24)},
                            width, strips);
}

/* ---- strips of 1 and 2 bits, to and from codes as dense as they, the first in the lowest bits ------ */

static inline void tmac_dense_to_bits(const uint8_t *dense, int steps, uint8_t *strips)
{
    for (int i = 0; i < 4 * steps; i += 4) {
        uint32_t word = swap_bits32(load32(dense + i), 1, 0x22222222);
        word = swap_bits32(word, 3, 0x0a0a0a0a);
        word = swap_bits32(word, 6, 0x00cc00cc);
        store32(strips + i, swap_bits32(word, 12, 0x0000f0f0));
    }
}

static inline void tmac_bits_to_dense(const uint8_t *strips, int steps, uint8_t *dense)
{
    for (int i = 0; i < 4 * steps; i += 4) {
        uint32_t word = swap_bits32(load32(strips + i), 12, 0x0000f0f0);
        word = swap_bits32(word, 6, 0x00cc00cc);
        word = swap_bits32(word, 3, 0x0a0a0a0a);
        store32(dense + i, swap_bits32(word, 1, 0x22222222));
    }
}

static inline void tmac_dense_to_fields(const uint8_t *dense, int steps, uint8_t *strips)
{
    for (int i = 0; i < 8 * steps; i += 8) {
        uint64_t word = swap_bits64(load64(dense + i), 2, 0x0c0c0c0c0c0c0c0c);
        word = swap_bits64(word, 14, 0x0000cccc0000cccc);
        word = swap_bits64(word, 4, 0x00f000f000f000f0);
        store64(strips + i, swap_bits64(word, 28, 0x00000000f0f0f0f0));
    }
}

static inline void tmac_fields_to_dense(const uint8_t *strips, int steps, uint8_t *dense)
{
    for (int i = 0; i < 8 * steps; i += 8) {
        uint64_t word = swap_bits64(load64(strips + i), 28, 0x00000000f0f0f0f0);
        word = swap_bits64(word, 4, 0x00f000f000f000f0);
        word = swap_bits64(word, 14, 0x0000cccc0000cccc);
        store64(dense + i, swap_bits64(word, 2, 0x0c0c0c0c0c0c0c0c));
    }
}

/* Strips of 2 bits to one code per byte. */
static inline void tmac_fields_to_codes(const uint8_t *strips, int steps, uint8_t *codes)
{
    for (int s = 0; s < steps; s++)
        for (int f = 0; f < 4; f++)
            store64(codes + 32 * s + 8 * f, load64(strips + 8 * s) >> 2 * f & 0x0303030303030303);
}

#endif
