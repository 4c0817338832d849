/* SPDX-License-Identifier: MIT */
#include "ops_neon.h"

#include "dot_sdot.h"

#include "../family/nested.h"

void neon_nested_dotprod(const struct tmac_tile *tile)
{
    nested(tile);
}
