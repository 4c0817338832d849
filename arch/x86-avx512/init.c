/* SPDX-License-Identifier: MIT */
#include "avx512.h"

/* Cascade Lake, 4096x4096, blocks of 32 and of 128, Gweights/s of gemv: lookup 92, 130 at 1 bit, 62, 82
 * at 2, 44, 56 at 3, 33, 40 at 4; direct 53, 58 and 53, 66 and 45, 50 and 39, 45. Panels of 8 rank
 * them alike. */
void tmac_avx512_init(struct tmac_kernels *kernels)
{
    for (int w = 0; w < TMAC_W_COUNT; w++) {
        kernels->kernel[TMAC_LAYOUT_ROWS64][w] = avx512_lookup[w];
        kernels->kernel[TMAC_LAYOUT_DIRECT][w] = avx512_direct[w];
        if (avx512_nested[w].multiply)
            kernels->kernel[TMAC_LAYOUT_NESTED][w] = avx512_nested[w];
        kernels->lookup_layout[w] = TMAC_LAYOUT_ROWS64;
        kernels->best_layout[w] = w == TMAC_W4 ? TMAC_LAYOUT_DIRECT : TMAC_LAYOUT_ROWS64;
        kernels->nested_best_layout[w] = TMAC_LAYOUT_COUNT;
    }
    kernels->build[TMAC_TABLE_U8] = avx512_build_lookup_u8;
    kernels->build[TMAC_TABLE_S8] = avx512_build_lookup_s8;
    kernels->build[TMAC_TABLE_INT8] = avx512_build_int8;
    kernels->expand = avx512_expand;
    kernels->f16_to_f32 = avx512_f16_to_f32;
    kernels->bf16_to_f32 = avx512_bf16_to_f32;
}
