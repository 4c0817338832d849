/* SPDX-License-Identifier: MIT */
#include "avx512.h"

/* As in init.c: direct 68, 92 at 1 bit, where lookup stays ahead with 92, 130; 66, 86 at 2, 50, 59 at
 * 3, 41, 46 at 4 (what L3 gives). In panels of 8 it is 1.3 to 3.3 times as fast as lookup from 2 bits
 * up. */
void tmac_avx512_vnni_init(struct tmac_kernels *kernels)
{
    for (int w = 0; w < TMAC_W_COUNT; w++) {
        kernels->kernel[TMAC_LAYOUT_DIRECT][w] = avx512_direct_vnni[w];
        if (avx512_nested_vnni[w].multiply)
            kernels->kernel[TMAC_LAYOUT_NESTED][w] = avx512_nested_vnni[w];
        kernels->best_layout[w] = w == TMAC_W1 ? TMAC_LAYOUT_ROWS64 : TMAC_LAYOUT_DIRECT;
    }
}
