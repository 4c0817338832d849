/* SPDX-License-Identifier: MIT
 * AVX2 and vpdpbusd of 256 bits, coded without AVX-512: Alder Lake to Arrow Lake, N100, Zen 5. */
#ifndef TMAC_AVX_VNNI_H
#define TMAC_AVX_VNNI_H

#include "contract.h"

/* Layouts DIRECT and, of 2 bits and more, NESTED. */
void avx_vnni_direct(const struct tmac_tile *tile);
void avx_vnni_nested(const struct tmac_tile *tile);
/* Faster ways for many inputs of some of them. */
bool avx_vnni_nested_scaled_accepts(const struct tmac_spec *spec);
void avx_vnni_nested_scaled(const struct tmac_tile *tile);
bool avx_vnni_nested_centred_accepts(const struct tmac_spec *spec);
void avx_vnni_nested_centred(const struct tmac_tile *tile);

#endif
