/* SPDX-License-Identifier: MIT */
#include "contexts.h"

#include "check.h"
#include "layouts/shape.h"

#include <string.h>

const char *const isa_names[ISAS] = {"scalar",          "x86-avx2",        "x86-avx512",
                                     "x86-avx512-vnni", "x86-avx512-vbmi", "arm64",
                                     "arm64-dotprod"};
const char *const context_layout_names[LAYOUTS] = {"rows32", "rows64", "quad",
                                                   "direct", "nested", "nested_rows32"};

struct isas isas_available(void)
{
    struct isas isas = {0};

    for (int i = 0; i < ISAS; i++) {
        const tmac_context_options options = {.struct_size = sizeof options, .isa = isa_names[i]};
        tmac_context *context;
        if (tmac_context_create(&options, &context))
            continue;
        if (strcmp(tmac_context_isa(context), isa_names[i]) == 0)
            isas.name[isas.count++] = isa_names[i];
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

    CHECK(status == TMAC_OK || status == TMAC_ERROR_LAYOUT, "status %d", (int)status);
    return status == TMAC_OK;
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
