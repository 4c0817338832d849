/* SPDX-License-Identifier: MIT */
#include "ops_neon.h"

#include "dot_smlal.h"

#include "../family/direct.h"

void neon_direct(const struct tmac_tile *tile)
{
    direct(tile);
}
