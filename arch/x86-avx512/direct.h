/* SPDX-License-Identifier: MIT
 * Layout DIRECT: where the codes of a cell are, as vectors of 16 rows x 4 neighbouring k. */
#ifndef TMAC_AVX512_DIRECT_H
#define TMAC_AVX512_DIRECT_H

#include "tile32.h"

INLINE __m512i direct_vector(const uint8_t *cell, const int z, const int half)
{
    return load_bytes(cell + (2 * z + half) * 64);
}

/* 3 bits: puts the high bits, h, beside the low ones, x, so that two groups share a vector of
 * codes with bits 0..2 and 4..6. In x, group 2f + z is at bit 2f of vector z, in h at bit 2f + z:
 *     f = 0, 2:   bits 0, 1, 4, 5 of x        and 2, 6 of h << (2 - z)
 *     f = 1, 3:   bits 0, 1, 4, 5 of x >> 2   and 2, 6 of h >> z
 * Shifts move words, but no bit that is taken crosses a byte. */
INLINE __m512i direct_source_w3(const uint8_t *cell, const int group, const int half)
{
    const int z = group % 2;
    const __m512i x = direct_vector(cell, z, half);
    const __m512i h = load_bytes(cell + 256 + 64 * half);
    const __m512i low = _mm512_set1_epi8(0x33);

    if (group / 2 % 2 == 0) /* 0xCA: low ? x : h */
        return _mm512_ternarylogic_epi32(low, x, _mm512_slli_epi16(h, 2 - z), 0xCA);
    return _mm512_ternarylogic_epi32(low, _mm512_srli_epi16(x, 2), z ? _mm512_srli_epi16(h, 1) : h,
                                     0xCA);
}

/* A vector that holds the codes of group `group` from bit direct_bit of each byte. */
INLINE __m512i direct_source(const uint8_t *cell, const enum tmac_w width, const int group,
                             const int half)
{
    switch (width) {
    case TMAC_W1:
        return direct_vector(cell, 0, half);
    case TMAC_W3:
        return direct_source_w3(cell, group, half);
    case TMAC_W4:
        return direct_vector(cell, group % 4, half);
    default:
        return direct_vector(cell, group % 2, half);
    }
}

INLINE int direct_bit(const enum tmac_w width, const int group)
{
    switch (width) {
    case TMAC_W1:
        return group;
    case TMAC_W3:
    case TMAC_W4:
        return group / 4 * 4;
    default:
        return group / 2 * 2;
    }
}

/* Codes in the low bits of each byte. */
INLINE __m512i direct_codes(const uint8_t *cell, const enum tmac_w width, const int group,
                            const int half)
{
    const int bit = direct_bit(width, group), bits = tmac_width_bits(width);
    const __m512i source = direct_source(cell, width, group, half);

    return _mm512_and_si512(bit ? _mm512_srli_epi16(source, bit) : source,
                            _mm512_set1_epi8((char)((1 << bits) - 1)));
}

/* The codes of one step, [group][half][64]: panels unpack them once for all columns. */
struct unpacked {
    _Alignas(64) uint8_t codes[8][2][64];
};

INLINE void direct_unpack_groups(struct unpacked *to, const uint8_t *cell, const enum tmac_w width,
                                 const int begin, const int end)
{
    UNROLL
    for (int g = begin; g < end; g++) {
        _mm512_store_si512(to->codes[g][0], direct_codes(cell, width, g, 0));
        _mm512_store_si512(to->codes[g][1], direct_codes(cell, width, g, 1));
    }
}

INLINE void direct_unpack_width(struct unpacked *to, const uint8_t *cell, const enum tmac_w width,
                                int group, int group_end)
{
    if (group < 4)
        direct_unpack_groups(to, cell, width, 0, 4);
    if (group_end > 4)
        direct_unpack_groups(to, cell, width, 4, 8);
}

static inline void direct_unpack(struct unpacked *to, const uint8_t *cell, enum tmac_w width,
                                 int group, int group_end)
{
    switch (width) {
    case TMAC_W1:
        direct_unpack_width(to, cell, TMAC_W1, group, group_end);
        break;
    case TMAC_W3:
        direct_unpack_width(to, cell, TMAC_W3, group, group_end);
        break;
    case TMAC_W4:
        direct_unpack_width(to, cell, TMAC_W4, group, group_end);
        break;
    default:
        direct_unpack_width(to, cell, TMAC_W2, group, group_end);
    }
}

#endif
