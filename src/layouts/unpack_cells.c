/* SPDX-License-Identifier: MIT
 * Cells back to codes and strips, for the layouts that contract.h draws. */
#include "formats/words.h"
#include "layouts/packed.h"

static uint32_t spread_nibble(unsigned nibble)
{
    return (nibble * 0x00204081u) & 0x01010101u;
}

/* Ternary codes 0, 1, 2 are the plane bits 00, 01, 11. */
static uint32_t ternary_from_planes(uint32_t planes)
{
    return (planes & 0x01010101u) + (planes >> 1 & 0x01010101u);
}

/* Where a lookup layout keeps tables j and 4+j of a row and plane. */
static size_t lookup_at(enum tmac_layout layout, size_t tile_rows, int plane, int j, size_t row)
{
    if (layout == TMAC_LAYOUT_QUAD)
        return ((size_t)plane * 2 + row / 16) * 64 + row % 16 * 4 + (size_t)j;
    return ((size_t)plane * 4 + (size_t)j) * tile_rows + row;
}

static void unpack_lookup(enum tmac_layout layout, tmac_width width, const uint8_t *cell,
                          uint8_t *codes, size_t stride)
{
    const size_t tile_rows = (size_t)tmac_layout_tile_rows(layout);
    const int planes = tmac_width_bits(width);

    for (size_t r = 0; r < tile_rows; r++, codes += stride)
        for (int j = 0; j < 4; j++) {
            uint32_t low = 0, high = 0;
            for (int p = 0; p < planes; p++) {
                const uint8_t byte = cell[lookup_at(layout, tile_rows, p, j, r)];
                low |= spread_nibble(byte & 15) << p;
                high |= spread_nibble(byte >> 4) << p;
            }
            if (width == TMAC_WIDTH_TERNARY) {
                low = ternary_from_planes(low);
                high = ternary_from_planes(high);
            }
            store32(codes + 4 * j, low);
            store32(codes + 16 + 4 * j, high);
        }
}

/* Row `row`, vector z of a DIRECT cell. */
static size_t direct_at(int z, size_t row)
{
    return ((size_t)z * 2 + row / 16) * 64 + row % 16 * 4;
}

/* Adds the cell of a slice, `bits` from bit `from` up, to what lower slices left in `codes`. Activations
 * 4g .. 4g+3 lie in field g / bits of vector g % bits. */
static void unpack_slice(int bits, int from, const uint8_t *cell, uint8_t *codes, size_t stride)
{
    const uint32_t mask = ((1u << bits) - 1) * 0x01010101u;

    for (size_t r = 0; r < 32; r++, codes += stride)
        for (int group = 0; group < 8; group++) {
            const int z = group % bits, field = group / bits;
            const uint32_t word = load32(cell + direct_at(z, r)) >> field * bits & mask;
            store32(codes + 4 * group, (from ? load32(codes + 4 * group) : 0) | word << from);
        }
}

void tmac_unpack_cell(enum tmac_layout layout, tmac_width width, const uint8_t *cell,
                      uint8_t *codes, size_t stride)
{
    const int low = tmac_slice_low(width), high = tmac_slice_high(width);

    if (!tmac_layout_is_direct(layout)) {
        unpack_lookup(layout, width, cell, codes, stride);
        return;
    }
    unpack_slice(low, 0, cell, codes, stride);
    if (high)
        unpack_slice(high, low, cell + tmac_cell_bytes(layout, (tmac_width)low), codes, stride);
}

/* Strips are words for a row, as pack_cells.c says. */
static void direct_strips(tmac_width width, const uint8_t *cell, uint8_t *strips, size_t stride)
{
    for (size_t i = 0; i < tmac_strip_bytes(width); i += 4, cell += 4 * 32)
        for (size_t r = 0; r < 32; r++)
            store32(strips + r * stride + i, load32(cell + 4 * r));
}

void tmac_unpack_strips(enum tmac_layout layout, tmac_width width, const uint8_t *cell,
                        uint8_t *strips, size_t stride)
{
    uint8_t codes[TMAC_MAX_TILE_ROWS][TMAC_STEP_K];

    if (tmac_layout_is_direct(layout)) {
        direct_strips(width, cell, strips, stride);
        return;
    }
    unpack_lookup(layout, width, cell, codes[0], TMAC_STEP_K);
    for (int r = 0; r < tmac_layout_tile_rows(layout); r++)
        tmac_codes_to_strips(codes[r], 1, width, strips + (size_t)r * stride);
}
