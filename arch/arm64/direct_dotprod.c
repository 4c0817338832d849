/* SPDX-License-Identifier: MIT
 * Direct by SDOT: 4 rows of 4 products each, exact in 32 bits. The activations of 4 groups (or of
 * 4 columns of one) are a register, of which SDOT takes a lane.
 *
 * Several columns share the codes, so these are brought to plain numbers first. One column would
 * spend more on that than on the products; it leaves fields in place where that saves a shift:
 * their products are too great by 2^shift, are summed apart, and shifted once per block. */
#include "direct_codes.h"

/* sum + codes * the activations of group g, column n. `x` are those of the step. */
NEON_INLINE int32x4_t direct_dot(int32x4_t sum, int8x16_t codes, const int8_t *x, const int columns,
                                 const int g, const int n)
{
    const int at = g * columns + n;
    const int8x16_t x8 = vld1q_s8(x + at / 4 * 16);

    switch (at % 4) {
    case 0:
        return vdotq_laneq_s32(sum, codes, x8, 0);
    case 1:
        return vdotq_laneq_s32(sum, codes, x8, 1);
    case 2:
        return vdotq_laneq_s32(sum, codes, x8, 2);
    default:
        return vdotq_laneq_s32(sum, codes, x8, 3);
    }
}

/* One column's sums: what is in place is 2^0, 2^2 or 2^4 times too great, 1-bit fields are -1. */
enum direct_class { PLACE_0, PLACE_2, PLACE_4, MINUS, DIRECT_CLASSES };

/* Codes of 2 bits. Fields 0 to 2 are positive as signed bytes where they are; 3 must move. */
NEON_INLINE void direct_two_bits(const uint8_t *cell, const int8_t *x, const enum neon_part part,
                                 int32x4_t (*sum)[4])
{
    const int begin = direct_first_group(part) / 2, end = direct_end_group(part) / 2;

    NEON_UNROLL
    for (int z = 0; z < 2; z++)
        NEON_UNROLL
        for (int field = begin; field < end; field++)
            NEON_UNROLL
            for (int q = 0; q < 4; q++) {
                const uint8x16_t byte = vld1q_u8(cell + DIRECT_Z_BYTES * z + 16 * q);
                const uint8x16_t mask = vdupq_n_u8((uint8_t)(3 << 2 * field));
                const uint8x16_t code = field == 3 ? vshrq_n_u8(byte, 6) : vandq_u8(byte, mask);
                int32x4_t *to = &sum[field == 3 ? PLACE_0 : PLACE_0 + field][q];
                *to = direct_dot(*to, vreinterpretq_s8_u8(code), x, 1, 2 * field + z, 0);
            }
}

/* Codes of 1 and 4 bits, as of any width with several columns: one instruction each. */
NEON_INLINE void direct_whole(const uint8_t *cell, const int8_t *x, const enum tmac_w width,
                              const int columns, const int quads, const enum neon_part part,
                              int32x4_t *sum)
{
    const int end = direct_end_group(part);

    NEON_UNROLL
    for (int g = direct_first_group(part); g < end; g++)
        NEON_UNROLL
        for (int q = 0; q < quads; q++) {
            const int8x16_t code = direct_operand(cell + 16 * q, width, g);

            NEON_UNROLL
            for (int n = 0; n < columns; n++)
                sum[n * quads + q] = direct_dot(sum[n * quads + q], code, x, columns, g, n);
        }
}

NEON_INLINE void direct_one_column(const struct direct_block *block, const enum tmac_w width,
                                   const enum neon_part part, int32x4_t *total)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);
    const bool two_bits = width == TMAC_W2 || width == TMAC_W3;
    int32x4_t sum[DIRECT_CLASSES][4];

    NEON_UNROLL
    for (int i = 0; i < 4 * DIRECT_CLASSES; i++)
        sum[i / 4][i % 4] = vdupq_n_s32(0);
    for (int s = 0; s < block->steps; s++) {
        const uint8_t *cell = block->codes + (size_t)s * cell_bytes;
        const int8_t *x = block->tables + 32 * s;

        if (two_bits)
            direct_two_bits(cell, x, part, sum);
        if (width == TMAC_W4)
            direct_whole(cell, x, width, 1, 4, part, sum[PLACE_0]);
        if (width == TMAC_W1 || width == TMAC_W3)
            direct_whole(cell + (two_bits ? DIRECT_W3_HIGH : 0), x, TMAC_W1, 1, 4, part,
                         sum[MINUS]);
    }
    NEON_UNROLL
    for (int q = 0; q < 4; q++) {
        total[q] = sum[PLACE_0][q];
        if (two_bits) /* exact: what is shifted out is 0 */
            total[q] = vsraq_n_s32(vsraq_n_s32(total[q], sum[PLACE_2][q], 2), sum[PLACE_4][q], 4);
        if (width == TMAC_W1)
            total[q] = vnegq_s32(sum[MINUS][q]);
        if (width == TMAC_W3)
            total[q] = vmlsq_n_s32(total[q], sum[MINUS][q], 4);
    }
}

NEON_INLINE void direct_integer(const struct direct_block *block, const enum tmac_w width,
                                const int columns, const int quads, const enum neon_part part,
                                int32x4_t *total)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);

    if (columns == 1) {
        direct_one_column(block, width, part, total);
        return;
    }
    NEON_UNROLL
    for (int i = 0; i < columns * quads; i++)
        total[i] = vdupq_n_s32(0);
    for (int s = 0; s < block->steps; s++)
        direct_whole(block->codes + (size_t)s * cell_bytes, block->tables + 32 * columns * s, width,
                     columns, quads, part, total);
    if (width != TMAC_W1)
        return;
    NEON_UNROLL
    for (int i = 0; i < columns * quads; i++)
        total[i] = vnegq_s32(total[i]);
}

#include "direct.h"

/* Row groups such that the sums take no more than 16 registers. */
NEON_INLINE void direct_panel(const struct tmac_tile *tile, const enum tmac_w width,
                              const bool halves)
{
    if (tile->columns == 1)
        direct_column(tile, width, halves);
    else if (tile->columns == 2)
        direct_tile(tile, width, 2, 4, halves, NULL);
    else if (tile->columns == 4)
        direct_tile(tile, width, 4, 4, halves, NULL);
    else
        direct_tile(tile, width, 8, 2, halves, NULL);
}

NEON_INLINE void direct_multiply(const struct tmac_tile *tile, const enum tmac_w width)
{
    neon_begin(tile);
    if (tile->block_k == 16)
        direct_panel(tile, width, true);
    else
        direct_panel(tile, width, false);
}

void neon_direct_w1_dotprod(const struct tmac_tile *tile)
{
    direct_multiply(tile, TMAC_W1);
}

void neon_direct_w2_dotprod(const struct tmac_tile *tile)
{
    direct_multiply(tile, TMAC_W2);
}

void neon_direct_w3_dotprod(const struct tmac_tile *tile)
{
    direct_multiply(tile, TMAC_W3);
}

void neon_direct_w4_dotprod(const struct tmac_tile *tile)
{
    direct_multiply(tile, TMAC_W4);
}
