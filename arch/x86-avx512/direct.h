/* SPDX-License-Identifier: MIT
 * Layout DIRECT: where the codes of a cell are, as vectors of 16 rows x 4 neighbouring k. */
#ifndef TMAC_AVX512_DIRECT_H
#define TMAC_AVX512_DIRECT_H

#include "tile32.h"

#include "../family/ahead.h"

/* What the codes of 16 rows and one step are masked out of; groups g and g + 4 share a vector. */
struct sources {
    __m512i v[4];
};

/* 3 bits: puts the high bits, h, beside the low ones, x, so that a vector holds two groups, in bits
 * 0..2 and 4..6. In x, group 2f + z is at bit 2f of vector z, in h at bit 2f + z:
 *     f = 0, 2:   bits 0, 1, 4, 5 of x        and 2, 6 of h << (2 - z)
 *     f = 1, 3:   bits 0, 1, 4, 5 of x >> 2   and 2, 6 of h >> z
 * Shifts move words, but no bit that is taken crosses a byte. 0xCA: low ? x : h. */
INLINE struct sources direct_sources_w3(__m512i x0, __m512i x1, __m512i h)
{
    const __m512i low = _mm512_set1_epi8(0x33);
    const __m512i x2 = _mm512_srli_epi16(x0, 2), x3 = _mm512_srli_epi16(x1, 2);
    const __m512i h0 = _mm512_slli_epi16(h, 2), h1 = _mm512_slli_epi16(h, 1);
    const __m512i h3 = _mm512_srli_epi16(h, 1);

    return (struct sources){{_mm512_ternarylogic_epi32(low, x0, h0, 0xCA),
                             _mm512_ternarylogic_epi32(low, x1, h1, 0xCA),
                             _mm512_ternarylogic_epi32(low, x2, h, 0xCA),
                             _mm512_ternarylogic_epi32(low, x3, h3, 0xCA)}};
}

/* Each vector of the cell is loaded once, which is more than the compiler finds by itself: loads
 * are what gemv has too many of. */
INLINE struct sources direct_sources(const uint8_t *cell, const tmac_width width, const int half)
{
    const __m512i v0 = load_bytes(cell + 64 * half);

    if (width == TMAC_WIDTH_1)
        return (struct sources){{v0, v0, v0, v0}};
    const __m512i v1 = load_bytes(cell + 128 + 64 * half);
    if (width == TMAC_WIDTH_2 || width == TMAC_WIDTH_TERNARY)
        return (struct sources){{v0, v1, v0, v1}};
    const __m512i v2 = load_bytes(cell + 256 + 64 * half);
    if (width == TMAC_WIDTH_3)
        return direct_sources_w3(v0, v1, v2 /* [half] of the high bits */);
    return (struct sources){{v0, v1, v2, load_bytes(cell + 384 + 64 * half)}};
}

/* The lowest bit of group `group` in each byte of its source. */
INLINE int direct_bit(const tmac_width width, const int group)
{
    switch (width) {
    case TMAC_WIDTH_1:
        return group;
    case TMAC_WIDTH_3:
    case TMAC_WIDTH_4:
        return group / 4 * 4;
    default:
        return group / 2 * 2;
    }
}

/* Codes in the low bits of each byte. */
INLINE __m512i direct_codes(const struct sources sources, const tmac_width width, const int group)
{
    const int bit = direct_bit(width, group), bits = tmac_width_bits(width);
    const __m512i source = sources.v[group % 4];

    return _mm512_and_si512(bit ? _mm512_srli_epi16(source, bit) : source,
                            _mm512_set1_epi8((char)((1 << bits) - 1)));
}

/* The codes of one step, [group][half][64]: panels unpack them once for all inputs. */
struct unpacked {
    _Alignas(64) uint8_t codes[8][2][64];
};

INLINE void direct_unpack_groups(struct unpacked *to, const struct sources sources[2],
                                 const tmac_width width, const int begin)
{
    UNROLL
    for (int g = begin; g < begin + 4; g++) {
        _mm512_store_si512(to->codes[g][0], direct_codes(sources[0], width, g));
        _mm512_store_si512(to->codes[g][1], direct_codes(sources[1], width, g));
    }
}

INLINE void direct_unpack_width(struct unpacked *to, const uint8_t *cell, const tmac_width width,
                                int group, int group_end)
{
    const struct sources sources[2] = {direct_sources(cell, width, 0),
                                       direct_sources(cell, width, 1)};

    if (group < 4)
        direct_unpack_groups(to, sources, width, 0);
    if (group_end > 4)
        direct_unpack_groups(to, sources, width, 4);
}

static inline void direct_unpack(struct unpacked *to, const uint8_t *cell, tmac_width width,
                                 int group, int group_end)
{
    switch (width) {
    case TMAC_WIDTH_1:
        direct_unpack_width(to, cell, TMAC_WIDTH_1, group, group_end);
        break;
    case TMAC_WIDTH_3:
        direct_unpack_width(to, cell, TMAC_WIDTH_3, group, group_end);
        break;
    case TMAC_WIDTH_4:
        direct_unpack_width(to, cell, TMAC_WIDTH_4, group, group_end);
        break;
    default:
        direct_unpack_width(to, cell, TMAC_WIDTH_2, group, group_end);
    }
}

/* Gemm unpacks so many steps at a time: 8 KB. */
enum { UNPACKED_STEPS = 8 };

static inline void direct_unpack_steps(struct unpacked *to, const uint8_t *cell, tmac_width width,
                                       int steps)
{
    for (int s = 0; s < steps; s++, cell += tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width))
        direct_unpack(&to[s], cell, width, 0, 8);
}

/* The next steps' cells. */
static inline struct ahead direct_ahead(const uint8_t *cells, tmac_width width, int panels)
{
    const size_t bytes = UNPACKED_STEPS * tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);

    return ahead_of(cells + bytes, bytes, panels);
}

#endif
