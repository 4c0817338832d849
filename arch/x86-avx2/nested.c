/* SPDX-License-Identifier: MIT
 * Layout NESTED on AVX2. vpmaddubsw leaves the sum of 16 activations in the two words of a row's lane,
 * at most 4 * 2 * 128 * 15 = 15360 each; vpmaddwd adds the two as it multiplies both by the group's
 * sub-scale. A pair of groups has its sub-scales in the two words of a lane: group a low, b high. */
#include "direct_codes.h"

enum { EIGHTHS = 4, VECTORS = 2, STEP_CODES = GROUPS * ROWS * 4, MOST = VECTORS * 4 };

/* What a template knows when it is compiled. Codes are cells, or with several columns unpacked, one
 * per byte: [step][group of 4 activations][eighth][32 bytes]. */
struct nested_kind {
    int width;
    int columns; /* VECTORS x columns sums are kept in registers: 1, 2 or 4 */
    bool wide;   /* groups of 32, else 16 */
    bool unpacked;
    enum tmac_sub_kind sub; /* the tile's */
    bool minimum;
};

/* Where a pass over VECTORS x 8 rows of a block reads. */
struct nested_at {
    const uint8_t *codes, *x, *own;
    const int16_t *group_sum;
    int eighth; /* the first vector */
    int panel;  /* all columns */
};

/* [column][vector] */
struct nested_sums {
    __m256i code[MOST]; /* of sub-scale * codes * x8 */
    __m256i sum[MOST];  /* of sub-minimum (or where weights have a zero, sub-scale) * sum of x8 */
};

/* Both words of each lane, from the low or the high one. */
AVX2_TEMPLATE __m256i both_words(__m256i words, const int which)
{
    const __m256i first = _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, 0, 1,
                                           0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
    const __m256i second = _mm256_add_epi8(first, _mm256_set1_epi8(2));

    return _mm256_shuffle_epi8(words, which ? second : first);
}

AVX2_TEMPLATE void clear(__m256i *vectors, const int count)
{
    AVX2_UNROLL
    for (int i = 0; i < count; i++)
        vectors[i] = _mm256_setzero_si256();
}

AVX2_TEMPLATE __m256i codes_at(const struct nested_at *at, const struct nested_kind kind,
                               const int g, const int v)
{
    if (kind.unpacked)
        return avx2_load(at->codes + (g * EIGHTHS + at->eighth + v) * 32);
    return code(at->codes, g, at->eighth + v, kind.width);
}

/* The same for cells of 2 bits and one column: the two fields of a half-byte are masked in place, and
 * the sum of the upper ones is 4 times too great. */
AVX2_TEMPLATE __m256i half_step_w2(const struct nested_at *at, const int half, const int v)
{
    const __m256i low = _mm256_set1_epi8(3), high = _mm256_set1_epi8(12);
    const uint8_t *x = at->x + 16 * half;
    __m256i sum[2];

    AVX2_UNROLL
    for (int z = 0; z < 2; z++) {
        const __m256i bytes = cell_vector(at->codes, z, at->eighth + v);
        const __m256i fields = half ? _mm256_srli_epi16(bytes, 4) : bytes;
        int32_t four[2];

        memcpy(&four[0], x + 4 * z, sizeof four[0]);
        memcpy(&four[1], x + 8 + 4 * z, sizeof four[1]);
        const __m256i first =
            _mm256_maddubs_epi16(_mm256_and_si256(fields, low), _mm256_set1_epi32(four[0]));
        const __m256i second =
            _mm256_maddubs_epi16(_mm256_and_si256(fields, high), _mm256_set1_epi32(four[1]));
        sum[0] = z ? _mm256_add_epi16(sum[0], first) : first;
        sum[1] = z ? _mm256_add_epi16(sum[1], second) : second;
    }
    return _mm256_add_epi16(sum[0], _mm256_srai_epi16(sum[1], 2));
}

/* Codes of 16 activations (half a step) times their activations, added to the words or, `first`, the
 * start of their sums. */
AVX2_TEMPLATE void add_half_step(const struct nested_at *at, const struct nested_kind kind,
                                 const int half, const bool first, __m256i *words)
{
    const int panel = kind.columns == 1 ? 1 : at->panel;

    if (kind.width == TMAC_W2 && !kind.unpacked) {
        AVX2_UNROLL
        for (int v = 0; v < VECTORS; v++)
            words[v] = first ? half_step_w2(at, half, v)
                             : _mm256_add_epi16(words[v], half_step_w2(at, half, v));
        return;
    }
    AVX2_UNROLL
    for (int g = 4 * half; g < 4 * half + 4; g++) {
        const __m256i codes[VECTORS] = {codes_at(at, kind, g, 0), codes_at(at, kind, g, 1)};

        AVX2_UNROLL
        for (int n = 0; n < kind.columns; n++) {
            int32_t four;
            memcpy(&four, at->x + 4 * (g * panel + n), sizeof four);
            AVX2_UNROLL
            for (int v = 0; v < VECTORS; v++) {
                const __m256i product = _mm256_maddubs_epi16(codes[v], _mm256_set1_epi32(four));
                __m256i *to = &words[n * VECTORS + v];
                *to = first && g == 4 * half ? product : avx2_here(_mm256_add_epi16(*to, product));
            }
        }
    }
}

/* Scales what words hold by the group's sub-scales. */
AVX2_TEMPLATE void add_scaled(__m256i *sums, const __m256i *words, const __m256i *sub,
                              const int which, const int columns)
{
    const __m256i both[VECTORS] = {both_words(sub[0], which), both_words(sub[1], which)};

    AVX2_UNROLL
    for (int i = 0; i < VECTORS * columns; i++)
        sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(words[i], both[i % VECTORS]));
}

/* A step of two groups; or of one, `which` of a pair: 8 * 2 * 128 * 15 = 30720 fits a word. */
AVX2_TEMPLATE void add_step(const struct nested_at *at, const struct nested_kind kind,
                            struct nested_sums *sums, const __m256i *sub, const int which)
{
    __m256i words[MOST];

    add_half_step(at, kind, 0, true, words);
    if (!kind.wide)
        add_scaled(sums->code, words, sub, 0, kind.columns);
    add_half_step(at, kind, 1, !kind.wide, words);
    add_scaled(sums->code, words, sub, kind.wide ? which : 1, kind.columns);
}

/* Sub-scales of 8 rows, and what the sums of activations are multiplied by. */
AVX2_TEMPLATE __m256i load_sub(const struct nested_kind kind, const uint8_t *own, __m256i *other)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)own);
    __m256i sub;

    if (kind.sub == TMAC_SUB_KIND_U4) {
        const __m256i pair = _mm256_cvtepu8_epi16(bytes);
        sub = _mm256_and_si256(pair, _mm256_set1_epi16(15));
        *other = kind.minimum ? _mm256_srli_epi16(pair, 4) : sub;
        return sub;
    }
    sub = _mm256_cvtepi8_epi16(bytes);
    *other =
        kind.minimum ? _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(own + 64))) : sub;
    return sub;
}

AVX2_TEMPLATE void add_group_sums(const struct nested_at *at, struct nested_sums *sums,
                                  const __m256i *other, const int columns)
{
    AVX2_UNROLL
    for (int n = 0; n < columns; n++) {
        int32_t pair;
        memcpy(&pair, at->group_sum + 2 * n, sizeof pair);
        AVX2_UNROLL
        for (int v = 0; v < VECTORS; v++) {
            __m256i *to = &sums->sum[n * VECTORS + v];
            *to = _mm256_add_epi32(*to, _mm256_madd_epi16(other[v], _mm256_set1_epi32(pair)));
        }
    }
}

AVX2_TEMPLATE size_t pair_bytes(const struct nested_kind kind)
{
    return kind.sub == TMAC_SUB_KIND_I8 && kind.minimum ? 128 : 64;
}

/* One pair of groups: one step, or two of them. */
AVX2_TEMPLATE void add_pair(struct nested_at *at, const struct nested_kind kind,
                            struct nested_sums *sums)
{
    const size_t step_bytes = kind.unpacked ? STEP_CODES : cell_bytes(kind.width);
    const uint8_t *own = at->own + 16 * at->eighth;
    __m256i sub[VECTORS], other[VECTORS];

    sub[0] = load_sub(kind, own, &other[0]);
    sub[1] = load_sub(kind, own + 16, &other[1]);
    add_group_sums(at, sums, other, kind.columns);
    AVX2_UNROLL
    for (int which = 0; which < 1 + kind.wide; which++) {
        add_step(at, kind, sums, sub, which);
        at->codes += step_bytes;
        at->x += TMAC_STEP_K * (kind.columns == 1 ? 1 : at->panel);
    }
    at->own += pair_bytes(kind);
    at->group_sum += 2 * (kind.columns == 1 ? 1 : at->panel);
}

/* The float stage of 8 rows, see struct tmac_tile; `scale` and `minimum` are theirs. */
AVX2_TEMPLATE __m256 float_stage(const struct tmac_tile *tile, const uint8_t *scale,
                                 const uint8_t *minimum, __m256 act_scale, __m256i p, __m256i sum,
                                 __m256 acc)
{
    const __m256i zero = _mm256_set1_epi32((int32_t)tile->offset);
    __m256 term;

    if (!minimum)
        p = _mm256_add_epi32(p, _mm256_mullo_epi32(sum, zero));
    term = _mm256_mul_ps(act_scale, _mm256_cvtepi32_ps(p));
    acc = _mm256_fmadd_ps(avx2_scales(scale, 0, true), term, acc);
    if (minimum) {
        term = _mm256_mul_ps(act_scale, _mm256_cvtepi32_ps(sum));
        acc = _mm256_fmadd_ps(avx2_scales(minimum, 0, true), term, acc);
    }
    return acc;
}

/* One pass over a block, whose super-group's scales are `super` bytes on, for columns from `column`. */
AVX2_TEMPLATE void add_pass(const struct tmac_tile *tile, struct nested_at at,
                            const struct nested_kind kind, int block, size_t super, int column)
{
    const size_t rows = super + 16 * (size_t)at.eighth;
    const uint8_t *scale = (const uint8_t *)tile->scale + rows;
    const uint8_t *minimum = tile->minimum ? (const uint8_t *)tile->minimum + rows : NULL;
    struct nested_sums sums;

    clear(sums.code, VECTORS * kind.columns);
    clear(sums.sum, VECTORS * kind.columns);
    for (int k = 0; k < tile->block_k; k += kind.wide ? 64 : 32)
        add_pair(&at, kind, &sums);
    AVX2_UNROLL
    for (int i = 0; i < VECTORS * kind.columns; i++) {
        const int n = column + i / VECTORS, at_row = i % VECTORS * 16;
        const __m256 act_scale = _mm256_broadcast_ss(tile->act_scale + block * tile->columns + n);
        float *y = tile->y + (size_t)n * tile->y_stride + 8 * (at.eighth + i % VECTORS);

        _mm256_storeu_ps(y, float_stage(tile, scale + at_row, minimum ? minimum + at_row : NULL,
                                        act_scale, sums.code[i], sums.sum[i], _mm256_loadu_ps(y)));
    }
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

/* All rows and columns of a block. Several columns share codes that are unpacked once. `kind` has no
 * columns yet. */
AVX2_TEMPLATE void add_block(const struct tmac_tile *tile, struct nested_at at,
                             struct nested_kind kind, int block, size_t super)
{
    _Alignas(32) uint8_t codes[TMAC_MAX_BLOCK_K / TMAC_STEP_K * STEP_CODES];
    const struct nested_at first = at;

    unpack_steps(at.codes, tile->block_k / TMAC_STEP_K, kind.width, codes);
    at.codes = codes;
    kind.unpacked = true;
    for (; at.eighth < EIGHTHS; at.eighth += VECTORS) {
        kind.columns = 2;
        if (tile->columns == 2)
            add_pass(tile, at, kind, block, super, 0);
        kind.columns = 4;
        for (int n = 0; n < tile->columns && tile->columns > 2; n += 4) {
            at.x = first.x + 4 * n;
            at.group_sum = first.group_sum + 2 * n;
            add_pass(tile, at, kind, block, super, n);
        }
    }
}

AVX2_TEMPLATE void add_block_gemv(const struct tmac_tile *tile, struct nested_at at,
                                  struct nested_kind kind, int block, size_t super)
{
    for (int step = 0; step < tile->block_k / TMAC_STEP_K; step++) {
        avx2_prefetch(at.codes + (size_t)step * cell_bytes(kind.width), cell_bytes(kind.width));
        _mm_prefetch((const char *)at.own + AVX2_AHEAD_SCALES + 64 * step, _MM_HINT_T0);
    }
    kind.columns = 1;
    kind.unpacked = false;
    add_pass(tile, at, kind, block, super, 0);
    at.eighth = VECTORS;
    add_pass(tile, at, kind, block, super, 0);
}

AVX2_TEMPLATE void nested(const struct tmac_tile *tile, const struct nested_kind kind,
                          const bool gemv)
{
    const int block_steps = tile->block_k / TMAC_STEP_K, blocks = tile->steps / block_steps;
    const int pairs = tile->block_k / (kind.wide ? 64 : 32);
    struct nested_at at = {tile->codes, tile->tables, tile->nested.own, tile->nested.group_sum,
                           0,           tile->columns};

    for (int n = 0; n < tile->columns && !tile->accumulate; n++)
        memset(tile->y + (size_t)n * tile->y_stride, 0, ROWS * sizeof(float));
    for (int block = 0; block < blocks; block++) {
        const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;

        if (block % (1 << tile->block_shift) == 0)
            at.own = tile->nested.own + super;
        if (gemv)
            add_block_gemv(tile, at, kind, block, super);
        else
            add_block(tile, at, kind, block, super);
        at.codes += (size_t)block_steps * cell_bytes(kind.width);
        at.x += TMAC_STEP_K * block_steps * tile->columns;
        at.own += pair_bytes(kind) * (size_t)pairs;
        at.group_sum += 2 * pairs * tile->columns;
    }
}

/* gemv knows the kinds of Q2_K, Q3_K and Q4_K when it is compiled. */
AVX2_TEMPLATE void nested_groups(const struct tmac_tile *tile, const int width, const bool wide)
{
    const enum tmac_sub_kind sub = tile->nested.sub;
    const bool minimum = tile->minimum != NULL;

    if (tile->columns > 1)
        nested(tile, (struct nested_kind){width, 0, wide, false, sub, minimum}, false);
    else if (sub == TMAC_SUB_KIND_U4 && minimum)
        nested(tile, (struct nested_kind){width, 0, wide, false, TMAC_SUB_KIND_U4, true}, true);
    else if (sub == TMAC_SUB_KIND_I8 && minimum)
        nested(tile, (struct nested_kind){width, 0, wide, false, TMAC_SUB_KIND_I8, true}, true);
    else if (sub == TMAC_SUB_KIND_I8)
        nested(tile, (struct nested_kind){width, 0, wide, false, TMAC_SUB_KIND_I8, false}, true);
    else
        nested(tile, (struct nested_kind){width, 0, wide, false, sub, minimum}, true);
}

AVX2_TEMPLATE void nested_width(const struct tmac_tile *tile, const int width)
{
    if (tile->nested.group_k == 32)
        nested_groups(tile, width, true);
    else
        nested_groups(tile, width, false);
}

void avx2_nested_w2(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_W2);
}

void avx2_nested_w3(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_W3);
}

void avx2_nested_w4(const struct tmac_tile *tile)
{
    nested_width(tile, TMAC_W4);
}
