/* SPDX-License-Identifier: MIT
 * The direct family's frame: blocks, row groups and the float stage around an integer stage.
 * The file that includes this one has defined, before,
 *
 *     void direct_integer(const struct direct_block *block, const tmac_width width,
 *                         const int inputs, const int quads, const enum neon_part part,
 *                         int32x4_t *total)
 *
 * which sets total[input * quads + q] to the integers of the block, of 4 rows each. */
#ifndef TMAC_NEON_DIRECT_H
#define TMAC_NEON_DIRECT_H

/* One row group, inputs `first` .. `first + inputs - 1` of the block. */
NEON_INLINE void direct_group(const struct tmac_tile *tile, const struct direct_block *block,
                              int quad, int input, const tmac_width width, const int batch,
                              const int quads, const enum neon_part part, float32x4_t *acc)
{
    const int number = block->number + (part == NEON_HIGH);
    struct direct_block here = *block;
    int32x4_t total[16];

    here.codes += 16 * quad;
    here.tables += 4 * input;
    direct_integer(&here, width, batch, quads, part, total);
    NEON_UNROLL
    for (int n = 0; n < batch; n++)
        if (acc)
            neon_float_stage(tile, number, input + n, quad, quads, total, acc + quad);
        else
            neon_float_stage_memory(tile, number, input + n, quad, quads, total + n * quads);
}

/* All rows and inputs of one block. `acc` holds the results of one input in registers. */
NEON_INLINE void direct_rows(const struct tmac_tile *tile, const struct direct_block *block,
                             const tmac_width width, const int batch, const int quads,
                             const enum neon_part part, float32x4_t *acc)
{
    if (acc) {
        direct_group(tile, block, 0, 0, width, 1, 4, part, acc);
        direct_group(tile, block, 4, 0, width, 1, 4, part, acc);
        return;
    }
    for (int quad = 0; quad < NEON_QUADS; quad += quads)
        for (int n = 0; n < tile->batch; n += batch)
            direct_group(tile, block, quad, n, width, batch, quads, part, NULL);
}

NEON_INLINE void direct_tile(const struct tmac_tile *tile, const tmac_width width, const int batch,
                             const int quads, const bool halves, float32x4_t *acc)
{
    const int stride = halves ? 1 : tile->block_k / TMAC_STEP_K;
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);
    const size_t table_bytes = (size_t)tile->batch * 32;
    struct direct_block block = {.group_stride = (size_t)tile->batch * 4};

    for (int step = 0; step < tile->steps; step += stride) {
        block.codes = tile->codes + (size_t)step * cell_bytes;
        block.tables = (const int8_t *)tile->tables + (size_t)step * table_bytes;
        block.steps = step + stride < tile->steps ? stride : tile->steps - step;
        if (halves) {
            direct_rows(tile, &block, width, batch, quads, NEON_LOW, acc);
            direct_rows(tile, &block, width, batch, quads, NEON_HIGH, acc);
        } else {
            direct_rows(tile, &block, width, batch, quads, NEON_BOTH, acc);
        }
        block.number += halves ? 2 : 1;
    }
}

/* One input keeps its results in registers. */
NEON_INLINE void direct_input(const struct tmac_tile *tile, const tmac_width width,
                              const bool halves)
{
    float32x4_t acc[NEON_QUADS];

    NEON_UNROLL
    for (int q = 0; q < NEON_QUADS; q++)
        acc[q] = vld1q_f32(tile->y + 4 * q);
    direct_tile(tile, width, 1, 4, halves, acc);
    NEON_UNROLL
    for (int q = 0; q < NEON_QUADS; q++)
        vst1q_f32(tile->y + 4 * q, acc[q]);
}

#endif
