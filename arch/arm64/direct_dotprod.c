/* SPDX-License-Identifier: MIT
 * Direct by SDOT: 4 rows of 4 products each, exact in 32 bits. The activations of 4 groups (or of
 * 4 inputs of one) are a register, of which SDOT takes a lane.
 *
 * Several inputs share the codes, so these are brought to plain numbers first. One input would
 * spend more on that than on the products; it leaves fields in place where that saves a shift:
 * their products are too great by 2^shift, are summed apart, and shifted once per block. */
#include "direct_codes.h"

/* sum + codes * the activations of group g, input n. `x` are those of the step. */
NEON_INLINE int32x4_t direct_dot(int32x4_t sum, int8x16_t codes, const int8_t *x, const int batch,
                                 const int g, const int n)
{
    const int at = g * batch + n;
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

NEON_INLINE void direct_step(const uint8_t *cell, const int8_t *x, const tmac_width width,
                             const int batch, const int quads, const enum neon_part part,
                             int32x4_t *sum)
{
    const int vectors = direct_vectors(width), begin = direct_first_field(part, vectors);
    const int fields = direct_end_field(part, vectors) - begin;

    NEON_UNROLL
    for (int i = 0; i < vectors * fields * quads; i++) {
        const int q = i % quads, field = begin + i / quads % fields, z = i / (quads * fields);
        const int8x16_t code = direct_operand(cell + 16 * q, width, z, field);

        NEON_FENCE();
        NEON_UNROLL
        for (int n = 0; n < batch; n++) {
            int32x4_t *to = sum + n * quads + q;
            *to = direct_dot(*to, code, x, batch, field * vectors + z, n);
        }
    }
}

/* One input's sums: the codes in them are 2^0, 2^2 or 2^4 times too great. */
enum direct_place { PLACE_0, PLACE_2, PLACE_4, DIRECT_PLACES };

/* Fields stay where they are as long as that is a positive signed byte. */
NEON_INLINE enum direct_place direct_place(const tmac_width width, const int field)
{
    if (width == TMAC_WIDTH_2 && field < 3)
        return (enum direct_place)(PLACE_0 + field);
    return width == TMAC_WIDTH_3 && field >= 2 ? PLACE_4 : PLACE_0;
}

NEON_INLINE int8x16_t direct_in_place(const uint8_t *cell, const tmac_width width, const int z,
                                      const int field)
{
    const enum direct_place place = direct_place(width, field);
    uint8x16_t code = vld1q_u8(cell + DIRECT_Z_BYTES * z);

    if (place == PLACE_0)
        return direct_operand(cell, width, z, field);
    if (width == TMAC_WIDTH_3)
        code = direct_pair(code, vld1q_u8(cell + DIRECT_W3_HIGH), z, field % 2);
    code = vandq_u8(code, vdupq_n_u8((uint8_t)((width == TMAC_WIDTH_3 ? 7 : 3) << 2 * place)));
    return vreinterpretq_s8_u8(code);
}

NEON_INLINE void direct_step_in_place(const uint8_t *cell, const int8_t *x, const tmac_width width,
                                      const enum neon_part part, int32x4_t (*sum)[4])
{
    const int vectors = direct_vectors(width), begin = direct_first_field(part, vectors);
    const int fields = direct_end_field(part, vectors) - begin;

    NEON_UNROLL
    for (int i = 0; i < vectors * fields * 4; i++) {
        const int q = i % 4, field = begin + i / 4 % fields, z = i / (4 * fields);
        const int8x16_t code = direct_in_place(cell + 16 * q, width, z, field);
        int32x4_t *to = &sum[direct_place(width, field)][q];

        if (q == 0)
            NEON_FENCE();
        *to = direct_dot(*to, code, x, 1, field * vectors + z, 0);
    }
}

NEON_INLINE void direct_one_input(const struct direct_block *block, const tmac_width width,
                                  const enum neon_part part, int32x4_t *total)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);
    int32x4_t sum[DIRECT_PLACES][4];

    NEON_UNROLL
    for (int i = 0; i < 4 * DIRECT_PLACES; i++)
        sum[i / 4][i % 4] = vdupq_n_s32(0);
    for (int s = 0; s < block->steps; s++)
        direct_step_in_place(block->codes + (size_t)s * cell_bytes, block->tables + 32 * s, width,
                             part, sum);
    NEON_UNROLL
    for (int q = 0; q < 4; q++) { /* the shifts are exact: what they drop is 0 */
        total[q] = sum[PLACE_0][q];
        if (width == TMAC_WIDTH_2)
            total[q] = vsraq_n_s32(total[q], sum[PLACE_2][q], 2);
        if (width == TMAC_WIDTH_2 || width == TMAC_WIDTH_3)
            total[q] = vsraq_n_s32(total[q], sum[PLACE_4][q], 4);
        if (width == TMAC_WIDTH_1)
            total[q] = vnegq_s32(total[q]);
    }
}

NEON_INLINE void direct_integer(const struct direct_block *block, const tmac_width width,
                                const int batch, const int quads, const enum neon_part part,
                                int32x4_t *total)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);

    if (batch == 1) {
        direct_one_input(block, width, part, total);
        return;
    }
    NEON_UNROLL
    for (int i = 0; i < batch * quads; i++)
        total[i] = vdupq_n_s32(0);
    for (int s = 0; s < block->steps; s++)
        direct_step(block->codes + (size_t)s * cell_bytes, block->tables + 32 * batch * s, width,
                    batch, quads, part, total);
    if (width != TMAC_WIDTH_1)
        return;
    NEON_UNROLL
    for (int i = 0; i < batch * quads; i++)
        total[i] = vnegq_s32(total[i]);
}

#include "direct.h"

/* Row groups such that the sums take no more than 16 registers. */
NEON_INLINE void direct_panel(const struct tmac_tile *tile, const tmac_width width,
                              const bool halves)
{
    if (tile->batch == 1)
        direct_input(tile, width, halves);
    else if (tile->batch == 2)
        direct_tile(tile, width, 2, 4, halves, NULL);
    else if (tile->batch == 4)
        direct_tile(tile, width, 4, 4, halves, NULL);
    else
        direct_tile(tile, width, 8, 2, halves, NULL);
}

NEON_INLINE void direct_multiply(const struct tmac_tile *tile, const tmac_width width)
{
    neon_begin(tile);
    if (tile->block_k == 16)
        direct_panel(tile, width, true);
    else
        direct_panel(tile, width, false);
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
void neon_direct_dotprod(const struct tmac_tile *tile)
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
