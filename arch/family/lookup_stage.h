/* SPDX-License-Identifier: MIT
 * Lookup: what an integer stage gets and gives. Before it come the set's ops and
 *     enum { TILE_ROWS = ... };
 * An integer stage is a header that defines
 *     lookup_integers(at, part, kind, rows)   I of struct tmac_tile, over kind.steps steps or the part
 *                                             of a step, as floats: rows[input][VECTORS]
 *     inputs_of(kind)                         for how many inputs at once: 1, 2 or 4
 *     lookup_split(codes, steps, width, to)   indices of some cells: see struct stream
 * Some leave width and steps to run time; for others they have to be constants. */
#ifndef TMAC_FAMILY_LOOKUP_STAGE_H
#define TMAC_FAMILY_LOOKUP_STAGE_H

#include "inline.h"

enum {
    VECTORS = TILE_ROWS / LANES,
    MOST_INPUTS = 4,
    TABLE_STEP = 128 /* bytes of tables for a step and an input */
};

/* Which tables of a step to look up. FAST_STEP is a whole one by averages (contract.h). */
enum part { LOW_HALF, HIGH_HALF, WHOLE_STEP, FAST_STEP };

/* Where a stage reads. `codes` are cells, or what lookup_split() made of them: indices, a byte each,
 * [step][plane][g = 0..7][TILE_ROWS]; for QUAD [step][plane][low, high half-bytes][TILE_ROWS][4]. */
struct stream {
    const uint8_t *codes;
    const uint8_t *tables;
    size_t table_stride; /* from one step to the next */
};

/* The last block of a chunk, where it is short. */
typedef void lookup_rest_fn(const struct tmac_tile *tile, struct stream at, int steps,
                            vecf rows[VECTORS]);

/* What a leaf knows when it is compiled. */
struct lookup_kind {
    int width;       /* tmac_width */
    int steps;       /* of a block; 0: a block is half a step */
    enum part whole; /* how whole steps are looked up */
    bool half;       /* one input: scales are f16 */
    bool split;      /* several inputs: indices are split */
    lookup_rest_fn *rest;
};

INLINE int planes_of(const int width)
{
    return width == TMAC_WIDTH_TERNARY ? 2 : width;
}

INLINE size_t plane_bytes(const bool split)
{
    return split ? 8 * TILE_ROWS : 4 * TILE_ROWS;
}

INLINE size_t step_bytes(const int width, const bool split)
{
    return (size_t)planes_of(width) * plane_bytes(split);
}

INLINE bool is_whole(const enum part part)
{
    return part >= WHOLE_STEP;
}

INLINE struct stream stream_after(const struct stream *at, const int steps, const int width,
                                  const bool split)
{
    return (struct stream){at->codes + (size_t)steps * step_bytes(width, split),
                           at->tables + (size_t)steps * at->table_stride, at->table_stride};
}

#endif
