/* SPDX-License-Identifier: MIT */
#include "avx512.h"

void tmac_avx512_vnni_init(struct tmac_kernels *kernels)
{
    for (int w = 0; w < TMAC_W_COUNT; w++) {
        kernels->kernel[TMAC_LAYOUT_DIRECT][w] = avx512_direct_vnni[w];
        kernels->best_layout[w] = w == TMAC_W1 ? TMAC_LAYOUT_ROWS64 : TMAC_LAYOUT_DIRECT;
    }
}
