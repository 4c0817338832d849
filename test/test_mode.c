/* SPDX-License-Identifier: MIT
 *
 * TMAC_MODE_EXACT: the integers are those of a plain int8 dot product, on every instruction set and
 * at every width; what the mode refuses. TMAC_MODE_FAST: its error. */
#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"
#include "support/problem.h"
#include "support/widths.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 70, COLS = 544, BATCH = 11 };

static uint64_t seed;

static tmac_context *exact_context(const char *isa, int threads)
{
    const tmac_context_options options = {
        .struct_size = sizeof options, .isa = isa, .threads = threads, .mode = TMAC_MODE_EXACT};
    tmac_context *context;

    CHECK_OK(tmac_context_create(&options, &context));
    return context;
}

/* Whole numbers -most..most, and one at an end of -127..127, so that an input's scale is 1. */
static void whole_activations(int most, float *x, struct rng *rng)
{
    for (int n = 0; n < BATCH; n++) {
        for (int k = 0; k < COLS; k++)
            x[n * COLS + k] = (float)rng_between(rng, -most, most);
        x[n * COLS + rng_between(rng, 0, COLS - 1)] = n % 2 ? 127.0f : -127.0f;
    }
}

/* Scales, minimums and zeros with few bits: every float operation of a correct kernel is exact. */
static void simple_numbers(struct matrix *matrix, struct rng *rng)
{
    static uint8_t scales[ROWS * COLS / 16 * sizeof(float)], minimums[sizeof scales];
    const struct matrix_kind *kind = &matrix->kind;
    const size_t count = (size_t)(kind->rows * matrix_super_groups(kind));

    for (size_t i = 0; i < count; i++) {
        matrix_put_scale(kind->scale_type, scales, i, rng_between(rng, 0, 1) ? 0.5f : -1.0f);
        matrix_put_scale(kind->scale_type, minimums, i, (float)rng_between(rng, -4, 4) * 0.5f);
    }
    matrix->desc.scales = scales;
    if (kind->zero == TMAC_ZERO_MINIMUM)
        matrix->desc.minimums = minimums;
    if (kind->zero == TMAC_ZERO_CONSTANT)
        matrix->desc.zero = (float)rng_between(rng, 0, 3);
}

static double dot(const struct matrix *matrix, int64_t row, const float *x)
{
    double sum = 0;

    for (int64_t k = 0; k < matrix->kind.cols; k++)
        sum += (double)matrix_weight(matrix, row, k) * (double)x[k];
    return sum;
}

static void check_exact(const struct matrix *matrix, const tmac_context *context, const float *x)
{
    const tmac_activations activations = {
        .struct_size = sizeof activations, .cols = COLS, .batch = BATCH, .data = x};
    float *y = malloc(sizeof *y * BATCH * ROWS);
    tmac_weights *weights;

    CHECK_OK(tmac_weights_pack(context, &matrix->desc, &weights));
    CHECK_OK(tmac_matmul(context, weights, &activations, y, ROWS));
    for (int n = 0; n < BATCH; n++)
        for (int m = 0; m < ROWS; m++) {
            const double want = dot(matrix, m, x + n * COLS);
            CHECK((double)y[n * ROWS + m] == want, "%s, %s: [%d][%d] is %.9g, not %.9g",
                  tmac_context_isa(context), matrix_name(&matrix->kind), n, m,
                  (double)y[n * ROWS + m], want);
        }
    tmac_weights_free(weights);
    free(y);
}

static void check_width(tmac_width width, int64_t group, bool two_levels, int index)
{
    const struct isas isas = isas_available();
    struct rng rng = rng_stream(seed, 1, (uint64_t)index);
    const struct matrix_kind kind = {
        .rows = ROWS,
        .cols = COLS,
        .width = width,
        .group = two_levels ? 16 : group,
        .scale_type = two_levels ? TMAC_SCALE_F16 : (tmac_scale_type)(index % 3),
        .zero =
            two_levels && index % 4 == TMAC_ZERO_POINT ? TMAC_ZERO_MINIMUM : (tmac_zero)(index % 4),
        .sub = !two_levels             ? TMAC_SUB_NONE
               : width == TMAC_WIDTH_8 ? TMAC_SUB_U4
                                       : (tmac_sub_format)(1 + index % 2),
        .super_group = two_levels ? 32 : 0,
    };
    static float x[BATCH * COLS];
    struct matrix matrix;

    matrix_new(&matrix, &kind, &rng);
    simple_numbers(&matrix, &rng);
    whole_activations(width == TMAC_WIDTH_8 ? 8 : 126, x, &rng); /* sums stay far below 2^24 */
    for (int i = 0; i < isas.count; i++) {
        tmac_context *context = exact_context(isas.name[i], 1 + index % 3);
        check_exact(&matrix, context, x);
        tmac_context_free(context);
    }
    matrix_free(&matrix);
}

static void test_plain_dot_product(void **state)
{
    static const int64_t groups[] = {16, 32, TMAC_GROUP_ROW, TMAC_GROUP_TENSOR};
    int index = 0;

    (void)state;
    for (int w = 0; w < TEST_WIDTHS; w++)
        for (size_t g = 0; g < COUNT(groups); g++, index++) {
            check_width(test_widths[w], groups[g], false, 5 * index);
            check_width(test_widths[w], groups[g], true, 3 * index);
        }
}

/* ---- scales per input ----------------------------------------------------------------------- */

static void problem_of(struct problem *p, int64_t group)
{
    const struct matrix_kind kind = {
        .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_2, .group = group};
    struct rng rng = rng_stream(seed, 2, (uint64_t)group);

    problem_new(p, &kind, TMAC_LAYOUT_DIRECT, BATCH, &rng);
}

/* Floats give what int8 does that was rounded by the documented formula, in one scale per input. */
static void test_one_scale_per_input(void **state)
{
    tmac_context *context = exact_context(NULL, 2);
    static int8_t narrow[BATCH * COLS];
    float scales[BATCH], y[2][BATCH * ROWS];
    struct problem p;

    (void)state;
    problem_of(&p, 16);
    for (int n = 0; n < BATCH; n++) {
        float most = 0;
        for (int k = 0; k < COLS; k++)
            most = fmaxf(most, fabsf(p.x[n * COLS + k]));
        scales[n] = most / 127.0f;
        for (int k = 0; k < COLS; k++)
            narrow[n * COLS + k] = (int8_t)rintf(p.x[n * COLS + k] * (1.0f / scales[n]));
    }
    const tmac_activations wide = problem_activations(&p, BATCH);
    const tmac_activations int8 = {.struct_size = sizeof int8,
                                   .type = TMAC_ACTIVATION_I8,
                                   .cols = COLS,
                                   .batch = BATCH,
                                   .data = narrow,
                                   .scales = scales};
    tmac_weights *weights = weights_in(context, p.weights);
    CHECK_OK(tmac_matmul(context, weights, &wide, y[0], ROWS));
    CHECK_OK(tmac_matmul(context, weights, &int8, y[1], ROWS));
    tmac_weights_free(weights);
    CHECK(check_floats(y[0], y[1], BATCH * ROWS) == BATCH * ROWS, "floats and int8 differ");
    problem_free(&p);
    tmac_context_free(context);
}

/* A number in one block spoils its whole input and no other; an input of zeros gives zeros. */
static void test_special_inputs(void **state)
{
    static const float special[] = {NAN, INFINITY, -INFINITY};
    tmac_context *context = exact_context(NULL, 2);
    static float x[BATCH * COLS], y[BATCH * ROWS];
    struct problem p;

    (void)state;
    problem_of(&p, 32);
    memcpy(x, p.x, sizeof x);
    for (size_t i = 0; i < COUNT(special); i++)
        x[i * COLS + 97 * (i + 1)] = special[i];
    memset(x + 4 * COLS, 0, COLS * sizeof *x);
    const tmac_activations activations = {
        .struct_size = sizeof activations, .cols = COLS, .batch = BATCH, .data = x};
    tmac_weights *weights = weights_in(context, p.weights);
    CHECK_OK(tmac_matmul(context, weights, &activations, y, ROWS));
    tmac_weights_free(weights);
    for (int n = 0; n < BATCH; n++)
        for (int m = 0; m < ROWS; m++) {
            const float result = y[n * ROWS + m];
            CHECK(n < 3    ? isnan(result)
                  : n == 4 ? result == 0
                           : isfinite(result),
                  "[%d][%d] is %g", n, m, (double)result);
        }
    problem_free(&p);
    tmac_context_free(context);
}

/* However the tables are built, they are the same. */
static void test_parts(void **state)
{
    tmac_context *context = exact_context(NULL, 1);
    struct problem p;
    struct guard whole, cut;
    size_t bytes;

    (void)state;
    problem_of(&p, 32);
    CHECK_OK(tmac_tables_size(p.info.table_layout, COLS, BATCH, &bytes));
    void *const at = problem_plain_tables(&p, context, BATCH, 1, &whole);
    for (int32_t parts = 2; parts < 9; parts++) {
        CHECK(memcmp(problem_plain_tables(&p, context, BATCH, parts, &cut), at, bytes) == 0,
              "%d parts", (int)parts);
        guard_free(&cut);
    }
    guard_free(&whole);
    problem_free(&p);
    tmac_context_free(context);
}

/* ---- fast --------------------------------------------------------------------------------------- */

struct fast_error {
    double fast, plain; /* squared, relative to the results' */
};

static void add_errors(const struct matrix *matrix, const float *x, const float *fast,
                       const float *plain, struct fast_error *error)
{
    double fast_sum = 0, plain_sum = 0, all = 0;

    for (int n = 0; n < BATCH; n++)
        for (int m = 0; m < ROWS; m++) {
            const double want = dot(matrix, m, x + n * COLS);
            fast_sum += ((double)fast[n * ROWS + m] - want) * ((double)fast[n * ROWS + m] - want);
            plain_sum +=
                ((double)plain[n * ROWS + m] - want) * ((double)plain[n * ROWS + m] - want);
            all += want * want;
        }
    error->fast += fast_sum / all;
    error->plain += plain_sum / all;
}

/* Multiplies in both modes; says whether the fast one has a kernel of its own. */
static bool compare_modes(const struct matrix *matrix, const char *isa, const float *x,
                          struct fast_error *error)
{
    const tmac_activations activations = {
        .struct_size = sizeof activations, .cols = COLS, .batch = BATCH, .data = x};
    static float y[2][BATCH * ROWS];
    bool own = false;

    for (int fast = 0; fast < 2; fast++) {
        const tmac_context_options options = {.struct_size = sizeof options,
                                              .isa = isa,
                                              .family = TMAC_FAMILY_LOOKUP,
                                              .mode = fast ? TMAC_MODE_FAST : TMAC_MODE_DEFAULT};
        tmac_weights_info info = {.struct_size = sizeof info};
        tmac_context *context;
        tmac_weights *weights;

        CHECK_OK(tmac_context_create(&options, &context));
        CHECK_OK(tmac_weights_pack(context, &matrix->desc, &weights));
        CHECK_OK(tmac_weights_query(weights, &info));
        CHECK_OK(tmac_matmul(context, weights, &activations, y[fast], ROWS));
        own = strstr(info.kernel, "fast") != NULL;
        tmac_weights_free(weights);
        tmac_context_free(context);
    }
    if (own)
        add_errors(matrix, x, y[1], y[0], error);
    else
        CHECK(check_floats(y[0], y[1], BATCH * ROWS) == BATCH * ROWS, "%s", isa);
    return own;
}

/* tmac.h speaks of 5.5 times the squared error of lookup: docs/numerics.md has where that comes from. Two
 * sums of squares are compared, over 11 inputs times 700 rows with random codes. Rows share an input's
 * tables, of 1088 entries: sums of so many squares vary by sqrt(2 / 11 (1 / 700 + 1 / 1088)), that is
 * 2 %, somewhat more with scales of different size, and their ratio by 4 %. The limits are a quarter away. */
static void test_fast(void **state)
{
    const struct isas isas = isas_available();
    struct rng rng = rng_stream(seed, 4, 0);
    struct fast_error error = {0, 0};
    static float x[BATCH * COLS];
    int own = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = rng_normal(&rng);
    for (int w = 0; w < TEST_WIDTHS; w++)
        for (int64_t group = 16; group <= 32; group += 16) {
            const struct matrix_kind kind = {
                .rows = ROWS, .cols = COLS, .width = test_widths[w], .group = group};
            struct matrix matrix;

            if (test_widths[w] == TMAC_WIDTH_8) /* which lookup does not multiply */
                continue;
            matrix_new(&matrix, &kind, &rng);
            for (int i = 0; i < isas.count; i++)
                own += compare_modes(&matrix, isas.name[i], x, &error);
            matrix_free(&matrix);
        }
    printf("    squared error of fast lookup: %.2f times that of lookup, %d kernels\n",
           error.fast / error.plain, own);
    CHECK(own > 0 && error.fast > 4.4 * error.plain && error.fast < 6.9 * error.plain, "%.3g, %.3g",
          error.fast, error.plain);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void test_lookup_is_refused(void **state)
{
    const tmac_context_options options = {
        .struct_size = sizeof options, .family = TMAC_FAMILY_LOOKUP, .mode = TMAC_MODE_EXACT};
    tmac_context *context = NULL, *exact = exact_context(NULL, 1);
    tmac_weights *weights;
    struct problem p;
    struct rng rng = rng_stream(seed, 3, 0);
    size_t bytes;
    const struct matrix_kind kind = {
        .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_2, .group = 32};

    (void)state;
    CHECK_STATUS(tmac_context_create(&options, &context), TMAC_ERROR_FAMILY, "context");
    problem_new(&p, &kind, TMAC_LAYOUT_ROWS32, 1, &rng);
    const tmac_activations activations = problem_activations(&p, 1);
    CHECK_STATUS(tmac_weights_attach(exact, p.info.packed, p.info.packed_bytes, 0, &weights),
                 TMAC_ERROR_FAMILY, "attach");
    CHECK_OK(tmac_tables_size(p.info.table_layout, COLS, 1, &bytes));
    void *tables = aligned_alloc(TMAC_TABLES_ALIGNMENT, (bytes + 63) / 64 * 64);
    CHECK_STATUS(
        tmac_tables_build_part(exact, p.info.table_layout, &activations, 0, 1, tables, bytes),
        TMAC_ERROR_FAMILY, "build");
    free(tables);
    problem_free(&p);
    tmac_context_free(exact);
}

/* Scales of int8 activations that change within a block would need rounding again. */
static void test_short_scale_groups_are_refused(void **state)
{
    tmac_context *exact = exact_context(NULL, 1);
    static int8_t data[COLS];
    static float scales[COLS / 16], y[ROWS];
    struct problem p;

    (void)state;
    problem_of(&p, 32);
    tmac_activations activations = {.struct_size = sizeof activations,
                                    .type = TMAC_ACTIVATION_I8,
                                    .cols = COLS,
                                    .batch = 1,
                                    .data = data,
                                    .scales = scales,
                                    .scale_group = 64};
    tmac_weights *weights = weights_in(exact, p.weights);
    CHECK_STATUS(tmac_matmul(exact, weights, &activations, y, ROWS), TMAC_ERROR_GROUP, "64");
    activations.scale_group = 128;
    CHECK_OK(tmac_matmul(exact, weights, &activations, y, ROWS));
    tmac_weights_free(weights);
    problem_free(&p);
    tmac_context_free(exact);
}

static void test_unknown_mode(void **state)
{
    const tmac_context_options options = {.struct_size = sizeof options, .mode = (tmac_mode)3};
    tmac_context *context;

    (void)state;
    CHECK_STATUS(tmac_context_create(&options, &context), TMAC_ERROR_ENUM, "mode 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_dot_product),
        cmocka_unit_test(test_one_scale_per_input),
        cmocka_unit_test(test_special_inputs),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_fast),
        cmocka_unit_test(test_lookup_is_refused),
        cmocka_unit_test(test_short_scale_groups_are_refused),
        cmocka_unit_test(test_unknown_mode),
    };

    seed = rng_environment_seed();
    return cmocka_run_group_tests_name("mode", tests, NULL, NULL);
}
