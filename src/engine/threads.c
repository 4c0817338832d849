/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* pthread_atfork */
#include "engine/threads.h"

#ifdef _OPENMP
#include <omp.h>
#include <pthread.h>

/* Set in the child of a fork: OpenMP's pool believes in threads that stayed behind in the parent, and
 * would wait for them. It is written while the child has one thread only. */
static bool is_forked_child;

static void after_fork_in_child(void)
{
    is_forked_child = true;
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, after_fork_in_child);
}
#endif

int tmac_own_threads(int wanted)
{
#ifdef _OPENMP
    return wanted ? wanted : omp_get_max_threads();
#else
    (void)wanted;
    return 1;
#endif
}

int tmac_tasks(const struct tmac_context *context, double work, double least)
{
    const double tasks = work / least;

    return tasks >= context->threads ? context->threads : tasks > 1 ? (int)tasks : 1;
}

void tmac_run(const struct tmac_context *context, int count, tmac_task_fn *task, void *arg)
{
    if (context->parallel_for && count > 1) {
        context->parallel_for(context->parallel_host, count, task, arg);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel for num_threads(context->threads)                                             \
    schedule(static, 1) if (count > 1 && context->threads > 1 && !is_forked_child)
#endif
    for (int i = 0; i < count; i++)
        task(arg, i);
}
