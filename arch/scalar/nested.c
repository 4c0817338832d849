/* SPDX-License-Identifier: MIT
 * Layout NESTED in plain C: the reference that all others must match. */
#include "scalar.h"

#include "float16.h"

#include <math.h>
#include <string.h>

/* What a row has for one group of a block. */
struct sub {
    int32_t scale, minimum;
};

static struct sub load_sub(const struct tmac_tile *tile, const uint8_t *own, int group, int row)
{
    const size_t kinds = tile->nested.sub == TMAC_SUB_KIND_I8 && tile->minimum ? 2 : 1;
    const uint8_t *at = own + (size_t)(group / 2) * kinds * 64 + (size_t)(2 * row + group % 2);

    if (tile->nested.sub == TMAC_SUB_KIND_U4)
        return (struct sub){*at & 15, *at >> 4};
    return (struct sub){(int8_t)*at, tile->minimum ? at[64] : 0};
}

static float load_half(const void *halves, size_t offset, int row)
{
    uint16_t half;

    memcpy(&half, (const uint8_t *)halves + offset + 2 * (size_t)row, sizeof half);
    return tmac_f16_to_f32(half);
}

/* The block's groups, scaled and summed. */
static void sum_block(const struct tmac_tile *tile, int block, int column, int row, int32_t *p,
                      int32_t *m)
{
    const int group_k = tile->nested.group_k, groups = tile->block_k / group_k;
    const int super = block >> tile->block_shift;
    const int in_super = (block - (super << tile->block_shift)) * groups;
    const uint8_t *own = tile->nested.own + (size_t)super * tile->scale_stride;

    *p = *m = 0;
    for (int g = 0; g < groups; g++) {
        const int group = block * groups + g, halves = group_k / 16;
        const struct sub sub = load_sub(tile, own, in_super + g, row);
        const int32_t sum =
            tile->nested.group_sum[(group / 2 * tile->columns + column) * 2 + group % 2];
        const int32_t dot =
            scalar_direct_integer(tile, column, row, group * halves, (group + 1) * halves);

        *p += sub.scale * (dot + (int32_t)tile->offset * sum);
        *m += sub.minimum * sum;
    }
}

static float multiply_row(const struct tmac_tile *tile, int column, int row, float acc)
{
    const int blocks = tile->steps * TMAC_STEP_K / tile->block_k;

    for (int block = 0; block < blocks; block++) {
        const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
        const float act_scale = tile->act_scale[block * tile->columns + column];
        int32_t p, m;

        sum_block(tile, block, column, row, &p, &m);
        acc = fmaf(load_half(tile->scale, super, row), act_scale * (float)p, acc);
        if (tile->minimum)
            acc = fmaf(load_half(tile->minimum, super, row), act_scale * (float)m, acc);
    }
    return acc;
}

void scalar_nested(const struct tmac_tile *tile)
{
    for (int n = 0; n < tile->columns; n++) {
        float *y = tile->y + (size_t)n * tile->y_stride;
        for (int r = 0; r < 32; r++)
            y[r] = multiply_row(tile, n, r, tile->accumulate ? y[r] : 0.0f);
    }
}
