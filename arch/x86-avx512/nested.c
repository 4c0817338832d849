/* SPDX-License-Identifier: MIT */
#include "ops_avx512.h"

#include "../family/dot_words.h"

#include "../family/nested.h"

void avx512_nested(const struct tmac_tile *tile)
{
    nested(tile);
}
