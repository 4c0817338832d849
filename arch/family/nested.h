/* SPDX-License-Identifier: MIT
 * Layout NESTED: integer sub-scales. A template: a tier's nested.c includes ops_<tier>.h, dot_<how>.h and
 * this, which instantiates what nested() chooses from, for one input or several. nested_many.h has more for
 * dot products in 32 bits. */
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
