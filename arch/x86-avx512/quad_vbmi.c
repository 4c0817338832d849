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

#include "../family/lookup_widths.h"

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)
#define VBMI (TMAC_ISA_X86_AVX512 | TMAC_ISA_X86_AVX512_VNNI | TMAC_ISA_X86_AVX512_VBMI)

/* Sapphire Rapids, one thread, Gweights/s of QUAD and of DIRECT with VNNI, in groups of 32 and of 128:
 *
 *                    576x1536 (L2)                       4096x4096
 *                    gemv              batch 32          gemv              batch 32
 *     1 bit          203,120  264,138  312,227  447,282  158, 99  235,139  270,208  389,279
 *     2 bits         133,108  176,155  205,207  241,268   84, 82  112,112  199,208  243,295
 *     ternary        141,112  163,142  212,210  250,268   85, 79  104,105  206,215  240,273
 *     3 bits         107, 87  116, 97  167,212  182,280   59, 59   67, 66  140,188  161,260
 *
 * A layout serves all batches. Lookup wins at 1 bit. At 2 bits and ternary gemv gains 14 to 26 % in L2
 * and nothing in L3, gemm loses up to 18 %: generating text counts more, and it stays. At 3 bits gemm
 * loses 21 to 38 %: direct comes first. At 4 bits it is ahead in both. */
static const struct tmac_kernel kernels[] = {
    {"quad_avx512_vbmi", VBMI, TMAC_LAYOUT_QUAD, W(1) | W(2) | W(TERNARY), TMAC_BATCHES_1_4_8, 20,
     .half = true, .multiply = lookup},
    {"quad_w34_avx512_vbmi", VBMI, TMAC_LAYOUT_QUAD, W(3) | W(4), TMAC_BATCHES_1_4_8, 39,
     .half = true, .multiply = lookup},
};

const struct tmac_set tmac_set_avx512_vbmi = {kernels, sizeof kernels / sizeof *kernels, NULL};
