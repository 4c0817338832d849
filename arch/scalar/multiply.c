/* SPDX-License-Identifier: MIT
 * The float stage of every scalar kernel. */
#include "scalar.h"

#include <math.h>

static const float *group_scales(const void *scales, size_t group, const struct tmac_tile *tile)
{
    return (const float *)(const void *)((const uint8_t *)scales + group * tile->scale_stride);
}

static float multiply_row(const struct tmac_tile *tile, scalar_integer_fn *integer, int input,
                          int row, float acc)
{
    const int halves = 2 * tile->steps, block_halves = tile->block_k / 16;

    for (int h = 0, block = 0; h < halves; h += block_halves, block++) {
        const int end = h + block_halves < halves ? h + block_halves : halves;
        const int meta = block * tile->batch + input;
        const size_t group = (size_t)(block >> tile->block_shift);
        const float sum = tile->act_sum[meta], offset = tile->offset * sum;
        const float t = fmaf((float)integer(tile, input, row, h, end),
                             tile->act_scale[meta] * tile->unit, offset);

        acc = fmaf(group_scales(tile->scale, group, tile)[row], t, acc);
        if (tile->minimum)
            acc = fmaf(group_scales(tile->minimum, group, tile)[row], sum, acc);
    }
    return acc;
}

void scalar_multiply(const struct tmac_tile *tile, scalar_integer_fn *integer)
{
    const int tile_rows = tmac_layout_tile_rows(tile->layout);

    for (int n = 0; n < tile->batch; n++) {
        float *y = tile->y + (size_t)n * tile->y_stride;
        for (int r = 0; r < tile_rows; r++)
            y[r] = multiply_row(tile, integer, n, r, tile->accumulate ? y[r] : 0.0f);
    }
}
