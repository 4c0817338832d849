/* SPDX-License-Identifier: MIT
 * Every multiply kernel against scalar's: same floats, nothing else touched. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "random.h"
#include "rungs.h"

enum fill { RANDOM, LEAST, GREATEST, ALTERNATING, ZERO };

/* What the bytes of a case are. The extremes are where narrow sums overflow; `exact` leaves the
 * float stage out: y is the exact integer. */
static const struct flavour {
    const char *name;
    enum fill codes, tables;
    bool exact, not_a_number;
} flavours[] = {
    {"random", RANDOM, RANDOM, false, false},
    {"random integers", RANDOM, RANDOM, true, false},
    {"greatest codes, greatest entries", GREATEST, GREATEST, true, false},
    {"greatest codes, least entries", GREATEST, LEAST, true, false},
    {"greatest codes, alternating entries", GREATEST, ALTERNATING, true, false},
    {"codes zero, greatest entries", LEAST, GREATEST, true, false},
    {"codes zero, least entries", LEAST, LEAST, true, false},
    {"random codes, least entries", RANDOM, LEAST, false, false},
    {"alternating codes, random entries", ALTERNATING, RANDOM, false, false},
    {"random codes, zero entries", RANDOM, ZERO, false, false},
    {"a block with NaN", RANDOM, RANDOM, false, true},
};

enum { FLAVOURS = sizeof flavours / sizeof *flavours };

struct multiply_case {
    const struct flavour *flavour;
    int entry, index;
    struct tmac_tile tile;
    int blocks, groups;
    bool half; /* kernels that read f16 scales get those, the others their floats */
    size_t half_stride;
    bool narrow;                    /* nested: sub-scales -32..31, zero 4 */
    struct guard nested, group_sum; /* nested: super-groups as packed; sums of the tables' groups */
    struct guard codes, scale, minimum, half_scale, half_minimum, tables, act_scale, act_sum, y;
    size_t y_count;
    float *y_before, *y_expected;
    struct guard before_memory, expected_memory;
};

/* Numbers that make the floats of a case, mostly ordinary. */
static float weight_scale(struct rng *rng)
{
    const int kind = rng_between(rng, 0, 15);
    return kind == 0 ? 0.0f : kind == 1 ? -0.0f : ldexpf(rng_normal(rng), rng_between(rng, -12, 4));
}

static void fill_floats(struct rng *rng, struct guard *guard, size_t count, bool exact, float value)
{
    float *to = guard_new(guard, count * sizeof *to, sizeof *to, guard_random_place(rng));

    for (size_t i = 0; i < count; i++)
        to[i] = exact ? value : weight_scale(rng);
}

/* Scales or minimums of every group, `stride` bytes apart. */
static void fill_scales(struct rng *rng, const struct multiply_case *c, struct guard *guard,
                        float one)
{
    const size_t rows = (size_t)tmac_layout_tile_rows(c->tile.layout);
    const size_t stride = c->tile.scale_stride;
    uint8_t *to = guard_new(guard, stride * (size_t)(c->groups - 1) + rows * sizeof(float),
                            sizeof(float), guard_random_place(rng));

    for (size_t at = 0; at < guard->size; at += sizeof(float)) {
        const float value = c->flavour->exact ? one : weight_scale(rng);
        memcpy(to + at, &value, sizeof value);
    }
}

/* The same as f16, any bits but infinities and NaN, where kernels read them; then as the floats that
 * they stand for. */
static void fill_half_scales(struct rng *rng, const struct multiply_case *c, struct guard *half,
                             struct guard *guard)
{
    const size_t rows = (size_t)tmac_layout_tile_rows(c->tile.layout);
    uint8_t *to =
        guard_new(half, c->half_stride * (size_t)(c->groups - 1) + rows * sizeof(uint16_t),
                  sizeof(uint16_t), guard_random_place(rng));

    fill_scales(rng, c, guard, 0);
    rng_bytes(rng, to, half->size);
    for (int g = 0; g < c->groups; g++) {
        uint16_t *halves = (uint16_t *)(void *)(to + (size_t)g * c->half_stride);
        for (size_t r = 0; r < rows; r++)
            halves[r] = c->flavour->exact
                            ? 0x3c00
                            : (uint16_t)((halves[r] & 0x83ff) | rng_between(rng, 0, 30) << 10);
        rungs[0].kernels.f16_to_f32(
            halves, (float *)(void *)((uint8_t *)guard->at + (size_t)g * c->tile.scale_stride),
            rows);
    }
}

static void fill_codes(struct rng *rng, struct multiply_case *c)
{
    const size_t size = tmac_cell_bytes(c->tile.layout, c->tile.width) * (size_t)c->tile.steps;
    uint8_t *to = guard_new(&c->codes, size, 64, guard_random_place(rng));

    rng_bytes(rng, to, size);
    for (size_t i = 0; i < size && c->flavour->codes != RANDOM; i++)
        to[i] = c->flavour->codes == GREATEST      ? 0xff
                : c->flavour->codes == ALTERNATING ? (i % 2 ? 0xf0 : 0x0f)
                                                   : 0;
}

/* Entries are -127..127; int8 activations reach -128 where the caller gave them so. */
static void fill_tables(struct rng *rng, struct multiply_case *c)
{
    const enum tmac_table_kind kind = tmac_layout_table_kind(c->tile.layout);
    const size_t size =
        tmac_table_step_bytes(kind) * (size_t)c->tile.steps * (size_t)c->tile.batch;
    const int least = kind == TMAC_TABLE_INT8 ? -128 : -127;
    uint8_t *to = guard_new(&c->tables, size, 64, guard_random_place(rng));

    for (size_t i = 0; i < size; i++) {
        const enum fill fill = c->flavour->tables != ALTERNATING ? c->flavour->tables
                               : i % 2                           ? GREATEST
                                                                 : LEAST;
        const int value = fill == RANDOM     ? rng_between(rng, least, 127)
                          : fill == GREATEST ? 127
                          : fill == LEAST    ? least
                                             : 0;
        to[i] = (uint8_t)(kind == TMAC_TABLE_U8 ? value + 128 : value);
    }
}

/* The super-groups of a nested tile: heads of finite f16, and any sub-scales. */
static void fill_nested(struct rng *rng, struct multiply_case *c, bool minimum)
{
    struct tmac_tile *t = &c->tile;
    const size_t head = minimum ? 128 : 64; /* f16 of 32 rows */
    const size_t own = t->nested.sub == TMAC_SUB_I8 && minimum ? 64 : 32;
    const size_t groups = (size_t)(t->block_k << t->block_shift) / (size_t)t->nested.group_k;
    uint8_t *at;

    t->scale_stride = head + groups * own;
    at = guard_new(&c->nested, (size_t)c->groups * t->scale_stride, 64, guard_random_place(rng));
    rng_bytes(rng, at, c->nested.size);
    for (size_t i = 0; i < c->nested.size && c->narrow; i++)
        at[i] = (uint8_t)((int8_t)at[i] / 4); /* -32..31 */
    for (size_t i = 0; i < (size_t)c->groups * head / 2; i++) {
        uint8_t *half = at + i / (head / 2) * t->scale_stride + i % (head / 2) * 2;
        half[1] = (uint8_t)((half[1] & 0x83) | rng_between(rng, 0, 30) << 2);
    }
    t->half = true;
    t->scale = at;
    t->minimum = minimum ? at + 64 : NULL;
    t->nested.own = at + head;
}

/* What the tables hold besides, for NESTED_ROWS32: [pair of groups][input][4], T and S up to their
 * greatest. */
static void fill_two_sums(struct rng *rng, struct multiply_case *c)
{
    const int count = c->tile.steps * TMAC_STEP_K / c->tile.nested.group_k * c->tile.batch * 2;
    const int most = c->tile.nested.group_k / 4 * 254 * 16;
    int16_t *to =
        guard_new(&c->group_sum, (size_t)count * sizeof *to, sizeof *to, guard_random_place(rng));

    for (int i = 0; i < count; i++) {
        const int greatest = i % 4 < 2 ? most : 127;
        to[i] = (int16_t)(c->flavour->tables == GREATEST ? greatest
                          : c->flavour->tables == LEAST  ? -greatest
                                                         : rng_between(rng, -greatest, greatest));
    }
    c->tile.nested.group_sum = to;
}

/* The same for NESTED: [pair of groups][input][2]. */
static void fill_group_sums(struct rng *rng, struct multiply_case *c)
{
    const int batch = c->tile.batch, quads = c->tile.nested.group_k / 4;
    const int groups = c->tile.steps * TMAC_STEP_K / c->tile.nested.group_k;
    const int8_t *x = c->tables.at;
    int16_t *to = guard_new(&c->group_sum, (size_t)(groups * batch) * sizeof *to, sizeof *to,
                            guard_random_place(rng));

    for (int g = 0; g < groups; g++)
        for (int n = 0; n < batch; n++) {
            int sum = 0;
            for (int i = 0; i < 4 * quads; i++)
                sum += x[((g * quads + i / 4) * batch + n) * 4 + i % 4];
            to[(g / 2 * batch + n) * 2 + g % 2] = (int16_t)sum;
        }
    c->tile.nested.group_sum = to;
}

/* Everything but the shape, which the caller has set. */
static void fill_metadata(struct rng *rng, struct multiply_case *c)
{
    const bool exact = c->flavour->exact;
    const size_t rows = (size_t)tmac_layout_tile_rows(c->tile.layout);
    const size_t meta = (size_t)c->blocks * (size_t)c->tile.batch;
    const bool minimum = !exact && rng_between(rng, 0, 1);

    c->tile.scale_stride = sizeof(float) * (rows + (size_t)rng_between(rng, 0, 20));
    c->half_stride = sizeof(uint16_t) * (rows + (size_t)rng_between(rng, 0, 40));
    if (tmac_layout_is_nested(c->tile.layout))
        fill_nested(rng, c, minimum);
    else if (c->half)
        fill_half_scales(rng, c, &c->half_scale, &c->scale);
    else
        fill_scales(rng, c, &c->scale, 1.0f);
    if (c->tile.layout == TMAC_LAYOUT_NESTED_ROWS32)
        fill_two_sums(rng, c);
    else if (c->tile.layout == TMAC_LAYOUT_NESTED)
        fill_group_sums(rng, c);
    else if (minimum && c->half)
        fill_half_scales(rng, c, &c->half_minimum, &c->minimum);
    else if (minimum)
        fill_scales(rng, c, &c->minimum, 0);
    fill_floats(rng, &c->act_scale, meta, exact, 1.0f);
    fill_floats(rng, &c->act_sum, meta, exact, 0.0f);
    if (c->flavour->not_a_number) {
        const int at = rng_between(rng, 0, (int)meta - 1);
        ((float *)c->act_scale.at)[at] = ((float *)c->act_sum.at)[at] = NAN;
    }
}

/* y has gaps between its inputs, which must stay as they are. */
static void fill_result(struct rng *rng, struct multiply_case *c)
{
    const size_t rows = (size_t)tmac_layout_tile_rows(c->tile.layout);
    const size_t stride = rows + (size_t)rng_between(rng, 0, 35);
    const size_t count = stride * (size_t)(c->tile.batch * c->tile.panels - 1) + rows;

    c->tile.y_stride = stride;
    c->y_count = count;
    guard_new(&c->y, count * sizeof(float), sizeof(float), guard_random_place(rng));
    c->y_before = guard_new(&c->before_memory, count * sizeof(float), 64, GUARD_END);
    c->y_expected = guard_new(&c->expected_memory, count * sizeof(float), 64, GUARD_END);
    const bool uninitialized = !c->tile.accumulate && rng_between(rng, 0, 1);
    for (size_t i = 0; i < count; i++) /* what is not accumulated must not be looked at */
        c->y_before[i] = uninitialized && i % stride < rows ? NAN : 100.0f * rng_normal(rng);
}

/* Lookup offsets of a nested layout: what is the middle of the codes less a zero of 0 to 15. */
static float lookup_offset(struct rng *rng, tmac_width width, bool narrow)
{
    const float middle =
        width == TMAC_WIDTH_TERNARY ? 1.0f : (float)((1 << tmac_width_bits(width)) - 1) * 0.5f;

    return middle - (narrow ? 4.0f : (float)rng_between(rng, 0, 15));
}

/* Nested layouts have their own shapes: whole super-groups of 64, 128 or 256. */
static void shape_nested(struct multiply_case *c, struct rng *rng)
{
    struct tmac_tile *t = &c->tile;

    t->block_k = t->block_k < 64 ? 64 : 128;
    t->block_shift = rng_between(rng, 0, t->block_k == 64 ? 2 : 1);
    t->nested.group_k = 16 << rng_between(rng, 0, 1);
    t->nested.sub = rng_between(rng, 0, 1) ? TMAC_SUB_I8 : TMAC_SUB_U4;
    if (t->layout == TMAC_LAYOUT_NESTED_ROWS32 && tmac_width_bits(t->width) > 2)
        t->nested.sub = TMAC_SUB_I8;
    c->narrow = rng_between(rng, 0, 1); /* as in Q3_K */
    t->offset = t->layout == TMAC_LAYOUT_NESTED_ROWS32 ? lookup_offset(rng, t->width, c->narrow)
                : c->narrow                            ? -4.0f
                                                       : (float)-rng_between(rng, 0, 15);
    t->unit = 1.0f;
    c->half = false;
    c->groups = (t->steps + 3) / 4;
    c->blocks = c->groups << t->block_shift;
    t->steps = c->blocks * t->block_k / TMAC_STEP_K;
}

static void make_case(struct multiply_case *c, struct rng *rng)
{
    static const int shifts[] = {0, 1, 2, 31};
    static const float offsets[] = {0.0f, 0.5f, -7.5f, 0.3f};
    struct tmac_tile *t = &c->tile;

    c->flavour =
        rng_between(rng, 0, 1) ? &flavours[0] : &flavours[rng_between(rng, 1, FLAVOURS - 1)];
    c->blocks = (t->steps * TMAC_STEP_K + t->block_k - 1) / t->block_k;
    t->block_shift = shifts[rng_between(rng, 0, 3)];
    c->groups = ((c->blocks - 1) >> t->block_shift) + 1;
    t->unit = c->flavour->exact || rng_between(rng, 0, 3) ? 1.0f : 2.0f;
    c->half = t->batch == 1 && t->block_k >= 32 && rng_between(rng, 0, 1);
    t->offset = c->flavour->exact ? 0.0f : offsets[rng_between(rng, 0, 3)];
    t->panels = t->batch == TMAC_MAX_PANEL ? rng_between(rng, 1, 3) : 1;
    t->accumulate = !c->flavour->exact && rng_between(rng, 0, 1);
    if (tmac_layout_is_nested(t->layout))
        shape_nested(c, rng);
    fill_codes(rng, c);
    fill_tables(rng, c);
    fill_metadata(rng, c);
    fill_result(rng, c);
    const struct guard *inputs[] = {&c->codes,        &c->scale,    &c->minimum,   &c->half_scale,
                                    &c->half_minimum, &c->tables,   &c->act_scale, &c->act_sum,
                                    &c->nested,       &c->group_sum};
    for (int i = 0; i < 10; i++)
        guard_seal(inputs[i]);
    t->codes = c->codes.at;
    if (!tmac_layout_is_nested(t->layout)) {
        t->scale = c->scale.at;
        t->minimum = c->minimum.at;
    } else if (t->minimum && t->layout == TMAC_LAYOUT_NESTED) {
        t->offset = 0.0f;
    }
    t->tables = c->tables.at;
    t->act_scale = c->act_scale.at;
    t->act_sum = c->act_sum.at;
    t->y = c->y.at;
}

static void free_case(struct multiply_case *c)
{
    struct guard *all[] = {
        &c->codes,        &c->scale,  &c->minimum,       &c->tables,          &c->act_scale,
        &c->act_sum,      &c->y,      &c->before_memory, &c->expected_memory, &c->half_scale,
        &c->half_minimum, &c->nested, &c->group_sum};
    for (int i = 0; i < 13; i++)
        guard_free(all[i]);
}

/* All panels have the same tables (panel_stride 0), but their own y. */
static void multiply_panels(const struct tmac_kernel *kernel, struct tmac_tile tile)
{
    const int calls = kernel->panels ? 1 : tile.panels;

    if (!kernel->panels)
        tile.panels = 1;
    for (int i = 0; i < calls; i++, tile.y += TMAC_MAX_PANEL * tile.y_stride)
        kernel->multiply(&tile);
}

static void run(struct rung *rung, struct multiply_case *c)
{
    struct tmac_tile tile = c->tile;
    const struct tmac_tile *t = &tile;

    if (c->half && entry_kernel(&rung->kernels, c->entry)->half) {
        tile.half = true;
        tile.scale = c->half_scale.at;
        tile.minimum = c->half_minimum.at;
        tile.scale_stride = c->half_stride;
    }
    memcpy(t->y, c->y_before, c->y_count * sizeof(float));
    rung_enter(rung, c->entry,
               "layout %s, width %s, block_k %d, steps %d, inputs %d, block_shift %d, "
               "minimum %d, half %d, scale_stride %zu, unit %g, accumulate %d, offset %g, "
               "y_stride %zu, panels %d, %s; case %d",
               layout_names[t->layout], width_names[t->width], t->block_k, t->steps, t->batch,
               t->block_shift, t->minimum != NULL, t->half, t->scale_stride, (double)t->unit,
               t->accumulate, (double)t->offset, t->y_stride, t->panels, c->flavour->name,
               c->index);
    multiply_panels(entry_kernel(&rung->kernels, c->entry), tile);
}

static void compare(struct rung *rung, struct multiply_case *c)
{
    const size_t at = floats_differ(c->tile.y, c->y_expected, c->y_count);

    if (at < c->y_count)
        rung_fail(rung, c->entry, "input %zu, row %zu: %.9g instead of %.9g (was %.9g)",
                  at / c->tile.y_stride, at % c->tile.y_stride, (double)c->tile.y[at],
                  (double)c->y_expected[at], (double)c->y_before[at]);
    else if (!guard_intact(&c->y))
        rung_fail(rung, c->entry, "wrote outside of y");
}

static void run_case(int entry, int block_k, int steps, int batch, int index)
{
    const bool fast = entry >= ENTRY_FAST;
    struct multiply_case c;
    struct rng rng;

    memset(&c, 0, sizeof c);
    c.entry = entry;
    c.index = index;
    c.tile.layout = (enum tmac_layout)((entry - (fast ? ENTRY_FAST : 0)) / TMAC_W_COUNT);
    c.tile.width = (tmac_width)(entry % TMAC_W_COUNT);
    c.tile.block_k = fast && block_k < TMAC_STEP_K ? TMAC_STEP_K : block_k;
    c.tile.steps = steps;
    c.tile.batch = batch;
    rng = rng_stream(test_seed, (uint64_t)c.entry, (uint64_t)index);
    if (steps > 10)
        c.tile.steps = rng_between(&rng, 33, 40);
    make_case(&c, &rng);
    run(&rungs[0], &c);
    memcpy(c.y_expected, c.tile.y, c.y_count * sizeof(float));
    for (int i = 1; i < rung_count; i++)
        if (rung_runs(&rungs[i], c.entry)) {
            run(&rungs[i], &c);
            compare(&rungs[i], &c);
        }
    free_case(&c);
}

static bool any_runs(int entry)
{
    bool runs = false;
    for (int i = 1; i < rung_count; i++)
        runs |= rung_runs(&rungs[i], entry);
    return runs;
}

/* All shapes in every round; the rest of a case is drawn. */
void test_multiply(void **state)
{
    const int rounds = rng_environment_rounds(4);

    (void)state;
    for (int entry = 0; entry < ENTRY_BUILD; entry++)
        for (int i = 0; i < rounds * 4 * 4 * 11 && any_runs(ENTRY_MULTIPLY + entry); i++)
            run_case(entry, 16 << i % 4, i / 16 % 11 + 1, 1 << i / 4 % 4, i);
    rungs_finish_test();
}
