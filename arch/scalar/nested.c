/* SPDX-License-Identifier: MIT
 * Layouts NESTED and NESTED_ROWS32 in plain C: the reference that all others must match. */
#include "ops_scalar.h"

#include "../family/floats.h"

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

/* Those of as many rows as a vector has, as floats. */
struct float_sums {
    vecf p, q, m;
};

static struct float_sums sum_rows(const struct tmac_tile *tile, int block, int input, int row,
                                  scalar_integer_fn *integer, int kind)
{
    const bool direct = tile->layout == TMAC_LAYOUT_NESTED;
    struct float_sums floats;

    for (int i = 0; i < LANES; i++) {
        const struct sums sums = sum_block(tile, block, input, row + i, integer, kind);
        floats.p[i] = (float)(direct ? sums.p + (int32_t)tile->offset * sums.q : sums.p);
        floats.q[i] = (float)sums.q;
        floats.m[i] = (float)sums.m;
    }
    return floats;
}

/* Adds a block to rows whose scales are `rows`. */
typedef vecf add_block_fn(const struct tmac_tile *tile, int block, int input, int row,
                          const struct float_rows *rows, vecf acc);

static vecf add_direct(const struct tmac_tile *tile, int block, int input, int row,
                       const struct float_rows *rows, vecf acc)
{
    const vecf unit = vecf_all(tile->act_scale[block * tile->batch + input]);
    const struct float_sums sums = sum_rows(tile, block, input, row, scalar_direct_integer, 0);

    acc = floats_add_nested(unit, rows->scale, sums.p, acc);
    return tile->minimum ? floats_add_nested(unit, rows->minimum, sums.m, acc) : acc;
}

static vecf add_lookup(const struct tmac_tile *tile, int block, int input, int row,
                       const struct float_rows *rows, vecf acc)
{
    const bool u4 = tile->nested.sub == TMAC_SUB_U4;
    const float act_scale = tile->act_scale[block * tile->batch + input];
    const float act_sum = tile->act_sum[block * tile->batch + input];
    const vecf unit_p = vecf_all(act_scale), unit_q = vecf_all(tile->offset * act_sum);
    const vecf unit_m = vecf_all(u4 ? act_sum : act_scale * 0x1p-4f);
    const struct float_sums sums = sum_rows(tile, block, input, row, scalar_lookup_integer, u4);

    acc = u4 ? floats_add_nested_two(unit_p, unit_q, rows->scale, sums.p, sums.q, acc)
             : floats_add_nested(unit_p, rows->scale, sums.p, acc);
    return tile->minimum ? floats_add_nested(unit_m, rows->minimum, sums.m, acc) : acc;
}

static vecf multiply_rows(const struct tmac_tile *tile, add_block_fn *add_block, int input, int row,
                          vecf acc)
{
    const int blocks = tile->steps * TMAC_STEP_K / tile->block_k;

    for (int block = 0; block < blocks; block++) {
        const size_t at =
            (size_t)(block >> tile->block_shift) * tile->scale_stride + 2 * (size_t)row;
        struct float_rows rows = {.scale = vecf_load_f16((const uint8_t *)tile->scale + at)};

        if (tile->minimum)
            rows.minimum = vecf_load_f16((const uint8_t *)tile->minimum + at);
        acc = add_block(tile, block, input, row, &rows, acc);
    }
    return acc;
}

static void multiply(const struct tmac_tile *tile, add_block_fn *add_block)
{
    for (int n = 0; n < tile->batch; n++) {
        float *y = tile->y + (size_t)n * tile->y_stride;
        for (int r = 0; r < 32; r += LANES)
            vecf_store(y + r, multiply_rows(tile, add_block, n, r,
                                            tile->accumulate ? vecf_load(y + r) : vecf_all(0)));
    }
}

void scalar_nested(const struct tmac_tile *tile)
{
    multiply(tile, add_direct);
}

void scalar_nested_lookup(const struct tmac_tile *tile)
{
    multiply(tile, add_lookup);
}
