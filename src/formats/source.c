/* SPDX-License-Identifier: MIT */
#include "formats/source.h"

#include "formats/spec.h"

/* ---- checking a description ------------------------------------------------------------------ */

/* A row stride as given, or the tight one; no less than tight and no overflow over all rows. */
static tmac_status row_stride(int64_t given, size_t tight, size_t element, int64_t rows,
                              size_t *out)
{
    size_t all;

    if (given < 0 || (given > 0 && (uint64_t)given < tight))
        return TMAC_ERROR_SHAPE;
    *out = given ? (size_t)given : tight;
    if (!tmac_size_mul(*out, element, &all) || !tmac_size_mul(all, (size_t)rows, &all) ||
        all > PTRDIFF_MAX)
        return TMAC_ERROR_OVERFLOW;
    return TMAC_OK;
}

static size_t tight_code_bytes(const struct tmac_source *source)
{
    const size_t cols = (size_t)source->spec.cols;

    if (source->format)
        return tmac_format_row_bytes(source->format, source->spec.cols);
    if (source->desc->code_format == TMAC_CODES_BYTES)
        return cols;
    return (cols * (size_t)tmac_width_bits(source->spec.width) + 7) / 8;
}

static tmac_status source_strides(struct tmac_source *source)
{
    const tmac_weights_desc *desc = source->desc;
    const int64_t rows = source->spec.rows;
    const size_t groups = (size_t)(source->spec.cols / source->spec.group);
    const size_t super_groups = (size_t)(source->spec.cols / source->spec.super_group);
    tmac_status status;

    if ((status = row_stride(desc->code_row_bytes, tight_code_bytes(source), 1, rows,
                             &source->code_row_bytes)) != TMAC_OK ||
        source->format)
        return status;
    if ((status = row_stride(desc->scale_row_stride, super_groups, 4, rows,
                             &source->scale_stride)) != TMAC_OK ||
        (status = row_stride(desc->zero_row_stride, groups, 1, rows, &source->zero_stride)) !=
            TMAC_OK)
        return status;
    if (desc->group == TMAC_GROUP_TENSOR) /* every row reads the same numbers */
        source->scale_stride = source->zero_stride = 0;
    return row_stride(desc->sub_row_stride, groups, 1, rows, &source->sub_stride);
}

/* Divides once what would else be divided for every group. */
static void source_runs(struct tmac_source *source)
{
    const struct tmac_spec *spec = &source->spec;
    const int64_t super_groups = spec->super_group / spec->group;

    source->super_groups = (int)tmac_least(super_groups, TMAC_RUN_GROUPS);
    source->run_supers = (size_t)(TMAC_RUN_GROUPS / super_groups);
    if (source->format) {
        const size_t block_bytes = (size_t)source->format->block_bytes;
        const int block_k = source->format->block_k;
        source->chunk_bytes = (size_t)(TMAC_CHUNK_K / block_k) * block_bytes;
        source->run_bytes = (size_t)(TMAC_RUN_GROUPS * spec->group / block_k) * block_bytes;
    } else if (source->desc->code_format == TMAC_CODES_BYTES) {
        source->chunk_bytes = TMAC_CHUNK_K;
    } else {
        source->chunk_bytes = (size_t)(TMAC_CHUNK_K / 8 * tmac_width_bits(spec->width));
    }
}

static tmac_status source_pointers(const struct tmac_source *source)
{
    const tmac_weights_desc *desc = source->desc;
    const bool two_levels = source->spec.sub_format != TMAC_SUB_NONE;
    const bool minimum = source->spec.zero_kind == TMAC_ZERO_MINIMUM;

    if (!desc->codes)
        return TMAC_ERROR_NULL;
    if (source->format)
        return TMAC_OK;
    if (!desc->scales || (minimum && !desc->minimums) || (two_levels && !desc->sub_scales) ||
        (two_levels && minimum && !desc->sub_minimums) ||
        (source->spec.zero_kind == TMAC_ZERO_POINT && !desc->zero_points))
        return TMAC_ERROR_NULL;
    return TMAC_OK;
}

/* A description of blocks must be what tmac_weights_desc_ggml() made it. */
static tmac_status check_blocks(const tmac_weights_desc *desc, const struct tmac_format *format)
{
    tmac_weights_desc want = {.struct_size = sizeof want};

    if (!format)
        return TMAC_ERROR_GGML_TYPE;
    if (desc->cols % format->block_k)
        return TMAC_ERROR_GROUP;
    tmac_format_describe(format, desc->rows, desc->cols, desc->codes, &want);
    if (desc->width != want.width || desc->group != want.group ||
        desc->scale_type != want.scale_type || desc->zero_kind != want.zero_kind ||
        desc->zero != want.zero || desc->sub_format != want.sub_format ||
        desc->super_group != want.super_group)
        return TMAC_ERROR_ENUM;
    return TMAC_OK;
}

tmac_status tmac_source_init(struct tmac_source *source, const tmac_weights_desc *desc,
                             bool with_data)
{
    tmac_status status;

    memset(source, 0, sizeof *source);
    source->desc = desc;
    if (desc->code_format < TMAC_CODES_BYTES || desc->code_format > TMAC_CODES_GGML)
        return TMAC_ERROR_ENUM;
    if (desc->rows < 1 || desc->cols < 1)
        return TMAC_ERROR_SHAPE;
    if (desc->first_row < 0 || desc->first_row >= desc->rows)
        return TMAC_ERROR_ROW_RANGE;
    if (desc->code_format == TMAC_CODES_GGML) {
        source->format = tmac_format_of_ggml(desc->ggml_type);
        if ((status = check_blocks(desc, source->format)) != TMAC_OK)
            return status;
    }
    if ((status = tmac_spec_of(&source->spec, desc)) != TMAC_OK ||
        (status = tmac_spec_check(&source->spec)) != TMAC_OK ||
        (status = source_strides(source)) != TMAC_OK)
        return status;
    source->plain = source->format ? NULL : tmac_plain_of(desc->width);
    if (source->format && source->format->sub_bits)
        source->spec.sub_bits = source->format->sub_bits;
    source_runs(source);
    return with_data ? source_pointers(source) : TMAC_OK;
}

bool tmac_format_holds(const struct tmac_format *format, const struct tmac_spec *spec)
{
    tmac_weights_desc desc = {.struct_size = sizeof desc};
    struct tmac_source source;

    tmac_format_describe(format, spec->rows, spec->cols, NULL, &desc);
    if (tmac_source_init(&source, &desc, false) != TMAC_OK)
        return false;
    const bool constant =
        tmac_zero_is_constant(spec->zero_kind) && tmac_zero_is_constant(source.spec.zero_kind);
    return spec->group == source.spec.group && spec->super_group == source.spec.super_group &&
           spec->width == source.spec.width && spec->scale_type == source.spec.scale_type &&
           (constant || spec->zero_kind == source.spec.zero_kind) &&
           spec->sub_format == source.spec.sub_format && spec->zero == source.spec.zero &&
           spec->scale_unit == source.spec.scale_unit;
}
