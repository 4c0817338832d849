/* SPDX-License-Identifier: MIT
 * Lookup of every width, a template: after lookup.h, lookup() chooses among leaves of all of them. */
#ifndef TMAC_FAMILY_LOOKUP_WIDTHS_H
#define TMAC_FAMILY_LOOKUP_WIDTHS_H

#include "lookup.h"

LOOKUP_LEAVES(w1, TMAC_WIDTH_1)
LOOKUP_LEAVES(w2, TMAC_WIDTH_2)
LOOKUP_LEAVES(w3, TMAC_WIDTH_3)
LOOKUP_LEAVES(w4, TMAC_WIDTH_4)
LOOKUP_LEAVES(wt, TMAC_WIDTH_TERNARY)

static void lookup(const struct tmac_tile *tile)
{
    static const struct lookup_leaves *const leaves[] = {
        [TMAC_WIDTH_1] = &w1, [TMAC_WIDTH_2] = &w2,       [TMAC_WIDTH_3] = &w3,
        [TMAC_WIDTH_4] = &w4, [TMAC_WIDTH_TERNARY] = &wt,
    };

    lookup_run(leaves[tile->width], tile);
}

#endif
