/* SPDX-License-Identifier: MIT */
#ifndef TMAC_GGML_MUL_MAT_H
#define TMAC_GGML_MUL_MAT_H

#include <cstddef>

#include "crew.h"
#include "ggml.h"

namespace plugin
{

/* MUL_MAT: y[i3][i2][n][m] = sum over k of w[i3 / r3][i2 / r2][m][k] * x[i3][i2][n][k], with r2, r3 how
 * many times as many matrices x has. */
size_t mul_mat_scratch(const ggml_tensor *op);
void mul_mat(const crew &crew, const ggml_tensor *op);

/* MUL_MAT_ID, a mixture of experts: y[t][u] = w[ids[t][u]] * x[t][u % how many x has per token]. */
size_t mul_mat_id_scratch(const ggml_tensor *op);
void mul_mat_id(const crew &crew, const ggml_tensor *op);

} // namespace plugin

#endif
