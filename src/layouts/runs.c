/* SPDX-License-Identifier: MIT */
#include "layouts/runs.h"

#include <string.h>

static int run_groups(const struct tmac_shape *shape, int64_t first)
{
    return (int)tmac_clamp(shape->groups - first, 0, TMAC_RUN_GROUPS);
}

/* A super-group is no longer than a run, or as long as the row. */
struct tmac_run tmac_first_run(const struct tmac_shape *shape, int row)
{
    const struct tmac_scale_format *format = &shape->scale_format;
    const struct tmac_scale_geometry geometry = tmac_scale_geometry(format, shape->tile_rows);
    const size_t rows = (size_t)shape->tile_rows, r = (size_t)row;
    const bool nested = tmac_layout_is_nested(shape->spec.layout);
    const size_t place = (size_t)tmac_shape_own_place(shape, row);
    const bool long_super = format->super_groups > TMAC_RUN_GROUPS;
    const size_t supers = (size_t)(TMAC_RUN_GROUPS / format->super_groups) * geometry.super;

    return (struct tmac_run){
        .groups = run_groups(shape, 0),
        .super_groups = long_super ? TMAC_RUN_GROUPS : (int)format->super_groups,
        .head = r * tmac_scale_type_bytes(format->type),
        .own = geometry.head + (nested ? 2 * place : r),
        .super = geometry.super,
        .pair = 2 * geometry.group,
        .odd = nested ? 1 : geometry.group,
        .kind = nested ? 2 * rows : rows,
        .next_head = supers,
        .next_own = long_super ? TMAC_RUN_GROUPS * geometry.group : supers,
    };
}

void tmac_next_run(const struct tmac_shape *shape, struct tmac_run *run)
{
    run->first += TMAC_RUN_GROUPS;
    run->groups = run_groups(shape, run->first);
    run->head += run->next_head;
    run->own += run->next_own;
}

/* ---- to the tile ----------------------------------------------------------------------------- */

static void put_scales(const struct tmac_run *run, size_t bytes, uint8_t *at,
                       const uint32_t *scales)
{
    for (int i = 0; i < run->groups; i += run->super_groups, at += run->super) {
        const uint16_t half = (uint16_t)scales[i];
        if (bytes == sizeof half)
            memcpy(at, &half, sizeof half);
        else
            memcpy(at, &scales[i], sizeof scales[i]);
    }
}

static void put_bytes(struct tmac_run run, uint8_t *super, const uint8_t *bytes)
{
    for (int first = 0; first < run.groups; first += run.super_groups, super += run.super) {
        const int count = (int)tmac_least(run.groups - first, run.super_groups);
        uint8_t *at = super;
        int i = first;
        for (; i + 1 < first + count; i += 2, at += run.pair) {
            at[0] = bytes[i];
            at[run.odd] = bytes[i + 1];
        }
        if (count % 2)
            at[0] = bytes[i];
    }
}

void tmac_put_groups(const struct tmac_shape *shape, const struct tmac_run *run,
                     const struct tmac_groups *groups, uint8_t *scales)
{
    const struct tmac_scale_format *format = &shape->scale_format;
    const size_t bytes = tmac_scale_type_bytes(format->type);
    const bool minimum = format->zero == TMAC_ZERO_MINIMUM;
    uint8_t *head = scales + run->head, *own = scales + run->own, both[TMAC_RUN_GROUPS];

    put_scales(run, bytes, head, groups->scale);
    if (minimum)
        put_scales(run, bytes, head + (size_t)shape->tile_rows * bytes, groups->minimum);
    if (format->sub == TMAC_SUB_U4) {
        for (int i = 0; i < TMAC_RUN_GROUPS; i++)
            both[i] = (uint8_t)(groups->sub[i] | groups->sub_minimum[i] << 4);
        put_bytes(*run, own, both);
        own += run->kind;
    } else if (format->sub == TMAC_SUB_I8) {
        put_bytes(*run, own, groups->sub);
        own += run->kind;
        if (minimum) {
            put_bytes(*run, own, groups->sub_minimum);
            own += run->kind;
        }
    }
    if (format->zero == TMAC_ZERO_POINT)
        put_bytes(*run, own, groups->zero_point);
}

/* ---- and back -------------------------------------------------------------------------------- */

static void get_halves(const struct tmac_run *run, const uint8_t *at, uint32_t *scales)
{
    for (int i = 0; i < run->groups; i += run->super_groups, at += run->super) {
        uint16_t half;
        memcpy(&half, at, sizeof half);
        scales[i] = half;
    }
}

/* With two levels, where a super-group's groups are even in number. */
static void get_bytes(struct tmac_run run, const uint8_t *super, uint8_t *bytes)
{
    for (int first = 0; first < run.groups; first += run.super_groups, super += run.super) {
        const uint8_t *at = super;
        for (int i = first; i < first + run.super_groups; i += 2, at += run.pair) {
            bytes[i] = at[0];
            bytes[i + 1] = at[run.odd];
        }
    }
}

void tmac_get_groups(const struct tmac_shape *shape, const struct tmac_run *run,
                     const uint8_t *scales, struct tmac_groups *groups)
{
    const struct tmac_scale_format *format = &shape->scale_format;
    const bool minimum = format->zero == TMAC_ZERO_MINIMUM;
    const uint8_t *head = scales + run->head, *own = scales + run->own;
    uint8_t both[TMAC_RUN_GROUPS] = {0};

    get_halves(run, head, groups->scale);
    if (minimum)
        get_halves(run, head + (size_t)shape->tile_rows * sizeof(uint16_t), groups->minimum);
    if (format->sub == TMAC_SUB_U4) {
        get_bytes(*run, own, both);
        for (int i = 0; i < TMAC_RUN_GROUPS; i++) {
            groups->sub[i] = both[i] & 15;
            groups->sub_minimum[i] = both[i] >> 4;
        }
    } else if (format->sub == TMAC_SUB_I8) {
        get_bytes(*run, own, groups->sub);
        if (minimum)
            get_bytes(*run, own + run->kind, groups->sub_minimum);
    }
}
