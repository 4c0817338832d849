/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* madvise */
#include "engine/context.h"

#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

enum { HUGE_PAGE = 2 << 20 };

void *tmac_default_allocate(void *host, size_t size, size_t align)
{
    void *memory = NULL;

    (void)host;
    /* Packed weights are read from end to end: with 4 KB pages the page walks show. */
    if (size >= 2 * (size_t)HUGE_PAGE && align < HUGE_PAGE)
        align = HUGE_PAGE;
    if (posix_memalign(&memory, align < sizeof(void *) ? sizeof(void *) : align, size))
        return NULL;
#ifdef MADV_HUGEPAGE
    if (align == HUGE_PAGE)
        (void)madvise(memory, size, MADV_HUGEPAGE); /* a wish: its failure costs speed only */
#endif
    return memory;
}

void tmac_default_release(void *host, void *memory)
{
    (void)host;
    free(memory);
}

int tmac_default_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

int tmac_tasks(const struct tmac_context *context, double work, double least)
{
    const double tasks = work / least;

    return tasks >= context->threads ? context->threads : tasks > 1 ? (int)tasks : 1;
}

void tmac_run(const struct tmac_context *context, int count, tmac_task *task, void *arg)
{
    if (context->parallel_for && count > 1) {
        context->parallel_for(context->parallel_host, count, task, arg);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel for num_threads(context->threads)                                             \
    schedule(static, 1) if (count > 1 && context->threads > 1)
#endif
    for (int i = 0; i < count; i++)
        task(arg, i);
}
