/* SPDX-License-Identifier: MIT
 * Layout DIRECT without VNNI: vpmaddubsw multiplies codes by int8 activations and adds pairs into
 * 16 bits. An activation is at most 128 in magnitude (a given scale may wrap to -128), so a pair is
 * at most 2 * 128 * code: 256, 768, 1792, 3840 for 1, 2, 3, 4 bits. A word may take 8 groups of
 * 4 bits (30720), 18 of 3 bits (32256), 42 of 2 bits: one step for 4 bits, two for the others. Then
 * vpmaddwd adds the two words of a row into 32 bits. */
#include "direct.h"

INLINE int exact_steps(tmac_width width)
{
    return width == TMAC_WIDTH_4 ? 1 : 2;
}

INLINE __m512i words_add(__m512i word, __m512i codes, __m512i x)
{
    return _mm512_add_epi16(word, _mm512_maddubs_epi16(codes, x));
}

/* Words to 32 bits, added to what earlier steps gave. */
INLINE void words_widen(__m512i sum[2][TMAC_MAX_PANEL], __m512i word[2][TMAC_MAX_PANEL],
                        const int batch, bool first)
{
    const __m512i ones = _mm512_set1_epi16(1);

    UNROLL
    for (int n = 0; n < batch; n++) {
        const __m512i rows0 = _mm512_madd_epi16(word[0][n], ones);
        const __m512i rows1 = _mm512_madd_epi16(word[1][n], ones);
        sum[0][n] = first ? rows0 : _mm512_add_epi32(sum[0][n], rows0);
        sum[1][n] = first ? rows1 : _mm512_add_epi32(sum[1][n], rows1);
    }
}

INLINE void gemv_sums(__m512i to[2], const struct span span)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, span.width);
    const int exact = exact_steps(span.width);
    __m512i sum[2][TMAC_MAX_PANEL];

    sum[0][0] = sum[1][0] = _mm512_setzero_si512();
    for (int begin = 0; begin < span.steps; begin += exact) {
        const int end = begin + exact < span.steps ? begin + exact : span.steps;
        __m512i word[2][TMAC_MAX_PANEL];

        sums_zero(word, 1);
        for (int step = begin; step < end; step++) {
            const uint8_t *cell = span.codes + (size_t)step * cell_bytes;
            const uint8_t *x = span.tables + (size_t)step * TMAC_STEP_K;
            const struct sources sources0 = direct_sources(cell, span.width, 0);
            const struct sources sources1 = direct_sources(cell, span.width, 1);

            prefetch_ahead(cell, cell_bytes);
            UNROLL
            for (int g = span.group; g < span.group_end; g++) {
                const __m512i x4 = broadcast_4_bytes(x + 4 * g);
                word[0][0] = words_add(word[0][0], direct_codes(sources0, span.width, g), x4);
                word[1][0] = words_add(word[1][0], direct_codes(sources1, span.width, g), x4);
            }
        }
        words_widen(sum, word, 1, begin == 0);
    }
    to[0] = sum[0][0];
    to[1] = sum[1][0];
}

INLINE void panel_step(__m512i word[2][TMAC_MAX_PANEL], const struct span span, const uint8_t *cell,
                       const uint8_t *x, const int batch, const int panel)
{
    const size_t group_bytes = 4 * (size_t)panel;
    struct unpacked unpacked;

    x += (size_t)span.group * group_bytes;
    direct_unpack(&unpacked, cell, span.width, span.group, span.group_end);
    for (int g = span.group; g < span.group_end; g++, x += group_bytes) {
        const __m512i codes0 = load_bytes(unpacked.codes[g][0]);
        const __m512i codes1 = load_bytes(unpacked.codes[g][1]);
        UNROLL
        for (int n = 0; n < batch; n++) {
            const __m512i x4 = broadcast_4_bytes(x + 4 * n);
            word[0][n] = words_add(word[0][n], codes0, x4);
            word[1][n] = words_add(word[1][n], codes1, x4);
        }
    }
}

/* At most 4 inputs at a time: 2 x 4 sums of 16 and of 32 bits are half of the registers. */
INLINE void panel_sums(struct panel_sum *to, const struct span span, const int batch,
                       const int panel)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, span.width);
    const int exact = exact_steps(span.width);
    __m512i sum[2][TMAC_MAX_PANEL];

    sums_zero(sum, batch);
    for (int begin = 0; begin < span.steps; begin += exact) {
        const int end = begin + exact < span.steps ? begin + exact : span.steps;
        __m512i word[2][TMAC_MAX_PANEL];

        sums_zero(word, batch);
        for (int step = begin; step < end; step++)
            panel_step(word, span, span.codes + (size_t)step * cell_bytes,
                       span.tables + (size_t)step * TMAC_STEP_K * (size_t)panel, batch, panel);
        words_widen(sum, word, batch, false);
    }
    panel_sum_store(to, sum, batch);
}

static void panel_2(const struct tmac_tile *tile)
{
    panel(tile, panel_sums, TMAC_LAYOUT_DIRECT, 0, 2, 2);
}

static void panel_4(const struct tmac_tile *tile)
{
    panel(tile, panel_sums, TMAC_LAYOUT_DIRECT, 0, 4, 4);
}

static void panel_8(const struct tmac_tile *tile)
{
    for (int input = 0; input < 8; input += 4)
        panel(tile, panel_sums, TMAC_LAYOUT_DIRECT, input, 4, 8);
}

INLINE void multiply(const struct tmac_tile *tile, const tmac_width width)
{
    if (tile->batch == 1)
        gemv(tile, gemv_sums, TMAC_LAYOUT_DIRECT, width);
    else
        (tile->batch == 2 ? panel_2 : tile->batch == 4 ? panel_4 : panel_8)(tile);
}

KERNEL(direct_w1, TMAC_WIDTH_1)
KERNEL(direct_w2, TMAC_WIDTH_2)
KERNEL(direct_w3, TMAC_WIDTH_3)
KERNEL(direct_w4, TMAC_WIDTH_4)

/* Ternary codes are stored and multiplied as 2 bits. */
void avx512_direct(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_1:
        direct_w1(tile);
        break;
    case TMAC_WIDTH_3:
        direct_w3(tile);
        break;
    case TMAC_WIDTH_4:
        direct_w4(tile);
        break;
    default:
        direct_w2(tile);
    }
}
