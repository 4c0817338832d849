/* SPDX-License-Identifier: MIT
 * Which layout weights are packed in, and which kernels multiply them: of the rows of all tiers in use the
 * first by rank whose requirements hold. */
#ifndef TMAC_CHOOSE_H
#define TMAC_CHOOSE_H

#include "engine/context.h"

/* The kernels that multiply some weights, by size of batch. NULL for TMAC_BATCH_MANY: panel by panel. */
struct tmac_choice {
    const struct tmac_kernel *kernel[TMAC_BATCH_COUNT];
};

/* Bits TMAC_ISA_* of the tier of this name and of all that it builds on; 0 for another name. */
uint32_t tmac_isa_up_to(const char *name);
/* Whether this machine has all of them. */
bool tmac_isa_is_usable(uint32_t mask);

/* Reads the names of the context's options, and the tiers in use; TMAC_ERROR_LAYOUT or
 * TMAC_ERROR_KERNEL for a name that there is not, TMAC_ERROR_FAMILY for one that the context's family or
 * mode rules out. */
tmac_status tmac_choose_tiers(struct tmac_context *context, uint32_t mask, const char *layout,
                              const char *kernel);

/* The layout to pack weights in, which the rest of their spec tells. */
tmac_status tmac_choose_layout(const struct tmac_context *context, const struct tmac_spec *spec,
                               enum tmac_layout *layout);

/* All layouts that it chooses among, the default first; returns how many. */
int tmac_layout_candidates(const struct tmac_context *context, const struct tmac_spec *spec,
                           enum tmac_layout layouts[TMAC_LAYOUT_COUNT]);

/* The kernels for packed weights. */
void tmac_choose_kernels(const struct tmac_context *context, const struct tmac_spec *spec,
                         struct tmac_choice *choice);

/* Whether they are of this machine's instruction sets, and not scalar. */
static inline bool tmac_choice_is_native(const struct tmac_choice *choice)
{
    return choice->kernel[TMAC_BATCH_1]->requires != TMAC_ISA_SCALAR;
}

/* What was measured to be best for weights of this shape; zeros where nothing was. */
struct tmac_blocking tmac_tuned_blocking(const struct tmac_context *context,
                                         const struct tmac_shape *shape);

#endif
