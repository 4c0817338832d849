// SPDX-License-Identifier: MIT
//
// Compiled once for each revision, with its tmac.h and its libtmac.a: all that knows what the
// public API is called in one revision and in another.
#include "side.h"

#include "tmac.h"

// PACKED_HEADER_BYTES: that revision's, see bench/against/run.

namespace
{

// How many inputs there are: `batch`, in old revisions `columns`.
template <class Activations>
auto set_batch(Activations &x, int64_t batch, int) -> decltype(static_cast<void>(x.batch))
{
    x.batch = batch;
}

template <class Activations>
auto set_batch(Activations &x, int64_t batch, long) -> decltype(static_cast<void>(x.columns))
{
    x.columns = batch;
}

tmac_activations activations_of(const Inputs &x)
{
    tmac_activations activations = {};
    activations.struct_size = sizeof activations;
    activations.type = TMAC_ACTIVATION_F32;
    activations.cols = x.cols;
    activations.data = x.data;
    set_batch(activations, x.batch, 0);
    return activations;
}

tmac_width width_of(int bits)
{
    const tmac_width widths[] = {TMAC_WIDTH_TERNARY, TMAC_WIDTH_1, TMAC_WIDTH_2, TMAC_WIDTH_3,
                                 TMAC_WIDTH_4};
    return widths[bits];
}

tmac_zero zero_of(Zero zero)
{
    return zero == Zero::Point     ? TMAC_ZERO_POINT
           : zero == Zero::Minimum ? TMAC_ZERO_MINIMUM
                                   : TMAC_ZERO_SYMMETRIC;
}

tmac_family family_of(Family family)
{
    return family == Family::Lookup   ? TMAC_FAMILY_LOOKUP
           : family == Family::Direct ? TMAC_FAMILY_DIRECT
                                      : TMAC_FAMILY_AUTO;
}

tmac_mode mode_of(Mode mode)
{
    return mode == Mode::Exact  ? TMAC_MODE_EXACT
           : mode == Mode::Fast ? TMAC_MODE_FAST
                                : TMAC_MODE_DEFAULT;
}

const tmac_context *as_context(const void *context)
{
    return static_cast<const tmac_context *>(context);
}

const tmac_weights *as_weights(const void *weights)
{
    return static_cast<const tmac_weights *>(weights);
}

const char *text(int status)
{
    return tmac_status_text(static_cast<tmac_status>(status));
}

int open(const Engine *engine, void **out)
{
    tmac_context_options options = {};
    tmac_context *context = nullptr;

    options.struct_size = sizeof options;
    options.isa = engine->isa;
    options.threads = engine->threads;
    options.family = family_of(engine->family);
    options.mode = mode_of(engine->mode);
    options.allocate = engine->allocate;
    options.release = engine->release;
    options.allocator_host = engine->memory;
    const tmac_status status = tmac_context_create(&options, &context);
    *out = context;
    return status;
}

void close(void *context)
{
    tmac_context_free(static_cast<tmac_context *>(context));
}

int describe(const Matrix &matrix, tmac_weights_desc *desc)
{
    *desc = {};
    desc->struct_size = sizeof *desc;
    if (matrix.ggml_type >= 0)
        return tmac_weights_desc_ggml(desc, matrix.ggml_type, matrix.rows, matrix.cols,
                                      matrix.codes);
    desc->rows = matrix.rows;
    desc->cols = matrix.cols;
    desc->width = width_of(matrix.bits);
    desc->code_format = TMAC_CODES_DENSE;
    desc->codes = matrix.codes;
    desc->group = matrix.group;
    desc->scale_type = TMAC_SCALE_F16;
    desc->scales = matrix.scales;
    desc->zero_kind = zero_of(matrix.zero);
    desc->zero_points = matrix.zero == Zero::Point ? matrix.zero_points : nullptr;
    desc->minimums = matrix.zero == Zero::Minimum ? matrix.minimums : nullptr;
    return TMAC_OK;
}

int pack(const void *context, const Matrix *matrix, void **out)
{
    tmac_weights_desc desc;
    tmac_weights *weights = nullptr;

    if (const int status = describe(*matrix, &desc))
        return status;
    const tmac_status status = tmac_weights_pack(as_context(context), &desc, &weights);
    *out = weights;
    return status;
}

int query(const void *weights, Packed *packed)
{
    tmac_weights_info info = {};

    info.struct_size = sizeof info;
    const tmac_status status = tmac_weights_query(as_weights(weights), &info);
    if (status == TMAC_OK)
        *packed = {info.layout, info.kernel,
                   static_cast<const uint8_t *>(info.packed) + PACKED_HEADER_BYTES,
                   info.packed_bytes - PACKED_HEADER_BYTES, info.table_layout};
    return status;
}

void free_weights(void *weights)
{
    tmac_weights_free(static_cast<tmac_weights *>(weights));
}

int create_tables(const void *context, const void *weights, int64_t batch, void **out)
{
    tmac_tables *tables = nullptr;
    const tmac_status status =
        tmac_tables_create(as_context(context), as_weights(weights), batch, &tables);
    *out = tables;
    return status;
}

int build(const void *context, void *tables, const Inputs *x)
{
    const tmac_activations activations = activations_of(*x);
    return tmac_tables_build(as_context(context), static_cast<tmac_tables *>(tables), &activations);
}

void free_tables(void *tables)
{
    tmac_tables_free(static_cast<tmac_tables *>(tables));
}

int multiply(const void *context, const void *weights, const void *tables, float *y, int64_t stride)
{
    return tmac_gemm(as_context(context), as_weights(weights),
                     static_cast<const tmac_tables *>(tables), y, stride);
}

int table_bytes(uint32_t table_layout, const Inputs *x, size_t *bytes)
{
    return tmac_tables_size(table_layout, x->cols, x->batch, bytes);
}

int build_into(const void *context, uint32_t table_layout, const Inputs *x, void *memory,
               size_t bytes)
{
    const tmac_activations activations = activations_of(*x);
    return tmac_tables_build_part(as_context(context), table_layout, &activations, 0, 1, memory,
                                  bytes);
}

} // namespace

// All that the shared object shows.
extern "C" __attribute__((visibility("default"))) const Side against_side;
extern "C" const Side against_side = {
    text,          open,  close,       pack,     query,       free_weights,
    create_tables, build, free_tables, multiply, table_bytes, build_into,
};
