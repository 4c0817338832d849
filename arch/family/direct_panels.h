/* SPDX-License-Identifier: MIT
 * Layout DIRECT, several inputs. A pass sums some row vectors times some inputs in registers. Where one
 * pass takes all inputs of the only panel it reads cells, else the codes of a few steps are unpacked once
 * for all passes and panels. */
#ifndef TMAC_DIRECT_PANELS_H
#define TMAC_DIRECT_PANELS_H

#include "direct_gemv.h"

#include "ahead.h"
#include "pass.h"

enum { RUN_BLOCKS = 2 * UNPACKED_STEPS };

/* A run of steps, whole blocks but for the tile's last, for all panels. */
struct run {
    const struct tmac_tile *tile;
    const uint8_t *codes; /* cells, or struct unpacked */
    int step, steps;      /* the first, of the chunk */
    int chain;            /* steps that a sum takes */
    struct ahead ahead;
    /* Of the panel at hand, [block][input]: act_scale * unit, offset * act_sum. */
    float factor[RUN_BLOCKS * TMAC_MAX_PANEL], offset[RUN_BLOCKS * TMAC_MAX_PANEL];
};

/* Where a pass, for some rows and inputs of a panel, is. */
struct pass {
    const uint8_t *codes, *x;
    const float *factor, *offset, *act_sum;
    const uint8_t *scale, *minimum; /* of the chunk's first group */
    float *y;
    size_t y_stride; /* from one input to the next, where they are in y */
};

/* Steps that a sum takes, as far as it is known. */
INLINE int pass_chain(const struct run *run, const struct pass_kind kind)
{
    return kind.cells || kind.width != TMAC_WIDTH_2 ? dot_steps(kind.width, 1) : run->chain;
}

/* Whether results are kept aside while a run is summed: measured, it pays for few of them. */
INLINE bool pass_is_aside(const struct pass_kind kind)
{
    return kind.inputs * kind.vectors <= 8;
}

INLINE void sums_rows(const dot_sum sum[PASS_SUMS], const struct pass_kind kind,
                      vec total[PASS_SUMS])
{
    UNROLL
    for (int i = 0; i < kind.inputs * kind.vectors; i++)
        total[i] = dot_rows(sum[i], kind.width);
}

/* The next steps, a block of several. */
INLINE void pass_steps(struct pass *at, const struct pass_kind kind, int steps, int chain,
                       vec total[PASS_SUMS])
{
    dot_sum sum[PASS_SUMS];

    if (dot_is_wide(kind.width)) {
        UNROLL
        for (int i = 0; i < PASS_SUMS; i++)
            sum[i] = dot_zero();
        for (; steps > 0; steps--) {
            pass_step(at->codes, at->x, kind, 0, GROUPS, false, sum);
            pass_next(&at->codes, &at->x, kind);
        }
        sums_rows(sum, kind, total);
        return;
    }
    UNROLL
    for (int i = 0; i < PASS_SUMS; i++)
        total[i] = vec_zero();
    for (; steps > 0; steps -= chain) {
        pass_step(at->codes, at->x, kind, 0, GROUPS, true, sum);
        pass_next(&at->codes, &at->x, kind);
        for (int s = 1; s < chain && s < steps; s++) {
            pass_step(at->codes, at->x, kind, 0, GROUPS, false, sum);
            pass_next(&at->codes, &at->x, kind);
        }
        UNROLL
        for (int i = 0; i < kind.inputs * kind.vectors; i++)
            total[i] = vec_add32(total[i], dot_rows(sum[i], kind.width));
    }
}

/* The float stage of a block. */
INLINE void pass_floats(struct pass *at, const struct pass_kind kind, size_t group,
                        const bool minimum, const vec total[PASS_SUMS])
{
    const size_t y_stride = pass_is_aside(kind) ? (size_t)(kind.vectors * LANES) : at->y_stride;
    struct float_rows rows[ROW_VECTORS];
    float *y = at->y;

    UNROLL
    for (int v = 0; v < kind.vectors; v++)
        rows[v] = (struct float_rows){load_scales(at->scale + group, v, false),
                                      load_scales(at->minimum + group, v, false)};
    UNROLL
    for (int n = 0; n < kind.inputs; n++, y += y_stride) {
        const struct float_block block = {vecf_all(at->factor[n]), vecf_all(at->act_sum[n]),
                                          vecf_all(at->offset[n])};
        UNROLL
        for (int v = 0; v < kind.vectors; v++) {
            const vecf integer = vecf_convert(total[n * kind.vectors + v]);

            if (VEC_REGISTERS < 32) /* load again */
                rows[v].minimum = load_scales(at->minimum + group, v, false);
            vecf_store(y + LANES * v,
                       floats_add(&block, &rows[v], minimum, integer, vecf_load(y + LANES * v)));
        }
    }
    at->factor += kind.batch;
    at->offset += kind.batch;
    at->act_sum += kind.batch;
}

INLINE void pass_block(const struct tmac_tile *tile, struct pass *at, const struct pass_kind kind,
                       int number, const vec total[PASS_SUMS])
{
    const size_t group = (size_t)(number >> tile->block_shift) * tile->scale_stride;

    if (kind.minimum == MINIMUM || (kind.minimum == MAY_HAVE_MINIMUM && tile->minimum))
        pass_floats(at, kind, group, true, total);
    else
        pass_floats(at, kind, group, false, total);
}

/* Groups [begin, end) of a step, a block. */
INLINE void pass_part(const struct tmac_tile *tile, struct pass *at, const struct pass_kind kind,
                      int number, const int begin, const int end)
{
    dot_sum sum[PASS_SUMS];
    vec total[PASS_SUMS];

    pass_step(at->codes, at->x, kind, begin, end, true, sum);
    sums_rows(sum, kind, total);
    if (end == GROUPS)
        pass_next(&at->codes, &at->x, kind);
    pass_block(tile, at, kind, number, total);
}

/* All blocks of a run; the first is number `block` of the chunk. */
INLINE void pass_blocks(const struct run *run, struct pass *at, const struct pass_kind kind,
                        int block)
{
    const struct tmac_tile *tile = run->tile;
    const int block_steps = kind.size == SEVERAL_STEPS ? tile->block_k / TMAC_STEP_K : 1;

    for (int left = run->steps; left > 0; left -= block_steps, block++) {
        if (kind.size == HALF_STEP) {
            pass_part(tile, at, kind, block++, 0, GROUPS / 2);
            pass_part(tile, at, kind, block, GROUPS / 2, GROUPS);
        } else if (kind.size == ONE_STEP) {
            pass_part(tile, at, kind, block, 0, GROUPS);
        } else {
            vec total[PASS_SUMS];
            pass_steps(at, kind, left < block_steps ? left : block_steps, pass_chain(run, kind),
                       total);
            pass_block(tile, at, kind, block, total);
        }
    }
}

INLINE const float *panel_floats(const float *floats, size_t panel)
{
    return (const float *)(const void *)((const uint8_t *)floats + panel);
}

/* What the float stage needs of panel p, for all passes over it. */
INSTANCE void run_numbers(struct run *run, int p)
{
    const struct tmac_tile *tile = run->tile;
    const size_t panel = (size_t)p * tile->panel_stride;
    const int first = run->step * TMAC_STEP_K / tile->block_k * tile->batch;
    const int blocks = (run->steps * TMAC_STEP_K + tile->block_k - 1) / tile->block_k;
    const float *act_scale = panel_floats(tile->act_scale, panel) + first;
    const float *act_sum = panel_floats(tile->act_sum, panel) + first;

    for (int i = 0; i < blocks * tile->batch; i++) {
        run->factor[i] = act_scale[i] * tile->unit;
        run->offset[i] = act_sum[i] * tile->offset;
    }
}

/* Loads the results of a pass, or stores them. */
INLINE void pass_results(float sums[PASS_SUMS][LANES], float *y, size_t y_stride,
                         const struct pass_kind kind, const bool load)
{
    UNROLL
    for (int i = 0; i < kind.inputs * kind.vectors; i++) {
        float *at = y + (size_t)(i / kind.vectors) * y_stride + i % kind.vectors * LANES;

        if (load)
            vecf_store(sums[i], vecf_load(at));
        else
            vecf_store(at, vecf_load(sums[i]));
    }
}

/* One pass over a run: row vectors from v, inputs from n of panel p. */
INLINE void run_pass(const struct run *run, const struct pass_kind kind, int p, int v, int n)
{
    const struct tmac_tile *tile = run->tile;
    const int block = run->step * TMAC_STEP_K / tile->block_k;
    const size_t panel = (size_t)p * tile->panel_stride;
    const float *act_sum = panel_floats(tile->act_sum, panel) + block * kind.batch;
    const uint8_t *scale = (const uint8_t *)tile->scale + LANES * sizeof(float) * (size_t)v;
    float *y = tile->y + (size_t)(p * kind.batch + n) * tile->y_stride + LANES * v;
    _Alignas(64) float sums[PASS_SUMS][LANES];
    struct pass at = {
        .codes = run->codes + v * VEC_BYTES,
        .x = tile->tables + panel + (size_t)(run->step * TMAC_STEP_K * kind.batch + 4 * n),
        .factor = run->factor + n,
        .offset = run->offset + n,
        .act_sum = act_sum + n,
        .scale = scale,
        .minimum = tile->minimum
                       ? (const uint8_t *)tile->minimum + LANES * sizeof(float) * (size_t)v
                       : scale,
        .y = pass_is_aside(kind) ? sums[0] : y,
        .y_stride = tile->y_stride,
    };

    if (pass_is_aside(kind))
        pass_results(sums, y, tile->y_stride, kind, true);
    pass_blocks(run, &at, kind, block);
    if (pass_is_aside(kind))
        pass_results(sums, y, tile->y_stride, kind, false);
}

INLINE void run_passes(struct run *run, const struct pass_kind kind)
{
    for (int p = 0; p < run->tile->panels; p++) {
        if (!kind.cells)
            ahead_prefetch_part(&run->ahead);
        run_numbers(run, p);
        for (int v = 0; v < ROW_VECTORS; v += kind.vectors)
            for (int n = 0; n < kind.batch; n += kind.inputs)
                run_pass(run, kind, p, v, n);
    }
}

typedef void run_fn(struct run *run);

#define PASSES(name, ...)                                                                          \
    INSTANCE void name(struct run *run)                                                            \
    {                                                                                              \
        run_passes(run, (struct pass_kind){__VA_ARGS__, DIRECT_SUMS});                             \
    }

/* ---- unpacked: panels of 8 -------------------------------------------------------------------- */

enum { UNPACKED_VECTORS = PASS_SUMS / UNPACKED_INPUTS };
#define UNPACKED(name, width, size)                                                                \
    PASSES(unpacked_##name, TMAC_MAX_PANEL, UNPACKED_INPUTS, UNPACKED_VECTORS, false, width, size, \
           NO_MINIMUM)                                                                             \
    PASSES(unpacked_##name##_minimum, TMAC_MAX_PANEL, UNPACKED_INPUTS, UNPACKED_VECTORS, false,    \
           width, size, MINIMUM)

UNPACKED(half_step, TMAC_WIDTH_2, HALF_STEP)
UNPACKED(step, TMAC_WIDTH_2, ONE_STEP)
UNPACKED(steps, TMAC_WIDTH_2, SEVERAL_STEPS)
UNPACKED(4_steps, TMAC_WIDTH_4, SEVERAL_STEPS)
UNPACKED(8_half_step, TMAC_WIDTH_8, HALF_STEP)
UNPACKED(8_step, TMAC_WIDTH_8, ONE_STEP)
UNPACKED(8_steps, TMAC_WIDTH_8, SEVERAL_STEPS)

#define UNPACKED_NAMES(name)                                                                       \
    {                                                                                              \
        unpacked_##name, unpacked_##name##_minimum                                                 \
    }

static run_fn *unpacked_function(const struct tmac_tile *tile)
{
    static run_fn *const functions[3][BLOCK_SIZES][2] = {
        {UNPACKED_NAMES(half_step), UNPACKED_NAMES(step), UNPACKED_NAMES(steps)},
        {UNPACKED_NAMES(half_step), UNPACKED_NAMES(step), UNPACKED_NAMES(4_steps)},
        {UNPACKED_NAMES(8_half_step), UNPACKED_NAMES(8_step), UNPACKED_NAMES(8_steps)}};
    const int kind = tile->width == TMAC_WIDTH_8 ? 2 : tile->width == TMAC_WIDTH_4;

    return functions[kind][block_size(tile->block_k)][tile->minimum != NULL];
}

static void many_panels(const struct tmac_tile *tile)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, tile->width);
    struct unpacked codes[UNPACKED_STEPS];
    struct run run;

    run.tile = tile;
    run.codes = (const uint8_t *)codes;
    run.chain = dot_steps(tile->width, 1);
    for (run.step = 0; run.step < tile->steps; run.step += UNPACKED_STEPS) {
        const uint8_t *cells = tile->codes + (size_t)run.step * cell_bytes;
        const int left = tile->steps - run.step;

        run.steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;
        run.ahead = ahead_of(cells + UNPACKED_STEPS * cell_bytes, UNPACKED_STEPS * cell_bytes,
                             tile->panels);
        unpack_steps(codes, cells, run.steps, tile->width);
        unpacked_function(tile)(&run);
    }
}

/* ---- cells: the only panel -------------------------------------------------------------------- */

enum {
    VECTORS_OF_2 = PASS_SUMS / 2 < ROW_VECTORS ? PASS_SUMS / 2 : ROW_VECTORS,
    VECTORS_OF_4 = PASS_SUMS / 4 < ROW_VECTORS ? PASS_SUMS / 4 : ROW_VECTORS,
    VECTORS_OF_8 = PASS_SUMS / 8 < ROW_VECTORS ? PASS_SUMS / 8 : ROW_VECTORS
};

#define CELLS(bits, batch, size, name)                                                             \
    PASSES(cells_##bits##_##batch##_##name, batch, batch, VECTORS_OF_##batch, true,                \
           TMAC_WIDTH_##bits, size, MAY_HAVE_MINIMUM)
#define CELLS_SIZES(bits, batch)                                                                   \
    CELLS(bits, batch, HALF_STEP, half_step)                                                       \
    CELLS(bits, batch, ONE_STEP, step)                                                             \
    CELLS(bits, batch, SEVERAL_STEPS, steps)
#define CELLS_BATCHES(bits)                                                                        \
    CELLS_SIZES(bits, 2)                                                                           \
    CELLS_SIZES(bits, 4)                                                                           \
    CELLS_SIZES(bits, 8)
#define CELLS_NAMES(bits, batch)                                                                   \
    {                                                                                              \
        cells_##bits##_##batch##_half_step, cells_##bits##_##batch##_step,                         \
            cells_##bits##_##batch##_steps                                                         \
    }

CELLS_BATCHES(1)
CELLS_BATCHES(2)
CELLS_BATCHES(3)
CELLS_BATCHES(4)
CELLS_BATCHES(8)

/* [width][batch 2, 4, 8][size] */
static run_fn *const cells_functions[WIDTHS][3][BLOCK_SIZES] = {
    {CELLS_NAMES(1, 2), CELLS_NAMES(1, 4), CELLS_NAMES(1, 8)},
    {CELLS_NAMES(2, 2), CELLS_NAMES(2, 4), CELLS_NAMES(2, 8)},
    {CELLS_NAMES(3, 2), CELLS_NAMES(3, 4), CELLS_NAMES(3, 8)},
    {CELLS_NAMES(4, 2), CELLS_NAMES(4, 4), CELLS_NAMES(4, 8)},
    {CELLS_NAMES(8, 2), CELLS_NAMES(8, 4), CELLS_NAMES(8, 8)},
};

static void one_panel(const struct tmac_tile *tile)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, tile->width);
    const int most = RUN_BLOCKS * tile->block_k / TMAC_STEP_K;
    run_fn *const function =
        cells_functions[width_index(tile->width)][tile->batch / 4][block_size(tile->block_k)];
    struct run run;

    run.tile = tile;
    run.chain = dot_steps(tile->width, 1);
    for (run.step = 0; run.step < tile->steps; run.step += most) {
        const int left = tile->steps - run.step;

        run.steps = left < most ? left : most;
        run.codes = tile->codes + (size_t)run.step * cell_bytes;
        function(&run);
    }
}

static void direct_panels(const struct tmac_tile *tile)
{
    if (!tile->accumulate)
        tmac_tile_clear(tile);
    if (tile->panels > 1)
        many_panels(tile);
    else
        one_panel(tile);
}

#endif
