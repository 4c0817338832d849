/* SPDX-License-Identifier: MIT
 * Layout NESTED_ROWS32 on AVX2: sums of lookups times integer sub-scales, for two groups at a time.
 * The numbers of the two are interleaved, so that one instruction multiplies both by the sub-scales,
 * which are packed to match, and adds the products. Cells and sub-scales have their rows in the order
 * that leaves rows 8i .. 8i+7 in vector i in the end.
 * AVX2 only: with AVX-512 layout NESTED is as fast for one input and 1.2 to 2.3 times as fast for 32,
 * with VNNI 1.1 to 2.2 and 1.8 to 3.2 times (Sapphire Rapids, 2 to 4 bits, weights in L2). */
#include "nested_lookup.h"

#include "../family/floats.h"

/* What a block has for an input: factors of the integers. */
struct block_factors {
    vecf p, q, m;
    const uint8_t *scale, *minimum; /* f16 */
};

INLINE struct block_factors factors_of(const struct tmac_tile *tile, const struct nested_kind kind,
                                       int block, int input)
{
    const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    const int meta = block * tile->batch + input;
    const vecf act_scale = vecf_all(tile->act_scale[meta]), act_sum = vecf_all(tile->act_sum[meta]);

    return (struct block_factors){
        .p = act_scale,
        .q = vecf_mul(vecf_all(tile->offset), act_sum),
        .m = kind.bytes ? act_sum : vecf_mul(act_scale, vecf_all(0x1p-4f)),
        .scale = (const uint8_t *)tile->scale + super,
        .minimum = kind.minimum ? (const uint8_t *)tile->minimum + super : NULL,
    };
}

/* The float stage of struct tmac_tile. */
INLINE void float_stage(const struct block_factors *block, const struct nested_kind kind,
                        const struct nested_sums *sums, float *y)
{
    UNROLL
    for (int i = 0; i < VECTORS; i++) {
        const vecf scale = vecf_load_f16(block->scale + 16 * i), p = vecf_convert(sums->p[i]);
        vecf acc = vecf_load(y + 8 * i);

        acc = kind.bytes ? floats_add_nested_two(block->p, block->q, scale, p,
                                                 vecf_convert(sums->q[i]), acc)
                         : floats_add_nested(block->p, scale, p, acc);
        if (kind.minimum)
            acc = floats_add_nested(block->m, vecf_load_f16(block->minimum + 16 * i),
                                    vecf_convert(sums->m[i]), acc);
        vecf_store(y + 8 * i, acc);
    }
}

/* One input of a block. */
INLINE void add_input(const struct tmac_tile *tile, struct nested_at at,
                      const struct nested_kind kind, int block, int input)
{
    const int pairs = tile->block_k / (kind.wide ? 64 : 32);
    const struct block_factors factors = factors_of(tile, kind, block, input);
    struct nested_sums sums;

    if (kind.bytes)
        sum_bytes(&at, kind, pairs, &sums);
    else
        sum_words(&at, kind, pairs, &sums);
    float_stage(&factors, kind, &sums, tile->y + (size_t)input * tile->y_stride);
}

/* All inputs of a block, with indices split and sub-scales unpacked once. */
INLINE void add_batch(const struct tmac_tile *tile, struct nested_at at, struct nested_kind kind,
                      int block)
{
    _Alignas(32) uint8_t split[4 * 4 * 8 * TILE_ROWS];
    const int pairs = tile->block_k / (kind.wide ? 64 : 32);
    struct nested_subs subs[MOST_PAIRS];

    lookup_split(at.cells.codes, tile->block_k / TMAC_STEP_K, kind.width, split);
    for (int pair = 0; pair < pairs; pair++, at.own += pair_bytes(kind)) {
        for (int i = 0; i < (kind.bytes ? 2 : VECTORS); i++)
            load_subs(kind, at.own, i, &subs[pair]);
    }
    kind.split = true;
    at.cells.codes = split;
    at.subs = subs;
    for (int n = 0; n < tile->batch; n++) {
        add_input(tile, at, kind, block, n);
        at.cells.tables += TABLE_STEP;
        at.group_sum += 4;
    }
}

INLINE void walk(const struct tmac_tile *tile, const struct nested_kind kind, const bool gemv)
{
    const int block_steps = tile->block_k / TMAC_STEP_K, blocks = tile->steps / block_steps;
    const size_t pairs = (size_t)tile->block_k / (kind.wide ? 64 : 32);
    const size_t batch = gemv ? 1 : (size_t)tile->batch;
    struct nested_at at = {.cells = {tile->codes, tile->tables, batch * TABLE_STEP},
                           .own = tile->nested.own,
                           .group_sum = tile->nested.group_sum,
                           .group_sum_stride = 4 * batch,
                           .offset = vec_words((short)(tile->offset * 2048.0f))};

    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (int block = 0; block < blocks; block++) {
        if (block % (1 << tile->block_shift) == 0)
            at.own = tile->nested.own + (size_t)(block >> tile->block_shift) * tile->scale_stride;
        if (gemv)
            add_input(tile, at, kind, block, 0);
        else
            add_batch(tile, at, kind, block);
        at.cells = stream_after(&at.cells, block_steps, kind.width, false);
        at.own += pairs * pair_bytes(kind);
        at.group_sum += pairs * at.group_sum_stride;
    }
}

#define NESTED_LEAF(name, gemv, ...)                                                               \
    static void name(const struct tmac_tile *tile)                                                 \
    {                                                                                              \
        walk(tile, (struct nested_kind){__VA_ARGS__}, gemv);                                       \
    }

#define NESTED_GROUP(name, ...)                                                                    \
    NESTED_LEAF(name##_gemv, true, __VA_ARGS__)                                                    \
    NESTED_LEAF(name##_gemm, false, __VA_ARGS__)                                                   \
    NESTED_LEAF(name##_min_gemv, true, .minimum = true, __VA_ARGS__)                               \
    NESTED_LEAF(name##_min_gemm, false, .minimum = true, __VA_ARGS__)

/* [groups of 32][minimum][several inputs] */
typedef tmac_multiply_fn *const nested_leaves[2][2][2];

#define NESTED_LEAVES(name, number, in_bytes)                                                      \
    NESTED_GROUP(name##_16, .width = number, .bytes = in_bytes)                                    \
    NESTED_GROUP(name##_32, .width = number, .bytes = in_bytes, .wide = true)                      \
    static nested_leaves name = {                                                                  \
        {{name##_16_gemv, name##_16_gemm}, {name##_16_min_gemv, name##_16_min_gemm}},              \
        {{name##_32_gemv, name##_32_gemm}, {name##_32_min_gemv, name##_32_min_gemm}},              \
    };

NESTED_LEAVES(w2_words, TMAC_WIDTH_2, false)
NESTED_LEAVES(w2_bytes, TMAC_WIDTH_2, true)
NESTED_LEAVES(w3_words, TMAC_WIDTH_3, false)
NESTED_LEAVES(w4_words, TMAC_WIDTH_4, false)
NESTED_LEAVES(wt_words, TMAC_WIDTH_TERNARY, false)
NESTED_LEAVES(wt_bytes, TMAC_WIDTH_TERNARY, true)

void avx2_nested_lookup(const struct tmac_tile *tile)
{
    static nested_leaves *const words[] = {
        [TMAC_WIDTH_2] = &w2_words,
        [TMAC_WIDTH_3] = &w3_words,
        [TMAC_WIDTH_4] = &w4_words,
        [TMAC_WIDTH_TERNARY] = &wt_words,
    };
    static nested_leaves *const bytes[] = {
        [TMAC_WIDTH_2] = &w2_bytes,
        [TMAC_WIDTH_TERNARY] = &wt_bytes,
    };
    const bool u4 = tile->nested.sub == TMAC_SUB_U4;

    (*(u4 ? bytes : words)[tile->width])[tile->nested.group_k == 32][tile->minimum != NULL]
                                        [tile->batch > 1](tile);
}
