/* SPDX-License-Identifier: MIT
 *
 * tmac_multiply(): everything that it does on top of tmac_gemm(), against tmac_gemm() and plain loops, by
 * the context's threads and by teams; mixtures of experts; bad arguments. */
#include "support/check.h"
#include "support/half.h"
#include "support/matrix.h"
#include "support/random.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 75, COLS = 512, BATCH = 19, EXPERTS = 5, USES = 3, MAX_TEAM = 7 };

/* Experts of one shape, each also as a matrix of its own. */
struct model {
    tmac_context *context;
    struct matrix matrix[EXPERTS];
    tmac_weights *expert[EXPERTS];
    tmac_weights *stacked;
    float *x; /* [BATCH][COLS] */
    tmac_activations activations;
    float *bias; /* [EXPERTS][ROWS] */
};

static const struct matrix_kind kind = {.rows = ROWS,
                                        .cols = COLS,
                                        .width = TMAC_WIDTH_4,
                                        .codes = TMAC_CODES_BYTES,
                                        .group = 32,
                                        .scale_type = TMAC_SCALE_F16,
                                        .zero = TMAC_ZERO_SYMMETRIC};

static float *random_floats(struct rng *rng, size_t count)
{
    float *floats = aligned_alloc(TMAC_TABLES_ALIGNMENT, (count * sizeof *floats + 63) / 64 * 64);

    for (size_t i = 0; i < count; i++)
        floats[i] = rng_normal(rng);
    return floats;
}

/* All experts' codes and scales one below the other. */
static tmac_weights *pack_stacked(const struct model *m)
{
    uint8_t *codes = malloc(EXPERTS * ROWS * COLS);
    uint16_t *scales = malloc(EXPERTS * ROWS * COLS / 32 * sizeof *scales);
    tmac_weights_desc desc = m->matrix[0].desc;
    tmac_weights *weights;

    for (int e = 0; e < EXPERTS; e++) {
        memcpy(codes + e * ROWS * COLS, m->matrix[e].desc.codes, ROWS * COLS);
        memcpy(scales + e * ROWS * COLS / 32, m->matrix[e].desc.scales,
               ROWS * COLS / 32 * sizeof *scales);
    }
    desc.rows = EXPERTS * ROWS;
    desc.codes = codes;
    desc.scales = scales;
    CHECK_OK(tmac_weights_pack(m->context, &desc, &weights));
    free(codes);
    free(scales);
    return weights;
}

static void model_new(struct model *m, const char *isa, int threads)
{
    const tmac_context_options options = {
        .struct_size = sizeof options, .isa = isa, .threads = threads};
    struct rng rng = rng_stream(rng_environment_seed(), 1, 0);

    memset(m, 0, sizeof *m);
    CHECK_OK(tmac_context_create(&options, &m->context));
    for (int e = 0; e < EXPERTS; e++) {
        matrix_new(&m->matrix[e], &kind, &rng);
        CHECK_OK(tmac_weights_pack(m->context, &m->matrix[e].desc, &m->expert[e]));
    }
    m->stacked = pack_stacked(m);
    m->x = random_floats(&rng, BATCH * COLS);
    m->bias = random_floats(&rng, EXPERTS * ROWS);
    m->activations = (tmac_activations){
        .struct_size = sizeof m->activations, .cols = COLS, .batch = BATCH, .data = m->x};
}

static void model_free(struct model *m)
{
    for (int e = 0; e < EXPERTS; e++) {
        tmac_weights_free(m->expert[e]);
        matrix_free(&m->matrix[e]);
    }
    tmac_weights_free(m->stacked);
    tmac_context_free(m->context);
    free(m->x);
    free(m->bias);
}

/* Expert e times input n, as tmac_matmul has it. */
static void product(const struct model *m, int e, int n, float y[ROWS])
{
    tmac_activations one = m->activations;

    one.batch = 1;
    one.data = m->x + n * COLS;
    CHECK_OK(tmac_matmul(m->context, m->expert[e], &one, y, ROWS));
}

/* ---- teams ----------------------------------------------------------------------------------- */

struct member {
    pthread_t thread;
    const struct model *model;
    tmac_multiply_args args;
    tmac_team team;
    tmac_status status;
};

static void wait_for_all(void *host)
{
    pthread_barrier_wait(host);
}

static void *member_run(void *arg)
{
    struct member *member = arg;

    member->args.team = &member->team;
    member->status = tmac_multiply(member->model->context, &member->args);
    return NULL;
}

/* By `count` threads of ours; 0: by the context's, without a workspace. */
static tmac_status multiply_by(const struct model *m, tmac_multiply_args args, int count)
{
    struct member members[MAX_TEAM];
    pthread_barrier_t barrier;
    tmac_team team = {.struct_size = sizeof team, .count = count};
    size_t bytes = 0;
    tmac_status status;

    if (count == 0)
        return tmac_multiply(m->context, &args);
    args.team = &team;
    if ((status = tmac_multiply_workspace(m->context, &args, &bytes)))
        return status;
    CHECK(posix_memalign(&args.workspace, TMAC_TABLES_ALIGNMENT, bytes + 1) == 0, "memory");
    args.workspace_bytes = bytes;
    memset(args.workspace, 0xff, bytes + 1);
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        members[i] = (struct member){.model = m, .args = args};
        members[i].team = (tmac_team){sizeof(tmac_team), i, count, wait_for_all, &barrier};
        CHECK(pthread_create(&members[i].thread, NULL, member_run, &members[i]) == 0, "thread");
    }
    for (int i = 0; i < count; i++) {
        pthread_join(members[i].thread, NULL);
        CHECK(members[i].status == members[0].status, "member %d: %d", i, members[i].status);
    }
    CHECK(((uint8_t *)args.workspace)[bytes] == 0xff, "wrote behind the workspace");
    pthread_barrier_destroy(&barrier);
    free(args.workspace);
    return members[0].status;
}

/* ---- one matrix ------------------------------------------------------------------------------ */

struct variant {
    tmac_output_type type;
    bool accumulate, bias, tables;
    int64_t row_begin, row_end;
    int64_t batch;
    int team;
};

static float old_value(tmac_output_type type, const void *y, size_t at)
{
    return type == TMAC_OUTPUT_F32   ? ((const float *)y)[at]
           : type == TMAC_OUTPUT_F16 ? half_to_float(((const uint16_t *)y)[at])
                                     : bf16_to_float(((const uint16_t *)y)[at]);
}

/* The nearer of the two neighbours, or the even one. */
static uint16_t nearest_bf16(float value)
{
    const uint16_t below = bf16_from_float(value), above = (uint16_t)(below + 1);
    const double down = fabs((double)value - (double)bf16_to_float(below));
    const double up = fabs((double)value - (double)bf16_to_float(above));

    return down < up || (down == up && below % 2 == 0) ? below : above;
}

/* What element `at` must be after the call. */
static bool is_right(const struct variant *v, const void *y, const void *before, size_t at,
                     float product, float bias)
{
    float value = product;
    uint16_t half;

    if (v->bias)
        value += bias;
    if (v->accumulate)
        value += old_value(v->type, before, at);
    if (v->type == TMAC_OUTPUT_F32)
        return memcmp((const float *)y + at, &value, sizeof value) == 0;
    half = v->type == TMAC_OUTPUT_F16 ? half_from_float(value) : nearest_bf16(value);
    return ((const uint16_t *)y)[at] == half;
}

static void check_outputs(const struct model *m, const struct variant *v, const void *y,
                          const void *before, int64_t stride)
{
    const size_t element = v->type == TMAC_OUTPUT_F32 ? 4 : 2;
    const int64_t end = v->row_end ? v->row_end : ROWS;
    float right[ROWS];

    for (int64_t n = 0; n < BATCH; n++) {
        product(m, 0, (int)n, right);
        for (int64_t r = 0; r < stride; r++) {
            const size_t at = (size_t)(n * stride + r);
            const bool written = n < v->batch && r >= v->row_begin && r < end;
            CHECK(
                written ? is_right(v, y, before, at, right[r], m->bias[r])
                        : !memcmp((const char *)y + at * element,
                                  (const char *)before + at * element, element),
                "type %d, accumulate %d, bias %d, tables %d, rows %d..%d, batch %d, team %d: input "
                "%d, row %d",
                (int)v->type, v->accumulate, v->bias, v->tables, (int)v->row_begin, (int)end,
                (int)v->batch, v->team, (int)n, (int)r);
        }
    }
}

static void check_variant(const struct model *m, const struct variant *v)
{
    const int64_t stride = ROWS + 3;
    struct rng rng = rng_stream(rng_environment_seed(), 2, 0);
    float *y = random_floats(&rng, (size_t)(BATCH * stride)), *before;
    tmac_activations x = m->activations;
    tmac_tables *tables = NULL;
    tmac_multiply_args args = {.struct_size = sizeof args,
                               .weights = m->expert[0],
                               .y = y,
                               .stride = stride,
                               .output_type = v->type,
                               .flags = v->accumulate ? TMAC_MULTIPLY_ACCUMULATE : 0,
                               .bias = v->bias ? m->bias : NULL,
                               .row_begin = v->row_begin,
                               .row_end = v->row_end};

    for (int64_t i = 0; i < BATCH * stride && v->type != TMAC_OUTPUT_F32; i++)
        ((uint16_t *)y)[i] = v->type == TMAC_OUTPUT_F16 ? half_from_float(rng_normal(&rng))
                                                        : bf16_from_float(rng_normal(&rng));
    before = malloc((size_t)(BATCH * stride) * sizeof *before);
    memcpy(before, y, (size_t)(BATCH * stride) * sizeof *before);
    x.batch = v->batch;
    if (v->tables) {
        CHECK_OK(tmac_tables_create(m->context, m->expert[0], BATCH, &tables));
        CHECK_OK(tmac_tables_build(m->context, tables, &x));
        args.tables = tables;
    } else {
        args.activations = &x;
    }
    CHECK_OK(multiply_by(m, args, v->team));
    check_outputs(m, v, y, before, stride);
    tmac_tables_free(tables);
    free(before);
    free(y);
}

static void test_one_matrix(void **state)
{
    static const int64_t batches[] = {1, 3, 8, BATCH};
    static const int teams[] = {0, 1, 2, MAX_TEAM};
    struct model m;

    (void)state;
    model_new(&m, NULL, 2);
    for (int i = 0; i < 3 * 2 * 2 * 2 * 3 * 4 * 4; i += check_share(1)) {
        const int rows = i / 24 % 3;
        const struct variant v = {
            .type = (tmac_output_type)(i % 3),
            .accumulate = i / 3 % 2,
            .bias = i / 6 % 2,
            .tables = i / 12 % 2,
            .row_begin = rows == 0   ? 0
                         : rows == 1 ? 32
                                     : 33,
            .row_end = rows == 0   ? 0
                       : rows == 1 ? 64
                                   : 70,
            .batch = batches[i / 72 % 4],
            .team = teams[i / 288],
        };
        check_variant(&m, &v);
    }
    model_free(&m);
}

/* A short input: every thread of a team builds tables of its own. */
static void test_short_and_long_inputs(void **state)
{
    struct model m;
    float y[ROWS], right[ROWS];

    (void)state;
    model_new(&m, NULL, 1);
    product(&m, 2, 0, right);
    for (int count = 0; count <= MAX_TEAM; count++) {
        tmac_activations one = m.activations;
        const tmac_multiply_args args = {.struct_size = sizeof args,
                                         .weights = m.expert[2],
                                         .activations = &one,
                                         .y = y,
                                         .stride = ROWS};
        one.batch = 1;
        memset(y, 0, sizeof y);
        CHECK_OK(multiply_by(&m, args, count));
        CHECK(memcmp(y, right, sizeof y) == 0, "team of %d", count);
    }
    model_free(&m);
}

/* ---- experts --------------------------------------------------------------------------------- */

struct mixture {
    int64_t batch, uses;
    bool stacked, bias;
    int ids; /* 0: random, 1: all the same, 2: some negative, 3: no expert twice */
    int team;
};

static int32_t expert_of(const struct mixture *mixture, struct rng *rng, int64_t position)
{
    switch (mixture->ids) {
    case 1:
        return 3;
    case 2:
        return (int32_t)rng_between(rng, -2, EXPERTS - 1);
    case 3:
        return (int32_t)(position < EXPERTS ? EXPERTS - 1 - position : -1);
    default:
        return (int32_t)rng_between(rng, 0, EXPERTS - 1);
    }
}

static void check_mixture(const struct model *m, const struct mixture *mixture)
{
    enum { STRIDE = ROWS + 5 };
    const int64_t ids_stride = mixture->uses + 2;
    struct rng rng = rng_stream(rng_environment_seed(), 3, (uint64_t)mixture->ids);
    int32_t ids[BATCH * (USES + 2)];
    float *y = malloc(BATCH * USES * STRIDE * sizeof *y);
    tmac_activations x = m->activations;
    const tmac_multiply_args args = {
        .struct_size = sizeof args,
        .weights = mixture->stacked ? m->stacked : NULL,
        .experts = mixture->stacked ? NULL : (const tmac_weights *const *)m->expert,
        .expert_count = EXPERTS,
        .activations = &x,
        .y = y,
        .stride = STRIDE,
        .bias = mixture->bias ? m->bias : NULL,
        .ids = ids,
        .uses = mixture->uses,
        .ids_stride = ids_stride,
    };

    x.batch = mixture->batch;
    memset(ids, 0x7f, sizeof ids);
    for (int64_t p = 0; p < mixture->batch * mixture->uses; p++)
        ids[p / mixture->uses * ids_stride + p % mixture->uses] = expert_of(mixture, &rng, p);
    for (int64_t i = 0; i < BATCH * USES * STRIDE; i++)
        y[i] = 12345.0f;
    CHECK_OK(multiply_by(m, args, mixture->team));
    for (int64_t p = 0; p < BATCH * mixture->uses; p++) {
        const int64_t n = p / mixture->uses;
        const int32_t id = n < mixture->batch ? ids[n * ids_stride + p % mixture->uses] : -1;
        float right[ROWS];

        if (id >= 0)
            product(m, id, (int)n, right);
        for (int64_t r = 0; r < STRIDE; r++) {
            const float want = id < 0 || r >= ROWS ? 12345.0f
                               : mixture->bias     ? right[r] + m->bias[id * ROWS + r]
                                                   : right[r];
            CHECK(memcmp(&y[p * STRIDE + r], &want, sizeof want) == 0,
                  "batch %d, uses %d, stacked %d, ids %d, team %d: position %d, row %d: %g, not %g",
                  (int)mixture->batch, (int)mixture->uses, mixture->stacked, mixture->ids,
                  mixture->team, (int)p, (int)r, (double)y[p * STRIDE + r], (double)want);
        }
    }
    free(y);
}

static void test_experts(void **state)
{
    static const int64_t batches[] = {1, 2, BATCH};
    static const int teams[] = {0, 1, 3};
    struct model m;

    (void)state;
    model_new(&m, NULL, 2);
    for (int i = 0; i < 3 * USES * 2 * 2 * 4 * 3; i += check_share(1)) {
        const struct mixture mixture = {
            .batch = batches[i % 3],
            .uses = 1 + i / 3 % USES,
            .stacked = i / 9 % 2,
            .bias = i / 18 % 2,
            .ids = i / 36 % 4,
            .team = teams[i / 144],
        };
        check_mixture(&m, &mixture);
    }
    model_free(&m);
}

/* ---- bad arguments --------------------------------------------------------------------------- */

static tmac_multiply_args good_args(const struct model *m, float *y)
{
    return (tmac_multiply_args){.struct_size = sizeof(tmac_multiply_args),
                                .weights = m->expert[0],
                                .activations = &m->activations,
                                .y = y,
                                .stride = ROWS};
}

static tmac_multiply_args good_mixture(const struct model *m, float *y, const int32_t *ids)
{
    tmac_multiply_args args = good_args(m, y);

    args.weights = m->stacked;
    args.expert_count = EXPERTS;
    args.ids = ids;
    args.uses = 1;
    return args;
}

static void test_bad_arguments(void **state)
{
    struct model m, other;
    float *y = calloc(BATCH * ROWS + 1, sizeof *y);
    tmac_tables *tables;
    tmac_multiply_args args;

    (void)state;
    model_new(&m, NULL, 1);
    model_new(&other, NULL, 1);
    CHECK_OK(tmac_tables_create(m.context, m.expert[0], 1, &tables));
#define REFUSED(change, status)                                                                    \
    do {                                                                                           \
        args = good_args(&m, y);                                                                   \
        change;                                                                                    \
        CHECK_STATUS(tmac_multiply(m.context, &args), status, "%s", #change);                      \
    } while (0)
    CHECK_STATUS(tmac_multiply(NULL, &args), TMAC_ERROR_NULL, "context");
    CHECK_STATUS(tmac_multiply(m.context, NULL), TMAC_ERROR_NULL, "arguments");
    REFUSED(args.struct_size = 8, TMAC_ERROR_STRUCT_SIZE);
    REFUSED(args.weights = NULL, TMAC_ERROR_NULL);
    REFUSED(args.weights = other.expert[0], TMAC_ERROR_CONTEXT);
    REFUSED(args.activations = NULL, TMAC_ERROR_INPUTS);
    REFUSED(args.tables = tables, TMAC_ERROR_INPUTS);
    REFUSED((args.activations = NULL, args.tables = tables), TMAC_ERROR_NOT_BUILT);
    REFUSED(args.y = NULL, TMAC_ERROR_NULL);
    REFUSED(args.y = (char *)y + 2, TMAC_ERROR_ALIGNMENT);
    REFUSED(args.bias = (const float *)(const void *)((const char *)m.bias + 1),
            TMAC_ERROR_ALIGNMENT);
    REFUSED(args.stride = ROWS - 1, TMAC_ERROR_SHAPE);
    REFUSED(args.stride = INT64_MAX / 2, TMAC_ERROR_OVERFLOW);
    REFUSED(args.output_type = (tmac_output_type)3, TMAC_ERROR_ENUM);
    REFUSED(args.flags = 2, TMAC_ERROR_ENUM);
    REFUSED((args.row_begin = 5, args.row_end = 4), TMAC_ERROR_ROW_RANGE);
    REFUSED(args.row_begin = -1, TMAC_ERROR_ROW_RANGE);
    REFUSED(args.row_end = ROWS + 1, TMAC_ERROR_ROW_RANGE);
    REFUSED(args.expert_count = -1, TMAC_ERROR_EXPERT);
    REFUSED(args.experts = (const tmac_weights *const *)m.expert, TMAC_ERROR_EXPERT);
    REFUSED((args.workspace = m.x, args.workspace_bytes = 0), TMAC_ERROR_BUFFER_SIZE);
    REFUSED((args.workspace = (char *)m.x + 8, args.workspace_bytes = SIZE_MAX),
            TMAC_ERROR_ALIGNMENT);
#undef REFUSED
    tmac_tables_free(tables);
    model_free(&other);
    model_free(&m);
    free(y);
}

static void test_bad_experts(void **state)
{
    struct model m, other;
    float *y = calloc(BATCH * ROWS, sizeof *y);
    int32_t ids[BATCH] = {0};
    const tmac_weights *mixed[EXPERTS];
    tmac_multiply_args args;

    (void)state;
    model_new(&m, NULL, 1);
    model_new(&other, NULL, 1);
#define REFUSED(change, status)                                                                    \
    do {                                                                                           \
        args = good_mixture(&m, y, ids);                                                           \
        change;                                                                                    \
        CHECK_STATUS(tmac_multiply(m.context, &args), status, "%s", #change);                      \
    } while (0)
    REFUSED(args.ids = NULL, TMAC_ERROR_NULL);
    REFUSED(args.ids = (const int32_t *)(const void *)((const char *)ids + 1),
            TMAC_ERROR_ALIGNMENT);
    REFUSED(args.uses = 0, TMAC_ERROR_SHAPE);
    REFUSED((args.uses = 2, args.ids_stride = 1), TMAC_ERROR_SHAPE);
    REFUSED(args.uses = INT64_MAX, TMAC_ERROR_OVERFLOW);
    REFUSED(args.expert_count = 2, TMAC_ERROR_EXPERT); /* does not divide the rows */
    REFUSED(args.experts = mixed, TMAC_ERROR_NULL);    /* and weights */
    memcpy(mixed, m.expert, sizeof mixed);
    mixed[3] = NULL;
    REFUSED((args.weights = NULL, args.experts = mixed), TMAC_ERROR_NULL);
    mixed[3] = other.expert[3];
    REFUSED((args.weights = NULL, args.experts = mixed), TMAC_ERROR_CONTEXT);
    mixed[3] = m.stacked;
    REFUSED((args.weights = NULL, args.experts = mixed), TMAC_ERROR_EXPERT);
    ids[BATCH - 1] = EXPERTS;
    REFUSED(args.flags = 0, TMAC_ERROR_EXPERT);
#undef REFUSED
    for (int i = 0; i < BATCH * ROWS; i++)
        CHECK(y[i] == 0.0f, "written before the error");
    args = good_mixture(&m, y, ids);
    CHECK_STATUS(multiply_by(&m, args, 3), TMAC_ERROR_EXPERT, "a team");
    model_free(&other);
    model_free(&m);
    free(y);
}

static void test_bad_teams(void **state)
{
    struct model m;
    float *y = calloc(BATCH * ROWS, sizeof *y);
    tmac_multiply_args args;
    tmac_team team = {.struct_size = sizeof team, .count = 1};
    size_t bytes;

    (void)state;
    model_new(&m, NULL, 1);
    args = good_args(&m, y);
    args.team = &team;
    CHECK_STATUS(tmac_multiply(m.context, &args), TMAC_ERROR_NULL, "no workspace");
    CHECK_OK(tmac_multiply_workspace(m.context, &args, &bytes));
    CHECK_STATUS(tmac_multiply_workspace(m.context, &args, NULL), TMAC_ERROR_NULL, "bytes");
    team.index = 1;
    CHECK_STATUS(tmac_multiply(m.context, &args), TMAC_ERROR_THREADS, "index");
    team.index = 0;
    team.count = 0;
    CHECK_STATUS(tmac_multiply(m.context, &args), TMAC_ERROR_THREADS, "count 0");
    team.count = 1025;
    CHECK_STATUS(tmac_multiply(m.context, &args), TMAC_ERROR_THREADS, "count 1025");
    team.count = 2;
    CHECK_STATUS(tmac_multiply(m.context, &args), TMAC_ERROR_NULL, "no barrier");
    team.struct_size = 0;
    CHECK_STATUS(tmac_multiply(m.context, &args), TMAC_ERROR_STRUCT_SIZE, "team's size");
    model_free(&m);
    free(y);
}

static void test_empty_batch(void **state)
{
    struct model m;
    tmac_multiply_args args;
    tmac_activations none;

    (void)state;
    model_new(&m, NULL, 2);
    none = m.activations;
    none.batch = 0;
    none.data = NULL;
    args = good_args(&m, NULL);
    args.activations = &none;
    CHECK_OK(multiply_by(&m, args, 0));
    CHECK_OK(multiply_by(&m, args, 3));
    args = good_mixture(&m, NULL, NULL);
    args.activations = &none;
    CHECK_OK(multiply_by(&m, args, 0));
    CHECK_OK(multiply_by(&m, args, 3));
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_matrix),  cmocka_unit_test(test_short_and_long_inputs),
        cmocka_unit_test(test_experts),     cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_bad_experts), cmocka_unit_test(test_bad_teams),
        cmocka_unit_test(test_empty_batch),
    };

    return cmocka_run_group_tests_name("multiply_args", tests, NULL, NULL);
}
