/* SPDX-License-Identifier: MIT
 *
 * Tables as objects: shared by weights of the same layout, rebuilt, and refused where they do not
 * fit. */
#include "support/check.h"
#include "support/problem.h"

#include "engine/inputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, COLS = 192, BATCH = 9 };

static bool fixture(struct problem *p, tmac_width width, enum tmac_layout layout, int64_t group)
{
    struct rng rng = rng_stream(1, (uint64_t)width, (uint64_t)layout);
    const bool nested = tmac_layout_is_nested(layout);
    const struct matrix_kind kind = {.rows = ROWS,
                                     .cols = COLS,
                                     .width = width,
                                     .group = nested ? group / 2 : group,
                                     .scale_type = nested ? TMAC_SCALE_F16 : TMAC_SCALE_F32,
                                     .sub = nested ? TMAC_SUB_I8 : TMAC_SUB_NONE,
                                     .super_group = nested ? group : 0};
    return problem_new(p, &kind, layout, BATCH, &rng);
}

/* The results with shared tables, in the context that these are of, are those of every problem. */
static void check_shared(const struct problem *first, const struct problem *p,
                         const tmac_tables *tables)
{
    const tmac_activations x = problem_activations(first, BATCH);
    tmac_weights *weights = weights_in(first->context, p->weights);
    float with_shared[ROWS * BATCH], alone[ROWS * BATCH];

    CHECK(p->info.table_layout == first->info.table_layout, "%s", matrix_name(&p->matrix.kind));
    CHECK_OK(tmac_gemm(first->context, weights, tables, with_shared, ROWS));
    CHECK_OK(tmac_matmul(p->context, p->weights, &x, alone, ROWS));
    CHECK(memcmp(with_shared, alone, sizeof alone) == 0, "%s, %s", p->info.layout,
          matrix_name(&p->matrix.kind));
    tmac_weights_free(weights);
}

/* One set of tables for weights of every width: their results are those with their own tables. */
static void test_shared_tables(void **state)
{
    (void)state;
    for (int layout = 0; layout < LAYOUTS; layout++) {
        struct problem first, p;
        tmac_tables *tables;
        fixture(&first, TMAC_WIDTH_2, (enum tmac_layout)layout, 64);
        tables = problem_tables(&first, first.context, first.weights, BATCH);
        for (int w = 0; w < TEST_WIDTHS; w++) {
            if (!fixture(&p, test_widths[w], (enum tmac_layout)layout, 64))
                continue;
            check_shared(&first, &p, tables);
            problem_free(&p);
        }
        tmac_tables_free(tables);
        problem_free(&first);
    }
}

static void test_mismatched(void **state)
{
    struct problem lookup, direct, other_group;
    tmac_weights *as_direct, *in_32;
    tmac_tables *tables;
    float y[ROWS * BATCH] = {0};

    (void)state;
    fixture(&lookup, TMAC_WIDTH_2, TMAC_LAYOUT_ROWS32, 64);
    fixture(&direct, TMAC_WIDTH_2, TMAC_LAYOUT_DIRECT, 64);
    fixture(&other_group, TMAC_WIDTH_2, TMAC_LAYOUT_ROWS32, 32);
    as_direct = weights_in(lookup.context, direct.weights);
    in_32 = weights_in(lookup.context, other_group.weights);
    tables = problem_tables(&lookup, lookup.context, lookup.weights, BATCH);
    CHECK_STATUS(tmac_gemm(lookup.context, as_direct, tables, y, ROWS), TMAC_ERROR_TABLE_LAYOUT,
                 "lookup tables, direct weights");
    CHECK_STATUS(tmac_gemm(lookup.context, in_32, tables, y, ROWS), TMAC_ERROR_TABLE_LAYOUT,
                 "blocks of 64, groups of 32");
    CHECK_STATUS(tmac_gemm_rows(lookup.context, as_direct, tables, 0, 1, y, ROWS),
                 TMAC_ERROR_TABLE_LAYOUT, "gemm_rows");
    for (size_t i = 0; i < COUNT(y); i++)
        CHECK(y[i] == 0.0f, "wrote y");
    tmac_tables_free(tables);
    tmac_weights_free(as_direct);
    tmac_weights_free(in_32);
    problem_free(&lookup);
    problem_free(&direct);
    problem_free(&other_group);
}

/* Same layout, another number of activations per input. */
static void test_other_cols(void **state)
{
    const struct matrix_kind kind = {.rows = ROWS, .cols = 64, .width = TMAC_WIDTH_2, .group = 64};
    struct rng rng = rng_stream(1, 2, 3);
    struct problem wide, narrow;
    tmac_weights *weights;
    tmac_tables *tables;
    float y[ROWS * BATCH];

    (void)state;
    fixture(&wide, TMAC_WIDTH_2, TMAC_LAYOUT_ROWS32, 64);
    problem_new(&narrow, &kind, TMAC_LAYOUT_ROWS32, 1, &rng);
    weights = weights_in(wide.context, narrow.weights);
    tables = problem_tables(&wide, wide.context, wide.weights, BATCH);
    CHECK_STATUS(tmac_gemm(wide.context, weights, tables, y, ROWS), TMAC_ERROR_TABLE_LAYOUT,
                 "tables of 192 activations, weights of 64");
    tmac_tables_free(tables);
    tmac_weights_free(weights);
    problem_free(&wide);
    problem_free(&narrow);
}

static void test_not_built(void **state)
{
    struct problem p;
    tmac_activations x;
    tmac_tables *tables;
    float y[ROWS * BATCH];

    (void)state;
    fixture(&p, TMAC_WIDTH_3, TMAC_LAYOUT_ROWS32, 32);
    x = problem_activations(&p, BATCH);
    CHECK_OK(tmac_tables_create(p.context, p.weights, BATCH, &tables));
    CHECK_STATUS(tmac_gemm(p.context, p.weights, tables, y, ROWS), TMAC_ERROR_NOT_BUILT, "new");
    CHECK_STATUS(tmac_gemv(p.context, p.weights, tables, y), TMAC_ERROR_NOT_BUILT, "new");
    CHECK_STATUS(tmac_gemm_rows(p.context, p.weights, tables, 0, 1, y, ROWS), TMAC_ERROR_NOT_BUILT,
                 "new");

    /* After an error they hold nothing, whatever the error is. */
    for (int error = 0; error < 4; error++) {
        tmac_activations bad = x;
        bad.cols = error == 0 ? COLS - 1 : COLS;
        bad.batch = error == 1 ? BATCH + 1 : BATCH;
        bad.data = error == 2 ? NULL : x.data;
        CHECK_OK(tmac_tables_build(p.context, tables, &x));
        CHECK_OK(tmac_gemm(p.context, p.weights, tables, y, ROWS));
        CHECK(tmac_tables_build(error == 3 ? NULL : p.context, tables, &bad) != TMAC_OK, "error %d",
              error);
        CHECK_STATUS(tmac_gemm(p.context, p.weights, tables, y, ROWS), TMAC_ERROR_NOT_BUILT,
                     "after error %d", error);
    }
    tmac_tables_free(tables);
    tmac_tables_free(NULL);
    problem_free(&p);
}

static void test_rebuilt(void **state)
{
    static const int64_t order[] = {BATCH, 1, 0, 5, 8, BATCH, 3};
    struct problem p;
    tmac_tables *tables;

    (void)state;
    fixture(&p, TMAC_WIDTH_4, TMAC_LAYOUT_ROWS32, 32);
    CHECK_OK(tmac_tables_create(p.context, p.weights, BATCH, &tables));
    for (size_t i = 0; i < COUNT(order); i++) {
        const int64_t batch = order[i];
        const tmac_activations x = problem_activations(&p, batch);
        struct result r;
        CHECK_OK(tmac_tables_build(p.context, tables, &x));
        result_new(&r, &p, batch, ROWS);
        CHECK_OK(tmac_gemm(p.context, p.weights, tables, batch ? r.y : NULL, ROWS));
        result_check(&r, &p, 0, ROWS, "rebuilt");
        result_new(&r, &p, batch == 1, ROWS);
        CHECK_STATUS(tmac_gemv(p.context, p.weights, tables, r.y),
                     batch == 1 ? TMAC_OK : TMAC_ERROR_BATCH, "gemv of %d inputs", (int)batch);
        result_check(&r, &p, 0, ROWS, "gemv");
    }
    const tmac_activations more = problem_activations(&p, BATCH + 1);
    CHECK_STATUS(tmac_tables_build(p.context, tables, &more), TMAC_ERROR_BATCH, "one too many");
    tmac_tables_free(tables);
    problem_free(&p);
}

/* No inputs are no work, and no error. */
static void test_empty_batch(void **state)
{
    struct problem p;
    tmac_activations none;
    size_t bytes = 1;

    (void)state;
    fixture(&p, TMAC_WIDTH_1, TMAC_LAYOUT_DIRECT, 32);
    none = problem_activations(&p, 0);
    none.data = NULL;
    CHECK_OK(tmac_matmul(p.context, p.weights, &none, NULL, ROWS));
    CHECK_OK(tmac_tables_size(p.info.table_layout, COLS, 0, &bytes));
    CHECK(bytes == 0, "%zu bytes", bytes);
    CHECK_OK(tmac_multiply_rows(p.weights, NULL, 0, 0, 0, ROWS, NULL, ROWS));
    problem_free(&p);
}

/* ---- sums over groups, as arch/contract.h has them -------------------------------------------- */

enum { SUM_COLS = 384, SUM_BATCH = 3, SUM_BLOCK = 128 };

/* What single precision may make of a sum of products: on its way a term meets at most 12 roundings (2 of
 * factors, their product, 7 sums, 2 in S), each of at most 2^-24 of the terms' magnitudes. */
static double float_error(double magnitude)
{
    return 12 * 0x1p-24 * magnitude;
}

/* A rounding of that to a whole number. */
static void check_rounded(int got, double exact, double magnitude, const char *what, int input,
                          int group)
{
    CHECK(fabs(got - exact) <= 0.5 + float_error(magnitude),
          "%s of input %d, group %d: %d, not %.9g", what, input, group, got, exact);
}

static void check_block_sums(const float *x, int group_k, float scale, float sum,
                             const int16_t *pairs, size_t stride, int input)
{
    double of[SUM_BLOCK / 16] = {0}, magnitude[SUM_BLOCK / 16] = {0};
    double most = 0, greatest = 0;

    for (int g = 0; g < SUM_BLOCK / group_k; g++) {
        for (int i = 0; i < group_k; i++) {
            of[g] += (double)x[g * group_k + i];
            magnitude[g] += fabs((double)x[g * group_k + i]);
        }
        most = fmax(most, fabs(of[g]));
        greatest = fmax(greatest, magnitude[g]);
    }
    for (int g = 0; g < SUM_BLOCK / group_k; g++) {
        const int16_t *pair = pairs + (size_t)(g / 2) * stride;
        const bool zero = !(scale > 0);
        const double t = zero ? 0 : 16 / (double)scale, s = most > 0 ? 127 / most : 0;

        if (zero) /* 0 times NaN is no 0 */
            of[g] = magnitude[g] = 0;
        check_rounded(pair[g % 2], t * of[g], t * magnitude[g], "T", input, g);
        check_rounded(pair[2 + g % 2], s * of[g], s * magnitude[g], "S", input, g);
    }
    CHECK(isnan(scale) ? isnan(sum) : fabs((double)sum - most / 127) <= float_error(greatest / 127),
          "input %d: a unit of S is %.9g, not %.9g", input, (double)sum, most / 127);
}

static void check_group_sums(const struct tmac_table_shape *shape, const uint8_t *tables,
                             const float *x)
{
    for (int64_t c = 0; c < SUM_BATCH; c++) {
        struct tmac_panel panel = tmac_table_panel(shape, 0);
        if (c >= panel.batch)
            panel = tmac_table_panel(shape, panel.batch);
        const size_t batch = (size_t)panel.batch, n = (size_t)(c - panel.first);
        const float *scales = (const float *)(const void *)(tables + panel.scales);
        const float *sums = (const float *)(const void *)(tables + panel.sums);
        const int16_t *pairs = (const int16_t *)(const void *)(tables + panel.group_sums);

        for (size_t b = 0; b < SUM_COLS / SUM_BLOCK; b++) {
            const size_t pair = b * SUM_BLOCK / (size_t)shape->group_k / 2;
            check_block_sums(x + (size_t)c * SUM_COLS + b * SUM_BLOCK, shape->group_k,
                             scales[b * batch + n], sums[b * batch + n],
                             pairs + (pair * batch + n) * 4, batch * 4, (int)c);
        }
    }
}

/* Ordinary activations; a block of zeros, one with NaN; constant ones, whose sums are greatest. */
static void test_group_sums(void **state)
{
    static float x[SUM_COLS * SUM_BATCH];
    const tmac_activations activations = {
        .struct_size = sizeof activations, .cols = SUM_COLS, .batch = SUM_BATCH, .data = x};
    struct rng rng = rng_stream(1, 4, 0);
    struct problem p;

    (void)state;
    fixture(&p, TMAC_WIDTH_2, TMAC_LAYOUT_ROWS32, 64);
    for (int i = 0; i < SUM_COLS * SUM_BATCH; i++)
        x[i] = i < 2 * SUM_COLS ? rng_normal(&rng) : 0.3f;
    memset(x + SUM_COLS, 0, SUM_BLOCK * sizeof *x);
    x[SUM_COLS + SUM_BLOCK + 5] = NAN;
    for (int group = 16; group <= 32; group *= 2) {
        const uint32_t layout = tmac_table_layout(TMAC_TABLE_U8, SUM_BLOCK, group);
        struct tmac_table_shape shape;
        size_t bytes;
        uint8_t *tables;

        CHECK_OK(tmac_table_shape_init(&shape, layout, SUM_COLS, SUM_BATCH));
        CHECK_OK(tmac_tables_size(layout, SUM_COLS, SUM_BATCH, &bytes));
        tables = aligned_alloc(64, (bytes + 63) / 64 * 64);
        CHECK_OK(tmac_tables_build_part(p.context, layout, &activations, 0, 1, tables, bytes));
        check_group_sums(&shape, tables, x);
        free(tables);
    }
    problem_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_tables), cmocka_unit_test(test_mismatched),
        cmocka_unit_test(test_other_cols),    cmocka_unit_test(test_not_built),
        cmocka_unit_test(test_rebuilt),       cmocka_unit_test(test_empty_batch),
        cmocka_unit_test(test_group_sums),
    };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
