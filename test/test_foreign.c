/* SPDX-License-Identifier: MIT
 *
 * Weights and tables belong to their context: in every call that takes two of them, another one's are
 * TMAC_ERROR_CONTEXT, however alike they are. */
#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"

#include <string.h>

enum { ROWS = 40, COLS = 64, SIDES = 2 };

/* Two of everything, made alike. */
static struct side {
    tmac_context *context;
    tmac_weights *weights;
    tmac_tables *tables; /* built */
} sides[SIDES];
static struct matrix matrix;
static float x[COLS], y[ROWS];
static const tmac_activations activations = {
    .struct_size = sizeof activations, .cols = COLS, .batch = 1, .data = x};

static void sides_new(void)
{
    const struct matrix_kind kind = {
        .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_2, .group = 32};
    struct rng rng = rng_stream(1, 2, 3);

    matrix_new(&matrix, &kind, &rng);
    for (int s = 0; s < SIDES; s++) {
        sides[s].context = context_new(NULL, TMAC_LAYOUT_DIRECT, 1);
        CHECK_OK(tmac_weights_pack(sides[s].context, &matrix.desc, &sides[s].weights));
        CHECK_OK(tmac_tables_create(sides[s].context, sides[s].weights, 1, &sides[s].tables));
        CHECK_OK(tmac_tables_build(sides[s].context, sides[s].tables, &activations));
    }
}

static void sides_free(void)
{
    for (int s = 0; s < SIDES; s++) {
        tmac_tables_free(sides[s].tables);
        tmac_weights_free(sides[s].weights);
        tmac_context_free(sides[s].context);
    }
    matrix_free(&matrix);
}

/* y is written where all is well, and else not. */
static void check(tmac_status got, bool one_side, const char *what, int c, int w, int t)
{
    bool written = false;

    CHECK_STATUS(got, one_side ? TMAC_OK : TMAC_ERROR_CONTEXT,
                 "%s: context %d, weights %d, tables %d", what, c, w, t);
    for (int m = 0; m < ROWS; m++) {
        written = written || y[m] != 77.0f;
        y[m] = 77.0f;
    }
    CHECK(written == one_side, "%s", what);
}

static void test_weights(void **state)
{
    size_t bytes;

    (void)state;
    for (int c = 0; c < SIDES; c++)
        for (int w = 0; w < SIDES; w++) {
            const tmac_context *context = sides[c].context;
            const tmac_weights *weights = sides[w].weights;
            const tmac_multiply_args args = {.struct_size = sizeof args,
                                             .weights = weights,
                                             .activations = &activations,
                                             .y = y,
                                             .stride = ROWS};
            const tmac_status want = c == w ? TMAC_OK : TMAC_ERROR_CONTEXT;
            tmac_tables *tables = NULL;

            CHECK_STATUS(tmac_tables_create(context, weights, 1, &tables), want, "%d %d", c, w);
            CHECK((tables != NULL) == (c == w), "output");
            tmac_tables_free(tables);
            check(tmac_matmul(context, weights, &activations, y, ROWS), c == w, "matmul", c, w, c);
            check(tmac_multiply(context, &args), c == w, "multiply", c, w, c);
            CHECK_STATUS(tmac_multiply_workspace(context, &args, &bytes), want, "%d %d", c, w);
        }
}

static void test_weights_and_tables(void **state)
{
    (void)state;
    for (int i = 0; i < SIDES * SIDES * SIDES; i++) {
        const int c = i & 1, w = i >> 1 & 1, t = i >> 2;
        const bool one = c == w && w == t;
        const tmac_context *context = sides[c].context;
        const tmac_weights *weights = sides[w].weights;
        const tmac_tables *tables = sides[t].tables;
        const tmac_multiply_args args = {.struct_size = sizeof args,
                                         .weights = weights,
                                         .tables = tables,
                                         .y = y,
                                         .stride = ROWS};
        size_t bytes;

        check(tmac_gemv(context, weights, tables, y), one, "gemv", c, w, t);
        check(tmac_gemm(context, weights, tables, y, ROWS), one, "gemm", c, w, t);
        check(tmac_gemm_rows(context, weights, tables, 0, ROWS, y, ROWS), one, "gemm_rows", c, w,
              t);
        check(tmac_multiply(context, &args), one, "multiply", c, w, t);
        CHECK_STATUS(tmac_multiply_workspace(context, &args, &bytes),
                     one ? TMAC_OK : TMAC_ERROR_CONTEXT, "%d %d %d", c, w, t);
    }
}

/* Tables that were built hold nothing after an error, and are as good as new. */
static void test_building(void **state)
{
    struct side *own = &sides[0];

    (void)state;
    CHECK_STATUS(tmac_tables_build(sides[1].context, own->tables, &activations), TMAC_ERROR_CONTEXT,
                 "build");
    CHECK_STATUS(tmac_gemv(own->context, own->weights, own->tables, y), TMAC_ERROR_NOT_BUILT,
                 "after an error");
    CHECK_OK(tmac_tables_build(own->context, own->tables, &activations));
    CHECK_OK(tmac_gemv(own->context, own->weights, own->tables, y));
}

/* Experts as handles, one of them foreign, wherever it stands. */
static void test_experts(void **state)
{
    const int32_t ids[] = {0, 1};
    float both[2 * ROWS];

    (void)state;
    for (int i = 0; i < 4; i++) {
        const tmac_weights *const experts[] = {sides[i & 1].weights, sides[i >> 1].weights};
        const tmac_multiply_args args = {.struct_size = sizeof args,
                                         .activations = &activations,
                                         .y = both,
                                         .stride = ROWS,
                                         .experts = experts,
                                         .expert_count = 2,
                                         .ids = ids,
                                         .uses = 2};
        size_t bytes;
        CHECK_STATUS(tmac_multiply(sides[0].context, &args), i ? TMAC_ERROR_CONTEXT : TMAC_OK,
                     "experts %d", i);
        CHECK_STATUS(tmac_multiply_workspace(sides[0].context, &args, &bytes),
                     i ? TMAC_ERROR_CONTEXT : TMAC_OK, "experts %d", i);
    }
}

/* The way to use packed weights in another context. */
static void test_attached(void **state)
{
    tmac_weights *weights;
    float want[ROWS];

    (void)state;
    CHECK_OK(tmac_matmul(sides[0].context, sides[0].weights, &activations, want, ROWS));
    weights = weights_in(sides[1].context, sides[0].weights);
    CHECK_OK(tmac_matmul(sides[1].context, weights, &activations, y, ROWS));
    CHECK(memcmp(y, want, sizeof y) == 0, "other numbers");
    tmac_weights_free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),  cmocka_unit_test(test_weights_and_tables),
        cmocka_unit_test(test_building), cmocka_unit_test(test_experts),
        cmocka_unit_test(test_attached),
    };
    int failures;

    for (int k = 0; k < COLS; k++)
        x[k] = (float)(k % 7) - 3.25f;
    for (int m = 0; m < ROWS; m++)
        y[m] = 77.0f;
    sides_new();
    failures = cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
    sides_free();
    return failures;
}
