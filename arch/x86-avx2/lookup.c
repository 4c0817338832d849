/* SPDX-License-Identifier: MIT
 * Lookup on AVX2: layout ROWS32. */
#include "ops_avx2.h"

enum { TILE_ROWS = 32 };

#include "../family/lookup_average.h"

#include "../family/lookup_widths.h"

void avx2_lookup(const struct tmac_tile *tile)
{
    lookup(tile);
}

LOOKUP_FAST_LEAVES(fast_w1, TMAC_WIDTH_1)
LOOKUP_FAST_LEAVES(fast_w2, TMAC_WIDTH_2)
LOOKUP_FAST_LEAVES(fast_w3, TMAC_WIDTH_3)
LOOKUP_FAST_LEAVES(fast_wt, TMAC_WIDTH_TERNARY)

void avx2_lookup_fast(const struct tmac_tile *tile)
{
    static const struct lookup_leaves *const leaves[] = {
        [TMAC_WIDTH_1] = &fast_w1,
        [TMAC_WIDTH_2] = &fast_w2,
        [TMAC_WIDTH_3] = &fast_w3,
        [TMAC_WIDTH_TERNARY] = &fast_wt,
    };

    lookup_run(leaves[tile->width], tile);
}
