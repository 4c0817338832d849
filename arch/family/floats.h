/* SPDX-License-Identifier: MIT
 * The float stages that struct tmac_tile prescribes, once each, over the `vecf` of a tier. Parameters: vecf,
 * vecf_mul(), vecf_fma() (a * b + c, rounded once). */
#ifndef TMAC_FLOATS_H
#define TMAC_FLOATS_H

#include "inline.h"

#include <stdbool.h>

/* ---- one level of scales ---------------------------------------------------------------------- */

/* What a block of an input brings. */
struct float_block {
    vecf act_scale; /* times the tile's unit; a power of two, which may be in `scale` instead */
    vecf act_sum;
    vecf offset; /* times act_sum */
};

INLINE vecf floats_add_scale(const struct float_block *block, vecf scale, vecf integer, vecf acc)
{
    return vecf_fma(scale, vecf_fma(integer, block->act_scale, block->offset), acc);
}

INLINE vecf floats_add_minimum(const struct float_block *block, vecf minimum, vecf acc)
{
    return vecf_fma(minimum, block->act_sum, acc);
}

/* What a block of a row brings; `minimum` counts where the weights have one. */
struct float_rows {
    vecf scale, minimum;
};

INLINE vecf floats_add(const struct float_block *block, const struct float_rows *rows,
                       const bool minimum, vecf integer, vecf acc)
{
    acc = floats_add_scale(block, rows->scale, integer, acc);
    return minimum ? floats_add_minimum(block, rows->minimum, acc) : acc;
}

/* ---- nested ----------------------------------------------------------------------------------- */

/* P with the scale, or M with the minimum; `unit` is what an input's block multiplies it by. */
INLINE vecf floats_add_nested(vecf unit, vecf scale, vecf integer, vecf acc)
{
    return vecf_fma(scale, vecf_mul(unit, integer), acc);
}

/* NESTED_ROWS32 with U4 sub-scales: P and Q with the scale. */
INLINE vecf floats_add_nested_two(vecf unit_p, vecf unit_q, vecf scale, vecf p, vecf q, vecf acc)
{
    return vecf_fma(scale, vecf_fma(q, unit_q, vecf_mul(unit_p, p)), acc);
}

#endif
