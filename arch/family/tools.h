/* SPDX-License-Identifier: MIT
 * All that is not a multiplication, of a set whose operations are included before: TOOLS are a struct
 * tmac_tools. */
#ifndef TMAC_FAMILY_TOOLS_H
#define TMAC_FAMILY_TOOLS_H

#include "inputs.h"
#include "scales.h"

#define TOOLS                                                                                      \
    {                                                                                              \
        .build = {build_u8, build_s8, build_int8}, .expand = expand, .f16_to_f32 = f16_to_f32,     \
        .bf16_to_f32 = bf16_to_f32,                                                                \
    }

#endif
