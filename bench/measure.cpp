// SPDX-License-Identifier: MIT
#include "measure.h"

#include "energy.h"
#include "roofline.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

double measure_budget = 0.15;

namespace
{

constexpr double shortest_sample = 20e-6; // below, the clock itself would count
constexpr double wrong = 1e-2;

double seconds_of(const std::function<void()> &call, int repeats)
{
    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();

    for (int i = 0; i < repeats; i++)
        call();
    return std::chrono::duration<double>(clock::now() - begin).count() / repeats;
}

double minimum(const std::vector<double> &values)
{
    return *std::min_element(values.begin(), values.end());
}

} // namespace

Times time_calls(const std::function<void()> &call, double budget)
{
    call();
    double once = seconds_of(call, 1);
    int repeats = 1;
    for (; once * repeats < shortest_sample; repeats *= 2)
        once = seconds_of(call, repeats);

    const double wanted = budget / (once * repeats);
    std::vector<double> samples(static_cast<size_t>(std::clamp(wanted, 2.0, 1000.0)));
    energy_meter().lap();
    for (double &sample : samples)
        sample = seconds_of(call, repeats);
    const double joules = energy_meter().lap() / static_cast<double>(samples.size()) / repeats;
    std::sort(samples.begin(), samples.end());
    return {samples.front(), samples[samples.size() / 2], joules};
}

double read_roof(size_t footprint, int threads)
{
    static std::map<std::pair<size_t, int>, double> known;
    double &roof = known[{footprint, threads}];

    if (roof == 0)
        roof = roofline_read_bytes_per_second(footprint, threads);
    return roof;
}

double dot_roof(int threads)
{
    static std::map<int, double> known;
    const auto [entry, added] = known.try_emplace(threads, 0);

    // One number for the whole run: more tries than a row's.
    for (int i = 0; added && i < 5; i++)
        entry->second = std::max(entry->second, roofline_dot_per_second(threads));
    return entry->second;
}

void report_product(benchmark::State &state, const Row &row, Times times)
{
    const double weights = static_cast<double>(row.shape.rows * row.shape.cols * row.batch);
    const double bytes = static_cast<double>(row.bytes);
    const double roof = read_roof(row.bytes, row.threads), dots = dot_roof(row.threads);

    state.SetIterationTime(times.best);
    state.counters["Gweights/s"] = weights / times.best * 1e-9;
    state.counters["GB/s"] = bytes / times.best * 1e-9;
    state.counters["roof_GB/s"] = roof * 1e-9;
    if (roof > 0)
        state.counters["roof_share"] = bytes / times.best / roof;
    if (dots > 0)
        state.counters["dot_share"] = weights / times.best / dots;
    state.counters["bits/weight"] =
        bytes * 8 / static_cast<double>(row.shape.rows * row.shape.cols);
    state.counters["median_us"] = times.median * 1e6;
    if (times.joules > 0)
        state.counters["nJ/weight"] = times.joules / weights * 1e9;
}

double squared_error(const Row &row, const std::vector<float> &x, const std::vector<float> &y,
                     const std::function<void(int64_t, float *)> &row_of)
{
    const int64_t count = std::min<int64_t>(row.shape.rows, 1024 / row.batch + 64);
    std::vector<float> weights(static_cast<size_t>(row.shape.cols));
    double error = 0, square = 0;

    for (int64_t i = 0; i < count; i++) {
        const int64_t m = i * (row.shape.rows - 1) / std::max<int64_t>(count - 1, 1);
        row_of(m, weights.data());
        for (int64_t n : {int64_t{0}, row.batch - 1}) {
            const float *input = &x[static_cast<size_t>(n * row.shape.cols)];
            double sum = 0;
            for (size_t k = 0; k < weights.size(); k++)
                sum += static_cast<double>(weights[k]) * static_cast<double>(input[k]);
            const double got = static_cast<double>(y[static_cast<size_t>(n * row.shape.rows + m)]);
            error += (got - sum) * (got - sum);
            square += sum * sum;
        }
    }
    return error / square;
}

void report_error(benchmark::State &state, double error)
{
    state.counters["error"] = error;
    if (!(error < wrong))
        state.SkipWithError(
            ("wrong result: relative squared error " + std::to_string(error)).c_str());
}

void add_row(const std::string &name, RowFunction run)
{
    benchmark::RegisterBenchmark(name.c_str(),
                                 [run](benchmark::State &state) {
                                     for (auto _ : state)
                                         run(state);
                                 })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond)
        ->ComputeStatistics("min", minimum);
}
