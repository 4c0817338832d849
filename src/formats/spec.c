/* SPDX-License-Identifier: MIT */
#include "formats/spec.h"

#include <math.h>

/* ---- from a description ---------------------------------------------------------------------- */

/* 1-bit symmetric weights s (2q - 1) become 2s (q - 1/2). */
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

tmac_status tmac_spec_of(struct tmac_spec *spec, const tmac_weights_desc *desc)
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

/* ---- checking -------------------------------------------------------------------------------- */

static tmac_status check_groups(const struct tmac_spec *spec)
{
    if (spec->whole_row ? spec->group != spec->cols : !tmac_is_power_of_two(spec->group, 16, 256))
        return TMAC_ERROR_GROUP;
    if (spec->sub_format == TMAC_SUB_NONE) {
        if (spec->super_group != spec->group)
            return TMAC_ERROR_GROUP;
    } else if (spec->whole_row || spec->group > 128) {
        return TMAC_ERROR_GROUP;
    } else if (spec->super_group != spec->cols &&
               !tmac_is_power_of_two(spec->super_group, 2 * spec->group, 256)) {
        return TMAC_ERROR_GROUP;
    }
    return spec->cols % spec->group || spec->cols % spec->super_group ? TMAC_ERROR_GROUP : TMAC_OK;
}

tmac_status tmac_spec_check(const struct tmac_spec *spec)
{
    tmac_status status;

    if (spec->rows < 1 || spec->cols < 1)
        return TMAC_ERROR_SHAPE;
    if (!tmac_is_width(spec->width) || (unsigned)spec->scale_type > TMAC_SCALE_BF16 ||
        (unsigned)spec->zero_kind > TMAC_ZERO_MINIMUM || spec->sub_bits < 1 || spec->sub_bits > 8 ||
        (unsigned)spec->sub_format > TMAC_SUB_U4)
        return TMAC_ERROR_ENUM;
    if (!isfinite(spec->zero))
        return TMAC_ERROR_ZERO;
    if (spec->scale_unit != 1.0f &&
        (spec->scale_unit != 2.0f || !tmac_zero_is_constant(spec->zero_kind)))
        return TMAC_ERROR_ENUM;
    if ((status = check_groups(spec)) != TMAC_OK)
        return status;
    return spec->rows > INT64_MAX / 2 || spec->cols > PTRDIFF_MAX / 32 ? TMAC_ERROR_OVERFLOW
                                                                       : TMAC_OK;
}

bool tmac_spec_equal(const struct tmac_spec *a, const struct tmac_spec *b)
{
    return a->rows == b->rows && a->cols == b->cols && a->group == b->group &&
           a->super_group == b->super_group && a->width == b->width && a->layout == b->layout &&
           a->scale_type == b->scale_type && a->zero_kind == b->zero_kind &&
           a->sub_format == b->sub_format && a->sub_bits == b->sub_bits &&
           a->whole_row == b->whole_row && a->zero == b->zero && a->scale_unit == b->scale_unit;
}
