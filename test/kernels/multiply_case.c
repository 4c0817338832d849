/* SPDX-License-Identifier: MIT */
#include "multiply_case.h"

#include <math.h>
#include <string.h>

enum fill { RANDOM, LEAST, GREATEST, ALTERNATING, ZERO };

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

enum { FLAVOURS = sizeof flavours / sizeof *flavours, TRIES = 10000, NARROW_BITS = 6 };

const char *multiply_case_flavour(const struct multiply_case *c)
{
    return c->flavour->name;
}

static size_t tile_rows(const struct multiply_case *c)
{
    return (size_t)tmac_layout_tile_rows(c->spec.layout);
}

static float centre(const struct tmac_spec *spec)
{
    return tmac_layout_is_direct(spec->layout) ? 0.0f : tmac_width_centre(spec->width);
}

/* ---- the weights ----------------------------------------------------------------------------- */

/* Blocks per group, as a logarithm; 31: the row is one group. */
static void draw_plain(struct multiply_case *c, struct rng *rng)
{
    static const int shifts[] = {0, 1, 2, 31};
    static const float zeros[] = {0.0f, 0.5f, 8.0f, 0.3f, 128.0f};
    struct tmac_spec *s = &c->spec;

    c->tile.block_shift = shifts[rng_between(rng, 0, 3)];
    c->tile.block_k = c->block_k;
    c->tile.steps = c->steps;
    c->blocks = (c->steps * TMAC_STEP_K + c->block_k - 1) / c->block_k;
    c->groups = ((c->blocks - 1) >> c->tile.block_shift) + 1;
    c->half = c->batch == TMAC_BATCH_1 && c->block_k >= 32 && rng_between(rng, 0, 1);
    s->whole_row = c->tile.block_shift == 31;
    s->group = s->whole_row ? s->cols : (int64_t)c->block_k << c->tile.block_shift;
    s->super_group = s->group;
    s->scale_type = c->half ? TMAC_SCALE_F16 : TMAC_SCALE_F32;
    s->zero_kind = (tmac_zero)rng_between(rng, 0, c->half ? 2 : 3);
    if (c->half && s->zero_kind == TMAC_ZERO_POINT)
        s->zero_kind = TMAC_ZERO_MINIMUM;
    s->zero = zeros[rng_between(rng, 0, 4)];
    s->scale_unit = tmac_zero_is_constant(s->zero_kind) && !rng_between(rng, 0, 3) ? 2.0f : 1.0f;
}

/* Super-groups of 64, 128 or 256. */
static void draw_nested(struct multiply_case *c, struct rng *rng)
{
    struct tmac_spec *s = &c->spec;
    const bool only_i8 = s->layout == TMAC_LAYOUT_NESTED_ROWS32 && tmac_width_bits(s->width) > 2;

    c->tile.block_k = c->block_k < 64 ? 64 : 128;
    c->tile.block_shift = rng_between(rng, 0, c->tile.block_k == 64 ? 2 : 1);
    c->groups = (c->steps + 3) / 4;
    c->blocks = c->groups << c->tile.block_shift;
    c->tile.steps = c->blocks * c->tile.block_k / TMAC_STEP_K;
    s->cols = (int64_t)c->tile.steps * TMAC_STEP_K;
    s->group = 16 << rng_between(rng, 0, 1);
    s->super_group = c->tile.block_k << c->tile.block_shift;
    s->scale_type = TMAC_SCALE_F16;
    s->sub_format = only_i8 || rng_between(rng, 0, 1) ? TMAC_SUB_I8 : TMAC_SUB_U4;
    if (s->sub_format == TMAC_SUB_I8 && rng_between(rng, 0, 1))
        s->sub_bits = NARROW_BITS;
    s->zero_kind = rng_between(rng, 0, 1) ? TMAC_ZERO_MINIMUM : TMAC_ZERO_CONSTANT;
    if (s->zero_kind == TMAC_ZERO_CONSTANT) /* 4 as in Q3_K, more often than the others */
        s->zero = rng_between(rng, 0, 1) ? 4.0f : (float)rng_between(rng, 0, 15);
}

/* No minimum, and in layouts that are not nested no offset: y is the sum of the integers. */
static void make_exact(struct tmac_spec *spec)
{
    if (spec->zero_kind == TMAC_ZERO_MINIMUM || spec->zero_kind == TMAC_ZERO_POINT)
        spec->zero_kind = TMAC_ZERO_CONSTANT;
    if (tmac_layout_is_nested(spec->layout))
        return;
    spec->zero = centre(spec);
    spec->scale_unit = 1.0f;
}

static void draw_weights(struct multiply_case *c, struct rng *rng)
{
    c->flavour =
        rng_between(rng, 0, 1) ? &flavours[0] : &flavours[rng_between(rng, 1, FLAVOURS - 1)];
    c->spec = (struct tmac_spec){.rows = 1000,
                                 .cols = (int64_t)c->steps * TMAC_STEP_K,
                                 .width = c->width,
                                 .layout = c->wanted->layout,
                                 .sub_bits = 8,
                                 .scale_unit = 1.0f};
    if (tmac_layout_is_nested(c->spec.layout))
        draw_nested(c, rng);
    else
        draw_plain(c, rng);
    if (c->flavour->exact)
        make_exact(&c->spec);
    if (!tmac_zero_is_constant(c->spec.zero_kind))
        c->spec.zero = 0.0f;
}

/* What the library makes of such weights. */
static void set_tile(struct multiply_case *c, struct rng *rng)
{
    const struct tmac_spec *s = &c->spec;
    struct tmac_tile *t = &c->tile;

    t->layout = s->layout;
    t->width = s->width;
    t->unit = s->scale_unit * (c->wanted->averages ? 4.0f : 1.0f);
    t->offset = (centre(s) - s->zero) * s->scale_unit;
    t->batch = c->batch == TMAC_BATCH_MANY ? TMAC_MAX_PANEL : 1 << c->batch;
    t->panels = c->batch == TMAC_BATCH_MANY ? rng_between(rng, 2, 4) : 1;
    t->accumulate = !c->flavour->exact && rng_between(rng, 0, 1);
    t->nested.sub = s->sub_format;
    t->nested.group_k = tmac_layout_is_nested(s->layout) ? (int)s->group : 0;
}

/* ---- scales ---------------------------------------------------------------------------------- */

/* Numbers that make the floats of a case, mostly ordinary. */
static float weight_scale(struct rng *rng)
{
    const int kind = rng_between(rng, 0, 15);
    return kind == 0 ? 0.0f : kind == 1 ? -0.0f : ldexpf(rng_normal(rng), rng_between(rng, -12, 4));
}

/* Scales or minimums of every group, scale_stride bytes apart. */
static void fill_scales(struct rng *rng, const struct multiply_case *c, struct guard *guard)
{
    uint8_t *to = guard_new(
        guard, c->tile.scale_stride * (size_t)(c->groups - 1) + tile_rows(c) * sizeof(float),
        sizeof(float), guard_random_place(rng));

    for (size_t at = 0; at < guard->size; at += sizeof(float)) {
        const float value = c->flavour->exact ? 1.0f : weight_scale(rng);
        memcpy(to + at, &value, sizeof value);
    }
}

/* The same as f16, any bits but infinities and NaN, where kernels read them; then as the floats that
 * they stand for. */
static void fill_half_scales(struct rng *rng, const struct multiply_case *c, struct guard *half,
                             struct guard *guard)
{
    const size_t rows = tile_rows(c);
    uint8_t *to =
        guard_new(half, c->half_stride * (size_t)(c->groups - 1) + rows * sizeof(uint16_t),
                  sizeof(uint16_t), guard_random_place(rng));

    fill_scales(rng, c, guard);
    rng_bytes(rng, to, half->size);
    for (int g = 0; g < c->groups; g++) {
        uint16_t *halves = (uint16_t *)(void *)(to + (size_t)g * c->half_stride);
        for (size_t r = 0; r < rows; r++)
            halves[r] = c->flavour->exact
                            ? 0x3c00
                            : (uint16_t)((halves[r] & 0x83ff) | rng_between(rng, 0, 30) << 10);
        tmac_set_scalar.tools->f16_to_f32(
            halves, (float *)(void *)((uint8_t *)guard->at + (size_t)g * c->tile.scale_stride),
            rows);
    }
}

static void fill_plain(struct rng *rng, struct multiply_case *c, bool minimum)
{
    const size_t rows = tile_rows(c);

    c->tile.scale_stride = sizeof(float) * (rows + (size_t)rng_between(rng, 0, 20));
    c->half_stride = sizeof(uint16_t) * (rows + (size_t)rng_between(rng, 0, 40));
    if (c->half)
        fill_half_scales(rng, c, &c->half_scale, &c->scale);
    else
        fill_scales(rng, c, &c->scale);
    if (minimum && c->half)
        fill_half_scales(rng, c, &c->half_minimum, &c->minimum);
    else if (minimum)
        fill_scales(rng, c, &c->minimum);
    c->tile.scale = c->scale.at;
    c->tile.minimum = c->minimum.at;
}

/* The super-groups of a nested tile: heads of finite f16, and any sub-scales of their bits. */
static void fill_nested(struct rng *rng, struct multiply_case *c, bool minimum)
{
    struct tmac_tile *t = &c->tile;
    const size_t head = minimum ? 128 : 64; /* f16 of 32 rows */
    const size_t own = t->nested.sub == TMAC_SUB_I8 && minimum ? 64 : 32;
    const size_t groups = (size_t)(c->spec.super_group / c->spec.group);
    const int narrower = 1 << (8 - c->spec.sub_bits);
    uint8_t *at;

    t->scale_stride = head + groups * own;
    at = guard_new(&c->nested, (size_t)c->groups * t->scale_stride, 64, guard_random_place(rng));
    rng_bytes(rng, at, c->nested.size);
    for (size_t i = 0; i < c->nested.size && narrower > 1; i++)
        at[i] = (uint8_t)((int8_t)at[i] / narrower);
    for (size_t i = 0; i < (size_t)c->groups * head / 2; i++) {
        uint8_t *half = at + i / (head / 2) * t->scale_stride + i % (head / 2) * 2;
        half[1] = (uint8_t)((half[1] & 0x83) | rng_between(rng, 0, 30) << 2);
    }
    t->half = true;
    t->scale = at;
    t->minimum = minimum ? at + 64 : NULL;
    t->nested.own = at + head;
}

/* ---- codes and tables ------------------------------------------------------------------------ */

static void fill_codes(struct rng *rng, struct multiply_case *c)
{
    const size_t size = tmac_cell_bytes(c->tile.layout, c->tile.width) * (size_t)c->tile.steps;
    uint8_t *to = guard_new(&c->codes, size, 64, guard_random_place(rng));

    rng_bytes(rng, to, size);
    for (size_t i = 0; i < size && c->flavour->codes != RANDOM; i++)
        to[i] = c->flavour->codes == GREATEST      ? 0xff
                : c->flavour->codes == ALTERNATING ? (i % 2 ? 0xf0 : 0x0f)
                                                   : 0;
    c->tile.codes = to;
}

static size_t panel_table_bytes(const struct multiply_case *c)
{
    return tmac_table_step_bytes(tmac_layout_table_kind(c->tile.layout)) * (size_t)c->tile.steps *
           (size_t)c->tile.batch;
}

/* Memory for what every panel has `size` bytes of: the next panel's come a panel_stride behind. */
static void *panels_new(struct rng *rng, const struct multiply_case *c, struct guard *guard,
                        size_t size, size_t align)
{
    return guard_new(guard, c->tile.panel_stride * (size_t)(c->tile.panels - 1) + size, align,
                     guard_random_place(rng));
}

/* Entries are -127..127; int8 activations reach -128 where the caller gave them so. */
static void fill_tables(struct rng *rng, struct multiply_case *c)
{
    const enum tmac_table_kind kind = tmac_layout_table_kind(c->tile.layout);
    const int least = kind == TMAC_TABLE_INT8 ? -128 : -127;
    uint8_t *to = panels_new(rng, c, &c->tables, panel_table_bytes(c), 64);

    for (size_t i = 0; i < c->tables.size; i++) {
        const enum fill fill = c->flavour->tables != ALTERNATING ? c->flavour->tables
                               : i % 2                           ? GREATEST
                                                                 : LEAST;
        const int value = fill == RANDOM     ? rng_between(rng, least, 127)
                          : fill == GREATEST ? 127
                          : fill == LEAST    ? least
                                             : 0;
        to[i] = (uint8_t)(kind == TMAC_TABLE_U8 ? value + 128 : value);
    }
    c->tile.tables = to;
}

/* What the tables hold besides, for NESTED_ROWS32: [pair of groups][input][4], T and S up to their
 * greatest. */
static void fill_two_sums(struct rng *rng, struct multiply_case *c)
{
    const int count = c->tile.steps * TMAC_STEP_K / c->tile.nested.group_k * c->tile.batch * 2;
    const int most = c->tile.nested.group_k / 4 * 254 * 16;
    int16_t *to =
        panels_new(rng, c, &c->group_sum, (size_t)count * sizeof(int16_t), sizeof(int16_t));

    for (size_t i = 0; i < c->group_sum.size / sizeof *to; i++) {
        const int greatest = i % 4 < 2 ? most : 127;
        to[i] = (int16_t)(c->flavour->tables == GREATEST ? greatest
                          : c->flavour->tables == LEAST  ? -greatest
                                                         : rng_between(rng, -greatest, greatest));
    }
    c->tile.nested.group_sum = to;
}

static void sum_panel(const struct multiply_case *c, const int8_t *x, int16_t *to)
{
    const int batch = c->tile.batch, quads = c->tile.nested.group_k / 4;
    const int groups = c->tile.steps * TMAC_STEP_K / c->tile.nested.group_k;

    for (int g = 0; g < groups; g++)
        for (int n = 0; n < batch; n++) {
            int sum = 0;
            for (int i = 0; i < 4 * quads; i++)
                sum += x[((g * quads + i / 4) * batch + n) * 4 + i % 4];
            to[(g / 2 * batch + n) * 2 + g % 2] = (int16_t)sum;
        }
}

/* The same for NESTED: [pair of groups][input][2]. */
static void fill_group_sums(struct rng *rng, struct multiply_case *c)
{
    const int count = c->tile.steps * TMAC_STEP_K / c->tile.nested.group_k * c->tile.batch;
    uint8_t *to =
        panels_new(rng, c, &c->group_sum, (size_t)count * sizeof(int16_t), sizeof(int16_t));

    for (int p = 0; p < c->tile.panels; p++) {
        const size_t at = (size_t)p * c->tile.panel_stride;
        sum_panel(c, (const int8_t *)c->tables.at + at, (int16_t *)(void *)(to + at));
    }
    c->tile.nested.group_sum = c->group_sum.at;
}

/* The float that every block and input has. */
static void *fill_floats(struct rng *rng, struct multiply_case *c, struct guard *guard, float value)
{
    const size_t meta = (size_t)c->blocks * (size_t)c->tile.batch;
    float *to = panels_new(rng, c, guard, meta * sizeof *to, sizeof *to);

    for (size_t i = 0; i < guard->size / sizeof *to; i++)
        to[i] = c->flavour->exact ? value : weight_scale(rng);
    return to;
}

static void fill_act(struct rng *rng, struct multiply_case *c)
{
    float *scale = fill_floats(rng, c, &c->act_scale, 1.0f);
    float *sum = fill_floats(rng, c, &c->act_sum, 0.0f);

    if (c->flavour->not_a_number) {
        const int at = rng_between(rng, 0, c->blocks * c->tile.batch - 1);
        scale[at] = sum[at] = NAN;
    }
    c->tile.act_scale = scale;
    c->tile.act_sum = sum;
}

/* ---- the result ------------------------------------------------------------------------------ */

/* y has gaps between its inputs, which must stay as they are. */
static void fill_result(struct rng *rng, struct multiply_case *c)
{
    const size_t rows = tile_rows(c);
    const size_t stride = rows + (size_t)rng_between(rng, 0, 35);
    const size_t count = stride * (size_t)(c->tile.batch * c->tile.panels - 1) + rows;

    c->tile.y_stride = stride;
    c->y_count = count;
    c->tile.y = guard_new(&c->y, count * sizeof(float), sizeof(float), guard_random_place(rng));
    c->y_before = guard_new(&c->before_memory, count * sizeof(float), 64, GUARD_END);
    c->y_expected = guard_new(&c->expected_memory, count * sizeof(float), 64, GUARD_END);
    const bool uninitialized = !c->tile.accumulate && rng_between(rng, 0, 1);
    for (size_t i = 0; i < count; i++) /* what is not accumulated must not be looked at */
        c->y_before[i] = uninitialized && i % stride < rows ? NAN : 100.0f * rng_normal(rng);
}

/* ---- all ------------------------------------------------------------------------------------- */

bool multiply_case_make(struct multiply_case *c, struct rng *rng)
{
    const struct guard *inputs[] = {&c->codes,        &c->scale,    &c->minimum,   &c->half_scale,
                                    &c->half_minimum, &c->tables,   &c->act_scale, &c->act_sum,
                                    &c->nested,       &c->group_sum};
    int tries = 0;

    do
        draw_weights(c, rng);
    while (c->wanted->accepts && !c->wanted->accepts(&c->spec) && ++tries < TRIES);
    if (tries == TRIES)
        return false;
    set_tile(c, rng);
    /* Lies behind the whole of a panel in every array, and leaves gaps in the smaller ones. */
    c->tile.panel_stride = panel_table_bytes(c) + 64 * (size_t)rng_between(rng, 0, 3);
    fill_codes(rng, c);
    fill_tables(rng, c);
    const bool minimum = !tmac_zero_is_constant(c->spec.zero_kind);
    if (tmac_layout_is_nested(c->spec.layout))
        fill_nested(rng, c, minimum);
    else
        fill_plain(rng, c, minimum);
    if (c->spec.layout == TMAC_LAYOUT_NESTED_ROWS32)
        fill_two_sums(rng, c);
    else if (c->spec.layout == TMAC_LAYOUT_NESTED)
        fill_group_sums(rng, c);
    fill_act(rng, c);
    fill_result(rng, c);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        guard_seal(inputs[i]);
    return true;
}

void multiply_case_free(struct multiply_case *c)
{
    struct guard *all[] = {
        &c->codes,        &c->scale,  &c->minimum,       &c->tables,          &c->act_scale,
        &c->act_sum,      &c->y,      &c->before_memory, &c->expected_memory, &c->half_scale,
        &c->half_minimum, &c->nested, &c->group_sum};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        guard_free(all[i]);
}

void multiply_case_scalar(const struct multiply_case *c, const struct tmac_kernel *scalar)
{
    const size_t stride = c->tile.panel_stride;
    struct tmac_tile tile = c->tile;

    tile.panels = 1;
    for (int p = 0; p < c->tile.panels; p++) {
        const size_t at = (size_t)p * stride;
        tile.tables = c->tile.tables + at;
        tile.act_scale = (const float *)(const void *)((const uint8_t *)c->tile.act_scale + at);
        tile.act_sum = (const float *)(const void *)((const uint8_t *)c->tile.act_sum + at);
        if (c->tile.nested.group_sum)
            tile.nested.group_sum =
                (const int16_t *)(const void *)((const uint8_t *)c->tile.nested.group_sum + at);
        tile.y = c->tile.y + (size_t)(p * TMAC_MAX_PANEL) * tile.y_stride;
        scalar->multiply(&tile);
    }
}
