/* SPDX-License-Identifier: MIT
 * Layout NESTED without VNNI: vpmaddubsw leaves the sum of 16 activations in the two words of a lane,
 * at most 4 * 2 * 128 * 15 = 15360 each; vpmaddwd adds the two as it multiplies both by the group's
 * sub-scale. */
#include "nested.h"

INLINE __m512i multiply_words(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}

INLINE __m512i dot4(const __m512i codes[4], const uint8_t *x, const int stride)
{
    __m512i sum = _mm512_maddubs_epi16(codes[0], broadcast_4_bytes(x));

    UNROLL
    for (int z = 1; z < 4; z++)
        sum = _mm512_add_epi16(sum,
                               _mm512_maddubs_epi16(codes[z], broadcast_4_bytes(x + z * stride)));
    return sum;
}

/* The groups of a step are its halves: codes 0..3 and 4..7. */
INLINE void gemv_step(__m512i p[2][NESTED_BATCH], const struct nested_step *step,
                      const tmac_width width, const int batch, const int panel)
{
    (void)batch;
    (void)panel;
    prefetch_ahead(step->codes, tmac_cell_bytes(TMAC_LAYOUT_NESTED, width));
    UNROLL
    for (int h = 0; h < 2; h++) {
        const struct sources sources = direct_sources(step->codes, width, h);

        UNROLL
        for (int half = 0; half < 2; half++) {
            __m512i codes[4];
            UNROLL
            for (int z = 0; z < 4; z++)
                codes[z] = direct_codes(sources, width, 4 * half + z);
            p[h][0] = multiply_words(p[h][0], dot4(codes, step->x + 16 * half, 4),
                                     nested_both(step->sub[h], half));
        }
    }
}

INLINE void panel_step(__m512i p[2][NESTED_BATCH], const struct nested_step *step,
                       const tmac_width width, const int batch, const int panel)
{
    const struct unpacked *unpacked = (const struct unpacked *)(const void *)step->codes;

    (void)width;
    for (int half = 0; half < 2; half++) {
        const uint8_t *x = step->x + 16 * panel * half;

        UNROLL
        for (int h = 0; h < 2; h++) {
            const __m512i sub = nested_both(step->sub[h], half);
            __m512i codes[4];
            UNROLL
            for (int z = 0; z < 4; z++)
                codes[z] = load_bytes(unpacked->codes[4 * half + z][h]);
            UNROLL
            for (int n = 0; n < batch; n++)
                p[h][n] = multiply_words(p[h][n], dot4(codes, x + 4 * n, 4 * panel), sub);
        }
    }
}

INLINE void multiply(const struct tmac_tile *tile, const tmac_width width)
{
    if (tile->batch == 1)
        nested_gemv(tile, gemv_step, multiply_words, width);
    else
        nested_panels(tile, panel_step, multiply_words);
}

KERNEL(nested_w2, TMAC_WIDTH_2)
KERNEL(nested_w3, TMAC_WIDTH_3)
KERNEL(nested_w4, TMAC_WIDTH_4)

/* Ternary codes are stored and multiplied as 2 bits. */
void avx512_nested(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_3:
        nested_w3(tile);
        break;
    case TMAC_WIDTH_4:
        nested_w4(tile);
        break;
    default:
        nested_w2(tile);
    }
}
