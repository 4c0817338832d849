/* SPDX-License-Identifier: MIT
 * Numbers that are written into files: packed weights carry the first, saved table layouts and tuning
 * the others. A number never changes its meaning and is never used again; new ones go at the end.
 * docs/stability.md says what else is pinned. */
#ifndef TMAC_NUMBERS_H
#define TMAC_NUMBERS_H

#include "tmac.h"

enum tmac_layout {
    TMAC_LAYOUT_ROWS32 = 0,
    TMAC_LAYOUT_ROWS64 = 1,
    TMAC_LAYOUT_QUAD = 2,
    TMAC_LAYOUT_DIRECT = 3,
    TMAC_LAYOUT_NESTED = 4,
    TMAC_LAYOUT_NESTED_ROWS32 = 5,
    TMAC_LAYOUT_COUNT /* not a number that is written */
};

enum tmac_table_kind {
    TMAC_TABLE_U8 = 0,
    TMAC_TABLE_S8 = 1,
    TMAC_TABLE_INT8 = 2,
    TMAC_TABLE_KIND_COUNT /* not a number that is written */
};

/* Public enumerations whose numbers packed weights carry too. */
_Static_assert(TMAC_WIDTH_1 == 1 && TMAC_WIDTH_2 == 2 && TMAC_WIDTH_3 == 3 && TMAC_WIDTH_4 == 4 &&
                   TMAC_WIDTH_8 == 8 && TMAC_WIDTH_TERNARY == 17,
               "widths are written into packed weights");
_Static_assert(TMAC_SCALE_F32 == 0 && TMAC_SCALE_F16 == 1 && TMAC_SCALE_BF16 == 2,
               "scale types are written into packed weights");
_Static_assert(TMAC_ZERO_SYMMETRIC == 0 && TMAC_ZERO_CONSTANT == 1 && TMAC_ZERO_POINT == 2 &&
                   TMAC_ZERO_MINIMUM == 3,
               "zero kinds are written into packed weights");
_Static_assert(TMAC_SUB_NONE == 0 && TMAC_SUB_I8 == 1 && TMAC_SUB_U4 == 2,
               "sub-scale formats are written into packed weights");

#endif
