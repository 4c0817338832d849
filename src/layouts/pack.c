/* SPDX-License-Identifier: MIT
 * Source rows to packed tiles. A tile is [scales, padded to 64][cell of step 0][cell of step 1]... */
#include "layouts/packed.h"
#include "layouts/runs.h"

#include <string.h>

static tmac_status pack_row_scales(const struct tmac_shape *shape, const struct tmac_source *source,
                                   int64_t row, struct tmac_run run, uint8_t *scales,
                                   struct tmac_groups *groups)
{
    for (; run.groups; tmac_next_run(shape, &run)) {
        const tmac_status status = tmac_source_groups(source, row, run.first, run.groups, groups);
        if (status != TMAC_OK)
            return status;
        tmac_put_groups(shape, &run, groups, scales);
    }
    return TMAC_OK;
}

static tmac_status pack_scales(const struct tmac_shape *shape, const struct tmac_source *source,
                               int64_t first_row, int rows, uint8_t *scales)
{
    struct tmac_groups groups = {0};

    memset(scales, 0, shape->scale_bytes); /* rows past the matrix: scale 0 */
    for (int r = 0; r < rows; r++) {
        const tmac_status status = pack_row_scales(shape, source, first_row + r,
                                                   tmac_first_run(shape, r), scales, &groups);
        if (status != TMAC_OK)
            return status;
    }
    return TMAC_OK;
}

static tmac_status pack_codes(const struct tmac_shape *shape, const struct tmac_source *source,
                              int64_t first_row, int rows, uint8_t *cells)
{
    const tmac_width width = shape->spec.width;
    const size_t row_bytes = tmac_strip_bytes(width) * TMAC_CHUNK_STEPS;
    const int64_t cols = shape->spec.cols;
    uint8_t strips[TMAC_MAX_TILE_ROWS * TMAC_MAX_STRIP * TMAC_CHUNK_STEPS];

    for (int64_t k = 0; k < cols; k += TMAC_CHUNK_K) {
        const int count = (int)tmac_least(cols - k, TMAC_CHUNK_K);
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
    const int rows = (int)tmac_least(shape->spec.rows - first_row, shape->tile_rows);
    uint8_t *scales = (uint8_t *)packed + tmac_tile_offset(shape, tile);
    const tmac_status status = pack_scales(shape, source, first_row, rows, scales);

    if (status != TMAC_OK)
        return status;
    return pack_codes(shape, source, first_row, rows, scales + shape->scale_bytes);
}
