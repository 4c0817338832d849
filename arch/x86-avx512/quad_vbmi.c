/* SPDX-License-Identifier: MIT
 * Lookup with VBMI: layout QUAD. A register holds four tables of 16 signed entries, vpermb looks up
 * 16 rows x 4 tables at once, vpdpbusd multiplies and adds. */
#include "ops_avx512_vnni.h"

#include "tiers.h"

enum { TILE_ROWS = 32, QUAD_INPUTS = 2 };
#define QUAD_LOOP UNROLL

typedef vec quad_tables;

INLINE quad_tables quad_load(const uint8_t *tables)
{
    return vec_load(tables);
}

INLINE vec quad_index(vec codes, const bool high)
{
    const vec nibble = vec_bytes(15), table = _mm512_set1_epi32(0x30201000);

    return _mm512_ternarylogic_epi32(high ? vec_right16(codes, 4) : codes, nibble, table,
                                     0xEA /* codes & nibble | table */);
}

INLINE vec quad_look_up(quad_tables tables, vec index)
{
    return _mm512_permutexvar_epi8(index, tables);
}

INLINE vec quad_dot(vec sum, vec weights, vec entries)
{
    return vec_dpbusd(sum, weights, entries);
}

#include "../family/lookup_quad.h"

#include "../family/lookup.h"

LOOKUP_LEAVES(w1, TMAC_WIDTH_1)
LOOKUP_LEAVES(w2, TMAC_WIDTH_2)
LOOKUP_LEAVES(w3, TMAC_WIDTH_3)
LOOKUP_LEAVES(w4, TMAC_WIDTH_4)
LOOKUP_LEAVES(wt, TMAC_WIDTH_TERNARY)

static void quad(const struct tmac_tile *tile)
{
    static const struct lookup_leaves *const leaves[] = {
        [TMAC_WIDTH_1] = &w1, [TMAC_WIDTH_2] = &w2,       [TMAC_WIDTH_3] = &w3,
        [TMAC_WIDTH_4] = &w4, [TMAC_WIDTH_TERNARY] = &wt,
    };

    lookup_run(leaves[tile->width], tile);
}

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)
#define VBMI (TMAC_ISA_X86_AVX512 | TMAC_ISA_X86_AVX512_VNNI | TMAC_ISA_X86_AVX512_VBMI)

/* By port 0 and 5, 32 rows of a step take 7 cycles per plane against 16 and more of direct at any width.
 * At 4 bits direct is ahead. */
static const struct tmac_kernel kernels[] = {
    {"quad_avx512_vbmi", VBMI, TMAC_LAYOUT_QUAD, W(1) | W(2) | W(3) | W(TERNARY),
     TMAC_BATCHES_1_4_8, 20, .half = true, .multiply = quad},
    {"quad_w4_avx512_vbmi", VBMI, TMAC_LAYOUT_QUAD, W(4), TMAC_BATCHES_1_4_8, 39, .half = true, .multiply = quad},
};

const struct tmac_set tmac_set_avx512_vbmi = {kernels, sizeof kernels / sizeof *kernels, NULL};
