/* SPDX-License-Identifier: MIT
 * Walks a product: blocks of inputs, of tiles, chunks of steps, panels, for the kernels. */
#ifndef TMAC_MULTIPLY_H
#define TMAC_MULTIPLY_H

#include "engine/choose.h"
#include "engine/inputs.h"
#include "engine/output.h"

/* Whether the multiplication has room for it. */
bool tmac_blocking_fits(const struct tmac_blocking *blocking, const struct tmac_shape *shape);

/* Weights times the tables of a batch. */
struct tmac_product {
    const struct tmac_shape *shape;
    const struct tmac_tools *tools;
    const struct tmac_choice *kernels; /* for the shape's spec */
    const void *packed;
    const struct tmac_table_shape *table_shape;
    const uint8_t *tables;
    struct tmac_output output;
    int64_t first_row; /* whose results are row 0 of the output */
    struct tmac_blocking blocking;
};

/* Rows [row_begin, row_end) of inputs [input_begin, input_end), on the calling thread; input_begin must be
 * the start of a panel. */
void tmac_product_multiply(const struct tmac_product *product, int64_t row_begin, int64_t row_end,
                           int64_t input_begin, int64_t input_end);

#endif
