/* SPDX-License-Identifier: MIT
 * Layout NESTED: integer sub-scales. A template: a tier's nested.c includes ops_<tier>.h, dot_<how>.h and this.
 *
 *     nested()            one input, or several
 *     nested_centred()    many panels, groups of 32: see nested_panels.h
 *     nested_scaled()     many panels, codes that stay bytes when they are scaled: see nested_scaled.h
 *
 * The last two are for dot products in 32 bits; a tier's file includes what it has. */
#ifndef TMAC_NESTED_H
#define TMAC_NESTED_H

#include "nested_gemv.h"
#include "nested_panels.h"

static void nested(const struct tmac_tile *tile)
{
    if (tile->batch == 1)
        nested_gemv_function(tile)(tile);
    else
        nested_panels(tile);
}

#endif
