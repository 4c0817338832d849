/* SPDX-License-Identifier: MIT */
#ifndef TMAC_NEON_H
#define TMAC_NEON_H

#include "contract.h"

void neon_lookup(const struct tmac_tile *tile);
void neon_direct(const struct tmac_tile *tile);
void neon_nested(const struct tmac_tile *tile);

void neon_direct_dotprod(const struct tmac_tile *tile);
void neon_nested_dotprod(const struct tmac_tile *tile);
void neon_quad_dotprod(const struct tmac_tile *tile);

extern const struct tmac_tools neon_tools;

#endif
