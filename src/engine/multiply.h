/* SPDX-License-Identifier: MIT
 * Splits a multiplication into tiles, chunks and panels for the kernels. */
#ifndef TMAC_MULTIPLY_H
#define TMAC_MULTIPLY_H

#include "engine/choose.h"
#include "layouts/packed.h"
#include "engine/inputs.h"

/* Whether the multiplication has room for it. */
bool tmac_blocking_fits(const struct tmac_blocking *blocking, const struct tmac_shape *shape);

struct tmac_product {
    const struct tmac_shape *shape;
    const struct tmac_tools *tools;
    const struct tmac_choice *kernels; /* for the shape's spec */
    const void *packed;
    const struct tmac_table_shape *table_shape;
    const uint8_t *tables;
    float *y; /* row 0, input 0 */
    int64_t stride;
    struct tmac_blocking blocking;
};

/* Rows [row_begin, row_end) of inputs [input_begin, input_end), on the calling thread;
 * input_begin must be the start of a panel. */
void tmac_multiply(const struct tmac_product *product, int64_t row_begin, int64_t row_end,
                   int64_t input_begin, int64_t input_end);

/* Rows [row_begin, row_end) of all inputs, split over the context's threads. */
void tmac_multiply_parallel(const struct tmac_context *context, const struct tmac_product *product,
                            int64_t row_begin, int64_t row_end);

#endif
