/* SPDX-License-Identifier: MIT
 * The float stages that struct tmac_tile prescribes, once each, over the `vecf` of a tier (of scalar, one
 * float). Parameters: vecf, vecf_mul(), vecf_fma() (a * b + c, rounded once). */
#ifndef TMAC_FLOATS_H
#define TMAC_FLOATS_H

#include "inline.h"

#include <stdbool.h>

/* What a block of an input brings. */
struct float_block {
    vecf act_scale; /* times the tile's unit; a power of two, which may be in `scale` instead */
    vecf act_sum;
    vecf offset; /* times act_sum */
};

/* What a block of a row brings; `minimum` counts where the weights have one. */
struct float_rows {
    vecf scale, minimum;
};

/* One level of scales. */
INLINE vecf floats_add(const struct float_block *block, const struct float_rows *rows,
                       const bool minimum, vecf integer, vecf acc)
{
    const vecf t = vecf_fma(integer, block->act_scale, block->offset);

    acc = vecf_fma(rows->scale, t, acc);
    return minimum ? vecf_fma(rows->minimum, block->act_sum, acc) : acc;
}

/* NESTED: P, or M with the minimum in place of the scale. */
INLINE vecf floats_add_scaled(vecf act_scale, vecf scale, vecf integer, vecf acc)
{
    return vecf_fma(scale, vecf_mul(act_scale, integer), acc);
}

#endif
