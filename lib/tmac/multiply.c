/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "engine/job.h"

/* ---- checks ---------------------------------------------------------------------------------- */

/* Room for `outputs` outputs of `rows` elements. */
static tmac_status check_output(const void *y, int64_t rows, int64_t outputs, int64_t stride,
                                size_t element)
{
    size_t elements;

    if (outputs == 0)
        return TMAC_OK;
    if (!y)
        return TMAC_ERROR_NULL;
    if (stride < rows)
        return TMAC_ERROR_SHAPE;
    if (!tmac_is_aligned(y, element))
        return TMAC_ERROR_ALIGNMENT;
    if (!tmac_size_mul((size_t)stride, (size_t)outputs, &elements) ||
        elements > PTRDIFF_MAX / element)
        return TMAC_ERROR_OVERFLOW;
    return TMAC_OK;
}

static tmac_status check_rows(int64_t rows, int64_t begin, int64_t end)
{
    return begin < 0 || begin > end || end > rows ? TMAC_ERROR_ROW_RANGE : TMAC_OK;
}

static tmac_status check_tables(const tmac_weights *weights, const tmac_tables *tables)
{
    if (tables->batch < 0)
        return TMAC_ERROR_NOT_BUILT;
    if (tables->layout != weights->shape.table_layout || tables->cols != weights->shape.spec.cols)
        return TMAC_ERROR_TABLE_LAYOUT;
    return TMAC_OK;
}

/* ---- from tables ----------------------------------------------------------------------------- */

static struct tmac_product product_of(const tmac_weights *weights,
                                      const struct tmac_table_shape *table_shape,
                                      const void *tables, float *y, int64_t stride)
{
    return (struct tmac_product){
        .shape = &weights->shape,
        .tools = weights->context->tools,
        .kernels = &weights->kernels,
        .packed = weights->packed,
        .table_shape = table_shape,
        .tables = tables,
        .output = {.y = y, .stride = stride},
        .blocking = weights->blocking,
    };
}

tmac_status tmac_gemm_rows(const tmac_context *context, const tmac_weights *weights,
                           const tmac_tables *tables, int64_t row_begin, int64_t row_end, float *y,
                           int64_t stride)
{
    struct tmac_table_shape table_shape;
    tmac_status status;

    if (!context || !weights || !tables)
        return TMAC_ERROR_NULL;
    if (weights->context != context || tables->context != context)
        return TMAC_ERROR_CONTEXT;
    if ((status = check_tables(weights, tables)) ||
        (status = check_rows(weights->shape.spec.rows, row_begin, row_end)) ||
        (status = check_output(y, weights->shape.spec.rows, tables->batch, stride, sizeof *y)) ||
        (status = tmac_table_shape_init(&table_shape, tables->layout, tables->cols, tables->batch)))
        return status;

    const struct tmac_product product =
        product_of(weights, &table_shape, tables->memory, y, stride);
    tmac_split_run(context, &product, row_begin, row_end);
    return TMAC_OK;
}

tmac_status tmac_gemm(const tmac_context *context, const tmac_weights *weights,
                      const tmac_tables *tables, float *y, int64_t stride)
{
    return weights
               ? tmac_gemm_rows(context, weights, tables, 0, weights->shape.spec.rows, y, stride)
               : TMAC_ERROR_NULL;
}

tmac_status tmac_gemv(const tmac_context *context, const tmac_weights *weights,
                      const tmac_tables *tables, float *y)
{
    if (!weights || !tables)
        return TMAC_ERROR_NULL;
    if (tables->batch > 1 || tables->batch == 0)
        return TMAC_ERROR_BATCH;
    return tmac_gemm(context, weights, tables, y, weights->shape.spec.rows);
}

tmac_status tmac_multiply_rows(const tmac_weights *weights, const void *tables, size_t bytes,
                               int64_t batch, int64_t row_begin, int64_t row_end, float *y,
                               int64_t stride)
{
    struct tmac_table_shape table_shape;
    tmac_status status;
    size_t wanted;

    if (!weights || (!tables && batch))
        return TMAC_ERROR_NULL;
    if ((status = tmac_table_shape_init(&table_shape, weights->shape.table_layout,
                                        weights->shape.spec.cols, batch)) ||
        (status = tmac_table_bytes(&table_shape, &wanted)) ||
        (status = check_rows(weights->shape.spec.rows, row_begin, row_end)) ||
        (status = check_output(y, weights->shape.spec.rows, batch, stride, sizeof *y)))
        return status;
    if (!tmac_is_aligned(tables, TMAC_TABLES_ALIGNMENT))
        return TMAC_ERROR_ALIGNMENT;
    if (bytes < wanted)
        return TMAC_ERROR_BUFFER_SIZE;

    const struct tmac_product product = product_of(weights, &table_shape, tables, y, stride);
    tmac_product_multiply(&product, row_begin, row_end, 0, batch);
    return TMAC_OK;
}

/* ---- with everything ------------------------------------------------------------------------- */

/* A caller's arguments, and the structs they point to, as this version knows them. */
struct request {
    tmac_multiply_args args;
    tmac_activations activations;
    tmac_team team;
    struct tmac_job job;
};

static tmac_status read_team(struct request *request, bool with_data)
{
    const tmac_status status = tmac_struct_read(&request->team, sizeof request->team,
                                                sizeof request->team, request->args.team);

    if (status != TMAC_OK)
        return status;
    if (request->team.count < 1 || request->team.count > TMAC_MAX_THREADS ||
        request->team.index < 0 || request->team.index >= request->team.count)
        return TMAC_ERROR_THREADS;
    if (with_data && request->team.count > 1 && !request->team.barrier)
        return TMAC_ERROR_NULL;
    request->job.team = &request->team;
    return TMAC_OK;
}

/* The inputs: activations, whose data may be NULL unless `with_data`, or tables. */
static tmac_status read_inputs(struct request *request, bool with_data)
{
    const tmac_multiply_args *args = &request->args;
    struct tmac_job *job = &request->job;
    tmac_status status;

    if (!args->activations == !args->tables)
        return TMAC_ERROR_INPUTS;
    if (args->tables) {
        if (args->expert_count)
            return TMAC_ERROR_INPUTS;
        if (args->tables->context != job->context)
            return TMAC_ERROR_CONTEXT;
        job->batch = args->tables->batch;
        return check_tables(job->weights, args->tables);
    }
    if ((status = tmac_struct_read(&request->activations, sizeof request->activations,
                                   sizeof request->activations, args->activations)) ||
        (status = tmac_activations_check(&request->activations, with_data)))
        return status;
    if (request->activations.cols != job->weights->shape.spec.cols)
        return TMAC_ERROR_SHAPE;
    job->activations = &request->activations;
    job->batch = request->activations.batch;
    return tmac_activations_suit(&request->activations, job->table_layout, job->context->exact);
}

/* All experts are packed alike, so that one walk and the same tables do for all. */
static tmac_status check_experts(const tmac_multiply_args *args, const tmac_context *context)
{
    for (int64_t e = 0; e < args->expert_count; e++) {
        if (!args->experts[e])
            return TMAC_ERROR_NULL;
        if (args->experts[e]->context != context)
            return TMAC_ERROR_CONTEXT;
        if (!tmac_spec_equal(&args->experts[e]->shape.spec, &args->experts[0]->shape.spec))
            return TMAC_ERROR_EXPERT;
    }
    return TMAC_OK;
}

static tmac_status read_weights(struct request *request)
{
    const tmac_multiply_args *args = &request->args;
    struct tmac_job *job = &request->job;
    tmac_status status;

    if (args->expert_count < 0 || (args->experts && args->expert_count == 0))
        return TMAC_ERROR_EXPERT;
    if (!args->weights == !args->experts)
        return TMAC_ERROR_NULL;
    if (args->experts && (status = check_experts(args, job->context)))
        return status;
    job->weights = args->experts ? args->experts[0] : args->weights;
    if (job->weights->context != job->context)
        return TMAC_ERROR_CONTEXT;
    job->experts = args->expert_count;
    job->cols = job->weights->shape.spec.cols;
    job->rows = job->weights->shape.spec.rows;
    job->table_layout = job->weights->shape.table_layout;
    if (job->experts && !args->experts) {
        if (job->rows % job->experts)
            return TMAC_ERROR_EXPERT;
        job->rows /= job->experts;
    }
    return TMAC_OK;
}

/* How many outputs there are, and whose: [batch][uses]. */
static tmac_status read_uses(struct request *request, bool with_data)
{
    const tmac_multiply_args *args = &request->args;
    struct tmac_job *job = &request->job;
    size_t all;

    job->positions = job->batch;
    if (!job->experts)
        return TMAC_OK;
    if (args->uses < 1 || (args->ids_stride && args->ids_stride < args->uses))
        return TMAC_ERROR_SHAPE;
    if (!tmac_size_mul((size_t)job->batch,
                       (size_t)(args->ids_stride ? args->ids_stride : args->uses), &all) ||
        all > PTRDIFF_MAX / sizeof(int64_t))
        return TMAC_ERROR_OVERFLOW;
    job->positions = job->batch * args->uses;
    if (with_data && job->batch && !args->ids)
        return TMAC_ERROR_NULL;
    return with_data && !tmac_is_aligned(args->ids, sizeof *args->ids) ? TMAC_ERROR_ALIGNMENT
                                                                       : TMAC_OK;
}

static tmac_status read_request(const tmac_context *context, const tmac_multiply_args *given,
                                bool with_data, struct request *request)
{
    const tmac_multiply_args *args = &request->args;
    tmac_status status;

    memset(request, 0, sizeof *request);
    if (!context)
        return TMAC_ERROR_NULL;
    if ((status =
             tmac_struct_read(&request->args, sizeof request->args, sizeof request->args, given)))
        return status;
    request->job.context = context;
    request->job.args = args;
    if (args->output_type < TMAC_OUTPUT_F32 || args->output_type > TMAC_OUTPUT_BF16 ||
        (args->flags & ~TMAC_MULTIPLY_ACCUMULATE))
        return TMAC_ERROR_ENUM;
    if ((args->team && (status = read_team(request, with_data))) ||
        (status = read_weights(request)) || (status = read_inputs(request, with_data)) ||
        (status = read_uses(request, with_data)))
        return status;
    return check_rows(request->job.rows, args->row_begin,
                      args->row_end ? args->row_end : request->job.rows);
}

tmac_status tmac_multiply_workspace(const tmac_context *context, const tmac_multiply_args *args,
                                    size_t *bytes)
{
    struct request request;
    tmac_status status;

    if (!bytes)
        return TMAC_ERROR_NULL;
    if ((status = read_request(context, args, false, &request)) ||
        (status = tmac_job_plan(&request.job, NULL)))
        return status;
    *bytes = request.job.workspace;
    return TMAC_OK;
}

static tmac_status check_workspace(const struct request *request)
{
    if (!tmac_is_aligned(request->args.workspace, TMAC_TABLES_ALIGNMENT))
        return TMAC_ERROR_ALIGNMENT;
    return request->args.workspace_bytes < request->job.workspace ? TMAC_ERROR_BUFFER_SIZE
                                                                  : TMAC_OK;
}

tmac_status tmac_multiply(const tmac_context *context, const tmac_multiply_args *given)
{
    struct request request;
    const tmac_multiply_args *args = &request.args;
    struct tmac_job *job = &request.job;
    void *own = NULL;
    tmac_status status;

    if ((status = read_request(context, given, true, &request)) ||
        (status = check_output(args->y, job->rows, job->positions, args->stride,
                               args->output_type == TMAC_OUTPUT_F32 ? 4 : 2)) ||
        (status = tmac_job_plan(job, args->workspace)))
        return status;
    if (args->bias && !tmac_is_aligned(args->bias, sizeof *args->bias))
        return TMAC_ERROR_ALIGNMENT;
    if (args->workspace && (status = check_workspace(&request)))
        return status;
    if (!args->workspace && args->team)
        return TMAC_ERROR_NULL;
    if (job->positions == 0)
        return TMAC_OK;
    if (!args->workspace) {
        own = tmac_context_alloc(context, job->workspace, TMAC_TABLES_ALIGNMENT);
        if (!own)
            return TMAC_ERROR_MEMORY;
        (void)tmac_job_plan(job, own); /* as before, with addresses */
    }
    status = tmac_job_run(job);
    tmac_context_release(context, own);
    return status;
}

tmac_status tmac_matmul(const tmac_context *context, const tmac_weights *weights,
                        const tmac_activations *activations, float *y, int64_t stride)
{
    const tmac_multiply_args args = {.struct_size = sizeof args,
                                     .weights = weights,
                                     .activations = activations,
                                     .y = y,
                                     .stride = stride};

    if (!activations)
        return TMAC_ERROR_NULL;
    return tmac_multiply(context, &args);
}
