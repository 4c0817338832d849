/* SPDX-License-Identifier: MIT
 * What a backend needs to run our multiplications where ggml gives it neither scratch memory nor a
 * barrier. One per backend, so that two contexts do not meet. */
#ifndef TMAC_GGML_RUNNER_H
#define TMAC_GGML_RUNNER_H

#include <cstddef>
#include <memory>
#include <new>

#include "barrier.h"
#include "multiply.h"

namespace plugin
{

class runner
{
  public:
    /* Room for one operation; false without memory. Before the threads start. */
    bool reserve(const ggml_tensor *op)
    {
        const size_t wanted = multiply_scratch(op);

        if (wanted <= bytes)
            return true;
        scratch.reset(new (std::nothrow) unsigned char[wanted]);
        bytes = scratch ? wanted : 0;
        return scratch != nullptr;
    }

    /* Called by all threads. */
    void run(const ggml_tensor *op, int index, int size)
    {
        waiting w = {&threads, size};
        multiply({index, size, scratch.get(), wait, &w}, op);
    }

    void wait_for_all(int size)
    {
        threads.wait(size);
    }

  private:
    struct waiting {
        barrier *threads;
        int size;
    };
    static void wait(void *arg)
    {
        const waiting *w = static_cast<waiting *>(arg);
        w->threads->wait(w->size);
    }

    barrier threads;
    std::unique_ptr<unsigned char[]> scratch;
    size_t bytes = 0;
};

} // namespace plugin

#endif
