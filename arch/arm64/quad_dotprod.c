/* SPDX-License-Identifier: MIT
 * Lookup in QUAD with S8 tables: TBL on four registers holds the 4 tables of a half step, and the
 * byte position picks one,
 *
 *     index   r0: n0  16+n1  32+n2  48+n3 | r1 ...            n: half-bytes
 *     TBL     4 entries of row r0         | r1 ...
 *     SDOT    sums them, times 2^plane, in 32 bits
 *
 * TBL on four registers takes three times the issue slots of TBL on one, so ROWS32 is faster on
 * every core modelled; these kernels serve weights that were packed as QUAD elsewhere, one input
 * after the other. */
#include "neon.h"

struct quad_block {
    const uint8_t *codes;
    const int8_t *tables; /* of one input */
    size_t table_stride;
    int steps;
    int planes;
    bool equal_planes; /* ternary */
};

/* Half a plane of one step: all rows, 4 tables. */
NEON_INLINE void quad_half(int32x4_t *sum, const uint8_t *codes, const int8_t *tables,
                           const bool high, int8x16_t weight)
{
    const uint8x16_t table_of_byte = vreinterpretq_u8_u32(vdupq_n_u32(0x30201000));
    const int8x16x4_t entries = vld1q_s8_x4(tables + 64 * high);

    NEON_UNROLL
    for (int q = 0; q < NEON_QUADS; q++) {
        const uint8x16_t byte = vld1q_u8(codes + 16 * q);
        const uint8x16_t nibble = high ? vshrq_n_u8(byte, 4) : vandq_u8(byte, vdupq_n_u8(15));
        const int8x16_t entry = vqtbl4q_s8(entries, vorrq_u8(nibble, table_of_byte));
        sum[q] = vdotq_s32(sum[q], entry, weight);
    }
}

NEON_INLINE void quad_integer(const struct quad_block *block, const enum neon_part part,
                              int32x4_t *sum)
{
    const uint8_t *codes = block->codes;

    NEON_UNROLL
    for (int q = 0; q < NEON_QUADS; q++)
        sum[q] = vdupq_n_s32(0);
    for (int s = 0; s < block->steps; s++) {
        const int8_t *tables = block->tables + (size_t)s * block->table_stride;

        for (int plane = 0; plane < block->planes; plane++, codes += 128) {
            const int8x16_t weight = vdupq_n_s8((int8_t)(block->equal_planes ? 1 : 1 << plane));
            if (part != NEON_HIGH)
                quad_half(sum, codes, tables, false, weight);
            if (part != NEON_LOW)
                quad_half(sum, codes, tables, true, weight);
        }
    }
}

NEON_INLINE void quad_block(const struct tmac_tile *tile, const struct quad_block *block,
                            int number, int input, const enum neon_part part)
{
    int32x4_t sum[NEON_QUADS];

    quad_integer(block, part, sum);
    neon_float_stage_memory(tile, number, input, 0, NEON_QUADS, sum);
}

NEON_INLINE void quad_input(const struct tmac_tile *tile, int input, const bool halves)
{
    const int stride = halves ? 1 : tile->block_k / TMAC_STEP_K;
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_QUAD, tile->width);
    struct quad_block block = {
        .table_stride = (size_t)tile->batch * 128,
        .planes = tmac_width_bits(tile->width),
        .equal_planes = tile->width == TMAC_WIDTH_TERNARY,
    };

    for (int step = 0, number = 0; step < tile->steps; step += stride, number++) {
        block.codes = tile->codes + (size_t)step * cell_bytes;
        block.tables =
            (const int8_t *)tile->tables + (size_t)step * block.table_stride + 128 * input;
        block.steps = step + stride < tile->steps ? stride : tile->steps - step;
        if (halves) {
            quad_block(tile, &block, number++, input, NEON_LOW);
            quad_block(tile, &block, number, input, NEON_HIGH);
        } else {
            quad_block(tile, &block, number, input, NEON_BOTH);
        }
    }
}

void neon_quad_dotprod(const struct tmac_tile *tile)
{
    neon_begin(tile);
    for (int n = 0; n < tile->batch; n++)
        if (tile->block_k == 16)
            quad_input(tile, n, true);
        else
            quad_input(tile, n, false);
}
