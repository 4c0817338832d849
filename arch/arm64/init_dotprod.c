/* SPDX-License-Identifier: MIT */
#include "neon.h"

/* Cycles for a cell of 32 rows and 32 activations, modelled as in init.c:
 *
 *                                  lookup                        direct by SDOT
 *                                  1    2, ternary  3    4 bits  1    2    3    4 bits
 *     neoverse-n1   one input     32   64          96   128     64   64   102  64
 *                   each of four   29   58          88   117     41   47   58   40
 *     cortex-a55    one input     104  208         312  416     154  186  282  204
 *
 * QUAD takes 50 cycles a plane on neoverse-n1. */

void tmac_dotprod_init(struct tmac_kernels *kernels)
{
    static const struct tmac_kernel quad[TMAC_W_COUNT] = {
        {.name = "quad_w1_m32_dotprod", .multiply = neon_quad_dotprod},
        {.name = "quad_w2_m32_dotprod", .multiply = neon_quad_dotprod},
        {.name = "quad_w3_m32_dotprod", .multiply = neon_quad_dotprod},
        {.name = "quad_w4_m32_dotprod", .multiply = neon_quad_dotprod},
        {.name = "quad_wt_m32_dotprod", .multiply = neon_quad_dotprod},
    };
    static const struct tmac_kernel direct[TMAC_W_COUNT] = {
        {.name = "direct_w1_m32_dotprod", .multiply = neon_direct_w1_dotprod},
        {.name = "direct_w2_m32_dotprod", .multiply = neon_direct_w2_dotprod},
        {.name = "direct_w3_m32_dotprod", .multiply = neon_direct_w3_dotprod},
        {.name = "direct_w4_m32_dotprod", .multiply = neon_direct_w4_dotprod},
        {.name = "direct_wt_m32_dotprod", .multiply = neon_direct_w2_dotprod},
    };

    for (int w = 0; w < TMAC_W_COUNT; w++) {
        kernels->kernel[TMAC_LAYOUT_QUAD][w] = quad[w];
        kernels->kernel[TMAC_LAYOUT_DIRECT][w] = direct[w];
        kernels->best_layout[w] = w == TMAC_W1 ? TMAC_LAYOUT_ROWS32 : TMAC_LAYOUT_DIRECT;
    }
}
