/* SPDX-License-Identifier: MIT */
#include "engine/multiply.h"
#include "check.h"

/* What every multiplication needs of its result: room for `batch` inputs of `rows` floats. */
static tmac_status check_result(const struct tmac_spec *spec, int64_t batch, const float *y,
                                int64_t stride)
{
    size_t elements;

    if (batch == 0)
        return TMAC_OK;
    if (!y)
        return TMAC_ERROR_NULL;
    if (stride < spec->rows)
        return TMAC_ERROR_SHAPE;
    if (!tmac_is_aligned(y, _Alignof(float)))
        return TMAC_ERROR_ALIGNMENT;
    if (!tmac_size_mul((size_t)stride, (size_t)batch, &elements) ||
        elements > PTRDIFF_MAX / sizeof *y)
        return TMAC_ERROR_OVERFLOW;
    return TMAC_OK;
}

static tmac_status check_rows(const struct tmac_spec *spec, int64_t row_begin, int64_t row_end)
{
    return row_begin < 0 || row_begin > row_end || row_end > spec->rows ? TMAC_ERROR_ROW_RANGE
                                                                        : TMAC_OK;
}

static tmac_status check_tables(const tmac_weights *weights, const tmac_tables *tables)
{
    if (tables->batch < 0)
        return TMAC_ERROR_NOT_BUILT;
    if (tables->layout != weights->shape.table_layout || tables->cols != weights->shape.spec.cols)
        return TMAC_ERROR_TABLE_LAYOUT;
    return TMAC_OK;
}

tmac_status tmac_gemm_rows(const tmac_context *context, const tmac_weights *weights,
                           const tmac_tables *tables, int64_t row_begin, int64_t row_end, float *y,
                           int64_t stride)
{
    struct tmac_table_shape table_shape;
    tmac_status status;

    if (!context || !weights || !tables)
        return TMAC_ERROR_NULL;
    if ((status = check_tables(weights, tables)) ||
        (status = check_rows(&weights->shape.spec, row_begin, row_end)) ||
        (status = check_result(&weights->shape.spec, tables->batch, y, stride)) ||
        (status =
             tmac_table_shape_init(&table_shape, tables->layout, tables->cols, tables->batch)))
        return status;

    const struct tmac_product product = {
        .shape = &weights->shape,
        .tools = weights->context->tools,
        .kernels = &weights->kernels,
        .packed = weights->packed,
        .table_shape = &table_shape,
        .tables = tables->memory,
        .y = y,
        .stride = stride,
        .blocking = weights->blocking,
    };
    tmac_multiply_parallel(context, &product, row_begin, row_end);
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

tmac_status tmac_matmul(const tmac_context *context, const tmac_weights *weights,
                        const tmac_activations *activations, float *y, int64_t stride)
{
    tmac_activations read;
    tmac_tables *tables;
    tmac_status status;

    if (!context || !weights)
        return TMAC_ERROR_NULL;
    if ((status = tmac_struct_read(&read, sizeof read, sizeof read, activations)) ||
        (status = tmac_activations_check(&read)))
        return status;
    if (read.cols != weights->shape.spec.cols)
        return TMAC_ERROR_SHAPE;
    if ((status = check_result(&weights->shape.spec, read.batch, y, stride)) ||
        read.batch == 0 || (status = tmac_tables_create(context, weights, read.batch, &tables)))
        return status;
    if (!(status = tmac_tables_build(context, tables, activations)))
        status = tmac_gemm(context, weights, tables, y, stride);
    tmac_tables_free(tables);
    return status;
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
        (status = check_rows(&weights->shape.spec, row_begin, row_end)) ||
        (status = check_result(&weights->shape.spec, batch, y, stride)))
        return status;
    if (!tmac_is_aligned(tables, TMAC_TABLES_ALIGNMENT))
        return TMAC_ERROR_ALIGNMENT;
    if (bytes < wanted)
        return TMAC_ERROR_BUFFER_SIZE;

    const struct tmac_product product = {
        .shape = &weights->shape,
        .tools = weights->context->tools,
        .kernels = &weights->kernels,
        .packed = weights->packed,
        .table_shape = &table_shape,
        .tables = tables,
        .y = y,
        .stride = stride,
        .blocking = weights->blocking,
    };
    tmac_multiply(&product, row_begin, row_end, 0, batch);
    return TMAC_OK;
}
