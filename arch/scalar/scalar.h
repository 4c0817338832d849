/* SPDX-License-Identifier: MIT
 * Shared by the scalar kernels only. */
#ifndef TMAC_SCALAR_H
#define TMAC_SCALAR_H

#include "contract.h"

/* The integer stage of one row and input, over half steps [half_begin, half_end) of the chunk: a
 * half step is 16 activations. */
typedef int32_t scalar_integer_fn(const struct tmac_tile *tile, int input, int row, int half_begin,
                                  int half_end);

/* The float stage around it, as struct tmac_tile prescribes. */
void scalar_multiply(const struct tmac_tile *tile, scalar_integer_fn *integer);

/* Kernels for all widths: the lookup layouts, DIRECT, NESTED and NESTED_ROWS32. */
void scalar_lookup(const struct tmac_tile *tile);
void scalar_lookup_fast(const struct tmac_tile *tile);
void scalar_direct(const struct tmac_tile *tile);
void scalar_nested(const struct tmac_tile *tile);
void scalar_nested_lookup(const struct tmac_tile *tile);

scalar_integer_fn scalar_direct_integer;
scalar_integer_fn scalar_lookup_integer;

extern const struct tmac_tools scalar_tools;

#endif
