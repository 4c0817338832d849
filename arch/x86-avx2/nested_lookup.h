/* SPDX-License-Identifier: MIT
 * The integer stage of NESTED_ROWS32: a block's P, Q and M (struct tmac_tile), in one of two ways.
 *
 * Words, with I8 sub-scales: sums of lookups become 16-bit numbers, at most 255 * 8 * 15 = 30600 with
 * their bias. Those of two groups are interleaved, vpmaddwd multiplies them by sub-scales widened to 16
 * bits.
 *
 * Bytes, with U4 sub-scales (codes of 2 bits or ternary): a sum of lookups is mean * 2^shift - excess
 * in bytes (lookup_sums.h). vpmaddubsw multiplies both by sub-scales as they are, 0 .. 15, and 16 bits hold
 * the sums over a block of at most 8 groups, so that nothing is widened before its end:
 *     |mean - centre| <= 128:   128 * 15 * 8 = 15360
 *     excess <= 255:            255 * 15 * 8 = 30600
 *     |S| <= 127:               127 * 15 * 8 = 15240 */
#ifndef TMAC_AVX2_NESTED_LOOKUP_H
#define TMAC_AVX2_NESTED_LOOKUP_H

#include "ops_avx2.h"

enum { TILE_ROWS = 32 };

#include "../family/lookup_average.h"

enum { MOST_PAIRS = 4, PAIR_BYTES = TILE_ROWS * 2 };

/* What a template knows when it is compiled. */
struct nested_kind {
    int width;
    bool wide; /* groups of 32, else 16 */
    bool minimum;
    bool bytes; /* else words: sub-scales are U4, else I8 */
    bool split; /* several inputs: indices are split and sub-scales unpacked */
};

/* Sub-scales and sub-minimums of a pair of groups: words of 8 rows, or bytes of 16. */
struct nested_subs {
    __m256i scale[VECTORS], minimum[VECTORS];
};

/* Where a pass over a block reads. */
struct nested_at {
    struct stream cells;
    const uint8_t *own;             /* one input: the pair's own bytes */
    const struct nested_subs *subs; /* several */
    const int16_t *group_sum;
    size_t group_sum_stride; /* from one pair to the next */
    __m256i offset;          /* as vpmulhrsw takes it */
};

/* 32-bit numbers of 8 rows. */
struct nested_sums {
    __m256i p[VECTORS], q[VECTORS] /* bytes only */, m[VECTORS];
};

INLINE size_t pair_bytes(const struct nested_kind kind)
{
    return !kind.bytes && kind.minimum ? 2 * PAIR_BYTES : PAIR_BYTES;
}

INLINE enum part first_part(const struct nested_kind kind)
{
    return kind.wide ? WHOLE_STEP : LOW_HALF;
}

INLINE enum part second_part(const struct nested_kind kind)
{
    return kind.wide ? WHOLE_STEP : HIGH_HALF;
}

/* Where the second group of a pair is. */
INLINE struct stream second_group(const struct stream *cells, const struct nested_kind kind)
{
    const size_t codes = kind.wide ? step_bytes(kind.width, kind.split) : 0;

    return (struct stream){cells->codes + codes,
                           cells->tables + (kind.wide ? cells->table_stride : 0),
                           cells->table_stride};
}

/* Vector i of a pair's sub-scales and sub-minimums. */
INLINE void load_subs(const struct nested_kind kind, const uint8_t *own, const int i,
                      struct nested_subs *subs)
{
    const __m256i low = _mm256_set1_epi8(15);

    if (kind.bytes) {
        const __m256i both = vec_load(own + 32 * i);
        subs->scale[i] = _mm256_and_si256(both, low);
        subs->minimum[i] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
    } else {
        const __m128i *const minimum = (const __m128i *)(own + PAIR_BYTES) + i;
        subs->scale[i] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)own + i));
        if (kind.minimum)
            subs->minimum[i] = _mm256_cvtepu8_epi16(_mm_loadu_si128(minimum));
    }
}

/* Of the pair that `at` has come to, the p-th of its block. */
INLINE void pair_subs(const struct nested_at *at, const struct nested_kind kind, int p, const int i,
                      struct nested_subs *subs)
{
    if (!kind.split) {
        load_subs(kind, at->own, i, subs);
        return;
    }
    subs->scale[i] = at->subs[p].scale[i];
    subs->minimum[i] = at->subs[p].minimum[i];
}

/* The sums of activations of its groups: T for words, S for bytes. */
INLINE __m256i pair_sums(const struct nested_at *at, const struct nested_kind kind)
{
    int32_t both;

    memcpy(&both, at->group_sum + (kind.bytes ? 2 : 0), sizeof both);
    return _mm256_set1_epi32(both);
}

/* One input reads codes and sub-scales once: every line of them is fetched a little ahead. */
enum { NESTED_AHEAD = 768 };

INLINE void prefetch_pair(const struct nested_at *at, const struct nested_kind kind)
{
    if (kind.split)
        return;
    for (size_t line = 0; line < step_bytes(kind.width, false) * (1 + kind.wide); line += 64)
        _mm_prefetch((const char *)at->cells.codes + NESTED_AHEAD + line, _MM_HINT_T0);
    for (size_t line = 0; line < pair_bytes(kind); line += 64)
        _mm_prefetch((const char *)at->own + AHEAD_SCALES + line, _MM_HINT_T0);
}

INLINE void next_pair(struct nested_at *at, const struct nested_kind kind)
{
    at->cells = stream_after(&at->cells, kind.wide ? 2 : 1, kind.width, kind.split);
    at->own += pair_bytes(kind);
    at->group_sum += at->group_sum_stride;
}

INLINE void clear(__m256i *vectors, const int count)
{
    UNROLL
    for (int i = 0; i < count; i++)
        vectors[i] = _mm256_setzero_si256();
}

/* ---- words ----------------------------------------------------------------------------------- */

INLINE void add_words(const struct nested_at *at, const struct nested_kind kind, int p,
                      struct nested_sums *sums)
{
    const __m256i group_sums = pair_sums(at, kind);
    /* The part of the offset, less the bias of the entries' + 128. */
    const __m256i correction =
        _mm256_sub_epi16(_mm256_mulhrs_epi16(group_sums, at->offset),
                         _mm256_set1_epi16((short)step_bias(kind.width, first_part(kind))));
    const struct stream second = second_group(&at->cells, kind);
    const struct sum16 a = total(&at->cells, kind.width, first_part(kind), 1, kind.split);
    const struct sum16 b = total(&second, kind.width, second_part(kind), 1, kind.split);
    const __m256i words[VECTORS] = {
        _mm256_unpacklo_epi16(a.low, b.low), _mm256_unpackhi_epi16(a.low, b.low),
        _mm256_unpacklo_epi16(a.high, b.high), _mm256_unpackhi_epi16(a.high, b.high)};
    struct nested_subs subs;

    UNROLL
    for (int i = 0; i < VECTORS; i++) {
        const __m256i integers = _mm256_add_epi16(words[i], correction);

        pair_subs(at, kind, p, i, &subs);
        sums->p[i] = _mm256_add_epi32(sums->p[i], _mm256_madd_epi16(integers, subs.scale[i]));
        if (kind.minimum)
            sums->m[i] =
                _mm256_add_epi32(sums->m[i], _mm256_madd_epi16(group_sums, subs.minimum[i]));
    }
}

INLINE void sum_words(struct nested_at *at, const struct nested_kind kind, int pairs,
                      struct nested_sums *sums)
{
    clear(sums->p, VECTORS);
    clear(sums->m, VECTORS);
    for (int p = 0; p < pairs; p++) {
        prefetch_pair(at, kind);
        add_words(at, kind, p, sums);
        next_pair(at, kind);
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* 16-bit sums over pairs, of 16 rows. */
struct byte_sums {
    __m256i mean[2], excess[2], q[2], m[2];
};

/* log2 of the lookups that one mean stands for, with their weights' room. */
INLINE int mean_shift(const struct nested_kind kind)
{
    return (kind.wide ? 3 : 2) + (kind.width == TMAC_WIDTH_TERNARY ? 1 : 2);
}

INLINE void add_products(__m256i *sum, __m256i unsigned_bytes, __m256i signed_bytes)
{
    *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(unsigned_bytes, signed_bytes));
}

INLINE void add_bytes_of_pair(const struct nested_at *at, const struct nested_kind kind, int p,
                              struct byte_sums *sums)
{
    const int shift = mean_shift(kind), bias = step_bias(kind.width, first_part(kind));
    const __m256i centre = _mm256_set1_epi8((char)(bias >> shift));
    const __m256i words = pair_sums(at, kind), group_sums = _mm256_packs_epi16(words, words);
    const struct stream second = second_group(&at->cells, kind);
    const struct sum8 a =
        digit_sum(at->cells.codes, at->cells.tables, kind.width, first_part(kind), kind.split);
    const __m256i mean_a = _mm256_sub_epi8(a.mean, centre), excess_a = sum8_excess(a, shift);
    const struct sum8 b =
        digit_sum(second.codes, second.tables, kind.width, second_part(kind), kind.split);
    const __m256i mean_b = _mm256_sub_epi8(b.mean, centre), excess_b = sum8_excess(b, shift);
    struct nested_subs subs;

    UNROLL
    for (int i = 0; i < 2; i++) {
        const __m256i mean =
            i ? _mm256_unpackhi_epi8(mean_a, mean_b) : _mm256_unpacklo_epi8(mean_a, mean_b);
        const __m256i excess =
            i ? _mm256_unpackhi_epi8(excess_a, excess_b) : _mm256_unpacklo_epi8(excess_a, excess_b);

        pair_subs(at, kind, p, i, &subs);
        add_products(&sums->mean[i], subs.scale[i], mean);
        add_products(&sums->excess[i], excess, subs.scale[i]);
        add_products(&sums->q[i], subs.scale[i], group_sums);
        if (kind.minimum)
            add_products(&sums->m[i], subs.minimum[i], group_sums);
    }
}

/* 8 rows of two sums of 16: words of a lane, low and high. */
INLINE __m256i interleave(const __m256i *low, const __m256i *high, const int i)
{
    return i % 2 ? _mm256_unpackhi_epi16(low[i / 2], high[i / 2])
                 : _mm256_unpacklo_epi16(low[i / 2], high[i / 2]);
}

INLINE void sum_bytes(struct nested_at *at, const struct nested_kind kind, int pairs,
                      struct nested_sums *sums)
{
    const __m256i mean_less_excess = _mm256_set1_epi32((int)(0xffff0000u | 1u << mean_shift(kind)));
    struct byte_sums bytes;

    clear(bytes.mean, 2);
    clear(bytes.excess, 2);
    clear(bytes.q, 2);
    clear(bytes.m, 2);
    for (int p = 0; p < pairs; p++) {
        prefetch_pair(at, kind);
        add_bytes_of_pair(at, kind, p, &bytes);
        next_pair(at, kind);
    }
    UNROLL
    for (int i = 0; i < VECTORS; i++) {
        const __m256i q_and_m = interleave(bytes.q, bytes.m, i);

        sums->p[i] = _mm256_madd_epi16(interleave(bytes.mean, bytes.excess, i), mean_less_excess);
        sums->q[i] = _mm256_madd_epi16(q_and_m, _mm256_set1_epi32(1));
        sums->m[i] = _mm256_srai_epi32(q_and_m, 16);
    }
}

#endif
