// SPDX-License-Identifier: MIT
#include "roofline.h"
#include "rows.h"

namespace
{

void add_rate(const std::string &name, const std::string &unit, std::function<double()> measure)
{
    add_row(name, [unit, measure](benchmark::State &state) {
        double best = 0;
        for (int i = 0; i < 5; i++)
            best = std::max(best, measure());
        state.SetIterationTime(1e9 / best); // of 10^9 of them
        state.counters[unit] = best * 1e-9;
    });
}

} // namespace

void add_roof_rows()
{
    for (int threads : thread_counts()) {
        const std::string end = "/t" + std::to_string(threads);
        add_rate("roof/read/L1" + end, "GB/s", [=] {
            return roofline_read_bytes_per_second(ROOFLINE_L1_BYTES * static_cast<size_t>(threads),
                                                  threads);
        });
        for (size_t kilobytes : {256, 2048, 8192, 32768, 131072})
            add_rate("roof/read/" + std::to_string(kilobytes) + "K" + end, "GB/s",
                     [=] { return roofline_read_bytes_per_second(kilobytes * 1024, threads); });
        if (roofline_dot_per_second(threads) > 0)
            add_rate("roof/dot" + end, "Gdot/s", [=] { return roofline_dot_per_second(threads); });
        if (roofline_lookup_per_second(threads) > 0)
            add_rate("roof/lookup" + end, "Gweights/s",
                     [=] { return roofline_lookup_per_second(threads); });
    }
}
