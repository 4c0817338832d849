/* SPDX-License-Identifier: MIT
 * Every table builder against what is prescribed: same tables, scales and sums; other inputs untouched. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "guard.h"
#include "prescribed.h"
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
    BALANCED, /* sums of groups around where S begins to count */
    WITH_NAN,
    WITH_INFINITY,
    INPUTS
};

static const char *const kind_names[TMAC_TABLE_KIND_COUNT] = {"U8", "S8", "INT8"};

/* What a builder writes, how it was before, and as it should be. */
struct output {
    struct guard is, before, expected;
};

struct build_case {
    int kind, index;
    int batch, input;
    bool given, int8; /* int8: copied */
    struct tmac_build build;
    struct guard x, x8, given_scales;
    struct output tables, scale, sum, group_sum;
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

/* Of both signs alike, but for one in 16: 4 of them are a table's sum, 127 units, so that a change by
 * 2^-16 is about 2^-10 units. */
static void fill_balanced(struct rng *rng, float *x, int count)
{
    for (int i = 0; i < count; i++)
        x[i] = i % 2 ? 1.0f : -1.0f;
    for (int i = 0; i < count; i += 16)
        x[i + rng_between(rng, 0, 15)] *= 1.0f + ldexpf(1.0f, rng_between(rng, -20, -13));
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

    if (input == TIES || input == BALANCED) {
        (input == TIES ? fill_ties : fill_balanced)(rng, x, count);
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

/* Int8 activations as the API gets them: a number in -128..127, or that times the block's scale, which
 * may be negative. The block counts as zero by 127 times the scale. */
static void fill_given(struct rng *rng, float *x, int8_t *x8, int count, float *given)
{
    static const float special[] = {0.0f,  TMAC_TINY / 256, TMAC_TINY / 64,
                                    NAN,   INFINITY,        FLT_MAX / 2,
                                    -0.0f, -TMAC_TINY / 64, -INFINITY};
    const int kind = rng_between(rng, 0, 31);

    *given = kind < 9 ? special[kind] : ldexpf(1.0f + rng_unit(rng), rng_between(rng, -40, 40));
    if (kind % 2)
        *given = -*given;
    for (int i = 0; i < count; i++) {
        const int value = rng_between(rng, -128, 127);
        if (x8)
            x8[i] = (int8_t)value;
        else
            x[i] = (float)value * *given;
    }
}

static void *new_input(struct rng *rng, struct guard *guard, bool wanted, size_t count, size_t size)
{
    return wanted ? guard_new(guard, count * size, size, guard_random_place(rng)) : NULL;
}

static void fill_inputs(struct rng *rng, struct build_case *c)
{
    const size_t block_k = (size_t)c->build.block_k, blocks = (size_t)c->build.blocks;
    const int one_kind = rng_between(rng, 0, 2 * INPUTS - 1); /* or mixed */
    float *x = new_input(rng, &c->x, !c->int8, blocks * block_k, sizeof *x);
    int8_t *x8 = new_input(rng, &c->x8, c->int8, blocks * block_k, 1);
    float *given = new_input(rng, &c->given_scales, c->given, blocks, sizeof *given);

    for (size_t b = 0; b < blocks; b++) {
        const int input = one_kind < INPUTS ? one_kind : rng_between(rng, 0, INPUTS - 1);
        if (given)
            fill_given(rng, x ? x + b * block_k : NULL, x8 ? x8 + b * block_k : NULL, (int)block_k,
                       &given[b]);
        else
            fill_block(rng, x + b * block_k, (int)block_k, (enum input)input);
    }
    guard_seal(&c->x);
    guard_seal(&c->x8);
    guard_seal(&c->given_scales);
    c->build.x = x;
    c->build.x8 = x8;
    c->build.given = given;
}

static void make_output(struct rng *rng, struct output *output, size_t size, size_t align)
{
    const enum guard_place place = guard_random_place(rng);

    guard_new(&output->is, size, align, place);
    rng_bytes(rng, guard_new(&output->before, size, align, place), size);
    memcpy(guard_new(&output->expected, size, align, place), output->before.at, size);
}

static void make_case(struct build_case *c, struct rng *rng)
{
    const enum tmac_table_kind kind = (enum tmac_table_kind)c->kind;
    const size_t batch = (size_t)c->batch;
    struct tmac_build *b = &c->build;
    const int steps = (b->blocks * b->block_k + TMAC_STEP_K - 1) / TMAC_STEP_K;
    const size_t meta = (size_t)b->blocks * batch * sizeof(float);
    const int groups = b->group_k ? b->blocks * b->block_k / b->group_k : 0;

    b->step_stride = batch * tmac_table_step_bytes(kind);
    b->group_stride = 4 * batch;
    b->meta_stride = batch;
    fill_inputs(rng, c);
    make_output(rng, &c->tables, (size_t)steps * b->step_stride, 64);
    make_output(rng, &c->scale, meta, sizeof(float));
    make_output(rng, &c->sum, meta, sizeof(float));
    make_output(rng, &c->group_sum,
                (size_t)groups * batch * tmac_table_group_sums(kind) * sizeof(int16_t),
                sizeof(int16_t));
}

static void free_case(struct build_case *c)
{
    struct output *outputs[] = {&c->tables, &c->scale, &c->sum, &c->group_sum};

    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        guard_free(&outputs[i]->is);
        guard_free(&outputs[i]->before);
        guard_free(&outputs[i]->expected);
    }
    guard_free(&c->x);
    guard_free(&c->x8);
    guard_free(&c->given_scales);
}

/* What a builder gets that is to write here. */
static struct tmac_build build_into(const struct build_case *c, const struct guard *tables,
                                    const struct guard *scale, const struct guard *sum,
                                    const struct guard *group_sum)
{
    const enum tmac_table_kind kind = (enum tmac_table_kind)c->kind;
    struct tmac_build build = c->build;

    build.tables = (uint8_t *)tables->at + c->input * (kind == TMAC_TABLE_INT8 ? 4 : 128);
    build.scale = (float *)scale->at + c->input;
    build.sum = (float *)sum->at + c->input;
    if (build.group_k)
        build.group_sum =
            (int16_t *)group_sum->at + 2 * (size_t)c->input * tmac_table_group_sums(kind);
    return build;
}

static void run(const struct subject *subject, struct build_case *c)
{
    const struct tmac_build build =
        build_into(c, &c->tables.is, &c->scale.is, &c->sum.is, &c->group_sum.is);

    subject_enter(subject,
                  "tables %s, block_k %d, blocks %d, input %d of %d, given scales %d, int8 %d, "
                  "group_k %d; case %d",
                  kind_names[c->kind], build.block_k, build.blocks, c->input, c->batch, c->given,
                  c->int8, build.group_k, c->index);
    subject->tools->build[c->kind](&build);
}

static size_t bytes_differ(const struct output *output)
{
    const uint8_t *is = output->is.at, *expected = output->expected.at;
    size_t at = 0;

    while (at < output->is.size && is[at] == expected[at])
        at++;
    return at;
}

/* Whether floats are as they should be; says which are not. */
static bool compare_floats(struct subject *subject, const struct output *output, const char *what)
{
    const float *is = output->is.at, *expected = output->expected.at;
    const size_t count = output->is.size / sizeof *is, at = floats_differ(is, expected, count);

    if (at < count)
        subject_fail(subject, "%s %zu: %.9g instead of %.9g", what, at, (double)is[at],
                     (double)expected[at]);
    return at == count;
}

static void compare(struct subject *subject, struct build_case *c)
{
    const size_t table = bytes_differ(&c->tables), group = bytes_differ(&c->group_sum) / 2;
    const int16_t *sums = c->group_sum.is.at, *sums_expected = c->group_sum.expected.at;

    if (table < c->tables.is.size)
        subject_fail(subject, "table byte %zu (step %zu): %d instead of %d", table,
                     table / c->build.step_stride, ((uint8_t *)c->tables.is.at)[table],
                     ((uint8_t *)c->tables.expected.at)[table]);
    else if (group < c->group_sum.is.size / 2)
        subject_fail(subject, "sum of groups %zu: %d instead of %d", group, sums[group],
                     sums_expected[group]);
    else if (compare_floats(subject, &c->scale, "scale") &&
             compare_floats(subject, &c->sum, "sum") &&
             !(guard_intact(&c->tables.is) && guard_intact(&c->scale.is) &&
               guard_intact(&c->sum.is) && guard_intact(&c->group_sum.is)))
        subject_fail(subject, "wrote outside of tables, scale, sum or group_sum");
}

static void restore(struct output *output)
{
    memcpy(output->is.at, output->before.at, output->is.size);
}

/* Every builder finds the same bytes before it, and must leave those of other inputs so. */
static void run_case(struct build_case *c)
{
    struct rng rng = rng_stream(test_seed, (uint64_t)(STREAM_BUILD + c->kind), (uint64_t)c->index);
    struct tmac_build expected;

    c->input = rng_between(&rng, 0, c->batch - 1);
    c->given = c->kind == TMAC_TABLE_INT8 && rng_between(&rng, 0, 2) == 0;
    c->int8 = c->given && rng_between(&rng, 0, 1);
    c->build.blocks = rng_between(&rng, 1, 9);
    if (c->kind != TMAC_TABLE_S8 && rng_between(&rng, 0, 1))
        c->build.group_k = c->build.block_k >= 64   ? 16 << rng_between(&rng, 0, 1)
                           : c->build.block_k == 32 ? 16
                                                    : 0;
    make_case(c, &rng);
    expected = build_into(c, &c->tables.expected, &c->scale.expected, &c->sum.expected,
                          &c->group_sum.expected);
    prescribed_build(&expected, (enum tmac_table_kind)c->kind);
    for (struct subject *s = NULL; (s = next_subject(s, FUNCTION_BUILD + c->kind));) {
        restore(&c->tables);
        restore(&c->scale);
        restore(&c->sum);
        restore(&c->group_sum);
        run(s, c);
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
