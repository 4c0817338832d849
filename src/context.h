/* SPDX-License-Identifier: MIT
 * The context: kernels, threads, memory. */
#ifndef TMAC_CONTEXT_H
#define TMAC_CONTEXT_H

#include "tuning.h"

struct tmac_context {
    struct tmac_kernels kernels;
    tmac_family family;
    bool exact;               /* TMAC_MODE_EXACT */
    bool fast;                /* TMAC_MODE_FAST */
    struct tmac_tuned *tuned; /* [tuned_count], its own */
    size_t tuned_count;
    int threads;
    tmac_parallel_for *parallel_for; /* NULL: OpenMP or the calling thread */
    void *parallel_host;
    tmac_allocate *allocate;
    tmac_release *release;
    void *allocator_host;
};

/* Bits TMAC_ISA_*: what the machine has; a named set and all below it (0 for an unknown name). */
uint32_t tmac_isa_available(void);
uint32_t tmac_isa_up_to(const char *name);

/* Detection: fills context->kernels with the best of `mask`. */
void tmac_kernels_choose(struct tmac_context *context, uint32_t mask);

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

/* Threads that the library can start by itself. */
int tmac_default_threads(void);

/* Into how many tasks to cut `work`, when a task worth waking a thread for has `least` of it. */
int tmac_tasks(const struct tmac_context *context, double work, double least);

/* Runs task(arg, i) for i in [0, count) with the context's threads; returns when all are done. */
void tmac_run(const struct tmac_context *context, int count, tmac_task *task, void *arg);

/* The layout to pack weights in, which the rest of their spec tells. */
enum tmac_layout tmac_choose_layout(const struct tmac_context *context,
                                    const struct tmac_spec *spec);
/* The kernel that multiplies weights of this shape. */
const struct tmac_kernel *tmac_choose_kernel(const struct tmac_context *context,
                                             const struct tmac_shape *shape);

/* All layouts that it chooses among, the default first; returns how many. */
int tmac_layout_candidates(const struct tmac_context *context, const struct tmac_spec *spec,
                           enum tmac_layout layouts[TMAC_LAYOUT_COUNT]);

/* What was measured to be best for weights of this shape; zeros where nothing was. */
struct tmac_blocking tmac_tuned_blocking(const struct tmac_context *context,
                                         const struct tmac_shape *shape);

#endif
