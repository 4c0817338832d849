/* SPDX-License-Identifier: MIT
 * The threads of a context, and of a team of the host's. */
#ifndef TMAC_THREADS_H
#define TMAC_THREADS_H

#include "engine/context.h"

/* Threads that the library can start by itself, at most `wanted`; 0: as many as there are. */
int tmac_own_threads(int wanted);

/* Into how many tasks to cut `work`, when a task worth waking a thread for has `least` of it. */
int tmac_tasks(const struct tmac_context *context, double work, double least);

/* Runs task(arg, i) for i in [0, count) with the context's threads; returns when all are done. */
void tmac_run(const struct tmac_context *context, int count, tmac_task_fn *task, void *arg);

#endif
