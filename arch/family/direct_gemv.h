/* SPDX-License-Identifier: MIT
 * Layout DIRECT, one input. Weights are read once: fields are masked where they stand, as far as the dot
 * product takes that; see gemv_places(). */
#ifndef TMAC_DIRECT_GEMV_H
#define TMAC_DIRECT_GEMV_H

#include "block.h"
#include "floats.h"

/* Where functions for a width are in their table. Ternary codes are stored and multiplied as 2 bits. */
enum { WIDTHS = 5 };

static inline int width_index(tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 1 : width == TMAC_WIDTH_8 ? 4 : (int)width - 1;
}

/* What a template knows when it is compiled. */
struct gemv_kind {
    tmac_width width;
    enum block_size size;
    bool half; /* scales are f16 */
};

/* Where the next step is. */
struct gemv_at {
    const uint8_t *cell, *x;
};

/* The codes of field j, 2^(bits * (j % places)) times as great. */
INLINE vec codes_in_place(vec fields, const tmac_width width, const int j, const int places)
{
    const int bits = field_bits(width), place = j % places;

    if (place == 0)
        return field_codes(fields, width, j);
    return vec_and(fields_moved(fields, (j - place) * bits, 0),
                   vec_bytes((char)(code_mask(width) << place * bits)));
}

/* Adds groups [begin, end) of a step, for row vectors from v on. */
INLINE void gemv_step(const struct gemv_at *at, const struct gemv_kind kind, const int v,
                      const int begin, const int end, dot_sum sum[GEMV_VECTORS][GEMV_SUMS])
{
    const int bits = field_bits(kind.width);
    const int places = gemv_places(kind.width, kind.size == SEVERAL_STEPS);
    const int chains = gemv_chains(kind.width), in_byte = GROUPS / bits;

    UNROLL
    for (int z = 0; z < bits; z++) {
        vec fields[GEMV_VECTORS];

        if (bits == GROUPS && (z < begin || z >= end))
            continue;
        vec_in_order();
        UNROLL
        for (int i = 0; i < GEMV_VECTORS; i++)
            fields[i] = field_vector(at->cell, kind.width, z, v + i);
        UNROLL
        for (int j = 0; j < in_byte; j++) {
            const int group = z + bits * j, s = j % places * chains + z % chains;

            if (group < begin || group >= end)
                continue;
            UNROLL
            for (int i = 0; i < GEMV_VECTORS; i++)
                sum[i][s] = dot(sum[i][s], codes_in_place(fields[i], kind.width, j, places), at->x,
                                group, kind.width);
        }
    }
}

/* One number per row. Weights of places leave by shifts that are exact: what is shifted always is a
 * multiple of 2^bits. */
INLINE vec gemv_joined(const dot_sum sum[GEMV_SUMS], const struct gemv_kind kind)
{
    const int places = gemv_places(kind.width, kind.size == SEVERAL_STEPS);
    const int chains = gemv_chains(kind.width);
    vec rows[GEMV_SUMS], joined;

    UNROLL
    for (int p = 0; p < places; p++) {
        rows[p] = dot_rows(sum[p * chains], kind.width);
        UNROLL
        for (int c = 1; c < chains; c++)
            rows[p] = vec_add32(rows[p], dot_rows(sum[p * chains + c], kind.width));
    }
    joined = rows[places - 1];
    UNROLL
    for (int p = places - 2; p >= 0; p--)
        joined = vec_add32(vec_right32(joined, field_bits(kind.width)), rows[p]);
    return joined;
}

/* The next steps, as many as a sum takes. */
INLINE void gemv_steps(struct gemv_at *at, const struct gemv_kind kind, const int v, int steps,
                       const int begin, const int end, vec total[GEMV_VECTORS])
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, kind.width);
    dot_sum sum[GEMV_VECTORS][GEMV_SUMS];

    UNROLL
    for (int i = 0; i < GEMV_VECTORS * GEMV_SUMS; i++)
        sum[i / GEMV_SUMS][i % GEMV_SUMS] = dot_zero();
    for (; steps > 0; steps--) {
        if (v == 0)
            vec_prefetch(at->cell, cell_bytes);
        gemv_step(at, kind, v, begin, end, sum);
        at->cell += cell_bytes;
        at->x += TMAC_STEP_K;
    }
    UNROLL
    for (int i = 0; i < GEMV_VECTORS; i++)
        total[i] = gemv_joined(sum[i], kind);
}

/* The integers of a block: `steps` steps, or groups [begin, end) of one. */
INLINE void gemv_integers(struct gemv_at at, const struct gemv_kind kind, const int v, int steps,
                          const int begin, const int end, vec total[GEMV_VECTORS])
{
    const int places = gemv_places(kind.width, kind.size == SEVERAL_STEPS);
    const int most = dot_steps(kind.width, places);
    vec more[GEMV_VECTORS];

    if (kind.size != SEVERAL_STEPS || most * TMAC_STEP_K >= TMAC_MAX_BLOCK_K) {
        gemv_steps(&at, kind, v, kind.size == SEVERAL_STEPS ? steps : 1, begin, end, total);
        return;
    }
    UNROLL
    for (int i = 0; i < GEMV_VECTORS; i++)
        total[i] = vec_zero();
    for (; steps > 0; steps -= most) {
        gemv_steps(&at, kind, v, steps < most ? steps : most, begin, end, more);
        UNROLL
        for (int i = 0; i < GEMV_VECTORS; i++)
            total[i] = vec_add32(total[i], more[i]);
    }
}

/* What stays the same from block to block. */
struct gemv_floats {
    vecf unit, offset;
    const uint8_t *scale, *minimum; /* of the chunk's first group */
};

/* One block of all rows. */
INLINE void gemv_block(const struct tmac_tile *tile, const struct gemv_floats *floats,
                       const struct gemv_kind kind, struct gemv_at at, int block, int steps,
                       const int begin, const int end, vecf y[ROW_VECTORS])
{
    const size_t group = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    const uint8_t *scale = floats->scale + group, *minimum = floats->minimum + group;
    const vecf act_sum = vecf_all(tile->act_sum[block]);
    const struct float_block numbers = {vecf_mul(floats->unit, vecf_all(tile->act_scale[block])),
                                        act_sum, vecf_mul(floats->offset, act_sum)};

    if (kind.half)
        vec_prefetch_scales(scale, 64);
    if (kind.half && tile->minimum)
        vec_prefetch_scales(minimum, 64);
    UNROLL
    for (int v = 0; v < ROW_VECTORS; v += GEMV_VECTORS) {
        vec total[GEMV_VECTORS];

        gemv_integers(at, kind, v, steps, begin, end, total);
        UNROLL
        for (int i = 0; i < GEMV_VECTORS; i++) {
            struct float_rows rows = {.scale = load_scales(scale, v + i, kind.half)};

            if (tile->minimum) {
                rows.minimum = load_scales(minimum, v + i, kind.half);
                y[v + i] = floats_add(&numbers, &rows, true, vecf_convert(total[i]), y[v + i]);
            } else {
                y[v + i] = floats_add(&numbers, &rows, false, vecf_convert(total[i]), y[v + i]);
            }
        }
    }
}

INLINE void gemv(const struct tmac_tile *tile, const struct gemv_kind kind)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, kind.width);
    const int block_steps = kind.size == SEVERAL_STEPS ? tile->block_k / TMAC_STEP_K : 1;
    const struct gemv_floats floats = {vecf_here(vecf_all(tile->unit)),
                                       vecf_here(vecf_all(tile->offset)), tile->scale,
                                       tile->minimum ? tile->minimum : tile->scale};
    struct gemv_at at = {tile->codes, tile->tables};
    vecf y[ROW_VECTORS];

    UNROLL
    for (int v = 0; v < ROW_VECTORS; v++)
        y[v] = tile->accumulate ? vecf_load(tile->y + LANES * v) : vecf_all(0);
    for (int left = tile->steps, block = 0; left > 0; left -= block_steps, block++) {
        const int steps = left < block_steps ? left : block_steps;

        if (kind.size == HALF_STEP)
            gemv_block(tile, &floats, kind, at, block++, 1, 0, GROUPS / 2, y);
        gemv_block(tile, &floats, kind, at, block, steps, kind.size == HALF_STEP ? GROUPS / 2 : 0,
                   GROUPS, y);
        at.cell += (size_t)steps * cell_bytes;
        at.x += steps * TMAC_STEP_K;
    }
    UNROLL
    for (int v = 0; v < ROW_VECTORS; v++)
        vecf_store(tile->y + LANES * v, y[v]);
}

#define GEMV(name, width, size, half)                                                              \
    INSTANCE void name(const struct tmac_tile *tile)                                               \
    {                                                                                              \
        gemv(tile, (struct gemv_kind){width, size, half});                                         \
    }
#define GEMVS(bits)                                                                                \
    GEMV(gemv_##bits##_half_step, TMAC_WIDTH_##bits, HALF_STEP, false)                             \
    GEMV(gemv_##bits##_step, TMAC_WIDTH_##bits, ONE_STEP, false)                                   \
    GEMV(gemv_##bits##_step_f16, TMAC_WIDTH_##bits, ONE_STEP, true)                                \
    GEMV(gemv_##bits##_steps, TMAC_WIDTH_##bits, SEVERAL_STEPS, false)                             \
    GEMV(gemv_##bits##_steps_f16, TMAC_WIDTH_##bits, SEVERAL_STEPS, true)
#define GEMV_NAMES(bits)                                                                           \
    {                                                                                              \
        {gemv_##bits##_half_step, gemv_##bits##_half_step},                                        \
            {gemv_##bits##_step, gemv_##bits##_step_f16},                                          \
            {gemv_##bits##_steps, gemv_##bits##_steps_f16},                                        \
    }

GEMVS(1)
GEMVS(2)
GEMVS(3)
GEMVS(4)
GEMVS(8)

/* [][][f16] */
static tmac_multiply_fn *const gemv_functions[WIDTHS][BLOCK_SIZES][2] = {
    GEMV_NAMES(1), GEMV_NAMES(2), GEMV_NAMES(3), GEMV_NAMES(4), GEMV_NAMES(8)};

#endif
