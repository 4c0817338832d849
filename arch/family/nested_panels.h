/* SPDX-License-Identifier: MIT
 * Layout NESTED, several inputs: the codes of a few steps and the words of their groups are unpacked once for
 * all passes and panels. A pass sums some row vectors times some inputs over a group in registers, and scales
 * that; or one level of sums is enough, where codes were scaled before (nested_scaled.h).
 *
 * Centred, where a dot product is a 32-bit number but is scaled as a word: the sum of 32 activations would not
 * fit, 32 * 15 * 128. It starts from -CENTRE * S, S the sum of the group's activations, which is as if codes
 * were -7 .. 8:
 *     32 *  8 * -128 = -32768        32 *  8 * 127 = 32512
 *     32 * -7 * -128 =  28672        32 * -7 * 127 = -28448
 * What that takes away, CENTRE * sub * S, is added once per pair of groups, together with the offset. */
#ifndef TMAC_NESTED_PANELS_H
#define TMAC_NESTED_PANELS_H

#include "nested_own.h"

#include "ahead.h"
#include "pass.h"

enum {
    BIAS = 124, /* of scaled codes: see nested_scaled.h */
    CENTRE = 7,
    /* (CENTRE + offset) * S fits a word: |S| <= 32 * 128, and 8 times that would not. */
    LEAST_OFFSET = -14,
    RUN_GROUPS = 2 * UNPACKED_STEPS,
    RUN_PAIRS = RUN_GROUPS / 2,
    RUN_STARTS = RUN_PAIRS * TMAC_MAX_PANEL
};

/* A run of steps, whole blocks, for all panels. */
struct nested_run {
    const struct tmac_tile *tile;
    int step, steps; /* the first, of the chunk */
    struct ahead ahead;
    const uint8_t *codes; /* cells, or `unpacked` */
    struct unpacked unpacked[UNPACKED_STEPS];
    _Alignas(64) uint8_t sub[RUN_GROUPS][ROW_VECTORS][VEC_BYTES];  /* for scale_group() */
    _Alignas(64) uint8_t other[RUN_PAIRS][ROW_VECTORS][VEC_BYTES]; /* pairs of words */
    _Alignas(64) uint8_t pair[RUN_PAIRS][ROW_VECTORS][VEC_BYTES];
    /* Of the panel at hand. Centred: what the sums of a group start from ([group of the pair][pair][input]), and
     * the sums of activations times what the total still lacks ([pair][input][2]). Scaled codes: what the sums
     * of a block start from, [block][input]. */
    int32_t start[2][RUN_STARTS];
    int16_t lack[2 * RUN_STARTS];
};

/* Where a pass, for some rows and inputs of a panel, is. */
struct nested_pass {
    const uint8_t *codes, *x, *sub, *other, *pair;
    const int16_t *group_sum, *lack;
    const int32_t *start;
    const float *act_scale;
    const uint8_t *scale, *minimum; /* of the chunk's first super-group */
    float *y;
    size_t y_stride;
};

/* Adds one sum per group, or per half of one, scaled. `total` is in memory where registers are short. */
INLINE void nested_part(struct nested_pass *at, const struct pass_kind kind, const int begin,
                        const int end, vec total[PASS_SUMS])
{
    const bool centred = kind.how == CENTRED_SUMS;
    dot_sum sum[PASS_SUMS];

    if (centred) {
        UNROLL
        for (int i = 0; i < kind.inputs * kind.vectors; i++)
            sum[i] = dot_from(vec_lanes(at->start[i / kind.vectors]));
    }
    pass_step(at->codes, at->x, kind, begin, end, !centred, sum);
    UNROLL
    for (int v = 0; v < kind.vectors; v++) {
        const vec sub = vec_load(at->sub + v * VEC_BYTES);

        UNROLL
        for (int n = 0; n < kind.inputs; n++) {
            const int i = n * kind.vectors + v;
            total[i] = scale_group(total[i], sum[i], sub);
        }
    }
}

INLINE void nested_pass_step(struct nested_pass *at, const struct pass_kind kind,
                             vec total[PASS_SUMS])
{
    if (kind.size == ONE_STEP && group_parts(kind.how == CENTRED_SUMS) == 1) {
        nested_part(at, kind, 0, GROUPS, total);
    } else {
        nested_part(at, kind, 0, GROUPS / 2, total);
        if (kind.size == HALF_STEP)
            at->sub += ROWS_BYTES;
        nested_part(at, kind, GROUPS / 2, GROUPS, total);
    }
    at->sub += ROWS_BYTES;
}

/* Words of the pairs of a block times the sums of their activations. */
INLINE void nested_others(const uint8_t *words, const int16_t *sums, const int stride, int pairs,
                          const struct pass_kind kind, vec total[PASS_SUMS])
{
    UNROLL
    for (int i = 0; i < kind.inputs * kind.vectors; i++)
        total[i] = vec_zero();
    for (; pairs > 0; pairs--, sums += 2 * stride, words += ROWS_BYTES) {
        UNROLL
        for (int n = 0; n < kind.inputs; n++) {
            const vec pair = vec_broadcast4((const uint8_t *)(sums + 2 * n));

            UNROLL
            for (int v = 0; v < kind.vectors; v++) {
                vec *to = &total[n * kind.vectors + v];
                *to = scale_pairs(*to, vec_load(words + v * VEC_BYTES), pair);
            }
        }
    }
}

/* acc = fma(scale, act_scale * integer, acc) */
INLINE void nested_pass_floats(const struct nested_pass *at, const struct pass_kind kind,
                               const uint8_t *scales, const vec integers[PASS_SUMS])
{
    float *y = at->y;
    vecf scale[ROW_VECTORS];

    UNROLL
    for (int v = 0; v < kind.vectors; v++)
        scale[v] = load_scales(scales, v, true);
    UNROLL
    for (int n = 0; n < kind.inputs; n++, y += at->y_stride) {
        const vecf act_scale = vecf_all(at->act_scale[n]);

        UNROLL
        for (int v = 0; v < kind.vectors; v++)
            vecf_store(y + LANES * v,
                       floats_add_nested(act_scale, scale[v],
                                         vecf_convert(integers[n * kind.vectors + v]),
                                         vecf_load(y + LANES * v)));
    }
}

/* Sums of the codes of a block, which are scaled: as if there were one level of scales. */
INLINE void scaled_totals(const struct tmac_tile *tile, struct nested_pass *at,
                          const struct pass_kind kind, vec total[PASS_SUMS])
{
    dot_sum sum[PASS_SUMS];

    UNROLL
    for (int i = 0; i < kind.inputs * kind.vectors; i++)
        sum[i] =
            kind.minimum == MINIMUM ? dot_zero() : dot_from(vec_lanes(at->start[i / kind.vectors]));
    at->start += TMAC_MAX_PANEL;
    for (int k = 0; k < tile->block_k; k += TMAC_STEP_K) {
        pass_step(at->codes, at->x, kind, 0, GROUPS, false, sum);
        pass_next(&at->codes, &at->x, kind);
    }
    UNROLL
    for (int i = 0; i < kind.inputs * kind.vectors; i++)
        total[i] = dot_rows(sum[i], kind.width);
}

/* Sums of the codes of a block. */
INLINE void nested_totals(const struct tmac_tile *tile, struct nested_pass *at,
                          const struct pass_kind kind, int pairs, vec total[PASS_SUMS])
{
    if (kind.how == SCALED_CODES) {
        scaled_totals(tile, at, kind, total);
        return;
    }
    if (kind.how == CENTRED_SUMS) {
        nested_others(at->pair, at->lack, TMAC_MAX_PANEL, pairs, kind, total);
    } else {
        UNROLL
        for (int i = 0; i < PASS_SUMS; i++)
            total[i] = vec_zero();
    }
    for (int k = 0; k < tile->block_k; k += TMAC_STEP_K) {
        nested_pass_step(at, kind, total);
        if (kind.how == CENTRED_SUMS) /* two steps are a pair */
            at->start += k % 64 == 0 ? RUN_STARTS : TMAC_MAX_PANEL - RUN_STARTS;
        pass_next(&at->codes, &at->x, kind);
    }
}

/* One block, whose super-group's scales are `super` bytes on. */
INLINE void nested_pass_block(const struct tmac_tile *tile, struct nested_pass *at,
                              const struct pass_kind kind, size_t super)
{
    const int pairs = tile->block_k / (2 * tile->nested.group_k);
    const bool offset = kind.how == SCALED_SUMS && kind.minimum == NO_MINIMUM && tile->offset != 0;
    vec total[PASS_SUMS], others[PASS_SUMS];

    nested_totals(tile, at, kind, pairs, total);
    if (offset) {
        nested_others(at->other, at->group_sum, kind.batch, pairs, kind, others);
        UNROLL
        for (int i = 0; i < kind.inputs * kind.vectors; i++)
            total[i] = vec_add32(total[i], vec_mul32(others[i], vec_lanes((int32_t)tile->offset)));
    }
    nested_pass_floats(at, kind, at->scale + super, total);
    if (kind.minimum == MINIMUM) {
        nested_others(at->other, at->group_sum, kind.batch, pairs, kind, others);
        nested_pass_floats(at, kind, at->minimum + super, others);
    }
    at->pair += pairs * ROWS_BYTES;
    at->other += pairs * ROWS_BYTES;
    at->lack += pairs * 2 * TMAC_MAX_PANEL;
    at->group_sum += pairs * 2 * kind.batch;
    at->act_scale += kind.batch;
}

/* The sums of activations of panel p's groups, from the run's first on. */
INLINE const int16_t *run_group_sums(const struct nested_run *run, int p, const int batch)
{
    const struct tmac_tile *tile = run->tile;

    return (const int16_t *)(const void *)((const uint8_t *)tile->nested.group_sum +
                                           (size_t)p * tile->panel_stride) +
           run->step * TMAC_STEP_K / tile->nested.group_k * batch;
}

/* One pass over a run: row vectors from v, inputs from n of panel p. */
INLINE void nested_run_pass(const struct nested_run *run, const struct pass_kind kind, int p, int v,
                            int n)
{
    const struct tmac_tile *tile = run->tile;
    const int first = run->step * TMAC_STEP_K / tile->block_k;
    const int blocks = run->steps * TMAC_STEP_K / tile->block_k;
    const size_t panel = (size_t)p * tile->panel_stride;
    const uint8_t *scale = (const uint8_t *)tile->scale + 2 * LANES * v;
    struct nested_pass at = {
        .codes = run->codes + v * VEC_BYTES,
        .x = tile->tables + panel + (size_t)(run->step * TMAC_STEP_K * kind.batch + 4 * n),
        .sub = run->sub[0][v],
        .other = run->other[0][v],
        .pair = run->pair[0][v],
        .group_sum = run_group_sums(run, p, kind.batch) + 2 * n,
        .lack = run->lack + 2 * n,
        .start = run->start[0] + n,
        .act_scale = (const float *)(const void *)((const uint8_t *)tile->act_scale + panel) +
                     first * kind.batch + n,
        .scale = scale,
        .minimum = kind.minimum == MINIMUM ? (const uint8_t *)tile->minimum + 2 * LANES * v : scale,
        .y = tile->y + (size_t)(p * kind.batch + n) * tile->y_stride + LANES * v,
        .y_stride = tile->y_stride,
    };

    for (int b = 0; b < blocks; b++)
        nested_pass_block(tile, &at, kind,
                          (size_t)((first + b) >> tile->block_shift) * tile->scale_stride);
}

/* A number for each input of a panel, on any machine: compilers make less of loops. */
typedef int32_t per_input __attribute__((vector_size(4 * TMAC_MAX_PANEL)));
typedef int16_t per_input_pair __attribute__((vector_size(4 * TMAC_MAX_PANEL)));

/* Sums of the blocks of panel p start from what takes the bias of scaled codes away. */
INLINE void run_bias(struct nested_run *run, int p)
{
    const struct tmac_tile *tile = run->tile;
    const int16_t *sum = run_group_sums(run, p, TMAC_MAX_PANEL);
    const int pairs = tile->block_k / (2 * tile->nested.group_k);
    const int blocks = run->steps * TMAC_STEP_K / tile->block_k;

    for (int b = 0; b < blocks; b++) {
        per_input all = {0};

        for (int pair = 0; pair < pairs; pair++, sum += 2 * TMAC_MAX_PANEL) {
            per_input both; /* the first group's below */
            memcpy(&both, sum, sizeof both);
            all += (both << 16 >> 16) + (both >> 16);
        }
        all *= -BIAS;
        memcpy(run->start[0] + b * TMAC_MAX_PANEL, &all, sizeof all);
    }
}

/* What sums of panel p start from and lack. */
INLINE void run_centre(struct nested_run *run, int p)
{
    const struct tmac_tile *tile = run->tile;
    const int16_t *sum = run_group_sums(run, p, TMAC_MAX_PANEL);
    const int16_t lack = (int16_t)(CENTRE + (tile->minimum ? 0 : (int)tile->offset));

    for (int i = 0; i < run->steps / 2 * TMAC_MAX_PANEL; i += TMAC_MAX_PANEL) {
        per_input both;
        per_input_pair words;

        memcpy(&both, sum + 2 * i, sizeof both);
        memcpy(&words, sum + 2 * i, sizeof words);
        const per_input first = (both << 16 >> 16) * -CENTRE, second = (both >> 16) * -CENTRE;
        words *= lack;
        memcpy(run->start[0] + i, &first, sizeof first);
        memcpy(run->start[1] + i, &second, sizeof second);
        memcpy(run->lack + 2 * i, &words, sizeof words);
    }
}

INLINE void nested_run_passes(struct nested_run *run, const struct pass_kind kind)
{
    for (int p = 0; p < run->tile->panels; p++) {
        ahead_prefetch_part(&run->ahead);
        if (kind.how == CENTRED_SUMS)
            run_centre(run, p);
        if (kind.how == SCALED_CODES && kind.minimum == NO_MINIMUM)
            run_bias(run, p);
        for (int v = 0; v < ROW_VECTORS; v += kind.vectors)
            for (int n = 0; n < kind.batch; n += kind.inputs)
                nested_run_pass(run, kind, p, v, n);
    }
}

typedef void nested_run_fn(struct nested_run *run);

#define NESTED_PASSES(name, ...)                                                                   \
    INSTANCE void name(struct nested_run *run)                                                     \
    {                                                                                              \
        nested_run_passes(run, (struct pass_kind){__VA_ARGS__});                                   \
    }
#define NESTED_SIZES(name, ...)                                                                    \
    NESTED_PASSES(name##_16, __VA_ARGS__, HALF_STEP, NO_MINIMUM, SCALED_SUMS)                      \
    NESTED_PASSES(name##_16_minimum, __VA_ARGS__, HALF_STEP, MINIMUM, SCALED_SUMS)                 \
    NESTED_PASSES(name##_32, __VA_ARGS__, ONE_STEP, NO_MINIMUM, SCALED_SUMS)                       \
    NESTED_PASSES(name##_32_minimum, __VA_ARGS__, ONE_STEP, MINIMUM, SCALED_SUMS)
#define NESTED_CELLS(bits)                                                                         \
    NESTED_SIZES(cells_##bits##_2, 2, 2, NESTED_VECTORS, true, TMAC_WIDTH_##bits)                  \
    NESTED_SIZES(cells_##bits##_4, 4, 4, NESTED_VECTORS, true, TMAC_WIDTH_##bits)

enum {
    NESTED_VECTORS = PASS_SUMS / 4 < ROW_VECTORS ? PASS_SUMS / 4 : ROW_VECTORS,
    NESTED_VECTORS_OF_8 = PASS_SUMS / UNPACKED_INPUTS
};

NESTED_CELLS(2)
NESTED_CELLS(3)
NESTED_CELLS(4)
NESTED_SIZES(unpacked, TMAC_MAX_PANEL, UNPACKED_INPUTS, NESTED_VECTORS_OF_8, false, TMAC_WIDTH_4)

/* The words of all groups of a run. */
INLINE void run_words(struct nested_run *run, const enum own_kind kind)
{
    const struct tmac_tile *tile = run->tile;
    const int pairs = tile->block_k / (2 * tile->nested.group_k);
    const int blocks = run->steps * TMAC_STEP_K / tile->block_k;

    for (int b = 0, i = 0; b < blocks; b++) {
        const uint8_t *own = own_of_block(tile, run->step * TMAC_STEP_K / tile->block_k + b);

        for (int p = 0; p < pairs; p++, i++, own += own_pair_bytes(kind)) {
            UNROLL
            for (int v = 0; v < ROW_VECTORS; v++) {
                const struct own_words words = own_words(own, kind, v);

                vec_store(run->sub[2 * i][v], group_sub(words.sub, 0));
                vec_store(run->sub[2 * i + 1][v], group_sub(words.sub, 1));
                vec_store(run->other[i][v], words.other);
                vec_store(run->pair[i][v], words.sub);
            }
        }
    }
}

#define RUN_WORDS(name, kind)                                                                      \
    INSTANCE void name(struct nested_run *run)                                                     \
    {                                                                                              \
        run_words(run, kind);                                                                      \
    }

RUN_WORDS(words_u4, OWN_U4)
RUN_WORDS(words_u4_minimum, OWN_U4_MINIMUM)
RUN_WORDS(words_i8, OWN_I8)
RUN_WORDS(words_i8_minimum, OWN_I8_MINIMUM)

/* All runs of a tile: `passes` multiplies one, after `prepare`, which may be NULL. Few inputs read cells, of which
 * nothing else would see the codes again. Chunks start at super-groups, and so does every run: 256 is a multiple of
 * all. */
static void all_runs(const struct tmac_tile *tile, nested_run_fn *prepare, nested_run_fn *passes)
{
    const bool cells_stay = tile->batch < TMAC_MAX_PANEL;
    static nested_run_fn *const words[OWN_KINDS] = {words_u4, words_u4_minimum, words_i8,
                                                    words_i8_minimum};
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_NESTED, tile->width);
    struct nested_run run;

    run.tile = tile;
    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (run.step = 0; run.step < tile->steps; run.step += UNPACKED_STEPS) {
        const uint8_t *cells = tile->codes + (size_t)run.step * cell_bytes;
        const int left = tile->steps - run.step;

        run.steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;
        run.ahead = ahead_of(cells + UNPACKED_STEPS * cell_bytes, UNPACKED_STEPS * cell_bytes,
                             tile->panels);
        run.codes = cells_stay ? cells : run.unpacked[0].codes[0][0];
        if (!cells_stay)
            unpack_steps(run.unpacked, cells, run.steps, tile->width);
        words[own_kind(tile)](&run);
        if (prepare)
            prepare(&run);
        passes(&run);
    }
}

#define NESTED_SIZE_NAMES(name)                                                                    \
    {                                                                                              \
        {name##_16, name##_16_minimum},                                                            \
        {                                                                                          \
            name##_32, name##_32_minimum                                                           \
        }                                                                                          \
    }

static void nested_panels(const struct tmac_tile *tile)
{
    /* [batch 2, 4][width][groups of 32][minimum] */
    static nested_run_fn *const cells[2][3][2][2] = {
        {NESTED_SIZE_NAMES(cells_2_2), NESTED_SIZE_NAMES(cells_3_2), NESTED_SIZE_NAMES(cells_4_2)},
        {NESTED_SIZE_NAMES(cells_2_4), NESTED_SIZE_NAMES(cells_3_4), NESTED_SIZE_NAMES(cells_4_4)}};
    static nested_run_fn *const unpacked[2][2] = NESTED_SIZE_NAMES(unpacked);
    const bool wide = tile->nested.group_k == TMAC_STEP_K, minimum = tile->minimum != NULL;

    all_runs(tile, NULL,
             tile->batch == TMAC_MAX_PANEL
                 ? unpacked[wide][minimum]
                 : cells[tile->batch / 4][nested_width(tile->width)][wide][minimum]);
}

#endif
