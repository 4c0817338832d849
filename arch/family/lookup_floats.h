/* SPDX-License-Identifier: MIT
 * Lookup: the float stage of all rows of a tile. A template, as lookup_stage.h. */
#ifndef TMAC_LOOKUP_FLOATS_H
#define TMAC_LOOKUP_FLOATS_H

#include "floats.h"
#include "lookup_stage.h"

/* What stays the same from block to block. Several inputs share the scales of a block, to which the
 * unit, a power of two, moves then from act_scale and offset. The numbers are hidden from the compiler:
 * it would multiply them by what is broadcast from memory as scalars, and broadcast the product through
 * a port that shuffles need. */
struct tile_floats {
    const struct tmac_tile *tile;
    bool several, half; /* constants; f16 scales are for one input */
    bool minimum;       /* a constant where it pays */
    vecf unit, offset;
};

INLINE struct tile_floats tile_floats(const struct tmac_tile *tile, const bool several,
                                      const bool half, const bool minimum)
{
    const float offset = several ? tile->offset / tile->unit : tile->offset;

    return (struct tile_floats){
        tile, several, half, minimum, vecf_here(vecf_all(tile->unit)), vecf_here(vecf_all(offset))};
}

/* Of f16, which are a stream of their own beside the codes. */
INLINE void prefetch_block(const struct tile_floats *floats, int number)
{
    const struct tmac_tile *tile = floats->tile;
    const size_t group = (size_t)(number >> tile->block_shift) * tile->scale_stride;

    vec_prefetch_scales((const uint8_t *)tile->scale + group, 2 * TILE_ROWS);
    if (floats->minimum)
        vec_prefetch_scales((const uint8_t *)tile->minimum + group, 2 * TILE_ROWS);
}

INLINE void add_rows(const struct tile_floats *floats, const struct float_block *block, int number,
                     const bool minimum, const vecf integers[VECTORS], vecf acc[VECTORS])
{
    const struct tmac_tile *tile = floats->tile;
    const size_t group = (size_t)(number >> tile->block_shift) * tile->scale_stride;

    UNROLL
    for (int i = 0; i < VECTORS; i++) {
        const uint8_t *scale = (const uint8_t *)tile->scale + group;
        struct float_rows rows = {.scale = load_scales(scale, i, floats->half)};

        if (floats->several)
            rows.scale = vecf_mul(rows.scale, floats->unit);
        if (minimum)
            rows.minimum = load_scales((const uint8_t *)tile->minimum + group, i, floats->half);
        acc[i] = floats_add(block, &rows, minimum, integers[i], acc[i]);
    }
}

/* Adds the integers of block number `number` of the chunk. */
INLINE void add_block(const struct tile_floats *floats, int number, int input,
                      const vecf integers[VECTORS], vecf acc[VECTORS])
{
    const struct tmac_tile *tile = floats->tile;
    const int meta = floats->several ? number * tile->batch + input : number;
    const vecf act_scale = vecf_all(tile->act_scale[meta]), act_sum = vecf_all(tile->act_sum[meta]);
    const struct float_block block = {
        .act_scale = floats->several ? act_scale : vecf_mul(floats->unit, act_scale),
        .act_sum = act_sum,
        .offset = vecf_mul(floats->offset, act_sum),
    };

    if (floats->minimum)
        add_rows(floats, &block, number, true, integers, acc);
    else
        add_rows(floats, &block, number, false, integers, acc);
}

#endif
