/* SPDX-License-Identifier: MIT
 * AVX2 and vpdpbusd of 256 bits, coded without AVX-512: Alder Lake to Arrow Lake, N100, Zen 5. */
#ifndef TMAC_AVX_VNNI_H
#define TMAC_AVX_VNNI_H

#include "contract.h"

/* Layout DIRECT. */
void avx_vnni_direct(const struct tmac_tile *tile);

#endif
