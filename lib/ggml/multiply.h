/* SPDX-License-Identifier: MIT
 * ggml's two matrix multiplications on packed weights, by all threads of a crew. */
#ifndef TMAC_GGML_MULTIPLY_H
#define TMAC_GGML_MULTIPLY_H

#include "crew.h"
#include "ggml.h"

namespace plugin
{

/* Can this operation be computed here, going by types and shapes? Its weights must be packable;
 * looks at no data, so it also holds for tensors that have none yet. */
bool is_multiplication(const ggml_tensor *op);

/* Is it one, and are its weights packed now? */
bool is_multiplication_of_packed(const ggml_tensor *op);

/* Scratch memory for such an operation. */
size_t multiply_scratch(const ggml_tensor *op);
void multiply(const crew &crew, const ggml_tensor *op);

} // namespace plugin

#endif
