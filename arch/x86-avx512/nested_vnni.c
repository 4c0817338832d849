/* SPDX-License-Identifier: MIT */
#include "ops_avx512_vnni.h"

#include "../family/dot_vnni.h"

#include "../family/nested.h"
#include "../family/nested_many.h"

void avx512_nested_vnni(const struct tmac_tile *tile)
{
    nested(tile);
}

bool avx512_nested_scaled_accepts(const struct tmac_spec *spec)
{
    return nested_scaled_accepts(spec);
}

void avx512_nested_scaled_vnni(const struct tmac_tile *tile)
{
    nested_scaled(tile);
}

bool avx512_nested_centred_accepts(const struct tmac_spec *spec)
{
    return nested_centred_accepts(spec);
}

void avx512_nested_centred_vnni(const struct tmac_tile *tile)
{
    nested_centred(tile);
}
