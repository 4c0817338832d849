/* SPDX-License-Identifier: MIT
 * Packed scales to floats; f16 and bf16 to floats. Takes of a set's operations what inputs.h takes. */
#ifndef TMAC_FAMILY_SCALES_H
#define TMAC_FAMILY_SCALES_H

#include "contract.h"
#include "float16.h"

INLINE vecf veci_to_floats(veci v)
{
    return __builtin_convertvector(v, vecf);
}

/* LANES values of the scale type, the first at index `at`. */
INLINE vecf packed_scales(const tmac_scale_type type, const uint8_t *from, size_t at)
{
    if (type == TMAC_SCALE_F32)
        return vecf_load((const float *)(const void *)(from + 4 * at));
    if (type == TMAC_SCALE_F16)
        return vecf_load_f16(from + 2 * at);
    return (vecf)(veci_load_u16(from + 2 * at) << 16);
}

/* f16 or bf16 to floats. */
INLINE void run_to_floats(const tmac_scale_type type, const uint16_t *from, float *to, size_t count)
{
    size_t i = 0;

    for (; i + LANES <= count; i += LANES)
        vecf_store(to + i, packed_scales(type, (const uint8_t *)from, i));
    for (; i < count; i++)
        to[i] = type == TMAC_SCALE_F16 ? tmac_f16_to_f32(from[i]) : tmac_bf16_to_f32(from[i]);
}

static void f16_to_f32(const uint16_t *from, float *to, size_t count)
{
    run_to_floats(TMAC_SCALE_F16, from, to, count);
}

static void bf16_to_f32(const uint16_t *from, float *to, size_t count)
{
    run_to_floats(TMAC_SCALE_BF16, from, to, count);
}

/* How far ahead of what is read to prefetch, in bytes: a gemv of small groups spends a good part of its
 * time on scales, and the next tile's come after this one's codes. */
enum { AHEAD_OF_SCALES = 1024 };

/* Where in packed scales a group's are. */
struct scale_cursor {
    const uint8_t *head, *own;
    int64_t group; /* in the super-group */
};

/* One division, and a short one: 64 bits take up to 90 cycles, as long as a group. */
INLINE struct scale_cursor scale_cursor(const struct tmac_expand *expand,
                                        const struct tmac_scale_geometry *geometry)
{
    const int64_t group = expand->group, supers = expand->format->super_groups;
    const bool small = group <= UINT32_MAX && supers <= UINT32_MAX;
    const int64_t super = small ? (uint32_t)group / (uint32_t)supers : group / supers;
    struct scale_cursor at = {.group = group - super * supers};

    at.head = expand->packed + (size_t)super * geometry->super;
    at.own = at.head + geometry->head + (size_t)at.group * geometry->group;
    return at;
}

INLINE void next_group(struct scale_cursor *at, const struct tmac_scale_geometry *geometry,
                       int64_t super_groups)
{
    at->own += geometry->group;
    if (++at->group == super_groups) {
        at->group = 0;
        at->head += geometry->super;
        at->own = at->head + geometry->head;
    }
}

/* LANES rows of a group, from `row` on. */
INLINE void expand_rows(const struct tmac_expand *expand, const struct scale_cursor *at, size_t row,
                        float *scale, float *minimum, const tmac_scale_type type,
                        const tmac_zero zero, const tmac_sub_format sub)
{
    const size_t rows = (size_t)expand->tile_rows;
    const uint8_t *own = at->own + row;
    vecf scales = packed_scales(type, at->head, row), minimums = scales;

    if (zero == TMAC_ZERO_MINIMUM)
        minimums = packed_scales(type, at->head, rows + row);
    if (sub == TMAC_SUB_I8) {
        scales *= veci_to_floats(veci_load_i8(own));
        own += rows;
        if (zero == TMAC_ZERO_MINIMUM)
            minimums *= veci_to_floats(veci_load_u8(own));
    } else if (sub == TMAC_SUB_U4) {
        const veci both = veci_load_u8(own);
        scales *= veci_to_floats(both & 15);
        own += rows;
        if (zero == TMAC_ZERO_MINIMUM)
            minimums *= veci_to_floats(both >> 4);
    }
    vecf_store(scale + row, scales);
    if (zero == TMAC_ZERO_POINT)
        minimums = -(scales * veci_to_floats(veci_load_u8(own)));
    if (!tmac_zero_is_constant(zero))
        vecf_store(minimum + row, minimums);
}

INLINE void expand_groups(const struct tmac_expand *expand, const tmac_scale_type type,
                          const tmac_zero zero, const tmac_sub_format sub)
{
    const struct tmac_scale_geometry geometry =
        tmac_scale_geometry(expand->format, expand->tile_rows);
    struct scale_cursor at = scale_cursor(expand, &geometry);
    const size_t rows = (size_t)expand->tile_rows;

    for (size_t g = 0; g < (size_t)expand->groups; g++) {
        float *scale = expand->scale + g * rows;
        float *minimum = tmac_zero_is_constant(zero) ? NULL : expand->minimum + g * rows;

        __builtin_prefetch(at.own + AHEAD_OF_SCALES);
        for (size_t row = 0; row < rows; row += LANES)
            expand_rows(expand, &at, row, scale, minimum, type, zero, sub);
        next_group(&at, &geometry, expand->format->super_groups);
    }
}

/* One level and no zeros: the groups are one run of scales. */
INLINE void expand_run(const struct tmac_expand *expand, const tmac_scale_type type)
{
    const size_t bytes = tmac_scale_type_bytes(type), rows = (size_t)expand->tile_rows;
    const uint8_t *from = expand->packed + (size_t)expand->group * rows * bytes;
    float *to = expand->scale, *const end = to + (size_t)expand->groups * rows;

    for (; to < end; from += 32 * bytes, to += 32) {
        for (size_t ahead = 0; ahead < 32 * bytes; ahead += 64)
            __builtin_prefetch(from + AHEAD_OF_SCALES + ahead);
        UNROLL
        for (size_t i = 0; i < 32; i += LANES)
            vecf_store(to + i, packed_scales(type, from, i));
    }
}

INLINE void expand_zeros(const struct tmac_expand *expand, const tmac_scale_type type,
                         const tmac_sub_format sub)
{
    if (expand->format->zero == TMAC_ZERO_MINIMUM)
        expand_groups(expand, type, TMAC_ZERO_MINIMUM, sub);
    else if (expand->format->zero == TMAC_ZERO_POINT)
        expand_groups(expand, type, TMAC_ZERO_POINT, sub);
    else if (sub == TMAC_SUB_NONE)
        expand_run(expand, type);
    else
        expand_groups(expand, type, TMAC_ZERO_CONSTANT, sub);
}

/* With one level the type is a constant of the loops, with two what is below it. */
static void expand(const struct tmac_expand *expand)
{
    const struct tmac_scale_format *format = expand->format;

    if (format->sub == TMAC_SUB_I8)
        expand_zeros(expand, format->type, TMAC_SUB_I8);
    else if (format->sub == TMAC_SUB_U4)
        expand_zeros(expand, format->type, TMAC_SUB_U4);
    else if (format->type == TMAC_SCALE_F16)
        expand_zeros(expand, TMAC_SCALE_F16, TMAC_SUB_NONE);
    else if (format->type == TMAC_SCALE_BF16)
        expand_zeros(expand, TMAC_SCALE_BF16, TMAC_SUB_NONE);
    else
        expand_zeros(expand, TMAC_SCALE_F32, TMAC_SUB_NONE);
}

#endif
