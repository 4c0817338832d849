/* SPDX-License-Identifier: MIT
 * Contexts for every instruction set and packed layout. Layouts are asked for by name: a machine packs only
 * those it likes, but must multiply them all. */
#ifndef TEST_CONTEXTS_H
#define TEST_CONTEXTS_H

#include "layouts/shape.h"
#include "tiers.h"
#include "tmac.h"

enum { LAYOUTS = TMAC_LAYOUT_COUNT };

/* The sets that this machine has and TMAC_ISA allows, in the order of tmac_tiers. */
struct isas {
    int count;
    const char *name[TMAC_TIER_COUNT];
};
struct isas isas_available(void);

/* Packs everything in this layout. */
tmac_context *context_new(const char *isa, enum tmac_layout layout, int threads);

/* Whether this context, of some layout or family, can hold such weights. */
bool context_holds(const tmac_context *context, const tmac_weights_desc *desc);

/* Packed bytes where they are, as weights of another context. */
tmac_weights *weights_in(const tmac_context *context, const tmac_weights *weights);

/* One context per layout, scalar and best instruction set; freed at exit of the group. */
struct contexts {
    tmac_context *scalar[LAYOUTS], *best[LAYOUTS];
};
void contexts_new(struct contexts *contexts, int threads);
void contexts_free(struct contexts *contexts);

#endif
