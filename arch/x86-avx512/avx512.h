/* SPDX-License-Identifier: MIT
 * Shared by the AVX-512 files only. */
#ifndef TMAC_AVX512_H
#define TMAC_AVX512_H

#include "contract.h"

extern const struct tmac_tools avx512_tools;

/* Layout ROWS64, DIRECT, and NESTED of 2 bits and more. */
void avx512_lookup(const struct tmac_tile *tile);
void avx512_direct(const struct tmac_tile *tile);
void avx512_direct_vnni(const struct tmac_tile *tile);
void avx512_nested(const struct tmac_tile *tile);
void avx512_nested_vnni(const struct tmac_tile *tile);
/* Faster ways for many inputs of some of them. */
bool avx512_nested_scaled_accepts(const struct tmac_spec *spec);
void avx512_nested_scaled_vnni(const struct tmac_tile *tile);
bool avx512_nested_centred_accepts(const struct tmac_spec *spec);
void avx512_nested_centred_vnni(const struct tmac_tile *tile);

#endif
