/* SPDX-License-Identifier: MIT
 * Layouts NESTED and NESTED_ROWS32 in plain C: the reference that all others must match. */
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
    const bool u4 = tile->nested.sub == TMAC_SUB_U4;
    const size_t kinds = !u4 && tile->minimum ? 2 : 1;
    const int place =
        u4 && tile->layout == TMAC_LAYOUT_NESTED_ROWS32 ? tmac_nested_place(row) : row;
    const uint8_t *at = own + (size_t)(group / 2) * kinds * 64 + (size_t)(2 * place + group % 2);

    if (u4)
        return (struct sub){*at & 15, *at >> 4};
    return (struct sub){(int8_t)*at, tile->minimum ? at[64] : 0};
}

static float load_half(const void *halves, size_t offset, int row)
{
    uint16_t half;

    memcpy(&half, (const uint8_t *)halves + offset + 2 * (size_t)row, sizeof half);
    return tmac_f16_to_f32(half);
}

/* Sums over a block's groups, of sub-scales times integers and times sums of activations, and of
 * sub-minimums times these. */
struct sums {
    int32_t p, q, m;
};

/* The sum of a group's activations as the tables have it; `kind` 1: S. */
static int32_t group_sum(const struct tmac_tile *tile, int group, int input, int kind)
{
    const int kinds = tile->layout == TMAC_LAYOUT_NESTED_ROWS32 ? 2 : 1;
    const int pair = group / 2 * tile->batch + input;

    return tile->nested.group_sum[(pair * kinds + kind) * 2 + group % 2];
}

/* `kind` is that of the sums of activations that count. */
static struct sums sum_block(const struct tmac_tile *tile, int block, int input, int row,
                             scalar_integer_fn *integer, int kind)
{
    const int group_k = tile->nested.group_k, groups = tile->block_k / group_k;
    const int super = block >> tile->block_shift;
    const int in_super = (block - (super << tile->block_shift)) * groups;
    const uint8_t *own = tile->nested.own + (size_t)super * tile->scale_stride;
    const bool corrected = tile->layout == TMAC_LAYOUT_NESTED_ROWS32 && kind == 0;
    struct sums sums = {0, 0, 0};

    for (int g = 0; g < groups; g++) {
        const int group = block * groups + g, halves = group_k / 16;
        const struct sub sub = load_sub(tile, own, in_super + g, row);
        const int32_t sum = group_sum(tile, group, input, kind);
        const int32_t offset = (int32_t)(tile->offset * 2048.0f);
        int32_t term = integer(tile, input, row, group * halves, (group + 1) * halves);

        if (corrected)
            term += (sum * offset + (1 << 14)) >> 15;
        sums.p += sub.scale * term;
        sums.q += sub.scale * sum;
        sums.m += sub.minimum * sum;
    }
    return sums;
}

/* What a block adds to a row, for the row's scale and minimum. */
struct terms {
    float scale, minimum;
};

static struct terms direct_terms(const struct tmac_tile *tile, int block, int input, int row)
{
    const float act_scale = tile->act_scale[block * tile->batch + input];
    const struct sums sums = sum_block(tile, block, input, row, scalar_direct_integer, 0);
    const int32_t p = sums.p + (int32_t)tile->offset * sums.q;

    return (struct terms){act_scale * (float)p, act_scale * (float)sums.m};
}

static struct terms lookup_terms(const struct tmac_tile *tile, int block, int input, int row)
{
    const bool u4 = tile->nested.sub == TMAC_SUB_U4;
    const float act_scale = tile->act_scale[block * tile->batch + input];
    const float act_sum = tile->act_sum[block * tile->batch + input];
    const struct sums sums = sum_block(tile, block, input, row, scalar_lookup_integer, u4);
    const float p = act_scale * (float)sums.p, offset = tile->offset * act_sum;

    if (u4)
        return (struct terms){fmaf((float)sums.q, offset, p), act_sum * (float)sums.m};
    return (struct terms){p, act_scale * 0.0625f * (float)sums.m};
}

typedef struct terms terms_fn(const struct tmac_tile *tile, int block, int input, int row);

static float multiply_row(const struct tmac_tile *tile, terms_fn *terms_of, int input, int row,
                          float acc)
{
    const int blocks = tile->steps * TMAC_STEP_K / tile->block_k;

    for (int block = 0; block < blocks; block++) {
        const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
        const struct terms terms = terms_of(tile, block, input, row);

        acc = fmaf(load_half(tile->scale, super, row), terms.scale, acc);
        if (tile->minimum)
            acc = fmaf(load_half(tile->minimum, super, row), terms.minimum, acc);
    }
    return acc;
}

static void multiply(const struct tmac_tile *tile, terms_fn *terms)
{
    for (int n = 0; n < tile->batch; n++) {
        float *y = tile->y + (size_t)n * tile->y_stride;
        for (int r = 0; r < 32; r++)
            y[r] = multiply_row(tile, terms, n, r, tile->accumulate ? y[r] : 0.0f);
    }
}

void scalar_nested(const struct tmac_tile *tile)
{
    multiply(tile, direct_terms);
}

void scalar_nested_lookup(const struct tmac_tile *tile)
{
    multiply(tile, lookup_terms);
}
