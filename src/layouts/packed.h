/* SPDX-License-Identifier: MIT
 * Packed bytes: header, tiles, checksum. docs/packed-layout.md has the pictures. */
#ifndef TMAC_PACKED_H
#define TMAC_PACKED_H

#include "formats/source.h"
#include "layouts/shape.h"

static inline size_t tmac_tile_offset(const struct tmac_shape *shape, int64_t tile)
{
    return TMAC_PACKED_HEADER_BYTES + (size_t)tile * shape->tile_bytes;
}

/* Writes the header of packed bytes that are not finished. */
void tmac_header_write(const struct tmac_shape *shape, void *packed);

/* Reads and checks a header: TMAC_OK only if the bytes are long enough and the shape is consistent.
 * `finished` tells whether a checksum over the tiles was written. */
tmac_status tmac_header_read(const void *packed, size_t bytes, struct tmac_shape *shape,
                             bool *finished);

/* Computes the checksum over the tiles and writes it into the header. */
void tmac_header_finish(const struct tmac_shape *shape, void *packed);
bool tmac_header_checksum_matches(const struct tmac_shape *shape, const void *packed);

/* Packs tile `tile` from its source to its place in `packed`. */
tmac_status tmac_pack_tile(const struct tmac_shape *shape, const struct tmac_source *source,
                           int64_t tile, void *packed);

/* The first `steps` strips of every row, TMAC_CHUNK_STEPS of them from row to row, to as many cells.
 * Overwrites the strips. */
void tmac_pack_cells(enum tmac_layout layout, tmac_width width, uint8_t *strips, int steps,
                     uint8_t *cells);

/* One cell to codes, one per byte, TMAC_STEP_K per row, `stride` bytes from row to row. */
void tmac_unpack_cell(enum tmac_layout layout, tmac_width width, const uint8_t *cell,
                      uint8_t *codes, size_t stride);

/* One cell to the strips of its rows, `stride` bytes from row to row. */
void tmac_unpack_strips(enum tmac_layout layout, tmac_width width, const uint8_t *cell,
                        uint8_t *strips, size_t stride);

/* Rows [row_begin, row_end) as blocks of a format that holds these weights, row_bytes from row to row.
 * Refuses sub-scales that do not fit a block; the rows are then undefined. */
tmac_status tmac_unpack_blocks(const struct tmac_shape *shape, const struct tmac_format *format,
                               const void *packed, int64_t row_begin, int64_t row_end, void *blocks,
                               size_t row_bytes);

/* Rows [row_begin, row_end) as floats. */
void tmac_unpack_rows(const struct tmac_shape *shape, const struct tmac_tools *tools,
                      const void *packed, int64_t row_begin, int64_t row_end, float *out,
                      int64_t stride);

#endif
