/* SPDX-License-Identifier: MIT
 * Layout NESTED with VNNI: vpdpbusd adds the codes of 16 activations in a row's 32-bit lane; two such
 * sums become a pair of words, which vpdpwssd multiplies by its sub-scales. */
#include "nested.h"
#include "vnni.h"

/* The second sums, times 2^up, go above the first. */
INLINE __m512i pair(__m512i first, __m512i second, const int up)
{
    return _mm512_mask_blend_epi16(0xaaaaaaaa, first, _mm512_slli_epi32(second, up));
}

INLINE __m512i masked(__m512i codes, const int mask)
{
    return _mm512_and_si512(codes, _mm512_set1_epi8((char)mask));
}

/* 2 bits: fields 0 and 1 of both vectors are masked in place, the upper ones after a shift, and so
 * every second sum is 4 times too great. */
INLINE __m512i fields_w2(const struct sources sources, const uint8_t *x)
{
    __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512();

    low = dot(low, masked(sources.v[0], 3), broadcast_4_bytes(x));
    low = dot(low, masked(sources.v[1], 3), broadcast_4_bytes(x + 4));
    high = dot(high, masked(sources.v[0], 12), broadcast_4_bytes(x + 8));
    high = dot(high, masked(sources.v[1], 12), broadcast_4_bytes(x + 12));
    return _mm512_add_epi32(low, _mm512_srai_epi32(high, 2));
}

INLINE __m512i gemv_pair_w2(const struct sources sources, const uint8_t *x)
{
    const __m512i up0 = _mm512_srli_epi16(sources.v[0], 4);
    const __m512i up1 = _mm512_srli_epi16(sources.v[1], 4);
    const struct sources upper = {{up0, up1, up0, up1}};

    return pair(fields_w2(sources, x), fields_w2(upper, x + 16), 16);
}

/* 3 and 4 bits: the low half-bytes, and the high ones in place, 16 times too great. */
INLINE __m512i gemv_pair_w4(const struct sources sources, const uint8_t *x, const int mask)
{
    __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512();

    UNROLL
    for (int z = 0; z < 4; z++) {
        low = dot(low, masked(sources.v[z], mask), broadcast_4_bytes(x + 4 * z));
        high = dot(high, masked(sources.v[z], mask << 4), broadcast_4_bytes(x + 16 + 4 * z));
    }
    return pair(low, high, 12);
}

INLINE void gemv_step(__m512i p[2][NESTED_BATCH], const struct nested_step *step,
                      const tmac_width width, const int batch, const int panel)
{
    (void)batch;
    (void)panel;
    prefetch_ahead(step->codes, tmac_cell_bytes(TMAC_LAYOUT_NESTED, width));
    UNROLL
    for (int h = 0; h < 2; h++) {
        const struct sources sources = direct_sources(step->codes, width, h);
        const __m512i words = width == TMAC_WIDTH_2
                                  ? gemv_pair_w2(sources, step->x)
                                  : gemv_pair_w4(sources, step->x, width == TMAC_WIDTH_3 ? 7 : 15);
        p[h][0] = dot_words(p[h][0], words, step->sub[h]);
    }
}

INLINE void panel_step(__m512i p[2][NESTED_BATCH], const struct nested_step *step,
                       const tmac_width width, const int batch, const int panel)
{
    const struct unpacked *unpacked = (const struct unpacked *)(const void *)step->codes;
    __m512i low[2][NESTED_BATCH], high[2][NESTED_BATCH];

    (void)width;
    UNROLL
    for (int n = 0; n < batch; n++)
        low[0][n] = low[1][n] = high[0][n] = high[1][n] = _mm512_setzero_si512();
    for (int z = 0; z < 4; z++) {
        const uint8_t *x = step->x + 4 * z * panel;
        UNROLL
        for (int n = 0; n < batch; n++) {
            const __m512i first = broadcast_4_bytes(x + 4 * n);
            const __m512i second = broadcast_4_bytes(x + 16 * panel + 4 * n);
            UNROLL
            for (int h = 0; h < 2; h++) {
                low[h][n] = dot(low[h][n], load_bytes(unpacked->codes[z][h]), first);
                high[h][n] = dot(high[h][n], load_bytes(unpacked->codes[z + 4][h]), second);
            }
        }
    }
    UNROLL
    for (int n = 0; n < batch; n++) {
        UNROLL
        for (int h = 0; h < 2; h++)
            p[h][n] = dot_words(p[h][n], pair(low[h][n], high[h][n], 16), step->sub[h]);
    }
}

INLINE void multiply(const struct tmac_tile *tile, const tmac_width width)
{
    if (tile->batch == 1)
        nested_gemv(tile, gemv_step, dot_words, width);
    else
        nested_panels(tile, panel_step, dot_words);
}

KERNEL(nested_w2, TMAC_WIDTH_2)
KERNEL(nested_w3, TMAC_WIDTH_3)
KERNEL(nested_w4, TMAC_WIDTH_4)

/* Ternary codes are stored and multiplied as 2 bits. */
void avx512_nested_vnni(const struct tmac_tile *tile)
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
