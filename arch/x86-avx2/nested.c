/* SPDX-License-Identifier: MIT */
#include "ops_avx2.h"

#include "../family/dot_words.h"

#include "../family/nested.h"

void avx2_nested(const struct tmac_tile *tile)
{
    nested(tile);
}
