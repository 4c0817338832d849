/* SPDX-License-Identifier: MIT
 * Layout NESTED on AVX2. vpmaddubsw leaves the sum of 16 activations in the two words of a row's lane,
 * at most 4 * 2 * 128 * 15 = 15360 each; vpmaddwd adds the two as it multiplies both by the group's
 * sub-scale. A pair of groups has its sub-scales in the two words of a lane: group a low, b high. */
#include "direct_codes.h"

enum { EIGHTHS = 4, STEP_CODES = GROUPS * ROWS * 4 };

/* Where a block is read. Codes are cells, or with several columns unpacked, one per byte:
 * [step][group of 4 activations][eighth][32 bytes]. */
struct nested_at {
    const uint8_t *codes, *x, *own;
    const int16_t *group_sum;
    int panel;
};

struct nested_sums {
    __m256i code[EIGHTHS]; /* of sub-scale * codes * x8 */
    __m256i sum[EIGHTHS];  /* of sub-minimum (or where weights have a zero sub-scale) * sum of x8 */
};

/* Both words of each lane, from the low or the high one. */
AVX2_TEMPLATE __m256i both_words(__m256i words, const int which)
{
    const __m256i first = _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, 0, 1,
                                           0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
    const __m256i second = _mm256_add_epi8(first, _mm256_set1_epi8(2));

    return _mm256_shuffle_epi8(words, which ? second : first);
}

/* Codes of 16 activations (half a step) times their activations. */
AVX2_TEMPLATE __m256i half_step(const uint8_t *codes, const uint8_t *x, const int half,
                                const int eighth, const int stride, const int width,
                                const bool unpacked)
{
    __m256i sum = _mm256_setzero_si256();

    AVX2_UNROLL
    for (int z = 0; z < 4; z++) {
        const int g = 4 * half + z;
        const __m256i bytes = unpacked ? avx2_load(codes + (g * EIGHTHS + eighth) * 32)
                                       : code(codes, g, eighth, width);
        int32_t four;

        memcpy(&four, x + g * stride, sizeof four);
        sum =
            avx2_here(_mm256_add_epi16(sum, _mm256_maddubs_epi16(bytes, _mm256_set1_epi32(four))));
    }
    return sum;
}

/* The two groups, or the two halves of one group, of a step, scaled by the words of `sub`. */
AVX2_TEMPLATE __m256i add_step(__m256i p, const struct nested_at *at, const int eighth, __m256i sub,
                               const int width, const bool unpacked)
{
    const int stride = 4 * at->panel;

    AVX2_UNROLL
    for (int half = 0; half < 2; half++) {
        const __m256i sum = half_step(at->codes, at->x, half, eighth, stride, width, unpacked);
        p = _mm256_add_epi32(p, _mm256_madd_epi16(sum, both_words(sub, half)));
    }
    return p;
}

/* Sub-scales of 8 rows, and what the sums of activations are multiplied by. */
AVX2_TEMPLATE __m256i load_subs(const struct tmac_tile *tile, const uint8_t *own, const int eighth,
                                __m256i *other)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(own + 16 * eighth));
    __m256i sub = _mm256_cvtepi8_epi16(bytes);

    *other = sub;
    if (tile->nested.sub == TMAC_SUB_KIND_U4) {
        const __m256i both = _mm256_cvtepu8_epi16(bytes);
        sub = _mm256_and_si256(both, _mm256_set1_epi16(15));
        *other = tile->minimum ? _mm256_srli_epi16(both, 4) : sub;
    } else if (tile->minimum) {
        *other = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(own + 64 + 16 * eighth)));
    }
    return sub;
}

/* One pair of groups: one step, or two of them. */
AVX2_TEMPLATE void add_pair(const struct tmac_tile *tile, struct nested_at *at,
                            struct nested_sums *sums, const size_t step_bytes, const int width,
                            const bool unpacked)
{
    const bool wide = tile->nested.group_k == 32;
    const struct nested_at next = {at->codes + step_bytes, at->x + TMAC_STEP_K * at->panel, NULL,
                                   NULL, at->panel};
    int32_t pair;

    memcpy(&pair, at->group_sum, sizeof pair);
    AVX2_UNROLL
    for (int e = 0; e < EIGHTHS; e++) {
        __m256i other, sub = load_subs(tile, at->own, e, &other);

        sums->sum[e] =
            _mm256_add_epi32(sums->sum[e], _mm256_madd_epi16(other, _mm256_set1_epi32(pair)));
        if (wide) {
            const __m256i second = both_words(sub, 1);
            sums->code[e] = add_step(sums->code[e], &next, e, second, width, unpacked);
            sub = both_words(sub, 0);
        }
        sums->code[e] = add_step(sums->code[e], at, e, sub, width, unpacked);
    }
    at->codes += step_bytes << wide;
    at->x += (TMAC_STEP_K * at->panel) << wide;
    at->own += tile->nested.sub == TMAC_SUB_KIND_I8 && tile->minimum ? 128 : 64;
    at->group_sum += 2 * at->panel;
}

/* The float stage of a block, see struct tmac_tile; `super` is the super-group's place. */
AVX2_TEMPLATE void add_floats(const struct tmac_tile *tile, const struct nested_sums *sums,
                              size_t super, float act, float *y)
{
    const uint8_t *scale = (const uint8_t *)tile->scale + super;
    const uint8_t *minimum = tile->minimum ? (const uint8_t *)tile->minimum + super : NULL;
    const __m256i zero = _mm256_set1_epi32((int32_t)tile->offset);
    const __m256 act_scale = _mm256_set1_ps(act);

    AVX2_UNROLL
    for (int e = 0; e < EIGHTHS; e++) {
        __m256 acc = _mm256_loadu_ps(y + 8 * e), term;
        __m256i p = sums->code[e];

        if (!minimum)
            p = _mm256_add_epi32(p, _mm256_mullo_epi32(sums->sum[e], zero));
        term = _mm256_mul_ps(act_scale, _mm256_cvtepi32_ps(p));
        acc = _mm256_fmadd_ps(avx2_scales(scale, 8 * e, true), term, acc);
        if (minimum) {
            term = _mm256_mul_ps(act_scale, _mm256_cvtepi32_ps(sums->sum[e]));
            acc = _mm256_fmadd_ps(avx2_scales(minimum, 8 * e, true), term, acc);
        }
        _mm256_storeu_ps(y + 8 * e, acc);
    }
}

/* One column of a block, from `at`, which is left at the next block. */
AVX2_TEMPLATE void add_block(const struct tmac_tile *tile, struct nested_at *at, int block,
                             int column, const size_t step_bytes, const int width,
                             const bool unpacked)
{
    const int pairs = tile->block_k / tile->nested.group_k / 2;
    const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    struct nested_sums sums;

    for (int e = 0; e < EIGHTHS; e++)
        sums.code[e] = sums.sum[e] = _mm256_setzero_si256();
    if (block % (1 << tile->block_shift) == 0)
        at->own = tile->nested.own + super;
    for (int pair = 0; pair < pairs; pair++) {
        if (!unpacked) {
            avx2_prefetch(at->codes, step_bytes * (tile->nested.group_k == 32 ? 2 : 1));
            _mm_prefetch((const char *)at->own + AVX2_AHEAD_SCALES, _MM_HINT_T0);
        }
        add_pair(tile, at, &sums, step_bytes, width, unpacked);
    }
    add_floats(tile, &sums, super, tile->act_scale[block * tile->columns + column],
               tile->y + (size_t)column * tile->y_stride);
}

AVX2_TEMPLATE void unpack_steps(const uint8_t *cell, int steps, const int width, uint8_t *codes)
{
    for (int s = 0; s < steps; s++, cell += cell_bytes(width), codes += STEP_CODES) {
        AVX2_UNROLL
        for (int g = 0; g < GROUPS; g++)
            for (int e = 0; e < EIGHTHS; e++)
                avx2_store(codes + (g * EIGHTHS + e) * 32, code(cell, g, e, width));
    }
}

/* Several columns: the codes of a block are unpacked once for all. */
AVX2_TEMPLATE void nested_gemm(const struct tmac_tile *tile, const int width)
{
    _Alignas(32) uint8_t codes[TMAC_MAX_BLOCK_K / TMAC_STEP_K * STEP_CODES];
    const int block_steps = tile->block_k / TMAC_STEP_K;
    const int blocks = tile->steps / block_steps;
    const uint8_t *cell = tile->codes;
    struct nested_at at = {codes, tile->tables, tile->nested.own, tile->nested.group_sum,
                           tile->columns};

    for (int block = 0; block < blocks; block++) {
        struct nested_at next = at;

        unpack_steps(cell, block_steps, width, codes);
        cell += (size_t)block_steps * cell_bytes(width);
        for (int n = 0; n < tile->columns; n++) {
            next = at;
            next.x += 4 * n;
            next.group_sum += 2 * n;
            add_block(tile, &next, block, n, STEP_CODES, TMAC_W4, true);
        }
        at.own = next.own;
        at.x += TMAC_STEP_K * block_steps * tile->columns;
        at.group_sum += tile->block_k / tile->nested.group_k * tile->columns;
    }
}

AVX2_TEMPLATE void nested(const struct tmac_tile *tile, const int width)
{
    const int blocks = tile->steps * TMAC_STEP_K / tile->block_k;
    struct nested_at at = {tile->codes, tile->tables, tile->nested.own, tile->nested.group_sum, 1};

    for (int n = 0; n < tile->columns && !tile->accumulate; n++)
        memset(tile->y + (size_t)n * tile->y_stride, 0, ROWS * sizeof(float));
    if (tile->columns > 1) {
        nested_gemm(tile, width);
        return;
    }
    for (int block = 0; block < blocks; block++)
        add_block(tile, &at, block, 0, cell_bytes(width), width, false);
}

void avx2_nested_w2(const struct tmac_tile *tile)
{
    nested(tile, TMAC_W2);
}

void avx2_nested_w3(const struct tmac_tile *tile)
{
    nested(tile, TMAC_W3);
}

void avx2_nested_w4(const struct tmac_tile *tile)
{
    nested(tile, TMAC_W4);
}
