// SPDX-License-Identifier: MIT
#include "library.h"
#include "rows.h"

#include <cstdlib>
#include <set>
#include <utility>

namespace
{

const char *family_name(tmac_family family)
{
    return family == TMAC_FAMILY_LOOKUP ? "lookup" : "direct";
}

// Rows of one matrix follow each other, and packing takes longer than measuring: the last matrix is
// kept, and never more than one.
struct {
    std::string name;
    Weights weights;
} last;

const tmac_weights *packed(const Engine &engine, const Format &format, Shape shape)
{
    const std::string name = format.name + "/" + text(shape) + "/" + engine.isa + "/" +
                             std::to_string(engine.family) + "/" + std::to_string(engine.mode);
    if (last.name != name) {
        last.weights.reset();
        last.name = name;
        last.weights = pack(engine.contexts.back(), Source(format, shape));
    }
    return last.weights.get();
}

double tmac_error(const tmac_weights *weights, const Row &row, const std::vector<float> &x,
                  const std::vector<float> &y)
{
    return squared_error(row, x, y, [&](int64_t m, float *out) {
        check(tmac_weights_unpack(weights, m, m + 1, out, row.shape.cols), "unpacking");
    });
}

// What all rows of one matrix are made from.
struct Case {
    const Engine *engine;
    const Format *format;
    Shape shape;
    int64_t batch;
    size_t threads; // index into thread_counts()

    const tmac_context *context() const
    {
        return engine->contexts[threads];
    }
};

void run_multiply(benchmark::State &state, const Case &c)
{
    const Weights attached = attach(c.context(), packed(*c.engine, *c.format, c.shape));
    const tmac_weights *weights = attached.get();
    const tmac_weights_info info = query(weights);
    const Row row = {c.shape, c.batch, thread_counts()[c.threads], info.packed_bytes};
    const std::vector<float> x = random_inputs(c.shape.cols, c.batch);
    std::vector<float> y(static_cast<size_t>(c.shape.rows * c.batch));
    const tmac_activations activations = batch_of(x, c.shape.cols);
    const Tables tables = tables_for(c.context(), weights, c.batch);
    tmac_status status = TMAC_OK;

    const Times build =
        time_calls([&] { status = tmac_tables_build(c.context(), tables.get(), &activations); },
                   measure_budget / 4);
    check(status, "building tables");
    const Times times = time_calls(
        [&] { status = tmac_gemm(c.context(), weights, tables.get(), y.data(), c.shape.rows); });
    check(status, "multiplying");

    report_product(state, row, times);
    state.counters["tables_us"] = build.best * 1e6;
    state.SetLabel(std::string(c.engine->family == TMAC_FAMILY_AUTO ? "" : "forced ") +
                   info.kernel);
    report_error(state, tmac_error(weights, row, x, y));
}

// Tiles that stay in the first-level cache, by the low-level call, which is the shortest way in.
void run_l1(benchmark::State &state, const Case &c)
{
    const Weights attached = attach(c.context(), packed(*c.engine, *c.format, c.shape));
    const tmac_weights *weights = attached.get();
    const tmac_weights_info info = query(weights);
    const std::vector<float> x = random_inputs(c.shape.cols, 1);
    std::vector<float> y(static_cast<size_t>(c.shape.rows));
    const tmac_activations activations = batch_of(x, c.shape.cols);
    size_t bytes = 0;

    check(tmac_tables_size(info.table_layout, c.shape.cols, 1, &bytes), "tables");
    bytes = (bytes + TMAC_TABLES_ALIGNMENT - 1) / TMAC_TABLES_ALIGNMENT * TMAC_TABLES_ALIGNMENT;
    const std::unique_ptr<void, decltype(&std::free)> tables(
        std::aligned_alloc(TMAC_TABLES_ALIGNMENT, bytes), &std::free);
    check(tmac_tables_build_part(c.context(), info.table_layout, &activations, 0, 1, tables.get(),
                                 bytes),
          "building tables");
    tmac_status status = TMAC_OK;
    const Times times = time_calls([&] {
        status = tmac_multiply_rows(weights, tables.get(), bytes, 1, 0, c.shape.rows, y.data(),
                                    c.shape.rows);
    });
    check(status, "multiplying");
    report_product(state, {c.shape, 1, 1, info.packed_bytes}, times);
    state.SetLabel(info.kernel);
}

void run_pack(benchmark::State &state, const Case &c)
{
    const Source source(*c.format, c.shape);
    const Times times = time_calls([&] { pack(c.context(), source); });

    state.SetIterationTime(times.best);
    state.counters["source_GB/s"] = static_cast<double>(source.bytes()) / times.best * 1e-9;
    state.counters["Gweights/s"] =
        static_cast<double>(c.shape.rows * c.shape.cols) / times.best * 1e-9;
}

void run_tables(benchmark::State &state, const Case &c)
{
    const Weights attached = attach(c.context(), packed(*c.engine, *c.format, c.shape));
    const tmac_weights *weights = attached.get();
    const std::vector<float> x = random_inputs(c.shape.cols, c.batch);
    const tmac_activations activations = batch_of(x, c.shape.cols);
    const Tables tables = tables_for(c.context(), weights, c.batch);
    tmac_status status = TMAC_OK;
    const Times times =
        time_calls([&] { status = tmac_tables_build(c.context(), tables.get(), &activations); });

    check(status, "building tables");
    state.SetIterationTime(times.best);
    state.counters["Gactivations/s"] = static_cast<double>(x.size()) / times.best * 1e-9;
}

// ---- names ----

tmac_packed_plan plan_of(const Case &c)
{
    const tmac_weights_desc desc = describe(*c.format, c.shape);
    tmac_packed_plan plan = {};
    plan.struct_size = sizeof plan;
    check(tmac_packed_query(c.context(), &desc, &plan), c.format->name);
    return plan;
}

void add(const std::string &kind, const std::string &shape, const std::string &batch, const Case &c,
         void (*run)(benchmark::State &, const Case &))
{
    const std::string name = kind + "/" + c.format->name + "/" + shape + "/" + c.engine->isa + "/" +
                             family_name(plan_of(c).family) + batch + "/t" +
                             std::to_string(thread_counts()[c.threads]);
    add_row(name, [run, c](benchmark::State &state) {
        try {
            run(state, c);
        } catch (const std::exception &error) {
            state.SkipWithError(error.what());
        }
    });
}

std::string batch_text(int64_t batch)
{
    return "/n" + std::to_string(batch);
}

// Scalar kernels are the reference, and hundreds of times slower: they would take all of the time.
bool too_slow(const Case &c)
{
    return c.engine->isa == "scalar" &&
           (c.batch > 1 || c.threads > 0 || c.shape.rows * c.shape.cols > 4096 * 4096);
}

void add_shape_rows(Case c)
{
    for (int64_t batch : input_counts()) {
        c.batch = batch;
        for (c.threads = 0; c.threads < thread_counts().size(); c.threads++)
            if (!too_slow(c))
                add(batch == 1 ? "gemv" : "gemm", text(c.shape),
                    batch == 1 ? "" : batch_text(batch), c, run_multiply);
    }
}

void add_pack_rows(Case c)
{
    c.shape = {4096, 4096};
    for (c.threads = 0; c.threads < thread_counts().size(); c.threads++)
        add("pack", text(c.shape), "", c, run_pack);
}

void add_l1_row(Case c)
{
    c.shape = l1_shape(*c.format, plan_of(c).row_step); // one tile, and it is full
    add("l1", text(c.shape), "", c, run_l1);
}

// One for each layout of tables, under the name of the first format that has it.
void add_tables_rows(Case c)
{
    static std::set<std::pair<std::string, uint32_t>> added;

    c.shape = {64, 4096};
    if (!added.emplace(c.engine->isa, plan_of(c).table_layout).second)
        return;
    for (int64_t batch : input_counts()) {
        c.batch = batch;
        for (c.threads = 0; c.threads < thread_counts().size(); c.threads++)
            add("tables", std::to_string(c.shape.cols), batch_text(batch), c, run_tables);
    }
}

// A forced family that would be chosen anyway is the same row again.
bool is_repeated(const Case &c)
{
    if (c.engine->family == TMAC_FAMILY_AUTO)
        return false;
    for (const Engine &other : all_engines()) {
        Case chosen = c;
        chosen.engine = &other;
        if (other.best && other.family == TMAC_FAMILY_AUTO && other.mode == TMAC_MODE_DEFAULT)
            return plan_of(chosen).family == c.engine->family;
    }
    return false;
}

// One input of the large matrix tells what a mode costs or gains.
void add_mode_row(const Case &c)
{
    if (c.shape.rows == 4096 && c.shape.cols == 4096)
        add(c.engine->mode == TMAC_MODE_EXACT ? "exact" : "fast", text(c.shape), "", c,
            run_multiply);
}

} // namespace

void add_tmac_rows(const Format &format)
{
    for (const Shape &shape : shapes_of(format))
        for (const Engine &engine : all_engines()) {
            const Case c = {&engine, &format, shape, 1, 0};
            if (engine.family == TMAC_FAMILY_LOOKUP && !(format.info.flags & TMAC_FORMAT_LOOKUP))
                continue;
            if (engine.mode != TMAC_MODE_DEFAULT) {
                add_mode_row(c);
                continue;
            }
            if (is_repeated(c))
                continue;
            add_shape_rows(c);
            if (shape.rows == 4096 && shape.cols == 4096) {
                add_pack_rows(c);
                add_l1_row(c);
                add_tables_rows(c);
            }
        }
}

void forget_tmac_weights()
{
    last.name.clear();
    last.weights.reset();
}
