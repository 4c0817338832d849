/* SPDX-License-Identifier: MIT
 * Where results go, and what becomes of them on the way: include/tmac.h, "Multiply, with everything". */
#ifndef TMAC_OUTPUT_H
#define TMAC_OUTPUT_H

#include "contract.h"

struct tmac_output {
    void *y; /* row 0 of output 0 */
    int64_t stride;
    tmac_output_type type;
    bool accumulate;
    const float *bias;    /* NULL: none */
    const int64_t *order; /* the output of each input of the tables; NULL: its own number */
};

/* Whether kernels may write right to y: floats, nothing added, outputs a stride apart. */
bool tmac_output_is_plain(const struct tmac_output *output);

/* `count` results for rows from `row` on of input `input` of the tables. */
void tmac_output_put(const struct tmac_output *output, int64_t input, int64_t row,
                     const float *results, int64_t count);

#endif
