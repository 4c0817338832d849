/* SPDX-License-Identifier: MIT
 * Layout NESTED with VNNI, many columns: 2-bit codes under sub-scales of 4 bits stay bytes when they are
 * multiplied by them (3 * 15 = 45). That is done once for all columns; what is left per column is one
 * sum per block, as if there were one level of scales. */
#include "nested.h"
#include "vnni.h"

INLINE __m512i add_pairs(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_dpwssd_epi32(sum, a, b);
}

/* Products 0, s, 2s, 3s of 16 rows: a table of 4 bytes for each, of 4 rows in each 128-bit lane. */
INLINE __m512i product_tables(__m512i sub)
{
    return _mm512_mullo_epi32(sub, _mm512_set1_epi32(0x03020100));
}

/* Groups of 4 activations [begin, begin + 4) of a step, whose rows have these tables. */
INLINE void scale_codes(struct unpacked *codes, const int begin, const __m512i tables[2])
{
    const __m512i row = _mm512_set4_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0);

    UNROLL
    for (int g = begin; g < begin + 4; g++) {
        UNROLL
        for (int h = 0; h < 2; h++) {
            const __m512i index = _mm512_or_si512(_mm512_load_si512(codes->codes[g][h]), row);
            _mm512_store_si512(codes->codes[g][h], _mm512_shuffle_epi8(tables[h], index));
        }
    }
}

/* A pair of groups: one step, or two of them. */
static void scale_pair(struct unpacked *codes, bool wide, const struct nested_words *words)
{
    __m512i first[2], second[2];

    UNROLL
    for (int h = 0; h < 2; h++) {
        first[h] = product_tables(_mm512_and_si512(words->sub[h], _mm512_set1_epi32(0xffff)));
        second[h] = product_tables(_mm512_srli_epi32(words->sub[h], 16));
    }
    scale_codes(codes, 0, first);
    scale_codes(codes, 4, wide ? first : second);
    if (wide) {
        scale_codes(codes + 1, 0, second);
        scale_codes(codes + 1, 4, second);
    }
}

/* Where the own bytes of a block are. */
static const uint8_t *block_own(const struct tmac_tile *tile, int block)
{
    const int super = block >> tile->block_shift;
    const int in_super = block - (super << tile->block_shift);
    const int pairs = tile->block_k / tile->nested.group_k / 2;

    return tile->nested.own + (size_t)super * tile->scale_stride + (size_t)(in_super * pairs) * 64;
}

static void unpack_scaled(const struct tmac_tile *tile, int step, int steps, struct unpacked *codes)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_NESTED, TMAC_W2);
    const bool wide = tile->nested.group_k == 32;
    const int block_steps = tile->block_k / TMAC_STEP_K;

    direct_unpack_steps(codes, tile->codes + (size_t)step * cell_bytes, TMAC_W2, steps);
    for (int s = 0; s < steps; s += block_steps) {
        const uint8_t *own = block_own(tile, (step + s) / block_steps);
        for (int i = 0; i < block_steps; i += 1 + wide) {
            const struct nested_words words = nested_words(tile, &own);
            scale_pair(codes + s + i, wide, &words);
        }
    }
}

/* What the sums of activations are multiplied by, summed over a block. */
INLINE void group_sums(__m512i sum[2][TMAC_MAX_PANEL], const struct tmac_tile *tile, int block,
                       const int16_t *at)
{
    const uint8_t *own = block_own(tile, block);

    UNROLL
    for (int n = 0; n < TMAC_MAX_PANEL; n++)
        sum[0][n] = sum[1][n] = _mm512_setzero_si512();
    for (int k = 0; k < tile->block_k; k += 2 * tile->nested.group_k, at += 2 * TMAC_MAX_PANEL) {
        const struct nested_words words = nested_words(tile, &own);
        UNROLL
        for (int n = 0; n < TMAC_MAX_PANEL; n++) {
            const __m512i pair = broadcast_4_bytes((const uint8_t *)(at + 2 * n));
            sum[0][n] = add_pairs(sum[0][n], words.other[0], pair);
            sum[1][n] = add_pairs(sum[1][n], words.other[1], pair);
        }
    }
}

/* y += scale * (act_scale * sum), or y = where nothing is to be added to. */
INLINE void add_floats(const struct tmac_tile *tile, const uint8_t *scale, const float *act_scale,
                       __m512i sum[2][TMAC_MAX_PANEL], bool accumulate, float *y)
{
    const __m512 scales[2] = {load_scales(scale, 0, true), load_scales(scale, 16, true)};

    UNROLL
    for (int n = 0; n < TMAC_MAX_PANEL; n++, y += tile->y_stride) {
        const __m512 act = _mm512_set1_ps(act_scale[n]);
        UNROLL
        for (int h = 0; h < 2; h++) {
            const __m512 acc = accumulate ? _mm512_loadu_ps(y + 16 * h) : _mm512_setzero_ps();
            const __m512 term = _mm512_mul_ps(act, _mm512_cvtepi32_ps(sum[h][n]));
            _mm512_storeu_ps(y + 16 * h, _mm512_fmadd_ps(scales[h], term, acc));
        }
    }
}

/* One panel of 8 columns, one block whose codes are `codes`. */
INLINE void scaled_block(const struct tmac_tile *tile, const struct unpacked *codes, int block,
                         size_t panel, float *y)
{
    const int steps = tile->block_k / TMAC_STEP_K;
    const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    const uint8_t *x = tile->tables + panel + (size_t)(block * tile->block_k) * TMAC_MAX_PANEL;
    const float *act_scale =
        (const float *)(const void *)((const uint8_t *)tile->act_scale + panel) +
        block * TMAC_MAX_PANEL;
    const int16_t *sums =
        (const int16_t *)(const void *)((const uint8_t *)tile->nested.group_sum + panel) +
        block * (tile->block_k / tile->nested.group_k) * TMAC_MAX_PANEL;
    __m512i sum[2][TMAC_MAX_PANEL];

    UNROLL
    for (int n = 0; n < TMAC_MAX_PANEL; n++)
        sum[0][n] = sum[1][n] = _mm512_setzero_si512();
    for (int s = 0; s < steps; s++)
        dot_step(sum, codes + s, x + (size_t)(s * TMAC_STEP_K * TMAC_MAX_PANEL), 0, 8,
                 TMAC_MAX_PANEL);
    add_floats(tile, (const uint8_t *)tile->scale + super, act_scale, sum,
               tile->accumulate || block, y);
    group_sums(sum, tile, block, sums);
    add_floats(tile, (const uint8_t *)tile->minimum + super, act_scale, sum, true, y);
}

void avx512_nested_scaled_vnni(const struct tmac_tile *tile)
{
    const int block_steps = tile->block_k / TMAC_STEP_K;
    struct unpacked codes[UNPACKED_STEPS];

    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const int left = tile->steps - step;
        const int steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;

        unpack_scaled(tile, step, steps, codes);
        for (int p = 0; p < tile->panels; p++) {
            float *y = tile->y + (size_t)(p * TMAC_MAX_PANEL) * tile->y_stride;
            for (int s = 0; s < steps; s += block_steps)
                scaled_block(tile, codes + s, (step + s) / block_steps,
                             (size_t)p * tile->panel_stride, y);
        }
    }
}
