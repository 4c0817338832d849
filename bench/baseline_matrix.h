// SPDX-License-Identifier: MIT
//
// A matrix packed for one loop of the baseline, with what it was packed from to check results by.
#ifndef TMAC_BENCH_BASELINE_MATRIX_H
#define TMAC_BENCH_BASELINE_MATRIX_H

#include "baseline.h"
#include "source.h"

#include <cstdlib>
#include <memory>

class BaselineMatrix
{
  public:
    // Of a format that fits().
    BaselineMatrix(const baseline &b, const Format &format, Shape shape);

    static bool fits(const baseline &b, const Format &format, Shape shape);

    size_t bytes() const;
    // What multiply() takes from then on: inputs of x one after another.
    void prepare(const std::vector<float> &x);
    void multiply(std::vector<float> &y) const;
    // One row of the weights, as floats.
    void unpack(int64_t row, float *out) const;

  private:
    using Memory = std::unique_ptr<void, decltype(&std::free)>;

    const baseline &loops;
    baseline_shape shape;
    std::vector<uint8_t> codes;
    std::vector<uint16_t> scales;
    Memory packed, prepared;
    int batch = 0;
};

// Those that run here, by name or null.
const baseline *find_baseline(const std::string &name);

#endif
