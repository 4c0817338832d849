/* SPDX-License-Identifier: MIT */
#include "tiers.h"

#include "avx512.h"

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)
#define VNNI (TMAC_ISA_X86_AVX512 | TMAC_ISA_X86_AVX512_VNNI)

/* As in set.c: direct 68, 92 at 1 bit, where lookup stays ahead with 92, 130; 66, 86 at 2, 50, 59 at
 * 3, 41, 46 at 4 (what L3 gives). In panels of 8 it is 1.3 to 3.3 times as fast as lookup from 2 bits
 * up. */
static const struct tmac_kernel kernels[] = {
    {"nested_scaled_avx512_vnni", VNNI, TMAC_LAYOUT_NESTED, W(2) | W(3),
     TMAC_BATCHES(TMAC_BATCH_MANY, TMAC_BATCH_MANY), 8, .half = true,
     .accepts = avx512_nested_scaled_accepts, .multiply = avx512_nested_scaled_vnni},
    {"nested_centred_avx512_vnni", VNNI, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(4) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_MANY, TMAC_BATCH_MANY), 9, .half = true,
     .accepts = avx512_nested_centred_accepts, .multiply = avx512_nested_centred_vnni},
    {"nested_avx512_vnni", VNNI, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(4) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 10, .half = true, .multiply = avx512_nested_vnni},
    {"direct_avx512_vnni", VNNI, TMAC_LAYOUT_DIRECT, TMAC_WIDTHS_ALL,
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 30, .half = true, .multiply = avx512_direct_vnni},
};

const struct tmac_set tmac_set_avx512_vnni = {kernels, sizeof kernels / sizeof *kernels, NULL};
