/* SPDX-License-Identifier: MIT
 * Layout QUAD with VBMI: a register holds four tables of 16 signed entries, vpermb looks up 16 rows
 * x 4 tables at once, vpdpbusd multiplies by the plane's weight and adds the four into the row's
 * 32-bit lane. Exact at any block: 32 lookups * 15 * 127 < 2^24. */
#include "tile32.h"

#include "tiers.h"

/* Indices of the low (shift 0) or high (4) half-bytes: byte j of each row looks into table j. */
INLINE __m512i quad_index(__m512i codes, const int shift)
{
    const __m512i nibble = _mm512_set1_epi8(15), table = _mm512_set1_epi32(0x30201000);

    if (shift)
        codes = _mm512_srli_epi16(codes, shift);
    return _mm512_ternarylogic_epi32(codes, nibble, table, 0xEA); /* codes & nibble | table */
}

/* One plane, one half of the step's tables, 32 rows. */
INLINE void quad_add(__m512i sum[2][TMAC_MAX_PANEL], const uint8_t *plane, const uint8_t *tables,
                     const int shift, __m512i weight, const int batch)
{
    const __m512i index0 = quad_index(load_bytes(plane), shift);
    const __m512i index1 = quad_index(load_bytes(plane + 64), shift);

    UNROLL
    for (int n = 0; n < batch; n++) {
        const __m512i table = load_bytes(tables + n * 128 + 16 * shift);
        sum[0][n] = _mm512_dpbusd_epi32(sum[0][n], weight, _mm512_permutexvar_epi8(index0, table));
        sum[1][n] = _mm512_dpbusd_epi32(sum[1][n], weight, _mm512_permutexvar_epi8(index1, table));
    }
}

/* The low and the high half-bytes of a whole step have their own sums: a single chain of vpdpbusd
 * would take 5 cycles per link, where two ports leave less than 4. */
INLINE void gemv_sums(__m512i to[2], const struct span span)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_QUAD, span.width);
    const bool both = span.group == 0 && span.group_end == 8;
    __m512i sum[2][TMAC_MAX_PANEL], high[2][TMAC_MAX_PANEL];

    sums_zero(sum, 1);
    sums_zero(high, 1);
    for (int step = 0; step < span.steps; step++) {
        const uint8_t *cell = span.codes + (size_t)step * cell_bytes;
        const uint8_t *tables = span.tables + (size_t)step * 128;

        prefetch_ahead(cell, cell_bytes);
        UNROLL
        for (int p = 0; p < tmac_width_bits(span.width); p++) {
            const __m512i weight = _mm512_set1_epi8(span.width == TMAC_WIDTH_TERNARY ? 1 : (char)(1 << p));
            if (span.group == 0)
                quad_add(sum, cell + 128 * p, tables, 0, weight, 1);
            if (span.group_end == 8)
                quad_add(both ? high : sum, cell + 128 * p, tables, 4, weight, 1);
        }
    }
    to[0] = both ? _mm512_add_epi32(sum[0][0], high[0][0]) : sum[0][0];
    to[1] = both ? _mm512_add_epi32(sum[1][0], high[1][0]) : sum[1][0];
}

INLINE void panel_sums(struct panel_sum *to, const struct span span, const int batch,
                       const int panel)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_QUAD, span.width);
    const int planes = tmac_width_bits(span.width);
    const __m512i one = _mm512_set1_epi8(1);
    __m512i sum[2][TMAC_MAX_PANEL];

    sums_zero(sum, batch);
    for (int step = 0; step < span.steps; step++) {
        const uint8_t *plane = span.codes + (size_t)step * cell_bytes;
        const uint8_t *tables = span.tables + (size_t)(step * panel) * 128;
        __m512i weight = one;

        for (int p = 0; p < planes; p++, plane += 128) {
            if (span.group == 0)
                quad_add(sum, plane, tables, 0, weight, batch);
            if (span.group_end == 8)
                quad_add(sum, plane, tables, 4, weight, batch);
            if (span.width != TMAC_WIDTH_TERNARY)
                weight = _mm512_add_epi8(weight, weight);
        }
    }
    panel_sum_store(to, sum, batch);
}

static void panel_2(const struct tmac_tile *tile)
{
    panel(tile, panel_sums, TMAC_LAYOUT_QUAD, 0, 2, 2);
}

static void panel_4(const struct tmac_tile *tile)
{
    panel(tile, panel_sums, TMAC_LAYOUT_QUAD, 0, 4, 4);
}

static void panel_8(const struct tmac_tile *tile)
{
    panel(tile, panel_sums, TMAC_LAYOUT_QUAD, 0, 8, 8);
}

INLINE void multiply(const struct tmac_tile *tile, const tmac_width width)
{
    if (tile->batch == 1)
        gemv(tile, gemv_sums, TMAC_LAYOUT_QUAD, width);
    else
        (tile->batch == 2 ? panel_2 : tile->batch == 4 ? panel_4 : panel_8)(tile);
}

KERNEL(quad_w1, TMAC_WIDTH_1)
KERNEL(quad_w2, TMAC_WIDTH_2)
KERNEL(quad_w3, TMAC_WIDTH_3)
KERNEL(quad_w4, TMAC_WIDTH_4)
KERNEL(quad_wt, TMAC_WIDTH_TERNARY)

static void quad(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_1:
        quad_w1(tile);
        break;
    case TMAC_WIDTH_2:
        quad_w2(tile);
        break;
    case TMAC_WIDTH_3:
        quad_w3(tile);
        break;
    case TMAC_WIDTH_4:
        quad_w4(tile);
        break;
    default:
        quad_wt(tile);
    }
}

#define W(bits) TMAC_WIDTH_BIT(TMAC_WIDTH_##bits)
#define VBMI (TMAC_ISA_X86_AVX512 | TMAC_ISA_X86_AVX512_VNNI | TMAC_ISA_X86_AVX512_VBMI)

/* By port 0 and 5, 32 rows of a step take 7 cycles per plane against 16 and more of direct at any width.
 * At 4 bits direct is ahead. */
static const struct tmac_kernel kernels[] = {
    {"quad_avx512_vbmi", VBMI, TMAC_LAYOUT_QUAD, W(1) | W(2) | W(3) | W(TERNARY),
     TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8), 20, .half = true, .multiply = quad},
    {"quad_w4_avx512_vbmi", VBMI, TMAC_LAYOUT_QUAD, W(4), TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8),
     39, .half = true, .multiply = quad},
};

const struct tmac_set tmac_set_avx512_vbmi = {kernels, sizeof kernels / sizeof *kernels, NULL};
