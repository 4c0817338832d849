/* SPDX-License-Identifier: MIT
 * Strips to cells, for the layouts that contract.h draws, a chunk of a tile at a time. Loops are
 * long or have constant counts, and take bytes eight at a time or two by two, so that compilers
 * vectorize them. */
#include "formats/words.h"
#include "layouts/packed.h"

#include <string.h>

/* ---- lookup: a byte for each row ------------------------------------------------------------- */

static void interleave_2(const uint8_t *restrict a, const uint8_t *restrict b, size_t bytes,
                         uint8_t *restrict to)
{
    for (size_t i = 0; i < bytes; i++) {
        to[2 * i] = a[i];
        to[2 * i + 1] = b[i];
    }
}

static void interleave_4(const uint8_t *restrict a, const uint8_t *restrict b,
                         const uint8_t *restrict c, const uint8_t *restrict d, size_t bytes,
                         uint8_t *restrict to)
{
    for (size_t i = 0; i < bytes; i++) {
        to[4 * i] = a[i];
        to[4 * i + 1] = b[i];
        to[4 * i + 2] = c[i];
        to[4 * i + 3] = d[i];
    }
}

/* Bytes of rows to lines: the first byte of every row, then the second of every row. Rows that are
 * rows/4 apart become one of four times the length, and so on until there is one. The result is in
 * either buffer. */
static uint8_t *rows_to_lines(size_t rows, size_t row_bytes, uint8_t *from, uint8_t *to)
{
    while (rows > 1) {
        const size_t ways = rows == 2 ? 2 : 4, apart = rows / ways * row_bytes;
        uint8_t *const done = to;

        for (size_t at = 0; at < apart; at += row_bytes)
            if (ways == 2)
                interleave_2(from + at, from + at + apart, row_bytes, to + 2 * at);
            else
                interleave_4(from + at, from + at + apart, from + at + 2 * apart,
                             from + at + 3 * apart, row_bytes, to + 4 * at);
        rows /= ways;
        row_bytes *= ways;
        to = from;
        from = done;
    }
    return from;
}

/* Bit n of byte r of line i trades places with bit i of byte r of line n, in 4 lines, and so in both
 * halves of the bytes. Ternary codes 0, 1, 2 become the plane bits 00, 01, 11. */
static void transpose_bits(uint8_t *line, size_t rows, bool ternary)
{
    const uint64_t also = ternary ? ~(uint64_t)0 : 0;

    for (size_t r = 0; r < rows; r += 8, line += 8) {
        uint64_t a = load64(line), b = load64(line + rows);
        uint64_t c = load64(line + 2 * rows), d = load64(line + 3 * rows);

        swap_parts(&a, &b, 1, 0x5555555555555555);
        swap_parts(&c, &d, 1, 0x5555555555555555);
        swap_parts(&a, &c, 2, 0x3333333333333333);
        swap_parts(&b, &d, 2, 0x3333333333333333);
        store64(line, a | (b & also));
        store64(line + rows, b);
        store64(line + 2 * rows, c | (d & also));
        store64(line + 3 * rows, d);
    }
}

/* The line of a slice that those functions left tables j and 4+j of a plane in. */
static size_t line_of(int bits, int plane, int j)
{
    const int odd = j % 2, high = j / 2;

    return (size_t)(bits == 2 ? 4 * odd + 2 * high + plane : bits * j + plane);
}

/* The lines of a plane's tables one after the other. */
static void put_rows(const uint8_t *const line[4], size_t rows, uint8_t *to)
{
    for (int j = 0; j < 4; j++)
        for (size_t r = 0; r < rows; r += 32, to += 32)
            memcpy(to, line[j] + r, 32);
}

/* A slice of 1, 2 or 4 bits to its planes. */
static void lookup_slice(enum tmac_layout layout, int bits, bool ternary, uint8_t *lines,
                         uint8_t *planes)
{
    const size_t rows = (size_t)tmac_layout_tile_rows(layout);

    for (int i = 0; i < bits; i++)
        transpose_bits(lines + (size_t)(4 * i) * rows, rows, ternary);

    for (int plane = 0; plane < bits; plane++, planes += 4 * rows) {
        const uint8_t *line[4];
        for (int j = 0; j < 4; j++)
            line[j] = lines + line_of(bits, plane, j) * rows;
        if (layout == TMAC_LAYOUT_QUAD) /* a row's four tables next to each other */
            interleave_4(line[0], line[1], line[2], line[3], rows, planes);
        else
            put_rows(line, rows, planes);
    }
}

static void lookup_cell(enum tmac_layout layout, tmac_width width, uint8_t *lines, uint8_t *cell)
{
    const int low = tmac_slice_low(width), high = tmac_slice_high(width);
    const size_t low_bytes = (size_t)(4 * low * tmac_layout_tile_rows(layout));

    lookup_slice(layout, low, width == TMAC_WIDTH_TERNARY, lines, cell);
    if (high)
        lookup_slice(layout, high, false, lines + low_bytes, cell + low_bytes);
}

static void lookup_cells(enum tmac_layout layout, tmac_width width, uint8_t *strips, int steps,
                         uint8_t *cells)
{
    const size_t rows = (size_t)tmac_layout_tile_rows(layout), strip = tmac_strip_bytes(width);
    uint8_t other[TMAC_MAX_TILE_ROWS * TMAC_CHUNK_STEPS * TMAC_MAX_STRIP], *lines;

    lines = rows_to_lines(rows, TMAC_CHUNK_STEPS * strip, strips, other);
    for (int s = 0; s < steps; s++, lines += rows * strip, cells += tmac_cell_bytes(layout, width))
        lookup_cell(layout, width, lines, cells);
}

/* ---- direct: 4-byte words for each row ------------------------------------------------------- */

/* The words of strips are those of cells, where each has all rows next to each other. */
static void direct_cells(tmac_width width, uint8_t *strips, int steps, uint8_t *cells)
{
    const size_t strip = tmac_strip_bytes(width), row_bytes = strip * TMAC_CHUNK_STEPS;

    for (int s = 0; s < steps; s++, strips += strip)
        for (size_t i = 0; i < strip; i += 4, cells += 4 * 32)
            for (size_t r = 0; r < 32; r += 4) {
                const uint8_t *from = strips + r * row_bytes + i;
                for (size_t j = 0; j < 4; j++)
                    store32(cells + 4 * (r + j), load32(from + j * row_bytes));
            }
}

void tmac_pack_cells(enum tmac_layout layout, tmac_width width, uint8_t *strips, int steps,
                     uint8_t *cells)
{
    if (tmac_layout_is_direct(layout))
        direct_cells(width, strips, steps, cells);
    else
        lookup_cells(layout, width, strips, steps, cells);
}
