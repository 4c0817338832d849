/* SPDX-License-Identifier: MIT */
#include "mul_mat.h"

#include "buffer.h"
#include "work.h"

namespace plugin
{
namespace
{

/* The bytes from one input (of dimensions 1 to 3) to the next, or 0 if they are not all the same. */
size_t input_stride(const ggml_tensor *t)
{
    size_t stride = 0, next = 0;

    for (int d = 1; d < 4; d++) {
        if (t->ne[d] == 1)
            continue;
        if (stride && t->nb[d] != next)
            return 0;
        if (!stride)
            stride = t->nb[d];
        next = t->nb[d] * static_cast<size_t>(t->ne[d]);
    }
    return stride ? stride : t->nb[1];
}

/* How the operation is cut up. A batch is the inputs that one matrix meets and that lie at one
 * stride: all there are where there is one matrix, or those of one (i2, i3). */
struct plan {
    const ggml_tensor *w, *x, *y;
    bool gather; /* inputs are copied first */
    int64_t batches, batch;
    size_t x_stride, y_stride; /* bytes */
    char *gathered;
    void *workspace; /* of libtmac */
    size_t workspace_bytes;
    size_t scratch;
};

const char *input_at(const ggml_tensor *t, int64_t i1, int64_t i2, int64_t i3)
{
    return static_cast<const char *>(t->data) + static_cast<size_t>(i1) * t->nb[1] +
           static_cast<size_t>(i2) * t->nb[2] + static_cast<size_t>(i3) * t->nb[3];
}

/* Batch b: its matrix, its inputs, its results. */
struct product {
    tmac_activations x;
    tmac_multiply_args args;

    product(const plan &p, int64_t b) : x(), args()
    {
        const int64_t i2 = b % p.x->ne[2], i3 = b / p.x->ne[2];
        const int64_t r2 = p.x->ne[2] / p.w->ne[2], r3 = p.x->ne[3] / p.w->ne[3];

        x = activations(p.x->type, p.x->ne[0], p.batch,
                        p.gather ? p.gathered + static_cast<size_t>(b * p.batch) * p.x_stride
                                 : input_at(p.x, 0, i2, i3),
                        p.x_stride);
        args.struct_size = sizeof args;
        args.weights = packed_of(p.w)->matrices()[i3 / r3 * p.w->ne[2] + i2 / r2];
        args.activations = &x;
        args.y = const_cast<char *>(input_at(p.y, 0, i2, i3));
        args.stride = static_cast<int64_t>(p.y_stride / sizeof(float));
        args.workspace = p.workspace;
        args.workspace_bytes = p.workspace_bytes;
    }
};

plan make_plan(const ggml_tensor *op, void *scratch)
{
    plan p = {};
    arena arena(scratch);

    p.w = op->src[0];
    p.x = op->src[1];
    p.y = op;
    p.gather = !is_readable(p.x);
    const size_t packed_stride = static_cast<size_t>(p.x->ne[0]) * element_size(p.x->type);
    const int64_t all = p.x->ne[1] * p.x->ne[2] * p.x->ne[3];
    const size_t x_stride = p.gather ? packed_stride : input_stride(p.x);
    const size_t y_stride = input_stride(p.y);
    const bool one = p.w->ne[2] == 1 && p.w->ne[3] == 1 && x_stride >= packed_stride &&
                     y_stride >= static_cast<size_t>(p.y->ne[0]) * sizeof(float);
    p.batch = one ? all : p.x->ne[1];
    p.batches = p.batch ? all / p.batch : 0;
    p.x_stride = one || p.gather ? x_stride : p.x->nb[1];
    p.y_stride = one ? y_stride : p.y->nb[1];
    p.gathered = arena.take<char>(p.gather ? static_cast<size_t>(all) * packed_stride : 0);
    if (p.batches)
        p.workspace_bytes = workspace_bytes(product(p, 0).args);
    p.workspace = arena.take<char>(p.workspace_bytes);
    p.scratch = arena.bytes();
    return p;
}

void gather(const crew &crew, const plan &p)
{
    const int64_t ne1 = p.x->ne[1], ne2 = p.x->ne[2], all = ne1 * ne2 * p.x->ne[3];

    for (int64_t n = crew.index; n < all; n += crew.size)
        gather_input(p.x, input_at(p.x, n % ne1, n / ne1 % ne2, n / (ne1 * ne2)),
                     p.gathered + static_cast<size_t>(n) * p.x_stride);
    crew.barrier();
}

} // namespace

size_t mul_mat_scratch(const ggml_tensor *op)
{
    return make_plan(op, nullptr).scratch;
}

void mul_mat(const crew &crew, const ggml_tensor *op)
{
    const plan p = make_plan(op, crew.scratch);

    if (p.gather)
        gather(crew, p);
    for (int64_t b = 0; b < p.batches; b++) {
        product product(p, b);

        multiply_together(crew, product.args, p.batch, p.w->ne[1]);
        if (b + 1 < p.batches) /* which use the same workspace */
            crew.barrier();
    }
}

} // namespace plugin
