/* SPDX-License-Identifier: MIT
 *
 * Activations: their types and strides, and what is special in them - NaN, infinity, zero, the very
 * small. */
#include "support/check.h"
#include "support/half.h"
#include "support/problem.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 65, COLS = 576, BATCH = 11 }; /* 576: more than 2 chunks of 256, not a whole third */

static uint64_t seed;

static const int64_t groups[] = {16, 32, TMAC_GROUP_ROW};

/* Nested layouts take groups of 16 or 32 in super-groups of f16 scales, other ones one level. */
static bool fixture(struct problem *p, int layout, tmac_width width, int64_t group, tmac_zero zero)
{
    struct rng rng = rng_stream(seed, 1, (uint64_t)(layout * 32 + (int)width));
    const bool nested = tmac_layout_is_nested((enum tmac_layout)layout) && group > 0;
    const struct matrix_kind kind = {.rows = ROWS,
                                     .cols = COLS,
                                     .width = width,
                                     .group = group,
                                     .scale_type = nested ? TMAC_SCALE_F16 : TMAC_SCALE_F32,
                                     .zero = zero,
                                     .sub = nested ? TMAC_SUB_I8 : TMAC_SUB_NONE,
                                     .super_group = nested ? 64 : 0};
    return problem_new(p, &kind, (enum tmac_layout)layout, BATCH, &rng);
}

typedef void check_fn(const struct problem *p, const tmac_context *context,
                      const tmac_weights *weights);

/* With the problem's own context, and with the best. */
static void check_both(check_fn *check, const struct problem *p, const tmac_context *best)
{
    tmac_weights *weights = weights_in(best, p->weights);

    check(p, p->context, p->weights);
    check(p, best, weights);
    tmac_weights_free(weights);
}

static void for_each(check_fn *check)
{
    const int share = check_share(1);
    int index = 0;

    for (int layout = 0; layout < LAYOUTS; layout++) {
        tmac_context *best = context_new(NULL, (enum tmac_layout)layout, 2);
        for (int w = 0; w < TEST_WIDTHS; w++)
            for (size_t g = 0; g < COUNT(groups); g++) {
                struct problem p;
                if (index++ % share)
                    continue;
                if (!fixture(&p, layout, test_widths[w], groups[g],
                             (tmac_zero)((w + 1 + (int)g) % 4)))
                    continue;
                check_both(check, &p, best);
                problem_free(&p);
            }
        tmac_context_free(best);
    }
}

/* ROWS * BATCH floats, freed by the caller. */
static float *multiply(const tmac_context *context, const tmac_weights *weights,
                       const tmac_activations *x)
{
    float *y = malloc((size_t)(ROWS * x->batch) * sizeof *y);
    check_spoil_stack();
    CHECK_OK(tmac_matmul(context, weights, x, y, ROWS));
    return y;
}

static void check_equal(const struct problem *p, const tmac_context *context,
                        const tmac_weights *weights, const tmac_activations *a,
                        const tmac_activations *b, const char *what)
{
    float *y_a = multiply(context, weights, a), *y_b = multiply(context, weights, b);
    const size_t at = check_floats(y_a, y_b, ROWS * BATCH);

    CHECK(at == ROWS * BATCH, "%s, %s, %s: [%zu] %.9g and %.9g", matrix_name(&p->matrix.kind),
          p->info.layout, what, at, (double)y_a[at], (double)y_b[at]);
    free(y_a);
    free(y_b);
}

/* ---- half floats ----------------------------------------------------------------------------- */

/* Of random halves, and of the floats they stand for; both between guard pages. */
static void check_halves(const struct problem *p, const tmac_context *context,
                         const tmac_weights *weights)
{
    enum { STRIDE = COLS + 3, COUNT_X = (BATCH - 1) * STRIDE + COLS };
    struct rng rng = rng_stream(seed, 2, 0);
    struct guard halves, floats;
    tmac_activations narrow = problem_activations(p, BATCH), wide = narrow;
    uint16_t *half = guard_new(&halves, COUNT_X * sizeof *half, sizeof *half, GUARD_END);
    float *x = guard_new(&floats, COUNT_X * sizeof *x, sizeof *x, GUARD_END);

    narrow.stride = wide.stride = STRIDE;
    narrow.data = half;
    wide.data = x;
    for (int type = TMAC_ACTIVATION_F16; type <= TMAC_ACTIVATION_BF16; type++) {
        const bool f16 = type == TMAC_ACTIVATION_F16;
        for (size_t i = 0; i < COUNT_X; i++) { /* also denormal ones, none that is not finite */
            half[i] = (uint16_t)rng_next(&rng);
            half[i] &= f16 ? 0x83ff | (half[i] & 0x7800 ? 0x7800 : 0) : 0xbfff;
            x[i] = f16 ? half_to_float(half[i]) : bf16_to_float(half[i]);
        }
        narrow.type = (tmac_activation_type)type;
        check_equal(p, context, weights, &narrow, &wide, f16 ? "f16" : "bf16");
    }
    guard_free(&halves);
    guard_free(&floats);
}

static void test_half_floats(void **state)
{
    (void)state;
    for_each(check_halves);
}

/* ---- int8 ------------------------------------------------------------------------------------ */

struct int8_case {
    struct guard data, scales, floats;
    tmac_activations narrow, wide; /* the same numbers */
};

static void int8_new(struct int8_case *c, int64_t scale_group, struct rng *rng)
{
    const int64_t tight = scale_group ? (COLS + scale_group - 1) / scale_group : 1;
    const int64_t stride = tight + 2;
    int8_t *data = guard_new(&c->data, BATCH * COLS, 1, GUARD_END);
    float *scales = guard_new(&c->scales, (size_t)((BATCH - 1) * stride + tight) * sizeof *scales,
                              sizeof *scales, GUARD_END);
    float *x = guard_new(&c->floats, BATCH * COLS * sizeof *x, sizeof *x, GUARD_END);

    rng_bytes(rng, data, BATCH * COLS);
    for (size_t i = 0; i < c->scales.size / sizeof *scales; i++)
        scales[i] = 0.01f * rng_normal(rng);
    for (int64_t n = 0; n < BATCH; n++)
        for (int64_t k = 0; k < COLS; k++)
            x[n * COLS + k] = (float)data[n * COLS + k] *
                              scales[n * stride + (scale_group ? k / scale_group : 0)];
    c->narrow = (tmac_activations){.struct_size = sizeof c->narrow,
                                   .type = TMAC_ACTIVATION_I8,
                                   .cols = COLS,
                                   .batch = BATCH,
                                   .data = data,
                                   .scales = scales,
                                   .scale_group = scale_group,
                                   .scale_stride = stride};
    c->wide =
        (tmac_activations){.struct_size = sizeof c->wide, .cols = COLS, .batch = BATCH, .data = x};
}

static void int8_free(struct int8_case *c)
{
    guard_free(&c->data);
    guard_free(&c->scales);
    guard_free(&c->floats);
}

/* Where they are quantized again (lookup; or a scale that changes within a block), int8 activations
 * are the floats they stand for. */
static void check_int8_as_floats(const struct problem *p, const tmac_context *context,
                                 const tmac_weights *weights)
{
    static const int64_t scale_groups[] = {0, 16, 32, 48, 128, 1024};
    const int64_t group = p->matrix.kind.group, block = group < 0 ? 128 : group;

    for (size_t i = 0; i < COUNT(scale_groups); i++) {
        struct rng rng = rng_stream(seed, 3, i);
        struct int8_case c;
        if (p->info.family == TMAC_FAMILY_DIRECT && scale_groups[i] % block == 0)
            continue;
        int8_new(&c, scale_groups[i], &rng);
        check_equal(p, context, weights, &c.narrow, &c.wide, "int8 as floats");
        int8_free(&c);
    }
}

static void test_int8_as_floats(void **state)
{
    (void)state;
    for_each(check_int8_as_floats);
}

/* The direct family takes them as they are. With scales that are powers of two every step of the
 * result is exact: it is the integer dot product times the scales. */
static void check_int8_exact(tmac_width width, const char *isa, int64_t scale_group)
{
    struct rng rng = rng_stream(seed, 4, (uint64_t)width);
    const struct matrix_kind kind = {ROWS,
                                     COLS,
                                     width,
                                     TMAC_CODES_BYTES,
                                     TMAC_GROUP_ROW,
                                     TMAC_SCALE_F32,
                                     TMAC_ZERO_POINT,
                                     TMAC_SUB_NONE,
                                     0,
                                     false,
                                     false};
    static const float one[ROWS] = {[0 ... ROWS - 1] = 0.25f};
    tmac_context *context = context_new(isa, TMAC_LAYOUT_DIRECT, 1);
    struct int8_case c;
    struct matrix m;
    tmac_weights *weights;
    float y[BATCH * ROWS];

    matrix_new(&m, &kind, &rng);
    m.desc.scales = one;
    int8_new(&c, scale_group, &rng);
    for (size_t i = 0; i < c.scales.size / sizeof(float); i++)
        ((float *)c.scales.at)[i] = i % 3 ? 0.5f : -2.0f;
    CHECK_OK(tmac_weights_pack(context, &m.desc, &weights));
    CHECK_OK(tmac_matmul(context, weights, &c.narrow, y, ROWS));
    for (int64_t n = 0; n < BATCH; n++)
        for (int64_t r = 0; r < ROWS; r++) {
            double want = 0;
            for (int64_t k = 0; k < COLS; k++)
                want +=
                    0.25 * (m.plain[r * COLS + k] - m.desc.zero_points[r]) *
                    ((const int8_t *)c.data.at)[n * COLS + k] *
                    (double)c.narrow
                        .scales[n * c.narrow.scale_stride + (scale_group ? k / scale_group : 0)];
            CHECK((double)y[n * ROWS + r] == want, "%s, %s: input %d, row %d: %.9g, expected %.9g",
                  matrix_name(&kind), isa, (int)n, (int)r, (double)y[n * ROWS + r], want);
        }
    tmac_weights_free(weights);
    int8_free(&c);
    matrix_free(&m);
    tmac_context_free(context);
}

static void test_int8_is_exact(void **state)
{
    static const int64_t scale_groups[] = {0, 128, 256};
    const struct isas isas = isas_available();

    (void)state;
    for (int i = 0; i < isas.count; i++)
        for (int w = 0; w < TEST_WIDTHS; w++)
            for (size_t g = 0; g < COUNT(scale_groups); g++)
                check_int8_exact(test_widths[w], isas.name[i], scale_groups[g]);
}

/* ---- special values -------------------------------------------------------------------------- */

/* One bad activation in one input: NaN there, and what it was everywhere else. */
static void check_bad_value(const struct problem *p, const tmac_context *context,
                            const tmac_weights *weights, float bad, int64_t k, int64_t input)
{
    tmac_activations x = problem_activations(p, BATCH);
    float *copy = malloc(BATCH * COLS * sizeof *copy), *y;

    memcpy(copy, p->x, BATCH * COLS * sizeof *copy);
    copy[input * COLS + k] = bad;
    x.data = copy;
    y = multiply(context, weights, &x);
    for (int64_t n = 0; n < BATCH; n++)
        for (int64_t r = 0; r < ROWS; r++) {
            const float got = y[n * ROWS + r], clean = p->y[n * ROWS + r];
            CHECK(n == input ? isnan(got) : got == clean,
                  "%s, %s, %s: %g at %d of input %d: input %d, row %d: %.9g, was %.9g",
                  matrix_name(&p->matrix.kind), p->info.layout, tmac_context_isa(context),
                  (double)bad, (int)k, (int)input, (int)n, (int)r, (double)got, (double)clean);
        }
    free(copy);
    free(y);
}

static void check_not_finite(const struct problem *p, const tmac_context *context,
                             const tmac_weights *weights)
{
    static const int64_t places[] = {0, 3, 17, 255, 256, COLS - 1};
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};

    for (size_t i = 0; i < COUNT(places); i++)
        for (size_t b = i % 2; b < COUNT(bad); b += 2)
            check_bad_value(p, context, weights, bad[b], places[i], (int64_t)(3 * i + b) % BATCH);
}

static void test_not_finite(void **state)
{
    (void)state;
    for_each(check_not_finite);
}

/* ---- magnitudes beyond what floats can sum --------------------------------------------------- */

static const struct great {
    int64_t at[3]; /* 0: none, after the first */
    float value[3];
} greats[] = {
    {{5}, {3.3e38f}}, /* alone it is an activation like others */
    {{4, 7}, {2e38f, 2e38f}},
    {{4, 7}, {2e38f, -2e38f}},
    {{256, 258, 259}, {1.5e38f, 1.5e38f, -1.5e38f}},
    {{4, 8}, {2e38f, 2e38f}}, /* of one block, but not 4 neighbours */
    {{4, 8}, {2e38f, -2e38f}},
    {{8, 12, 500}, {3e38f, -3e38f, 3e38f}},
    {{4, 500}, {3e38f, 3e38f}}, /* of two blocks */
};

/* Whether 4 neighbours' magnitudes sum up to more than a float can be. */
static bool beyond_in_four(const float *x)
{
    double four = 0;

    for (int k = 0; k < COLS; k++) {
        four = (k % 4 ? four : 0) + fabs((double)x[k]);
        if (four > (double)FLT_MAX)
            return true;
    }
    return false;
}

/* NaN where lookup cannot build its tables. Else it may be anything, but what scalar gives to the bit,
 * and the other inputs' results stay as they are. */
static void check_great_values(const struct problem *p, const tmac_context *context,
                               const tmac_weights *weights)
{
    const int64_t input = 4;
    tmac_activations x = problem_activations(p, BATCH);
    float *copy = malloc(BATCH * COLS * sizeof *copy), *y, *scalar;

    x.data = copy;
    for (size_t g = 0; g < COUNT(greats); g++) {
        memcpy(copy, p->x, BATCH * COLS * sizeof *copy);
        for (int i = 0; i < 3; i++)
            if (i == 0 || greats[g].at[i])
                copy[input * COLS + greats[g].at[i]] = greats[g].value[i];
        const bool is_nan =
            p->info.family == TMAC_FAMILY_LOOKUP && beyond_in_four(copy + input * COLS);
        y = multiply(context, weights, &x);
        scalar = context == p->context ? NULL : multiply(p->context, p->weights, &x);
        CHECK(!scalar || check_floats(y, scalar, BATCH * ROWS) == BATCH * ROWS,
              "%s, %s, %s: great %zu", matrix_name(&p->matrix.kind), p->info.layout,
              tmac_context_isa(context), g);
        for (int64_t n = 0; n < BATCH; n++)
            for (int64_t r = 0; r < ROWS; r++) {
                const float got = y[n * ROWS + r];
                CHECK(n != input ? got == p->y[n * ROWS + r] : !is_nan || isnan(got),
                      "%s, %s, %s: great %zu: input %d, row %d: %g", matrix_name(&p->matrix.kind),
                      p->info.layout, tmac_context_isa(context), g, (int)n, (int)r, (double)got);
            }
        free(y);
        free(scalar);
    }
    free(copy);
}

static void test_great_values(void **state)
{
    (void)state;
    for_each(check_great_values);
}

/* A NaN or infinite scale of int8 activations, and infinite halves. */
static void check_not_finite_types(const struct problem *p, const tmac_context *context,
                                   const tmac_weights *weights)
{
    static const uint16_t bad_f16[] = {0x7c00, 0xfc00, 0x7e00, 0x7c01},
                          bad_bf16[] = {0x7f80, 0xff80, 0x7fc0, 0x7f81};
    tmac_activations x = problem_activations(p, BATCH);
    uint16_t *half = calloc(BATCH * COLS, sizeof *half);
    int8_t *bytes = calloc(BATCH * COLS, 1);
    float scales[BATCH], *y;

    for (int type = TMAC_ACTIVATION_F16; type <= TMAC_ACTIVATION_I8; type++)
        for (size_t i = 0; i < 4; i++) {
            const size_t input = i * 3;
            for (int n = 0; n < BATCH; n++)
                scales[n] = 1.0f;
            half[input * COLS + 300] = type == TMAC_ACTIVATION_F16 ? bad_f16[i] : bad_bf16[i];
            scales[input] = bf16_to_float(bad_bf16[i]);
            x.type = (tmac_activation_type)type;
            x.data = type == TMAC_ACTIVATION_I8 ? (const void *)bytes : half;
            x.scales = type == TMAC_ACTIVATION_I8 ? scales : NULL;
            y = multiply(context, weights, &x);
            for (size_t n = 0; n < BATCH; n++)
                for (size_t r = 0; r < ROWS; r++)
                    CHECK(n == input ? isnan(y[n * ROWS + r]) : y[n * ROWS + r] == 0.0f,
                          "%s, %s, type %d, input %zu of bad %zu: %g", p->info.layout,
                          tmac_context_isa(context), type, n, input, (double)y[n * ROWS + r]);
            half[input * COLS + 300] = 0;
            free(y);
        }
    free(half);
    free(bytes);
}

static void test_not_finite_types(void **state)
{
    (void)state;
    for_each(check_not_finite_types);
}

/* Nothing but zeros, and magnitudes below 1e-25, which count as zero. */
static void check_nothing(const struct problem *p, const tmac_context *context,
                          const tmac_weights *weights)
{
    static const float values[] = {0.0f, -0.0f, 1e-30f, -2e-26f, 1e-45f};
    tmac_activations x = problem_activations(p, BATCH);
    float *copy = malloc(BATCH * COLS * sizeof *copy), *y;

    x.data = copy;
    for (size_t v = 0; v < COUNT(values); v++) {
        for (size_t i = 0; i < BATCH * COLS; i++)
            copy[i] = i % 2 ? values[v] : -values[v];
        y = multiply(context, weights, &x);
        for (size_t i = 0; i < ROWS * BATCH; i++)
            CHECK(y[i] == 0.0f, "%s, %s: x = %g gives %g", matrix_name(&p->matrix.kind),
                  p->info.layout, (double)values[v], (double)y[i]);
        free(y);
    }
    free(copy);
}

static void test_zero_and_tiny(void **state)
{
    (void)state;
    for_each(check_nothing);
}

/* Weights that are all zero because their scales are. */
static void test_zero_scales(void **state)
{
    static const float zeros[ROWS * COLS / 16];

    (void)state;
    for (int layout = 0; layout < LAYOUTS; layout++)
        for (int w = 0; w < TEST_WIDTHS; w++)
            for (int zero = 0; zero < 4; zero++) {
                struct problem p;
                tmac_weights *weights;
                if (!fixture(&p, layout, test_widths[w], 16, (tmac_zero)zero))
                    continue;
                const tmac_activations x = problem_activations(&p, BATCH);
                float y[ROWS * BATCH];
                p.matrix.desc.scales = zeros;
                if (zero == TMAC_ZERO_MINIMUM)
                    p.matrix.desc.minimums = zeros;
                CHECK_OK(tmac_weights_pack(p.context, &p.matrix.desc, &weights));
                CHECK_OK(tmac_matmul(p.context, weights, &x, y, ROWS));
                for (size_t i = 0; i < COUNT(y); i++)
                    CHECK(y[i] == 0.0f, "%s, %s: %g", matrix_name(&p.matrix.kind), p.info.layout,
                          (double)y[i]);
                tmac_weights_free(weights);
                problem_free(&p);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_floats),   cmocka_unit_test(test_int8_as_floats),
        cmocka_unit_test(test_int8_is_exact), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_great_values),  cmocka_unit_test(test_not_finite_types),
        cmocka_unit_test(test_zero_and_tiny), cmocka_unit_test(test_zero_scales),
    };

    seed = rng_environment_seed();
    printf("TMAC_TEST_SEED=0x%llx\n", (unsigned long long)seed);
    return cmocka_run_group_tests_name("activations", tests, NULL, NULL);
}
