/* SPDX-License-Identifier: MIT
 * Where ggml's own barrier is out of reach: the threads of a crew wait for each other. */
#ifndef TMAC_GGML_BARRIER_H
#define TMAC_GGML_BARRIER_H

#include <atomic>

#include <sched.h>

namespace plugin
{

class barrier
{
  public:
    /* Returns when `size` threads have called it. They are at work already, so waiting is short: it
     * spins, and gives way when it takes long, as on a machine with fewer cores than threads. */
    void wait(int size)
    {
        const int generation = passed.load(std::memory_order_acquire);

        if (arrived.fetch_add(1, std::memory_order_acq_rel) == size - 1) {
            arrived.store(0, std::memory_order_relaxed);
            passed.store(generation + 1, std::memory_order_release);
            return;
        }
        for (int spins = 1; passed.load(std::memory_order_acquire) == generation; spins++)
            if (spins % 1000 == 0)
                sched_yield();
    }

  private:
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<int> passed{0};
};

} // namespace plugin

#endif
