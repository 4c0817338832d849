/* SPDX-License-Identifier: MIT
 * Lookup in plain C, for every lookup layout: the reference that all others must match. */
#include "scalar.h"

/* The byte of a cell that holds row `row`, plane `plane`, and tables j (low half-byte), 4 + j. */
static size_t lookup_byte(enum tmac_layout layout, int plane, int j, int row)
{
    const size_t p = (size_t)plane;
    const size_t r = (size_t)(layout == TMAC_LAYOUT_NESTED_ROWS32 ? tmac_nested_byte(row) : row);
    const size_t tile_rows = (size_t)tmac_layout_tile_rows(layout);

    if (layout == TMAC_LAYOUT_QUAD)
        return (p * 2 + r / 16) * 64 + r % 16 * 4 + (size_t)j;
    return (p * 4 + (size_t)j) * tile_rows + r;
}

/* One half step: 4 tables, every plane. */
static int32_t lookup_half_step(const struct tmac_tile *tile, const uint8_t *cell,
                                const uint8_t *tables, int row, int half)
{
    /* U8 entries carry + 128. Flipping the top bit of an S8 entry adds 128 to it. */
    const uint8_t flip = tmac_layout_table_kind(tile->layout) == TMAC_TABLE_S8 ? 0x80 : 0;
    int32_t sum = 0;

    for (int plane = 0; plane < tmac_width_bits(tile->width); plane++) {
        int32_t plane_sum = -4 * 128;
        for (int j = 0; j < 4; j++) {
            const uint8_t byte = cell[lookup_byte(tile->layout, plane, j, row)];
            const int nibble = half ? byte >> 4 : byte & 15;
            plane_sum += tables[(4 * half + j) * 16 + nibble] ^ flip;
        }
        sum += tile->width == TMAC_WIDTH_TERNARY ? plane_sum : plane_sum * (1 << plane);
    }
    return sum;
}

int32_t scalar_lookup_integer(const struct tmac_tile *tile, int input, int row, int half_begin,
                              int half_end)
{
    const size_t cell_bytes = tmac_cell_bytes(tile->layout, tile->width);
    int32_t sum = 0;

    for (int h = half_begin; h < half_end; h++) {
        const size_t step = (size_t)h / 2;
        const size_t table = step * (size_t)tile->batch + (size_t)input;
        sum += lookup_half_step(tile, tile->codes + step * cell_bytes, tile->tables + table * 128,
                                row, h & 1);
    }
    return sum;
}

void scalar_lookup(const struct tmac_tile *tile)
{
    scalar_multiply(tile, scalar_lookup_integer);
}

/* ---- by averages ----------------------------------------------------------------------------- */

static int average(int a, int b)
{
    return (a + b + 1) / 2;
}

static int entry(const struct tmac_tile *tile, const uint8_t *cell, const uint8_t *tables,
                 int plane, int table, int row)
{
    const uint8_t byte = cell[lookup_byte(tile->layout, plane, table % 4, row)];

    return tables[16 * table + (table < 4 ? byte & 15 : byte >> 4)];
}

static int32_t means_of_step(const struct tmac_tile *tile, const uint8_t *cell,
                             const uint8_t *tables, int row)
{
    int32_t sum = 0;

    for (int plane = 0; plane < tmac_width_bits(tile->width); plane++) {
        int32_t means = -(2 * 128 + 1);
        for (int j = 0; j < 4; j += 2)
            means += average(average(entry(tile, cell, tables, plane, j, row),
                                     entry(tile, cell, tables, plane, j + 4, row)),
                             average(entry(tile, cell, tables, plane, j + 1, row),
                                     entry(tile, cell, tables, plane, j + 5, row)));
        sum += tile->width == TMAC_WIDTH_TERNARY ? means : means * (1 << plane);
    }
    return sum;
}

static int32_t fast_integer(const struct tmac_tile *tile, int input, int row, int half_begin,
                            int half_end)
{
    const size_t cell_bytes = tmac_cell_bytes(tile->layout, tile->width);
    int32_t sum = 0;

    for (int step = half_begin / 2; step < half_end / 2; step++) {
        const size_t table = (size_t)step * (size_t)tile->batch + (size_t)input;
        sum += means_of_step(tile, tile->codes + (size_t)step * cell_bytes,
                             tile->tables + table * 128, row);
    }
    return sum;
}

void scalar_lookup_fast(const struct tmac_tile *tile)
{
    scalar_multiply(tile, fast_integer);
}
