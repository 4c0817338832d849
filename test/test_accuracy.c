/* SPDX-License-Identifier: MIT
 *
 * How far results may be from the exact product of the unpacked weights and the activations. The
 * error bound, from arch/kernels.h (u = 2^-24; sums over the blocks of activations that share one
 * table scale):
 *
 * Lookup. A weight is s (c + sum over planes p of 2^(p-1) c_p - z) with c_p = +-1, c the middle code
 * (ternary: two planes of weight 1/2, middle 1). Only the sums of 4 signed activations are
 * quantized, in steps of lambda = max / 127, max the block's greatest sum of 4 magnitudes: each
 * lookup is off by at most lambda / 2. The sum of x that meets c - z is not quantized. So a block
 * of n tables adds at most
 *     |s| * n * lambda / 2 * P / 2,      P = sum of 2^p = 2^bits - 1, ternary 2.
 *
 * Nested lookup (NESTED_ROWS32). A block has several groups, each with its own s, and its sum of x is
 * quantized. With I8 sub-scales to 1/16 of lambda / 2, and what the middle code c makes of it to whole
 * ones, so a group adds at most
 *     (|s| (1/2 + |c - z| / 32) + |min| / 32) * lambda / 2.
 * With U4 to steps of mu = most / 127, most the block's greatest |sum of x|:
 *     |s (c - z) + min| * mu / 2.
 *
 * Direct. Activations are off by at most half a step, max / 127 / 2, max the block's greatest
 * magnitude, and the sum that meets the zero is the sum of what they became. A minimum meets the
 * same sum. So a block adds at most
 *     sum |w| * max / 254.
 *
 * Rounding. The product x * (127 / max) is off by 4 roundings of a number up to 127: 2^-15 of a
 * step. The float stage rounds a few times per block, each time by at most u of the magnitudes that
 * meet there: (2 blocks + 40) u * sum over k of (|s| (top code + |z|) + |min|) |x|.
 *
 * A block whose max is below 1e-25 counts as zero: at most 1e-25 * sum |w|. */
#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"

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

struct block {
    int64_t k, end;
    double most, most4; /* the greatest magnitude, and sum of 4 magnitudes */
};

static struct block block_at(const float *x, int64_t k, int64_t block_k, int64_t cols)
{
    struct block b = {k, k + block_k < cols ? k + block_k : cols, 0, 0};
    double four = 0;

    for (int64_t i = b.k; i < b.end; i++) {
        four = (i % 4 ? four : 0) + fabs((double)x[i]);
        b.most4 = fmax(b.most4, four);
        b.most = fmax(b.most, fabs((double)x[i]));
    }
    return b;
}

/* What a block may add to the error of a row, by quantizing. */
static double quantizing(const struct matrix *m, int64_t row, const struct block *b, bool direct,
                         const float *weights)
{
    const double planes = m->kind.width == TMAC_WIDTH_TERNARY ? 2 : matrix_top_code(m->kind.width);
    const double tables = (double)((b->end - b->k + 3) / 4);
    double sum = 0;

    for (int64_t k = b->k; k < b->end; k++)
        sum += fabs((double)weights[k]);
    if (direct)
        return sum * b->most / 254 * (1 + 0x1p-14) + 1e-25 * sum;
    return fabs((double)matrix_at(m, row, b->k).scale) * tables * b->most4 / 127 / 2 * planes / 2 *
               (1 + 0x1p-14) +
           1e-25 * sum;
}

static double group_sum(const float *x, int64_t k, int64_t group_k)
{
    double sum = 0;
    for (int64_t i = k; i < k + group_k; i++)
        sum += (double)x[i];
    return fabs(sum);
}

/* The same for nested lookup, whose blocks are of several groups. */
static double quantizing_groups(const struct matrix *m, int64_t row, const struct block *b,
                                int64_t group_k, const float *x)
{
    const int top = matrix_top_code(m->kind.width);
    const double planes = m->kind.width == TMAC_WIDTH_TERNARY ? 2 : top, half = b->most4 / 127 / 2;
    double bound = 0, most = 0;

    for (int64_t k = b->k; k < b->end; k += group_k)
        most = fmax(most, group_sum(x, k, group_k));
    for (int64_t k = b->k; k < b->end; k += group_k) {
        const struct matrix_numbers n = matrix_at(m, row, k);
        const double scale = fabs((double)n.scale), minimum = fabs((double)n.minimum);
        const double offset = top / 2.0 - (double)n.zero;
        const double sums = m->kind.sub == TMAC_SUB_U4
                                ? fabs((double)n.scale * offset + (double)n.minimum) * most / 254
                                : (scale * (0.5 + fabs(offset) / 32) + minimum / 32) * half;
        const double magnitudes =
            (double)group_k * (scale * (top + fabs((double)n.zero)) + minimum);
        bound += scale * (double)(group_k / 4) * half * planes / 2 + sums + 1e-25 * magnitudes;
    }
    return bound * (1 + 0x1p-14);
}

static double error_bound(const struct matrix *m, int64_t row, const float *x, int64_t block_k,
                          int64_t group_k, bool direct, const float *weights)
{
    const double blocks = (double)(m->kind.cols / block_k + 1);
    const double roundings = (2 * blocks + 40) * 0x1p-24;
    double bound = 0;

    for (int64_t k = 0; k < m->kind.cols; k += block_k) {
        const struct block b = block_at(x, k, block_k, m->kind.cols);
        bound += group_k && !direct ? quantizing_groups(m, row, &b, group_k, x)
                                    : quantizing(m, row, &b, direct, weights);
        for (int64_t i = k; i < b.end; i++) {
            const struct matrix_numbers n = matrix_at(m, row, i);
            bound +=
                roundings * fabs((double)x[i]) *
                (fabs((double)n.scale) * (matrix_top_code(m->kind.width) + fabs((double)n.zero)) +
                 fabs((double)n.minimum));
        }
    }
    return bound;
}

static double exact(const float *weights, const float *x, int64_t cols)
{
    double sum = 0;
    for (int64_t k = 0; k < cols; k++)
        sum += (double)weights[k] * (double)x[k];
    return sum;
}

struct errors {
    double square, of; /* sums of squares: error, exact result */
    double worst;      /* greatest part of its bound */
};

static void check_row(const struct matrix *m, const tmac_weights_info *info, int64_t row,
                      const float *x, float got, struct errors *errors, const char *what)
{
    const int64_t cols = m->kind.cols;
    const bool direct = info->family == TMAC_FAMILY_DIRECT;
    float *weights = malloc((size_t)cols * sizeof *weights);
    double want, bound;
    enum tmac_table_kind kind;
    int block_k, group_k;

    CHECK_OK(tmac_table_layout_split(info->table_layout, &kind, &block_k, &group_k));
    for (int64_t k = 0; k < cols; k++)
        weights[k] = matrix_weight(m, row, k);
    want = exact(weights, x, cols);
    bound = error_bound(m, row, x, block_k, group_k, direct, weights);
    errors->square += ((double)got - want) * ((double)got - want);
    errors->of += want * want;
    if (bound > 0)
        errors->worst = fmax(errors->worst, fabs((double)got - want) / bound);
    CHECK(fabs((double)got - want) <= bound, "%s, %s, %s: row %lld: %.9g, expected %.9g +- %.3g",
          matrix_name(&m->kind), info->layout, what, (long long)row, (double)got, want, bound);
    free(weights);
}

static struct errors measure(const struct matrix_kind *kind, tmac_context *context, enum data data,
                             size_t batch, uint64_t index)
{
    struct rng rng = rng_stream(seed, 1, index);
    const size_t cols = (size_t)kind->cols, rows = (size_t)kind->rows;
    tmac_weights_info info = {.struct_size = sizeof info};
    float *x = malloc(cols * batch * sizeof *x), *y = malloc(rows * batch * sizeof *y);
    const tmac_activations activations = {.struct_size = sizeof activations,
                                          .cols = kind->cols,
                                          .batch = (int64_t)batch,
                                          .data = x};
    struct errors errors = {0, 0, 0};
    struct matrix m;
    tmac_weights *weights;

    matrix_new(&m, kind, &rng);
    for (size_t i = 0; i < cols * batch; i++)
        x[i] = draw(data, (int64_t)(i % cols), &rng);
    CHECK_OK(tmac_weights_pack(context, &m.desc, &weights));
    CHECK_OK(tmac_weights_query(weights, &info));
    check_spoil_stack();
    CHECK_OK(tmac_matmul(context, weights, &activations, y, kind->rows));
    for (size_t n = 0; n < batch; n++)
        for (size_t r = 0; r < rows; r++)
            check_row(&m, &info, (int64_t)r, x + n * cols, y[n * rows + r], &errors,
                      data_names[data]);
    tmac_weights_free(weights);
    matrix_free(&m);
    free(x);
    free(y);
    return errors;
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Relative squared errors; lookup, direct. */
static const double limits[2][2] = {{1e-4, 5e-5}, {5e-4, 5e-4}}; /* normal, heavy-tailed */

static void check_relative(enum data data)
{
    const int share = check_share(1);
    double worst[2] = {0, 0};
    uint64_t index = 0;

    for (int l = 0; l < LAYOUTS; l++)
        for (int width = TMAC_WIDTH_1; width <= TMAC_WIDTH_TERNARY; width++)
            for (int64_t group = 16; group <= 256; group *= 2) {
                if (index++ % (uint64_t)share)
                    continue;
                const struct matrix_kind kind = {.rows = 32,
                                                 .cols = 2048,
                                                 .width = (tmac_width)width,
                                                 .group = group,
                                                 .zero = (tmac_zero)(index % 4)};
                const struct errors e = measure(&kind, contexts.best[l], data, 16, index);
                const int direct = tmac_layout_is_direct((enum tmac_layout)l);
                /* Far from symmetric all rows are alike, and so are their errors: fewer samples. */
                const double limit =
                    limits[data][direct] * (kind.zero == TMAC_ZERO_SYMMETRIC ? 1 : 1.6);
                worst[direct] = fmax(worst[direct], e.square / e.of);
                CHECK(e.square / e.of <= limit, "%s, %s, %s: %.3g", matrix_name(&kind),
                      context_layout_names[l], data_names[data], e.square / e.of);
            }
    printf("    relative squared error, %s: lookup up to %.2g, direct up to %.2g\n",
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

static void check_two_levels(enum data data)
{
    for (size_t i = 0; i < TWO_LEVEL_KINDS; i++)
        for (int l = 0; l < LAYOUTS; l++) {
            const struct matrix_kind kind = two_level_kind(i);
            const struct errors e = measure(&kind, contexts.best[l], data, 16, i);
            const double limit = 1.6 * limits[data][tmac_layout_is_direct((enum tmac_layout)l)];
            CHECK(e.square / e.of <= limit, "%s, %s, %s: %.3g", matrix_name(&kind),
                  context_layout_names[l], data_names[data], e.square / e.of);
        }
}

static void test_relative_error(void **state)
{
    (void)state;
    check_relative(NORMAL);
    check_relative(HEAVY);
    check_two_levels(NORMAL);
    check_two_levels(HEAVY);
}

/* Their bounds, for every kind of activations. */
static void test_error_bound_two_levels(void **state)
{
    double worst = 0;

    (void)state;
    for (int variant = 0; variant < DATA_COUNT * TWO_LEVEL_KINDS; variant++)
        for (int l = 0; l < LAYOUTS; l++) {
            const struct matrix_kind kind = two_level_kind((size_t)variant % TWO_LEVEL_KINDS);
            const struct errors e =
                measure(&kind, (variant % 2 ? contexts.best : contexts.scalar)[l],
                        (enum data)(variant / TWO_LEVEL_KINDS), 2, (uint64_t)variant);
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
    for (int variant = 0; variant < LAYOUTS * 5 * 4 * DATA_COUNT; variant++)
        for (size_t s = 0; s < COUNT(shapes); s++) {
            const int layout = variant % LAYOUTS;
            const struct matrix_kind kind = {.rows = shapes[s][0],
                                             .cols = shapes[s][1],
                                             .width = (tmac_width)(1 + variant / LAYOUTS % 5),
                                             .group = shapes[s][2],
                                             .scale_type = (tmac_scale_type)(index % 3),
                                             .zero = (tmac_zero)(variant / (5 * LAYOUTS) % 4)};
            struct errors e;
            int direct;
            if (index++ % (uint64_t)share)
                continue;
            e = measure(&kind, (index % 2 ? contexts.best : contexts.scalar)[layout],
                        (enum data)(variant / (20 * LAYOUTS)), 3, index);
            direct = tmac_layout_is_direct((enum tmac_layout)layout);
            worst[direct] = fmax(worst[direct], e.worst);
        }
    printf("    of the bound is used: lookup up to %.0f %%, direct up to %.0f %%\n", 100 * worst[0],
           100 * worst[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relative_error),
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
