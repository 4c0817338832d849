/* SPDX-License-Identifier: MIT
 * Scales and all else that groups have, out of blocks or the caller's arrays. */
#include "formats/source.h"

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

/* The scales or minimums of a run of a row that starts at `row`; with two levels each super-group's for its
 * first group. */
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
    for (int i = 0; i < count; i += step, super++)
        load_scales(base, type, super, 1, out + i);
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

static bool all_at_most(int most, const uint8_t *numbers)
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
        !all_at_most(1 << tmac_width_bits(spec->width), groups->zero_point))
        return TMAC_ERROR_ZERO;
    return TMAC_OK;
}

tmac_status tmac_source_groups(const struct tmac_source *source, int64_t row, int64_t first,
                               int count, struct tmac_groups *out)
{
    const struct tmac_spec *spec = &source->spec;
    const tmac_weights_desc *desc = source->desc;
    const bool minimum = spec->zero_kind == TMAC_ZERO_MINIMUM;
    const size_t r = (size_t)(row - desc->first_row), n = (size_t)count;
    const size_t scales = r * source->scale_stride;
    const size_t zeros = r * source->zero_stride + (size_t)first;
    const size_t subs = r * source->sub_stride + (size_t)first;

    if (source->format) {
        const uint8_t *row_blocks = (const uint8_t *)desc->codes + r * source->code_row_bytes;
        tmac_format_read_groups(source->format,
                                row_blocks + (size_t)(first / TMAC_RUN_GROUPS) * source->run_bytes,
                                count, out);
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
