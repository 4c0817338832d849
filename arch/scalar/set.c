/* SPDX-License-Identifier: MIT */
#include "tiers.h"

#include "scalar.h"

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)
#define ANY TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8)

/* One for everything that a layout can hold. */
static const struct tmac_kernel kernels[] = {
    {"lookup_fast_scalar", TMAC_ISA_SCALAR, TMAC_LAYOUT_ROWS32, TMAC_WIDTHS_PLANES, ANY, 900,
     .averages = true, .multiply = scalar_lookup_fast},
    {"lookup_scalar", TMAC_ISA_SCALAR, TMAC_LAYOUT_ROWS32, TMAC_WIDTHS_PLANES, ANY, 901,
     .multiply = scalar_lookup},
    {"direct_scalar", TMAC_ISA_SCALAR, TMAC_LAYOUT_DIRECT, TMAC_WIDTHS_ALL, ANY, 902,
     .multiply = scalar_direct},
    {"lookup_rows64_scalar", TMAC_ISA_SCALAR, TMAC_LAYOUT_ROWS64, TMAC_WIDTHS_PLANES, ANY, 903,
     .multiply = scalar_lookup},
    {"quad_scalar", TMAC_ISA_SCALAR, TMAC_LAYOUT_QUAD, TMAC_WIDTHS_PLANES, ANY, 904,
     .multiply = scalar_lookup},
    {"nested_scalar", TMAC_ISA_SCALAR, TMAC_LAYOUT_NESTED, W(2) | W(3) | W(4) | W(TERNARY), ANY,
     905, .multiply = scalar_nested},
    {"nested_lookup_scalar", TMAC_ISA_SCALAR, TMAC_LAYOUT_NESTED_ROWS32,
     W(2) | W(3) | W(4) | W(TERNARY), ANY, 906, .multiply = scalar_nested_lookup},
};

const struct tmac_set tmac_set_scalar = {kernels, sizeof kernels / sizeof *kernels, &scalar_tools};
