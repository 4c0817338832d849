/* SPDX-License-Identifier: MIT
 * Layout NESTED, many panels, for dot products in 32 bits: two ways that are faster for some weights. */
#ifndef TMAC_NESTED_MANY_H
#define TMAC_NESTED_MANY_H

#include "nested_panels.h"
#include "nested_scaled.h"

#define NESTED_MANY(name, minimum, how)                                                            \
    NESTED_PASSES(name, TMAC_MAX_PANEL, UNPACKED_INPUTS, NESTED_VECTORS_OF_8, false, TMAC_WIDTH_4, \
                  ONE_STEP, minimum, how)

NESTED_MANY(centred, NO_MINIMUM, CENTRED_SUMS)
NESTED_MANY(centred_minimum, MINIMUM, CENTRED_SUMS)
NESTED_MANY(scaled, NO_MINIMUM, SCALED_CODES)
NESTED_MANY(scaled_minimum, MINIMUM, SCALED_CODES)

/* Groups of 32. */
static bool nested_centred_accepts(const struct tmac_spec *spec)
{
    return spec->group == TMAC_STEP_K &&
           (spec->zero_kind == TMAC_ZERO_MINIMUM || -spec->zero >= LEAST_OFFSET);
}

static void nested_centred(const struct tmac_tile *tile)
{
    all_runs(tile, NULL, tile->minimum ? centred_minimum : centred);
}

/* 2 bits with minimums, 3 bits without. */
static bool nested_scaled_accepts(const struct tmac_spec *spec)
{
    if (spec->width == TMAC_WIDTH_2)
        return spec->sub_format == TMAC_SUB_U4 && spec->zero_kind == TMAC_ZERO_MINIMUM;
    return spec->sub_format == TMAC_SUB_I8 && spec->sub_bits <= SUB_BITS &&
           tmac_zero_is_constant(spec->zero_kind) && spec->zero == ZERO_W3;
}

static void scale_run_2(struct nested_run *run)
{
    const int group_k = run->tile->nested.group_k;

    scale_codes(run->unpacked, run->sub, run->steps * TMAC_STEP_K / group_k, group_k == TMAC_STEP_K,
                TMAC_WIDTH_2);
}

static void scale_run_3(struct nested_run *run)
{
    const int group_k = run->tile->nested.group_k;

    scale_codes(run->unpacked, run->sub, run->steps * TMAC_STEP_K / group_k, group_k == TMAC_STEP_K,
                TMAC_WIDTH_3);
}

static void nested_scaled(const struct tmac_tile *tile)
{
    if (tile->minimum)
        all_runs(tile, scale_run_2, scaled_minimum);
    else
        all_runs(tile, scale_run_3, scaled);
}

#endif
