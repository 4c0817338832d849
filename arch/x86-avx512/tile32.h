/* SPDX-License-Identifier: MIT
 * The frame around the layouts in which a 32-bit lane is a row (QUAD, DIRECT): walk over the
 * blocks of a tile of 2 x 16 rows, the float stage, the results.
 *
 * gemv has one input and knows width and block size when it is compiled. Panels of more inputs
 * leave both to run time, as their work per code hides it. */
#ifndef TMAC_AVX512_TILE32_H
#define TMAC_AVX512_TILE32_H

#include "avx512.h"

/* What one call of the integer stage covers: `steps` steps, and in each the groups of 4
 * activations group .. group_end - 1: 0..7, or half of them when a half step is a block. */
struct span {
    tmac_width width;
    enum block_size size;
    int steps;
    int group, group_end;
    const uint8_t *codes;
    const uint8_t *tables;
};

/* The integer stage of one block. In gemv all of the span but its pointers is constant, and with
 * SEVERAL_STEPS its steps; in panels `batch` out of `panel` are. */
typedef void gemv_block_fn(__m512i sum[2], const struct span span);
struct panel_sum {
    _Alignas(64) int32_t sum[TMAC_MAX_PANEL][32];
};
typedef void panel_block_fn(struct panel_sum *sum, const struct span span, const int batch,
                            const int panel);

INLINE void sums_zero(__m512i sum[2][TMAC_MAX_PANEL], const int batch)
{
    UNROLL
    for (int n = 0; n < batch; n++)
        sum[0][n] = sum[1][n] = _mm512_setzero_si512();
}

INLINE void panel_sum_store(struct panel_sum *to, __m512i sum[2][TMAC_MAX_PANEL], const int batch)
{
    UNROLL
    for (int n = 0; n < batch; n++) {
        _mm512_store_si512(to->sum[n], sum[0][n]);
        _mm512_store_si512(to->sum[n] + 16, sum[1][n]);
    }
}

INLINE void gemv_block(const struct tmac_tile *tile, gemv_block_fn *integer, __m512 y[2],
                       __m512 offset, const struct span span, int block, const bool half)
{
    const struct float_stage stage = float_stage_begin(tile, offset, block, 0, 1, 32, half);
    __m512i sum[2];

    integer(sum, span);
    y[0] = float_stage_rows(&stage, 0, _mm512_cvtepi32_ps(sum[0]), y[0]);
    y[1] = float_stage_rows(&stage, 16, _mm512_cvtepi32_ps(sum[1]), y[1]);
}

INLINE void gemv_blocks(const struct tmac_tile *tile, gemv_block_fn *integer, __m512 y[2],
                        const enum tmac_layout layout, const tmac_width width,
                        const enum block_size size, const bool half)
{
    const size_t cell_bytes = tmac_cell_bytes(layout, width);
    const size_t step_bytes = tmac_table_step_bytes(tmac_layout_table_kind(layout));
    const int block_steps = size == SEVERAL_STEPS ? tile->block_k / TMAC_STEP_K : 1;
    const __m512 offset = float_stage_offset(tile);
    const uint8_t *codes = tile->codes, *tables = tile->tables;

    for (int left = tile->steps, block = 0; left > 0; left -= block_steps) {
        const int steps = block_steps < left ? block_steps : left;
        const struct span low = {width, size, 1, 0, 4, codes, tables};
        const struct span high = {width, size, 1, 4, 8, codes, tables};
        const struct span whole = {width, size, size == ONE_STEP ? 1 : steps, 0, 8, codes, tables};

        if (size == HALF_STEP) {
            gemv_block(tile, integer, y, offset, low, block++, half);
            gemv_block(tile, integer, y, offset, high, block++, half);
        } else {
            gemv_block(tile, integer, y, offset, whole, block++, half);
        }
        codes += (size_t)steps * cell_bytes;
        tables += (size_t)steps * step_bytes;
    }
}

INLINE void gemv_sized(const struct tmac_tile *tile, gemv_block_fn *integer,
                       const enum tmac_layout layout, const tmac_width width,
                       const enum block_size size)
{
    __m512 y[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};

    if (tile->accumulate) {
        y[0] = _mm512_loadu_ps(tile->y);
        y[1] = _mm512_loadu_ps(tile->y + 16);
    }
    if (size != HALF_STEP && tile->half)
        gemv_blocks(tile, integer, y, layout, width, size, true);
    else
        gemv_blocks(tile, integer, y, layout, width, size, false);
    _mm512_storeu_ps(tile->y, y[0]);
    _mm512_storeu_ps(tile->y + 16, y[1]);
}

INLINE void gemv(const struct tmac_tile *tile, gemv_block_fn *integer,
                 const enum tmac_layout layout, const tmac_width width)
{
    if (tile->block_k == 32)
        gemv_sized(tile, integer, layout, width, ONE_STEP);
    else if (tile->block_k == 16)
        gemv_sized(tile, integer, layout, width, HALF_STEP);
    else
        gemv_sized(tile, integer, layout, width, SEVERAL_STEPS);
}

INLINE void panel_block(const struct tmac_tile *tile, panel_block_fn *integer, struct panel_y *y,
                        __m512 offset, const struct span span, int block, int input,
                        const int batch, const int panel)
{
    struct panel_sum sum;

    integer(&sum, span, batch, panel);
    for (int n = 0; n < batch; n++) {
        const struct float_stage stage =
            float_stage_begin(tile, offset, block, input + n, panel, 32, false);
        UNROLL
        for (int r = 0; r < 32; r += 16) {
            const __m512 integers = _mm512_cvtepi32_ps(_mm512_load_si512(sum.sum[n] + r));
            float *at = y->y[n] + r;
            _mm512_store_ps(at, float_stage_rows(&stage, r, integers, _mm512_load_ps(at)));
        }
    }
}

/* All blocks of the chunk, for inputs input .. input + inputs - 1. */
INLINE void panel(const struct tmac_tile *tile, panel_block_fn *integer,
                  const enum tmac_layout layout, int input, const int batch, const int panel)
{
    const size_t cell_bytes = tmac_cell_bytes(layout, tile->width);
    const size_t step_bytes = tmac_table_step_bytes(tmac_layout_table_kind(layout)) * (size_t)panel;
    const bool halves = tile->block_k == 16;
    const int block_steps = halves ? 1 : tile->block_k / TMAC_STEP_K;
    const __m512 offset = float_stage_offset(tile);
    struct span span = {tile->width, SEVERAL_STEPS, 0, 0, 0, tile->codes, tile->tables};
    struct panel_y y;

    span.tables += (size_t)input * (layout == TMAC_LAYOUT_DIRECT ? 4 : 128);
    panel_y_load(&y, tile, input, batch, 32);
    for (int left = tile->steps, block = 0; left > 0; left -= block_steps) {
        span.steps = block_steps < left ? block_steps : left;
        for (span.group = 0; span.group < 8; span.group = span.group_end) {
            span.group_end = span.group + (halves ? 4 : 8);
            panel_block(tile, integer, &y, offset, span, block++, input, batch, panel);
        }
        span.codes += (size_t)span.steps * cell_bytes;
        span.tables += (size_t)span.steps * step_bytes;
    }
    panel_y_store(&y, tile, input, batch, 32);
}

#endif
