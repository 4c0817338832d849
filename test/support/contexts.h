/* SPDX-License-Identifier: MIT
 * Contexts for every instruction set and packed layout. The layouts are forced from inside: a
 * machine packs only those it likes, but must multiply them all. */
#ifndef TEST_CONTEXTS_H
#define TEST_CONTEXTS_H

#include "contract.h"
#include "tmac.h"

enum { ISAS = 7, LAYOUTS = TMAC_LAYOUT_COUNT };

extern const char *const isa_names[ISAS];
extern const char *const context_layout_names[LAYOUTS];

/* The sets that this machine has and TMAC_ISA allows, from scalar to the best. */
struct isas {
    int count;
    const char *name[ISAS];
};
struct isas isas_available(void);

/* Packs everything in this layout; nested ones: what they can hold, the rest in DIRECT or ROWS32. */
tmac_context *context_new(const char *isa, enum tmac_layout layout, int threads);

/* Whether this context, of some layout, can hold such weights. */
bool context_holds(const tmac_context *context, const tmac_weights_desc *desc);

/* One context per layout, scalar and best instruction set; freed at exit of the group. */
struct contexts {
    tmac_context *scalar[LAYOUTS], *best[LAYOUTS];
};
void contexts_new(struct contexts *contexts, int threads);
void contexts_free(struct contexts *contexts);

#endif
