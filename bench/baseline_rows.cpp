// SPDX-License-Identifier: MIT
#include "baseline_matrix.h"
#include "rows.h"

namespace
{

struct Case {
    const baseline *loops;
    const Format *format;
    Shape shape;
    int64_t batch;
};

// As with libtmac's weights, the last matrix is kept.
struct {
    std::string name;
    std::unique_ptr<BaselineMatrix> matrix;
} last;

BaselineMatrix &matrix_of(const Case &c)
{
    const std::string name = std::string(c.loops->name) + c.format->name + text(c.shape);
    if (last.name != name) {
        forget_baseline_matrix();
        last.matrix = std::make_unique<BaselineMatrix>(*c.loops, *c.format, c.shape);
        last.name = name;
    }
    return *last.matrix;
}

void run(benchmark::State &state, const Case &c)
{
    BaselineMatrix &matrix = matrix_of(c);
    const Row row = {c.shape, c.batch, 1, matrix.bytes()};
    const std::vector<float> x = random_inputs(c.shape.cols, c.batch);
    std::vector<float> y(static_cast<size_t>(c.shape.rows * c.batch));

    const Times prepare = time_calls([&] { matrix.prepare(x); }, measure_budget / 4);
    const Times times = time_calls([&] { matrix.multiply(y); });
    report_product(state, row, times);
    state.counters["tables_us"] = prepare.best * 1e6; // what stands in their place
    state.SetLabel(c.loops->name);
    report_error(state,
                 squared_error(row, x, y, [&](int64_t m, float *out) { matrix.unpack(m, out); }));
}

void add(const std::string &kind, const Case &c)
{
    if (BaselineMatrix::fits(*c.loops, *c.format, c.shape) && c.batch <= c.loops->most_batch)
        add_row(std::string("baseline/") + c.loops->name + "/" + kind + "/" + c.format->name + "/" +
                    text(c.shape) + (c.batch > 1 ? "/n" + std::to_string(c.batch) : "") + "/t1",
                [c](benchmark::State &state) { run(state, c); });
}

} // namespace

void add_baseline_rows(const Format &format)
{
    for (int i = 0; i < baseline_count(); i++) {
        const baseline *loops = baseline_at(i);
        const Shape l1 = l1_shape(format, std::max(64, loops->row_step));
        add("gemv", {loops, &format, {4096, 4096}, 1});
        add("gemm", {loops, &format, {4096, 4096}, 32});
        add("l1", {loops, &format, l1, 1});
    }
}

void forget_baseline_matrix()
{
    last.name.clear();
    last.matrix.reset();
}
