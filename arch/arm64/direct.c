/* SPDX-License-Identifier: MIT
 * Direct without dot products: signed byte products, summed in 16 bits.
 *
 *     SMLAL  sum[0] += codes of rows 0, 1 * activations      8 words: k .. k+3 | k .. k+3
 *     SMLAL2 sum[1] += codes of rows 2, 3 * activations
 *     SADDLP per span, ADDP sum[0], sum[1]                   4 rows of 32 bits
 *
 * A word sums one product per group, 8 per step: with codes <= c and |x8| <= 128 (a given scale
 * may wrap to -128) that is at most 8 * 128 * c per step. c = 15: 30720 in 2 steps; c = 7: 28672
 * in 4 steps, the longest block. So only 4 bits need more than one span. */
#include "direct_codes.h"

NEON_INLINE int8x16_t direct_activations(const int8_t *x)
{
    return vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(const void *)x));
}

NEON_INLINE void direct_step(const uint8_t *cell, const int8_t *tables, size_t group_stride,
                             const tmac_width width, const int batch, const int quads,
                             const enum neon_part part, int16x8_t *sum)
{
    const int vectors = direct_vectors(width), begin = direct_first_field(part, vectors);
    const int fields = direct_end_field(part, vectors) - begin;

    NEON_UNROLL
    for (int i = 0; i < vectors * fields * quads; i++) {
        const int q = i % quads, field = begin + i / quads % fields, z = i / (quads * fields);
        const int8_t *x = tables + (size_t)(field * vectors + z) * group_stride;
        const int8x16_t code = direct_operand(cell + 16 * q, width, z, field);

        if (q == 0 && (batch > 1 || width == TMAC_WIDTH_3))
            NEON_FENCE();
        NEON_UNROLL
        for (int n = 0; n < batch; n++) {
            const int8x16_t x8 = direct_activations(x + 4 * n);
            int16x8_t *to = sum + 2 * (n * quads + q);

            to[0] = vmlal_s8(to[0], vget_low_s8(code), vget_low_s8(x8));
            to[1] = vmlal_high_s8(to[1], code, x8);
        }
    }
}

NEON_INLINE void direct_integer(const struct direct_block *block, const tmac_width width,
                                const int batch, const int quads, const enum neon_part part,
                                int32x4_t *total)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);
    const uint8_t *codes = block->codes;
    const int8_t *tables = block->tables;
    const int span = width == TMAC_WIDTH_4 ? 2 : 4, vectors = batch * quads;

    NEON_UNROLL
    for (int i = 0; i < vectors; i++)
        total[i] = vdupq_n_s32(0);
    for (int left = block->steps; left > 0; left -= span) {
        int16x8_t sum[16];

        NEON_UNROLL
        for (int i = 0; i < 2 * vectors; i++)
            sum[i] = vdupq_n_s16(0);
        for (int s = 0; s < (left < span ? left : span); s++) {
            direct_step(codes, tables, block->group_stride, width, batch, quads, part, sum);
            codes += cell_bytes;
            tables += 8 * block->group_stride;
        }
        NEON_UNROLL
        for (int i = 0; i < vectors; i++) {
            const int32x4_t low = vpaddlq_s16(sum[2 * i]), high = vpaddlq_s16(sum[2 * i + 1]);
            const int32x4_t rows = vpaddq_s32(low, high);
            total[i] =
                width == TMAC_WIDTH_1 ? vsubq_s32(total[i], rows) : vaddq_s32(total[i], rows);
        }
    }
}

#include "direct.h"

/* Two inputs at a time: their 16-bit sums for 16 rows fill 16 registers. */
NEON_INLINE void direct_multiply(const struct tmac_tile *tile, const tmac_width width)
{
    const bool halves = tile->block_k == 16;

    neon_begin(tile);
    if (tile->batch == 1)
        halves ? direct_input(tile, width, true) : direct_input(tile, width, false);
    else if (halves)
        direct_tile(tile, width, 2, 4, true, NULL);
    else
        direct_tile(tile, width, 2, 4, false, NULL);
}

static void direct_w1(const struct tmac_tile *tile)
{
    direct_multiply(tile, TMAC_WIDTH_1);
}

static void direct_w2(const struct tmac_tile *tile)
{
    direct_multiply(tile, TMAC_WIDTH_2);
}

static void direct_w3(const struct tmac_tile *tile)
{
    direct_multiply(tile, TMAC_WIDTH_3);
}

static void direct_w4(const struct tmac_tile *tile)
{
    direct_multiply(tile, TMAC_WIDTH_4);
}

/* Ternary codes are stored and multiplied as 2 bits. */
void neon_direct(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_1:
        direct_w1(tile);
        break;
    case TMAC_WIDTH_3:
        direct_w3(tile);
        break;
    case TMAC_WIDTH_4:
        direct_w4(tile);
        break;
    default:
        direct_w2(tile);
    }
}
