/* SPDX-License-Identifier: MIT
 * MUL_MAT and MUL_MAT_ID through ggml on weights in the plug-in's buffers, against sums of doubles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session.h"

/* Twice what docs/numerics.md measures at worst on normal activations: these matrices are small. */
static const double bound = 2e-4;

/* How src1 lies in memory. */
enum form { CONTIGUOUS, GAPS, PERMUTED, TRANSPOSED, HALF, HALF_TRANSPOSED };

struct input {
    struct ggml_tensor *base, *x; /* x: what is multiplied, maybe a view of base */
    struct ggml_tensor *ids;
    float *floats; /* of base, in memory order */
    int32_t *id;
};

/* ne: x's. */
static void input_new(struct input *in, struct ggml_context *context, const int64_t ne[4],
                      enum form form, struct rng *rng)
{
    const int64_t swapped[4] = {ne[0], ne[2], ne[1], ne[3]}, turned[4] = {ne[1], ne[0], ne[2], ne[3]};
    const int64_t wide[4] = {ne[0] + 32, ne[1], ne[2], ne[3]};
    const bool half = form == HALF || form == HALF_TRANSPOSED;
    const bool transposed = form == TRANSPOSED || form == HALF_TRANSPOSED;
    struct ggml_tensor *base;

    memset(in, 0, sizeof *in);
    base = ggml_new_tensor(context, half ? GGML_TYPE_F16 : GGML_TYPE_F32, 4,
                           form == PERMUTED ? swapped
                           : transposed     ? turned
                           : form == GAPS   ? wide
                                            : ne);
    ggml_set_input(base);
    in->base = in->x = base;
    if (form == PERMUTED)
        in->x = ggml_permute(context, base, 0, 2, 1, 3);
    else if (transposed)
        in->x = ggml_transpose(context, base);
    else if (form == GAPS)
        in->x = ggml_view_4d(context, base, ne[0], ne[1], ne[2], ne[3], base->nb[1], base->nb[2],
                             base->nb[3], 8 * sizeof(float));
    in->floats = malloc((size_t)ggml_nelements(base) * sizeof(float));
    for (int64_t i = 0; i < ggml_nelements(base); i++)
        in->floats[i] = rng_normal(rng);
    if (half) /* what the tensor will hold */
        for (int64_t i = 0; i < ggml_nelements(base); i++)
            in->floats[i] = ggml_fp16_to_fp32(ggml_fp32_to_fp16(in->floats[i]));
}

static void input_fill(void *arg)
{
    struct input *in = arg;
    const int64_t count = ggml_nelements(in->base);

    if (in->base->type == GGML_TYPE_F16) {
        ggml_fp16_t *half = malloc((size_t)count * sizeof *half);
        ggml_fp32_to_fp16_row(in->floats, half, count);
        ggml_backend_tensor_set(in->base, half, 0, (size_t)count * sizeof *half);
        free(half);
    } else {
        ggml_backend_tensor_set(in->base, in->floats, 0, (size_t)count * sizeof(float));
    }
    if (in->ids)
        ggml_backend_tensor_set(in->ids, in->id, 0, ggml_nbytes(in->ids));
}

/* x[i3][i2][i1][k] of what input_new made, by the view's strides. */
static double input_at(const struct input *in, int64_t k, int64_t i1, int64_t i2, int64_t i3)
{
    const struct ggml_tensor *x = in->x;
    const size_t at = x->view_offs + (size_t)k * x->nb[0] + (size_t)i1 * x->nb[1] +
                      (size_t)i2 * x->nb[2] + (size_t)i3 * x->nb[3];

    return (double)in->floats[at / ggml_element_size(in->base)];
}

/* Adds to `power` the squares of the products: what a sum of independent ones would have for a
 * square. A single sum may be near zero, and its error is not. */
static double dot(const struct weights *w, int64_t m, int64_t i2, int64_t i3, const struct input *in,
                  int64_t n, int64_t x2, int64_t x3, double *power)
{
    const int64_t *ne = w->tensor->ne;
    const float *row = w->floats + ((i3 * ne[2] + i2) * ne[1] + m) * ne[0];
    double sum = 0.0;

    for (int64_t k = 0; k < ne[0]; k++) {
        const double product = (double)row[k] * input_at(in, k, n, x2, x3);
        sum += product;
        *power += product * product;
    }
    return sum;
}

/* A multiplication: made, its inputs drawn; then judged. */
struct trial {
    struct session session;
    struct weights w;
    struct input in;
};

static void trial_new(struct trial *t, enum ggml_type type, const int64_t w_ne[4],
                      const int64_t x_ne[4], enum form form, int threads, struct rng *rng)
{
    session_new(&t->session, threads);
    weights_new(&t->w, type, w_ne, true, rng);
    input_new(&t->in, t->session.context, x_ne, form, rng);
}

/* The error of y over the power of the right numbers. Ends the trial. */
static double trial_error(struct trial *t, struct ggml_tensor *y, const double *right, double power)
{
    float *got = session_compute(&t->session, y, input_fill, &t->in);
    const double error = squared_error(got, right, ggml_nelements(y)) / power;

    free(got);
    free(t->in.floats);
    free(t->in.id);
    session_free(&t->session);
    weights_free(&t->w);
    return error;
}

struct mul_mat_case {
    int64_t k_blocks, m, n; /* k in 256 */
    int64_t w2, w3, x2, x3;
    enum form form;
    int threads;
};

static void check_mul_mat(enum ggml_type type, const struct mul_mat_case *c, struct rng *rng)
{
    const int64_t w_ne[4] = {c->k_blocks * 256, c->m, c->w2, c->w3};
    const int64_t x_ne[4] = {c->k_blocks * 256, c->n, c->x2, c->x3};
    struct ggml_tensor *y;
    struct trial t;
    double *right, error, power = 0.0;
    int64_t at = 0;

    trial_new(&t, type, w_ne, x_ne, c->form, c->threads, rng);
    y = ggml_mul_mat(t.session.context, t.w.tensor, t.in.x);
    right = malloc((size_t)ggml_nelements(y) * sizeof *right);
    for (int64_t i3 = 0; i3 < c->x3; i3++)
        for (int64_t i2 = 0; i2 < c->x2; i2++)
            for (int64_t n = 0; n < c->n; n++)
                for (int64_t m = 0; m < c->m; m++)
                    right[at++] = dot(&t.w, m, i2 / (c->x2 / c->w2), i3 / (c->x3 / c->w3), &t.in, n,
                                      i2, i3, &power);
    error = trial_error(&t, y, right, power);
    if (!(error <= bound))
        fail_msg("%s k %d m %d n %d w %dx%d x %dx%d form %d threads %d: error %g",
                 ggml_type_name(type), (int)w_ne[0], (int)c->m, (int)c->n, (int)c->w2, (int)c->w3,
                 (int)c->x2, (int)c->x3, (int)c->form, c->threads, error);
    free(right);
}

static void test_mul_mat(void **unused)
{
    static const struct mul_mat_case cases[] = {
        {1, 64, 1, 1, 1, 1, 1, CONTIGUOUS, 1},  {2, 33, 1, 1, 1, 1, 1, CONTIGUOUS, 2},
        {1, 1, 1, 1, 1, 1, 1, CONTIGUOUS, 2},   {3, 100, 7, 1, 1, 1, 1, CONTIGUOUS, 2},
        {1, 31, 130, 1, 1, 1, 1, CONTIGUOUS, 3}, {1, 48, 5, 1, 1, 3, 2, CONTIGUOUS, 2},
        {1, 48, 5, 3, 1, 3, 2, CONTIGUOUS, 2},  {1, 40, 2, 2, 2, 4, 4, CONTIGUOUS, 2},
        {1, 64, 6, 1, 1, 1, 1, GAPS, 2},        {1, 64, 6, 2, 1, 2, 2, GAPS, 1},
        {1, 64, 4, 1, 1, 3, 1, PERMUTED, 2},    {1, 64, 4, 3, 1, 3, 1, PERMUTED, 2},
        {1, 64, 1, 1, 1, 3, 1, PERMUTED, 2},    {1, 64, 5, 1, 1, 2, 1, TRANSPOSED, 2},
        {1, 64, 5, 2, 1, 2, 1, TRANSPOSED, 1},  {1, 64, 5, 1, 1, 2, 1, HALF, 2},
        {1, 64, 5, 2, 1, 2, 1, HALF_TRANSPOSED, 2},
    };
    struct rng rng;

    (void)unused;
    for (int t = 0; t < TMAC_TYPES; t++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            rng = rng_stream(rng_environment_seed(), (uint64_t)t, i);
            check_mul_mat(tmac_types[t], &cases[i], &rng);
        }
}

struct id_case {
    int64_t m, experts, uses, tokens;
    bool shared; /* one input of x per token, for all its experts */
    int threads;
};

static void make_ids(struct input *in, const struct id_case *c, struct rng *rng)
{
    in->id = malloc((size_t)(c->uses * c->tokens) * sizeof *in->id);
    for (int64_t t = 0; t < c->tokens; t++) { /* a token's experts differ */
        const int first = rng_between(rng, 0, (int)c->experts - 1);
        for (int64_t u = 0; u < c->uses; u++)
            in->id[t * c->uses + u] = (int32_t)((first + u) % c->experts);
    }
}

static void check_mul_mat_id(enum ggml_type type, const struct id_case *c, struct rng *rng)
{
    const int64_t w_ne[4] = {256, c->m, c->experts, 1};
    const int64_t x_ne[4] = {256, c->shared ? 1 : c->uses, c->tokens, 1};
    struct ggml_tensor *y;
    struct trial t;
    double *right, error, power = 0.0;
    int64_t at = 0;

    trial_new(&t, type, w_ne, x_ne, CONTIGUOUS, c->threads, rng);
    make_ids(&t.in, c, rng);
    t.in.ids = ggml_new_tensor_2d(t.session.context, GGML_TYPE_I32, c->uses, c->tokens);
    ggml_set_input(t.in.ids);
    y = ggml_mul_mat_id(t.session.context, t.w.tensor, t.in.x, t.in.ids);
    right = malloc((size_t)ggml_nelements(y) * sizeof *right);
    for (int64_t token = 0; token < c->tokens; token++)
        for (int64_t u = 0; u < c->uses; u++)
            for (int64_t m = 0; m < c->m; m++)
                right[at++] = dot(&t.w, m, t.in.id[token * c->uses + u], 0, &t.in,
                                  c->shared ? 0 : u, token, 0, &power);
    error = trial_error(&t, y, right, power);
    if (!(error <= bound))
        fail_msg("%s m %d experts %d uses %d tokens %d shared %d threads %d: error %g",
                 ggml_type_name(type), (int)c->m, (int)c->experts, (int)c->uses, (int)c->tokens,
                 (int)c->shared, c->threads, error);
    free(right);
}

static void test_mul_mat_id(void **unused)
{
    static const struct id_case cases[] = {
        {64, 4, 2, 1, true, 1},  {64, 4, 2, 1, false, 2},  {33, 8, 8, 1, true, 2},
        {48, 4, 2, 9, true, 2},  {48, 4, 2, 9, false, 1},  {96, 3, 1, 40, true, 3},
        {40, 16, 4, 3, false, 2}, {64, 1, 1, 5, true, 2},
    };
    struct rng rng;

    (void)unused;
    for (int t = 0; t < TMAC_TYPES; t++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            rng = rng_stream(rng_environment_seed(), 100 + (uint64_t)t, i);
            check_mul_mat_id(tmac_types[t], &cases[i], &rng);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mul_mat),
        cmocka_unit_test(test_mul_mat_id),
    };

    if (!session_load())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
