/* SPDX-License-Identifier: MIT
 * What a weight matrix is, and every size and stride that follows from it. */
#ifndef TMAC_SHAPE_H
#define TMAC_SHAPE_H

#include "formats/spec.h"

#define TMAC_PACKED_HEADER_BYTES 128

/* What follows from a spec. */
struct tmac_shape {
    struct tmac_spec spec;
    struct tmac_scale_format scale_format;
    int tile_rows;
    int64_t tiles;
    int64_t steps;                          /* of 32 activations, the last padded */
    int64_t groups;                         /* per row */
    int block_k;                            /* activations that share one table scale */
    int block_log2, group_log2, super_log2; /* of block_k, the group and super-group; 0 for a row */
    int block_shift; /* log2 of the blocks per group (nested layouts: super-group); 31: a row is one group */
    float offset; /* what the kernels multiply the sum of activations with; scale_unit is in it */
    size_t cell_bytes;
    size_t scale_bytes; /* scales of a tile, padded to 64 */
    size_t tile_bytes;  /* scales, then cells */
    size_t bytes;       /* header and all tiles */
    int table_group;    /* nested layouts: the group size, whose sums the tables have; else 0 */
    uint32_t table_layout;
};

/* How a multiplication walks, where that was measured: see choose_blocking in multiply.c. */
struct tmac_blocking {
    int batch; /* many inputs are cut into so many, a multiple of 8; 0: the library's own choice
                    of these three */
    int tiles; /* whose sums are kept aside */
    int steps; /* in a chunk; a multiple of 8, so that chunks start at super-groups of 256 */
};

/* Fills `shape` from a spec that may come from anywhere; TMAC_OK only if everything in it is
 * possible and no size overflows. */
tmac_status tmac_shape_init(struct tmac_shape *shape, const struct tmac_spec *spec);

/* Where a cell has row `row` of the tile; where the own bytes of a pair of groups have it. */
static inline int tmac_shape_cell_row(const struct tmac_shape *shape, int row)
{
    return shape->spec.layout == TMAC_LAYOUT_NESTED_ROWS32 ? tmac_nested_byte(row) : row;
}
static inline int tmac_shape_own_place(const struct tmac_shape *shape, int row)
{
    const bool moved =
        shape->spec.layout == TMAC_LAYOUT_NESTED_ROWS32 && shape->spec.sub_format == TMAC_SUB_U4;
    return moved ? tmac_nested_place(row) : row;
}

/* Whether a layout can hold such weights; spec->layout does not matter. */
bool tmac_layout_holds(enum tmac_layout layout, const struct tmac_spec *spec);

/* Activations that share a table scale. */
int tmac_spec_block_k(const struct tmac_spec *spec);

/* "rows32", static storage; and the layout of that name, TMAC_LAYOUT_COUNT for another. */
const char *tmac_layout_name(enum tmac_layout layout);
enum tmac_layout tmac_layout_named(const char *name);

/* A table layout's number is its kind, the group size of weights in nested layouts (0 for others) and
 * the block size: public, so it never changes meaning. */
uint32_t tmac_table_layout(enum tmac_table_kind kind, int block_k, int group_k);
tmac_status tmac_table_layout_split(uint32_t layout, enum tmac_table_kind *kind, int *block_k,
                                    int *group_k);

#endif
