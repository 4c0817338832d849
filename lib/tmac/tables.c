/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "engine/threads.h"

tmac_status tmac_tables_create(const tmac_context *context, const tmac_weights *weights,
                               int64_t max_batch, tmac_tables **out)
{
    struct tmac_table_shape shape;
    tmac_tables *tables, made = {.batch = -1};
    tmac_status status;

    if (!context || !weights || !out)
        return TMAC_ERROR_NULL;
    if (weights->context != context)
        return TMAC_ERROR_CONTEXT;
    if (max_batch < 1)
        return TMAC_ERROR_SHAPE;
    made.context = context;
    made.layout = weights->shape.table_layout;
    made.cols = weights->shape.spec.cols;
    made.max_batch = max_batch;
    if ((status = tmac_table_shape_init(&shape, made.layout, made.cols, max_batch)) ||
        (status = tmac_table_bytes(&shape, &made.bytes)))
        return status;

    made.memory = tmac_context_alloc(context, made.bytes, TMAC_TABLES_ALIGNMENT);
    tables = tmac_context_alloc(context, sizeof *tables, _Alignof(struct tmac_tables));
    if (!made.memory || !tables) {
        tmac_context_release(context, made.memory);
        tmac_context_release(context, tables);
        return TMAC_ERROR_MEMORY;
    }
    *tables = made;
    *out = tables;
    return TMAC_OK;
}

void tmac_tables_free(tmac_tables *tables)
{
    if (tables) {
        tmac_context_release(tables->context, tables->memory);
        tmac_context_release(tables->context, tables);
    }
}

struct build_job {
    struct tmac_table_source source;
    int parts;
    uint8_t *memory;
};

static void build_part(void *arg, int index)
{
    const struct build_job *job = arg;
    tmac_table_build(&job->source, index, job->parts, job->memory);
}

tmac_status tmac_tables_build(const tmac_context *context, tmac_tables *tables,
                              const tmac_activations *given)
{
    tmac_activations activations;
    struct tmac_table_shape shape;
    tmac_status status;

    if (!tables)
        return TMAC_ERROR_NULL;
    tables->batch = -1; /* whatever goes wrong from here on */
    if (!context)
        return TMAC_ERROR_NULL;
    if (tables->context != context)
        return TMAC_ERROR_CONTEXT;
    if ((status = tmac_struct_read(&activations, sizeof activations, sizeof activations, given)) ||
        (status = tmac_activations_check(&activations, true)))
        return status;
    if (activations.cols != tables->cols)
        return TMAC_ERROR_SHAPE;
    if (activations.batch > tables->max_batch)
        return TMAC_ERROR_BATCH;
    if ((status = tmac_activations_suit(&activations, tables->layout, context->exact)) ||
        (status = tmac_table_shape_init(&shape, tables->layout, tables->cols, activations.batch)))
        return status;

    /* 2^13 activations take a few microseconds, about what it costs to wake a thread. */
    const double work = (double)activations.cols * (double)activations.batch;
    struct build_job job = {{.tools = context->tools,
                             .shape = &shape,
                             .activations = &activations,
                             .exact = context->exact},
                            tmac_tasks(context, work, 1 << 13),
                            tables->memory};
    tmac_run(context, job.parts, build_part, &job);
    tables->batch = activations.batch;
    return TMAC_OK;
}

tmac_status tmac_tables_size(uint32_t table_layout, int64_t cols, int64_t batch, size_t *bytes)
{
    struct tmac_table_shape shape;
    const tmac_status status = tmac_table_shape_init(&shape, table_layout, cols, batch);

    if (status != TMAC_OK)
        return status;
    return bytes ? tmac_table_bytes(&shape, bytes) : TMAC_ERROR_NULL;
}

tmac_status tmac_tables_build_part(const tmac_context *context, uint32_t table_layout,
                                   const tmac_activations *given, int32_t part, int32_t parts,
                                   void *tables, size_t bytes)
{
    tmac_activations activations;
    struct tmac_table_shape shape;
    tmac_status status;
    size_t wanted;

    if (!context || !tables)
        return TMAC_ERROR_NULL;
    if (parts < 1 || part < 0 || part >= parts)
        return TMAC_ERROR_THREADS;
    if ((status = tmac_struct_read(&activations, sizeof activations, sizeof activations, given)) ||
        (status = tmac_activations_check(&activations, true)) ||
        (status =
             tmac_table_shape_init(&shape, table_layout, activations.cols, activations.batch)) ||
        (status = tmac_table_bytes(&shape, &wanted)) ||
        (status = tmac_activations_suit(&activations, table_layout, context->exact)))
        return status;
    if (!tmac_is_aligned(tables, TMAC_TABLES_ALIGNMENT))
        return TMAC_ERROR_ALIGNMENT;
    if (bytes < wanted)
        return TMAC_ERROR_BUFFER_SIZE;
    const struct tmac_table_source source = {.tools = context->tools,
                                             .shape = &shape,
                                             .activations = &activations,
                                             .exact = context->exact};
    tmac_table_build(&source, part, parts, tables);
    return TMAC_OK;
}
