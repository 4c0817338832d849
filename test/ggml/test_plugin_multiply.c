/* SPDX-License-Identifier: MIT
 * MUL_MAT and MUL_MAT_ID through ggml on weights in the plug-in's buffers, against sums of doubles. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "formats/formats.h"
#include "rounding.h"
#include "session.h"

/* As the plug-in's own: TMAC_ISA limits both. */
static tmac_context *context;

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
    const int64_t swapped[4] = {ne[0], ne[2], ne[1], ne[3]},
                  turned[4] = {ne[1], ne[0], ne[2], ne[3]};
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
static float input_at(const struct input *in, int64_t k, int64_t i1, int64_t i2, int64_t i3)
{
    const struct ggml_tensor *x = in->x;
    const size_t at = x->view_offs + (size_t)k * x->nb[0] + (size_t)i1 * x->nb[1] +
                      (size_t)i2 * x->nb[2] + (size_t)i3 * x->nb[3];

    return in->floats[at / ggml_element_size(in->base)];
}

/* ---- what results may be --------------------------------------------------------------------- */

/* What weights are made of, for every one of them, and how libtmac multiplies them. */
struct meaning {
    tmac_weights_desc desc;
    tmac_packed_plan plan;
    uint8_t *codes;
    struct matrix_numbers *numbers;
};

static struct matrix_numbers group_numbers(const tmac_weights_desc *desc,
                                           const struct tmac_groups *groups, int g)
{
    const float symmetric = desc->width == TMAC_WIDTH_1         ? 0.5f
                            : desc->width == TMAC_WIDTH_TERNARY ? 1.0f
                                                                : (float)(1 << (desc->width - 1));
    const int sub = desc->sub_format == TMAC_SUB_NONE ? 1
                    : desc->sub_format == TMAC_SUB_I8 ? (int8_t)groups->sub[g]
                                                      : groups->sub[g];
    const int sub_minimum = desc->sub_format == TMAC_SUB_NONE ? 1 : groups->sub_minimum[g];
    const int super = desc->sub_format == TMAC_SUB_NONE ? g : 0; /* a block is one */
    const int unit = desc->width == TMAC_WIDTH_1 ? 2 : 1;        /* scale * (2q - 1) */
    struct matrix_numbers n = {.scale = ggml_fp16_to_fp32((ggml_fp16_t)groups->scale[super]) *
                                        (float)(sub * unit)};

    if (desc->zero_kind == TMAC_ZERO_MINIMUM)
        n.minimum = ggml_fp16_to_fp32((ggml_fp16_t)groups->minimum[super]) * (float)sub_minimum;
    else
        n.zero = desc->zero_kind == TMAC_ZERO_CONSTANT ? desc->zero : symmetric;
    return n;
}

static void meaning_new(struct meaning *meaning, const struct weights *w)
{
    const struct tmac_format *format = tmac_format_of_ggml((int32_t)w->tensor->type);
    const size_t count = (size_t)ggml_nelements(w->tensor), block = (size_t)format->block_k;
    struct tmac_groups groups;

    *meaning = (struct meaning){.desc.struct_size = sizeof meaning->desc,
                                .plan.struct_size = sizeof meaning->plan};
    CHECK_OK(tmac_weights_desc_ggml(&meaning->desc, format->ggml_type, w->tensor->ne[1],
                                    w->tensor->ne[0], NULL));
    CHECK_OK(tmac_packed_query(context, &meaning->desc, &meaning->plan));
    meaning->codes = malloc(count);
    meaning->numbers = malloc(count * sizeof *meaning->numbers);
    for (size_t i = 0; i < count; i++) {
        if (i % block == 0)
            tmac_format_read_groups(format, w->blocks + i / block * (size_t)format->block_bytes, 1,
                                    &groups);
        const struct matrix_numbers n =
            group_numbers(&meaning->desc, &groups, (int)(i % block) / (int)format->group);
        meaning->numbers[i] = n;
        meaning->codes[i] =
            n.scale == 0 ? 0 : (uint8_t)lrintf((w->floats[i] - n.minimum) / n.scale + n.zero);
    }
}

/* A multiplication: made, its inputs drawn; then computed and judged. */
struct trial {
    struct session session;
    struct weights w;
    struct meaning meaning;
    struct input in;
    float *y;
    char name[160];
};

static void trial_new(struct trial *t, enum ggml_type type, const int64_t w_ne[4],
                      const int64_t x_ne[4], enum form form, int threads, struct rng *rng)
{
    session_new(&t->session, threads);
    weights_new(&t->w, type, w_ne, true, rng);
    meaning_new(&t->meaning, &t->w);
    input_new(&t->in, t->session.context, x_ne, form, rng);
}

static void trial_free(struct trial *t)
{
    free(t->y);
    free(t->meaning.codes);
    free(t->meaning.numbers);
    free(t->in.floats);
    free(t->in.id);
    session_free(&t->session);
    weights_free(&t->w);
}

/* Squared errors, and what is expected of them. */
struct squares {
    double got, expected;
};

/* One result, of a row counted over all matrices of the weights. */
static void check_row(const struct trial *t, int64_t row, const float *x, float got,
                      struct squares *squares)
{
    const int64_t cols = t->meaning.desc.cols;
    const struct product product = {
        .cols = cols,
        .width = t->meaning.desc.width,
        .sub = t->meaning.desc.sub_format,
        .family = t->meaning.plan.family,
        .table_layout = t->meaning.plan.table_layout,
        .codes = t->meaning.codes + row * cols,
        .numbers = t->meaning.numbers + row * cols,
        .x = x,
    };
    const struct rounding rounding = rounding_of(&product);
    double right = 0;

    for (int64_t k = 0; k < cols; k++)
        right += (double)t->w.floats[row * cols + k] * (double)x[k];
    const double error = fabs((double)got - right);
    if (!(error <= rounding.most))
        fail_msg("%s, row %d: %g, expected %g +- %g", t->name, (int)row, (double)got, right,
                 rounding.most);
    squares->got += error * error;
    squares->expected += rounding.square;
}

/* y: matrix `slice` times x[x3][x2][n]. */
static void check_product(const struct trial *t, const float *y, int64_t slice, int64_t n,
                          int64_t x2, int64_t x3, struct squares *squares)
{
    const int64_t rows = t->meaning.desc.rows, cols = t->meaning.desc.cols;
    float *x = malloc((size_t)cols * sizeof *x);

    for (int64_t k = 0; k < cols; k++)
        x[k] = input_at(&t->in, k, n, x2, x3);
    for (int64_t m = 0; m < rows; m++)
        check_row(t, slice * rows + m, x, y[m], squares);
    free(x);
}

/* A single result may be far from what is expected; many are not. */
static void check_tally(enum ggml_type type, const struct tally *tally)
{
    print_message("%s: squared error %.2f times what is expected\n", ggml_type_name(type),
                  tally->got / tally->expected);
    if (!(tally->got <= tally_limit(tally)))
        fail_msg("%s: squared error %g, expected %g, at most %g", ggml_type_name(type), tally->got,
                 tally->expected, tally_limit(tally));
}

/* ---- MUL_MAT --------------------------------------------------------------------------------- */

struct mul_mat_case {
    int64_t k_blocks, m, n; /* k in 256 */
    int64_t w2, w3, x2, x3;
    enum form form;
    int threads;
};

static void check_mul_mat(enum ggml_type type, const struct mul_mat_case *c, struct rng *rng,
                          struct tally *tally)
{
    const int64_t w_ne[4] = {c->k_blocks * 256, c->m, c->w2, c->w3};
    const int64_t x_ne[4] = {c->k_blocks * 256, c->n, c->x2, c->x3};
    struct trial t;
    const float *y;

    trial_new(&t, type, w_ne, x_ne, c->form, c->threads, rng);
    snprintf(t.name, sizeof t.name, "%s k %d m %d n %d w %dx%d x %dx%d form %d threads %d",
             ggml_type_name(type), (int)w_ne[0], (int)c->m, (int)c->n, (int)c->w2, (int)c->w3,
             (int)c->x2, (int)c->x3, (int)c->form, c->threads);
    y = t.y = session_compute(&t.session, ggml_mul_mat(t.session.context, t.w.tensor, t.in.x),
                              input_fill, &t.in);
    for (int64_t i3 = 0; i3 < c->x3; i3++)
        for (int64_t i2 = 0; i2 < c->x2; i2++)
            for (int64_t n = 0; n < c->n; n++, y += c->m) {
                const int64_t slice = i3 / (c->x3 / c->w3) * c->w2 + i2 / (c->x2 / c->w2);
                struct squares squares = {0, 0};
                check_product(&t, y, slice, n, i2, i3, &squares);
                tally_add(tally, squares.got, squares.expected);
            }
    trial_free(&t);
}

static void test_mul_mat(void **unused)
{
    enum ggml_type type;
    static const struct mul_mat_case cases[] = {
        {1, 64, 1, 1, 1, 1, 1, CONTIGUOUS, 1},
        {2, 33, 1, 1, 1, 1, 1, CONTIGUOUS, 2},
        {1, 1, 1, 1, 1, 1, 1, CONTIGUOUS, 2},
        {3, 100, 7, 1, 1, 1, 1, CONTIGUOUS, 2},
        {1, 31, 130, 1, 1, 1, 1, CONTIGUOUS, 3},
        {1, 48, 5, 1, 1, 3, 2, CONTIGUOUS, 2},
        {1, 48, 5, 3, 1, 3, 2, CONTIGUOUS, 2},
        {1, 40, 2, 2, 2, 4, 4, CONTIGUOUS, 2},
        {1, 64, 6, 1, 1, 1, 1, GAPS, 2},
        {1, 64, 6, 2, 1, 2, 2, GAPS, 1},
        {1, 64, 4, 1, 1, 3, 1, PERMUTED, 2},
        {1, 64, 4, 3, 1, 3, 1, PERMUTED, 2},
        {1, 64, 1, 1, 1, 3, 1, PERMUTED, 2},
        {1, 64, 5, 1, 1, 2, 1, TRANSPOSED, 2},
        {1, 64, 5, 2, 1, 2, 1, TRANSPOSED, 1},
        {1, 64, 5, 1, 1, 2, 1, HALF, 2},
        {1, 64, 5, 2, 1, 2, 1, HALF_TRANSPOSED, 2},
    };
    struct rng rng;

    (void)unused;
    for (int t = 0; tmac_type(t, &type); t++) {
        struct tally tally = {.got = 0};
        for (size_t i = 0; i < COUNT(cases); i++) {
            rng = rng_stream(rng_environment_seed(), (uint64_t)t, i);
            check_mul_mat(type, &cases[i], &rng, &tally);
        }
        check_tally(type, &tally);
    }
}

/* ---- MUL_MAT_ID ------------------------------------------------------------------------------ */

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

/* A token's experts may share tables: together they count as one input. */
static void check_mul_mat_id(enum ggml_type type, const struct id_case *c, struct rng *rng,
                             struct tally *tally)
{
    const int64_t w_ne[4] = {256, c->m, c->experts, 1};
    const int64_t x_ne[4] = {256, c->shared ? 1 : c->uses, c->tokens, 1};
    struct ggml_tensor *result;
    struct trial t;
    const float *y;

    trial_new(&t, type, w_ne, x_ne, CONTIGUOUS, c->threads, rng);
    snprintf(t.name, sizeof t.name, "%s m %d experts %d uses %d tokens %d shared %d threads %d",
             ggml_type_name(type), (int)c->m, (int)c->experts, (int)c->uses, (int)c->tokens,
             (int)c->shared, c->threads);
    make_ids(&t.in, c, rng);
    t.in.ids = ggml_new_tensor_2d(t.session.context, GGML_TYPE_I32, c->uses, c->tokens);
    ggml_set_input(t.in.ids);
    result = ggml_mul_mat_id(t.session.context, t.w.tensor, t.in.x, t.in.ids);
    y = t.y = session_compute(&t.session, result, input_fill, &t.in);
    for (int64_t token = 0; token < c->tokens; token++) {
        struct squares squares = {0, 0};
        for (int64_t u = 0; u < c->uses; u++, y += c->m)
            check_product(&t, y, t.in.id[token * c->uses + u], c->shared ? 0 : u, token, 0,
                          &squares);
        tally_add(tally, squares.got, squares.expected);
    }
    trial_free(&t);
}

static void test_mul_mat_id(void **unused)
{
    enum ggml_type type;
    static const struct id_case cases[] = {
        {64, 4, 2, 1, true, 1},   {64, 4, 2, 1, false, 2}, {33, 8, 8, 1, true, 2},
        {48, 4, 2, 9, true, 2},   {48, 4, 2, 9, false, 1}, {96, 3, 1, 40, true, 3},
        {40, 16, 4, 3, false, 2}, {64, 1, 1, 5, true, 2},
    };
    struct rng rng;

    (void)unused;
    for (int t = 0; tmac_type(t, &type); t++) {
        struct tally tally = {.got = 0};
        for (size_t i = 0; i < COUNT(cases); i++) {
            rng = rng_stream(rng_environment_seed(), 100 + (uint64_t)t, i);
            check_mul_mat_id(type, &cases[i], &rng, &tally);
        }
        check_tally(type, &tally);
    }
}

/* TMAC_ISA may name more than this machine has. */
static bool has_named_isa(void)
{
    const char *name = getenv("TMAC_ISA");

    if (!name || !*name || !strcmp(tmac_context_isa(context), name))
        return true;
    print_message("this machine has no %s\n", name);
    return false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mul_mat),
        cmocka_unit_test(test_mul_mat_id),
    };

    int failures;

    CHECK_OK(tmac_context_create(NULL, &context));
    if (!has_named_isa())
        return 77; /* skipped, to Meson */
    if (!session_load())
        return 1;
    failures = cmocka_run_group_tests(tests, NULL, NULL);
    tmac_context_free(context);
    return failures;
}
