/* SPDX-License-Identifier: MIT */
#include "ops_avx512.h"

#include "../family/tools.h"

const struct tmac_tools avx512_tools = TOOLS;
