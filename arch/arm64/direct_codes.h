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
    const int8_t *tables; /* the first step's activations, of the first column */
    size_t group_stride;  /* from one group of 4 activations to the next */
    int steps;
    int number; /* of the block in the chunk */
};

/* Bytes from one z to the next: both halves of 16 rows. */
enum { DIRECT_Z_BYTES = 128, DIRECT_W3_HIGH = 2 * DIRECT_Z_BYTES };

/* The first group of the block's part in a step, and where they end. */
NEON_INLINE int direct_first_group(const enum neon_part part)
{
    return part == NEON_HIGH ? 4 : 0;
}

NEON_INLINE int direct_end_group(const enum neon_part part)
{
    return part == NEON_LOW ? 4 : 8;
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

/* The codes of a group as signed numbers; W1 negative, for its users to turn at the end. */
NEON_INLINE int8x16_t direct_operand(const uint8_t *cell, const enum tmac_w width, const int group)
{
    const int bits = width == TMAC_W4 ? 4 : 2;
    const int z = group % bits, field = group / bits;
    uint8x16_t low;

    if (width == TMAC_W1)
        return vreinterpretq_s8_u8(direct_minus(vld1q_u8(cell), group));
    low = direct_field(vld1q_u8(cell + DIRECT_Z_BYTES * z), bits, field);
    if (width == TMAC_W3) /* bit 2 of 0 or -1 is the high bit where it belongs */
        low = vbslq_u8(vdupq_n_u8(4), direct_minus(vld1q_u8(cell + DIRECT_W3_HIGH), group), low);
    return vreinterpretq_s8_u8(low);
}

#endif
