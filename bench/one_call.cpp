// SPDX-License-Identifier: MIT
//
// One call, for bench/instructions to run in a simulator: an input times weights of one format, by
// libtmac or by a loop of the baseline. Prints what multiplied, the bytes of the weights, and the
// compiler. `one_call formats` lists the formats, width by width.
#include "baseline_matrix.h"
#include "library.h"

#include <cstdio>
#include <functional>
#include <stdexcept>

// What the simulator counts: this function and all it calls.
extern "C" __attribute__((noinline)) void measured_call(const std::function<void()> &call);
extern "C" void measured_call(const std::function<void()> &call)
{
    call();
    __asm__ volatile(""); // not a tail call
}

namespace
{

struct ContextFree {
    void operator()(tmac_context *context) const
    {
        tmac_context_free(context);
    }
};
using Context = std::unique_ptr<tmac_context, ContextFree>;

Context make_context()
{
    tmac_context_options options = {};
    tmac_context *context = nullptr;
    options.struct_size = sizeof options;
    options.threads = 1;
    check(tmac_context_create(&options, &context), "context");
    return Context(context);
}

// The first call brings into the caches what a run of calls would find there.
void run(const std::function<void()> &call, const std::string &loops, size_t bytes)
{
    call();
    measured_call(call);
    std::printf("%s %zu %s\n", loops.c_str(), bytes, BENCH_COMPILER);
}

void run_tmac(const Format &format, Shape shape)
{
    const Context context = make_context();
    const Weights weights = pack(context.get(), Source(format, shape));
    const Tables tables = tables_for(context.get(), weights.get(), 1);
    const std::vector<float> x = random_inputs(shape.cols, 1);
    const tmac_activations activations = batch_of(x, shape.cols);
    const tmac_weights_info info = query(weights.get());
    std::vector<float> y(static_cast<size_t>(shape.rows));

    check(tmac_tables_build(context.get(), tables.get(), &activations), "building tables");
    run([&] { check(tmac_gemv(context.get(), weights.get(), tables.get(), y.data()), "gemv"); },
        info.kernel, info.packed_bytes);
}

void run_baseline(const baseline &loops, const Format &format, Shape shape)
{
    if (!BaselineMatrix::fits(loops, format, shape))
        throw std::runtime_error(std::string(loops.name) + " does not multiply " + format.name);
    BaselineMatrix matrix(loops, format, shape);
    std::vector<float> y(static_cast<size_t>(shape.rows));

    matrix.prepare(random_inputs(shape.cols, 1));
    run([&] { matrix.multiply(y); }, loops.name, matrix.bytes());
}

const Format *find_format(const std::string &name)
{
    for (const Format &format : all_formats())
        if (format.name == name)
            return &format;
    return nullptr;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 2 && std::string(argv[1]) == "formats") {
        std::printf("%s\n", formats_by_width().c_str());
        return 0;
    }
    const Format *format = argc > 3 ? find_format(argv[1]) : nullptr;
    const baseline *loops = argc > 4 ? find_baseline(argv[4]) : nullptr;

    if (!format || argc > 5 || (argc > 4 && !loops)) {
        std::fprintf(stderr, "usage: one_call format rows cols [loop of the baseline]\n");
        return 2;
    }
    const Shape shape = {std::atoll(argv[2]), std::atoll(argv[3])};
    try {
        if (loops)
            run_baseline(*loops, *format, shape);
        else
            run_tmac(*format, shape);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "one_call: %s\n", error.what());
        return 1;
    }
    return 0;
}
