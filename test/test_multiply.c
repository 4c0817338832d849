/* SPDX-License-Identifier: MIT
 *
 * The same multiplication in every way there is to ask for it, equal to the bit: number of inputs,
 * threads, row ranges, strides, instruction sets, tables in the caller's memory. What it should be
 * at all is test_accuracy's subject. */
#include "support/check.h"
#include "support/problem.h"

#include <stdio.h>
#include <string.h>

enum { BATCH = 33 };
static const int64_t some_inputs[] = {1, 2, 3, 5, 7, 8, 9, 13, 33};

static struct isas isas;
static uint64_t seed;

/* ---- problems -------------------------------------------------------------------------------- */

/* rows, cols, group: partial tiles of 32 and 64 rows, partial steps, blocks and chunks; the last two have
 * super-groups that nested layouts take. */
static const int64_t shapes[][3] = {{1, 16, 16},
                                    {31, 48, 16},
                                    {33, 1056, 32},
                                    {65, 192, 64},
                                    {100, 384, 128},
                                    {129, 1280, 256},
                                    {33, 1, TMAC_GROUP_ROW},
                                    {65, 20, TMAC_GROUP_ROW},
                                    {100, 1100, TMAC_GROUP_ROW},
                                    {40, 2064, 16},
                                    {33, 1152, 32},
                                    {70, 2112, 16}};

/* A problem of shape `shape`, all else varied by its number. */
static bool problem_of(struct problem *p, size_t shape, int layout, tmac_width width,
                       uint64_t index)
{
    struct rng rng = rng_stream(seed, 1, index);
    const int64_t group = shapes[shape][2];
    const bool nested = tmac_layout_is_nested((enum tmac_layout)layout);
    const bool can_nest = group > 0 && shapes[shape][1] % (4 * group) == 0;
    const bool two_levels = group > 0 && group < 128 && (nested ? can_nest : index % 2);
    const struct matrix_kind kind = {
        .rows = shapes[shape][0],
        .cols = shapes[shape][1],
        .width = width,
        .group = group,
        .scale_type = nested ? TMAC_SCALE_F16 : (tmac_scale_type)(index % 3),
        .zero = (tmac_zero)(index / 3 % 4),
        .sub = two_levels ? (tmac_sub_format)(1 + index / 2 % 2) : TMAC_SUB_NONE,
        .super_group = !two_levels ? 0
                       : nested    ? 4 * group
                                   : TMAC_GROUP_ROW,
    };
    return problem_new(p, &kind, (enum tmac_layout)layout, BATCH, &rng);
}

static void for_each_problem(void (*check)(const struct problem *problem, struct rng *rng))
{
    const int share = check_share(1);
    uint64_t index = 0;

    for (int layout = 0; layout < LAYOUTS; layout++)
        for (int w = 0; w < TEST_WIDTHS; w++)
            for (size_t shape = 0; shape < COUNT(shapes); shape++) {
                struct rng rng = rng_stream(seed, 2, index);
                struct problem p;
                if (index++ % (uint64_t)share)
                    continue;
                if (!problem_of(&p, shape, layout, test_widths[w], index))
                    continue;
                check(&p, &rng);
                problem_free(&p);
            }
}

/* ---- inputs, threads, instruction sets ------------------------------------------------------ */

static void check_gemm(const struct problem *p, const tmac_context *context, int64_t batch,
                       int64_t gap, const char *what)
{
    tmac_weights *weights = weights_in(context, p->weights);
    tmac_tables *tables = problem_tables(p, context, weights, batch);
    const int64_t rows = p->matrix.kind.rows;
    struct result r;

    result_new(&r, p, batch, rows + gap);
    CHECK_OK(tmac_gemm(context, weights, tables, r.y, r.stride));
    result_check(&r, p, 0, rows, what);
    if (batch == 1) {
        result_new(&r, p, 1, rows);
        CHECK_OK(tmac_gemv(context, weights, tables, r.y));
        result_check(&r, p, 0, rows, what);
    }
    tmac_tables_free(tables);
    tmac_weights_free(weights);
}

static void check_inputs(const struct problem *p, struct rng *rng)
{
    for (size_t i = 0; i < COUNT(some_inputs); i++)
        check_gemm(p, p->context, some_inputs[i], rng_between(rng, 0, 5), "inputs");
}

static void test_batch(void **state)
{
    (void)state;
    for_each_problem(check_inputs);
}

static void check_threads(const struct problem *p, struct rng *rng)
{
    static const int threads[] = {2, 3, 7};

    for (size_t i = 0; i < COUNT(threads); i++) {
        tmac_context *context = context_new(NULL, TMAC_LAYOUT_DIRECT, threads[i]);
        const int64_t batch = some_inputs[rng_between(rng, 0, COUNT(some_inputs) - 1)];
        check_gemm(p, context, batch, 3, "threads");
        check_gemm(p, context, 1, 0, "threads");
        tmac_context_free(context);
    }
}

static void test_threads(void **state)
{
    (void)state;
    for_each_problem(check_threads);
}

static void check_isas(const struct problem *p, struct rng *rng)
{
    for (int i = 1; i < isas.count; i++) {
        tmac_context *context = context_new(isas.name[i], TMAC_LAYOUT_DIRECT, 1);
        check_gemm(p, context, BATCH, rng_between(rng, 0, 3), isas.name[i]);
        check_gemm(p, context, 1 + rng_between(rng, 0, 8), 0, isas.name[i]);
        tmac_context_free(context);
    }
}

static void test_instruction_sets(void **state)
{
    (void)state;
    for_each_problem(check_isas);
}

/* ---- row ranges ------------------------------------------------------------------------------ */

static void check_range(const struct problem *p, const tmac_context *context,
                        const tmac_weights *weights, const tmac_tables *tables, int64_t begin,
                        int64_t end, int64_t batch)
{
    struct result r;
    char what[64];

    snprintf(what, sizeof what, "rows %lld to %lld", (long long)begin, (long long)end);
    result_new(&r, p, batch, p->matrix.kind.rows + 1);
    CHECK_OK(tmac_gemm_rows(context, weights, tables, begin, end, r.y, r.stride));
    result_check(&r, p, begin, end, what);
}

static void check_ranges_with(const struct problem *p, const tmac_context *context, int64_t batch,
                              struct rng *rng)
{
    const int64_t rows = p->matrix.kind.rows;
    const int64_t fixed[][2] = {{0, 0},           {0, rows},           {rows, rows},
                                {rows - 1, rows}, {rows / 2, rows},    {0, rows / 2},
                                {0, 1},           {rows / 3, rows / 2}};
    tmac_weights *weights = weights_in(context, p->weights);
    tmac_tables *tables = problem_tables(p, context, weights, batch);

    for (size_t i = 0; i < COUNT(fixed); i++)
        check_range(p, context, weights, tables, fixed[i][0], fixed[i][1], batch);
    for (int64_t row = 32; row < rows; row += 32) { /* at, before and behind borders of tiles */
        check_range(p, context, weights, tables, row, rows, batch);
        check_range(p, context, weights, tables, row - 1, row, batch);
        check_range(p, context, weights, tables, row - 1, row + 1, batch);
        check_range(p, context, weights, tables, 1, row, batch);
    }
    for (int i = 0; i < 4; i++) {
        const int64_t begin = rng_between(rng, 0, (int)rows);
        check_range(p, context, weights, tables, begin,
                    begin + rng_between(rng, 0, (int)(rows - begin)), batch);
    }
    tmac_tables_free(tables);
    tmac_weights_free(weights);
}

static void check_ranges(const struct problem *p, struct rng *rng)
{
    tmac_context *best = context_new(NULL, TMAC_LAYOUT_DIRECT, 3);
    check_ranges_with(p, p->context, 1, rng);
    check_ranges_with(p, best, 13, rng);
    tmac_context_free(best);
}

static void test_row_ranges(void **state)
{
    (void)state;
    for_each_problem(check_ranges);
}

/* ---- low-level calls ------------------------------------------------------------------------- */

static void check_plain_with(const struct problem *p, const tmac_context *context, int64_t batch,
                             int32_t parts, struct rng *rng)
{
    const int64_t rows = p->matrix.kind.rows, begin = rng_between(rng, 0, (int)rows);
    struct guard guard;
    void *tables = problem_plain_tables(p, context, batch, parts, &guard);
    tmac_weights *weights;
    struct result r;

    CHECK_OK(tmac_weights_attach(context, p->info.packed, p->info.packed_bytes,
                                 TMAC_ATTACH_NO_CHECKSUM, &weights));
    result_new(&r, p, batch, rows + parts);
    CHECK_OK(tmac_multiply_rows(weights, tables, guard.size, batch, 0, rows, r.y, r.stride));
    result_check(&r, p, 0, rows, "plain");
    result_new(&r, p, batch, rows + parts);
    CHECK_OK(tmac_multiply_rows(weights, tables, guard.size, batch, begin, rows, r.y, r.stride));
    result_check(&r, p, begin, rows, "plain, rows");
    tmac_weights_free(weights);
    guard_free(&guard);
}

static void check_plain(const struct problem *p, struct rng *rng)
{
    static const int32_t parts[] = {1, 2, 5};
    tmac_context *best = context_new(NULL, TMAC_LAYOUT_DIRECT, 1);

    for (size_t i = 0; i < COUNT(parts); i++)
        for (size_t n = i; n < COUNT(some_inputs); n += 3)
            check_plain_with(p, n % 2 ? best : p->context, some_inputs[n], parts[i], rng);
    tmac_context_free(best);
}

static void test_plain_calls(void **state)
{
    (void)state;
    for_each_problem(check_plain);
}

/* Activations that lie apart, in one call. */
static void check_matmul(const struct problem *p, struct rng *rng)
{
    const int64_t rows = p->matrix.kind.rows, cols = p->matrix.kind.cols;
    const int64_t batch = some_inputs[rng_between(rng, 0, COUNT(some_inputs) - 1)];
    const int64_t stride = cols + rng_between(rng, 0, 3);
    tmac_activations x = problem_activations(p, batch);
    struct guard guard;
    struct result r;
    float *apart = guard_new(&guard, (size_t)((batch - 1) * stride + cols) * sizeof *apart,
                             sizeof *apart, GUARD_END);

    for (int64_t n = 0; n < batch; n++)
        memcpy(apart + n * stride, p->x + n * cols, (size_t)cols * sizeof *apart);
    guard_seal(&guard);
    x.data = apart;
    x.stride = stride;
    result_new(&r, p, batch, rows + 2);
    CHECK_OK(tmac_matmul(p->context, p->weights, &x, r.y, r.stride));
    result_check(&r, p, 0, rows, "matmul");
    guard_free(&guard);
}

static void test_matmul(void **state)
{
    (void)state;
    for_each_problem(check_matmul);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_instruction_sets),
        cmocka_unit_test(test_row_ranges),
        cmocka_unit_test(test_plain_calls),
        cmocka_unit_test(test_matmul),
    };

    seed = rng_environment_seed();
    isas = isas_available();
    printf("TMAC_TEST_SEED=0x%llx\n", (unsigned long long)seed);
    return cmocka_run_group_tests_name("multiply", tests, NULL, NULL);
}
