/* SPDX-License-Identifier: MIT */
#include "tiers.h"

#include "neon.h"

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)
#define ANY TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY)
#define DOTPROD (TMAC_ISA_ARM64 | TMAC_ISA_ARM64_DOTPROD)

/* Cycles for a cell of 32 rows and 32 activations, one input, modelled as in set.c:
 *
 *                   lookup                        direct by SDOT            nested
 *                   1    2, ternary  3    4 bits  1    2    3    4    8     2    3    4 bits
 *     neoverse-n1   32   64          96   128     72   66   116  66   96    160  192  108
 *     cortex-a55    104  208         312  416     330  434  462  288  520   672  648  445
 *
 * QUAD takes 50 cycles a plane on neoverse-n1. */
static const struct tmac_kernel kernels[] = {
    {"nested_dotprod", DOTPROD, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(4) | W(TERNARY), ANY, 20,
     .half = true, .multiply = neon_nested_dotprod},
    {"direct_dotprod", DOTPROD, TMAC_LAYOUT_DIRECT, TMAC_WIDTHS_ALL, ANY, 30, .half = true,
     .multiply = neon_direct_dotprod},
    {"quad_dotprod", DOTPROD, TMAC_LAYOUT_QUAD, TMAC_WIDTHS_PLANES, TMAC_BATCHES_1_4_8, 60,
     .half = true, .multiply = neon_quad_dotprod},
};

const struct tmac_set tmac_set_dotprod = {kernels, sizeof kernels / sizeof *kernels, NULL};
