/* SPDX-License-Identifier: MIT
 * Lookup with dot products: layout QUAD. TBL on four registers holds the four tables of a half step, and
 * SDOT sums their entries. That TBL takes three times the issue slots of TBL on one register, so ROWS32
 * is faster on every core modelled; these kernels serve weights that were packed as QUAD elsewhere. */
#include "ops_neon.h"

enum { TILE_ROWS = 32, QUAD_INPUTS = 1 };
#define QUAD_LOOP ROLLED

typedef int8x16x4_t quad_tables;

INLINE quad_tables quad_load(const uint8_t *tables)
{
    return vld1q_s8_x4((const int8_t *)tables);
}

INLINE vec quad_index(vec codes, const bool high)
{
    const vec nibble = high ? vshrq_n_u8(codes, 4) : vandq_u8(codes, vdupq_n_u8(15));

    return vorrq_u8(nibble, vreinterpretq_u8_u32(vdupq_n_u32(0x30201000)));
}

INLINE vec quad_look_up(quad_tables tables, vec index)
{
    return vreinterpretq_u8_s8(vqtbl4q_s8(tables, index));
}

INLINE vec quad_dot(vec sum, vec weights, vec entries)
{
    return vreinterpretq_u8_s32(vdotq_s32(vreinterpretq_s32_u8(sum), vreinterpretq_s8_u8(entries),
                                          vreinterpretq_s8_u8(weights)));
}

#include "../family/lookup_quad.h"

#include "../family/lookup.h"

LOOKUP_LEAVES(any_width, (int)tile->width)

void neon_quad_dotprod(const struct tmac_tile *tile)
{
    lookup_run(&any_width, tile);
}
