/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include "engine/tune.h"

#include "engine/split.h"
#include "layouts/packed.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Inputs that blockings are compared with: a prompt's, and a multiple of every block of inputs. */
enum { MANY_BATCH = 256, MAX_BLOCKINGS = 32 };

/* What is multiplied, in memory of the context's allocator. */
struct trial {
    const struct tmac_tuner *tuner;
    struct tmac_shape shape;
    struct tmac_choice kernels;
    struct tmac_table_shape table_shape;
    uint8_t *packed;
    uint8_t *tables;
    float *y;
};

static void trial_free(struct trial *trial)
{
    const struct tmac_context *context = trial->tuner->context;

    tmac_context_release(context, trial->packed);
    tmac_context_release(context, trial->tables);
    tmac_context_release(context, trial->y);
}

/* Every byte is a legal code and, twice 0x2e, a small normal scale of any type: what is multiplied
 * does not matter to its time, as long as no number is denormal or infinite. */
static void fill_weights(const struct tmac_shape *shape, uint8_t *packed)
{
    uint32_t random = 1;

    memset(packed, 0x2e, shape->bytes);
    for (int64_t tile = 0; tile < shape->tiles; tile++) {
        uint8_t *codes = packed + tmac_tile_offset(shape, tile) + shape->scale_bytes;

        for (size_t i = 0; i < shape->tile_bytes - shape->scale_bytes; i++) {
            random = random * 1664525u + 1013904223u;
            codes[i] = (uint8_t)(random >> 24);
        }
    }
}

static void fill_inputs(float *x, size_t count)
{
    uint32_t random = 1;

    for (size_t i = 0; i < count; i++) {
        random = random * 1664525u + 1013904223u;
        x[i] = (float)(random >> 16) * 0x1p-15f - 1.0f;
    }
}

static tmac_status build_tables(const struct trial *trial)
{
    const struct tmac_context *context = trial->tuner->context;
    const struct tmac_table_shape *shape = &trial->table_shape;
    const size_t count = (size_t)shape->cols * (size_t)shape->batch;
    float *x = tmac_context_alloc(context, count * sizeof *x, TMAC_PACKED_ALIGNMENT);
    const tmac_activations activations = {
        .struct_size = sizeof activations, .cols = shape->cols, .batch = shape->batch, .data = x};
    const struct tmac_table_source source = {.tools = context->tools,
                                             .shape = shape,
                                             .activations = &activations,
                                             .exact = context->exact};

    if (!x)
        return TMAC_ERROR_MEMORY;
    fill_inputs(x, count);
    tmac_table_build(&source, 0, 1, trial->tables);
    tmac_context_release(context, x);
    return TMAC_OK;
}

/* Room for `batch` inputs, and their tables. */
static tmac_status trial_batch(struct trial *trial, int64_t batch)
{
    const struct tmac_context *context = trial->tuner->context;
    const struct tmac_spec *spec = &trial->shape.spec;
    size_t table_bytes, y_bytes, x_bytes; /* x_bytes: what build_tables takes */
    tmac_status status;

    if ((status = tmac_table_shape_init(&trial->table_shape, trial->shape.table_layout, spec->cols,
                                        batch)) ||
        (status = tmac_table_bytes(&trial->table_shape, &table_bytes)))
        return status;
    if (!tmac_size_mul((size_t)spec->rows * sizeof(float), (size_t)batch, &y_bytes) ||
        !tmac_size_mul((size_t)spec->cols * sizeof(float), (size_t)batch, &x_bytes))
        return TMAC_ERROR_OVERFLOW;
    tmac_context_release(context, trial->tables);
    tmac_context_release(context, trial->y);
    trial->tables = tmac_context_alloc(context, table_bytes, TMAC_PACKED_ALIGNMENT);
    trial->y = tmac_context_alloc(context, y_bytes, TMAC_PACKED_ALIGNMENT);
    return trial->tables && trial->y ? build_tables(trial) : TMAC_ERROR_MEMORY;
}

static tmac_status trial_new(struct trial *trial, const struct tmac_tuner *tuner,
                             enum tmac_layout layout, int64_t batch)
{
    struct tmac_spec spec = tuner->spec;
    tmac_status status;

    *trial = (struct trial){.tuner = tuner};
    spec.layout = layout;
    if ((status = tmac_shape_init(&trial->shape, &spec)))
        return status;
    trial->packed = tmac_context_alloc(tuner->context, trial->shape.bytes, TMAC_PACKED_ALIGNMENT);
    if (!trial->packed)
        return TMAC_ERROR_MEMORY;
    tmac_choose_kernels(tuner->context, &spec, &trial->kernels);
    fill_weights(&trial->shape, trial->packed);
    return trial_batch(trial, batch);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The fastest of some calls: noise only ever adds. The first warms up, and at least two count. */
static double trial_time(const struct trial *trial, struct tmac_blocking blocking)
{
    const struct tmac_product product = {
        &trial->shape,
        trial->tuner->context->tools,
        &trial->kernels,
        trial->packed,
        &trial->table_shape,
        trial->tables,
        {.y = trial->y, .stride = trial->shape.spec.rows},
        0,
        blocking,
    };
    const double start = now();
    double best = 0;

    for (int call = 0; call < 3 || now() - start < trial->tuner->seconds; call++) {
        const double begin = now();
        tmac_split_run(trial->tuner->context, &product, 0, trial->shape.spec.rows);
        const double time = now() - begin;
        if (call == 1 || (call > 1 && time < best))
            best = time;
    }
    return best;
}

static void tell(const struct tmac_tuner *tuner, int done, int count, const char *what)
{
    if (tuner->progress)
        tuner->progress(tuner->progress_host, done, count, what);
}

/* Blockings of a layout: the library's own first, then those that fit of a grid around it. */
static int list_blockings(const struct tmac_shape *shape,
                          struct tmac_blocking blockings[MAX_BLOCKINGS])
{
    static const struct {
        int batch, rows;
    } int8[] = {{64, 64}, {64, 128}, {128, 32}, {128, 64}, {256, 32}},
      lookup[] = {{8, 512}, {8, 1024}, {16, 256}, {16, 512}, {32, 256}, {64, 128}};
    const bool direct = tmac_layout_is_direct(shape->spec.layout);
    const int sizes =
        direct ? (int)(sizeof int8 / sizeof int8[0]) : (int)(sizeof lookup / sizeof lookup[0]);
    int count = 1;

    blockings[0] = (struct tmac_blocking){0};
    for (int i = 0; i < sizes; i++)
        for (int steps = 8; steps <= 32; steps *= 2) {
            const int batch = direct ? int8[i].batch : lookup[i].batch;
            const int rows = direct ? int8[i].rows : lookup[i].rows;
            const struct tmac_blocking blocking = {batch, rows / shape->tile_rows, steps};

            if (tmac_blocking_fits(&blocking, shape))
                blockings[count++] = blocking;
        }
    return count;
}

/* The fastest layout at the tuner's inputs. */
static tmac_status tune_layout(const struct tmac_tuner *tuner, const enum tmac_layout *layouts,
                               int layout_count, int count, enum tmac_layout *best)
{
    double best_time = 0;

    for (int i = 0; i < layout_count; i++) {
        struct trial trial;
        char what[64];

        snprintf(what, sizeof what, "layout %s", tmac_layout_name(layouts[i]));
        tell(tuner, i, count, what);
        const tmac_status status = trial_new(&trial, tuner, layouts[i], tuner->batch);
        const double time = status == TMAC_OK ? trial_time(&trial, (struct tmac_blocking){0}) : 0;
        trial_free(&trial);
        if (status != TMAC_OK)
            return status;
        if (i == 0 || time < best_time) {
            best_time = time;
            *best = layouts[i];
        }
    }
    return TMAC_OK;
}

static void tune_blocking(const struct trial *trial, const struct tmac_blocking *blockings,
                          int first, int count, struct tmac_blocking *best)
{
    double best_time = 0;

    for (int i = 0; first + i < count; i++) {
        char what[64];

        snprintf(what, sizeof what, "%d inputs: blocks of %d inputs, %d tiles, %d steps",
                 MANY_BATCH, blockings[i].batch, blockings[i].tiles, blockings[i].steps);
        tell(trial->tuner, first + i, count, what);
        const double time = trial_time(trial, blockings[i]);
        if (i == 0 || time < best_time) {
            best_time = time;
            *best = blockings[i];
        }
    }
}

tmac_status tmac_tune_measure(const struct tmac_tuner *tuner, struct tmac_tuned *best)
{
    enum tmac_layout layouts[TMAC_LAYOUT_COUNT];
    struct tmac_blocking blockings[MAX_BLOCKINGS];
    const int layout_count = tmac_layout_candidates(tuner->context, &tuner->spec, layouts);
    struct trial trial;
    tmac_status status;

    best->key = tmac_tuned_key(&tuner->spec, tuner->context->isa_mask, tuner->context->threads);
    if ((status = tune_layout(tuner, layouts, layout_count, layout_count + MAX_BLOCKINGS,
                              &best->layout)))
        return status;
    status = trial_new(&trial, tuner, best->layout, MANY_BATCH);
    if (status == TMAC_OK) {
        const int count = layout_count + list_blockings(&trial.shape, blockings);
        tune_blocking(&trial, blockings, layout_count, count, &best->blocking);
        tell(tuner, count, count, "done");
    }
    trial_free(&trial);
    return status;
}
