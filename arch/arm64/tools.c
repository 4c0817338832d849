/* SPDX-License-Identifier: MIT */
#include "ops_neon.h"

#include "../family/tools.h"

const struct tmac_tools neon_tools = TOOLS;
