/* SPDX-License-Identifier: MIT
 * The float stage of struct tmac_tile. A template over the set's ops. */
#ifndef TMAC_FAMILY_FLOATS_LOOKUP_H
#define TMAC_FAMILY_FLOATS_LOOKUP_H

#include "floats.h"
#include "lookup_stage.h"

/* The tile's numbers, hidden from the compiler: it would multiply them by what is broadcast from memory
 * as scalars, and broadcast the product through a port that shuffles need. */
struct tile_floats {
    vecf unit, offset, offset_of_unit;
};

TEMPLATE struct tile_floats tile_floats(const struct tmac_tile *tile)
{
    return (struct tile_floats){vecf_here(vecf_all(tile->unit)), vecf_here(vecf_all(tile->offset)),
                                vecf_here(vecf_all(tile->offset / tile->unit))};
}

/* Where a block's scales are, and what it has for one input. */
struct block_floats {
    const uint8_t *scale, *minimum; /* floats, or f16 */
    bool half;
    struct float_block numbers;
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
    block.numbers.act_scale = vecf_mul(floats->unit, vecf_all(tile->act_scale[meta]));
    block.numbers.act_sum = vecf_all(tile->act_sum[meta]);
    block.numbers.offset = vecf_mul(floats->offset, block.numbers.act_sum);
    return block;
}

TEMPLATE vecf block_load(const uint8_t *scales, int row, const bool half)
{
    return half ? vecf_load_f16(scales + 2 * row) : vecf_load((const float *)(const void *)scales + row);
}

/* Adds a block's integers. */
TEMPLATE void block_add(const struct block_floats *block, const vecf integers[VECTORS],
                        vecf acc[VECTORS])
{
    UNROLL
    for (int i = 0; i < VECTORS; i++)
        acc[i] = floats_add_scale(&block->numbers, block_load(block->scale, LANES * i, block->half),
                                  integers[i], acc[i]);
    if (!block->minimum)
        return;
    UNROLL
    for (int i = 0; i < VECTORS; i++)
        acc[i] = floats_add_minimum(&block->numbers,
                                    block_load(block->minimum, LANES * i, block->half), acc[i]);
}

/* The same for several inputs, of which `batch` share the block's scales while these are in registers.
 * Then the unit, a power of two, leaves act_scale and offset for the scales, of which there are fewer. */
struct block_scales {
    vecf scale[VECTORS], minimum[VECTORS];
};

TEMPLATE struct block_scales block_scales(const struct tmac_tile *tile,
                                          const struct tile_floats *floats, int number,
                                          const int batch, const bool minimum)
{
    const size_t group = (size_t)(number >> tile->block_shift) * tile->scale_stride;
    struct block_scales scales;

    UNROLL
    for (int i = 0; i < VECTORS; i++) {
        scales.scale[i] = block_load((const uint8_t *)tile->scale + group, LANES * i, false);
        if (batch > 1)
            scales.scale[i] = vecf_mul(scales.scale[i], floats->unit);
        if (minimum)
            scales.minimum[i] = block_load((const uint8_t *)tile->minimum + group, LANES * i, false);
    }
    return scales;
}

TEMPLATE void scales_add(const struct block_scales *scales, const struct tile_floats *floats,
                         float act_scale, float act_sum, const vecf integers[VECTORS],
                         const int batch, const bool minimum, vecf acc[VECTORS])
{
    const vecf sum = vecf_all(act_sum), scale = vecf_all(act_scale);
    const struct float_block block = {
        batch > 1 ? scale : vecf_mul(floats->unit, scale), sum,
        vecf_mul(batch > 1 ? floats->offset_of_unit : floats->offset, sum)};

    UNROLL
    for (int i = 0; i < VECTORS; i++) {
        const struct float_rows rows = {scales->scale[i], scales->minimum[i]};
        acc[i] = floats_add(&block, &rows, minimum, integers[i], acc[i]);
    }
}

#endif
