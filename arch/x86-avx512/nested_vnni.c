/* SPDX-License-Identifier: MIT */
#include "ops_avx512_vnni.h"

#include "../family/dot_vnni.h"

#include "../family/nested.h"

void avx512_nested_vnni(const struct tmac_tile *tile)
{
    nested(tile);
}
