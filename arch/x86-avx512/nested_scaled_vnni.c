/* SPDX-License-Identifier: MIT
 * Layout NESTED with VNNI, many inputs: codes that stay bytes when they are multiplied by their
 * sub-scales. That is done once for all inputs; what is left per input is one sum per block, as if
 * there were one level of scales.
 *     2 bits, U4 sub-scales (Q2_K)             q * sub = 0 .. 3 * 15 = 45
 *     3 bits, zero 4, sub-scales -32..31 (Q3_K)  (q - 4) * sub = -4 * 31 .. -4 * -32 = -124 .. 128;
 *         BIAS = 124 makes it a byte without a sign, and leaves again with the sum of activations */
#include "nested.h"
#include "vnni.h"

enum { BIAS = 124, ZERO_W3 = 4, SUB_BITS = 6 };

/* What 16 rows of a group multiply their codes with: a table of 4 bytes for each, of 4 rows in each
 * 128-bit lane; and what bit 2 of a code adds. */
struct products {
    __m512i table, upper;
};

/* `sub` is a byte in the lowest byte of each lane, others are ignored. */
INLINE struct products products_of(__m512i sub, const tmac_width width)
{
    const __m512i byte = _mm512_set1_epi32(0xff), all = _mm512_set1_epi32(0x01010101);
    const __m512i one = _mm512_mullo_epi32(_mm512_and_si512(sub, byte), all);
    const __m512i two = _mm512_add_epi8(one, one), four = _mm512_add_epi8(two, two);
    const __m512i odd = _mm512_and_si512(one, _mm512_set1_epi32((int32_t)0xff00ff00));
    const __m512i high = _mm512_and_si512(two, _mm512_set1_epi32((int32_t)0xffff0000));
    struct products products = {_mm512_add_epi8(odd, high), four};

    if (width == TMAC_WIDTH_3)
        products.table =
            _mm512_add_epi8(products.table, _mm512_sub_epi8(_mm512_set1_epi8(BIAS), four));
    return products;
}

INLINE __m512i scaled(__m512i codes, const struct products products, const tmac_width width)
{
    const __m512i row = _mm512_set4_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0);
    const __m512i low = width == TMAC_WIDTH_3 ? _mm512_and_si512(codes, _mm512_set1_epi8(3)) : codes;
    const __m512i product = _mm512_shuffle_epi8(products.table, _mm512_or_si512(low, row));

    if (width != TMAC_WIDTH_3)
        return product;
    return _mm512_mask_add_epi8(product, _mm512_test_epi8_mask(codes, _mm512_set1_epi8(4)), product,
                                products.upper);
}

/* Groups of 4 activations [begin, begin + 4) of a step, which are in one group. */
INLINE void scale_codes(struct unpacked *codes, const int begin, const struct products products[2],
                        const tmac_width width)
{
    UNROLL
    for (int g = begin; g < begin + 4; g++) {
        UNROLL
        for (int h = 0; h < 2; h++)
            _mm512_store_si512(codes->codes[g][h],
                               scaled(_mm512_load_si512(codes->codes[g][h]), products[h], width));
    }
}

/* A pair of groups: one step, or two of them. */
INLINE void scale_pair(struct unpacked *codes, bool wide, const struct nested_words *words,
                       const tmac_width width)
{
    struct products first[2], second[2];

    UNROLL
    for (int h = 0; h < 2; h++) {
        first[h] = products_of(words->sub[h], width);
        second[h] = products_of(_mm512_srli_epi32(words->sub[h], 16), width);
    }
    scale_codes(codes, 0, first, width);
    if (wide) {
        scale_codes(codes, 4, first, width);
        scale_codes(codes + 1, 0, second, width);
        scale_codes(codes + 1, 4, second, width);
    } else {
        scale_codes(codes, 4, second, width);
    }
}

/* A run of steps, whole blocks, ready for all panels. */
struct scaled_run {
    struct unpacked codes[UNPACKED_STEPS];
    __m512i other[UNPACKED_STEPS][2]; /* [pair of groups][half]: what sums of activations are times */
};

INLINE void unpack_scaled(struct scaled_run *run, const struct tmac_tile *tile,
                          const uint8_t *cells, int step, int steps, const tmac_width width)
{
    struct unpacked *codes = run->codes;
    __m512i(*other)[2] = run->other;
    const bool wide = tile->nested.group_k == 32;
    const int block_steps = tile->block_k / TMAC_STEP_K;

    direct_unpack_steps(codes, cells, width, steps);
    for (int s = 0; s < steps; s += block_steps) {
        const uint8_t *own = nested_block_own(tile, (step + s) / block_steps);
        for (int i = 0; i < block_steps; i += 1 + wide) {
            const struct nested_words words = nested_words(tile, &own);
            scale_pair(codes + s + i, wide, &words, width);
            if (width == TMAC_WIDTH_2)
                memcpy(*other++, words.other, sizeof words.other);
        }
    }
}

/* The sums start from what takes the bias away: - BIAS * the sum of the block's activations. */
INLINE void start_biased(__m512i sum[2][TMAC_MAX_PANEL], const struct tmac_tile *tile,
                         const int16_t *at)
{
    __m256i all = _mm256_setzero_si256();
    _Alignas(32) int32_t start[TMAC_MAX_PANEL];

    for (int k = 0; k < tile->block_k; k += 2 * tile->nested.group_k, at += 2 * TMAC_MAX_PANEL)
        all = _mm256_add_epi32(all, _mm256_madd_epi16(_mm256_loadu_si256((const __m256i *)at),
                                                      _mm256_set1_epi16(-BIAS)));
    _mm256_store_si256((__m256i *)start, all);
    UNROLL
    for (int n = 0; n < TMAC_MAX_PANEL; n++)
        sum[0][n] = sum[1][n] = _mm512_set1_epi32(start[n]);
}

/* One panel of 8 inputs, block `i` of the run and `block` of the chunk. */
INLINE void scaled_block(const struct tmac_tile *tile, const struct scaled_run *run, int i,
                         int block, size_t panel, float *y, const tmac_width width)
{
    const int steps = tile->block_k / TMAC_STEP_K;
    const int pairs = tile->block_k / tile->nested.group_k / 2;
    const struct unpacked *codes = run->codes + i * steps;
    const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    const uint8_t *x = tile->tables + panel + (size_t)(block * tile->block_k) * TMAC_MAX_PANEL;
    const float *act_scale =
        (const float *)(const void *)((const uint8_t *)tile->act_scale + panel) +
        block * TMAC_MAX_PANEL;
    const int16_t *sums =
        (const int16_t *)(const void *)((const uint8_t *)tile->nested.group_sum + panel) +
        block * (tile->block_k / tile->nested.group_k) * TMAC_MAX_PANEL;
    __m512i sum[2][TMAC_MAX_PANEL];

    if (width == TMAC_WIDTH_3)
        start_biased(sum, tile, sums);
    else
        sums_zero(sum, TMAC_MAX_PANEL);
    for (int s = 0; s < steps; s++)
        dot_step(sum, codes + s, x + (size_t)(s * TMAC_STEP_K * TMAC_MAX_PANEL), 0, 8,
                 TMAC_MAX_PANEL);
    nested_add_floats(tile, (const uint8_t *)tile->scale + super, act_scale, sum, y);
    if (width == TMAC_WIDTH_3)
        return;
    sums_zero(sum, TMAC_MAX_PANEL);
    for (int pair = 0; pair < pairs; pair++, sums += 2 * TMAC_MAX_PANEL)
        dot_pair(sum, run->other[i * pairs + pair], sums);
    nested_add_floats(tile, (const uint8_t *)tile->minimum + super, act_scale, sum, y);
}

INLINE void scaled_panels(const struct tmac_tile *tile, const tmac_width width)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_NESTED, width);
    const int block_steps = tile->block_k / TMAC_STEP_K;
    struct scaled_run run;

    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const uint8_t *cells = tile->codes + (size_t)step * cell_bytes;
        struct ahead ahead = direct_ahead(cells, width, tile->panels);
        const int left = tile->steps - step;
        const int steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;

        unpack_scaled(&run, tile, cells, step, steps, width);
        for (int p = 0; p < tile->panels; p++) {
            float *y = tile->y + (size_t)(p * TMAC_MAX_PANEL) * tile->y_stride;
            ahead_prefetch_part(&ahead);
            for (int i = 0; i < steps / block_steps; i++)
                scaled_block(tile, &run, i, step / block_steps + i,
                             (size_t)p * tile->panel_stride, y, width);
        }
    }
}

bool avx512_nested_scaled_accepts(const struct tmac_spec *spec)
{
    if (spec->width == TMAC_WIDTH_2)
        return spec->sub_format == TMAC_SUB_U4 && spec->zero_kind == TMAC_ZERO_MINIMUM;
    return spec->sub_format == TMAC_SUB_I8 && spec->sub_bits <= SUB_BITS &&
           tmac_zero_is_constant(spec->zero_kind) && spec->zero == ZERO_W3;
}

void avx512_nested_scaled_vnni(const struct tmac_tile *tile)
{
    if (tile->width == TMAC_WIDTH_2)
        scaled_panels(tile, TMAC_WIDTH_2);
    else
        scaled_panels(tile, TMAC_WIDTH_3);
}
