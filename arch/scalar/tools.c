/* SPDX-License-Identifier: MIT */
#include "ops_scalar.h"

#include "../family/tools.h"

const struct tmac_tools scalar_tools = TOOLS;
