/* SPDX-License-Identifier: MIT
 * The context: kernels, threads, memory. */
#ifndef TMAC_CONTEXT_H
#define TMAC_CONTEXT_H

#include "engine/tuning.h"

struct tmac_context {
    const char *isa;   /* name of the last tier in use */
    uint32_t isa_mask; /* TMAC_ISA_* of all tiers in use */
    const struct tmac_tools *tools;
    enum tmac_layout named_layout;          /* the only one to pack in; TMAC_LAYOUT_COUNT: any */
    const struct tmac_kernel *named_kernel; /* to prefer where it serves; NULL: none */
    tmac_family family;
    bool exact;               /* TMAC_MODE_EXACT */
    bool fast;                /* TMAC_MODE_FAST */
    struct tmac_tuned *tuned; /* [tuned_count], its own */
    size_t tuned_count;
    int threads;
    tmac_parallel_for_fn *parallel_for; /* NULL: OpenMP or the calling thread */
    void *parallel_host;
    tmac_allocate_fn *allocate;
    tmac_release_fn *release;
    void *allocator_host;
};

/* The default allocator: aligned, huge pages advised for large blocks. */
void *tmac_default_allocate(void *host, size_t size, size_t align);
void tmac_default_release(void *host, void *memory);

/* Memory of the context's allocator; releasing NULL is fine. */
static inline void *tmac_context_alloc(const struct tmac_context *context, size_t size,
                                       size_t align)
{
    return context->allocate(context->allocator_host, size, align);
}

static inline void tmac_context_release(const struct tmac_context *context, void *memory)
{
    if (memory)
        context->release(context->allocator_host, memory);
}

#endif
