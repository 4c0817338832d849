/* SPDX-License-Identifier: MIT */
#include "avx_vnni.h"

#include "ops_avx_vnni.h"

#include "../family/dot_vnni.h"

#include "../family/direct.h"

void avx_vnni_direct(const struct tmac_tile *tile)
{
    direct(tile);
}
