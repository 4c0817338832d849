/* SPDX-License-Identifier: MIT */
#include "ops_neon.h"

#include "dot_smlal.h"

#include "../family/nested.h"

void neon_nested(const struct tmac_tile *tile)
{
    nested(tile);
}
