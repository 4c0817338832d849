// SPDX-License-Identifier: MIT
#include "rows.h"

#include <thread>

namespace
{

// Null where this machine lacks the instruction set, or TMAC_ISA takes it away.
const tmac_context *make_context(const char *isa, tmac_family family, int threads)
{
    tmac_context_options options = {};
    tmac_context *context = nullptr;

    options.struct_size = sizeof options;
    options.isa = isa;
    options.family = family;
    options.threads = threads;
    if (tmac_context_create(&options, &context))
        return nullptr;
    if (std::string(tmac_context_isa(context)) == isa)
        return context;
    tmac_context_free(context);
    return nullptr;
}

bool add_engine(std::vector<Engine> &engines, const std::string &isa, tmac_family family)
{
    Engine engine = {isa, family, false, {}};

    for (int threads : thread_counts()) {
        const tmac_context *context = make_context(isa.c_str(), family, threads);
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

    for (const char *isa : {"scalar", "x86-avx2", "x86-avx512", "x86-avx512-vnni",
                            "x86-avx512-vbmi", "arm64", "arm64-dotprod"})
        add_engine(engines, isa, TMAC_FAMILY_AUTO);
    const std::string best = engines.back().isa;
    add_engine(engines, best, TMAC_FAMILY_LOOKUP);
    add_engine(engines, best, TMAC_FAMILY_DIRECT);
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

const std::vector<Shape> &all_shapes()
{
    static const std::vector<Shape> shapes = {
        {4096, 4096}, {11008, 4096}, {4096, 14336}, {2048, 2048}, {512, 512}};
    return shapes;
}

const std::vector<int64_t> &column_counts()
{
    static const std::vector<int64_t> counts = {1, 4, 32, 256};
    return counts;
}

const std::vector<Engine> &all_engines()
{
    static const std::vector<Engine> engines = make_engines();
    return engines;
}
