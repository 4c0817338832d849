/* SPDX-License-Identifier: MIT
 * Codes out of DIRECT cells, as vectors of LANES rows x 4 neighbouring activations (a group; 8 make a
 * step).
 *
 * Of a width with one slice a cell has `bits` vectors per LANES rows, and a byte of vector z has
 * 8 / bits fields: field j is of group z + bits * j. Two slices are put together, so that there are
 * fields of field_bits() bits of the same order; what a field has above its code is not defined.
 *
 *     3 bits, low slice     f3 f3 f2 f2 f1 f1 f0 f0     field f of vector z is of group 2f + z
 *             high slice    bit 2f + z: the third bit of that group
 *             fields        .. H2 f2 f2 .. H0 f0 f0     or .. H3 f3 f3 .. H1 f1 f1, as fields of 4 bits
 *
 * Parameters, of the tier: ROW_VECTORS, VEC_BYTES, vec and its operations; BYTE_SHIFTS, whether vec_right_bytes()
 * shifts byte by byte. */
#ifndef TMAC_CODES_H
#define TMAC_CODES_H

#include "contract.h"
#include "inline.h"

enum { GROUPS = 8, UNPACKED_STEPS = 8, ROWS_BYTES = ROW_VECTORS * VEC_BYTES };

/* Bits from one field to the next; vectors of fields that a cell has. */
INLINE int field_bits(const tmac_width width)
{
    const int low = tmac_slice_low(width), high = tmac_slice_high(width);

    return high == 0 ? low : low + high <= 4 ? 4 : 8;
}

INLINE int code_mask(const tmac_width width)
{
    return (1 << tmac_width_bits(width)) - 1;
}

/* Moves what is at bit `from` of every byte to bit `to`. Bits of the neighbour come in, but for BYTE_SHIFTS. */
INLINE vec fields_moved(vec fields, const int from, const int to)
{
    return from > to   ? vec_right_bytes(fields, from - to)
           : from < to ? vec_left_bytes(fields, to - from)
                       : fields;
}

/* Vector z of a slice, for row vector v. */
INLINE vec slice_vector(const uint8_t *slice, const int z, const int v)
{
    return vec_load(slice + z * ROWS_BYTES + v * VEC_BYTES);
}

/* Vector z of a cell's fields, for row vector v. */
INLINE vec field_vector(const uint8_t *cell, const tmac_width width, const int z, const int v)
{
    const int low = tmac_slice_low(width), high = tmac_slice_high(width);
    const vec first = slice_vector(cell, z % low, v);

    if (high == 0)
        return first;
    const vec second = slice_vector(cell + low * ROWS_BYTES, z % high, v);
    const int ones = (1 << low) - 1;
    return vec_select(vec_bytes((char)(field_bits(width) == 4 ? ones * 17 : ones)),
                      fields_moved(first, z / low * low, 0),
                      fields_moved(second, z / high * high, low));
}

/* The codes of field j, one per byte. */
INLINE vec field_codes(vec fields, const tmac_width width, const int j)
{
    const int bits = field_bits(width);
    const vec moved = fields_moved(fields, j * bits, 0);
    const bool is_last = (j + 1) * bits == 8, is_clean = bits == 8 || BYTE_SHIFTS;

    if (is_last && is_clean && tmac_slice_high(width) == 0)
        return moved;
    return vec_and(moved, vec_bytes((char)code_mask(width)));
}

/* ---- unpacked ---------------------------------------------------------------------------------
 * One code per byte, for all inputs of all panels: 8 KB, a part of the first-level cache. */

struct unpacked {
    _Alignas(64) uint8_t codes[GROUPS][ROW_VECTORS][VEC_BYTES];
};

INLINE void unpack_cells(struct unpacked *to, const uint8_t *cell, int steps,
                         const tmac_width width)
{
    const int bits = field_bits(width), in_byte = GROUPS / bits;

    for (; steps > 0; steps--, to++, cell += tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width)) {
        UNROLL
        for (int z = 0; z < bits; z++) {
            UNROLL
            for (int v = 0; v < ROW_VECTORS; v++) {
                const vec fields = field_vector(cell, width, z, v);
                UNROLL
                for (int j = 0; j < in_byte; j++)
                    vec_store(to->codes[z + bits * j][v], field_codes(fields, width, j));
            }
        }
    }
}

#define UNPACK(name, width)                                                                        \
    INSTANCE void name(struct unpacked *to, const uint8_t *cells, int steps)                       \
    {                                                                                              \
        unpack_cells(to, cells, steps, width);                                                     \
    }

UNPACK(unpack_1, TMAC_WIDTH_1)
UNPACK(unpack_2, TMAC_WIDTH_2)
UNPACK(unpack_3, TMAC_WIDTH_3)
UNPACK(unpack_4, TMAC_WIDTH_4)
UNPACK(unpack_8, TMAC_WIDTH_8)
#undef UNPACK

/* Ternary codes are stored and multiplied as 2 bits. */
static inline void unpack_steps(struct unpacked *to, const uint8_t *cells, int steps,
                                tmac_width width)
{
    switch (width) {
    case TMAC_WIDTH_1:
        unpack_1(to, cells, steps);
        break;
    case TMAC_WIDTH_3:
        unpack_3(to, cells, steps);
        break;
    case TMAC_WIDTH_4:
        unpack_4(to, cells, steps);
        break;
    case TMAC_WIDTH_8:
        unpack_8(to, cells, steps);
        break;
    default:
        unpack_2(to, cells, steps);
    }
}

#endif
