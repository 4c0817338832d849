/* SPDX-License-Identifier: MIT */
#include "tiers.h"

#include "neon.h"

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)
#define ANY TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY)

/* Cycles for a cell of 32 rows and 32 activations, one input, as llvm-mca 14 models the inner loops of
 * gcc 12 -O3 (lookup: llvm-mca 19); nested with sub-scales of groups of 32 at 4 bits, else of 16:
 *
 *                  lookup                         direct                    nested
 *                  1    2, ternary  3    4 bits   1    2    3    4    8     2    3    4 bits
 *     cortex-a72   48   96         144   192      156  147  204  142  237   209  277  170
 *     cortex-a53   102  204        306   408      468  434  622  498  756   576  800  640
 *
 * Lookup and direct would have to expand the sub-scales of K-quants, and add floats for every group. */
static const struct tmac_kernel kernels[] = {
    {"lookup_w1_neon", TMAC_ISA_ARM64, TMAC_LAYOUT_ROWS32, W(1), TMAC_BATCHES_1_4_8, 25,
     .half = true, .multiply = neon_lookup},
    {"nested_neon", TMAC_ISA_ARM64, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(4) | W(TERNARY), ANY, 35,
     .half = true, .multiply = neon_nested},
    {"direct_w4_neon", TMAC_ISA_ARM64, TMAC_LAYOUT_DIRECT, W(4) | W(8), ANY, 38, .half = true,
     .multiply = neon_direct},
    {"lookup_neon", TMAC_ISA_ARM64, TMAC_LAYOUT_ROWS32, W(2) | W(3) | W(4) | W(TERNARY),
     TMAC_BATCHES_1_4_8, 40, .half = true, .multiply = neon_lookup},
    {"direct_neon", TMAC_ISA_ARM64, TMAC_LAYOUT_DIRECT, W(1) | W(2) | W(3) | W(TERNARY), ANY, 50,
     .half = true, .multiply = neon_direct},
};

const struct tmac_set tmac_set_neon = {kernels, sizeof kernels / sizeof *kernels, &neon_tools};
