/* SPDX-License-Identifier: MIT */
#include "tiers.h"

#include "avx512.h"

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)

/* Sapphire Rapids without VNNI, 576x1536 (L2), groups of 32 and of 128, Gweights/s of gemv and of batches
 * of 32: lookup 182, 241 and 233, 324 at 1 bit, 121, 136 and 152, 182 at 2, 92, 104 and 114, 130 at 3,
 * 70, 75 and 88, 96 at 4; direct 86, 89 and 154, 171; 82, 88 and 149, 169; 74, 77 and 157, 175; 88, 96
 * and 159, 180. With VNNI direct is ahead of lookup from 2 bits up. */
static const struct tmac_kernel kernels[] = {
    {"lookup_w1_avx512", TMAC_ISA_X86_AVX512, TMAC_LAYOUT_ROWS64, W(1),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8), 25, .half = true, .multiply = avx512_lookup},
    {"nested_avx512", TMAC_ISA_X86_AVX512, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(4) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 35, .half = true, .multiply = avx512_nested},
    {"direct_w4_avx512", TMAC_ISA_X86_AVX512, TMAC_LAYOUT_DIRECT, W(4) | W(8),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 38, .half = true, .multiply = avx512_direct},
    {"lookup_avx512", TMAC_ISA_X86_AVX512, TMAC_LAYOUT_ROWS64, W(2) | W(3) | W(4) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8), 40, .half = true, .multiply = avx512_lookup},
    {"direct_avx512", TMAC_ISA_X86_AVX512, TMAC_LAYOUT_DIRECT, W(1) | W(2) | W(3) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 50, .half = true, .multiply = avx512_direct},
};

const struct tmac_set tmac_set_avx512 = {kernels, sizeof kernels / sizeof *kernels, &avx512_tools};
