// SPDX-License-Identifier: MIT
#include "library.h"

#include <cstdio>
#include <dlfcn.h>
#include <set>
#include <stdexcept>

const std::vector<const char *> vector_isas = {"x86-avx2",        "x86-avx-vnni",    "x86-avx512",
                                               "x86-avx512-vnni", "x86-avx512-vbmi", "arm64",
                                               "arm64-dotprod"};
const char *const side_names[2] = {"old", "new"};

bool matches(const Options &options, const std::string &name)
{
    return std::regex_search(name, options.filter);
}

const char *text(Family family)
{
    return family == Family::Lookup ? "lookup" : family == Family::Direct ? "direct" : "auto";
}

const char *text(Mode mode)
{
    return mode == Mode::Exact ? "exact" : mode == Mode::Fast ? "fast" : "default";
}

std::string text(const Shape &shape)
{
    return std::to_string(shape.rows) + "x" + std::to_string(shape.cols);
}

static const Side *load_side(const char *path)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const void *side = object ? dlsym(object, "against_side") : nullptr;

    if (!side)
        throw std::runtime_error(dlerror());
    return static_cast<const Side *>(side);
}

Sides load(const char *old_path, const char *new_path)
{
    const Sides sides = {load_side(old_path), load_side(new_path)};

    if (sides[OLD] == sides[NEW] || sides[OLD]->multiply == sides[NEW]->multiply)
        throw std::runtime_error("the two libraries are one");
    return sides;
}

void check(const Side &side, int status, const char *what)
{
    if (status)
        throw std::runtime_error(std::string(what) + ": " + side.text(status));
}

static Outcome outcome(const Side &side, int status, void *handle, void (*release)(void *))
{
    if (status)
        return {Handle(nullptr, release), side.text(status)};
    return {Handle(handle, release), ""};
}

Outcome open(const Side &side, const Engine &engine)
{
    void *context = nullptr;
    const int status = side.open(&engine, &context);
    return outcome(side, status, context, side.close);
}

Outcome pack(const Side &side, const Handle &context, const Matrix &matrix)
{
    void *weights = nullptr;
    const int status = side.pack(context.get(), &matrix, &weights);
    return outcome(side, status, weights, side.free_weights);
}

Packed query(const Side &side, const Handle &weights)
{
    Packed packed = {};
    check(side, side.query(weights.get(), &packed), "query");
    return packed;
}

Handle create_tables(const Side &side, const Handle &context, const Handle &weights, int64_t batch)
{
    void *tables = nullptr;
    check(side, side.create_tables(context.get(), weights.get(), batch, &tables), "tables");
    return Handle(tables, side.free_tables);
}

bool both(const Outcomes &outcomes, const std::string &what)
{
    static std::set<std::string> said;
    const bool failed[2] = {!outcomes[OLD].error.empty(), !outcomes[NEW].error.empty()};

    if (!failed[OLD] && !failed[NEW])
        return true;
    std::string line = what + ": left out";
    if (outcomes[OLD].error == outcomes[NEW].error)
        line += ", by both: " + outcomes[OLD].error;
    else
        for (int side : {OLD, NEW})
            if (failed[side])
                line += std::string(", by the ") + side_names[side] + ": " + outcomes[side].error;
    if (said.insert(line).second)
        std::printf("%s\n", line.c_str());
    return false;
}
