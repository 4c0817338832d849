/* SPDX-License-Identifier: MIT */
#include "widths.h"

const tmac_width test_widths[TEST_WIDTHS] = {TMAC_WIDTH_1, TMAC_WIDTH_2, TMAC_WIDTH_3,
                                             TMAC_WIDTH_4, TMAC_WIDTH_8, TMAC_WIDTH_TERNARY};

const char *test_width_name(tmac_width width)
{
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8"};

    return width == TMAC_WIDTH_TERNARY ? "ternary" : (unsigned)width <= 8 ? names[width] : "?";
}
