/* SPDX-License-Identifier: MIT
 * Lookup on NEON: layout ROWS32 with U8 tables. A table of 16 entries is one register and a byte of the
 * codes is a row, so one TBL looks up 16 rows:
 *
 *     codes of (plane, j)   r0  r1  ...  r15 | r16 ... r31      low half-bytes: table j
 *     TBL                   e0  e1  ...  e15 | ...              high: table 4 + j
 *     UADDL, UADDL2         e0 .. e7 | e8 .. e15 | ...          two lookups, summed in 16 bits
 *     ADD                   sum[0]   | sum[1]    | ... sum[3]
 *
 * That is 4 vector instructions for 16 lookups of one input, 3 where the half-bytes are split for
 * several. UADDL over a pair of lookups instead of UADDW for each takes as many instructions and
 * halves the dependent chain. Averages of bytes, as on x86, take as many, and more to be joined.
 *
 * Range of the 16 bits. They wrap, and only the true sum must fit in a signed word: with b planes,
 * k activations have |I| <= k/4 * 127 * (2^b - 1). For b <= 3 and k = 128 that is 28448; for b = 4
 * it is 60960, but 30480 for k = 64. So 4 planes take a block of 128 in two spans of 64, summed
 * when they are widened. */
#include "ops_neon.h"

enum { TILE_ROWS = 32, ROW_BYTES = 16 /* rows of a vector of bytes */ };

#include "../family/lookup_stage.h"

enum { WORDS = 4 /* vectors of 8 sums */ };

/* The sums of four inputs fill 16 registers. */
INLINE int inputs_of(const struct lookup_kind kind)
{
    return kind.split ? 4 : 1;
}

/* Indices for table g of rows 16i .. 16i+15. */
INLINE uint8x16_t index_at(const uint8_t *plane, const int g, const int i, const bool split)
{
    const uint8x16_t byte = vld1q_u8(plane + (split ? g : g % 4) * TILE_ROWS + ROW_BYTES * i);

    return split ? byte : g < 4 ? vandq_u8(byte, vdupq_n_u8(15)) : vshrq_n_u8(byte, 4);
}

/* sum + pair; gcc is not to regroup the additions that lead to it, which would take registers. */
INLINE uint16x8_t add_in_order(uint16x8_t sum, uint16x8_t pair)
{
    return (uint16x8_t)vec_here((vec)vaddq_u16(sum, pair));
}

/* Adds what 16 rows have in tables a and b. */
INLINE void add_pair(uint16x8_t sum[2], const uint8_t *tables, const int a, uint8x16_t index_a,
                     const int b, uint8x16_t index_b)
{
    const uint8x16_t va = vqtbl1q_u8(vld1q_u8(tables + 16 * a), index_a);
    const uint8x16_t vb = vqtbl1q_u8(vld1q_u8(tables + 16 * b), index_b);

    sum[0] = add_in_order(sum[0], vaddl_u8(vget_low_u8(va), vget_low_u8(vb)));
    sum[1] = add_in_order(sum[1], vaddl_high_u8(va, vb));
}

/* One plane of one step: tables j and 4 + j, which share bytes of a cell, or those of one half. */
INLINE void add_step(uint16x8_t sum[][WORDS], const uint8_t *plane, const uint8_t *tables,
                     const enum part part, const struct lookup_kind kind)
{
    const int first = part == HIGH_HALF ? 4 : 0, pairs = is_whole(part) ? 4 : 2;

    UNROLL
    for (int pair = 0; pair < pairs; pair++) {
        const int a = is_whole(part) ? pair : first + 2 * pair, b = is_whole(part) ? a + 4 : a + 1;
        uint8x16_t index_a[2], index_b[2];

        if (kind.split)
            vec_in_order();
        UNROLL
        for (int i = 0; i < 2; i++) {
            index_a[i] = index_at(plane, a, i, kind.split);
            index_b[i] = index_at(plane, b, i, kind.split);
        }
        UNROLL
        for (int n = 0; n < inputs_of(kind); n++) {
            add_pair(sum[n], tables + n * TABLE_STEP, a, index_a[0], b, index_b[0]);
            add_pair(sum[n] + 2, tables + n * TABLE_STEP, a, index_a[1], b, index_b[1]);
        }
    }
}

/* Planes from the heaviest down, doubling in between. The 128 that every entry carries leaves at the
 * start, divided by 2^(planes - 1), because that is doubled too: 128 >> 3 is whole. */
INLINE void add_span(uint16x8_t sum[][WORDS], const struct stream *at, const int steps,
                     const enum part part, const struct lookup_kind kind)
{
    const bool doubles = kind.width != TMAC_WIDTH_TERNARY;
    const int planes = planes_of(kind.width), lookups = steps * (is_whole(part) ? 8 : 4);
    const int weights = doubles ? (1 << planes) - 1 : planes, words = WORDS * inputs_of(kind);
    const int16x8_t doubling = vdupq_n_s16(doubles);
    const int start = (128 >> (doubles ? planes - 1 : 0)) * weights * lookups;

    UNROLL
    for (int i = 0; i < words; i++)
        sum[i / WORDS][i % WORDS] = vdupq_n_u16((uint16_t)-start);
    ROLLED
    for (int p = planes - 1; p >= 0; p--) {
        struct stream step = *at;

        ROLLED
        for (int s = 0; s < steps; s++, step = stream_after(&step, 1, kind.width, kind.split))
            add_step(sum, step.codes + (size_t)p * plane_bytes(kind.split), step.tables, part,
                     kind);
        if (p == 0)
            break;
        UNROLL
        for (int i = 0; i < words; i++)
            sum[i / WORDS][i % WORDS] = vshlq_u16(sum[i / WORDS][i % WORDS], doubling);
    }
}

INLINE void lookup_integers(const struct stream *at, const enum part part,
                            const struct lookup_kind kind, vecf rows[][VECTORS])
{
    const int steps = kind.steps ? kind.steps : 1, words = WORDS * inputs_of(kind);
    const int span = kind.width == TMAC_WIDTH_4 && steps > 2 ? 2 : steps;
    const struct stream second = stream_after(at, span, kind.width, kind.split);
    uint16x8_t sum[MOST_INPUTS][WORDS], first[MOST_INPUTS][WORDS];

    UNROLL
    for (int i = 0; i < words; i++)
        first[i / WORDS][i % WORDS] = vdupq_n_u16(0);
    add_span(sum, at, span, part, kind);
    if (span < steps) {
        UNROLL
        for (int i = 0; i < words; i++)
            first[i / WORDS][i % WORDS] = sum[i / WORDS][i % WORDS];
        add_span(sum, &second, steps - span, part, kind);
    }
    UNROLL
    for (int i = 0; i < words; i++) {
        const int16x8_t a = vreinterpretq_s16_u16(first[i / WORDS][i % WORDS]);
        const int16x8_t b = vreinterpretq_s16_u16(sum[i / WORDS][i % WORDS]);
        vecf *row = &rows[i / WORDS][2 * (i % WORDS)];

        row[0] = vcvtq_f32_s32(vaddl_s16(vget_low_s16(a), vget_low_s16(b)));
        row[1] = vcvtq_f32_s32(vaddl_high_s16(a, b));
    }
}

INLINE void lookup_split(const uint8_t *codes, const int steps, const int width, uint8_t *split)
{
    for (int i = 0; i < steps * planes_of(width);
         i++, codes += 4 * TILE_ROWS, split += 8 * TILE_ROWS)
        for (int at = 0; at < 4 * TILE_ROWS; at += ROW_BYTES) {
            const uint8x16_t byte = vld1q_u8(codes + at);

            vst1q_u8(split + at, vandq_u8(byte, vdupq_n_u8(15)));
            vst1q_u8(split + 4 * TILE_ROWS + at, vshrq_n_u8(byte, 4));
        }
}

#include "../family/lookup.h"

LOOKUP_LEAVES(any_width, (int)tile->width)

void neon_lookup(const struct tmac_tile *tile)
{
    lookup_run(&any_width, tile);
}
