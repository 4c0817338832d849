// SPDX-License-Identifier: MIT
//
// The energy that the processor's packages take, where the system tells it (RAPL, by Linux'
// powercap). It counts everything that runs on them, in steps of about a millisecond.
#ifndef TMAC_BENCH_ENERGY_H
#define TMAC_BENCH_ENERGY_H

#include <cstdint>
#include <string>
#include <vector>

class EnergyMeter
{
  public:
    // Every readable package below `folder`; there may be none.
    explicit EnergyMeter(const std::string &folder);

    // "package-0 package-1", or "none".
    std::string packages() const;
    // Joules since the last call, or since the meter was made; 0 without packages.
    double lap();

  private:
    struct Counter {
        std::string file, name;
        uint64_t range; // starts over behind it
        uint64_t last;
    };
    std::vector<Counter> counters;
};

// This machine's.
EnergyMeter &energy_meter();

#endif
