/* SPDX-License-Identifier: MIT */
#include "formats/source.h"

#include "formats/ggml_format.h"

#include <math.h>
#include <string.h>

/* 1-bit symmetric weights s (2q - 1) become
 * 2s (q - 1/2). */
static tmac_status spec_zero(struct tmac_spec *spec, const tmac_weights_desc *desc)
{
    const bool one_bit = desc->width == TMAC_WIDTH_1;

    spec->zero_kind = desc->zero_kind;
    spec->scale_unit = 1.0f;
    spec->zero = 0.0f;
    switch (desc->zero_kind) {
    case TMAC_ZERO_SYMMETRIC: /* 1 + half of the greatest, but for 1 bit and ternary the middle */
        spec->zero = ceilf(tmac_width_centre(desc->width));
        if (one_bit) {
            spec->zero = 0.5f;
            spec->scale_unit = 2.0f;
        }
        return TMAC_OK;
    case TMAC_ZERO_CONSTANT:
        spec->zero = desc->zero;
        return isfinite(desc->zero) ? TMAC_OK : TMAC_ERROR_ZERO;
    case TMAC_ZERO_POINT:
    case TMAC_ZERO_MINIMUM:
        return TMAC_OK;
    default:
        return TMAC_ERROR_ENUM;
    }
}

static tmac_status spec_scales(struct tmac_spec *spec, const tmac_weights_desc *desc)
{
    if (desc->scale_type < TMAC_SCALE_F32 || desc->scale_type > TMAC_SCALE_BF16)
        return TMAC_ERROR_ENUM;
    spec->scale_type = desc->scale_type;
    if (desc->sub_format < TMAC_SUB_NONE || desc->sub_format > TMAC_SUB_U4)
        return TMAC_ERROR_ENUM;
    spec->sub_format = desc->sub_format;
    spec->sub_bits = 8;
    return TMAC_OK;
}

/* A super-group that is the row has a name for it: its size alone must be one of the list. */
static bool super_group_is_listed(int64_t size)
{
    return size == TMAC_GROUP_ROW || size == 32 || size == 64 || size == 128 || size == 256;
}

static tmac_status spec_groups(struct tmac_spec *spec, const tmac_weights_desc *desc)
{
    spec->whole_row = desc->group == TMAC_GROUP_ROW || desc->group == TMAC_GROUP_TENSOR;
    spec->group = spec->whole_row ? desc->cols : desc->group;
    if (spec->sub_format == TMAC_SUB_NONE)
        spec->super_group = spec->group;
    else
        spec->super_group = desc->super_group == TMAC_GROUP_ROW ? desc->cols : desc->super_group;
    if (spec->sub_format != TMAC_SUB_NONE &&
        (!super_group_is_listed(desc->super_group) ||
         (desc->super_group > 0 && desc->super_group <= desc->group)))
        return TMAC_ERROR_GROUP;
    return TMAC_OK;
}

/* What the description says of itself, before any size is derived from it. */
static tmac_status spec_from_desc(struct tmac_spec *spec, const tmac_weights_desc *desc)
{
    tmac_status status;

    spec->rows = desc->rows;
    spec->cols = desc->cols;
    spec->width = desc->width;
    spec->layout = TMAC_LAYOUT_DIRECT;
    if (!tmac_is_width(desc->width))
        return TMAC_ERROR_ENUM;
    if ((status = spec_zero(spec, desc)) != TMAC_OK ||
        (status = spec_scales(spec, desc)) != TMAC_OK)
        return status;
    return spec_groups(spec, desc);
}

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

    if (source->ggml)
        return tmac_ggml_row_bytes(source->ggml, source->spec.cols);
    if (source->desc->code_format == TMAC_CODES_BYTES)
        return cols;
    /* cols < 2^61 (tmac_shape_init), so the product fits. */
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
        source->ggml)
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

    source->super_groups = super_groups < TMAC_RUN_GROUPS ? (int)super_groups : TMAC_RUN_GROUPS;
    source->run_supers = (size_t)(TMAC_RUN_GROUPS / super_groups);
    if (source->ggml) {
        const size_t block_bytes = (size_t)source->ggml->block_bytes;
        const int block_k = source->ggml->block_k;
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
    if (source->ggml)
        return TMAC_OK;
    if (!desc->scales || (minimum && !desc->minimums) || (two_levels && !desc->sub_scales) ||
        (two_levels && minimum && !desc->sub_minimums) ||
        (source->spec.zero_kind == TMAC_ZERO_POINT && !desc->zero_points))
        return TMAC_ERROR_NULL;
    return TMAC_OK;
}

/* A description of ggml blocks must be what tmac_weights_desc_ggml() made it. */
static tmac_status check_ggml(const tmac_weights_desc *desc, const struct tmac_ggml_format *ggml)
{
    tmac_weights_desc want = {.struct_size = sizeof want};

    if (!ggml)
        return TMAC_ERROR_GGML_TYPE;
    if (desc->cols % ggml->block_k)
        return TMAC_ERROR_GROUP;
    tmac_ggml_describe(ggml, desc->rows, desc->cols, desc->codes, &want);
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
    struct tmac_shape shape;
    tmac_status status;

    memset(source, 0, sizeof *source);
    source->desc = desc;
    if (desc->code_format < TMAC_CODES_BYTES || desc->code_format > TMAC_CODES_GGML)
        return TMAC_ERROR_ENUM;
    if (desc->rows < 1 || desc->cols < 1)
        return TMAC_ERROR_SHAPE;
    if (desc->code_format == TMAC_CODES_GGML) {
        source->ggml = tmac_ggml_find(desc->ggml_type);
        if ((status = check_ggml(desc, source->ggml)) != TMAC_OK)
            return status;
    }
    if ((status = spec_from_desc(&source->spec, desc)) != TMAC_OK ||
        (status = tmac_shape_init(&shape, &source->spec)) != TMAC_OK ||
        (status = source_strides(source)) != TMAC_OK)
        return status;
    if (source->ggml && source->ggml->sub_bits)
        source->spec.sub_bits = source->ggml->sub_bits;
    source_runs(source);
    return with_data ? source_pointers(source) : TMAC_OK;
}

static void load_scales(const void *base, tmac_scale_type type, size_t first, int count,
                        uint32_t *out)
{
    const size_t bytes = tmac_scale_type_bytes(type);
    const uint8_t *at = (const uint8_t *)base + first * bytes;

    if (bytes == 4) {
        memcpy(out, at, (size_t)count * bytes);
        return;
    }
    for (int i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, at + 2 * i, sizeof half);
        out[i] = half;
    }
}

/* The scales or minimums of a run of a row that starts at `row`; with two levels the super-group's for
 * each of its groups. */
static void load_run(const struct tmac_source *source, const void *base, size_t row, int64_t first,
                     int count, uint32_t *out)
{
    const tmac_scale_type type = source->spec.scale_type;
    const int step = source->super_groups;
    size_t super = row + (size_t)(first / TMAC_RUN_GROUPS) * source->run_supers;

    if (step == 1) {
        load_scales(base, type, super, count, out);
        return;
    }
    for (int i = 0; i < count; i += step, super++) {
        load_scales(base, type, super, 1, out + i);
        for (int j = i + 1; j < i + step && j < count; j++)
            out[j] = out[i];
    }
}

static bool all_finite(tmac_scale_type type, const uint32_t *scales)
{
    static const uint32_t exponents[] = {0x7f800000, 0x7c00, 0x7f80}; /* F32, F16, BF16 */
    const uint32_t exponent = exponents[type];
    uint32_t bad = 0;

    for (int i = 0; i < TMAC_RUN_GROUPS; i++)
        bad |= (scales[i] & exponent) == exponent;
    return !bad;
}

static bool all_half_bytes(const uint8_t *numbers)
{
    return !((load64(numbers) | load64(numbers + 8)) & 0xf0f0f0f0f0f0f0f0);
}

static bool all_at_most(uint8_t most, const uint8_t *numbers)
{
    uint8_t seen = 0;

    for (int i = 0; i < TMAC_RUN_GROUPS; i++)
        seen = numbers[i] > seen ? numbers[i] : seen;
    return seen <= most;
}

static tmac_status check_groups(const struct tmac_spec *spec, const struct tmac_groups *groups)
{
    const bool minimum = spec->zero_kind == TMAC_ZERO_MINIMUM;

    if (!all_finite(spec->scale_type, groups->scale) ||
        (minimum && !all_finite(spec->scale_type, groups->minimum)))
        return TMAC_ERROR_SCALE;
    if (spec->sub_format == TMAC_SUB_U4 &&
        (!all_half_bytes(groups->sub) || !all_half_bytes(groups->sub_minimum)))
        return TMAC_ERROR_SUB_SCALE;
    if (spec->zero_kind == TMAC_ZERO_POINT &&
        !all_at_most((uint8_t)(1 << tmac_width_bits(spec->width)), groups->zero_point))
        return TMAC_ERROR_ZERO;
    return TMAC_OK;
}

static void ggml_groups(const struct tmac_source *source, size_t row, int64_t first, int count,
                        struct tmac_groups *out)
{
    const struct tmac_ggml_format *format = source->ggml;
    const int groups = format->block_k / (int)source->spec.group;
    const uint8_t *block = (const uint8_t *)source->desc->codes + row * source->code_row_bytes +
                           (size_t)(first / TMAC_RUN_GROUPS) * source->run_bytes;

    for (int i = 0; i < count; i += groups, block += format->block_bytes)
        format->groups(block, i, out);
}

tmac_status tmac_source_groups(const struct tmac_source *source, int64_t row, int64_t first,
                               int count, struct tmac_groups *out)
{
    const struct tmac_spec *spec = &source->spec;
    const tmac_weights_desc *desc = source->desc;
    const bool minimum = spec->zero_kind == TMAC_ZERO_MINIMUM;
    const size_t r = (size_t)row, n = (size_t)count;
    const size_t scales = r * source->scale_stride;
    const size_t zeros = r * source->zero_stride + (size_t)first;
    const size_t subs = r * source->sub_stride + (size_t)first;

    if (source->ggml) {
        ggml_groups(source, r, first, count, out);
        return check_groups(spec, out);
    }
    load_run(source, desc->scales, scales, first, count, out->scale);
    if (minimum)
        load_run(source, desc->minimums, scales, first, count, out->minimum);
    if (spec->zero_kind == TMAC_ZERO_POINT)
        memcpy(out->zero_point, desc->zero_points + zeros, n);
    if (spec->sub_format != TMAC_SUB_NONE) {
        memcpy(out->sub, desc->sub_scales + subs, n);
        if (minimum)
            memcpy(out->sub_minimum, desc->sub_minimums + subs, n);
    }
    return check_groups(spec, out);
}
