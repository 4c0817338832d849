/* SPDX-License-Identifier: MIT
 * What is wrong with weights that were refused. Nobody waits for this: it reads once more. */
#include "formats/source.h"

#include "formats/spec.h"

/* ---- numbers of groups ----------------------------------------------------------------------- */

/* As a float, where it is NaN or infinite. */
static bool is_not_finite(tmac_scale_type type, uint32_t bits, double *value)
{
    const uint32_t widened = type == TMAC_SCALE_F32 ? bits
                             : type == TMAC_SCALE_F16
                                 ? (bits & 0x8000) << 16 | (bits & 0x7fff) << 13
                                 : bits << 16;
    const uint32_t all = type == TMAC_SCALE_F16 ? 0x0f800000 : 0x7f800000;
    const uint32_t whole = widened | 0x7f800000;
    float number;

    memcpy(&number, &whole, sizeof number);
    *value = (double)number;
    return (widened & all) == all;
}

static bool is_above(int most, uint8_t number, double *value)
{
    *value = number;
    return number > most;
}

/* Whether a number of group i gives this status. */
static bool group_fault(const struct tmac_spec *spec, tmac_status status,
                        const struct tmac_groups *groups, int i, double *value)
{
    switch (status) {
    case TMAC_ERROR_SCALE:
        return is_not_finite(spec->scale_type, groups->scale[i], value) ||
               is_not_finite(spec->scale_type, groups->minimum[i], value);
    case TMAC_ERROR_SUB_SCALE:
        return is_above(15, groups->sub[i], value) || is_above(15, groups->sub_minimum[i], value);
    case TMAC_ERROR_ZERO:
        return is_above(1 << tmac_width_bits(spec->width), groups->zero_point[i], value);
    default:
        return false;
    }
}

static tmac_status check_groups(const struct tmac_source *source, int64_t row, tmac_fault *fault)
{
    const int64_t groups = source->spec.cols / source->spec.group;

    for (int64_t first = 0; first < groups; first += TMAC_RUN_GROUPS) {
        const int count = (int)tmac_least(groups - first, TMAC_RUN_GROUPS);
        struct tmac_groups run = {0};
        const tmac_status status = tmac_source_groups(source, row, first, count, &run);

        for (int i = 0; i < count && status != TMAC_OK; i++)
            if (group_fault(&source->spec, status, &run, i, &fault->value)) {
                fault->row = row;
                fault->col = (first + i) * source->spec.group;
                return status;
            }
        if (status != TMAC_OK)
            return status;
    }
    return TMAC_OK;
}

/* ---- codes ----------------------------------------------------------------------------------- */

/* Of a chunk that was refused. Dense codes and blocks have codes out of range where they are ternary. */
static void chunk_codes(const struct tmac_source *source, int64_t row, int64_t k, int count,
                        const uint8_t *strips, uint8_t *codes)
{
    if (source->desc->code_format == TMAC_CODES_BYTES)
        memcpy(codes,
               (const uint8_t *)source->desc->codes +
                   (size_t)(row - source->desc->first_row) * source->code_row_bytes + (size_t)k,
               (size_t)count);
    else
        tmac_fields_to_codes(strips, TMAC_CHUNK_STEPS, codes);
}

static tmac_status check_codes(const struct tmac_source *source, int64_t row, tmac_fault *fault)
{
    const int64_t cols = source->spec.cols;
    uint8_t strips[TMAC_CHUNK_STEPS * TMAC_MAX_STRIP], codes[TMAC_CHUNK_K];

    for (int64_t k = 0; k < cols; k += TMAC_CHUNK_K) {
        const int count = (int)tmac_least(cols - k, TMAC_CHUNK_K);
        const tmac_status status = tmac_source_strips(source, row, k, count, strips);

        if (status == TMAC_OK)
            continue;
        chunk_codes(source, row, k, count, strips, codes);
        for (int i = 0; i < count; i++)
            if (codes[i] > tmac_width_most(source->spec.width)) {
                fault->row = row;
                fault->col = k + i;
                fault->value = codes[i];
                break;
            }
        return status;
    }
    return TMAC_OK;
}

tmac_status tmac_source_check(const struct tmac_source *source, int64_t row_begin, int64_t row_end,
                              tmac_fault *fault)
{
    tmac_status status = TMAC_OK;

    for (int64_t row = row_begin; row < row_end && status == TMAC_OK; row++) {
        status = check_groups(source, row, fault);
        if (status == TMAC_OK)
            status = check_codes(source, row, fault);
    }
    return status;
}
