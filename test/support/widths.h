/* SPDX-License-Identifier: MIT
 * All widths, for tests that go through them: their numbers are not consecutive. */
#ifndef TEST_WIDTHS_H
#define TEST_WIDTHS_H

#include "tmac.h"

enum { TEST_WIDTHS = 6 };
extern const tmac_width test_widths[TEST_WIDTHS];

/* "1", "ternary". */
const char *test_width_name(tmac_width width);

#endif
