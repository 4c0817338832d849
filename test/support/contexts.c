/* SPDX-License-Identifier: MIT */
#include "contexts.h"

#include "check.h"

#include <string.h>

struct isas isas_available(void)
{
    struct isas isas = {0};

    for (int t = 0; t < TMAC_TIER_COUNT; t++) {
        const char *name = tmac_tiers[t].name;
        const tmac_context_options options = {.struct_size = sizeof options, .isa = name};
        tmac_context *context;
        if (tmac_context_create(&options, &context))
            continue;
        if (strcmp(tmac_context_isa(context), name) == 0) /* TMAC_ISA takes nothing of it away */
            isas.name[isas.count++] = name;
        tmac_context_free(context);
    }
    return isas;
}

tmac_context *context_new(const char *isa, enum tmac_layout layout, int threads)
{
    const tmac_context_options options = {
        .struct_size = sizeof options,
        .isa = isa,
        .threads = threads,
        .layout = tmac_layout_name(layout),
    };
    tmac_context *context;

    CHECK_OK(tmac_context_create(&options, &context));
    return context;
}

bool context_holds(const tmac_context *context, const tmac_weights_desc *desc)
{
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    const tmac_status status = tmac_packed_query(context, desc, &plan);

    CHECK(status == TMAC_OK || status == TMAC_ERROR_LAYOUT || status == TMAC_ERROR_FAMILY, "%s",
          tmac_status_text(status));
    return status == TMAC_OK;
}

tmac_weights *weights_in(const tmac_context *context, const tmac_weights *weights)
{
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_weights *attached;

    CHECK_OK(tmac_weights_query(weights, &info));
    CHECK_OK(tmac_weights_attach(context, info.packed, info.packed_bytes, TMAC_ATTACH_NO_CHECKSUM,
                                 &attached));
    return attached;
}

void contexts_new(struct contexts *contexts, int threads)
{
    for (int l = 0; l < LAYOUTS; l++) {
        contexts->scalar[l] = context_new("scalar", (enum tmac_layout)l, threads);
        contexts->best[l] = context_new(NULL, (enum tmac_layout)l, threads);
    }
}

void contexts_free(struct contexts *contexts)
{
    for (int l = 0; l < LAYOUTS; l++) {
        tmac_context_free(contexts->scalar[l]);
        tmac_context_free(contexts->best[l]);
    }
}
