/* SPDX-License-Identifier: MIT
 * Lookup on AVX2, layout ROWS32. */
#include "ops_avx2.h"

#include "../family/lookup_tile.h"

static void lookup_w1(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_1, WHOLE_STEP);
}

static void lookup_w2(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_2, WHOLE_STEP);
}

static void lookup_w3(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_3, WHOLE_STEP);
}

static void lookup_w4(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_4, WHOLE_STEP);
}

static void lookup_wt(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_TERNARY, WHOLE_STEP);
}

static void lookup_fast_w1(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_1, FAST_STEP);
}

static void lookup_fast_w2(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_2, FAST_STEP);
}

static void lookup_fast_w3(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_3, FAST_STEP);
}

static void lookup_fast_wt(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WIDTH_TERNARY, FAST_STEP);
}

void avx2_lookup(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_1:
        lookup_w1(tile);
        break;
    case TMAC_WIDTH_2:
        lookup_w2(tile);
        break;
    case TMAC_WIDTH_3:
        lookup_w3(tile);
        break;
    case TMAC_WIDTH_4:
        lookup_w4(tile);
        break;
    default:
        lookup_wt(tile);
    }
}

void avx2_lookup_fast(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_1:
        lookup_fast_w1(tile);
        break;
    case TMAC_WIDTH_2:
        lookup_fast_w2(tile);
        break;
    case TMAC_WIDTH_3:
        lookup_fast_w3(tile);
        break;
    default:
        lookup_fast_wt(tile);
    }
}
