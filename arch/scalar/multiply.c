/* SPDX-License-Identifier: MIT
 * What all scalar kernels of one level of scales have around their integer stage. */
#include "ops_scalar.h"

#include "../family/floats.h"

static vecf group_scales(const void *scales, size_t group, const struct tmac_tile *tile, int row)
{
    return vecf_load(
        (const float *)(const void *)((const uint8_t *)scales + group * tile->scale_stride) + row);
}

/* Rows from `row` on, as many as a vector has. */
static vecf multiply_rows(const struct tmac_tile *tile, scalar_integer_fn *integer, int input,
                          int row, vecf acc)
{
    const int halves = 2 * tile->steps, block_halves = tile->block_k / 16;

    for (int h = 0, block = 0; h < halves; h += block_halves, block++) {
        const int end = h + block_halves < halves ? h + block_halves : halves;
        const int meta = block * tile->batch + input;
        const size_t group = (size_t)(block >> tile->block_shift);
        const float sum = tile->act_sum[meta];
        const struct float_block numbers = {vecf_all(tile->act_scale[meta] * tile->unit),
                                            vecf_all(sum), vecf_all(tile->offset * sum)};
        struct float_rows rows = {.scale = group_scales(tile->scale, group, tile, row)};
        vecf integers;

        for (int i = 0; i < LANES; i++)
            integers[i] = (float)integer(tile, input, row + i, h, end);
        if (tile->minimum)
            rows.minimum = group_scales(tile->minimum, group, tile, row);
        acc = floats_add(&numbers, &rows, tile->minimum != NULL, integers, acc);
    }
    return acc;
}

void scalar_multiply(const struct tmac_tile *tile, scalar_integer_fn *integer)
{
    const int tile_rows = tmac_layout_tile_rows(tile->layout);

    for (int n = 0; n < tile->batch; n++) {
        float *y = tile->y + (size_t)n * tile->y_stride;
        for (int r = 0; r < tile_rows; r += LANES)
            vecf_store(y + r, multiply_rows(tile, integer, n, r,
                                            tile->accumulate ? vecf_load(y + r) : vecf_all(0)));
    }
}
