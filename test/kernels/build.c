/* SPDX-License-Identifier: MIT
 * Every table builder against scalar's: same tables, scales and sums; other inputs untouched. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "guard.h"
#include "random.h"
#include "subjects.h"

/* One kind per block, so that special blocks have ordinary neighbours. */
enum input {
    NORMAL,
    HEAVY,   /* a few activations dwarf the rest */
    ZEROS,   /* of both signs */
    TINY,    /* below TMAC_TINY */
    AT_TINY, /* around it: which side counts */
    DENORMAL,
    HUGE_SUM, /* up to where four magnitudes overflow, and past it */
    TIES,     /* every rounding is a tie or exact */
    WITH_NAN,
    WITH_INFINITY,
    INPUTS
};

static const char *const kind_names[TMAC_TABLE_KIND_COUNT] = {"U8", "S8", "INT8"};

struct build_case {
    int kind, index;
    int batch, input;
    bool given;
    struct tmac_build build;
    struct guard x, given_scales;
    struct guard tables, tables_before, tables_expected;
    struct guard scale, scale_before, scale_expected;
    struct guard sum, sum_before, sum_expected;
};

/* Multiples of half the quantizer's unit, with one group (and one number) at exactly 127 units, so
 * that the factor is a power of two and every second rounding is a tie. */
static void fill_ties(struct rng *rng, float *x, int count)
{
    const float unit = ldexpf(1.0f, rng_between(rng, -60, 60));

    for (int i = 0; i < count; i++)
        x[i] = 0.5f * (float)rng_between(rng, -63, 63) * unit;
    for (int i = 1; i < 4; i++)
        x[i] = 0;
    x[0] = 127 * unit;
}

static float draw(struct rng *rng, enum input input)
{
    const float normal = rng_normal(rng);

    switch (input) {
    case HEAVY:
        return normal * normal * normal * ldexpf(1.0f, rng_between(rng, -8, 8));
    case ZEROS:
        return rng_between(rng, 0, 1) ? 0.0f : -0.0f;
    case TINY:
        return rng_unit(rng) < 0.5f ? -0.0f : 2e-26f * (rng_unit(rng) - 0.5f);
    case AT_TINY:
        return TMAC_TINY * 0.25f * (rng_between(rng, 0, 1) ? 1.0f : -1.0f);
    case DENORMAL:
        return normal * 0x1p-130f;
    case HUGE_SUM:
        return (rng_unit(rng) - 0.5f) * FLT_MAX * (rng_between(rng, 0, 1) ? 0.49f : 1.0f);
    default:
        return normal;
    }
}

static void fill_block(struct rng *rng, float *x, int count, enum input input)
{
    const int at = rng_between(rng, 0, count - 1);

    if (input == TIES) {
        fill_ties(rng, x, count);
        return;
    }
    for (int i = 0; i < count; i++)
        x[i] = draw(rng, input);
    if (input == AT_TINY && rng_between(rng, 0, 1)) /* one number decides, for INT8 too */
        x[at] = nextafterf(TMAC_TINY, rng_between(rng, 0, 1) ? 0.0f : 1.0f);
    if (input == WITH_NAN)
        x[at] = rng_between(rng, 0, 1) ? NAN : -NAN;
    if (input == WITH_INFINITY)
        x[at] = rng_between(rng, 0, 1) ? INFINITY : -INFINITY;
}

/* Int8 activations as the API gets them: a number in -128..127 times the block's scale, which may
 * be negative. The block counts as zero by 127 times the scale. */
static void fill_given(struct rng *rng, float *x, int count, float *given)
{
    static const float special[] = {0.0f,  TMAC_TINY / 256, TMAC_TINY / 64,
                                    NAN,   INFINITY,        FLT_MAX / 2,
                                    -0.0f, -TMAC_TINY / 64, -INFINITY};
    const int kind = rng_between(rng, 0, 31);

    *given = kind < 9 ? special[kind] : ldexpf(1.0f + rng_unit(rng), rng_between(rng, -40, 40));
    if (kind % 2)
        *given = -*given;
    for (int i = 0; i < count; i++)
        x[i] = (float)rng_between(rng, -128, 127) * *given;
}

static void fill_inputs(struct rng *rng, struct build_case *c)
{
    const size_t count = (size_t)c->build.blocks * (size_t)c->build.block_k;
    const int one_kind = rng_between(rng, 0, 2 * INPUTS - 1); /* or mixed */
    float *x = guard_new(&c->x, count * sizeof *x, sizeof *x, guard_random_place(rng));
    float *given = c->given ? guard_new(&c->given_scales, (size_t)c->build.blocks * sizeof *given,
                                        sizeof *given, guard_random_place(rng))
                            : NULL;

    for (int b = 0; b < c->build.blocks; b++) {
        float *block = x + (size_t)b * (size_t)c->build.block_k;
        const int input = one_kind < INPUTS ? one_kind : rng_between(rng, 0, INPUTS - 1);
        if (given)
            fill_given(rng, block, c->build.block_k, &given[b]);
        else
            fill_block(rng, block, c->build.block_k, (enum input)input);
    }
    guard_seal(&c->x);
    guard_seal(&c->given_scales);
    c->build.x = x;
    c->build.given = given;
}

/* For the kernel, as it was before, and as scalar leaves it. */
static void make_output(struct rng *rng, struct guard *mine, struct guard *before,
                        struct guard *expected, size_t size, size_t align)
{
    const enum guard_place place = guard_random_place(rng);

    guard_new(mine, size, align, place);
    rng_bytes(rng, guard_new(before, size, align, place), size);
    memcpy(guard_new(expected, size, align, place), before->at, size);
}

static void make_case(struct build_case *c, struct rng *rng)
{
    const enum tmac_table_kind kind = (enum tmac_table_kind)c->kind;
    const size_t batch = (size_t)c->batch;
    struct tmac_build *b = &c->build;
    const int steps = (b->blocks * b->block_k + TMAC_STEP_K - 1) / TMAC_STEP_K;
    const size_t meta = (size_t)b->blocks * batch * sizeof(float);

    b->step_stride = batch * tmac_table_step_bytes(kind);
    b->group_stride = 4 * batch;
    b->meta_stride = batch;
    fill_inputs(rng, c);
    make_output(rng, &c->tables, &c->tables_before, &c->tables_expected,
                (size_t)steps * b->step_stride, 64);
    make_output(rng, &c->scale, &c->scale_before, &c->scale_expected, meta, sizeof(float));
    make_output(rng, &c->sum, &c->sum_before, &c->sum_expected, meta, sizeof(float));
}

static void free_case(struct build_case *c)
{
    struct guard *all[] = {&c->x,
                           &c->given_scales,
                           &c->tables,
                           &c->tables_before,
                           &c->tables_expected,
                           &c->scale,
                           &c->scale_before,
                           &c->scale_expected,
                           &c->sum,
                           &c->sum_before,
                           &c->sum_expected};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        guard_free(all[i]);
}

static void run(const struct subject *subject, const struct build_case *c,
                const struct guard *tables, const struct guard *scale, const struct guard *sum)
{
    struct tmac_build build = c->build;
    const size_t input_bytes = c->kind == TMAC_TABLE_INT8 ? 4 : 128;

    build.tables = (uint8_t *)tables->at + (size_t)c->input * input_bytes;
    build.scale = (float *)scale->at + c->input;
    build.sum = (float *)sum->at + c->input;
    subject_enter(
        subject, "tables %s, block_k %d, blocks %d, input %d of %d, given scales %d; case %d",
        kind_names[c->kind], build.block_k, build.blocks, c->input, c->batch, c->given, c->index);
    subject->tools->build[c->kind](&build);
}

static void compare(struct subject *subject, struct build_case *c)
{
    const uint8_t *tables = c->tables.at, *tables_expected = c->tables_expected.at;
    const float *scale = c->scale.at, *scale_expected = c->scale_expected.at;
    const float *sum = c->sum.at, *sum_expected = c->sum_expected.at;
    const size_t meta = c->scale.size / sizeof(float);
    const size_t wrong_scale = floats_differ(scale, scale_expected, meta);
    const size_t wrong_sum = floats_differ(sum, sum_expected, meta);
    size_t at = 0;

    while (at < c->tables.size && tables[at] == tables_expected[at])
        at++;
    if (at < c->tables.size)
        subject_fail(subject, "table byte %zu (step %zu): %d instead of %d", at,
                     at / c->build.step_stride, tables[at], tables_expected[at]);
    else if (wrong_scale < meta)
        subject_fail(subject, "scale %zu: %.9g instead of %.9g", wrong_scale,
                     (double)scale[wrong_scale], (double)scale_expected[wrong_scale]);
    else if (wrong_sum < meta)
        subject_fail(subject, "sum %zu: %.9g instead of %.9g", wrong_sum, (double)sum[wrong_sum],
                     (double)sum_expected[wrong_sum]);
    else if (!guard_intact(&c->tables) || !guard_intact(&c->scale) || !guard_intact(&c->sum))
        subject_fail(subject, "wrote outside of tables, scale or sum");
}

static void restore(struct guard *guard, const struct guard *before)
{
    memcpy(guard->at, before->at, guard->size);
}

/* Every kernel finds the same bytes before it, and must leave those of other inputs so. */
static void run_case(struct build_case *c)
{
    struct rng rng = rng_stream(test_seed, (uint64_t)(STREAM_BUILD + c->kind), (uint64_t)c->index);

    c->input = rng_between(&rng, 0, c->batch - 1);
    c->given = c->kind == TMAC_TABLE_INT8 && rng_between(&rng, 0, 2) == 0;
    c->build.blocks = rng_between(&rng, 1, 9);
    make_case(c, &rng);
    run(scalar_subject(FUNCTION_BUILD + c->kind), c, &c->tables_expected, &c->scale_expected,
        &c->sum_expected);
    for (struct subject *s = NULL; (s = next_subject(s, FUNCTION_BUILD + c->kind));) {
        restore(&c->tables, &c->tables_before);
        restore(&c->scale, &c->scale_before);
        restore(&c->sum, &c->sum_before);
        run(s, c, &c->tables, &c->scale, &c->sum);
        compare(s, c);
    }
    free_case(c);
}

void test_build(void **state)
{
    const int cases = 400 * rng_environment_rounds(4);

    (void)state;
    for (int kind = 0; kind < TMAC_TABLE_KIND_COUNT; kind++)
        for (int i = 0; i < cases; i++) {
            struct build_case c;
            memset(&c, 0, sizeof c);
            c.kind = kind;
            c.index = i;
            c.batch = 1 << i / 4 % 4;
            c.build.block_k = 16 << i % 4;
            run_case(&c);
        }
    subjects_finish_test();
}
