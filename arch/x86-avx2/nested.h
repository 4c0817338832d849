/* SPDX-License-Identifier: MIT
 * The integer stage of NESTED on AVX2. vpmaddubsw leaves the sum of 16 activations in the two words of a
 * row's lane, at most 4 * 2 * 128 * 15 = 15360 each; vpmaddwd adds the two as it multiplies both by the
 * group's sub-scale. A pair of groups has its sub-scales in the two words of a lane: group a low, b high. */
#ifndef TMAC_AVX2_NESTED_H
#define TMAC_AVX2_NESTED_H

#include "unpacked.h"

enum { MOST = 8 };

/* What a template knows when it is compiled. Codes are cells, or with several inputs unpacked, one
 * per byte: [step][group of 4 activations][eighth][32 bytes]. */
struct nested_kind {
    int width;
    int vectors; /* of 8 rows; vectors x inputs sums, at most MOST, are kept in registers: */
    int batch; /* 4 x 1, 2 x 2 or 2 x 4 */
    bool wide;   /* groups of 32, else 16 */
    bool unpacked;
    tmac_sub_format sub; /* the tile's */
    bool minimum;
};

/* Where a pass over some rows of a block reads. */
struct nested_at {
    const uint8_t *codes, *x, *own;
    const int16_t *group_sum;
    int eighth; /* the first vector */
    int panel;  /* all inputs */
};

/* [input][vector] */
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

AVX2_TEMPLATE __m256i broadcast4(const uint8_t *x)
{
    int32_t four;

    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
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

/* The same for cells of 2 bits and one input: the two fields of a half-byte are masked in place, and
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
        const __m256i first =
            _mm256_maddubs_epi16(_mm256_and_si256(fields, low), broadcast4(x + 4 * z));
        const __m256i second =
            _mm256_maddubs_epi16(_mm256_and_si256(fields, high), broadcast4(x + 8 + 4 * z));
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
    const int panel = kind.batch == 1 ? 1 : at->panel;

    if (kind.width == TMAC_WIDTH_2 && !kind.unpacked) {
        AVX2_UNROLL
        for (int v = 0; v < kind.vectors; v++)
            words[v] = first ? half_step_w2(at, half, v)
                             : _mm256_add_epi16(words[v], half_step_w2(at, half, v));
        return;
    }
    AVX2_UNROLL
    for (int g = 4 * half; g < 4 * half + 4; g++) {
        __m256i codes[EIGHTHS];

        AVX2_UNROLL
        for (int v = 0; v < kind.vectors; v++)
            codes[v] = codes_at(at, kind, g, v);
        AVX2_UNROLL
        for (int n = 0; n < kind.batch; n++) {
            const __m256i x = broadcast4(at->x + 4 * (g * panel + n));
            AVX2_UNROLL
            for (int v = 0; v < kind.vectors; v++) {
                const __m256i product = _mm256_maddubs_epi16(codes[v], x);
                __m256i *to = &words[n * kind.vectors + v];
                *to = first && g == 4 * half ? product : avx2_here(_mm256_add_epi16(*to, product));
            }
        }
    }
}

/* Scales what words hold by the group's sub-scales. */
AVX2_TEMPLATE void add_scaled(__m256i *sums, const __m256i *words, const __m256i *sub,
                              const int which, const struct nested_kind kind)
{
    __m256i both[EIGHTHS];

    AVX2_UNROLL
    for (int v = 0; v < kind.vectors; v++)
        both[v] = both_words(sub[v], which);
    AVX2_UNROLL
    for (int i = 0; i < kind.vectors * kind.batch; i++)
        sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(words[i], both[i % kind.vectors]));
}

/* The words of both half steps for cells of 4 bits and one input. The high half-bytes are what an XOR
 * with the low ones leaves; that reads the bytes again (`again` is `at->codes`, which the compiler must
 * not know), but as an operand, and it is the number of instructions that counts. */
AVX2_TEMPLATE void half_steps_w4(const struct nested_at *at, const int vectors, __m256i *low,
                                 __m256i *high)
{
    const uint8_t *again = avx2_opaque(at->codes);

    AVX2_UNROLL
    for (int z = 0; z < 4; z++) {
        const __m256i x_low = broadcast4(at->x + 4 * z), x_high = broadcast4(at->x + 16 + 4 * z);

        AVX2_UNROLL
        for (int v = 0; v < vectors; v++) {
            const __m256i codes =
                _mm256_and_si256(_mm256_set1_epi8(15), cell_vector(at->codes, z, at->eighth + v));
            const __m256i upper = _mm256_xor_si256(codes, cell_vector(again, z, at->eighth + v));
            const __m256i first = _mm256_maddubs_epi16(codes, x_low);
            const __m256i second = _mm256_maddubs_epi16(_mm256_srli_epi16(upper, 4), x_high);

            low[v] = z ? avx2_here(_mm256_add_epi16(low[v], first)) : first;
            high[v] = z ? avx2_here(_mm256_add_epi16(high[v], second)) : second;
        }
    }
}

AVX2_TEMPLATE void add_step_w4(const struct nested_at *at, const struct nested_kind kind,
                               struct nested_sums *sums, const __m256i *sub, const int which)
{
    __m256i low[EIGHTHS], high[EIGHTHS];

    half_steps_w4(at, kind.vectors, low, high);
    if (!kind.wide) {
        add_scaled(sums->code, low, sub, 0, kind);
        add_scaled(sums->code, high, sub, 1, kind);
        return;
    }
    AVX2_UNROLL
    for (int v = 0; v < kind.vectors; v++)
        low[v] = _mm256_add_epi16(low[v], high[v]);
    add_scaled(sums->code, low, sub, which, kind);
}

/* A step of two groups; or of one, `which` of a pair: 8 * 2 * 128 * 15 = 30720 fits a word. */
AVX2_TEMPLATE void add_step(const struct nested_at *at, const struct nested_kind kind,
                            struct nested_sums *sums, const __m256i *sub, const int which)
{
    __m256i words[MOST];

    if (kind.width == TMAC_WIDTH_4 && !kind.unpacked) {
        add_step_w4(at, kind, sums, sub, which);
        return;
    }
    add_half_step(at, kind, 0, true, words);
    if (!kind.wide)
        add_scaled(sums->code, words, sub, 0, kind);
    add_half_step(at, kind, 1, !kind.wide, words);
    add_scaled(sums->code, words, sub, kind.wide ? which : 1, kind);
}

/* Sub-scales of 8 rows, and what the sums of activations are multiplied by. */
AVX2_TEMPLATE __m256i load_sub(const struct nested_kind kind, const uint8_t *own, __m256i *other)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)own);
    __m256i sub;

    if (kind.sub == TMAC_SUB_U4) {
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
                                  const __m256i *other, const struct nested_kind kind)
{
    AVX2_UNROLL
    for (int n = 0; n < kind.batch; n++) {
        const __m256i pair = broadcast4((const uint8_t *)(at->group_sum + 2 * n));

        AVX2_UNROLL
        for (int v = 0; v < kind.vectors; v++) {
            __m256i *to = &sums->sum[n * kind.vectors + v];
            *to = _mm256_add_epi32(*to, _mm256_madd_epi16(other[v], pair));
        }
    }
}

AVX2_TEMPLATE size_t pair_bytes(const struct nested_kind kind)
{
    return kind.sub == TMAC_SUB_I8 && kind.minimum ? 128 : 64;
}

/* A gemv reads codes and sub-scales once. Fetching every line of them a little ahead, pair by pair, takes a
 * fifth less time at 4 bits than every second line of a block, further ahead and all at once. */
enum { NESTED_AHEAD = 512 };

AVX2_TEMPLATE void prefetch_pair(const struct nested_at *at, const struct nested_kind kind)
{
    for (size_t line = 0; line < cell_bytes(kind.width) * (1 + kind.wide); line += 64)
        _mm_prefetch((const char *)at->codes + NESTED_AHEAD + line, _MM_HINT_T0);
    for (size_t line = 0; line < pair_bytes(kind); line += 64)
        _mm_prefetch((const char *)at->own + AVX2_AHEAD_SCALES + line, _MM_HINT_T0);
}

/* One pair of groups: one step, or two of them. */
AVX2_TEMPLATE void add_pair(struct nested_at *at, const struct nested_kind kind,
                            struct nested_sums *sums)
{
    const size_t step_bytes = kind.unpacked ? STEP_CODES : cell_bytes(kind.width);
    const uint8_t *own = at->own + 16 * at->eighth;
    __m256i sub[EIGHTHS], other[EIGHTHS];

    if (!kind.unpacked && at->eighth == 0)
        prefetch_pair(at, kind);
    AVX2_UNROLL
    for (int v = 0; v < kind.vectors; v++)
        sub[v] = load_sub(kind, own + 16 * v, &other[v]);
    add_group_sums(at, sums, other, kind);
    AVX2_UNROLL
    for (int which = 0; which < 1 + kind.wide; which++) {
        add_step(at, kind, sums, sub, which);
        at->codes += step_bytes;
        at->x += TMAC_STEP_K * (kind.batch == 1 ? 1 : at->panel);
    }
    at->own += pair_bytes(kind);
    at->group_sum += 2 * (kind.batch == 1 ? 1 : at->panel);
}

#endif
