/* SPDX-License-Identifier: MIT
 *
 * No call takes more than TMAC_STACK_BYTES of its thread's stack: each runs on a stack of 128 KB that was
 * painted before, with the work of all of a context's threads on it; the deepest byte that lost its paint
 * tells. Every format, layout, size of batch and instruction set. */
#define _DEFAULT_SOURCE

#include "support/blocks.h"
#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"
#include "support/widths.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK = 128 * 1024, PAINT = 0xc9, ROWS = 96, COLS = 1024, MAX_BATCH = 256, THREADS = 3 };

/* Sanitizers and compilers that do not optimize have frames of another size. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
static const bool strict = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
static const bool strict = false;
#else
static const bool strict = true;
#endif
#else
static const bool strict = true;
#endif

static const int64_t batches[] = {1, 2, 4, 8, 13, 32, MAX_BATCH};
static float x[MAX_BATCH * COLS], y[MAX_BATCH * ROWS], floats[ROWS * COLS];
static uint8_t blocks[ROWS * COLS * 2];

/* ---- one call on a stack of its own ---------------------------------------------------------- */

enum call {
    CREATE,
    QUERY,
    PACK,
    ATTACH,
    UNPACK,
    UNPACK_GGML,
    BUILD,
    GEMV,
    GEMM,
    MATMUL,
    MULTIPLY,
    EXPERTS,
    TUNE,
    TUNING,
    CALLS
};
static const char *const call_names[CALLS] = {"context_create", "packed_query",
                                              "weights_pack",   "weights_attach",
                                              "weights_unpack", "weights_unpack_ggml",
                                              "tables_build",   "gemv",
                                              "gemm",           "matmul",
                                              "multiply",       "multiply, experts",
                                              "tune",           "tuning_read, tuning_write"};

/* What a call is made with; its own outputs are here too. */
struct work {
    enum call call;
    const tmac_context_options *options;
    tmac_context *context;
    const tmac_weights_desc *desc;
    tmac_weights *weights;
    const tmac_weights_info *info;
    tmac_tables *tables;
    tmac_activations activations;
    int32_t ggml_type;
    tmac_status status;
    uintptr_t top; /* of the stack, when the call begins */
};

struct deepest {
    size_t bytes;
    char where[256];
};
static struct deepest deepest[CALLS];

static tmac_status call_experts(const struct work *w)
{
    static int32_t ids[MAX_BATCH * 2];
    const tmac_multiply_args args = {.struct_size = sizeof args,
                                     .weights = w->weights,
                                     .activations = &w->activations,
                                     .y = y,
                                     .stride = ROWS / 2,
                                     .expert_count = 2,
                                     .ids = ids,
                                     .uses = 2};

    for (int i = 0; i < MAX_BATCH * 2; i++)
        ids[i] = i % 2;
    return tmac_multiply(w->context, &args);
}

static tmac_status call_multiply(const struct work *w)
{
    const tmac_multiply_args args = {.struct_size = sizeof args,
                                     .weights = w->weights,
                                     .activations = &w->activations,
                                     .y = y,
                                     .stride = ROWS,
                                     .output_type = TMAC_OUTPUT_F16,
                                     .flags = TMAC_MULTIPLY_ACCUMULATE,
                                     .bias = floats};

    memset(y, 0, sizeof y);
    return tmac_multiply(w->context, &args);
}

static tmac_status call_tuning(bool measure, const struct work *w)
{
    static char text[4096];
    const tmac_tune_options options = {.struct_size = sizeof options, .seconds = 1e-6};
    tmac_tuning *tuning;
    size_t bytes;
    tmac_status status = tmac_tuning_create(&tuning);

    if (status == TMAC_OK && measure)
        status = tmac_tune(w->context, tuning, w->desc, &options);
    if (status == TMAC_OK && !(status = tmac_tuning_write(tuning, text, sizeof text, &bytes)))
        status = tmac_tuning_read(tuning, text, bytes);
    tmac_tuning_free(tuning);
    return status;
}

static tmac_status make_call(struct work *w)
{
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_weights *attached = NULL;
    tmac_status status;

    switch (w->call) {
    case CREATE:
        return tmac_context_create(w->options, &w->context);
    case QUERY:
        status = tmac_packed_query(w->context, w->desc, &plan);
        return status == TMAC_ERROR_LAYOUT ? TMAC_OK : status;
    case PACK:
        return tmac_weights_pack(w->context, w->desc, &w->weights);
    case ATTACH:
        status = tmac_weights_query(w->weights, &info);
        if (status == TMAC_OK)
            status = tmac_weights_attach(w->context, info.packed, info.packed_bytes,
                                         TMAC_ATTACH_VERIFY, &attached);
        tmac_weights_free(attached);
        return status;
    case UNPACK:
        return tmac_weights_unpack(w->weights, 0, ROWS, floats, COLS);
    case UNPACK_GGML:
        return tmac_weights_unpack_ggml(w->weights, w->ggml_type, 0, ROWS, blocks, 0);
    case BUILD:
        return tmac_tables_build(w->context, w->tables, &w->activations);
    case GEMV:
        return tmac_gemv(w->context, w->weights, w->tables, y);
    case GEMM:
        return tmac_gemm(w->context, w->weights, w->tables, y, ROWS);
    case MATMUL:
        return tmac_matmul(w->context, w->weights, &w->activations, y, ROWS);
    case MULTIPLY:
        return call_multiply(w);
    case EXPERTS:
        return call_experts(w);
    default:
        return call_tuning(w->call == TUNE, w);
    }
}

static void *on_painted_stack(void *arg)
{
    struct work *w = arg;

    w->top = (uintptr_t)__builtin_frame_address(0);
    w->status = make_call(w);
    return NULL;
}

/* Measures one call; `what` says which weights. */
static void measure(struct work *w, enum call call, const char *what)
{
    static _Alignas(4096) uint8_t stack[STACK];
    struct deepest *most = &deepest[call];
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = 0;

    w->call = call;
    memset(stack, PAINT, sizeof stack);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack, sizeof stack) == 0, "stack");
    CHECK(pthread_create(&thread, &attributes, on_painted_stack, w) == 0, "thread");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    CHECK_STATUS(w->status, TMAC_OK, "%s, %s", call_names[call], what);
    while (stack[untouched] == PAINT)
        untouched++;
    const size_t used = (size_t)(w->top - ((uintptr_t)stack + untouched));
    if (used > most->bytes) {
        most->bytes = used;
        snprintf(most->where, sizeof most->where, "%s", what);
    }
}

/* ---- all calls ------------------------------------------------------------------------------- */

/* The work of all threads, on the thread that calls. */
static void run_here(void *host, int count, tmac_task_fn *task, void *arg)
{
    (void)host;
    for (int i = 0; i < count; i++)
        task(arg, i);
}

static void measure_batches(struct work *w, int64_t most, const char *what)
{
    char where[256];

    CHECK_OK(tmac_tables_create(w->context, w->weights, MAX_BATCH, &w->tables));
    for (size_t b = 0; b < COUNT(batches) && batches[b] <= most; b++) {
        w->activations.batch = batches[b];
        snprintf(where, sizeof where, "%s, batch %d", what, (int)batches[b]);
        measure(w, BUILD, where);
        if (batches[b] == 1)
            measure(w, GEMV, where);
        measure(w, GEMM, where);
        measure(w, MATMUL, where);
        measure(w, MULTIPLY, where);
        measure(w, EXPERTS, where);
    }
    tmac_tables_free(w->tables);
}

static void measure_weights(struct work *w, const tmac_weights_desc *desc, int32_t ggml_type,
                            const char *name)
{
    tmac_weights_info info = {.struct_size = sizeof info};
    char what[200];

    w->desc = desc;
    w->ggml_type = ggml_type;
    measure(w, QUERY, name);
    if (!context_holds(w->context, desc))
        return;
    measure(w, PACK, name);
    CHECK_OK(tmac_weights_query(w->weights, &info));
    snprintf(what, sizeof what, "%s, %s: %s", tmac_context_isa(w->context), name, info.kernel);
    measure(w, ATTACH, what);
    measure(w, UNPACK, what);
    if (ggml_type >= 0)
        measure(w, UNPACK_GGML, what);
    if (info.native ||
        strcmp(tmac_context_isa(w->context), "scalar") == 0) /* slow once is enough */
        measure_batches(w, info.native ? MAX_BATCH : 8, what);
    tmac_weights_free(w->weights);
}

static void measure_ggml(struct work *w, struct rng *rng)
{
    const struct block_types *types = block_types();
    static uint8_t given[ROWS * COLS * 2];

    for (size_t t = 0; t < types->count; t++) {
        const tmac_format_info *info = &types->all[t].info;
        tmac_weights_desc desc = {.struct_size = sizeof desc};
        for (int i = 0; i < ROWS * COLS / info->block; i++)
            random_block(&types->all[t], rng, given + (size_t)i * (size_t)info->block_bytes);
        CHECK_OK(tmac_weights_desc_ggml(&desc, info->ggml_type, ROWS, COLS, given));
        measure_weights(w, &desc, info->ggml_type, info->name);
    }
}

static void measure_widths(struct work *w, struct rng *rng)
{
    for (int i = 0; i < TEST_WIDTHS * 4; i++) {
        const struct matrix_kind kind = {
            .rows = ROWS,
            .cols = COLS,
            .width = test_widths[i / 4],
            .codes = (tmac_code_format)(i % 2),
            .group = i % 4 == 3 ? TMAC_GROUP_ROW : 16,
            .scale_type = (tmac_scale_type)(i % 3),
            .zero = (tmac_zero)(i % 4),
            .sub = i % 4 == 3 ? TMAC_SUB_NONE : (tmac_sub_format)(i % 3),
            .super_group = i % 4 != 3 && i % 3 ? 64 : 0,
        };
        struct matrix matrix;
        matrix_new(&matrix, &kind, rng);
        measure_weights(w, &matrix.desc, -1, matrix_name(&kind));
        matrix_free(&matrix);
    }
}

static void measure_context(const tmac_context_options *options, bool ggml)
{
    const struct matrix_kind tuned = {
        .rows = ROWS, .cols = 128, .width = TMAC_WIDTH_4, .group = 32};
    const tmac_weights_desc desc = matrix_desc(&tuned);
    struct rng rng = rng_stream(1, 2, 3);
    struct work w = {.options = options};

    w.activations = (tmac_activations){
        .struct_size = sizeof w.activations, .cols = COLS, .batch = 1, .data = x};
    measure(&w, CREATE, options->layout ? options->layout : "");
    if (ggml)
        measure_ggml(&w, &rng);
    else
        measure_widths(&w, &rng);
    if (!options->layout) {
        w.desc = &desc;
        measure(&w, TUNE, options->isa);
        measure(&w, TUNING, options->isa);
    }
    tmac_context_free(w.context);
}

/* Every instruction set, with its own choice of layouts, in every mode, and in each one by name. */
static void measure_all(bool ggml)
{
    const struct isas isas = isas_available();

    for (int i = 0; i < isas.count; i++) {
        tmac_context_options options = {.struct_size = sizeof options,
                                        .isa = isas.name[i],
                                        .threads = THREADS,
                                        .parallel_for = run_here};
        for (int mode = TMAC_MODE_DEFAULT; mode <= TMAC_MODE_FAST; mode++) {
            options.mode = (tmac_mode)mode;
            measure_context(&options, ggml);
        }
        options.mode = TMAC_MODE_DEFAULT;
        for (int l = 0; l < LAYOUTS; l++) {
            options.layout = tmac_layout_name((enum tmac_layout)l);
            measure_context(&options, ggml);
        }
    }
}

static void check_deepest(void)
{
    for (int c = 0; c < CALLS; c++) {
        if (deepest[c].bytes)
            printf("    %-26s %6zu bytes: %s\n", call_names[c], deepest[c].bytes, deepest[c].where);
        CHECK(!strict || deepest[c].bytes <= TMAC_STACK_BYTES, "%s: %zu bytes, %s", call_names[c],
              deepest[c].bytes, deepest[c].where);
    }
}

static void test_widths_of_codes(void **state)
{
    (void)state;
    measure_all(false);
    check_deepest();
}

static void test_blocks_of_ggml(void **state)
{
    (void)state;
    measure_all(true);
    check_deepest();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths_of_codes),
        cmocka_unit_test(test_blocks_of_ggml),
    };
    struct rng rng = rng_stream(1, 2, 3);

    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = rng_normal(&rng);
    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
