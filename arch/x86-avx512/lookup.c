/* SPDX-License-Identifier: MIT
 * Lookup on AVX-512: layout ROWS64. */
#include "ops_avx512.h"

enum { TILE_ROWS = 64 };

#include "../family/lookup_average.h"

#include "../family/lookup.h"

LOOKUP_LEAVES(w1, TMAC_WIDTH_1)
LOOKUP_LEAVES(w2, TMAC_WIDTH_2)
LOOKUP_LEAVES(w3, TMAC_WIDTH_3)
LOOKUP_LEAVES(w4, TMAC_WIDTH_4)
LOOKUP_LEAVES(wt, TMAC_WIDTH_TERNARY)

void avx512_lookup(const struct tmac_tile *tile)
{
    static const struct lookup_leaves *const leaves[] = {
        [TMAC_WIDTH_1] = &w1, [TMAC_WIDTH_2] = &w2,       [TMAC_WIDTH_3] = &w3,
        [TMAC_WIDTH_4] = &w4, [TMAC_WIDTH_TERNARY] = &wt,
    };

    lookup_run(leaves[tile->width], tile);
}
