/* SPDX-License-Identifier: MIT
 * Layout NESTED: the frame around the integer stage. 16-bit lanes hold pairs, so that one vpmaddwd (or
 * vpdpwssd) per 16 rows scales the integers of two groups by their sub-scales and adds them up:
 *
 *     lane of row r:   | I of group b | I of group a |   x   | sub_b[r] | sub_a[r] |
 *
 * An I fits: 16 activations * 15 * 128 = 30720. Groups of 32 are taken as two halves that share their
 * sub-scale. */
#ifndef TMAC_AVX512_NESTED_H
#define TMAC_AVX512_NESTED_H

#include "direct.h"

enum { NESTED_BATCH = 4 /* at once: registers */ };

/* Adds to p[half][input] the integers of one step, first and second 16 activations scaled by the low
 * and the high words of `sub[half]`. `x` is the first of `batch` inputs out of `panel`. */
struct nested_step {
    const uint8_t *codes; /* a cell; for several inputs struct unpacked */
    const uint8_t *x;
    __m512i sub[2];
};
typedef void nested_step_fn(__m512i p[2][NESTED_BATCH], const struct nested_step *step,
                            const tmac_width width, const int batch, const int panel);
/* sum + a.low * b.low + a.high * b.high */
typedef __m512i nested_multiply_fn(__m512i sum, __m512i a, __m512i b);

/* What differs between instruction sets, and what a template knows when it is compiled. */
struct nested_kind {
    nested_step_fn *step;
    nested_multiply_fn *multiply;
    tmac_width width;
    int batch, panel;
    size_t step_bytes; /* of codes: cells, or struct unpacked */
    bool unpack;       /* the step wants cells unpacked: one panel does so in between the
                          multiplications, where the stores cost nothing */
};

/* Where the own bytes of a block are. */
INLINE const uint8_t *nested_block_own(const struct tmac_tile *tile, int block)
{
    const int super = block >> tile->block_shift;
    const int in_super = block - (super << tile->block_shift);
    const int pairs = tile->block_k / tile->nested.group_k / 2;
    const size_t pair = tile->nested.sub == TMAC_SUB_I8 && tile->minimum ? 128 : 64;

    return tile->nested.own + (size_t)super * tile->scale_stride +
           (size_t)(in_super * pairs) * pair;
}

/* y += scale * (act_scale * sum), for 8 inputs; scales are f16. */
INLINE void nested_add_floats(const struct tmac_tile *tile, const uint8_t *scale,
                              const float *act_scale, __m512i sum[2][TMAC_MAX_PANEL], float *y)
{
    const __m512 scales[2] = {avx512_scales(scale, 0, true), avx512_scales(scale, 16, true)};
    const size_t y_stride = tile->y_stride;

    UNROLL
    for (int n = 0; n < TMAC_MAX_PANEL; n++, y += y_stride) {
        const __m512 act = _mm512_set1_ps(act_scale[n]);
        UNROLL
        for (int h = 0; h < 2; h++) {
            const __m512 term = _mm512_mul_ps(act, _mm512_cvtepi32_ps(sum[h][n]));
            _mm512_storeu_ps(y + 16 * h,
                             _mm512_fmadd_ps(scales[h], term, _mm512_loadu_ps(y + 16 * h)));
        }
    }
}

struct nested_at {
    const uint8_t *codes, *x, *own;
    const int16_t *group_sum;
};

/* The words that multiply a pair of groups: sub-scales, and what multiplies the sums of activations:
 * sub-minimums, or where weights have a zero the sub-scales again. */
struct nested_words {
    __m512i sub[2], other[2];
};

INLINE struct nested_words nested_words(const struct tmac_tile *tile, const uint8_t **own)
{
    const bool minimum = tile->minimum != NULL;
    struct nested_words words;

    _mm_prefetch((const char *)*own + AHEAD_SCALES, _MM_HINT_T0);
    UNROLL
    for (int h = 0; h < 2; h++) {
        const __m256i bytes = _mm256_loadu_si256((const __m256i *)(*own + 32 * h));

        if (tile->nested.sub == TMAC_SUB_U4) {
            const __m512i both = _mm512_cvtepu8_epi16(bytes);
            words.sub[h] = _mm512_and_si512(both, _mm512_set1_epi16(15));
            words.other[h] = minimum ? _mm512_srli_epi16(both, 4) : words.sub[h];
        } else {
            words.sub[h] = _mm512_cvtepi8_epi16(bytes);
            words.other[h] = words.sub[h];
            if (minimum)
                words.other[h] =
                    _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(*own + 64 + 32 * h)));
        }
    }
    *own += tile->nested.sub == TMAC_SUB_I8 && minimum ? 128 : 64;
    return words;
}

/* One word of each pair in both places: that of group `which`. */
INLINE __m512i nested_both(__m512i words, const int which)
{
    const __m512i first =
        _mm512_set_epi32(0x0d0c0d0c, 0x09080908, 0x05040504, 0x01000100, 0x0d0c0d0c, 0x09080908,
                         0x05040504, 0x01000100, 0x0d0c0d0c, 0x09080908, 0x05040504, 0x01000100,
                         0x0d0c0d0c, 0x09080908, 0x05040504, 0x01000100);
    const __m512i second = _mm512_add_epi8(first, _mm512_set1_epi8(2));

    return _mm512_shuffle_epi8(words, which ? second : first);
}

INLINE void nested_steps(__m512i p[2][NESTED_BATCH], struct nested_at *at,
                         const struct nested_kind kind, const bool both, __m512i sub[2],
                         const int which)
{
    struct unpacked unpacked;
    struct nested_step step = {
        at->codes,
        at->x,
        {both ? nested_both(sub[0], which) : sub[0], both ? nested_both(sub[1], which) : sub[1]}};

    if (kind.unpack) {
        direct_unpack(&unpacked, at->codes, kind.width, 0, 8);
        step.codes = (const uint8_t *)&unpacked;
    }
    kind.step(p, &step, kind.width, kind.batch, kind.panel);
    at->x += TMAC_STEP_K * kind.panel;
}

/* The integers of a block: p of the codes, s of the sums of activations. */
INLINE void nested_block(const struct tmac_tile *tile, const struct nested_kind kind,
                         struct nested_at *at, __m512i p[2][NESTED_BATCH],
                         __m512i s[2][NESTED_BATCH])
{
    const bool sums = tile->minimum || tile->offset != 0;
    const bool wide = tile->nested.group_k == 32;
    const int pairs = tile->block_k / tile->nested.group_k / 2;

    UNROLL
    for (int n = 0; n < kind.batch; n++)
        p[0][n] = p[1][n] = s[0][n] = s[1][n] = _mm512_setzero_si512();
    for (int pair = 0; pair < pairs; pair++, at->group_sum += 2 * kind.panel) {
        struct nested_words words = nested_words(tile, &at->own);

        UNROLL
        for (int n = 0; n < kind.batch; n++) {
            if (!sums)
                break;
            const __m512i sum = broadcast_4_bytes((const uint8_t *)(at->group_sum + 2 * n));
            s[0][n] = kind.multiply(s[0][n], words.other[0], sum);
            s[1][n] = kind.multiply(s[1][n], words.other[1], sum);
        }
        for (int which = 0; which <= wide; which++, at->codes += kind.step_bytes)
            nested_steps(p, at, kind, wide, words.sub, which);
    }
}

/* The float stage of 16 rows; see struct tmac_tile. */
INLINE __m512 nested_floats(const struct tmac_tile *tile, __m512 scale, __m512 minimum, float act,
                            __m512i p, __m512i s, __m512 acc)
{
    const __m512 act_scale = _mm512_set1_ps(act);

    if (!tile->minimum)
        p = _mm512_add_epi32(p, _mm512_mullo_epi32(s, _mm512_set1_epi32((int32_t)tile->offset)));
    acc = _mm512_fmadd_ps(scale, _mm512_mul_ps(act_scale, _mm512_cvtepi32_ps(p)), acc);
    if (tile->minimum)
        acc = _mm512_fmadd_ps(minimum, _mm512_mul_ps(act_scale, _mm512_cvtepi32_ps(s)), acc);
    return acc;
}

/* Blocks [block, end) of the chunk, for `kind.inputs` inputs from `input` of panel `p`. */
INLINE void nested_blocks(const struct tmac_tile *tile, const struct nested_kind kind,
                          struct nested_at at, int block, int end, int p, int input)
{
    const float *act_scale = (const float *)(const void *)((const uint8_t *)tile->act_scale +
                                                           (size_t)p * tile->panel_stride);
    float *y = tile->y + (size_t)(p * TMAC_MAX_PANEL + input) * tile->y_stride;

    for (; block < end; block++) {
        const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
        const uint8_t *scale = (const uint8_t *)tile->scale + super;
        const uint8_t *minimum = tile->minimum ? (const uint8_t *)tile->minimum + super : scale;
        const bool accumulate = tile->accumulate || block;
        __m512i codes[2][NESTED_BATCH], sums[2][NESTED_BATCH];

        if ((block & ((1 << tile->block_shift) - 1)) == 0)
            at.own = tile->nested.own + super;
        nested_block(tile, kind, &at, codes, sums);
        UNROLL
        for (int n = 0; n < kind.batch; n++) {
            const float act = act_scale[block * kind.panel + input + n];
            UNROLL
            for (int h = 0; h < 2; h++) {
                float *to = y + (size_t)n * tile->y_stride + 16 * h;
                const __m512 acc = accumulate ? _mm512_loadu_ps(to) : _mm512_setzero_ps();
                _mm512_storeu_ps(to, nested_floats(tile, avx512_scales(scale, 16 * h, true),
                                                   avx512_scales(minimum, 16 * h, true), act,
                                                   codes[h][n], sums[h][n], acc));
            }
        }
    }
}

INLINE void nested_gemv(const struct tmac_tile *tile, nested_step_fn *step,
                        nested_multiply_fn *multiply, const tmac_width width)
{
    const struct nested_kind kind = {
        step, multiply, width, 1, 1, tmac_cell_bytes(TMAC_LAYOUT_NESTED, width), false};
    const struct nested_at at = {tile->codes, tile->tables, tile->nested.own,
                                 tile->nested.group_sum};

    nested_blocks(tile, kind, at, 0, tile->steps * TMAC_STEP_K / tile->block_k, 0, 0);
}

/* Panel `p`, a run of `steps` steps from `step`, a multiple of 8, whose codes are at `codes`. */
INLINE void nested_panel(const struct tmac_tile *tile, const uint8_t *codes, int step, int steps,
                         int p, const struct nested_kind kind)
{
    const int block = step * TMAC_STEP_K / tile->block_k;
    const int end = (step + steps) * TMAC_STEP_K / tile->block_k;
    const int groups = step * TMAC_STEP_K / tile->nested.group_k;
    const size_t panel = (size_t)p * tile->panel_stride;
    const uint8_t *x = tile->tables + panel + (size_t)(step * TMAC_STEP_K * kind.panel);
    const int16_t *group_sum =
        (const int16_t *)(const void *)((const uint8_t *)tile->nested.group_sum + panel) +
        groups * kind.panel;

    for (int input = 0; input < kind.panel; input += kind.batch) {
        const struct nested_at at = {codes, x + 4 * input, NULL, group_sum + 2 * input};
        nested_blocks(tile, kind, at, block, end, p, input);
    }
}

/* Panels of any kind; `kind` has no inputs yet. */
INLINE void nested_panel_any(const struct tmac_tile *tile, const uint8_t *codes, int step,
                             int steps, int p, struct nested_kind kind)
{
    kind.batch = kind.panel = 2;
    if (tile->batch == 2) {
        nested_panel(tile, codes, step, steps, p, kind);
        return;
    }
    kind.batch = kind.panel = 4;
    if (tile->batch == 4) {
        nested_panel(tile, codes, step, steps, p, kind);
        return;
    }
    kind.panel = 8;
    nested_panel(tile, codes, step, steps, p, kind);
}

/* Chunks start at super-groups, and so does every run of 8 steps: 256 is a multiple of all. */
INLINE void nested_panels(const struct tmac_tile *tile, nested_step_fn *step,
                          nested_multiply_fn *multiply)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_NESTED, tile->width);
    struct unpacked codes[UNPACKED_STEPS];

    if (tile->panels == 1) {
        nested_panel_any(tile, tile->codes, 0, tile->steps, 0,
                         (struct nested_kind){step, multiply, tile->width, 0, 0, cell_bytes, true});
        return;
    }
    for (int s = 0; s < tile->steps; s += UNPACKED_STEPS) {
        const int left = tile->steps - s, steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;
        const uint8_t *cells = tile->codes + (size_t)s * cell_bytes;
        struct ahead ahead = direct_ahead(cells, tile->width, tile->panels);

        direct_unpack_steps(codes, cells, tile->width, steps);
        for (int p = 0; p < tile->panels; p++) {
            ahead_prefetch_part(&ahead);
            nested_panel_any(tile, (const uint8_t *)codes, s, steps, p,
                             (struct nested_kind){step, multiply, TMAC_WIDTH_4, 0, 0,
                                                  sizeof(struct unpacked), false});
        }
    }
}

#endif
