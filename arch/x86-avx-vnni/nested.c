/* SPDX-License-Identifier: MIT */
#include "avx_vnni.h"

#include "ops_avx_vnni.h"

#include "../family/dot_vnni.h"

#include "../family/nested.h"
#include "../family/nested_many.h"

void avx_vnni_nested(const struct tmac_tile *tile)
{
    nested(tile);
}

bool avx_vnni_nested_scaled_accepts(const struct tmac_spec *spec)
{
    return nested_scaled_accepts(spec);
}

void avx_vnni_nested_scaled(const struct tmac_tile *tile)
{
    nested_scaled(tile);
}

bool avx_vnni_nested_centred_accepts(const struct tmac_spec *spec)
{
    return nested_centred_accepts(spec);
}

void avx_vnni_nested_centred(const struct tmac_tile *tile)
{
    nested_centred(tile);
}
