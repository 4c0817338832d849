// SPDX-License-Identifier: MIT
//
// Whether both libraries make the same bits: packed tiles, tables, results.
#include "library.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace
{

const int64_t rows_list[] = {1, 33, 100};
const int64_t cols_list[] = {96, 576, 768, 2304};
const int64_t batches[] = {1, 2, 3, 4, 8, 17, 32};

// Comparisons of one kind, and where they failed first.
struct Tally {
    int count = 0, different = 0;
    std::string first;

    void add(bool same, const std::string &where)
    {
        count++;
        if (!same && different++ == 0)
            first = where;
    }

    void add(const Tally &other)
    {
        count += other.count;
        different += other.different;
    }
};

struct Tallies {
    Tally tiles, tables, results; // where the layout is the same
    Tally moved_results;          // where it is not
    std::string moved;            // "from -> to"
    bool sizes_differ = false;    // of tables
};

std::vector<uint8_t> bytes_of_tables(const Side &side, const Handle &context, uint32_t layout,
                                     const Inputs &x)
{
    size_t bytes = 0;

    check(side, side.table_bytes(layout, &x, &bytes), "size of tables");
    // Aligned to a cache line; what a library does not write is the same for both.
    std::vector<uint8_t> room(bytes + 64, 0xa5);
    void *at = room.data();
    size_t space = room.size();
    std::align(64, bytes, at, space);
    check(side, side.build_into(context.get(), layout, &x, at, bytes), "building tables");
    const uint8_t *begin = static_cast<const uint8_t *>(at);
    return std::vector<uint8_t>(begin, begin + bytes);
}

std::vector<float> product(const Side &side, const Handle &context, const Handle &weights,
                           const Inputs &x, int64_t rows)
{
    std::vector<float> y(static_cast<size_t>(rows * x.batch), 12345.0f);
    const Handle tables = create_tables(side, context, weights, x.batch);

    check(side, side.build(context.get(), tables.get(), &x), "building tables");
    check(side, side.multiply(context.get(), weights.get(), tables.get(), y.data(), rows),
          "multiplying");
    return y;
}

bool same_bits(const std::vector<float> &a, const std::vector<float> &b)
{
    return std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0;
}

void compare(const Sides &sides, const Outcomes &contexts, const Outcomes &weights, Shape shape,
             Tallies *tallies)
{
    const Packed packed[2] = {query(*sides[OLD], weights[OLD].handle),
                              query(*sides[NEW], weights[NEW].handle)};
    const std::string at = text(shape);
    const bool moved = std::strcmp(packed[OLD].layout, packed[NEW].layout) != 0;

    if (moved)
        tallies->moved = std::string(packed[OLD].layout) + " -> " + packed[NEW].layout;
    else
        tallies->tiles.add(
            packed[OLD].tile_bytes == packed[NEW].tile_bytes &&
                std::memcmp(packed[OLD].tiles, packed[NEW].tiles, packed[OLD].tile_bytes) == 0,
            at);
    for (int64_t batch : batches) {
        const std::vector<float> x = random_inputs(shape.cols, batch);
        const Inputs inputs = {shape.cols, batch, x.data()};
        const std::string where = at + " n" + std::to_string(batch);
        std::vector<uint8_t> tables[2];
        std::vector<float> y[2];

        for (int side : {OLD, NEW}) {
            const Handle &context = contexts[side].handle;
            tables[side] =
                bytes_of_tables(*sides[side], context, packed[side].table_layout, inputs);
            y[side] = product(*sides[side], context, weights[side].handle, inputs, shape.rows);
        }
        if (tables[OLD].size() == tables[NEW].size())
            tallies->tables.add(tables[OLD] == tables[NEW], where);
        else
            tallies->sizes_differ = true;
        (moved ? tallies->moved_results : tallies->results).add(same_bits(y[OLD], y[NEW]), where);
    }
}

void print_difference(const std::string &name, const char *what, const Tally &tally)
{
    if (tally.different)
        std::printf("%s: %s differ in %d of %d, first at %s\n", name.c_str(), what, tally.different,
                    tally.count, tally.first.c_str());
}

void print(const std::string &name, const Tallies &tallies)
{
    print_difference(name, "tiles", tallies.tiles);
    print_difference(name, "tables", tallies.tables);
    print_difference(name, "results", tallies.results);
    if (tallies.sizes_differ)
        std::printf("%s: tables differ in size\n", name.c_str());
    if (!tallies.moved.empty())
        std::printf("%s: layout %s, tiles not compared; results differ in %d of %d\n", name.c_str(),
                    tallies.moved.c_str(), tallies.moved_results.different,
                    tallies.moved_results.count);
    std::fflush(stdout);
}

// Not known, mostly: no matter to which engine.
bool same_error(const Outcomes &outcomes)
{
    return outcomes[OLD].error == outcomes[NEW].error;
}

// One format by one engine, in every shape.
Tallies compare_format(const Sides &sides, const Outcomes &contexts, const Format &format,
                       const std::string &name)
{
    Tallies tallies;

    for (int64_t cols : cols_list)
        for (int64_t rows : rows_list) {
            if (cols % format.group)
                continue;
            const Source source(format, {rows, cols});
            const Outcomes weights = {pack(*sides[OLD], contexts[OLD].handle, source.matrix),
                                      pack(*sides[NEW], contexts[NEW].handle, source.matrix)};
            if (both(weights, same_error(weights) ? format.name : name))
                compare(sides, contexts, weights, {rows, cols}, &tallies);
        }
    return tallies;
}

std::vector<Engine> engines(const Options &options)
{
    std::vector<const char *> isas = vector_isas;
    std::vector<Engine> list;

    isas.insert(isas.begin(), "scalar");
    for (const char *isa : isas)
        for (Family family : {Family::Auto, Family::Lookup, Family::Direct})
            for (Mode mode : {Mode::Default, Mode::Exact, Mode::Fast}) {
                if (mode == Mode::Exact && family == Family::Lookup) // there is no such thing
                    continue;
                if (options.family_given && family != options.family)
                    continue;
                if (options.mode_given && mode != options.mode)
                    continue;
                list.push_back({isa, family, mode, options.threads, nullptr, nullptr, nullptr});
            }
    return list;
}

void compare_engine(const Sides &sides, const Options &options, const Engine &engine,
                    Tallies *total)
{
    const Outcomes contexts = {open(*sides[OLD], engine), open(*sides[NEW], engine)};

    if (!both(contexts, engine.isa))
        return;
    for (const Format &format : all_formats()) {
        const std::string name = "bits/" + format.name + "/" + engine.isa + "/" +
                                 text(engine.family) + "/" + text(engine.mode);
        if (!matches(options, name) || (options.quick && !format.quick))
            continue;
        const Tallies tallies = compare_format(sides, contexts, format, name);
        print(name, tallies);
        total->tiles.add(tallies.tiles);
        total->tables.add(tallies.tables);
        total->results.add(tallies.results);
        total->moved_results.add(tallies.moved_results);
        total->sizes_differ |= tallies.sizes_differ;
    }
}

} // namespace

int bits_main(const Sides &sides, const Options &options)
{
    Tallies total;

    for (const Engine &engine : engines(options))
        compare_engine(sides, options, engine, &total);
    if (total.results.count + total.moved_results.count == 0)
        throw std::runtime_error("no rows");
    const std::pair<const char *, const Tally *> lines[] = {
        {"tiles", &total.tiles},
        {"tables", &total.tables},
        {"results", &total.results},
        {"results where the layout differs", &total.moved_results}};
    for (const auto &[what, tally] : lines)
        std::printf("%s: %d compared, %d differ\n", what, tally->count, tally->different);
    return total.tiles.different || total.results.different;
}
