/* SPDX-License-Identifier: MIT
 * The float stage of struct tmac_tile. A template over the set's ops. */
#ifndef TMAC_FAMILY_FLOATS_LOOKUP_H
#define TMAC_FAMILY_FLOATS_LOOKUP_H

#include "lookup_stage.h"

/* The tile's numbers, hidden from the compiler: it would multiply them by what is broadcast from memory
 * as scalars, and broadcast the product through a port that shuffles need. */
struct tile_floats {
    vecf unit, offset;
};

TEMPLATE struct tile_floats tile_floats(const struct tmac_tile *tile)
{
    return (struct tile_floats){vecf_here(vecf_all(tile->unit)), vecf_here(vecf_all(tile->offset))};
}

/* Where a block's scales are, and what it has for one input. */
struct block_floats {
    const uint8_t *scale, *minimum; /* floats, or f16 */
    bool half;
    vecf act_scale, act_sum, offset;
};

TEMPLATE struct block_floats block_floats(const struct tmac_tile *tile,
                                          const struct tile_floats *floats, int number, int input,
                                          const int batch, const bool half)
{
    const size_t meta = (size_t)number * (size_t)batch + (size_t)input;
    const size_t group = (size_t)(number >> tile->block_shift) * tile->scale_stride;
    struct block_floats block;

    block.scale = (const uint8_t *)tile->scale + group;
    block.minimum = tile->minimum ? (const uint8_t *)tile->minimum + group : NULL;
    block.half = half;
    if (half)
        vec_prefetch_scales(block.scale, 2 * TILE_ROWS);
    if (half && block.minimum)
        vec_prefetch_scales(block.minimum, 2 * TILE_ROWS);
    block.act_scale = vecf_mul(floats->unit, vecf_all(tile->act_scale[meta]));
    block.act_sum = vecf_all(tile->act_sum[meta]);
    block.offset = vecf_mul(floats->offset, block.act_sum);
    return block;
}

TEMPLATE vecf block_scales(const uint8_t *scales, int row, const bool half)
{
    return half ? vecf_load_f16(scales + 2 * row) : vecf_load((const float *)(const void *)scales + row);
}

/* Adds a block's integers. */
TEMPLATE void block_add(const struct block_floats *block, const vecf integers[VECTORS],
                        vecf acc[VECTORS])
{
    UNROLL
    for (int i = 0; i < VECTORS; i++) {
        const vecf t = vecf_fma(integers[i], block->act_scale, block->offset);
        acc[i] = vecf_fma(block_scales(block->scale, LANES * i, block->half), t, acc[i]);
    }
    if (!block->minimum)
        return;
    UNROLL
    for (int i = 0; i < VECTORS; i++)
        acc[i] = vecf_fma(block_scales(block->minimum, LANES * i, block->half), block->act_sum, acc[i]);
}

#endif
