/* SPDX-License-Identifier: MIT */
#include "parallel.h"

#include <algorithm>
#include <system_error>
#include <thread>

#include <sched.h>

namespace plugin
{
namespace
{

constexpr size_t max_threads = 16;

size_t usable_cpus()
{
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof cpus, &cpus))
        return 1;
    return static_cast<size_t>(std::max(1, CPU_COUNT(&cpus)));
}

} // namespace

tmac_status parallel(size_t count, size_t useful,
                     const std::function<tmac_status(size_t begin, size_t end)> &task)
{
    const size_t parts = std::max<size_t>(1, std::min({useful, count, usable_cpus(), max_threads}));
    std::thread threads[max_threads];
    tmac_status status[max_threads] = {};
    const auto run = [&](size_t part) {
        status[part] = task(count * part / parts, count * (part + 1) / parts);
    };

    for (size_t part = 1; part < parts; part++) {
        try {
            threads[part] = std::thread(run, part);
        } catch (const std::system_error &) { /* no more threads: it is done here */
            run(part);
        }
    }
    run(0);
    for (size_t part = 1; part < parts; part++)
        if (threads[part].joinable())
            threads[part].join();
    return *std::max_element(status, status + parts);
}

} // namespace plugin
