/* SPDX-License-Identifier: MIT
 * The proof that the host and the plug-in understand each other: small matrices through ggml's own
 * graph, CPU backend and threads. A struct that is laid out otherwise than it seemed shows here,
 * before the host trusts us with a model. */
#include "ways.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <new>

#include "buffer.h"
#include "host.h"

namespace plugin
{
namespace
{

constexpr int rows = 48, cols = 256, experts = 2, tokens = 3;
constexpr int block_bytes = 18, blocks = cols / 32; /* Q4_0: f16 scale, 16 bytes of codes */
constexpr int matrix_bytes = rows * blocks * block_bytes;

struct numbers {
    unsigned char weights[experts * matrix_bytes];
    unsigned char back[experts * matrix_bytes];
    float x[tokens][cols];
    float y[tokens][rows];
    int32_t ids[tokens] = {1, 0, 1};
};

struct random {
    uint32_t state = 12345;
    uint32_t next()
    {
        return state = state * 1664525u + 1013904223u;
    }
};

/* Scales are 2^-4 .. 2^-1 exactly, whose halves have no more than an exponent. */
void make_numbers(numbers &n)
{
    random random;

    for (int i = 0; i < experts * rows * blocks; i++) {
        unsigned char *block = n.weights + i * block_bytes;
        block[0] = 0;
        block[1] = static_cast<unsigned char>((11 + (random.next() >> 20) % 4) << 2);
        for (int j = 2; j < block_bytes; j++)
            block[j] = static_cast<unsigned char>(random.next() >> 20);
    }
    for (auto &input : n.x)
        for (float &x : input)
            x = static_cast<float>(static_cast<int32_t>(random.next()) >> 16) / 32768.0f;
}

/* One weight, by ggml's definition of Q4_0: scale * (code - 8), codes 0..15 in low half-bytes. */
float weight(const unsigned char *matrix, int row, int k)
{
    const unsigned char *block = matrix + (row * blocks + k / 32) * block_bytes;
    const int byte = block[2 + k % 16], code = k % 32 < 16 ? byte & 15 : byte >> 4;

    return std::ldexp(static_cast<float>(code - 8), (block[1] >> 2) - 15);
}

/* Sum of squared errors less than 1e-3 of the sum of squares: a wrong layout gives about 1. Rounding is
 * expected to give 3e-5 here (docs/numerics.md: lookup, lambda^2 / 48 per square of a weight, with lambda about
 * 2.8 / 127, over x^2 = 1 / 3; direct half of that), and chance, in no more than three inputs, not 16
 * times as much (test/support/rounding.c). */
bool is_right(const numbers &n, bool mixture)
{
    double error = 0.0, all = 0.0;

    for (int t = 0; t < tokens; t++)
        for (int m = 0; m < rows; m++) {
            const unsigned char *matrix = n.weights + (mixture ? n.ids[t] : 0) * matrix_bytes;
            double sum = 0.0;
            for (int k = 0; k < cols; k++)
                sum += static_cast<double>(weight(matrix, m, k)) * static_cast<double>(n.x[t][k]);
            const double off = sum - static_cast<double>(n.y[t][m]);
            error += off * off;
            all += sum * sum;
        }
    return error <= 1e-3 * all; /* false for NaN */
}

/* What belongs to the host, freed in the right order. */
struct session {
    ggml_context *weights_context = nullptr, *context = nullptr;
    ggml_backend_buffer_t weights_buffer = nullptr, buffer = nullptr;
    ggml_backend_t backend = nullptr;

    ~session()
    {
        if (backend)
            ggml.backend_free(backend);
        if (buffer)
            ggml.buffer_free(buffer);
        if (weights_buffer)
            ggml.buffer_free(weights_buffer);
        if (context)
            ggml.free(context);
        if (weights_context)
            ggml.free(weights_context);
    }
    bool open()
    {
        const ggml_init_params few = {4 * ggml.tensor_overhead(), nullptr, true};
        const ggml_init_params more = {8 * ggml.tensor_overhead() + ggml.graph_overhead(), nullptr,
                                       true};
        weights_context = ggml.init(few);
        context = ggml.init(more);
        backend = ggml.cpu->iface.init_backend(ggml.cpu, nullptr);
        return weights_context && context && backend;
    }
};

const char *compute(session &s, numbers &n, bool mixture)
{
    const int64_t w_ne[] = {cols, rows, mixture ? experts : 1};
    const int64_t x_ne[] = {cols, mixture ? 1 : tokens, mixture ? tokens : 1};
    const int64_t ids_ne[] = {1, tokens};
    ggml_tensor *w = ggml.new_tensor(s.weights_context, GGML_TYPE_Q4_0, 3, w_ne);
    ggml_tensor *x = ggml.new_tensor(s.context, GGML_TYPE_F32, 3, x_ne);
    ggml_tensor *ids = mixture ? ggml.new_tensor(s.context, GGML_TYPE_I32, 2, ids_ne) : nullptr;
    ggml_tensor *y =
        mixture ? ggml.mul_mat_id(s.context, w, x, ids) : ggml.mul_mat(s.context, w, x);
    ggml_cgraph *graph = ggml.new_graph(s.context);
    const size_t bytes = static_cast<size_t>(w_ne[2]) * matrix_bytes;

    s.weights_buffer = ggml.alloc_tensors(s.weights_context, &buffer_type);
    s.buffer = ggml.alloc_tensors(s.context, ggml.cpu_buffer_type());
    if (!s.weights_buffer || !s.buffer)
        return "no memory";
    if (!is_our_buffer(w->buffer) || !w->extra)
        return "the layout of buffers differs";
    if (!ggml.cpu->iface.supports_op(ggml.cpu, y) ||
        !ggml.cpu->iface.supports_buft(ggml.cpu, &buffer_type))
        return "the CPU backend does not take our buffer type";
    ggml.tensor_set(w, n.weights, 0, bytes);
    ggml.tensor_get(w, n.back, 0, bytes);
    if (memcmp(n.weights, n.back, bytes))
        return "weights are not read back as written";
    ggml.tensor_set(x, n.x, 0, sizeof n.x);
    if (ids)
        ggml.tensor_set(ids, n.ids, 0, sizeof n.ids);
    ggml.build_forward_expand(graph, y);
    ggml.set_threads(s.backend, 2);
    if (ggml.graph_compute(s.backend, graph) != GGML_STATUS_SUCCESS)
        return "a graph could not be computed";
    ggml.tensor_get(y, n.y, 0, sizeof n.y);
    return is_right(n, mixture) ? nullptr : "a trial multiplication gave a wrong result";
}

} // namespace

const char *prove()
{
    std::unique_ptr<numbers> n(new (std::nothrow) numbers);
    const char *wrong = n ? nullptr : "no memory";

    if (n)
        make_numbers(*n);
    for (int mixture = 0; mixture < 2 && !wrong; mixture++) {
        session s;
        wrong = s.open() ? compute(s, *n, mixture != 0) : "no memory";
    }
    return wrong;
}

} // namespace plugin
