/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "engine/threads.h"

#include <stdlib.h>

static tmac_status allowed_isa(const tmac_context_options *options, uint32_t *mask)
{
    const char *environment = getenv("TMAC_ISA");

    *mask = options->isa_mask ? options->isa_mask : UINT32_MAX;
    if (options->isa) {
        const uint32_t up_to = tmac_isa_up_to(options->isa);
        if (up_to == 0 || !tmac_isa_is_usable(up_to))
            return TMAC_ERROR_ISA;
        *mask &= up_to;
    }
    if (environment && *environment) {
        const uint32_t up_to = tmac_isa_up_to(environment);
        if (up_to == 0)
            return TMAC_ERROR_ISA;
        *mask &= up_to;
    }
    return TMAC_OK;
}

static tmac_status check_options(const tmac_context_options *options)
{
    if (options->threads < 0 || options->threads > TMAC_MAX_THREADS)
        return TMAC_ERROR_THREADS;
    if (!options->allocate != !options->release)
        return TMAC_ERROR_ALLOCATOR;
    if (options->family < TMAC_FAMILY_AUTO || options->family > TMAC_FAMILY_DIRECT ||
        options->mode < TMAC_MODE_DEFAULT || options->mode > TMAC_MODE_FAST)
        return TMAC_ERROR_ENUM;
    return options->mode == TMAC_MODE_EXACT && options->family == TMAC_FAMILY_LOOKUP
               ? TMAC_ERROR_FAMILY
               : TMAC_OK;
}

static int choose_threads(const tmac_context_options *options)
{
    const int wanted = options->threads;
    const int threads = !options->parallel_for ? tmac_own_threads(wanted) : wanted ? wanted : 1;

    return threads < TMAC_MAX_THREADS ? threads : TMAC_MAX_THREADS;
}

static tmac_status copy_tuning(struct tmac_context *context, const tmac_tuning *tuning)
{
    const size_t bytes = tuning ? tuning->count * sizeof *tuning->tuned : 0;

    if (bytes == 0)
        return TMAC_OK;
    context->tuned = tmac_context_alloc(context, bytes, _Alignof(struct tmac_tuned));
    if (!context->tuned)
        return TMAC_ERROR_MEMORY;
    memcpy(context->tuned, tuning->tuned, bytes);
    context->tuned_count = tuning->count;
    return TMAC_OK;
}

tmac_status tmac_context_create(const tmac_context_options *given, tmac_context **out)
{
    tmac_context_options options = {.struct_size = sizeof options};
    tmac_context made, *context;
    tmac_status status;
    uint32_t mask;

    if (!out)
        return TMAC_ERROR_NULL;
    if (given && (status = tmac_struct_read(&options, sizeof options, sizeof options, given)))
        return status;
    if ((status = check_options(&options)) || (status = allowed_isa(&options, &mask)))
        return status;

    memset(&made, 0, sizeof made);
    made.family = options.family;
    made.exact = options.mode == TMAC_MODE_EXACT;
    made.fast = options.mode == TMAC_MODE_FAST;
    made.threads = choose_threads(&options);
    made.parallel_for = options.parallel_for;
    made.parallel_host = options.parallel_host;
    made.allocate = options.allocate ? options.allocate : tmac_default_allocate;
    made.release = options.release ? options.release : tmac_default_release;
    made.allocator_host = options.allocator_host;
    if ((status = tmac_choose_tiers(&made, mask, options.layout, options.kernel)) ||
        (status = copy_tuning(&made, options.tuning)))
        return status;
    context = tmac_context_alloc(&made, sizeof *context, _Alignof(struct tmac_context));
    if (!context) {
        tmac_context_release(&made, made.tuned);
        return TMAC_ERROR_MEMORY;
    }
    *context = made;
    *out = context;
    return TMAC_OK;
}

void tmac_context_free(tmac_context *context)
{
    if (context) {
        const tmac_context copy = *context; /* releases itself with its own allocator */
        tmac_context_release(&copy, copy.tuned);
        tmac_context_release(&copy, context);
    }
}

const char *tmac_context_isa(const tmac_context *context)
{
    return context ? context->isa : "";
}

uint32_t tmac_context_isa_mask(const tmac_context *context)
{
    return context ? context->isa_mask : 0;
}

int32_t tmac_context_threads(const tmac_context *context)
{
    return context ? context->threads : 0;
}
