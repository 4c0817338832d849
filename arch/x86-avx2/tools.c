/* SPDX-License-Identifier: MIT */
#include "ops_avx2.h"

#include "../family/tools.h"

const struct tmac_tools avx2_tools = TOOLS;
