/* SPDX-License-Identifier: MIT */
#include "neon.h"

#include <string.h>

/* Cycles for a cell of 32 rows and 32 activations, one input, as llvm-mca 19 models the inner
 * loops of gcc 12 -O3:
 *
 *                  lookup                         direct
 *                  1    2, ternary  3    4 bits   1    2    3    4 bits
 *     cortex-a72   48   96         144   192      128  128  182  128
 *     cortex-a53   102  204        306   408      238  306  486  256 */

void tmac_neon_init(struct tmac_kernels *kernels)
{
    static const struct tmac_kernel lookup[TMAC_W_COUNT] = {
        {.name = "lookup_w1_m32_neon", .multiply = neon_lookup},
        {.name = "lookup_w2_m32_neon", .multiply = neon_lookup},
        {.name = "lookup_w3_m32_neon", .multiply = neon_lookup},
        {.name = "lookup_w4_m32_neon", .multiply = neon_lookup},
        {.name = "lookup_wt_m32_neon", .multiply = neon_lookup},
    };
    static const struct tmac_kernel direct[TMAC_W_COUNT] = {
        {.name = "direct_w1_m32_neon", .multiply = neon_direct_w1},
        {.name = "direct_w2_m32_neon", .multiply = neon_direct_w2},
        {.name = "direct_w3_m32_neon", .multiply = neon_direct_w3},
        {.name = "direct_w4_m32_neon", .multiply = neon_direct_w4},
        {.name = "direct_wt_m32_neon", .multiply = neon_direct_w2},
    };

    memset(kernels->fast, 0, sizeof kernels->fast); /* they add pairs while they widen */
    for (int w = 0; w < TMAC_W_COUNT; w++) {
        kernels->kernel[TMAC_LAYOUT_ROWS32][w] = lookup[w];
        kernels->kernel[TMAC_LAYOUT_DIRECT][w] = direct[w];
        kernels->lookup_layout[w] = TMAC_LAYOUT_ROWS32;
        kernels->best_layout[w] = w == TMAC_W4 ? TMAC_LAYOUT_DIRECT : TMAC_LAYOUT_ROWS32;
    }
    kernels->build[TMAC_TABLE_U8] = neon_build_lookup_u8;
    kernels->build[TMAC_TABLE_S8] = neon_build_lookup_s8;
    kernels->build[TMAC_TABLE_INT8] = neon_build_int8;
    kernels->expand = neon_expand;
    kernels->f16_to_f32 = neon_f16_to_f32;
    kernels->bf16_to_f32 = neon_bf16_to_f32;
}
