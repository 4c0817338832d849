/* SPDX-License-Identifier: MIT
 *
 * How far results may be from the exact product of the unpacked weights and the activations: every one of
 * them, and many on average (support/rounding.h). */
#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"
#include "support/rounding.h"
#include "support/widths.h"

#include "layouts/shape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct contexts contexts;
static uint64_t seed;

/* ---- activations ----------------------------------------------------------------------------- */

enum data { NORMAL, HEAVY, OUTLIER, ALTERNATING, TIES, CONSTANT, TINY, SPARSE, DATA_COUNT };
static const char *const data_names[DATA_COUNT] = {
    "normal", "heavy-tailed", "one outlier", "alternating", "ties", "constant", "tiny", "sparse"};

static float draw(enum data data, int64_t k, struct rng *rng)
{
    const float normal = rng_normal(rng);

    switch (data) {
    case HEAVY:
        return normal * normal * normal;
    case OUTLIER:
        return k == 7 ? 1000.0f : 0.1f * normal;
    case ALTERNATING:
        return k % 2 ? -1.0f : 1.0f;
    case TIES: /* halves of a step everywhere, under a maximum of 127 steps */
        return k % 16 == 0 ? 127.0f : (float)rng_between(rng, -8, 7) + 0.5f;
    case CONSTANT:
        return 0.3f;
    case TINY:
        return 1e-24f * normal;
    case SPARSE:
        return rng_between(rng, 0, 31) ? 0.0f : normal;
    default:
        return normal;
    }
}

/* ---- one case -------------------------------------------------------------------------------- */

static double exact(const float *weights, const float *x, int64_t cols)
{
    double sum = 0;
    for (int64_t k = 0; k < cols; k++)
        sum += (double)weights[k] * (double)x[k];
    return sum;
}

struct errors {
    struct tally tally;
    double worst; /* greatest part of its bound */
};

/* The exact result of a row, and what rounding may do to it. */
static double right_of(const struct matrix *m, const tmac_weights_info *info, int64_t row,
                       const float *x, struct rounding *rounding)
{
    const size_t cols = (size_t)m->kind.cols;
    float *weights = malloc(cols * sizeof *weights);
    struct matrix_numbers *numbers = malloc(cols * sizeof *numbers);
    const struct product product = {
        .cols = m->kind.cols,
        .width = m->kind.width,
        .sub = m->kind.sub,
        .family = info->family,
        .table_layout = info->table_layout,
        .codes = m->plain + (size_t)row * cols,
        .numbers = numbers,
        .x = x,
    };
    double right;

    for (size_t k = 0; k < cols; k++) {
        weights[k] = matrix_weight(m, row, (int64_t)k);
        numbers[k] = matrix_at(m, row, (int64_t)k);
    }
    right = exact(weights, x, m->kind.cols);
    *rounding = rounding_of(&product);
    free(weights);
    free(numbers);
    return right;
}

/* All rows of one input. */
static void check_input(const struct matrix *m, const tmac_weights_info *info, const float *x,
                        const float *y, struct errors *errors, const char *what)
{
    double got = 0, expected = 0;

    for (int64_t row = 0; row < m->kind.rows; row++) {
        struct rounding rounding;
        const double right = right_of(m, info, row, x, &rounding);
        const double error = fabs((double)y[row] - right);
        if (rounding.most > 0)
            errors->worst = fmax(errors->worst, error / rounding.most);
        CHECK(error <= rounding.most, "%s, %s, %s: row %lld: %.9g, expected %.9g +- %.3g",
              matrix_name(&m->kind), info->layout, what, (long long)row, (double)y[row], right,
              rounding.most);
        got += error * error;
        expected += rounding.square;
    }
    tally_add(&errors->tally, got, expected);
}

/* false where the context's layout cannot hold such weights. */
static bool measure(const struct matrix_kind *kind, tmac_context *context, enum data data,
                    size_t batch, uint64_t index, struct errors *errors)
{
    struct rng rng = rng_stream(seed, 1, index);
    const size_t cols = (size_t)kind->cols, rows = (size_t)kind->rows;
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_activations activations = {
        .struct_size = sizeof activations, .cols = kind->cols, .batch = (int64_t)batch};
    struct matrix m;
    tmac_weights *weights;
    float *x, *y;

    matrix_new(&m, kind, &rng);
    if (!context_holds(context, &m.desc)) {
        matrix_free(&m);
        return false;
    }
    x = malloc(cols * batch * sizeof *x);
    y = malloc(rows * batch * sizeof *y);
    activations.data = x;
    for (size_t i = 0; i < cols * batch; i++)
        x[i] = draw(data, (int64_t)(i % cols), &rng);
    CHECK_OK(tmac_weights_pack(context, &m.desc, &weights));
    CHECK_OK(tmac_weights_query(weights, &info));
    check_spoil_stack();
    CHECK_OK(tmac_matmul(context, weights, &activations, y, kind->rows));
    for (size_t n = 0; n < batch; n++)
        check_input(&m, &info, x + n * cols, y + n * rows, errors, data_names[data]);
    tmac_weights_free(weights);
    matrix_free(&m);
    free(x);
    free(y);
    return true;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static double check_tally(const struct tally *tally, int layout, tmac_width width, enum data data)
{
    CHECK(tally->got <= tally_limit(tally), "%s, width %s, %s: squared error %.3g, expected %.3g",
          tmac_layout_name((enum tmac_layout)layout), test_width_name(width), data_names[data],
          tally->got, tally->expected);
    return tally->expected > 0 ? tally->got / tally->expected : 0;
}

/* Activations of these kinds lie spread over many steps, as the expectation takes them to. */
static void check_average(enum data data)
{
    const int share = check_share(1);
    double worst[2] = {0, 0};
    uint64_t index = 0;

    for (int l = 0; l < LAYOUTS; l++)
        for (int w = 0; w < TEST_WIDTHS; w++) {
            const int direct = tmac_layout_is_direct((enum tmac_layout)l);
            struct errors e = {.worst = 0};
            for (int64_t group = 16; group <= 256; group *= 2) {
                if (index++ % (uint64_t)share)
                    continue;
                const struct matrix_kind kind = {.rows = 32,
                                                 .cols = 2048,
                                                 .width = test_widths[w],
                                                 .group = group,
                                                 .zero = (tmac_zero)(index % 4)};
                measure(&kind, contexts.best[l], data, 16, index, &e);
            }
            worst[direct] = fmax(worst[direct], check_tally(&e.tally, l, test_widths[w], data));
        }
    printf("    squared error, %s: lookup up to %.2f, direct up to %.2f of what is expected\n",
           data_names[data], worst[0], worst[1]);
}

/* Two levels of scales, as in Q4_K, Q3_K and Q2_K, whose blocks are longer than their groups. */
enum { TWO_LEVEL_KINDS = 6 };

static struct matrix_kind two_level_kind(size_t i)
{
    static const struct matrix_kind kinds[TWO_LEVEL_KINDS] = {
        {.width = TMAC_WIDTH_4, .group = 32, .zero = TMAC_ZERO_MINIMUM, .sub = TMAC_SUB_I8},
        {.width = TMAC_WIDTH_3, .group = 16, .zero = TMAC_ZERO_SYMMETRIC, .sub = TMAC_SUB_I8},
        {.width = TMAC_WIDTH_2, .group = 16, .zero = TMAC_ZERO_MINIMUM, .sub = TMAC_SUB_U4},
        {.width = TMAC_WIDTH_TERNARY, .group = 32, .zero = TMAC_ZERO_SYMMETRIC, .sub = TMAC_SUB_U4},
        {.width = TMAC_WIDTH_4, .group = 16, .zero = TMAC_ZERO_SYMMETRIC, .sub = TMAC_SUB_U4},
        {.width = TMAC_WIDTH_3, .group = 32, .zero = TMAC_ZERO_MINIMUM, .sub = TMAC_SUB_I8},
    };
    struct matrix_kind kind = kinds[i];

    kind.rows = 32;
    kind.cols = 2048;
    kind.super_group = 256;
    kind.scale_type = TMAC_SCALE_F16;
    return kind;
}

/* These are few: of them an emulator does one in 7, too. */
static int two_level_share(void)
{
    const int share = check_share(1);

    return share < 7 ? share : 7;
}

static void check_two_levels(enum data data)
{
    int index = 0;

    for (size_t i = 0; i < TWO_LEVEL_KINDS; i++)
        for (int l = 0; l < LAYOUTS; l++) {
            if (index++ % two_level_share())
                continue;
            const struct matrix_kind kind = two_level_kind(i);
            struct errors e = {.worst = 0};
            measure(&kind, contexts.best[l], data, 16, i, &e);
            check_tally(&e.tally, l, kind.width, data);
        }
}

static void test_average_error(void **state)
{
    (void)state;
    check_average(NORMAL);
    check_average(HEAVY);
    check_two_levels(NORMAL);
    check_two_levels(HEAVY);
}

/* Their bounds, for every kind of activations. */
static void test_error_bound_two_levels(void **state)
{
    double worst = 0;
    int index = 0;

    (void)state;
    for (int variant = 0; variant < DATA_COUNT * TWO_LEVEL_KINDS; variant++)
        for (int l = 0; l < LAYOUTS; l++) {
            if (index++ % two_level_share())
                continue;
            const struct matrix_kind kind = two_level_kind((size_t)variant % TWO_LEVEL_KINDS);
            struct errors e = {.worst = 0};
            measure(&kind, (variant % 2 ? contexts.best : contexts.scalar)[l],
                    (enum data)(variant / TWO_LEVEL_KINDS), 2, (uint64_t)variant, &e);
            if (l == TMAC_LAYOUT_NESTED_ROWS32)
                worst = fmax(worst, e.worst);
        }
    printf("    of the bound is used by nested lookup: up to %.0f %%\n", 100 * worst);
}

static void test_error_bound(void **state)
{
    static const int64_t shapes[][3] = {/* rows, cols, group */
                                        {33, 48, 16},
                                        {65, 1056, 32},
                                        {31, 192, 64},
                                        {100, 384, 128},
                                        {1, 768, 256},
                                        {33, 1, TMAC_GROUP_ROW},
                                        {33, 20, TMAC_GROUP_ROW},
                                        {65, 100, TMAC_GROUP_TENSOR}};
    const int share = check_share(3);
    double worst[2] = {0, 0};
    uint64_t index = 0;

    (void)state;
    for (int variant = 0; variant < LAYOUTS * TEST_WIDTHS * 4 * DATA_COUNT; variant++)
        for (size_t s = 0; s < COUNT(shapes); s++) {
            const int layout = variant % LAYOUTS;
            const struct matrix_kind kind = {
                .rows = shapes[s][0],
                .cols = shapes[s][1],
                .width = test_widths[variant / LAYOUTS % TEST_WIDTHS],
                .group = shapes[s][2],
                .scale_type = (tmac_scale_type)(index % 3),
                .zero = (tmac_zero)(variant / (TEST_WIDTHS * LAYOUTS) % 4)};
            struct errors e = {.worst = 0};
            int direct;
            if (index++ % (uint64_t)share)
                continue;
            measure(&kind, (index % 2 ? contexts.best : contexts.scalar)[layout],
                    (enum data)(variant / (4 * TEST_WIDTHS * LAYOUTS)), 3, index, &e);
            direct = tmac_layout_is_direct((enum tmac_layout)layout);
            worst[direct] = fmax(worst[direct], e.worst);
        }
    printf("    of the bound is used: lookup up to %.0f %%, direct up to %.0f %%\n", 100 * worst[0],
           100 * worst[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_average_error),
        cmocka_unit_test(test_error_bound_two_levels),
        cmocka_unit_test(test_error_bound),
    };
    int failures;

    seed = rng_environment_seed();
    printf("TMAC_TEST_SEED=0x%llx\n", (unsigned long long)seed);
    contexts_new(&contexts, 1);
    failures = cmocka_run_group_tests_name("accuracy", tests, NULL, NULL);
    contexts_free(&contexts);
    return failures;
}
