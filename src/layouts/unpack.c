/* SPDX-License-Identifier: MIT
 * Packed tiles back to floats. */
#include "layouts/packed.h"

#include <math.h>
#include <string.h>

/* Steps whose scales fit the stack: as many groups as steps * 2. */
enum { CHUNK_STEPS = 8 };

/* Nested scales of a chunk: at most 4 super-groups with scales and minimums of 32 rows in f16, and 16
 * groups with two bytes for each of 32 rows. */
enum { SEPARATE_BYTES = 4 * 2 * 32 * 2 + 16 * 2 * 32 };

struct chunk {
    _Alignas(64) float scale[2 * CHUNK_STEPS * TMAC_MAX_TILE_ROWS];
    _Alignas(64) float minimum[2 * CHUNK_STEPS * TMAC_MAX_TILE_ROWS];
};

static int64_t group_at(const struct tmac_shape *shape, int64_t k)
{
    return shape->spec.whole_row ? 0 : k / shape->spec.group;
}

/* The zero point that became the minimum -(scale * zero). It is a small integer: whatever the product
 * lost by rounding does not matter. */
static float zero_point(float scale, float minimum)
{
    return scale == 0.0f ? 0.0f : rintf(-minimum / scale);
}

/* Row r of the tile, activations [k, k + count) of one cell. */
static void unpack_codes(const struct tmac_shape *shape, const struct chunk *chunk,
                         int64_t first_group, const uint8_t *codes, int r, int64_t k, int count,
                         float *out)
{
    for (int i = 0; i < count; i++) {
        const int64_t group = group_at(shape, k + i) - first_group;
        const size_t at = (size_t)group * (size_t)shape->tile_rows + (size_t)r;
        const float scale = chunk->scale[at] * shape->spec.scale_unit, code = codes[i];

        if (tmac_zero_is_constant(shape->spec.zero_kind))
            out[i] = scale * (code - shape->spec.zero);
        else if (shape->spec.zero_kind == TMAC_ZERO_POINT)
            out[i] = scale * (code - zero_point(scale, chunk->minimum[at]));
        else
            out[i] = scale * code + chunk->minimum[at];
    }
}

/* Nested super-groups to the order of the other layouts, where the own bytes of two groups are not
 * interleaved. */
static void separate_groups(const struct tmac_shape *shape, const uint8_t *from, int64_t supers,
                            uint8_t *to)
{
    const struct tmac_scale_geometry geometry =
        tmac_scale_geometry(&shape->scale_format, shape->tile_rows);
    const size_t rows = (size_t)shape->tile_rows, pair = 2 * geometry.group;

    for (int64_t s = 0; s < supers; s++, from += geometry.super, to += geometry.super) {
        memcpy(to, from, geometry.head);
        for (size_t at = geometry.head; at < geometry.super; at += pair)
            for (size_t i = 0; i < pair;
                 i++) { /* to [group][kind][row], from [kind][place][group] */
                const size_t group = i / geometry.group, kind = i / rows % (pair / 2 / rows);
                const size_t place = (size_t)tmac_shape_own_place(shape, (int)(i % rows));
                to[at + i] = from[at + (kind * rows + place) * 2 + group];
            }
    }
}

/* Rows [begin, end) of a tile, activations [k, k_end) of one chunk. */
static void unpack_chunk(const struct tmac_shape *shape, const struct tmac_tools *tools,
                         const uint8_t *tile, int64_t k, int64_t k_end, int begin, int end,
                         float *out, int64_t stride)
{
    struct chunk chunk;
    uint8_t codes[TMAC_MAX_TILE_ROWS][TMAC_STEP_K];
    const int64_t first_group = group_at(shape, k);
    uint8_t separate[SEPARATE_BYTES];
    struct tmac_expand expand = {
        .format = &shape->scale_format,
        .packed = tile,
        .tile_rows = shape->tile_rows,
        .group = first_group,
        .groups = (int)(group_at(shape, k_end - 1) - first_group + 1),
        .scale = chunk.scale,
        .minimum = chunk.minimum,
    };

    if (tmac_layout_is_nested(shape->spec.layout)) {
        const int64_t super = shape->spec.super_group, first = k / super;
        const size_t at = (size_t)first * tmac_scale_geometry(&shape->scale_format, 32).super;
        separate_groups(shape, tile + at, (k_end - k + super - 1) / super, separate);
        expand.packed = separate;
        expand.group = 0;
    }
    tools->expand(&expand);
    for (; k < k_end; k += TMAC_STEP_K) {
        const size_t step = (size_t)(k / TMAC_STEP_K);
        const uint8_t *cell = tile + shape->scale_bytes + step * shape->cell_bytes;
        tmac_unpack_cell(shape->spec.layout, shape->spec.width, cell, codes[0], TMAC_STEP_K);
        for (int r = begin; r < end; r++)
            unpack_codes(shape, &chunk, first_group, codes[tmac_shape_cell_row(shape, r)], r, k,
                         (int)tmac_least(TMAC_STEP_K, k_end - k), out + (r - begin) * stride + k);
    }
}

void tmac_unpack_rows(const struct tmac_shape *shape, const struct tmac_tools *tools,
                      const void *packed, int64_t row_begin, int64_t row_end, float *out,
                      int64_t stride)
{
    const int64_t cols = shape->spec.cols, chunk_k = CHUNK_STEPS * TMAC_STEP_K;

    for (int64_t row = row_begin; row < row_end;) {
        const int64_t tile = row / shape->tile_rows, tile_row = tile * shape->tile_rows;
        const int64_t end = tmac_least(row_end, tile_row + shape->tile_rows);
        const uint8_t *at = (const uint8_t *)packed + tmac_tile_offset(shape, tile);

        for (int64_t k = 0; k < cols; k += chunk_k)
            unpack_chunk(shape, tools, at, k, tmac_least(cols, k + chunk_k), (int)(row - tile_row),
                         (int)(end - tile_row), out + (row - row_begin) * stride, stride);
        row = end;
    }
}
