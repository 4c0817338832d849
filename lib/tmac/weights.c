/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "engine/threads.h"

tmac_status tmac_plan(const tmac_context *context, const tmac_weights_desc *given, bool with_data,
                      tmac_weights_desc *desc, struct tmac_source *source, struct tmac_shape *shape)
{
    tmac_status status;

    if (!context)
        return TMAC_ERROR_NULL;
    if ((status = tmac_struct_read(desc, sizeof *desc, sizeof *desc, given)) ||
        (status = tmac_source_init(source, desc, with_data)))
        return status;
    if ((status = tmac_choose_layout(context, &source->spec, &source->spec.layout)))
        return status;
    return tmac_shape_init(shape, &source->spec);
}

tmac_status tmac_weights_desc_ggml(tmac_weights_desc *desc, int32_t type, int64_t rows,
                                   int64_t cols, const void *blocks)
{
    const struct tmac_format *format = tmac_format_of_ggml(type);
    tmac_weights_desc made = {.struct_size = sizeof made};

    if (!format)
        return TMAC_ERROR_GGML_TYPE;
    if (rows < 1 || cols < 1)
        return TMAC_ERROR_SHAPE;
    if (cols % format->block_k)
        return TMAC_ERROR_GROUP;
    tmac_format_describe(format, rows, cols, blocks, &made);
    return tmac_struct_write(desc, &made, sizeof made, sizeof made);
}

tmac_status tmac_weights_desc_check(const tmac_weights_desc *given, tmac_fault *out)
{
    tmac_fault fault = {.struct_size = sizeof fault};
    struct tmac_source source;
    tmac_weights_desc desc;
    tmac_status status;

    if ((status = tmac_struct_write(out, &fault, sizeof fault, sizeof fault)) ||
        (status = tmac_struct_read(&desc, sizeof desc, sizeof desc, given)) ||
        (status = tmac_source_init(&source, &desc, true)))
        return status;
    status = tmac_source_check(&source, desc.first_row, desc.rows, &fault);
    if (status != TMAC_OK)
        (void)tmac_struct_write(out, &fault, sizeof fault, sizeof fault);
    return status;
}

/* ---- packing a whole matrix ------------------------------------------------------------------ */

struct pack_job {
    const struct tmac_shape *shape;
    const struct tmac_source *source;
    void *packed;
    int parts;
    tmac_status *status; /* [parts] */
};

static tmac_status pack_tiles(const struct tmac_shape *shape, const struct tmac_source *source,
                              int64_t begin, int64_t end, void *packed)
{
    for (int64_t tile = begin; tile < end; tile++) {
        const tmac_status status = tmac_pack_tile(shape, source, tile, packed);
        if (status != TMAC_OK)
            return status;
    }
    return TMAC_OK;
}

static void pack_part(void *arg, int index)
{
    const struct pack_job *job = arg;
    const int64_t tiles = job->shape->tiles;

    job->status[index] = pack_tiles(job->shape, job->source, tiles * index / job->parts,
                                    tiles * (index + 1) / job->parts, job->packed);
}

static tmac_status pack_all(const tmac_context *context, const struct tmac_shape *shape,
                            const struct tmac_source *source, void *packed)
{
    tmac_status status[1024] = {TMAC_OK}; /* as many as a context has threads */
    struct pack_job job = {shape, source, packed, context->threads, status};

    tmac_header_write(shape, packed);
    tmac_run(context, job.parts, pack_part, &job);
    for (int i = 0; i < job.parts; i++)
        if (status[i] != TMAC_OK)
            return status[i];
    tmac_header_finish(shape, packed);
    return TMAC_OK;
}

static tmac_status make_handle(const tmac_context *context, const struct tmac_shape *shape,
                               const void *packed, void *owned, tmac_weights **out)
{
    tmac_weights *weights =
        tmac_context_alloc(context, sizeof *weights, _Alignof(struct tmac_weights));

    if (!weights)
        return TMAC_ERROR_MEMORY;
    *weights = (tmac_weights){.context = context,
                              .shape = *shape,
                              .blocking = tmac_tuned_blocking(context, shape),
                              .packed = packed,
                              .owned = owned};
    tmac_choose_kernels(context, &shape->spec, &weights->kernels);
    *out = weights;
    return TMAC_OK;
}

tmac_status tmac_weights_pack(const tmac_context *context, const tmac_weights_desc *given,
                              tmac_weights **out)
{
    tmac_weights_desc desc;
    struct tmac_source source;
    struct tmac_shape shape;
    tmac_status status;
    void *packed;

    if (!out)
        return TMAC_ERROR_NULL;
    if ((status = tmac_plan(context, given, true, &desc, &source, &shape)))
        return status;
    if (desc.first_row > 0)
        return TMAC_ERROR_ROW_RANGE;
    packed = tmac_context_alloc(context, shape.bytes, TMAC_PACKED_ALIGNMENT);
    if (!packed)
        return TMAC_ERROR_MEMORY;
    if ((status = pack_all(context, &shape, &source, packed)) ||
        (status = make_handle(context, &shape, packed, packed, out)))
        tmac_context_release(context, packed);
    return status;
}

void tmac_weights_free(tmac_weights *weights)
{
    if (weights) {
        tmac_context_release(weights->context, weights->owned);
        tmac_context_release(weights->context, weights);
    }
}

/* ---- packing by the host --------------------------------------------------------------------- */

static tmac_family layout_family(enum tmac_layout layout)
{
    return tmac_layout_is_direct(layout) ? TMAC_FAMILY_DIRECT : TMAC_FAMILY_LOOKUP;
}

tmac_status tmac_packed_query(const tmac_context *context, const tmac_weights_desc *given,
                              tmac_packed_plan *out)
{
    tmac_weights_desc desc;
    struct tmac_source source;
    struct tmac_shape shape;
    const tmac_status status = tmac_plan(context, given, false, &desc, &source, &shape);

    struct tmac_choice kernels;

    if (status != TMAC_OK)
        return status;
    tmac_choose_kernels(context, &shape.spec, &kernels);
    const tmac_packed_plan plan = {
        .bytes = shape.bytes,
        .row_step = shape.tile_rows,
        .table_layout = shape.table_layout,
        .family = layout_family(shape.spec.layout),
        .layout = tmac_layout_name(shape.spec.layout),
        .kernel = kernels.kernel[TMAC_BATCH_1]->name,
        .native = tmac_choice_is_native(&kernels),
    };
    return tmac_struct_write(out, &plan, sizeof plan, sizeof plan);
}

static tmac_status check_memory(const void *memory, size_t bytes, size_t wanted)
{
    if (!memory)
        return TMAC_ERROR_NULL;
    if (!tmac_is_aligned(memory, TMAC_PACKED_ALIGNMENT))
        return TMAC_ERROR_ALIGNMENT;
    return bytes < wanted ? TMAC_ERROR_BUFFER_SIZE : TMAC_OK;
}

tmac_status tmac_packed_begin(const tmac_context *context, const tmac_weights_desc *given,
                              void *packed, size_t bytes)
{
    tmac_weights_desc desc;
    struct tmac_source source;
    struct tmac_shape shape;
    tmac_status status;

    if ((status = tmac_plan(context, given, false, &desc, &source, &shape)) ||
        (status = check_memory(packed, bytes, shape.bytes)))
        return status;
    tmac_header_write(&shape, packed);
    return TMAC_OK;
}

tmac_status tmac_packed_rows(const tmac_context *context, const tmac_weights_desc *given,
                             int64_t row_begin, int64_t row_end, void *packed, size_t bytes)
{
    tmac_weights_desc desc;
    struct tmac_source source;
    struct tmac_shape shape;
    tmac_status status;

    if ((status = tmac_plan(context, given, true, &desc, &source, &shape)) ||
        (status = check_memory(packed, bytes, shape.bytes)))
        return status;
    if (row_begin < desc.first_row || row_begin > row_end || row_end > shape.spec.rows ||
        row_begin % shape.tile_rows || (row_end % shape.tile_rows && row_end != shape.spec.rows))
        return TMAC_ERROR_ROW_RANGE;
    return pack_tiles(&shape, &source, row_begin / shape.tile_rows,
                      (row_end + shape.tile_rows - 1) / shape.tile_rows, packed);
}

tmac_status tmac_packed_finish(void *packed, size_t bytes)
{
    struct tmac_shape shape;
    tmac_status status;
    bool finished;

    if ((status = check_memory(packed, bytes, 0)) ||
        (status = tmac_header_read(packed, bytes, &shape, &finished)))
        return status;
    tmac_header_finish(&shape, packed);
    return TMAC_OK;
}

tmac_status tmac_weights_attach(const tmac_context *context, const void *packed, size_t bytes,
                                uint32_t flags, tmac_weights **out)
{
    struct tmac_choice kernels;
    struct tmac_shape shape;
    tmac_status status;
    bool finished;

    if (!context || !out)
        return TMAC_ERROR_NULL;
    if (flags & ~(TMAC_ATTACH_NO_CHECKSUM | TMAC_ATTACH_NATIVE))
        return TMAC_ERROR_ENUM;
    if ((status = check_memory(packed, bytes, 0)) ||
        (status = tmac_header_read(packed, bytes, &shape, &finished)))
        return status;
    if (context->exact && !tmac_layout_is_direct(shape.spec.layout))
        return TMAC_ERROR_FAMILY;
    if (!(flags & TMAC_ATTACH_NO_CHECKSUM) &&
        (!finished || !tmac_header_checksum_matches(&shape, packed)))
        return TMAC_ERROR_PACKED_CHECKSUM;
    tmac_choose_kernels(context, &shape.spec, &kernels);
    if ((flags & TMAC_ATTACH_NATIVE) && !tmac_choice_is_native(&kernels))
        return TMAC_ERROR_NOT_NATIVE;
    return make_handle(context, &shape, packed, NULL, out);
}

/* ---- looking at weights ---------------------------------------------------------------------- */

tmac_status tmac_weights_query(const tmac_weights *weights, tmac_weights_info *out)
{
    if (!weights)
        return TMAC_ERROR_NULL;

    const struct tmac_spec *spec = &weights->shape.spec;
    const tmac_weights_info info = {
        .rows = spec->rows,
        .cols = spec->cols,
        .width = spec->width,
        .group = spec->whole_row ? TMAC_GROUP_ROW : spec->group,
        .super_group = spec->sub_format == TMAC_SUB_NONE ? 0 : spec->super_group,
        .packed_bytes = weights->shape.bytes,
        .row_step = weights->shape.tile_rows,
        .table_layout = weights->shape.table_layout,
        .family = layout_family(spec->layout),
        .layout = tmac_layout_name(spec->layout),
        .kernel = weights->kernels.kernel[TMAC_BATCH_1]->name,
        .packed = weights->packed,
        .native = tmac_choice_is_native(&weights->kernels),
    };
    return tmac_struct_write(out, &info, sizeof info, sizeof info);
}

tmac_status tmac_weights_unpack(const tmac_weights *weights, int64_t row_begin, int64_t row_end,
                                float *out, int64_t stride)
{
    size_t elements;

    if (!weights || !out)
        return TMAC_ERROR_NULL;
    if (row_begin < 0 || row_begin > row_end || row_end > weights->shape.spec.rows)
        return TMAC_ERROR_ROW_RANGE;
    if (stride < weights->shape.spec.cols)
        return TMAC_ERROR_SHAPE;
    if (!tmac_is_aligned(out, _Alignof(float)))
        return TMAC_ERROR_ALIGNMENT;
    if (!tmac_size_mul((size_t)stride, (size_t)(row_end - row_begin), &elements) ||
        elements > PTRDIFF_MAX / sizeof *out)
        return TMAC_ERROR_OVERFLOW;
    tmac_unpack_rows(&weights->shape, weights->context->tools, weights->packed, row_begin, row_end,
                     out, stride);
    return TMAC_OK;
}

tmac_status tmac_weights_unpack_ggml(const tmac_weights *weights, int32_t type, int64_t row_begin,
                                     int64_t row_end, void *blocks, int64_t row_bytes)
{
    const struct tmac_format *format = tmac_format_of_ggml(type);
    size_t tight, bytes;

    if (!weights || !blocks)
        return TMAC_ERROR_NULL;
    if (!format || !tmac_format_holds(format, &weights->shape.spec))
        return TMAC_ERROR_GGML_TYPE;
    if (row_begin < 0 || row_begin > row_end || row_end > weights->shape.spec.rows)
        return TMAC_ERROR_ROW_RANGE;
    tight = tmac_format_row_bytes(format, weights->shape.spec.cols);
    if (row_bytes < 0 || (row_bytes > 0 && (uint64_t)row_bytes < tight))
        return TMAC_ERROR_SHAPE;
    if (row_bytes == 0)
        row_bytes = (int64_t)tight;
    if (!tmac_size_mul((size_t)row_bytes, (size_t)(row_end - row_begin), &bytes) ||
        bytes > PTRDIFF_MAX)
        return TMAC_ERROR_OVERFLOW;
    return tmac_unpack_blocks(&weights->shape, format, weights->packed, row_begin, row_end, blocks,
                              (size_t)row_bytes);
}
