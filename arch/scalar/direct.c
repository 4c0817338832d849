/* SPDX-License-Identifier: MIT
 * The direct family in plain C: codes times int8 activations. */
#include "scalar.h"

/* The field that a slice's cell of `bits` bits (1, 2, 4 or 8) has for row `row` and activation `k`. */
static unsigned slice_field(const uint8_t *cell, int bits, int row, int k)
{
    const int group = k / 4; /* of 4 neighbouring activations: 0..7 */
    const int z = group % bits, field = group / bits;
    const uint8_t byte = cell[(z * 2 + row / 16) * 64 + row % 16 * 4 + k % 4];

    return byte >> (field * bits) & ((1u << bits) - 1);
}

static unsigned direct_code(const uint8_t *cell, tmac_width width, int row, int k)
{
    const int low = tmac_slice_low(width), high = tmac_slice_high(width);
    const size_t low_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, (tmac_width)low);
    const unsigned code = slice_field(cell, low, row, k);

    return high ? code | slice_field(cell + low_bytes, high, row, k) << low : code;
}

int32_t scalar_direct_integer(const struct tmac_tile *tile, int input, int row, int half_begin,
                              int half_end)
{
    const size_t cell_bytes = tmac_cell_bytes(tile->layout, tile->width);
    const size_t batch = (size_t)tile->batch;
    int32_t sum = 0;

    for (int h = half_begin; h < half_end; h++) {
        const size_t step = (size_t)h / 2;
        const uint8_t *cell = tile->codes + step * cell_bytes;
        for (int k = h % 2 * 16, end = k + 16; k < end; k++) {
            const size_t group = step * 8 + (size_t)k / 4;
            const size_t at = (group * batch + (size_t)input) * 4 + (size_t)k % 4;
            sum += (int32_t)direct_code(cell, tile->width, row, k) * (int8_t)tile->tables[at];
        }
    }
    return sum;
}

void scalar_direct(const struct tmac_tile *tile)
{
    scalar_multiply(tile, scalar_direct_integer);
}
