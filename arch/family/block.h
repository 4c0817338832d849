/* SPDX-License-Identifier: MIT
 * What a kernel knows of its blocks when it is compiled. */
#ifndef TMAC_BLOCK_H
#define TMAC_BLOCK_H

#include "contract.h"

enum block_size { HALF_STEP, ONE_STEP, SEVERAL_STEPS, BLOCK_SIZES };

static inline enum block_size block_size(int block_k)
{
    return block_k < TMAC_STEP_K ? HALF_STEP : block_k == TMAC_STEP_K ? ONE_STEP : SEVERAL_STEPS;
}

#endif
