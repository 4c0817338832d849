/* SPDX-License-Identifier: MIT */
#include "tiers.h"

#include "avx_vnni.h"

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)
#define AVX_VNNI (TMAC_ISA_X86_AVX2 | TMAC_ISA_X86_AVX_VNNI)
#define ANY TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_MANY)
#define MANY TMAC_BATCHES(TMAC_BATCH_MANY, TMAC_BATCH_MANY)

static const struct tmac_kernel kernels[] = {
    {"nested_scaled_avx_vnni", AVX_VNNI, TMAC_LAYOUT_NESTED, W(2) | W(3), MANY, 52, .half = true,
     .accepts = avx_vnni_nested_scaled_accepts, .multiply = avx_vnni_nested_scaled},
    {"nested_centred_avx_vnni", AVX_VNNI, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(4) | W(TERNARY), MANY,
     53, .half = true, .accepts = avx_vnni_nested_centred_accepts,
     .multiply = avx_vnni_nested_centred},
    {"nested_avx_vnni", AVX_VNNI, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(4) | W(TERNARY), ANY, 54,
     .half = true, .multiply = avx_vnni_nested},
    {"direct_avx_vnni", AVX_VNNI, TMAC_LAYOUT_DIRECT, W(2) | W(3) | W(4) | W(8) | W(TERNARY), ANY,
     55, .half = true, .multiply = avx_vnni_direct},
    {"direct_w1_avx_vnni", AVX_VNNI, TMAC_LAYOUT_DIRECT, W(1), ANY, 70, .half = true,
     .multiply = avx_vnni_direct},
};

const struct tmac_set tmac_set_avx_vnni = {kernels, sizeof kernels / sizeof *kernels, NULL};
