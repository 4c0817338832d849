// SPDX-License-Identifier: MIT
//
// Both libraries' times, in turns: old, new, new, old, in slices of about a millisecond, so that
// whatever slows the machine slows both. A row's ratio is the median of its rounds. What does not
// go away with that is luck with addresses: a row that is out of line is raced again with its
// weights and tables elsewhere.
#include "library.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <sys/mman.h>
#include <time.h>
#include <tuple>

namespace
{

const Shape shapes[] = {{4096, 4096}, {576, 576}, {1536, 576}, {576, 1536}, {192, 576}};
const int64_t batches[] = {1, 4, 32, 256};

constexpr double slow = 0.97;             // a row below is reported
constexpr double shortest_sample = 40e-6; // below, the clock itself would count
constexpr double slice_seconds = 0.7e-3;
constexpr int fewest_rounds = 5, most_rounds = 200;
constexpr int most_tries = 5; // of a row that is slow
constexpr int fast_tries = 2; // of one that is as much too fast: mostly it is that fast

// ---- memory ----

// The same alignment for both libraries, on huge pages, and each block a little further into its
// page than the one before: two libraries that ask for the same are treated the same. (What malloc
// gives depends on all that happened before.)
struct Memory {
    size_t turn = 0;
};

constexpr size_t huge_page = 2 << 20;
constexpr size_t before = 64; // bytes before a block, for its mapping

struct Mapping {
    void *begin;
    size_t bytes;
};

void *allocate(void *host, size_t size, size_t align)
{
    Memory *memory = static_cast<Memory *>(host);
    const size_t shift = memory->turn++ % 16 * 17 * 64;
    const size_t bytes =
        (size + shift + before + align + 2 * huge_page - 1) / huge_page * huge_page;
    void *begin = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (begin == MAP_FAILED)
        return nullptr;
    const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + huge_page - 1) & -huge_page;
    (void)madvise(reinterpret_cast<void *>(first), bytes - huge_page, MADV_HUGEPAGE);
    const uintptr_t at = (first + shift + before + align - 1) & -uintptr_t{align};
    reinterpret_cast<Mapping *>(at - before)[0] = {begin, bytes};
    return reinterpret_cast<void *>(at);
}

void release(void *, void *block)
{
    if (!block)
        return;
    const Mapping mapping = *reinterpret_cast<Mapping *>(static_cast<char *>(block) - before);
    munmap(mapping.begin, mapping.bytes);
}

// ---- time ----

// With one thread: time of the processor, not counting what other programs take of it.
clockid_t clock_id = CLOCK_THREAD_CPUTIME_ID;

double now()
{
    timespec time;
    clock_gettime(clock_id, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

using Call = std::function<void()>;

// The best of some samples, per call.
double run_slice(const Call &call, int samples, int repeats)
{
    double best = std::numeric_limits<double>::infinity();

    for (int i = 0; i < samples; i++) {
        const double begin = now();
        for (int k = 0; k < repeats; k++)
            call();
        best = std::min(best, (now() - begin) / repeats);
    }
    return best;
}

struct Times {
    double best[2] = {std::numeric_limits<double>::infinity(),
                      std::numeric_limits<double>::infinity()};
    std::vector<double> paired; // old / new of each round

    // The clock of a processor changes from moment to moment: the two bests may be of different
    // moments, the two sides of a round are not.
    double ratio() const
    {
        std::vector<double> sorted = paired;
        std::sort(sorted.begin(), sorted.end());
        const size_t half = sorted.size() / 2;
        return (sorted[half] + sorted[sorted.size() - 1 - half]) / 2;
    }

    double ratio_of_bests() const
    {
        return best[OLD] / best[NEW];
    }
};

void race(const Call (&calls)[2], double seconds, Times *times)
{
    int repeats = 1;
    double sample = 0;

    for (int side : {OLD, NEW})
        calls[side]();
    for (;; repeats *= 2) {
        sample = repeats *
                 std::min(run_slice(calls[OLD], 1, repeats), run_slice(calls[NEW], 1, repeats));
        if (sample > shortest_sample)
            break;
    }
    const int samples = static_cast<int>(std::clamp(slice_seconds / sample, 1.0, 20.0));
    const int rounds = static_cast<int>(
        std::clamp(seconds / (4 * samples * sample), double{fewest_rounds}, double{most_rounds}));
    for (int round = 0; round < rounds; round++) {
        double sum[2] = {0, 0};
        for (int side : {OLD, NEW, NEW, OLD}) {
            const double slice = run_slice(calls[side], samples, repeats);
            sum[side] += slice;
            times->best[side] = std::min(times->best[side], slice);
        }
        times->paired.push_back(sum[OLD] / sum[NEW]);
    }
}

// ---- what is raced ----

// One matrix in both libraries, to be packed again where memory is to be another.
class Pair
{
  public:
    Pair(const Sides &sides, const Outcomes &contexts, Memory (&memory)[2], const Source &source)
        : sides(sides), contexts(contexts), memory(memory), source(source)
    {
        repack(0);
    }

    bool fits(const std::string &what) const
    {
        return both(weights, what);
    }

    void repack(int attempt)
    {
        tries = attempt;
        for (int side : order())
            weights[side] = Outcome();
        for (int side : order()) {
            memory[side].turn = static_cast<size_t>(tries) * 5;
            weights[side] = pack(*sides[side], contexts[side].handle, source.matrix);
        }
    }

    Packed packed(int side) const
    {
        return query(*sides[side], weights[side].handle);
    }

    // Adds one try to the times, of multiplying or of building tables alone.
    void race_once(int64_t batch, const std::vector<float> &x, bool building, double seconds,
                   Times *times)
    {
        const int64_t rows = source.matrix.rows;
        const Inputs inputs = {source.matrix.cols, batch, x.data()};
        std::vector<float> y(static_cast<size_t>(rows * batch)); // the same for both
        Handle tables[2] = {Handle(nullptr, nullptr), Handle(nullptr, nullptr)};
        Call calls[2];

        for (int side : order()) {
            const Side &s = *sides[side];
            const Handle &context = contexts[side].handle, &w = weights[side].handle;
            memory[side].turn = static_cast<size_t>(tries) * 5 + 2;
            tables[side] = create_tables(s, context, w, batch);
            void *const t = tables[side].get();
            check(s, s.build(context.get(), t, &inputs), "building tables");
            if (building)
                calls[side] = [&s, &context, t, &inputs] {
                    check(s, s.build(context.get(), t, &inputs), "building tables");
                };
            else
                calls[side] = [&s, &context, &w, t, &y, rows] {
                    check(s, s.multiply(context.get(), w.get(), t, y.data(), rows), "multiplying");
                };
        }
        race(calls, seconds, times);
    }

  private:
    // Who allocates first, too, alternates.
    std::array<int, 2> order() const
    {
        return tries % 2 ? std::array<int, 2>{NEW, OLD} : std::array<int, 2>{OLD, NEW};
    }

    const Sides &sides;
    const Outcomes &contexts;
    Memory (&memory)[2];
    const Source &source;
    Outcomes weights;
    int tries = 0;
};

// A row that is out of line is raced again, longer and elsewhere in memory; all rounds count.
Times race_row(Pair *pair, int64_t batch, const std::vector<float> &x, bool building,
               double seconds)
{
    Times times;

    for (int tries = 0; tries < most_tries; tries++) {
        if (tries > 0)
            pair->repack(tries);
        pair->race_once(batch, x, building, tries ? 2 * seconds : seconds, &times);
        if (times.ratio() >= slow && (times.ratio() <= 1 / slow || tries + 1 >= fast_tries))
            break;
    }
    return times;
}

// ---- results ----

class Results
{
  public:
    void add(const std::string &name, const std::string &kind, const char *isa, int64_t batch,
             const Times &times, const std::string &remark)
    {
        const double ratio = times.ratio();
        std::printf("%-58s %10.1f %10.1f %7.3f %7.3f%s\n", name.c_str(), 1e6 * times.best[OLD],
                    1e6 * times.best[NEW], ratio, times.ratio_of_bests(), remark.c_str());
        std::fflush(stdout);
        for (const std::string &key :
             {kind + " " + isa + " n" + std::to_string(batch), kind + " " + isa, kind})
            means[key].add(ratio);
        all.add(ratio);
        if (ratio < slow)
            slow_rows.push_back({name, ratio});
    }

    void print() const
    {
        std::printf("\n%-40s %6s %7s %7s %7s\n", "geometric means of old / new", "rows", "mean",
                    "least", "most");
        for (const auto &[key, mean] : means)
            mean.print(key);
        all.print("all");
        std::printf("\nrows below %.2f: %zu\n", slow, slow_rows.size());
        for (const auto &[name, ratio] : slow_rows)
            std::printf("  %-58s %7.3f\n", name.c_str(), ratio);
    }

    bool good() const
    {
        return slow_rows.empty();
    }

    bool empty() const
    {
        return all.count == 0;
    }

  private:
    struct Mean {
        int count = 0;
        double logarithms = 0, least = std::numeric_limits<double>::infinity(), most = 0;

        void add(double ratio)
        {
            count++;
            logarithms += std::log(ratio);
            least = std::min(least, ratio);
            most = std::max(most, ratio);
        }

        void print(const std::string &key) const
        {
            std::printf("%-40s %6d %7.4f %7.3f %7.3f\n", key.c_str(), count,
                        count ? std::exp(logarithms / count) : 1, least, most);
        }
    };

    std::map<std::string, Mean> means;
    Mean all;
    std::vector<std::pair<std::string, double>> slow_rows;
};

std::string changed(const char *what, const char *from, const char *to)
{
    return std::string(from) == to ? "" : std::string("  ") + what + " " + from + " -> " + to;
}

struct Racer {
    const Sides &sides;
    const Options &options;
    Results results;
    Memory memory[2];
    std::map<std::string, Outcomes> contexts; // by instruction set
    // Tables are built once for all formats that want the same ones.
    std::set<std::tuple<std::string, int64_t, int64_t, uint32_t, uint32_t>> built;

    std::string row_name(const char *kind, const Format &format, const std::string &shape,
                         const char *isa, int64_t batch) const
    {
        std::string name = std::string(kind) + "/" + format.name + "/" + shape + "/" + isa + "/";
        if (options.family_given)
            name += std::string(text(options.family)) + "/";
        if (options.mode_given)
            name += std::string(text(options.mode)) + "/";
        return name + "n" + std::to_string(batch);
    }

    const Outcomes &contexts_of(const char *isa)
    {
        const auto [entry, added] = contexts.try_emplace(isa);
        for (int side : {OLD, NEW})
            if (added)
                entry->second[side] =
                    open(*sides[side], {isa, options.family, options.mode, options.threads,
                                        allocate, release, &memory[side]});
        return entry->second;
    }

    void race_engine(const Format &format, Shape shape, const char *isa, const Source &source)
    {
        std::unique_ptr<Pair> pair;

        for (int64_t batch : batches) {
            const std::string names[] = {
                row_name("multiply", format, text(shape), isa, batch),
                row_name("tables", format, std::to_string(shape.cols), isa, batch)};
            for (bool building : {false, true}) {
                if (!matches(options, names[building]) || (options.tables && !building))
                    continue;
                if (!pair) {
                    const Outcomes &open = contexts_of(isa);
                    if (!both(open, isa))
                        return;
                    pair = std::make_unique<Pair>(sides, open, memory, source);
                    if (!pair->fits(format.name))
                        return;
                }
                race_kind(pair.get(), shape, isa, batch, building, names[building]);
            }
        }
    }

    void race_kind(Pair *pair, Shape shape, const char *isa, int64_t batch, bool building,
                   const std::string &name)
    {
        const Packed packed[2] = {pair->packed(OLD), pair->packed(NEW)};
        std::string remark;

        if (building && !built
                             .insert({isa, shape.cols, batch, packed[OLD].table_layout,
                                      packed[NEW].table_layout})
                             .second)
            return;
        if (!building)
            remark = changed("layout", packed[OLD].layout, packed[NEW].layout) +
                     changed("kernel", packed[OLD].kernel, packed[NEW].kernel);
        const Times times =
            race_row(pair, batch, random_inputs(shape.cols, batch), building, options.seconds);
        results.add(name, building ? "tables" : "multiply", isa, batch, times, remark);
    }
};

} // namespace

int race_main(const Sides &sides, const Options &options)
{
    Racer racer{sides, options, {}, {}, {}, {}};

    if (options.threads > 1)
        clock_id = CLOCK_MONOTONIC;
    std::printf("%-58s %10s %10s %7s %7s\n", "row", "old us", "new us", "ratio", "bests");
    for (const Shape &shape : shapes) {
        if (options.quick && &shape != &shapes[0])
            break;
        for (const Format &format : all_formats()) {
            if (shape.cols % format.group || (options.quick && !format.quick))
                continue;
            const Source source(format, shape);
            for (const char *isa : vector_isas)
                racer.race_engine(format, shape, isa, source);
        }
    }
    if (racer.results.empty())
        throw std::runtime_error("no rows");
    racer.results.print();
    return !racer.results.good();
}
