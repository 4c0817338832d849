/* SPDX-License-Identifier: MIT
 * Layout NESTED, one input. */
#ifndef TMAC_NESTED_GEMV_H
#define TMAC_NESTED_GEMV_H

#include "nested_own.h"

/* What a template knows when it is compiled. */
struct nested_kind {
    tmac_width width;
    bool wide; /* groups of 32, else 16 */
    enum own_kind own;
};

/* Where the next pair of groups is. */
struct nested_at {
    const uint8_t *cell, *x, *own;
    const int16_t *group_sum;
};

/* Row vectors at once: codes of two slices take more registers to put together. */
INLINE int nested_vectors(const tmac_width width)
{
    return tmac_slice_high(width) && VEC_REGISTERS < 32 ? GEMV_VECTORS / 2 : GEMV_VECTORS;
}

/* One pair of groups, one step or two: `sum` of the codes, `other` of the sums of activations. */
INLINE void nested_pair(struct nested_at *at, const struct nested_kind kind, const int v,
                        vec sum[GEMV_VECTORS], vec other[GEMV_VECTORS])
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_NESTED, kind.width);
    const int vectors = nested_vectors(kind.width);
    const vec group_sum = vec_broadcast4((const uint8_t *)at->group_sum);
    vec sub[GEMV_VECTORS];

    if (v == 0)
        vec_prefetch_pair(at->cell, cell_bytes * (1 + kind.wide), at->own,
                          own_pair_bytes(kind.own));
    UNROLL
    for (int i = 0; i < vectors; i++) {
        const struct own_words words = own_words(at->own, kind.own, v + i);

        sub[i] = words.sub;
        other[i] = scale_pairs(other[i], words.other, group_sum);
    }
    UNROLL
    for (int which = 0; which < 1 + kind.wide; which++) {
        nested_step(sum, at->cell, at->x, kind.width, v, vectors, sub, kind.wide, which);
        at->cell += cell_bytes;
        at->x += TMAC_STEP_K;
    }
    at->own += own_pair_bytes(kind.own);
    at->group_sum += 2;
}

/* The float stage of one row vector; `scale` and `minimum` are its super-group's. */
INLINE void nested_floats(const struct tmac_tile *tile, const struct nested_kind kind, const int v,
                          size_t super, float act_scale, vec sum, vec other)
{
    const uint8_t *scale = (const uint8_t *)tile->scale + super;
    const vecf act = vecf_all(act_scale);
    float *y = tile->y + LANES * v;
    vecf acc = vecf_load(y);

    if (!own_has_minimum(kind.own))
        sum = vec_add32(sum, vec_mul32(other, vec_lanes((int32_t)tile->offset)));
    acc = floats_add_nested(act, load_scales(scale, v, true), vecf_convert(sum), acc);
    if (own_has_minimum(kind.own)) {
        const uint8_t *minimum = (const uint8_t *)tile->minimum + super;
        acc = floats_add_nested(act, load_scales(minimum, v, true), vecf_convert(other), acc);
    }
    vecf_store(y, acc);
}

/* Row vectors from v on of one block. */
INLINE void nested_block(const struct tmac_tile *tile, const struct nested_kind kind,
                         struct nested_at at, const int v, int block, size_t super)
{
    const int vectors = nested_vectors(kind.width);
    vec sum[GEMV_VECTORS], other[GEMV_VECTORS];

    UNROLL
    for (int i = 0; i < vectors; i++)
        sum[i] = other[i] = vec_zero();
    for (int k = 0; k < tile->block_k; k += kind.wide ? 64 : 32)
        nested_pair(&at, kind, v, sum, other);
    UNROLL
    for (int i = 0; i < vectors; i++)
        nested_floats(tile, kind, v + i, super, tile->act_scale[block], sum[i], other[i]);
}

INLINE void nested_gemv(const struct tmac_tile *tile, const struct nested_kind kind)
{
    const int block_steps = tile->block_k / TMAC_STEP_K, blocks = tile->steps / block_steps;
    const int pairs = tile->block_k / (kind.wide ? 64 : 32);
    const int in_super = (1 << tile->block_shift) - 1;
    struct nested_at at = {tile->codes, tile->tables, tile->nested.own, tile->nested.group_sum};

    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (int block = 0; block < blocks; block++) {
        const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;

        if ((block & in_super) == 0)
            at.own = tile->nested.own + super;
        UNROLL
        for (int v = 0; v < ROW_VECTORS; v += nested_vectors(kind.width))
            nested_block(tile, kind, at, v, block, super);
        at.cell += (size_t)block_steps * tmac_cell_bytes(TMAC_LAYOUT_NESTED, kind.width);
        at.x += tile->block_k;
        at.own += own_pair_bytes(kind.own) * (size_t)pairs;
        at.group_sum += 2 * pairs;
    }
}

#define NESTED_GEMV(bits, groups, wide, own, name)                                                 \
    INSTANCE void nested_##bits##_##groups##_##name(const struct tmac_tile *tile)                  \
    {                                                                                              \
        nested_gemv(tile, (struct nested_kind){TMAC_WIDTH_##bits, wide, own});                     \
    }
#define NESTED_GEMVS(bits, groups, wide)                                                           \
    NESTED_GEMV(bits, groups, wide, OWN_U4, u4)                                                    \
    NESTED_GEMV(bits, groups, wide, OWN_U4_MINIMUM, u4_minimum)                                    \
    NESTED_GEMV(bits, groups, wide, OWN_I8, i8)                                                    \
    NESTED_GEMV(bits, groups, wide, OWN_I8_MINIMUM, i8_minimum)
#define NESTED_NAMES(bits, groups)                                                                 \
    {                                                                                              \
        nested_##bits##_##groups##_u4, nested_##bits##_##groups##_u4_minimum,                      \
            nested_##bits##_##groups##_i8, nested_##bits##_##groups##_i8_minimum                   \
    }

NESTED_GEMVS(2, 16, false)
NESTED_GEMVS(2, 32, true)
NESTED_GEMVS(3, 16, false)
NESTED_GEMVS(3, 32, true)
NESTED_GEMVS(4, 16, false)
NESTED_GEMVS(4, 32, true)

/* Where functions for a width are in their table. */
static inline int nested_width(tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 0 : (int)width - 2;
}

static tmac_multiply_fn *nested_gemv_function(const struct tmac_tile *tile)
{
    static tmac_multiply_fn *const functions[3][2][OWN_KINDS] = {
        {NESTED_NAMES(2, 16), NESTED_NAMES(2, 32)},
        {NESTED_NAMES(3, 16), NESTED_NAMES(3, 32)},
        {NESTED_NAMES(4, 16), NESTED_NAMES(4, 32)}};

    return functions[nested_width(tile->width)][tile->nested.group_k == 32][own_kind(tile)];
}

#endif
