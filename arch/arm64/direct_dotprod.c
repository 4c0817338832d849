/* SPDX-License-Identifier: MIT */
#include "ops_neon.h"

#include "dot_sdot.h"

#include "../family/direct.h"

void neon_direct_dotprod(const struct tmac_tile *tile)
{
    direct(tile);
}
