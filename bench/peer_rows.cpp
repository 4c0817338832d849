// SPDX-License-Identifier: MIT
#include "rows.h"

namespace
{

struct MatrixFree {
    void operator()(peer_matrix *matrix) const
    {
        peer_matrix_free(matrix);
    }
};
using Matrix = std::unique_ptr<peer_matrix, MatrixFree>;

struct Case {
    peer *p;
    const Format *format;
    Shape shape;
    bool repacked;
    int64_t batch;
    int threads;
};

size_t row_bytes(const Case &c)
{
    return peer_row_size(c.p, c.format->ggml_type, c.shape.cols);
}

// As with libtmac's weights, the last matrix is kept, with its blocks to check results by.
struct {
    std::string name;
    std::unique_ptr<Source> source;
    Matrix matrix;
} last;

peer_matrix *matrix_of(const Case &c)
{
    const std::string name =
        std::string(peer_variant(c.p)) + c.format->name + text(c.shape) + (c.repacked ? "r" : "p");
    if (last.name != name) {
        forget_peer_matrix();
        last.source = std::make_unique<Source>(*c.format, c.shape);
        last.matrix.reset(peer_matrix_create(c.p, c.format->ggml_type, c.shape.rows, c.shape.cols,
                                             last.source->codes.data(), c.repacked));
        last.name = name;
    }
    return last.matrix.get();
}

void run(benchmark::State &state, const Case &c)
{
    peer_matrix *matrix = matrix_of(c);
    if (!matrix || peer_matrix_prepare(matrix, static_cast<int>(c.batch), c.threads)) {
        state.SkipWithError(peer_reason(c.p));
        return;
    }
    const Row row = {c.shape, c.batch, c.threads, row_bytes(c) * static_cast<size_t>(c.shape.rows)};
    const std::vector<float> x = random_inputs(c.shape.cols, c.batch);
    std::vector<float> y(static_cast<size_t>(c.shape.rows * c.batch));
    bool failed = false;

    peer_matrix_set_x(matrix, x.data());
    const Times times = time_calls([&] { failed |= peer_matrix_compute(matrix) != 0; });
    peer_matrix_get_y(matrix, y.data());
    peer_rest(c.p); // before the roofs are measured
    if (failed) {
        state.SkipWithError(peer_reason(c.p));
        return;
    }
    report_product(state, row, times);
    state.SetLabel(peer_matrix_layout(matrix));
    report_error(state, squared_error(row, x, y, [&](int64_t m, float *out) {
                     const uint8_t *blocks =
                         &last.source->codes[static_cast<size_t>(m) * row_bytes(c)];
                     peer_to_float(c.p, c.format->ggml_type, blocks, out, c.shape.cols);
                 }));
}

bool exists(Case c)
{
    c.shape = {64, 512};
    const bool found = matrix_of(c) != nullptr;
    forget_peer_matrix();
    return found;
}

void add(const Case &c)
{
    const std::string kind = c.batch == 1 ? "gemv" : "gemm";
    const std::string batch = c.batch == 1 ? "" : "/n" + std::to_string(c.batch);

    add_row(std::string("peer/") + peer_variant(c.p) + "/" + kind + "/" + c.format->name + "/" +
                text(c.shape) + (c.repacked ? "/repacked" : "/plain") + batch + "/t" +
                std::to_string(c.threads),
            [c](benchmark::State &state) { run(state, c); });
}

} // namespace

void add_peer_rows(peer *p, const Format &format)
{
    if (format.ggml_type < 0)
        return;
    for (bool repacked : {false, true}) {
        Case c = {p, &format, {}, repacked, 1, 1};
        if (!exists(c))
            continue;
        for (const Shape &shape : shapes_of(format))
            for (int64_t batch : input_counts())
                for (int threads : thread_counts()) {
                    c.shape = shape;
                    c.batch = batch;
                    c.threads = threads;
                    add(c);
                }
    }
}

void forget_peer_matrix()
{
    last.name.clear();
    last.matrix.reset();
    last.source.reset();
}
