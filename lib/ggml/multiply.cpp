/* SPDX-License-Identifier: MIT */
#include "multiply.h"

#include "buffer.h"
#include "host.h"
#include "mul_mat.h"
#include "packed_tensor.h"

namespace plugin
{
namespace
{

bool is_activation_type(ggml_type type)
{
    return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
}

/* Inputs of results must be floats that follow each other; ggml makes no others. */
bool is_result(const ggml_tensor *y)
{
    return y->type == GGML_TYPE_F32 && y->nb[0] == sizeof(float) && y->nb[1] % sizeof(float) == 0 &&
           y->nb[2] % sizeof(float) == 0 && y->nb[3] % sizeof(float) == 0 &&
           y->nb[1] >= static_cast<size_t>(y->ne[0]) * sizeof(float);
}

} // namespace

bool is_multiplication(const ggml_tensor *op)
{
    const ggml_tensor *w = op->src[0], *x = op->src[1], *ids = op->src[2];

    if ((op->op != GGML_OP_MUL_MAT && op->op != GGML_OP_MUL_MAT_ID) || !w || !x)
        return false;
    if (op->op == GGML_OP_MUL_MAT_ID &&
        (!ids || ids->type != GGML_TYPE_I32 || w->ne[3] != 1 || x->ne[3] != 1 ||
         op->nb[2] != op->nb[1] * static_cast<size_t>(op->ne[1]) || ids->ne[0] % x->ne[1]))
        return false;
    return is_activation_type(x->type) && x->ne[0] == w->ne[0] && is_result(op) && !w->view_src &&
           (w->extra || is_packable(w));
}

bool is_multiplication_of_packed(const ggml_tensor *op)
{
    if (op->op != GGML_OP_MUL_MAT && op->op != GGML_OP_MUL_MAT_ID)
        return false;
    const packed_tensor *weights = packed_of(op->src[0]);
    return weights && weights->is_packed() && is_multiplication(op);
}

size_t multiply_scratch(const ggml_tensor *op)
{
    return op->op == GGML_OP_MUL_MAT ? mul_mat_scratch(op) : mul_mat_id_scratch(op);
}

void multiply(const crew &crew, const ggml_tensor *op)
{
    if (op->op == GGML_OP_MUL_MAT)
        mul_mat(crew, op);
    else
        mul_mat_id(crew, op);
}

} // namespace plugin
