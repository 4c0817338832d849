// SPDX-License-Identifier: MIT
//
// How a row is measured. Machines are shared and noisy, and noise only ever adds: calls are timed
// one by one, and the fastest is the row's time. Google Benchmark runs every row once, as one
// iteration with manual time.
#ifndef TMAC_BENCH_MEASURE_H
#define TMAC_BENCH_MEASURE_H

#include "source.h"

#include <benchmark/benchmark.h>

#include <functional>

struct Times {
    double best, median; // seconds
    double joules;       // of one call, of the mean one; 0 where the system does not tell
};

extern double measure_budget; // seconds to spend on a row's calls

// Calls again and again, for about `budget` seconds; a first call is not counted.
Times time_calls(const std::function<void()> &call, double budget = measure_budget);

// Of this moment's machine; measured at most once for the same arguments.
double read_roof(size_t footprint, int threads); // bytes per second
double dot_roof(int threads);                    // multiplications per second

struct Row {
    Shape shape;
    int64_t batch;
    int threads;
    size_t bytes; // of weights
};

// Sets the time and the counters that every multiplication has.
void report_product(benchmark::State &state, const Row &row, Times times);

// The squared error of y, relative to the squares of the products in double precision. Looks at
// some rows of the first and the last input; row_of fills in the floats of one row of the weights.
double squared_error(const Row &row, const std::vector<float> &x, const std::vector<float> &y,
                     const std::function<void(int64_t row, float *out)> &row_of);

// Reports the error; an error no quantization could explain makes the row fail.
void report_error(benchmark::State &state, double error);

using RowFunction = std::function<void(benchmark::State &)>;
void add_row(const std::string &name, RowFunction run);

#endif
