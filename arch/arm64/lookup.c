/* SPDX-License-Identifier: MIT
 * Lookup in ROWS32 with U8 tables. A table of 16 entries is one register and a byte of the codes
 * is a row, so one TBL looks up 16 rows:
 *
 *     codes of (plane, j)   r0  r1  ...  r15 | r16 ... r31      low half-bytes: table j
 *     TBL                   e0  e1  ...  e15 | ...              high: table 4 + j
 *     UADDL, UADDL2         e0 .. e7 | e8 .. e15 | ...          two lookups, summed in 16 bits
 *     ADD                   sum[0]   | sum[1]    | ... sum[3]
 *
 * That is 4 vector instructions for 16 lookups of one input, 3 where the half-bytes are shared by
 * several. UADDL over a pair of lookups instead of UADDW for each takes as many instructions and
 * halves the dependent chain.
 *
 * Range of the 16 bits. They wrap, and only the true sum must fit in a signed word: with b planes,
 * k activations have |I| <= k/4 * 127 * (2^b - 1). For b <= 3 and k = 128 that is 28448; for b = 4
 * it is 60960, but 30480 for k = 64. So 4 planes take a block of 128 in two spans of 64, summed
 * when they are widened. */
#include "neon.h"

struct lookup_block {
    const uint8_t *codes;  /* the first cell */
    const uint8_t *tables; /* the first step's, of the panel's first input */
    size_t cell_bytes;
    size_t table_stride; /* from one step to the next */
    int steps;
    int planes;
    int weight_shift; /* 0 for ternary, whose planes weigh the same; else 1 */
};

/* Table `a` for 32 rows of half-bytes and table `b` likewise, added to their sums. */
NEON_INLINE void lookup_pair(uint16x8_t *sum, const uint8_t *table_a, const uint8x16_t *a,
                             const uint8_t *table_b, const uint8x16_t *b)
{
    const uint8x16_t entries_a = vld1q_u8(table_a), entries_b = vld1q_u8(table_b);

    NEON_UNROLL
    for (int i = 0; i < 2; i++) {
        const uint8x16_t va = vqtbl1q_u8(entries_a, a[i]), vb = vqtbl1q_u8(entries_b, b[i]);
        sum[2 * i] = vaddq_u16(sum[2 * i], vaddl_u8(vget_low_u8(va), vget_low_u8(vb)));
        sum[2 * i + 1] = vaddq_u16(sum[2 * i + 1], vaddl_high_u8(va, vb));
        NEON_OPAQUE(sum[2 * i]);
        NEON_OPAQUE(sum[2 * i + 1]);
    }
}

NEON_INLINE void lookup_nibbles(const uint8_t *codes, const bool high, uint8x16_t *nibbles)
{
    NEON_UNROLL
    for (int i = 0; i < 2; i++) {
        const uint8x16_t byte = vld1q_u8(codes + 16 * i);
        nibbles[i] = high ? vshrq_n_u8(byte, 4) : vandq_u8(byte, vdupq_n_u8(15));
    }
}

/* One plane of one step: 8 tables, or with blocks of 16 the 4 of one half, in pairs. */
NEON_INLINE void lookup_step(uint16x8_t *sum, const uint8_t *codes, const uint8_t *tables,
                             const int panel, const enum neon_part part)
{
    const int pairs = part == NEON_BOTH ? 4 : 2;

    NEON_UNROLL
    for (int pair = 0; pair < pairs; pair++) {
        const int ja = part == NEON_BOTH ? pair : 2 * pair, jb = part == NEON_BOTH ? pair : ja + 1;
        const bool high_a = part == NEON_HIGH, high_b = part != NEON_LOW;
        const uint8_t *table_a = tables + 16 * ja + 64 * high_a;
        const uint8_t *table_b = tables + 16 * jb + 64 * high_b;
        uint8x16_t a[2], b[2];

        if (panel > 1)
            NEON_FENCE();
        lookup_nibbles(codes + 32 * ja, high_a, a);
        lookup_nibbles(codes + 32 * jb, high_b, b);
        NEON_UNROLL
        for (int n = 0; n < panel; n++)
            lookup_pair(sum + 4 * n, table_a + 128 * n, a, table_b + 128 * n, b);
    }
}

/* The 128 that every entry carries, times its lookups: -bias / 2^(planes - 1), because what a sum
 * starts with is doubled from plane to plane. The division is exact: 128 >> 3 is whole. */
static inline int16_t lookup_start(const struct lookup_block *block, int lookups)
{
    const int doublings = (block->planes - 1) * block->weight_shift;
    const int weights = block->weight_shift ? (1 << block->planes) - 1 : block->planes;
    return (int16_t)(-(128 >> doublings) * weights * lookups);
}

/* The integer stage of `steps` steps: planes from the heaviest down, doubling in between. */
NEON_INLINE void lookup_span(uint16x8_t *sum, const struct lookup_block *block, int first,
                             int steps, const int panel, const enum neon_part part)
{
    const int16_t start = lookup_start(block, steps * (part == NEON_BOTH ? 8 : 4));
    const int16x8_t shift = vdupq_n_s16((int16_t)block->weight_shift);

    NEON_UNROLL
    for (int i = 0; i < 4 * panel; i++)
        sum[i] = vreinterpretq_u16_s16(vdupq_n_s16(start));
    for (int plane = block->planes - 1;; plane--) {
        const uint8_t *codes = block->codes + (size_t)first * block->cell_bytes + 128 * plane;
        const uint8_t *tables = block->tables + (size_t)first * block->table_stride;

        for (int s = 0; s < steps; s++) {
            lookup_step(sum, codes, tables, panel, part);
            codes += block->cell_bytes;
            tables += block->table_stride;
        }
        if (plane == 0)
            break;
        NEON_UNROLL
        for (int i = 0; i < 4 * panel; i++)
            sum[i] = vshlq_u16(sum[i], shift);
    }
}

/* Integer and float stage of one block and panel. `acc` holds the results of one input. */
NEON_INLINE void lookup_block(const struct tmac_tile *tile, const struct lookup_block *block,
                              int number, int input, const int panel, const enum neon_part part,
                              float32x4_t *acc)
{
    int span = block->planes == 4 && block->steps > 2 ? 2 : block->steps;
    uint16x8_t sum[16], carry[16];

    NEON_UNROLL
    for (int i = 0; i < 4 * panel; i++)
        carry[i] = vdupq_n_u16(0);
    for (int first = 0;;) { /* at most two spans */
        lookup_span(sum, block, first, span, panel, part);
        first += span;
        if (first >= block->steps)
            break;
        span = block->steps - first;
        NEON_UNROLL
        for (int i = 0; i < 4 * panel; i++)
            carry[i] = sum[i];
    }
    NEON_UNROLL
    for (int n = 0; n < panel; n++) {
        int32x4_t integer[NEON_QUADS];

        NEON_UNROLL
        for (int i = 0; i < 4; i++) {
            const int16x8_t a = vreinterpretq_s16_u16(sum[4 * n + i]);
            const int16x8_t b = vreinterpretq_s16_u16(carry[4 * n + i]);
            integer[2 * i] = vaddl_s16(vget_low_s16(a), vget_low_s16(b));
            integer[2 * i + 1] = vaddl_high_s16(a, b);
        }
        if (acc)
            neon_float_stage(tile, number, input + n, 0, NEON_QUADS, integer, acc);
        else
            neon_float_stage_memory(tile, number, input + n, 0, NEON_QUADS, integer);
    }
}

/* All blocks that start in the same step: one, or two with blocks of 16. */
NEON_INLINE void lookup_panel(const struct tmac_tile *tile, const struct lookup_block *block,
                              int number, int input, const int panel, const bool halves,
                              float32x4_t *acc)
{
    if (halves) {
        lookup_block(tile, block, number, input, panel, NEON_LOW, acc);
        lookup_block(tile, block, number + 1, input, panel, NEON_HIGH, acc);
    } else {
        lookup_block(tile, block, number, input, panel, NEON_BOTH, acc);
    }
}

/* `panel` inputs at a time: the sums of 4 inputs fill 16 registers, those of 8 would fill 32. */
NEON_INLINE void lookup_tile(const struct tmac_tile *tile, const int panel, const bool halves,
                             float32x4_t *acc)
{
    const int stride = halves ? 1 : tile->block_k / TMAC_STEP_K;
    struct lookup_block block = {
        .cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_ROWS32, tile->width),
        .table_stride = (size_t)tile->batch * 128,
        .planes = tmac_width_bits(tile->width),
        .weight_shift = tile->width == TMAC_WIDTH_TERNARY ? 0 : 1,
    };

    for (int step = 0, number = 0; step < tile->steps; step += stride, number += halves ? 2 : 1) {
        const uint8_t *tables = tile->tables + (size_t)step * block.table_stride;

        block.codes = tile->codes + (size_t)step * block.cell_bytes;
        block.steps = step + stride < tile->steps ? stride : tile->steps - step;
        for (int n = 0; n < (panel == 1 ? 1 : tile->batch); n += panel) {
            block.tables = tables + 128 * n;
            lookup_panel(tile, &block, number, n, panel, halves, acc);
        }
    }
}

/* One input keeps its results in registers. */
NEON_INLINE void lookup_input(const struct tmac_tile *tile, const bool halves)
{
    float32x4_t acc[NEON_QUADS];

    NEON_UNROLL
    for (int q = 0; q < NEON_QUADS; q++)
        acc[q] = vld1q_f32(tile->y + 4 * q);
    lookup_tile(tile, 1, halves, acc);
    NEON_UNROLL
    for (int q = 0; q < NEON_QUADS; q++)
        vst1q_f32(tile->y + 4 * q, acc[q]);
}

void neon_lookup(const struct tmac_tile *tile)
{
    const bool halves = tile->block_k == 16;

    neon_begin(tile);
    if (tile->batch == 1)
        halves ? lookup_input(tile, true) : lookup_input(tile, false);
    else if (tile->batch == 2)
        halves ? lookup_tile(tile, 2, true, NULL) : lookup_tile(tile, 2, false, NULL);
    else
        halves ? lookup_tile(tile, 4, true, NULL) : lookup_tile(tile, 4, false, NULL);
}
