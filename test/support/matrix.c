/* SPDX-License-Identifier: MIT */
#include "matrix.h"

#include "half.h"
#include "widths.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int matrix_bits(tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 2 : (int)width;
}

int matrix_top_code(tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 2 : (1 << (int)width) - 1;
}

int matrix_top_zero(tmac_width width)
{
    const int most = 1 << matrix_bits(width);

    return most < 256 ? most : 255;
}

static float symmetric_zero(tmac_width width)
{
    switch (width) {
    case TMAC_WIDTH_1:
        return 0.5f; /* with twice the scale */
    case TMAC_WIDTH_TERNARY:
        return 1.0f;
    default:
        return (float)(1 << ((int)width - 1));
    }
}

size_t matrix_scale_bytes(tmac_scale_type type)
{
    return type == TMAC_SCALE_F32 ? 4 : 2;
}

int64_t matrix_groups(const struct matrix_kind *kind)
{
    return kind->group > 0 ? kind->cols / kind->group : 1;
}

int64_t matrix_super_groups(const struct matrix_kind *kind)
{
    if (kind->sub == TMAC_SUB_NONE)
        return matrix_groups(kind);
    return kind->super_group > 0 ? kind->cols / kind->super_group : 1;
}

void matrix_put_scale(tmac_scale_type type, void *scales, size_t index, float value)
{
    uint8_t *at = (uint8_t *)scales + index * matrix_scale_bytes(type);
    const uint16_t half = type == TMAC_SCALE_F16 ? half_from_float(value) : bf16_from_float(value);

    if (type == TMAC_SCALE_F32)
        memcpy(at, &value, sizeof value);
    else
        memcpy(at, &half, sizeof half);
}

static float get_scale(tmac_scale_type type, const void *scales, size_t index)
{
    const uint8_t *at = (const uint8_t *)scales + index * matrix_scale_bytes(type);
    uint16_t half;
    float value;

    if (type == TMAC_SCALE_F32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    memcpy(&half, at, sizeof half);
    return type == TMAC_SCALE_F16 ? half_to_float(half) : bf16_to_float(half);
}

/* ---- making one ------------------------------------------------------------------------------ */

/* The last row of a strided array ends where its elements do. */
static void *array_new(const struct matrix_kind *kind, struct guard *guard, int64_t stride,
                       int64_t tight, size_t element)
{
    const int64_t rows = kind->group == TMAC_GROUP_TENSOR ? 1 : kind->rows;
    const size_t elements = (size_t)((rows - 1) * stride + tight);
    const enum guard_place place = kind->odd ? GUARD_ODD : GUARD_END;
    return guard_new(guard, elements * element, kind->odd ? 1 : element, place);
}

static void new_codes(struct matrix *m, struct rng *rng)
{
    const struct matrix_kind *kind = &m->kind;
    const int bits = matrix_bits(kind->width), top = matrix_top_code(kind->width);
    const bool dense = kind->codes == TMAC_CODES_DENSE;
    const int64_t tight = dense ? (kind->cols * bits + 7) / 8 : kind->cols;
    const int64_t stride = tight + (kind->strides ? 5 : 0);
    const size_t bytes = (size_t)((kind->rows - 1) * stride + tight);
    uint8_t *codes = guard_new(&m->codes, bytes, 1, kind->odd ? GUARD_ODD : GUARD_END);

    m->plain = malloc((size_t)(kind->rows * kind->cols));
    memset(codes, 0xff, bytes); /* what lies between the rows does not matter */
    for (int64_t r = 0; r < kind->rows; r++, codes += stride) {
        if (dense)
            memset(codes, 0, (size_t)tight);
        for (int64_t k = 0; k < kind->cols; k++) {
            const unsigned code = (unsigned)rng_between(rng, 0, top);
            m->plain[r * kind->cols + k] = (uint8_t)code;
            if (!dense)
                codes[k] = (uint8_t)code;
            for (int b = 0; dense && b < bits; b++)
                codes[(k * bits + b) / 8] |= (uint8_t)((code >> b & 1) << (k * bits + b) % 8);
        }
    }
    guard_seal(&m->codes);
    m->desc.codes = m->codes.at;
    m->desc.code_row_bytes = kind->strides ? stride : 0;
}

static const void *new_scales(struct matrix *m, struct guard *guard, struct rng *rng)
{
    const int64_t tight = matrix_super_groups(&m->kind);
    const int64_t stride = tight + (m->kind.strides ? 3 : 0);
    const size_t element = matrix_scale_bytes(m->kind.scale_type);
    uint8_t *scales = array_new(&m->kind, guard, stride, tight, element);

    for (size_t i = 0; i < guard->size / element; i++) {
        const float value = rng_between(rng, 0, 15) ? 0.02f * rng_normal(rng) : 0.0f;
        matrix_put_scale(m->kind.scale_type, scales, i, value);
    }
    guard_seal(guard);
    m->desc.scale_row_stride = m->kind.strides ? stride : 0;
    return scales;
}

/* Per group: zero points, sub-scales, sub-minimums. */
static const void *new_bytes(struct matrix *m, struct guard *guard, int low, int high,
                             struct rng *rng)
{
    const int64_t tight = matrix_groups(&m->kind);
    const int64_t stride = tight + (m->kind.strides ? 2 : 0);
    uint8_t *bytes = array_new(&m->kind, guard, stride, tight, 1);

    for (size_t i = 0; i < guard->size; i++)
        bytes[i] = (uint8_t)rng_between(rng, low, high);
    guard_seal(guard);
    return bytes;
}

static void new_zeros(struct matrix *m, struct rng *rng)
{
    static const float constants[] = {0.0f, 1.0f, 8.0f, 1.5f, -3.25f, 0.1f};
    const int64_t stride = matrix_groups(&m->kind) + 2;

    switch (m->kind.zero) {
    case TMAC_ZERO_CONSTANT:
        m->desc.zero = constants[rng_between(rng, 0, 5)];
        break;
    case TMAC_ZERO_POINT:
        m->desc.zero_points = new_bytes(m, &m->zero_points, 0, matrix_top_zero(m->kind.width), rng);
        m->desc.zero_row_stride = m->kind.strides ? stride : 0;
        break;
    case TMAC_ZERO_MINIMUM:
        m->desc.minimums = new_scales(m, &m->minimums, rng);
        break;
    default:
        break;
    }
}

static void new_subs(struct matrix *m, struct rng *rng)
{
    const bool i8 = m->kind.sub == TMAC_SUB_I8;

    if (m->kind.sub == TMAC_SUB_NONE)
        return;
    m->desc.sub_scales = new_bytes(m, &m->sub_scales, i8 ? -128 : 0, i8 ? 127 : 15, rng);
    if (m->kind.zero == TMAC_ZERO_MINIMUM)
        m->desc.sub_minimums = new_bytes(m, &m->sub_minimums, 0, i8 ? 255 : 15, rng);
    m->desc.sub_row_stride = m->kind.strides ? matrix_groups(&m->kind) + 2 : 0;
}

tmac_weights_desc matrix_desc(const struct matrix_kind *kind)
{
    return (tmac_weights_desc){
        .struct_size = sizeof(tmac_weights_desc),
        .rows = kind->rows,
        .cols = kind->cols,
        .width = kind->width,
        .code_format = kind->codes,
        .group = kind->group,
        .scale_type = kind->scale_type,
        .zero_kind = kind->zero,
        .sub_format = kind->sub,
        .super_group = kind->super_group,
    };
}

void matrix_new(struct matrix *m, const struct matrix_kind *kind, struct rng *rng)
{
    memset(m, 0, sizeof *m);
    m->kind = *kind;
    m->desc = matrix_desc(kind);
    m->groups = matrix_groups(kind);
    m->supers = matrix_super_groups(kind);
    m->group_k = kind->cols / m->groups;
    m->super_k = kind->cols / m->supers;
    new_codes(m, rng);
    m->desc.scales = new_scales(m, &m->scales, rng);
    new_zeros(m, rng);
    new_subs(m, rng);
}

void matrix_free(struct matrix *m)
{
    guard_free(&m->codes);
    guard_free(&m->scales);
    guard_free(&m->minimums);
    guard_free(&m->zero_points);
    guard_free(&m->sub_scales);
    guard_free(&m->sub_minimums);
    free(m->plain);
    memset(m, 0, sizeof *m);
}

/* ---- what it means --------------------------------------------------------------------------- */

/* Element [row][index] of an array with a stride, 0 for tight; one row for a whole tensor. */
static size_t at(const struct matrix *m, int64_t row, int64_t index, int64_t stride, int64_t tight)
{
    return (size_t)(m->kind.group == TMAC_GROUP_TENSOR ? 0
                                                       : row * (stride ? stride : tight) + index);
}

struct matrix_numbers matrix_at(const struct matrix *m, int64_t row, int64_t k)
{
    const tmac_weights_desc *d = &m->desc;
    const int64_t g = k / m->group_k, s = k / m->super_k;
    const size_t of_super = at(m, row, s, d->scale_row_stride, m->supers);
    const size_t of_sub = at(m, row, g, d->sub_row_stride, m->groups);
    const bool two_levels = d->sub_format != TMAC_SUB_NONE;
    struct matrix_numbers n = {.scale = get_scale(d->scale_type, d->scales, of_super)};

    if (two_levels)
        n.scale *= (float)d->sub_scales[of_sub];
    if (d->zero_kind == TMAC_ZERO_SYMMETRIC)
        n.zero = symmetric_zero(d->width);
    else if (d->zero_kind == TMAC_ZERO_CONSTANT)
        n.zero = d->zero;
    else if (d->zero_kind == TMAC_ZERO_POINT)
        n.zero = (float)d->zero_points[at(m, row, g, d->zero_row_stride, m->groups)];
    if (d->zero_kind == TMAC_ZERO_SYMMETRIC && d->width == TMAC_WIDTH_1)
        n.scale *= 2.0f; /* scale * (2q - 1) */
    if (d->zero_kind == TMAC_ZERO_MINIMUM) {
        n.minimum = get_scale(d->scale_type, d->minimums, of_super);
        if (two_levels)
            n.minimum *= (float)d->sub_minimums[of_sub];
    }
    return n;
}

float matrix_weight(const struct matrix *m, int64_t row, int64_t k)
{
    const struct matrix_numbers n = matrix_at(m, row, k);
    const float q = m->plain[row * m->kind.cols + k];

    return m->kind.zero == TMAC_ZERO_MINIMUM ? n.scale * q + n.minimum : n.scale * (q - n.zero);
}

const char *matrix_name(const struct matrix_kind *kind)
{
    static const char *const codes[] = {"bytes", "dense"};
    static const char *const scales[] = {"f32", "f16", "bf16"};
    static const char *const zeros[] = {"symmetric", "constant", "point", "minimum"};
    static const char *const subs[] = {"one level", "i8", "u4"};
    static char name[200];

    snprintf(name, sizeof name, "%lld x %lld, width %s, %s, group %lld, %s, %s, %s super %lld%s%s",
             (long long)kind->rows, (long long)kind->cols, test_width_name(kind->width),
             codes[kind->codes], (long long)kind->group, scales[kind->scale_type],
             zeros[kind->zero], subs[kind->sub], (long long)kind->super_group,
             kind->strides ? ", strides" : "", kind->odd ? ", odd addresses" : "");
    return name;
}
