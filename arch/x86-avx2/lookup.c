/* SPDX-License-Identifier: MIT
 * Lookup on AVX2, layout ROWS32. */
#include "vector.h"

#include "../x86/lookup_tile.h"

void avx2_lookup_w1(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W1, WHOLE_STEP);
}

void avx2_lookup_w2(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W2, WHOLE_STEP);
}

void avx2_lookup_w3(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W3, WHOLE_STEP);
}

void avx2_lookup_w4(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W4, WHOLE_STEP);
}

void avx2_lookup_wt(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WT, WHOLE_STEP);
}

void avx2_lookup_fast_w1(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W1, FAST_STEP);
}

void avx2_lookup_fast_w2(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W2, FAST_STEP);
}

void avx2_lookup_fast_w3(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W3, FAST_STEP);
}

void avx2_lookup_fast_wt(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WT, FAST_STEP);
}
