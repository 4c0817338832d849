/* SPDX-License-Identifier: MIT
 * Packed tiles back to ggml blocks. */
#include "layouts/packed.h"
#include "layouts/runs.h"

struct job {
    const struct tmac_shape *shape;
    const struct tmac_format *format;
    size_t row_bytes;
};

static bool sub_scales_fit(const struct tmac_format *format, const struct tmac_groups *groups,
                           int count)
{
    const int least = tmac_format_least_sub(format);
    unsigned seen = 0;

    if (format->sub_format != TMAC_SUB_I8)
        return true;
    for (int i = 0; i < count; i++)
        seen |= (uint8_t)(groups->sub[i] - least) | groups->sub_minimum[i];
    return seen >> format->sub_bits == 0;
}

/* Rows [begin, end) of a tile: everything but the codes. */
static tmac_status write_groups(const struct job *job, const uint8_t *tile, int begin, int end,
                                uint8_t *blocks)
{
    const struct tmac_format *format = job->format;
    struct tmac_groups groups = {0};

    for (int r = begin; r < end; r++, blocks += job->row_bytes) {
        struct tmac_run run = tmac_first_run(job->shape, r);
        uint8_t *block = blocks;
        for (; run.groups; tmac_next_run(job->shape, &run)) {
            tmac_get_groups(job->shape, &run, tile, &groups);
            if (!sub_scales_fit(format, &groups, run.groups))
                return TMAC_ERROR_SUB_SCALE;
            block = tmac_format_write_groups(format, &groups, run.groups, block);
        }
    }
    return TMAC_OK;
}

/* Rows [begin, end) of a tile: the codes. Blocks are whole steps, and chunks whole blocks. */
static void write_codes(const struct job *job, const uint8_t *tile, int begin, int end,
                        uint8_t *blocks)
{
    const struct tmac_shape *shape = job->shape;
    const struct tmac_format *format = job->format;
    const size_t strip = tmac_strip_bytes(format->width), row_strips = TMAC_CHUNK_STEPS * strip;
    const size_t block_strips = (size_t)(format->block_k / TMAC_STEP_K) * strip;
    const uint8_t *cell = tile + shape->scale_bytes;
    uint8_t strips[TMAC_MAX_TILE_ROWS * TMAC_CHUNK_STEPS * TMAC_MAX_STRIP];

    for (int64_t k = 0; k < shape->spec.cols; k += TMAC_CHUNK_K) {
        const int64_t left = tmac_least(shape->spec.cols - k, TMAC_CHUNK_K);
        const size_t steps = (size_t)left / TMAC_STEP_K;
        for (size_t s = 0; s < steps; s++, cell += shape->cell_bytes)
            tmac_unpack_strips(shape->spec.layout, format->width, cell, strips + s * strip,
                               row_strips);
        for (int r = begin; r < end; r++) {
            const uint8_t *from = strips + (size_t)tmac_shape_cell_row(shape, r) * row_strips;
            uint8_t *block = blocks + (size_t)(r - begin) * job->row_bytes;
            for (size_t at = 0; at < steps * strip;
                 at += block_strips, block += format->block_bytes)
                format->write_codes(from + at, block + format->codes_at);
        }
        blocks += TMAC_CHUNK_K / format->block_k * format->block_bytes;
    }
}

tmac_status tmac_unpack_blocks(const struct tmac_shape *shape, const struct tmac_format *format,
                               const void *packed, int64_t row_begin, int64_t row_end, void *blocks,
                               size_t row_bytes)
{
    const struct job job = {shape, format, row_bytes};
    uint8_t *to = blocks;

    for (int64_t row = row_begin; row < row_end;) {
        const int64_t tile = row / shape->tile_rows;
        const int begin = (int)(row % shape->tile_rows);
        const int end = (int)tmac_least(row_end - tile * shape->tile_rows, shape->tile_rows);
        const uint8_t *at = (const uint8_t *)packed + tmac_tile_offset(shape, tile);
        const tmac_status status = write_groups(&job, at, begin, end, to);
        if (status != TMAC_OK)
            return status;
        write_codes(&job, at, begin, end, to);
        row += end - begin;
        to += (size_t)(end - begin) * row_bytes;
    }
    return TMAC_OK;
}
