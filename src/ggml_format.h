/* SPDX-License-Identifier: MIT
 * The ggml block formats that are imported: what a block holds, and how to read it. The byte layouts
 * were written down from the formats' definitions and are proven against ggml's own decoder and
 * gguf's in the tests. */
#ifndef TMAC_GGML_FORMAT_H
#define TMAC_GGML_FORMAT_H

#include "source.h"

struct tmac_ggml_format {
    int32_t type; /* ggml's number */
    int block_k;
    int block_bytes;
    tmac_width width;
    int64_t group;
    tmac_zero zero_kind;
    float zero;
    tmac_sub_format sub_format; /* with a super-group of one block */
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

#endif
