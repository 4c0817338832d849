/* SPDX-License-Identifier: MIT
 * Operations that have packed weights among their operands but do not multiply them: hosts place
 * weights by what they are used for, so there should be none. For those there are, weights are
 * unpacked to a copy once, and the CPU backend computes with that. */
#include "buffer.h"
#include "multiply.h"
#include "packed_tensor.h"
#include "ways.h"

namespace plugin
{
namespace
{

bool is_packed_operand(const ggml_tensor *tensor)
{
    const packed_tensor *packed = tensor ? packed_of(tensor) : nullptr;

    return packed && packed->is_packed();
}

} // namespace

bool is_view(const ggml_tensor *op)
{
    return op->op == GGML_OP_NONE || op->op == GGML_OP_VIEW || op->op == GGML_OP_RESHAPE ||
           op->op == GGML_OP_PERMUTE || op->op == GGML_OP_TRANSPOSE;
}

bool is_question(const ggml_tensor *op)
{
    for (const ggml_tensor *src : op->src)
        if (src && is_our_buffer(src->buffer) && src->buffer->size == 0)
            return true;
    return false;
}

bool has_packed_operand(const ggml_tensor *op)
{
    if (is_view(op))
        return false;
    for (const ggml_tensor *src : op->src)
        if (is_packed_operand(src))
            return true;
    return false;
}

/* A view keeps its own shape, and gets the copy's bytes. */
void use_plain_operands(ggml_tensor *op)
{
    for (ggml_tensor *&src : op->src) {
        if (!is_packed_operand(src))
            continue;
        const ggml_tensor *base = src->view_src ? src->view_src : src;
        ggml_tensor *plain = const_cast<ggml_tensor *>(packed_of(src)->plain(*base));
        if (!plain)
            continue;
        if (src == base) {
            src = plain;
        } else {
            src->data = static_cast<char *>(plain->data) + src->view_offs;
            src->view_src = plain;
            src->buffer = nullptr;
        }
    }
}

} // namespace plugin
