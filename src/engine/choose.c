/* SPDX-License-Identifier: MIT */
#include "engine/choose.h"

#include "tiers.h"

#include <string.h>

/* ---- rows ------------------------------------------------------------------------------------ */

/* Whether a row may serve weights of this spec, in its own layout. */
static bool may_serve(const struct tmac_kernel *row, uint32_t isa_mask,
                      const struct tmac_spec *spec, enum tmac_batch batch)
{
    return (row->requires & ~isa_mask) == 0 && (row->widths & TMAC_WIDTH_BIT(spec->width)) &&
           (row->batches & 1u << batch) && tmac_layout_holds(row->layout, spec) &&
           (!row->accepts || row->accepts(spec));
}

/* What a search is for. */
struct wanted {
    const struct tmac_spec *spec;
    enum tmac_batch batch;
    enum tmac_layout layout; /* COUNT: any of the direct ones, or of the others */
    bool direct;
    bool averages;
};

static bool is_wanted(const struct wanted *wanted, const struct tmac_kernel *row)
{
    return row->averages == wanted->averages &&
           (wanted->layout == TMAC_LAYOUT_COUNT
                ? tmac_layout_is_direct(row->layout) == wanted->direct
                : row->layout == wanted->layout);
}

static bool is_better(const struct tmac_context *context, const struct tmac_kernel *row,
                      const struct tmac_kernel *best)
{
    if (!best || row == context->named_kernel)
        return true;
    return best != context->named_kernel && row->rank < best->rank;
}

/* NULL where there is none. */
static const struct tmac_kernel *first_row(const struct tmac_context *context,
                                           const struct wanted *wanted)
{
    const struct tmac_kernel *best = NULL;

    for (int t = 0; t < TMAC_TIER_COUNT; t++) {
        const struct tmac_set *set = tmac_tiers[t].set;

        for (int k = 0; set && (context->isa_mask & tmac_tiers[t].bit) && k < set->kernel_count;
             k++) {
            const struct tmac_kernel *row = &set->kernels[k];
            if (is_wanted(wanted, row) &&
                may_serve(row, context->isa_mask, wanted->spec, wanted->batch) &&
                is_better(context, row, best))
                best = row;
        }
    }
    return best;
}

/* ---- tiers and names ------------------------------------------------------------------------- */

uint32_t tmac_isa_up_to(const char *name)
{
    for (int t = 0; t < TMAC_TIER_COUNT; t++) {
        const struct tmac_tier *tier = &tmac_tiers[t];
        if (strcmp(name, tier->name) == 0)
        return TMAC_ISA_SCALAR | tier->bit | tier->requires;
    }
    return 0;
}

bool tmac_isa_is_usable(uint32_t mask)
{
    return tmac_tiers_usable(mask) == mask;
}

static const struct tmac_kernel *kernel_named(const char *name, uint32_t isa_mask)
{
    for (int t = 0; t < TMAC_TIER_COUNT; t++)
        for (int k = 0; tmac_tiers[t].set && k < tmac_tiers[t].set->kernel_count; k++) {
            const struct tmac_kernel *row = &tmac_tiers[t].set->kernels[k];
            if (strcmp(row->name, name) == 0 && (row->requires & ~isa_mask) == 0)
                return row;
        }
    return NULL;
}

/* A layout of one family, and only the other one allowed. */
static bool contradicts(const struct tmac_context *context)
{
    const bool only_direct = context->exact || context->family == TMAC_FAMILY_DIRECT;

    if (context->named_layout == TMAC_LAYOUT_COUNT)
        return false;
    return tmac_layout_is_direct(context->named_layout) ? context->family == TMAC_FAMILY_LOOKUP
                                                        : only_direct;
}

tmac_status tmac_choose_tiers(struct tmac_context *context, uint32_t mask, const char *layout,
                              const char *kernel)
{
    context->isa_mask = tmac_tiers_usable(mask);
    for (int t = 0; t < TMAC_TIER_COUNT; t++)
        if (context->isa_mask & tmac_tiers[t].bit) {
            context->isa = tmac_tiers[t].name;
            if (tmac_tiers[t].set->tools)
                context->tools = tmac_tiers[t].set->tools;
        }
    context->named_layout = TMAC_LAYOUT_COUNT;
    if (kernel) {
        context->named_kernel = kernel_named(kernel, context->isa_mask);
        if (!context->named_kernel)
            return TMAC_ERROR_KERNEL;
        context->named_layout = context->named_kernel->layout;
    }
    if (layout) {
        const enum tmac_layout named = tmac_layout_named(layout);
        if (named == TMAC_LAYOUT_COUNT || (kernel && named != context->named_layout))
            return TMAC_ERROR_LAYOUT;
        context->named_layout = named;
    }
    return contradicts(context) ? TMAC_ERROR_FAMILY : TMAC_OK;
}

/* ---- layouts --------------------------------------------------------------------------------- */

/* What was measured for such weights, or NULL. */
static const struct tmac_tuned *find_tuned(const struct tmac_context *context,
                                           const struct tmac_spec *spec)
{
    const struct tmac_tuned_key key = tmac_tuned_key(spec, context->isa_mask, context->threads);

    return tmac_tuned_find(context->tuned, context->tuned_count, &key);
}

int tmac_layout_candidates(const struct tmac_context *context, const struct tmac_spec *spec,
                           enum tmac_layout layouts[TMAC_LAYOUT_COUNT])
{
    const struct wanted lookup = {.spec = spec, .layout = context->named_layout};
    const struct wanted direct = {.spec = spec, .layout = context->named_layout, .direct = true};
    const bool only_direct = context->exact || context->family == TMAC_FAMILY_DIRECT;
    const bool only_lookup = context->family == TMAC_FAMILY_LOOKUP;
    const bool by_name = context->named_layout != TMAC_LAYOUT_COUNT; /* both find the same */
    const struct tmac_kernel *first = only_lookup ? NULL : first_row(context, &direct);
    const struct tmac_kernel *second =
        only_direct || (first && by_name) ? NULL : first_row(context, &lookup);
    int count = 0;

    if (first && second && second->rank < first->rank) {
        const struct tmac_kernel *other = first;
        first = second;
        second = other;
    }
    if (first)
        layouts[count++] = first->layout;
    if (second)
        layouts[count++] = second->layout;
    return count;
}

tmac_status tmac_choose_layout(const struct tmac_context *context, const struct tmac_spec *spec,
                               enum tmac_layout *layout)
{
    enum tmac_layout layouts[TMAC_LAYOUT_COUNT];
    const int count = tmac_layout_candidates(context, spec, layouts);
    const struct tmac_tuned *tuned = find_tuned(context, spec);

    if (count == 0)
        return context->named_layout != TMAC_LAYOUT_COUNT ? TMAC_ERROR_LAYOUT : TMAC_ERROR_FAMILY;
    *layout = layouts[0];
    for (int i = 0; tuned && i < count; i++)
        if (layouts[i] == tuned->layout)
            *layout = tuned->layout;
    return TMAC_OK;
}

/* ---- kernels --------------------------------------------------------------------------------- */

void tmac_choose_kernels(const struct tmac_context *context, const struct tmac_spec *spec,
                         struct tmac_choice *choice)
{
    struct wanted wanted = {.spec = spec, .layout = spec->layout};

    /* Averages are other numbers, so all sizes of batches have them or none; they are for speed only, so
     * that scalar ones do not come before another set's exact kernel. */
    if (context->fast && tmac_spec_block_k(spec) >= TMAC_STEP_K) {
        const struct tmac_kernel *exact = first_row(context, &wanted);

        wanted.averages = true;
        const struct tmac_kernel *averages = first_row(context, &wanted);
        wanted.averages = averages && is_better(context, averages, exact);
    }
    for (int batch = 0; batch < TMAC_BATCH_COUNT; batch++) {
        wanted.batch = (enum tmac_batch)batch;
        choice->kernel[batch] = first_row(context, &wanted);
    }
}

struct tmac_blocking tmac_tuned_blocking(const struct tmac_context *context,
                                         const struct tmac_shape *shape)
{
    const struct tmac_tuned *tuned = find_tuned(context, &shape->spec);

    if (tuned && tuned->layout == shape->spec.layout && tmac_blocking_fits(&tuned->blocking, shape))
        return tuned->blocking;
    return (struct tmac_blocking){0};
}
