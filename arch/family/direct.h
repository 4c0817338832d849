/* SPDX-License-Identifier: MIT
 * Layout DIRECT: codes times int8 activations. A template: a tier's direct.c includes
 *
 *     ops_<tier>.h     what a vector is
 *     dot_<how>.h      how codes are multiplied with activations and added up
 *     this             tables of functions for every width, size of block and batch, and direct(), which
 *                      chooses from them */
#ifndef TMAC_DIRECT_H
#define TMAC_DIRECT_H

#include "direct_gemv.h"
#include "direct_panels.h"

static void direct(const struct tmac_tile *tile)
{
    if (tile->batch == 1)
        gemv_functions[width_index(tile->width)][block_size(tile->block_k)][tile->half](tile);
    else
        direct_panels(tile);
}

#endif
