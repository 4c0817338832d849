/* SPDX-License-Identifier: MIT
 * Lookup on AVX-512: layout ROWS64. */
#include "ops_avx512.h"

enum { TILE_ROWS = 64 };

#include "../family/lookup_average.h"

#include "../family/lookup_widths.h"

void avx512_lookup(const struct tmac_tile *tile)
{
    lookup(tile);
}
