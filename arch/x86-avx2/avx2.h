/* SPDX-License-Identifier: MIT
 * Shared by the AVX2 files only. */
#ifndef TMAC_AVX2_H
#define TMAC_AVX2_H

#include "contract.h"

/* Layouts ROWS32, DIRECT, and of 2 bits and more NESTED and NESTED_ROWS32. */
void avx2_lookup(const struct tmac_tile *tile);
void avx2_lookup_fast(const struct tmac_tile *tile);
void avx2_direct(const struct tmac_tile *tile);
void avx2_nested(const struct tmac_tile *tile);
void avx2_nested_lookup(const struct tmac_tile *tile);

extern const struct tmac_tools avx2_tools;

#endif
