/* SPDX-License-Identifier: MIT
 * Bytes as words, the first byte in the lowest bits. */
#ifndef TMAC_WORDS_H
#define TMAC_WORDS_H

#include <stdint.h>
#include <string.h>

static inline uint32_t load32(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline void store32(uint8_t *at, uint32_t word)
{
    memcpy(at, &word, sizeof word);
}

static inline void store64(uint8_t *at, uint64_t word)
{
    memcpy(at, &word, sizeof word);
}

/* Bits of `mask` trade places with those `shift` above. Where bit numbers are seen as digits, one swap
 * exchanges two digits: so few of them make any transpose. */
static inline uint32_t swap_bits32(uint32_t word, int shift, uint32_t mask)
{
    const uint32_t differ = (word ^ word >> shift) & mask;
    return word ^ differ ^ differ << shift;
}

static inline uint64_t swap_bits64(uint64_t word, int shift, uint64_t mask)
{
    const uint64_t differ = (word ^ word >> shift) & mask;
    return word ^ differ ^ differ << shift;
}

/* The same with bits `shift` above those of `mask` in one word, and those of `mask` in the other. */
static inline void swap_parts(uint64_t *upper, uint64_t *lower, int shift, uint64_t mask)
{
    const uint64_t differ = (*upper >> shift ^ *lower) & mask;
    *upper ^= differ << shift;
    *lower ^= differ;
}

/* Half floats are little-endian. */
static inline uint32_t load16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline void store16(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)number;
    at[1] = (uint8_t)(number >> 8);
}

#endif
