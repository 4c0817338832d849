/* SPDX-License-Identifier: MIT */
#include "ops_avx512.h"

#include "../family/dot_words.h"

#include "../family/direct.h"

void avx512_direct(const struct tmac_tile *tile)
{
    direct(tile);
}
