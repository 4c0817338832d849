/* SPDX-License-Identifier: MIT
 * The type of buffer that weights are packed in, as ggml sees it: it has a name, and gives memory. */
#ifndef TMAC_GGML_BUFFER_H
#define TMAC_GGML_BUFFER_H

#include "ggml-backend-impl.h"
#include "packed_tensor.h"

namespace plugin
{

/* The one buffer type; `device` and `context` are set by the way in that is used. */
extern ggml_backend_buffer_type buffer_type;

inline bool is_our_buffer(const ggml_backend_buffer *buffer)
{
    return buffer && buffer->buft == &buffer_type;
}

/* The packed tensor behind one in such a buffer or a view of it, or null. */
packed_tensor *packed_of(const ggml_tensor *tensor);

} // namespace plugin

#endif
