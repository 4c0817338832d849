/* SPDX-License-Identifier: MIT
 * Source rows to packed tiles. A tile is [scales, padded to 64][cell of step 0][cell of step 1]... */
#include "packed.h"

#include <string.h>

/* Where the numbers of a run of groups of one row go. */
struct run {
    uint8_t *head;              /* its scale in the run's first super-group */
    uint8_t *own;               /* its first byte of the run's first group */
    size_t super;               /* bytes from one super-group to the next */
    size_t pair;                /* bytes from one pair of groups to the next */
    size_t odd;                 /* bytes from one group of a pair to the other */
    size_t kind;                /* bytes from the row's sub-scale to its sub-minimum */
    size_t next_head, next_own; /* bytes to where the row's next run starts */
    int groups;
    int super_groups; /* as many as one super-group has in the run */
};

/* A row's first run. A super-group is no longer than a run, or as long as the row. */
static struct run first_run(const struct tmac_shape *shape, uint8_t *scales, int row)
{
    const struct tmac_scale_format *format = &shape->scale_format;
    const struct tmac_scale_geometry geometry = tmac_scale_geometry(format, shape->tile_rows);
    const size_t rows = (size_t)shape->tile_rows, r = (size_t)row;
    const bool nested = tmac_layout_is_nested(shape->spec.layout);
    const size_t place = (size_t)tmac_shape_own_place(shape, row);
    const bool long_super = format->super_groups > TMAC_RUN_GROUPS;
    const size_t supers = (size_t)(TMAC_RUN_GROUPS / format->super_groups) * geometry.super;

    return (struct run){
        .head = scales + r * tmac_scale_type_bytes(format->type),
        .own = scales + geometry.head + (nested ? 2 * place : r),
        .super = geometry.super,
        .pair = 2 * geometry.group,
        .odd = nested ? 1 : geometry.group,
        .kind = nested ? 2 * rows : rows,
        .next_head = supers,
        .next_own = long_super ? TMAC_RUN_GROUPS * geometry.group : supers,
        .super_groups = long_super ? TMAC_RUN_GROUPS : (int)format->super_groups,
    };
}

static void put_scales(struct run run, size_t bytes, uint8_t *at, const uint32_t *scales)
{
    for (int i = 0; i < run.groups; i += run.super_groups, at += run.super) {
        const uint16_t half = (uint16_t)scales[i];
        if (bytes == sizeof half)
            memcpy(at, &half, sizeof half);
        else
            memcpy(at, &scales[i], sizeof scales[i]);
    }
}

static void put_bytes(struct run run, uint8_t *super, const uint8_t *bytes)
{
    for (int first = 0; first < run.groups; first += run.super_groups, super += run.super) {
        const int left = run.groups - first;
        const int count = left < run.super_groups ? left : run.super_groups;
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

/* The numbers of a run of groups of one row to where its kernels find them. */
static void put_groups(const struct tmac_shape *shape, const struct run *run,
                       const struct tmac_groups *groups)
{
    const struct tmac_scale_format *format = &shape->scale_format;
    const size_t bytes = tmac_scale_type_bytes(format->type);
    const bool minimum = format->zero == TMAC_ZERO_KIND_MIN;
    uint8_t *own = run->own, both[TMAC_RUN_GROUPS];

    put_scales(*run, bytes, run->head, groups->scale);
    if (minimum)
        put_scales(*run, bytes, run->head + (size_t)shape->tile_rows * bytes, groups->minimum);
    if (format->sub == TMAC_SUB_KIND_U4) {
        for (int i = 0; i < TMAC_RUN_GROUPS; i++)
            both[i] = (uint8_t)(groups->sub[i] | groups->sub_minimum[i] << 4);
        put_bytes(*run, own, both);
        own += run->kind;
    } else if (format->sub == TMAC_SUB_KIND_I8) {
        put_bytes(*run, own, groups->sub);
        own += run->kind;
        if (minimum) {
            put_bytes(*run, own, groups->sub_minimum);
            own += run->kind;
        }
    }
    if (format->zero == TMAC_ZERO_KIND_POINT)
        put_bytes(*run, own, groups->zero_point);
}

static tmac_status pack_row_scales(const struct tmac_shape *shape, const struct tmac_source *source,
                                   int64_t row, struct run run, struct tmac_groups *groups)
{
    for (int64_t g = 0; g < shape->groups; g += TMAC_RUN_GROUPS) {
        const int64_t left = shape->groups - g;
        tmac_status status;

        run.groups = left < TMAC_RUN_GROUPS ? (int)left : TMAC_RUN_GROUPS;
        if ((status = tmac_source_groups(source, row, g, run.groups, groups)) != TMAC_OK)
            return status;
        put_groups(shape, &run, groups);
        run.head += run.next_head;
        run.own += run.next_own;
    }
    return TMAC_OK;
}

static tmac_status pack_scales(const struct tmac_shape *shape, const struct tmac_source *source,
                               int64_t first_row, int rows, uint8_t *scales)
{
    struct tmac_groups groups = {0};

    memset(scales, 0, shape->scale_bytes); /* rows past the matrix: scale 0 */
    for (int r = 0; r < rows; r++) {
        const tmac_status status =
            pack_row_scales(shape, source, first_row + r, first_run(shape, scales, r), &groups);
        if (status != TMAC_OK)
            return status;
    }
    return TMAC_OK;
}

static tmac_status pack_codes(const struct tmac_shape *shape, const struct tmac_source *source,
                              int64_t first_row, int rows, uint8_t *cells)
{
    const enum tmac_w width = shape->spec.width;
    const size_t row_bytes = tmac_strip_bytes(width) * TMAC_CHUNK_STEPS;
    const int64_t cols = shape->spec.cols;
    uint8_t strips[TMAC_MAX_TILE_ROWS * TMAC_MAX_STRIP * TMAC_CHUNK_STEPS];

    for (int64_t k = 0; k < cols; k += TMAC_CHUNK_K) {
        const int count = cols - k < TMAC_CHUNK_K ? (int)(cols - k) : TMAC_CHUNK_K;
        const int steps = (count + TMAC_STEP_K - 1) / TMAC_STEP_K;
        if (rows < shape->tile_rows) /* rows past the matrix: code 0 */
            memset(strips, 0, (size_t)shape->tile_rows * row_bytes);
        for (int r = 0; r < rows; r++) {
            uint8_t *at = strips + (size_t)tmac_shape_cell_row(shape, r) * row_bytes;
            const tmac_status status = tmac_source_strips(source, first_row + r, k, count, at);
            if (status != TMAC_OK)
                return status;
        }
        tmac_pack_cells(shape->spec.layout, width, strips, steps, cells);
        cells += (size_t)steps * shape->cell_bytes;
    }
    return TMAC_OK;
}

tmac_status tmac_pack_tile(const struct tmac_shape *shape, const struct tmac_source *source,
                           int64_t tile, void *packed)
{
    const int64_t first_row = tile * shape->tile_rows;
    const int64_t left = shape->spec.rows - first_row;
    const int rows = left < shape->tile_rows ? (int)left : shape->tile_rows;
    uint8_t *scales = (uint8_t *)packed + tmac_tile_offset(shape, tile);
    const tmac_status status = pack_scales(shape, source, first_row, rows, scales);

    if (status != TMAC_OK)
        return status;
    return pack_codes(shape, source, first_row, rows, scales + shape->scale_bytes);
}
