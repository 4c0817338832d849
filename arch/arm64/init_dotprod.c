/* SPDX-License-Identifier: MIT */
#include "neon.h"

void tmac_dotprod_init(struct tmac_kernels *kernels)
{
    static const struct tmac_kernel quad[TMAC_W_COUNT] = {
        {"quad_w1_m32_dotprod", neon_quad_dotprod}, {"quad_w2_m32_dotprod", neon_quad_dotprod},
        {"quad_w3_m32_dotprod", neon_quad_dotprod}, {"quad_w4_m32_dotprod", neon_quad_dotprod},
        {"quad_wt_m32_dotprod", neon_quad_dotprod},
    };
    static const struct tmac_kernel direct[TMAC_W_COUNT] = {
        {"direct_w1_m32_dotprod", neon_direct_w1_dotprod},
        {"direct_w2_m32_dotprod", neon_direct_w2_dotprod},
        {"direct_w3_m32_dotprod", neon_direct_w3_dotprod},
        {"direct_w4_m32_dotprod", neon_direct_w4_dotprod},
        {"direct_wt_m32_dotprod", neon_direct_w2_dotprod},
    };

    for (int w = 0; w < TMAC_W_COUNT; w++) {
        kernels->kernel[TMAC_LAYOUT_QUAD][w] = quad[w];
        kernels->kernel[TMAC_LAYOUT_DIRECT][w] = direct[w];
        kernels->best_layout[w] = w == TMAC_W1 ? TMAC_LAYOUT_ROWS32 : TMAC_LAYOUT_DIRECT;
    }
}
