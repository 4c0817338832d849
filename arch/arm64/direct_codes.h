/* SPDX-License-Identifier: MIT
 * Codes out of DIRECT cells: a vector is 4 rows of 4 neighbouring activations,
 *
 *     byte   0   1   2   3 | 4  ..  7 | 8  .. 11 | 12 .. 15
 *          k  k+1 k+2 k+3  |   row 1  |   row 2  |   row 3         k = 4 * group
 *
 * and each of its 8 / bits fields belongs to another group: group = field * bits + z. */
#ifndef TMAC_NEON_DIRECT_CODES_H
#define TMAC_NEON_DIRECT_CODES_H

#include "neon.h"

/* What an integer stage works on. */
struct direct_block {
    const uint8_t *codes; /* the first cell, at the row group's first vector */
    const int8_t *tables; /* the first step's activations, of the first input */
    size_t group_stride;  /* from one group of 4 activations to the next */
    int steps;
    int number; /* of the block in the chunk */
};

/* Bytes from one z to the next: both halves of 16 rows. */
enum { DIRECT_Z_BYTES = 128, DIRECT_W3_HIGH = 2 * DIRECT_Z_BYTES };

/* How many z a width has: group = field * vectors + z. With 3 bits these are of the low two. */
NEON_INLINE int direct_vectors(const tmac_width width)
{
    return width == TMAC_WIDTH_1 ? 1 : width == TMAC_WIDTH_4 ? 4 : 2;
}

/* The first field of the block's part in a step, and where they end. */
NEON_INLINE int direct_first_field(const enum neon_part part, const int vectors)
{
    return part == NEON_HIGH ? 4 / vectors : 0;
}

NEON_INLINE int direct_end_field(const enum neon_part part, const int vectors)
{
    return (part == NEON_LOW ? 4 : 8) / vectors;
}

/* A 2- or 4-bit field as a number: the lowest needs no shift, the highest no mask. */
NEON_INLINE uint8x16_t direct_field(uint8x16_t byte, const int bits, const int field)
{
    const uint8_t shift = (uint8_t)(field * bits);
    const uint8x16_t shifted = shift ? byte >> vdupq_n_u8(shift) : byte;
    return shift + bits == 8 ? shifted : vandq_u8(shifted, vdupq_n_u8((uint8_t)((1 << bits) - 1)));
}

/* A 1-bit field as 0 or -1: one instruction where shift and mask are two. */
NEON_INLINE uint8x16_t direct_minus(uint8x16_t byte, const int field)
{
    return vtstq_u8(byte, vdupq_n_u8((uint8_t)(1 << field)));
}

/* Codes of 3 bits, two to a byte: fields 0 and 2 of one z, or 1 and 3.
 *
 *     low      f3 f3 f2 f2 f1 f1 f0 f0     the low bits, field by field
 *     high     bit 2f + z: the high bit of field f
 *     result   .. H2 f2 f2 .. H0 f0 f0     or .. H3 f3 f3 .. H1 f1 f1
 *
 * A shift brings a pair's low bits to 0x33 or its high bits to 0x44, then one select merges them.
 * The points are what the other vector had there. */
NEON_INLINE uint8x16_t direct_pair(uint8x16_t low, uint8x16_t high, const int z, const bool odd)
{
    if (!odd)
        high = high << vdupq_n_u8((uint8_t)(2 - z));
    else if (z)
        high = vshrq_n_u8(high, 1);
    return vbslq_u8(vdupq_n_u8(0x33), odd ? vshrq_n_u8(low, 2) : low, high);
}

/* The codes of a group as signed numbers; W1 negative, for its users to turn at the end. */
NEON_INLINE int8x16_t direct_operand(const uint8_t *cell, const tmac_width width, const int z,
                                     const int field)
{
    uint8x16_t code = vld1q_u8(cell + DIRECT_Z_BYTES * z);

    if (width == TMAC_WIDTH_1) {
        code = direct_minus(code, field);
    } else if (width == TMAC_WIDTH_3) {
        code = direct_pair(code, vld1q_u8(cell + DIRECT_W3_HIGH), z, field % 2);
        code = vandq_u8(field < 2 ? code : vshrq_n_u8(code, 4), vdupq_n_u8(7));
    } else {
        code = direct_field(code, width == TMAC_WIDTH_4 ? 4 : 2, field);
    }
    return vreinterpretq_s8_u8(code);
}

#endif
