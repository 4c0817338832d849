/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* madvise */
#include "context.h"

#include "multiply.h"

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

/* What was measured for such weights, or NULL. */
static const struct tmac_tuned *find_tuned(const struct tmac_context *context,
                                           const struct tmac_spec *spec)
{
    const struct tmac_tuned_key key =
        tmac_tuned_key(spec, context->kernels.isa_mask, context->threads);

    return tmac_tuned_find(context->tuned, context->tuned_count, &key);
}

static enum tmac_layout nested_or(enum tmac_layout nested, enum tmac_layout other,
                                  const struct tmac_spec *spec)
{
    return nested != TMAC_LAYOUT_COUNT && tmac_spec_can_nest(spec, nested) ? nested : other;
}

int tmac_layout_candidates(const struct tmac_context *context, const struct tmac_spec *spec,
                           enum tmac_layout layouts[TMAC_LAYOUT_COUNT])
{
    const struct tmac_kernels *kernels = &context->kernels;
    const enum tmac_w w = spec->width;
    const enum tmac_layout direct = nested_or(
        kernels->nested ? TMAC_LAYOUT_NESTED : TMAC_LAYOUT_COUNT, TMAC_LAYOUT_DIRECT, spec);
    const enum tmac_layout lookup =
        nested_or(kernels->nested_lookup_layout[w], kernels->lookup_layout[w], spec);
    const enum tmac_layout best =
        nested_or(kernels->nested_best_layout[w],
                  direct == TMAC_LAYOUT_NESTED ? direct : kernels->best_layout[w], spec);

    layouts[0] = context->exact || context->family == TMAC_FAMILY_DIRECT ? direct
                 : context->family == TMAC_FAMILY_LOOKUP                 ? lookup
                                                                         : best;
    if (context->exact || context->family != TMAC_FAMILY_AUTO)
        return 1;
    layouts[1] = best == direct ? lookup : direct;
    return 2;
}

enum tmac_layout tmac_choose_layout(const struct tmac_context *context,
                                    const struct tmac_spec *spec)
{
    enum tmac_layout layouts[TMAC_LAYOUT_COUNT];
    const int count = tmac_layout_candidates(context, spec, layouts);
    const struct tmac_tuned *tuned = find_tuned(context, spec);

    for (int i = 0; tuned && i < count; i++)
        if (layouts[i] == tuned->layout)
            return tuned->layout;
    return layouts[0];
}

const struct tmac_kernel *tmac_choose_kernel(const struct tmac_context *context,
                                             const struct tmac_shape *shape)
{
    const enum tmac_layout layout = shape->spec.layout;
    const struct tmac_kernel *fast = &context->kernels.fast[layout][shape->spec.width];

    if (context->fast && fast->name && shape->block_k >= TMAC_STEP_K)
        return fast;
    return &context->kernels.kernel[layout][shape->spec.width];
}

struct tmac_blocking tmac_tuned_blocking(const struct tmac_context *context,
                                         const struct tmac_shape *shape)
{
    const struct tmac_tuned *tuned = find_tuned(context, &shape->spec);

    if (tuned && tuned->layout == shape->spec.layout && tmac_blocking_fits(&tuned->blocking, shape))
        return tuned->blocking;
    return (struct tmac_blocking){0};
}
