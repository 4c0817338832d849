/* SPDX-License-Identifier: MIT
 * Sums of activations over groups, which tables for the nested layouts hold. */
#ifndef TMAC_GROUP_SUMS_H
#define TMAC_GROUP_SUMS_H

#include "contract.h"

/* For the chunk of one input whose tables were built as `build` says; `sums` is where those of its first
 * pair of groups go. */
void tmac_sum_int8_groups(const struct tmac_build *build, int group_k, int16_t *sums);
/* Also sets build->sum. */
void tmac_sum_lookup_groups(const struct tmac_build *build, int group_k, int16_t *sums);

#endif
