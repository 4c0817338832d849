/* SPDX-License-Identifier: MIT
 * ggml's two matrix multiplications on packed weights, by all threads of a crew. */
#ifndef TMAC_GGML_MULTIPLY_H
#define TMAC_GGML_MULTIPLY_H

#include "ggml.h"

namespace plugin {

/* The threads that compute an operation together; each calls with its own index. */
struct crew {
    int index, size;
    void *scratch; /* the same for all, of any alignment; as large as multiply_scratch asks for */
    void (*wait)(void *); /* returns when all have called it */
    void *wait_arg;

    void barrier() const
    {
        if (size > 1)
            wait(wait_arg);
    }
};

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
