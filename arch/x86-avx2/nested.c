/* SPDX-License-Identifier: MIT
 * Layout NESTED on AVX2: passes over blocks, for 1, 2 or 4 inputs, and the float stage. 8 are in
 * nested_panels.c. */
#include "nested.h"

/* The float stage of 8 rows, see struct tmac_tile; `scale` and `minimum` are theirs. */
AVX2_TEMPLATE __m256 float_stage(const struct tmac_tile *tile, const uint8_t *scale,
                                 const uint8_t *minimum, __m256 act_scale, __m256i p, __m256i sum,
                                 __m256 acc)
{
    const __m256i zero = _mm256_set1_epi32((int32_t)tile->offset);
    __m256 term;

    if (!minimum)
        p = _mm256_add_epi32(p, _mm256_mullo_epi32(sum, zero));
    term = _mm256_mul_ps(act_scale, _mm256_cvtepi32_ps(p));
    acc = _mm256_fmadd_ps(avx2_scales(scale, 0, true), term, acc);
    if (minimum) {
        term = _mm256_mul_ps(act_scale, _mm256_cvtepi32_ps(sum));
        acc = _mm256_fmadd_ps(avx2_scales(minimum, 0, true), term, acc);
    }
    return acc;
}

/* One pass over a block, whose super-group's scales are `super` bytes on, for inputs from `input`. */
AVX2_TEMPLATE void add_pass(const struct tmac_tile *tile, struct nested_at at,
                            const struct nested_kind kind, int block, size_t super, int input)
{
    const size_t rows = super + 16 * (size_t)at.eighth;
    const uint8_t *scale = (const uint8_t *)tile->scale + rows;
    const uint8_t *minimum = tile->minimum ? (const uint8_t *)tile->minimum + rows : NULL;
    struct nested_sums sums;

    clear(sums.code, kind.vectors * kind.batch);
    clear(sums.sum, kind.vectors * kind.batch);
    for (int k = 0; k < tile->block_k; k += kind.wide ? 64 : 32)
        add_pair(&at, kind, &sums);
    AVX2_UNROLL
    for (int i = 0; i < kind.vectors * kind.batch; i++) {
        const int n = input + i / kind.vectors, at_row = i % kind.vectors * 16;
        const __m256 act_scale = _mm256_broadcast_ss(tile->act_scale + block * tile->batch + n);
        float *y = tile->y + (size_t)n * tile->y_stride + 8 * (at.eighth + i % kind.vectors);

        _mm256_storeu_ps(y, float_stage(tile, scale + at_row, minimum ? minimum + at_row : NULL,
                                        act_scale, sums.code[i], sums.sum[i], _mm256_loadu_ps(y)));
    }
}

/* All rows of a block for 2 or 4 inputs, whose passes share codes that are unpacked once. `kind` has no
 * inputs yet. */
AVX2_TEMPLATE void add_block(const struct tmac_tile *tile, struct nested_at at,
                             struct nested_kind kind, int block, size_t super)
{
    _Alignas(32) uint8_t codes[TMAC_MAX_BLOCK_K / TMAC_STEP_K * STEP_CODES];

    unpack_steps(at.codes, tile->block_k / TMAC_STEP_K, kind.width, codes);
    at.codes = codes;
    kind.unpacked = true;
    kind.vectors = 2;
    for (; at.eighth < EIGHTHS; at.eighth += 2) {
        kind.batch = 2;
        if (tile->batch == 2)
            add_pass(tile, at, kind, block, super, 0);
        kind.batch = 4;
        if (tile->batch == 4)
            add_pass(tile, at, kind, block, super, 0);
    }
}

AVX2_TEMPLATE void add_block_gemv(const struct tmac_tile *tile, struct nested_at at,
                                  struct nested_kind kind, int block, size_t super)
{
    kind.vectors =
        kind.width == TMAC_WIDTH_3 ? 2 : 4; /* its codes take more registers to put together */
    kind.batch = 1;
    kind.unpacked = false;
    add_pass(tile, at, kind, block, super, 0);
    if (kind.vectors == 4)
        return;
    at.eighth = kind.vectors;
    add_pass(tile, at, kind, block, super, 0);
}

AVX2_TEMPLATE void nested(const struct tmac_tile *tile, const struct nested_kind kind,
                          const bool gemv)
{
    const int block_steps = tile->block_k / TMAC_STEP_K, blocks = tile->steps / block_steps;
    const int pairs = tile->block_k / (kind.wide ? 64 : 32);
    struct nested_at at = {tile->codes, tile->tables, tile->nested.own, tile->nested.group_sum,
                           0,           tile->batch};

    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (int block = 0; block < blocks; block++) {
        const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;

        if (block % (1 << tile->block_shift) == 0)
            at.own = tile->nested.own + super;
        if (gemv)
            add_block_gemv(tile, at, kind, block, super);
        else
            add_block(tile, at, kind, block, super);
        at.codes += (size_t)block_steps * cell_bytes(kind.width);
        at.x += TMAC_STEP_K * block_steps * tile->batch;
        at.own += pair_bytes(kind) * (size_t)pairs;
        at.group_sum += 2 * pairs * tile->batch;
    }
}

/* gemv knows the kinds of Q2_K, Q3_K and Q4_K when it is compiled. */
AVX2_TEMPLATE void nested_groups(const struct tmac_tile *tile, const int width, const bool wide)
{
    const tmac_sub_format sub = tile->nested.sub;
    const bool minimum = tile->minimum != NULL;

    if (tile->batch == TMAC_MAX_PANEL)
        avx2_nested_panels(tile, width);
    else if (tile->batch > 1)
        nested(tile, (struct nested_kind){width, 0, 0, wide, false, sub, minimum}, false);
    else if (sub == TMAC_SUB_U4 && minimum)
        nested(tile, (struct nested_kind){width, 0, 0, wide, false, TMAC_SUB_U4, true}, true);
    else if (sub == TMAC_SUB_I8 && minimum)
        nested(tile, (struct nested_kind){width, 0, 0, wide, false, TMAC_SUB_I8, true}, true);
    else if (sub == TMAC_SUB_I8)
        nested(tile, (struct nested_kind){width, 0, 0, wide, false, TMAC_SUB_I8, false}, true);
    else
        nested(tile, (struct nested_kind){width, 0, 0, wide, false, sub, minimum}, true);
}

AVX2_TEMPLATE void nested_width(const struct tmac_tile *tile, const int width)
{
    if (tile->nested.group_k == 32)
        nested_groups(tile, width, true);
    else
        nested_groups(tile, width, false);
}

static void nested_w2(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_WIDTH_2);
}

static void nested_w3(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_WIDTH_3);
}

static void nested_w4(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_WIDTH_4);
}

/* Ternary codes are stored and multiplied as 2 bits. */
void avx2_nested(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_3:
        nested_w3(tile);
        break;
    case TMAC_WIDTH_4:
        nested_w4(tile);
        break;
    default:
        nested_w2(tile);
    }
}
