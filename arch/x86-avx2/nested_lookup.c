/* SPDX-License-Identifier: MIT
 * Layout NESTED_ROWS32 on AVX2: sums of lookups times integer sub-scales, for two groups at a time.
 * The numbers of the two are interleaved, so that one instruction multiplies both by the sub-scales,
 * which are packed to match, and adds the products. Cells and sub-scales have their rows in the order
 * that leaves rows 8i .. 8i+7 in vector i in the end. */
#include "nested_lookup.h"

/* What a block has for an input: factors of the integers. */
struct nested_block {
    __m256 p, q, m;
    const uint8_t *scale, *minimum; /* f16 */
};

AVX2_TEMPLATE struct nested_block nl_block_of(const struct tmac_tile *tile,
                                           const struct nested_kind kind, int block, int input)
{
    const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    const int meta = block * tile->batch + input;
    const __m256 act_scale = _mm256_broadcast_ss(tile->act_scale + meta);
    const __m256 act_sum = _mm256_broadcast_ss(tile->act_sum + meta);

    return (struct nested_block){
        .p = act_scale,
        .q = _mm256_mul_ps(_mm256_broadcast_ss(&tile->offset), act_sum),
        .m = kind.bytes ? act_sum : _mm256_mul_ps(act_scale, _mm256_set1_ps(0x1p-4f)),
        .scale = (const uint8_t *)tile->scale + super,
        .minimum = kind.minimum ? (const uint8_t *)tile->minimum + super : NULL,
    };
}

/* The float stage of struct tmac_tile. */
AVX2_TEMPLATE void float_stage(const struct nested_block *block, const struct nested_kind kind,
                               const struct nested_sums *sums, float *y)
{
    AVX2_UNROLL
    for (int i = 0; i < VECTORS; i++) {
        __m256 t = _mm256_mul_ps(block->p, _mm256_cvtepi32_ps(sums->p[i]));
        __m256 acc = _mm256_loadu_ps(y + 8 * i);

        if (kind.bytes)
            t = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums->q[i]), block->q, t);
        acc = _mm256_fmadd_ps(avx2_scales(block->scale, 8 * i, true), t, acc);
        if (kind.minimum) {
            const __m256 m = _mm256_mul_ps(block->m, _mm256_cvtepi32_ps(sums->m[i]));
            acc = _mm256_fmadd_ps(avx2_scales(block->minimum, 8 * i, true), m, acc);
        }
        _mm256_storeu_ps(y + 8 * i, acc);
    }
}

/* One input of a block. */
AVX2_TEMPLATE void nl_add_block(const struct tmac_tile *tile, struct nested_at at,
                             const struct nested_kind kind, int block, int input)
{
    const int pairs = tile->block_k / (kind.wide ? 64 : 32);
    const struct nested_block factors = nl_block_of(tile, kind, block, input);
    struct nested_sums sums;

    if (kind.bytes)
        sum_bytes(&at, kind, pairs, &sums);
    else
        sum_words(&at, kind, pairs, &sums);
    float_stage(&factors, kind, &sums, tile->y + (size_t)input * tile->y_stride);
}

/* All inputs of a block, with indices split and sub-scales unpacked once. */
AVX2_TEMPLATE void add_batch(const struct tmac_tile *tile, struct nested_at at,
                               struct nested_kind kind, int block)
{
    _Alignas(32) uint8_t split[4 * 4 * 8 * ROWS];
    const int pairs = tile->block_k / (kind.wide ? 64 : 32);
    struct nested_subs subs[MOST_PAIRS];

    split_cells(at.cells.codes, tile->block_k / TMAC_STEP_K, kind.width, split);
    for (int pair = 0; pair < pairs; pair++, at.own += pair_bytes(kind)) {
        for (int i = 0; i < (kind.bytes ? 2 : VECTORS); i++)
            load_subs(kind, at.own, i, &subs[pair]);
    }
    kind.split = true;
    at.cells.codes = split;
    at.subs = subs;
    for (int n = 0; n < tile->batch; n++) {
        nl_add_block(tile, at, kind, block, n);
        at.cells.tables += TABLE_STEP;
        at.group_sum += 4;
    }
}

AVX2_TEMPLATE void nested(const struct tmac_tile *tile, const struct nested_kind kind,
                          const bool gemv)
{
    const int block_steps = tile->block_k / TMAC_STEP_K, blocks = tile->steps / block_steps;
    const size_t pairs = (size_t)tile->block_k / (kind.wide ? 64 : 32);
    const size_t batch = gemv ? 1 : (size_t)tile->batch;
    struct nested_at at = {.cells = {tile->codes, tile->tables, batch * TABLE_STEP},
                           .own = tile->nested.own,
                           .group_sum = tile->nested.group_sum,
                           .group_sum_stride = 4 * batch,
                           .offset = _mm256_set1_epi16((short)(tile->offset * 2048.0f))};

    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (int block = 0; block < blocks; block++) {
        if (block % (1 << tile->block_shift) == 0)
            at.own = tile->nested.own + (size_t)(block >> tile->block_shift) * tile->scale_stride;
        if (gemv)
            nl_add_block(tile, at, kind, block, 0);
        else
            add_batch(tile, at, kind, block);
        at.cells = stream_after(&at.cells, block_steps, kind.width, false);
        at.own += pairs * pair_bytes(kind);
        at.group_sum += pairs * at.group_sum_stride;
    }
}

AVX2_TEMPLATE void nested_kind(const struct tmac_tile *tile, const struct nested_kind kind)
{
    if (tile->batch > 1)
        nested(tile, kind, false);
    else
        nested(tile, kind, true);
}

AVX2_TEMPLATE void nested_minimum(const struct tmac_tile *tile, const int width, const bool wide,
                                  const bool minimum)
{
    const bool may_be_bytes = width == TMAC_WIDTH_2 || width == TMAC_WIDTH_TERNARY;

    if (may_be_bytes && tile->nested.sub == TMAC_SUB_U4)
        nested_kind(tile, (struct nested_kind){width, wide, minimum, true, false});
    else
        nested_kind(tile, (struct nested_kind){width, wide, minimum, false, false});
}

AVX2_TEMPLATE void nested_width(const struct tmac_tile *tile, const int width)
{
    const bool wide = tile->nested.group_k == 32;

    if (wide && tile->minimum)
        nested_minimum(tile, width, true, true);
    else if (wide)
        nested_minimum(tile, width, true, false);
    else if (tile->minimum)
        nested_minimum(tile, width, false, true);
    else
        nested_minimum(tile, width, false, false);
}

static void nested_lookup_w2(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_WIDTH_2);
}

static void nested_lookup_w3(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_WIDTH_3);
}

static void nested_lookup_w4(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_WIDTH_4);
}

static void nested_lookup_wt(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_WIDTH_TERNARY);
}

void avx2_nested_lookup(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_2:
        nested_lookup_w2(tile);
        break;
    case TMAC_WIDTH_3:
        nested_lookup_w3(tile);
        break;
    case TMAC_WIDTH_4:
        nested_lookup_w4(tile);
        break;
    default:
        nested_lookup_wt(tile);
    }
}
