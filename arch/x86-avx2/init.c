/* SPDX-License-Identifier: MIT */
#include "avx2.h"

/* Cascade Lake, 4096x4096, Gweights/s of gemv and of panels of 8, lookup and direct: Q2_K 50, 51 and 35,
 * 39; Q3_K 42, 45 and 27, 35; Q4_K 31, 33 and 39, 36. */
void tmac_avx2_init(struct tmac_kernels *kernels)
{
    static const struct tmac_kernel lookup[TMAC_W_COUNT] = {
        {"lookup_w1_m32_avx2", avx2_lookup_w1, .half = true},
        {"lookup_w2_m32_avx2", avx2_lookup_w2, .half = true},
        {"lookup_w3_m32_avx2", avx2_lookup_w3, .half = true},
        {"lookup_w4_m32_avx2", avx2_lookup_w4, .half = true},
        {"lookup_wt_m32_avx2", avx2_lookup_wt, .half = true},
    };
    /* At 4 bits averages gain nothing. */
    static const struct tmac_kernel fast[TMAC_W_COUNT] = {
        [TMAC_W1] = {"lookup_fast_w1_m32_avx2", avx2_lookup_fast_w1, .half = true, .quarter = true},
        [TMAC_W2] = {"lookup_fast_w2_m32_avx2", avx2_lookup_fast_w2, .half = true, .quarter = true},
        [TMAC_W3] = {"lookup_fast_w3_m32_avx2", avx2_lookup_fast_w3, .half = true, .quarter = true},
        [TMAC_WT] = {"lookup_fast_wt_m32_avx2", avx2_lookup_fast_wt, .half = true, .quarter = true},
    };
    static const struct tmac_kernel direct[TMAC_W_COUNT] = {
        {"direct_w1_m32_avx2", avx2_direct_w1, .half = true, .panels = true},
        {"direct_w2_m32_avx2", avx2_direct_w2, .half = true, .panels = true},
        {"direct_w3_m32_avx2", avx2_direct_w3, .half = true, .panels = true},
        {"direct_w4_m32_avx2", avx2_direct_w4, .half = true, .panels = true},
        {"direct_wt_m32_avx2", avx2_direct_w2, .half = true, .panels = true},
    };
    static const struct tmac_kernel nested[TMAC_W_COUNT] = {
        [TMAC_W2] = {"nested_w2_m32_avx2", avx2_nested_w2, .half = true, .panels = true},
        [TMAC_W3] = {"nested_w3_m32_avx2", avx2_nested_w3, .half = true, .panels = true},
        [TMAC_W4] = {"nested_w4_m32_avx2", avx2_nested_w4, .half = true, .panels = true},
        [TMAC_WT] = {"nested_wt_m32_avx2", avx2_nested_w2, .half = true, .panels = true},
    };
    static const struct tmac_kernel nested_lookup[TMAC_W_COUNT] = {
        [TMAC_W2] = {"nested_lookup_w2_m32_avx2", avx2_nested_lookup_w2, .half = true},
        [TMAC_W3] = {"nested_lookup_w3_m32_avx2", avx2_nested_lookup_w3, .half = true},
        [TMAC_W4] = {"nested_lookup_w4_m32_avx2", avx2_nested_lookup_w4, .half = true},
        [TMAC_WT] = {"nested_lookup_wt_m32_avx2", avx2_nested_lookup_wt, .half = true},
    };

    for (int w = 0; w < TMAC_W_COUNT; w++) {
        if (nested[w].multiply) { /* 1 bit is left to scalar: nothing is packed so */
            kernels->kernel[TMAC_LAYOUT_NESTED][w] = nested[w];
            kernels->kernel[TMAC_LAYOUT_NESTED_ROWS32][w] = nested_lookup[w];
        }
        kernels->nested_lookup_layout[w] = TMAC_LAYOUT_NESTED_ROWS32;
        kernels->nested_best_layout[w] = TMAC_LAYOUT_NESTED_ROWS32;
        kernels->kernel[TMAC_LAYOUT_ROWS32][w] = lookup[w];
        kernels->fast[TMAC_LAYOUT_ROWS32][w] = fast[w];
        kernels->kernel[TMAC_LAYOUT_DIRECT][w] = direct[w];
        kernels->lookup_layout[w] = TMAC_LAYOUT_ROWS32;
        kernels->best_layout[w] = TMAC_LAYOUT_ROWS32;
    }
    kernels->best_layout[TMAC_W4] = TMAC_LAYOUT_DIRECT;
    kernels->nested_best_layout[TMAC_W4] = TMAC_LAYOUT_COUNT;
    kernels->nested = true;
    kernels->build[TMAC_TABLE_U8] = avx2_build_u8;
    kernels->build[TMAC_TABLE_S8] = avx2_build_s8;
    kernels->build[TMAC_TABLE_INT8] = avx2_build_int8;
    kernels->expand = avx2_expand;
    kernels->f16_to_f32 = avx2_f16_to_f32;
    kernels->bf16_to_f32 = avx2_bf16_to_f32;
}
