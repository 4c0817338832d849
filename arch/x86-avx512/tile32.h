/* SPDX-License-Identifier: MIT
 * The frame around the layouts in which a 32-bit lane is a row (QUAD, DIRECT): walk over the
 * blocks of a tile of 2 x 16 rows, the float stage, the results.
 *
 * It is compiled in two ways. gemv has one column and knows its width; panels of more columns
 * leave width and block size to run time, as their work per code hides it. */
#ifndef TMAC_AVX512_TILE32_H
#define TMAC_AVX512_TILE32_H

#include "avx512.h"

/* What one call of the integer stage covers: `steps` steps, and in each the groups of 4
 * activations group .. group_end - 1: 0..7, or half of them when a half step is a block. */
struct span {
    enum tmac_w width;
    int steps;
    int group, group_end;
    const uint8_t *codes;
    const uint8_t *tables;
};

/* The integer stage of one block: sum[half][column] for `columns` out of a panel of `panel`, both
 * constants. In gemv the span's width and groups are, too. */
typedef void tile32_block_fn(__m512i sum[2][TMAC_MAX_PANEL], const struct span span,
                             const int columns, const int panel);

INLINE void tile32_block(const struct tmac_tile *tile, tile32_block_fn *integer,
                         __m512 y[2][TMAC_MAX_PANEL], const struct span span, int block, int column,
                         const int columns, const int panel)
{
    __m512i sum[2][TMAC_MAX_PANEL];

    integer(sum, span, columns, panel);
#pragma GCC unroll 8
    for (int n = 0; n < columns; n++) {
        const struct float_stage stage = float_stage_begin(tile, block, column + n, panel, 32);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++)
            y[half][n] =
                float_stage_rows(&stage, 16 * half, _mm512_cvtepi32_ps(sum[half][n]), y[half][n]);
    }
}

/* All blocks of the chunk. */
INLINE void tile32_blocks(const struct tmac_tile *tile, tile32_block_fn *integer,
                          __m512 y[2][TMAC_MAX_PANEL], const enum tmac_layout layout,
                          const enum tmac_w width, const bool half_steps, int column,
                          const int columns, const int panel)
{
    const size_t cell_bytes = tmac_cell_bytes(layout, width);
    const size_t column_bytes = layout == TMAC_LAYOUT_DIRECT ? 4 : 128;
    const size_t step_bytes = tmac_table_step_bytes(tmac_layout_table_kind(layout));
    const int block_steps = half_steps ? 1 : tile->block_k / TMAC_STEP_K;
    struct span span = {.width = width,
                        .codes = tile->codes,
                        .tables = tile->tables + (size_t)column * column_bytes};

    for (int step = 0, block = 0; step < tile->steps; step += block_steps) {
        span.steps = block_steps < tile->steps - step ? block_steps : tile->steps - step;
        span.group = 0;
        span.group_end = half_steps ? 4 : 8;
        tile32_block(tile, integer, y, span, block++, column, columns, panel);
        if (half_steps) {
            span.group = 4;
            span.group_end = 8;
            tile32_block(tile, integer, y, span, block++, column, columns, panel);
        }
        span.codes += (size_t)span.steps * cell_bytes;
        span.tables += (size_t)span.steps * (size_t)panel * step_bytes;
    }
}

INLINE void tile32_columns(const struct tmac_tile *tile, tile32_block_fn *integer,
                           const enum tmac_layout layout, const enum tmac_w width,
                           const bool half_steps, int column, const int columns, const int panel)
{
    __m512 y[2][TMAC_MAX_PANEL];

#pragma GCC unroll 8
    for (int n = 0; n < columns; n++) {
        const float *from = tile->y + (size_t)(column + n) * tile->y_stride;
        y[0][n] = tile->accumulate ? _mm512_loadu_ps(from) : _mm512_setzero_ps();
        y[1][n] = tile->accumulate ? _mm512_loadu_ps(from + 16) : _mm512_setzero_ps();
    }
    tile32_blocks(tile, integer, y, layout, width, half_steps, column, columns, panel);
#pragma GCC unroll 8
    for (int n = 0; n < columns; n++) {
        float *to = tile->y + (size_t)(column + n) * tile->y_stride;
        _mm512_storeu_ps(to, y[0][n]);
        _mm512_storeu_ps(to + 16, y[1][n]);
    }
}

INLINE void tile32_gemv(const struct tmac_tile *tile, tile32_block_fn *integer,
                        const enum tmac_layout layout, const enum tmac_w width)
{
    if (tile->block_k == 16)
        tile32_columns(tile, integer, layout, width, true, 0, 1, 1);
    else
        tile32_columns(tile, integer, layout, width, false, 0, 1, 1);
}

INLINE void tile32_panel(const struct tmac_tile *tile, tile32_block_fn *integer,
                         const enum tmac_layout layout, int column, const int columns,
                         const int panel)
{
    tile32_columns(tile, integer, layout, tile->width, tile->block_k == 16, column, columns, panel);
}

#endif
