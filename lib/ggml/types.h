/* SPDX-License-Identifier: MIT
 * Which of ggml's types of weights libtmac multiplies. */
#ifndef TMAC_GGML_TYPES_H
#define TMAC_GGML_TYPES_H

#include "ggml.h"

namespace plugin {

struct weight_type {
    ggml_type type;
    const char *name; /* ggml's own */
    int block;        /* weights */
    int bytes;        /* of a block */
};

inline constexpr weight_type weight_types[] = {
    {GGML_TYPE_Q4_0, "q4_0", 32, 18},    {GGML_TYPE_Q4_1, "q4_1", 32, 20},
    {GGML_TYPE_Q2_K, "q2_K", 256, 84},   {GGML_TYPE_Q3_K, "q3_K", 256, 110},
    {GGML_TYPE_Q4_K, "q4_K", 256, 144},  {GGML_TYPE_TQ1_0, "tq1_0", 256, 54},
    {GGML_TYPE_TQ2_0, "tq2_0", 256, 66}, {GGML_TYPE_Q1_0, "q1_0", 128, 18},
    {GGML_TYPE_Q2_0, "q2_0", 64, 18},
};

inline bool is_weight_type(ggml_type type)
{
    for (const weight_type &known : weight_types)
        if (known.type == type)
            return true;
    return false;
}

} // namespace plugin

#endif
