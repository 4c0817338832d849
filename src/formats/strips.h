/* SPDX-License-Identifier: MIT
 * Strips: the codes of one row and one step, between a source of weights and the cells.
 *     1 bit             4 bytes    bit k: code k
 *     2 bits, ternary   8 bytes    bits 2f+1..2f of byte i: code 8f + i
 *     3 bits, 4 bits   16 bytes    bits 4f+3..4f of byte i: code 16f + i
 *     8 bits           32 bytes    byte i: code i */
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
    const size_t bits = (size_t)tmac_width_bits(width);
    return TMAC_STEP_K / 8 * (bits == 3 ? 4 : bits);
}

/* Codes of 2 bits, one per byte, `count` of them: a multiple of TMAC_STEP_K. */
static inline void tmac_codes_to_fields(const uint8_t *codes, int count, uint8_t *strips)
{
    for (int i = 0; i < count / 4; i += 8, codes += TMAC_STEP_K)
        store64(strips + i, load64(codes) | load64(codes + 8) << 2 | load64(codes + 16) << 4 |
                                load64(codes + 24) << 6);
}

/* Codes of 2 bits, four per byte, the first in the lowest bits. */
static inline void tmac_dense_to_fields(const uint8_t *dense, int count, uint8_t *strips)
{
    for (int i = 0; i < count / 4; i += 8) {
        uint64_t word = swap_bits64(load64(dense + i), 2, 0x0c0c0c0c0c0c0c0c);
        word = swap_bits64(word, 14, 0x0000cccc0000cccc);
        word = swap_bits64(word, 4, 0x00f000f000f000f0);
        store64(strips + i, swap_bits64(word, 28, 0x00000000f0f0f0f0));
    }
}

#endif
