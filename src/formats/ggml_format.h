/* SPDX-License-Identifier: MIT
 * The ggml block formats that are imported: what a block holds, and how to read and write it. The byte layouts
 * were written down from the formats' definitions and are proven against ggml's own decoder and
 * gguf's in the tests. */
#ifndef TMAC_GGML_FORMAT_H
#define TMAC_GGML_FORMAT_H

#include "formats/source.h"

struct tmac_ggml_format {
    int32_t type; /* ggml's number */
    int block_k;
    int block_bytes;
    tmac_width width;
    int64_t group;
    tmac_zero zero_kind;
    float zero;
    tmac_sub_format sub_format; /* with a super-group of one block */
    int sub_bits;               /* I8: bits that sub-scales take in a block */
    /* All codes of a block. */
    void (*strips)(const uint8_t *block, uint8_t *strips);
    /* The numbers of all groups of a block to `out`, from index `at` up. */
    void (*groups)(const uint8_t *block, int at, struct tmac_groups *out);
};

/* NULL for a type that is not imported. */
const struct tmac_ggml_format *tmac_ggml_find(int32_t type);

/* Fills a description of rows of such blocks, all but struct_size. */
void tmac_ggml_describe(const struct tmac_ggml_format *format, int64_t rows, int64_t cols,
                        const void *blocks, tmac_weights_desc *desc);

/* Bytes of a row of `cols` codes, a multiple of block_k. */
static inline size_t tmac_ggml_row_bytes(const struct tmac_ggml_format *format, int64_t cols)
{
    return (size_t)(cols / format->block_k) * (size_t)format->block_bytes;
}

/* Whether such blocks would be packed to weights with exactly these kinds of numbers. */
bool tmac_ggml_holds(const struct tmac_ggml_format *format, const struct tmac_spec *spec);

/* Writes rows [row_begin, row_end) of packed weights that such blocks hold, row_bytes from row to
 * row. Refuses sub-scales that do not fit a block; the rows are then undefined. */
tmac_status tmac_ggml_write_rows(const struct tmac_shape *shape,
                                 const struct tmac_ggml_format *format, const void *packed,
                                 int64_t row_begin, int64_t row_end, void *blocks,
                                 size_t row_bytes);

#endif
