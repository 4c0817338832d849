/* SPDX-License-Identifier: MIT */
#include "ops_avx2.h"

#include "../family/dot_words.h"

#include "../family/direct.h"

void avx2_direct(const struct tmac_tile *tile)
{
    direct(tile);
}
