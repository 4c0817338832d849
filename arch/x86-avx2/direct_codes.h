/* SPDX-License-Identifier: MIT
 * Layouts DIRECT and NESTED: where the codes of a cell are, as vectors of 8 rows x 4 neighbouring
 * activations. */
#ifndef TMAC_AVX2_DIRECT_CODES_H
#define TMAC_AVX2_DIRECT_CODES_H

#include "avx2.h"

enum { ROWS = 32, GROUPS = 8 }; /* groups of 4 activations in a step */

AVX2_TEMPLATE size_t cell_bytes(const int width)
{
    return (size_t)width * ROWS * TMAC_STEP_K / 8;
}

/* Vector z of a cell with 1, 2 or 4 bits per code, for the rows 8 * eighth .. + 7. */
AVX2_TEMPLATE __m256i cell_vector(const uint8_t *cell, const int z, const int eighth)
{
    return avx2_load(cell + (z * 4 + eighth) * 32);
}

/* Fields of a byte, moved down. Bits of the neighbour come in from above and are masked away. */
AVX2_TEMPLATE __m256i field(__m256i bytes, const int shift, const int mask)
{
    const __m256i moved = shift ? _mm256_srli_epi16(bytes, shift) : bytes;

    return _mm256_and_si256(moved, _mm256_set1_epi8((char)mask));
}

/* 3-bit codes of group g: the high bit joins the low two while two codes are still in one byte.
 *     low bits, field f = g / 2 at bit 2f:   3 3 2 2 1 1 0 0
 *     high bits of the groups g = z, z+2, ..: . 3 . 2 . 1 . 0
 *     even fields: . 2 2 2 . 0 0 0           odd fields: . 3 3 3 . 1 1 1 */
AVX2_TEMPLATE __m256i code3(const uint8_t *cell, const int g, const int eighth)
{
    const int z = g % 2, f = g / 2;
    const __m256i low = cell_vector(cell, z, eighth);
    const __m256i top = cell_vector(cell + cell_bytes(TMAC_WIDTH_2), 0, eighth);
    const __m256i high = z ? _mm256_srli_epi16(top, 1) : top;
    const __m256i pair =
        f % 2 ? _mm256_or_si256(field(low, 2, 0x33), field(high, 0, 0x44))
              : _mm256_or_si256(field(low, 0, 0x33), _mm256_slli_epi16(field(high, 0, 0x11), 2));

    return field(pair, f / 2 * 4, 7);
}

/* The codes of group g (activations 4g .. 4g+3), one per byte. */
AVX2_TEMPLATE __m256i code(const uint8_t *cell, const int g, const int eighth, const int width)
{
    const int bits = width;

    if (width == TMAC_WIDTH_3)
        return code3(cell, g, eighth);
    return field(cell_vector(cell, g % bits, eighth), g / bits * bits, (1 << bits) - 1);
}

/* Steps whose sums fit 16 bits: one vpmaddubsw gives up to 2 * 127 * greatest code, a step eight of
 * them. 4 bits: 8 * 3810 = 30480, one step; 3 bits: 8 * 1778 = 14224, two; 2 bits: 8 * 762 = 6096,
 * the four of a block. (-128, which only given int8 activations have: 8 * 2 * 128 * 15 = 30720.) */
AVX2_TEMPLATE int steps_in_16_bits(const int width)
{
    return width == TMAC_WIDTH_4 ? 1 : width == TMAC_WIDTH_3 ? 2 : 4;
}

/* Groups z, z + this, ... of a step share bytes of a cell. */
AVX2_TEMPLATE int groups_sharing(const int width)
{
    return width == TMAC_WIDTH_4 ? 4 : width == TMAC_WIDTH_1 ? 1 : 2;
}

#endif
