/* SPDX-License-Identifier: MIT */
#include "scalar.h"

#include <string.h>

void tmac_scalar_init(struct tmac_kernels *kernels)
{
    static const char *const lookup_name[TMAC_W_COUNT] = {"lookup_w1_scalar", "lookup_w2_scalar",
                                                          "lookup_w3_scalar", "lookup_w4_scalar",
                                                          "lookup_wt_scalar"};
    static const char *const fast_name[TMAC_W_COUNT] = {
        "lookup_fast_w1_scalar", "lookup_fast_w2_scalar", "lookup_fast_w3_scalar",
        "lookup_fast_w4_scalar", "lookup_fast_wt_scalar"};
    static const char *const direct_name[TMAC_W_COUNT] = {"direct_w1_scalar", "direct_w2_scalar",
                                                          "direct_w3_scalar", "direct_w4_scalar",
                                                          "direct_wt_scalar"};
    static const char *const nested_name[TMAC_W_COUNT] = {"nested_w1_scalar", "nested_w2_scalar",
                                                          "nested_w3_scalar", "nested_w4_scalar",
                                                          "nested_wt_scalar"};
    static const char *const nested_lookup_name[TMAC_W_COUNT] = {
        "nested_lookup_w1_scalar", "nested_lookup_w2_scalar", "nested_lookup_w3_scalar",
        "nested_lookup_w4_scalar", "nested_lookup_wt_scalar"};

    memset(kernels, 0, sizeof *kernels);
    for (int w = 0; w < TMAC_W_COUNT; w++) {
        const struct tmac_kernel lookup = {.name = lookup_name[w], .multiply = scalar_lookup};
        const struct tmac_kernel fast = {fast_name[w], scalar_lookup_fast, .quarter = true};
        const struct tmac_kernel direct = {.name = direct_name[w], .multiply = scalar_direct};
        const struct tmac_kernel nested = {.name = nested_name[w], .multiply = scalar_nested};
        const struct tmac_kernel nested_lookup = {.name = nested_lookup_name[w],
                                                  .multiply = scalar_nested_lookup};

        kernels->kernel[TMAC_LAYOUT_ROWS32][w] = lookup;
        kernels->kernel[TMAC_LAYOUT_ROWS64][w] = lookup;
        kernels->kernel[TMAC_LAYOUT_QUAD][w] = lookup;
        kernels->fast[TMAC_LAYOUT_ROWS32][w] = fast;
        kernels->kernel[TMAC_LAYOUT_DIRECT][w] = direct;
        kernels->kernel[TMAC_LAYOUT_NESTED][w] = nested;
        kernels->kernel[TMAC_LAYOUT_NESTED_ROWS32][w] = nested_lookup;
        kernels->lookup_layout[w] = TMAC_LAYOUT_ROWS32;
        kernels->best_layout[w] = TMAC_LAYOUT_ROWS32;
        kernels->nested_lookup_layout[w] = TMAC_LAYOUT_COUNT;
        kernels->nested_best_layout[w] = TMAC_LAYOUT_COUNT;
    }
    kernels->build[TMAC_TABLE_U8] = scalar_build_lookup_u8;
    kernels->build[TMAC_TABLE_S8] = scalar_build_lookup_s8;
    kernels->build[TMAC_TABLE_INT8] = scalar_build_int8;
    kernels->expand = scalar_expand;
    kernels->f16_to_f32 = scalar_f16_to_f32;
    kernels->bf16_to_f32 = scalar_bf16_to_f32;
}
