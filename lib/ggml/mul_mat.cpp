/* SPDX-License-Identifier: MIT */
#include "mul_mat.h"

#include "work.h"

namespace plugin {
namespace {

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

/* Can libtmac read the inputs where they are? */
bool is_readable(const ggml_tensor *x)
{
    const size_t size = element_size(x->type);

    return x->nb[0] == size && reinterpret_cast<uintptr_t>(x->data) % size == 0 &&
           x->nb[1] % size == 0 && x->nb[2] % size == 0 && x->nb[3] % size == 0 &&
           x->nb[1] >= size * static_cast<size_t>(x->ne[0]);
}

/* One short input: building its tables takes no longer than to wait for others that build a part of
 * them. Then every thread has tables and rows of its own, and none waits. */
constexpr int64_t short_input = 2048;
constexpr int most_alone = 16; /* threads, for the memory that takes */

/* How the operation is cut up. A batch is the inputs that one matrix meets and that lie at one
 * stride: all there are where there is one matrix, or those of one (i2, i3). */
struct plan {
    const ggml_tensor *w, *x, *y;
    const packed_tensor *weights;
    bool gather;             /* inputs are copied first */
    bool is_short;           /* one short input */
    int64_t batches, batch;
    size_t x_stride, y_stride; /* bytes */
    size_t table_bytes;        /* of a batch */
    counter *next;
    char *gathered;
    unsigned char *tables;
    size_t scratch;
};

plan make_plan(const ggml_tensor *op, void *scratch)
{
    plan p = {};
    arena arena(scratch);

    p.w = op->src[0];
    p.x = op->src[1];
    p.y = op;
    p.weights = packed_of(p.w);
    p.gather = !is_readable(p.x);
    const size_t packed_stride = static_cast<size_t>(p.x->ne[0]) * element_size(p.x->type);
    const int64_t all = p.x->ne[1] * p.x->ne[2] * p.x->ne[3];
    const size_t x_stride = p.gather ? packed_stride : input_stride(p.x);
    const size_t y_stride = input_stride(p.y);
    const bool one = p.w->ne[2] == 1 && p.w->ne[3] == 1 && x_stride >= packed_stride &&
                     y_stride >= static_cast<size_t>(p.y->ne[0]) * sizeof(float);
    p.batch = one ? all : p.x->ne[1];
    p.batches = all / p.batch;
    p.x_stride = one || p.gather ? x_stride : p.x->nb[1];
    p.y_stride = one ? y_stride : p.y->nb[1];
    p.table_bytes = (tables_bytes(*p.weights, p.w->ne[0], p.batch) + 63) / 64 * 64;
    p.is_short = all == 1 && !p.gather && p.x->ne[0] <= short_input;
    p.next = arena.take<counter>(1);
    p.gathered = arena.take<char>(p.gather ? static_cast<size_t>(all) * packed_stride : 0);
    p.tables = arena.take<unsigned char>(
        p.table_bytes * static_cast<size_t>(p.is_short ? most_alone : p.batches));
    p.scratch = arena.bytes();
    return p;
}

const char *input_at(const ggml_tensor *t, int64_t i1, int64_t i2, int64_t i3)
{
    return static_cast<const char *>(t->data) + static_cast<size_t>(i1) * t->nb[1] +
           static_cast<size_t>(i2) * t->nb[2] + static_cast<size_t>(i3) * t->nb[3];
}

/* Batch b's place in dimensions 2 and 3 of x and y. */
struct place {
    int64_t i2, i3;
    place(const plan &p, int64_t b) : i2(b % p.x->ne[2]), i3(b / p.x->ne[2]) {}
};

void gather(const crew &crew, const plan &p)
{
    const int64_t ne1 = p.x->ne[1], ne2 = p.x->ne[2], all = ne1 * ne2 * p.x->ne[3];

    for (int64_t n = crew.index; n < all; n += crew.size)
        gather_input(p.x, input_at(p.x, n % ne1, n / ne1 % ne2, n / (ne1 * ne2)),
                      p.gathered + static_cast<size_t>(n) * p.x_stride);
}

/* Part `part` of `parts`. */
tmac_status build_tables(const plan &p, int part, int parts)
{
    for (int64_t b = 0; b < p.batches; b++) {
        const place at(p, b);
        const char *data = p.gather ? p.gathered + static_cast<size_t>(b * p.batch) * p.x_stride
                                    : input_at(p.x, 0, at.i2, at.i3);
        const tmac_activations x =
            activations(p.x->type, p.x->ne[0], p.batch, data, p.x_stride);
        const tmac_status status = tmac_tables_build_part(
            engine(), p.weights->table_layout(), &x, part, parts,
            p.tables + static_cast<size_t>(b) * p.table_bytes, p.table_bytes);
        if (status != TMAC_OK)
            return status;
    }
    return TMAC_OK;
}

/* Rows [begin, end) of batch b. */
void multiply_rows(const plan &p, int64_t b, int64_t begin, int64_t end, tmac_status status)
{
    const place at(p, b);
    const int64_t r2 = p.x->ne[2] / p.w->ne[2], r3 = p.x->ne[3] / p.w->ne[3];
    float *y = reinterpret_cast<float *>(const_cast<char *>(input_at(p.y, 0, at.i2, at.i3)));
    const int64_t stride = static_cast<int64_t>(p.y_stride / sizeof(float));

    if (status == TMAC_OK)
        status = tmac_multiply_rows(p.weights->slice(at.i2 / r2, at.i3 / r3),
                                    p.tables + static_cast<size_t>(b) * p.table_bytes,
                                    p.table_bytes, p.batch, begin, end, y, stride);
    if (status != TMAC_OK)
        for (int64_t n = 0; n < p.batch; n++)
            check(status, y + n * stride + begin, end - begin);
}

} // namespace

size_t mul_mat_scratch(const ggml_tensor *op)
{
    return make_plan(op, nullptr).scratch;
}

void mul_mat(const crew &crew, const ggml_tensor *op)
{
    plan p = make_plan(op, crew.scratch);
    const row_pieces rows(crew, *p.weights, p.w->ne[1], p.w->ne[0] * p.batch);

    if (p.is_short && rows.count <= crew.size && crew.size <= most_alone) {
        p.tables += static_cast<size_t>(crew.index) * p.table_bytes;
        if (crew.index < rows.count)
            multiply_rows(p, 0, rows.begin(crew.index), rows.end(crew.index),
                          build_tables(p, 0, 1));
        return;
    }

    if (p.gather) {
        gather(crew, p);
        crew.barrier();
    }
    const tmac_status status = build_tables(p, crew.index, crew.size);
    pieces::start(crew, p.next);
    crew.barrier();
    for (pieces todo(crew, p.next, p.batches * rows.count); todo.more();) {
        const int64_t piece = todo.take(), part = piece % rows.count;
        multiply_rows(p, piece / rows.count, rows.begin(part), rows.end(part), status);
    }
}

} // namespace plugin
