/* SPDX-License-Identifier: MIT */
#ifndef TMAC_GGML_CREW_H
#define TMAC_GGML_CREW_H

namespace plugin
{

/* The threads that compute an operation together; each calls with its own index. */
struct crew {
    int index, size;
    void *scratch; /* the same for all, of any alignment; as large as multiply_scratch asks for */
    void (*wait)(void *); /* returns when all have called it */
    void *wait_arg;

    void barrier() const
    {
        if (size > 1)
            wait(wait_arg);
    }
};

} // namespace plugin

#endif
