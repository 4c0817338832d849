// SPDX-License-Identifier: MIT
#include "rows.h"

#include <thread>

namespace
{

// Null where this machine lacks the instruction set, or TMAC_ISA takes it away.
const tmac_context *make_context(const char *isa, tmac_family family, tmac_mode mode, int threads)
{
    tmac_context_options options = {};
    tmac_context *context = nullptr;

    options.struct_size = sizeof options;
    options.isa = isa;
    options.family = family;
    options.mode = mode;
    options.threads = threads;
    if (tmac_context_create(&options, &context))
        return nullptr;
    if (std::string(tmac_context_isa(context)) == isa)
        return context;
    tmac_context_free(context);
    return nullptr;
}

bool add_engine(std::vector<Engine> &engines, const std::string &isa, tmac_family family,
                tmac_mode mode = TMAC_MODE_DEFAULT)
{
    Engine engine = {isa, family, mode, false, {}};

    for (int threads : thread_counts()) {
        const tmac_context *context = make_context(isa.c_str(), family, mode, threads);
        if (!context)
            return false;
        engine.contexts.push_back(context);
    }
    engines.push_back(engine);
    return true;
}

// Contexts live as long as the process: the rows refer to them.
std::vector<Engine> make_engines()
{
    std::vector<Engine> engines;

    for (const char *isa : {"scalar", "x86-avx2", "x86-avx-vnni", "x86-avx512", "x86-avx512-vnni",
                            "x86-avx512-vbmi", "arm64", "arm64-dotprod"})
        add_engine(engines, isa, TMAC_FAMILY_AUTO);
    const std::string best = engines.back().isa;
    add_engine(engines, best, TMAC_FAMILY_LOOKUP);
    add_engine(engines, best, TMAC_FAMILY_DIRECT);
    add_engine(engines, best, TMAC_FAMILY_AUTO, TMAC_MODE_EXACT);
    if (best != "x86-avx2")
        add_engine(engines, "x86-avx2", TMAC_FAMILY_AUTO, TMAC_MODE_EXACT);
    add_engine(engines, "x86-avx2", TMAC_FAMILY_AUTO, TMAC_MODE_FAST);
    for (Engine &engine : engines)
        engine.best = engine.isa == best;
    return engines;
}

} // namespace

const std::vector<int> &thread_counts()
{
    static const std::vector<int> counts =
        std::thread::hardware_concurrency() > 1 ? std::vector<int>{1, 2} : std::vector<int>{1};
    return counts;
}

// Large and small matrices of large models, matrices that stay in L2, and all of SmolLM2-135M's but
// the embedding.
std::vector<Shape> shapes_of(const Format &format)
{
    std::vector<Shape> shapes;

    for (const Shape shape :
         {Shape{4096, 4096}, Shape{11008, 4096}, Shape{4096, 14336}, Shape{2048, 2048},
          Shape{512, 512}, Shape{576, 576}, Shape{1536, 576}, Shape{576, 1536}, Shape{192, 576}})
        if (shape.cols % input_step(format) == 0)
            shapes.push_back(shape);
    return shapes;
}

Shape l1_shape(const Format &format, int64_t rows)
{
    return {rows, (code_bits(format.width) > 2 ? 32768 : 65536) / rows};
}

const std::vector<int64_t> &input_counts()
{
    static const std::vector<int64_t> counts = {1, 2, 4, 8, 16, 32, 64, 128, 256};
    return counts;
}

const std::vector<Engine> &all_engines()
{
    static const std::vector<Engine> engines = make_engines();
    return engines;
}
