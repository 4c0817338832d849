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

void scalar_build_lookup_u8(const struct tmac_build *build);
void scalar_build_lookup_s8(const struct tmac_build *build);
void scalar_build_int8(const struct tmac_build *build);

void scalar_expand(const struct tmac_expand *expand);
void scalar_f16_to_f32(const uint16_t *from, float *to, size_t count);
void scalar_bf16_to_f32(const uint16_t *from, float *to, size_t count);

#endif
