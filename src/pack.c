/* SPDX-License-Identifier: MIT
 * Source rows to packed tiles. A tile is [scales, padded to 64][cell of step 0][cell of step 1]... */
#include "packed.h"

#include <string.h>

enum { CHUNK_K = 256 }; /* the largest ggml block, so that chunks start at blocks */

static uint8_t *put_scale(uint8_t *at, enum tmac_scale_kind type, int row, uint32_t bits)
{
    const uint16_t half = (uint16_t)bits;
    const size_t bytes = tmac_scale_type_bytes(type);

    memcpy(at + (size_t)row * bytes, bytes == 4 ? (const void *)&bits : (const void *)&half, bytes);
    return at;
}

/* The small integers of one group of one row, in what kernels.h calls NESTED: `own` is the pair's. */
static void put_nested(const struct tmac_scale_format *format, uint8_t *own, size_t rows,
                       size_t row, size_t in_pair, const struct tmac_group *group)
{
    uint8_t *at = own + 2 * row + in_pair;

    if (format->sub == TMAC_SUB_KIND_U4) {
        *at = (uint8_t)(group->sub | group->sub_minimum << 4);
    } else {
        *at = (uint8_t)group->sub;
        if (format->zero == TMAC_ZERO_KIND_MIN)
            at[2 * rows] = group->sub_minimum;
    }
}

/* One group of one row to where its kernels find it. */
static void put_group(const struct tmac_shape *shape, const struct tmac_scale_geometry *geometry,
                      uint8_t *scales, int64_t index, int row, const struct tmac_group *group)
{
    const struct tmac_scale_format *format = &shape->scale_format;
    const size_t rows = (size_t)shape->tile_rows, r = (size_t)row;
    const bool minimum = format->zero == TMAC_ZERO_KIND_MIN;
    const size_t super = (size_t)(index / format->super_groups) * geometry->super;
    uint8_t *head = scales + super;
    uint8_t *own = head + geometry->head + (size_t)(index % format->super_groups) * geometry->group;

    put_scale(head, format->type, row, group->scale);
    if (minimum)
        put_scale(head + rows * tmac_scale_type_bytes(format->type), format->type, row,
                  group->minimum);
    if (shape->spec.layout == TMAC_LAYOUT_NESTED) {
        const size_t in_pair = (size_t)index % 2;
        put_nested(format, own - in_pair * geometry->group, rows, r, in_pair, group);
    } else if (format->sub == TMAC_SUB_KIND_U4) {
        own[r] = (uint8_t)(group->sub | group->sub_minimum << 4);
        own += rows;
    } else if (format->sub == TMAC_SUB_KIND_I8) {
        own[r] = (uint8_t)group->sub;
        own += rows;
        if (minimum) {
            own[r] = group->sub_minimum;
            own += rows;
        }
    }
    if (format->zero == TMAC_ZERO_KIND_POINT)
        own[r] = group->zero_point;
}

static tmac_status pack_scales(const struct tmac_shape *shape, const struct tmac_source *source,
                               int64_t first_row, int rows, uint8_t *scales)
{
    const struct tmac_scale_geometry geometry =
        tmac_scale_geometry(&shape->scale_format, shape->tile_rows);

    memset(scales, 0, shape->scale_bytes); /* rows past the matrix: scale 0 */
    for (int64_t g = 0; g < shape->groups; g++)
        for (int r = 0; r < rows; r++) {
            struct tmac_group group;
            const tmac_status status = tmac_source_group(source, first_row + r, g, &group);
            if (status != TMAC_OK)
                return status;
            put_group(shape, &geometry, scales, g, r, &group);
        }
    return TMAC_OK;
}

static tmac_status pack_codes(const struct tmac_shape *shape, const struct tmac_source *source,
                              int64_t first_row, int rows, uint8_t *cells)
{
    const enum tmac_layout layout = shape->spec.layout;
    const enum tmac_w width = shape->spec.width;
    const int64_t cols = shape->spec.cols;
    uint8_t codes[TMAC_MAX_TILE_ROWS][CHUNK_K];

    memset(codes, 0, sizeof codes); /* rows and activations past the matrix: code 0 */
    for (int64_t k = 0; k < cols; k += CHUNK_K) {
        const int count = cols - k < CHUNK_K ? (int)(cols - k) : CHUNK_K;
        for (int r = 0; r < rows; r++) {
            const tmac_status status = tmac_source_codes(source, first_row + r, k, count, codes[r]);
            if (status != TMAC_OK)
                return status;
            memset(codes[r] + count, 0, (size_t)(CHUNK_K - count));
        }
        for (int i = 0; i < count; i += TMAC_STEP_K, cells += shape->cell_bytes)
            tmac_pack_cell(layout, width, codes[0] + i, CHUNK_K, cells);
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
