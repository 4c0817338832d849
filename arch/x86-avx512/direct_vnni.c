/* SPDX-License-Identifier: MIT */
#include "ops_avx512_vnni.h"

#include "../family/dot_vnni.h"

#include "../family/direct.h"

void avx512_direct_vnni(const struct tmac_tile *tile)
{
    direct(tile);
}
