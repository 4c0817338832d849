/* SPDX-License-Identifier: MIT */
#include "tiers.h"

#include "avx2.h"

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)

/* Cascade Lake, 4096x4096, Gweights/s of gemv and of panels of 8:
 *             nested lookup   nested
 *     Q2_K    50, 51          35, 39
 *     Q3_K    42, 45          27, 35
 *     Q4_K    31, 33          39, 36
 * Sapphire Rapids, nested lookup / nested: gemv 1.23 at Q2_K and 1.39 at Q3_K, batches of 4 1.12 and 1.05,
 * of 32 and more 0.75 to 0.95; its tables take twice as long. Averages gain nothing at 4 bits. */
static const struct tmac_kernel kernels[] = {
    {"lookup_fast_avx2", TMAC_ISA_X86_AVX2, TMAC_LAYOUT_ROWS32, W(1) | W(2) | W(3) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8), 60, .half = true, .averages = true,
     .multiply = avx2_lookup_fast},
    {"lookup_w1_avx2", TMAC_ISA_X86_AVX2, TMAC_LAYOUT_ROWS32, W(1),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8), 62, .half = true, .multiply = avx2_lookup},
    {"nested_w4_avx2", TMAC_ISA_X86_AVX2, TMAC_LAYOUT_NESTED, W(4),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 80, .half = true, .multiply = avx2_nested},
    {"nested_lookup_avx2", TMAC_ISA_X86_AVX2, TMAC_LAYOUT_NESTED_ROWS32,
     W(2) | W(3) | W(4) | W(TERNARY), TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8), 81, .half = true,
     .multiply = avx2_nested_lookup},
    {"nested_avx2", TMAC_ISA_X86_AVX2, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 82, .half = true, .multiply = avx2_nested},
    {"direct_w4_avx2", TMAC_ISA_X86_AVX2, TMAC_LAYOUT_DIRECT, W(4) | W(8),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 84, .half = true, .multiply = avx2_direct},
    {"lookup_avx2", TMAC_ISA_X86_AVX2, TMAC_LAYOUT_ROWS32, W(2) | W(3) | W(4) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8), 86, .half = true, .multiply = avx2_lookup},
    {"direct_avx2", TMAC_ISA_X86_AVX2, TMAC_LAYOUT_DIRECT, W(1) | W(2) | W(3) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY), 88, .half = true, .multiply = avx2_direct},
};

const struct tmac_set tmac_set_avx2 = {kernels, sizeof kernels / sizeof *kernels, &avx2_tools};
