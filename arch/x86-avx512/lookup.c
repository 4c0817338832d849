/* SPDX-License-Identifier: MIT
 * Layout ROWS64: a byte is a row, one vpshufb looks up 64 rows in one table of 16 unsigned bytes.
 *
 * Bytes are summed in words without being widened first: `total` adds whole words, even byte +
 * 256 * odd byte, `odd` adds their high bytes; at the end even = total - (odd << 8), modulo 2^16.
 * Planes are taken from the top down, and everything is doubled between two of them.
 *
 * The sums start from a constant that turns the tables' bias of 128 into 2^15: a word ends as
 * integer + 2^15, exact as long as |integer| < 2^15. A block of 128 makes 32 lookups of at most 127
 * per plane: 4064, and 7 * 4064 = 28448 at 3 bits, 2 * 4064 for ternary. At 4 bits 15 * 4064 =
 * 60960 does not fit: there the lowest plane gets words of its own. */
#include "avx512.h"

struct words {
    __m512i total[TMAC_MAX_PANEL];
    __m512i odd[TMAC_MAX_PANEL];
};

/* What one call of the integer stage covers: `steps` steps, and in each the low or high half-bytes
 * or both. One column knows width and half-bytes when it is compiled; panels leave them to run
 * time, as their work per code hides it. */
struct span {
    enum tmac_w width;
    int steps;
    bool low, high;
    const uint8_t *codes;
    const uint8_t *tables;
};

/* Ternary has two planes of equal weight, which one pass takes together. */
INLINE int plane_passes(enum tmac_w width)
{
    return width == TMAC_WT ? 1 : tmac_width_bits(width);
}

INLINE int lookups_per_half_step(enum tmac_w width)
{
    return width == TMAC_WT ? 8 : 4;
}

/* The start of sums over `passes` planes of `lookups` each: 2^15 less the bias that they gather,
 * before `passes` doublings. The division is exact: lookups are a multiple of 4. */
INLINE void words_begin(struct words *words, const int columns, int passes, int lookups)
{
    const int bias = 128 * lookups * ((1 << passes) - 1);
    const int start = (32768 - bias) >> passes;
    const __m512i odd = _mm512_set1_epi16((short)start);
    const __m512i total = _mm512_set1_epi16((short)(start * 257));

    UNROLL
    for (int n = 0; n < columns; n++) {
        words->total[n] = total;
        words->odd[n] = odd;
    }
}

INLINE void words_double(struct words *words, const int columns)
{
    UNROLL
    for (int n = 0; n < columns; n++) {
        words->total[n] = _mm512_add_epi16(words->total[n], words->total[n]);
        words->odd[n] = _mm512_add_epi16(words->odd[n], words->odd[n]);
    }
}

INLINE void words_look_up(struct words *words, const int columns, __m512i nibble,
                          const uint8_t *table)
{
    nibble = _mm512_and_si512(nibble, _mm512_set1_epi8(15));
    UNROLL
    for (int n = 0; n < columns; n++) {
        const __m128i entries = _mm_loadu_si128((const __m128i *)(table + 128 * n));
        const __m512i v = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), nibble);
        words->total[n] = _mm512_add_epi16(words->total[n], v);
        words->odd[n] = _mm512_add_epi16(words->odd[n], _mm512_srli_epi16(v, 8));
    }
}

/* 64 rows x 4 activations, or 8. */
INLINE void words_codes(struct words *words, const int columns, const struct span span,
                        const uint8_t *codes, const uint8_t *table)
{
    const __m512i x = load_bytes(codes);

    if (span.low)
        words_look_up(words, columns, x, table);
    if (span.high)
        words_look_up(words, columns, _mm512_srli_epi16(x, 4), table + 64);
}

/* One pass over the block, from plane `plane` of each cell. */
INLINE void words_pass(struct words *words, const int columns, const struct span span, int plane)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_ROWS64, span.width);
    const int lookups = lookups_per_half_step(span.width);

    for (int step = 0; step < span.steps; step++) {
        const uint8_t *codes = span.codes + (size_t)step * cell_bytes + 256 * plane;
        const uint8_t *tables = span.tables + (size_t)(step * columns) * 128;

        if (columns == 1) {
            prefetch_ahead(codes, (size_t)lookups * 64);
            UNROLL
            for (int j = 0; j < lookups; j++)
                words_codes(words, columns, span, codes + 64 * j, tables + j % 4 * 16);
        } else {
            for (int j = 0; j < lookups; j++)
                words_codes(words, columns, span, codes + 64 * j, tables + j % 4 * 16);
        }
    }
}

/* Words, integer + 2^15, to floats in order of rows. Interleaving with the words 0x4B00 makes the
 * floats 2^23 + word, whose difference to 2^23 + 2^15 is exact: half the shuffles of a widening.
 *
 *     lo, hi      lane i: rows 16i .. 16i+7; 16i+8 .. 16i+15
 *     first       rows 0..3, 16..19 | 4..7, 20..23 | 8..11, 24..27 | 12..15, 28..31
 *     second      the same + 32 */
INLINE void words_to_floats(__m512 integer[4], __m512i total, __m512i odd)
{
    const __m512i even = _mm512_sub_epi16(total, _mm512_slli_epi16(odd, 8));
    const __m512i lo = _mm512_unpacklo_epi16(even, odd), hi = _mm512_unpackhi_epi16(even, odd);
    const __m512i index = _mm512_setr_epi64(0, 2, 1, 3, 8, 10, 9, 11);
    const __m512i next = _mm512_setr_epi64(4, 6, 5, 7, 12, 14, 13, 15);
    const __m512i first = _mm512_permutex2var_epi64(lo, index, hi);
    const __m512i second = _mm512_permutex2var_epi64(lo, next, hi);
    const __m512i magic = _mm512_set1_epi16(0x4B00);
    const __m512 zero = _mm512_set1_ps(0x1p23f + 0x1p15f);

    integer[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(first, magic));
    integer[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(first, magic));
    integer[2] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(second, magic));
    integer[3] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(second, magic));
    UNROLL
    for (int i = 0; i < 4; i++)
        integer[i] = _mm512_sub_ps(integer[i], zero);
}

/* The integer stage of a block. At 4 bits `upper` gets the words of planes 1..3, which count twice,
 * and `words` the lowest plane. */
INLINE void block_words(struct words *words, struct words *upper, const int columns,
                        const struct span span)
{
    const int lookups = lookups_per_half_step(span.width) * span.steps * (span.low + span.high);
    const bool split = span.width == TMAC_W4;
    const int passes = plane_passes(span.width);

    words_begin(words, columns, split ? 3 : passes, lookups);
    *upper = *words;
    for (int plane = passes - 1; plane >= 0; plane--) {
        if (split && plane == 0) {
            *upper = *words;
            words_begin(words, columns, 1, lookups);
        }
        words_double(words, columns);
        words_pass(words, columns, span, plane);
    }
}

/* The integers of one column, as floats in order of rows. */
INLINE void column_to_floats(__m512 integer[4], __m512i total, __m512i odd, __m512i upper_total,
                             __m512i upper_odd, const bool split)
{
    __m512 upper[4];

    words_to_floats(integer, total, odd);
    if (!split)
        return;
    words_to_floats(upper, upper_total, upper_odd);
    UNROLL
    for (int i = 0; i < 4; i++)
        integer[i] = _mm512_fmadd_ps(upper[i], _mm512_set1_ps(2.0f), integer[i]);
}

INLINE void gemv_block(const struct tmac_tile *tile, __m512 y[4], __m512 offset,
                       const struct span span, int block, const bool half)
{
    const struct float_stage stage = float_stage_begin(tile, offset, block, 0, 1, 64, half);
    struct words words, upper;
    __m512 integer[4];

    block_words(&words, &upper, 1, span);
    column_to_floats(integer, words.total[0], words.odd[0], upper.total[0], upper.odd[0],
                     span.width == TMAC_W4);
    UNROLL
    for (int i = 0; i < 4; i++)
        y[i] = float_stage_rows(&stage, 16 * i, integer[i], y[i]);
}

INLINE void gemv_blocks(const struct tmac_tile *tile, __m512 y[4], const enum tmac_w width,
                        const enum block_size size, const bool half)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_ROWS64, width);
    const int block_steps = size == SEVERAL_STEPS ? tile->block_k / TMAC_STEP_K : 1;
    const __m512 offset = float_stage_offset(tile);
    const uint8_t *codes = tile->codes, *tables = tile->tables;

    for (int left = tile->steps, block = 0; left > 0; left -= block_steps) {
        const int steps = block_steps < left ? block_steps : left;
        const struct span low = {width, 1, true, false, codes, tables};
        const struct span high = {width, 1, false, true, codes, tables};
        const struct span whole = {width, size == ONE_STEP ? 1 : steps, true, true, codes, tables};

        if (size == HALF_STEP) {
            gemv_block(tile, y, offset, low, block++, half);
            gemv_block(tile, y, offset, high, block++, half);
        } else {
            gemv_block(tile, y, offset, whole, block++, half);
        }
        codes += (size_t)steps * cell_bytes;
        tables += (size_t)steps * 128;
    }
}

INLINE void gemv(const struct tmac_tile *tile, const enum tmac_w width, const enum block_size size)
{
    __m512 y[4];

    UNROLL
    for (int i = 0; i < 4; i++)
        y[i] = tile->accumulate ? _mm512_loadu_ps(tile->y + 16 * i) : _mm512_setzero_ps();
    if (size != HALF_STEP && tile->half)
        gemv_blocks(tile, y, width, size, true);
    else
        gemv_blocks(tile, y, width, size, false);
    UNROLL
    for (int i = 0; i < 4; i++)
        _mm512_storeu_ps(tile->y + 16 * i, y[i]);
}

/* To memory, so that columns can be taken in a loop, while the words summed up stay in registers. */
INLINE void words_store(struct words *to, const struct words *words, const int columns)
{
    UNROLL
    for (int n = 0; n < columns; n++) {
        _mm512_store_si512(&to->total[n], words->total[n]);
        _mm512_store_si512(&to->odd[n], words->odd[n]);
    }
}

INLINE void panel_block(const struct tmac_tile *tile, struct panel_y *y, __m512 offset,
                        const int columns, const struct span span, int block)
{
    struct words lower, upper;
    {
        struct words words, upper_words;
        block_words(&words, &upper_words, columns, span);
        words_store(&lower, &words, columns);
        words_store(&upper, &upper_words, columns);
    }
    for (int n = 0; n < columns; n++) {
        const struct float_stage stage =
            float_stage_begin(tile, offset, block, n, columns, 64, false);
        __m512 integer[4];

        column_to_floats(integer, lower.total[n], lower.odd[n], upper.total[n], upper.odd[n],
                         span.width == TMAC_W4);
        UNROLL
        for (int i = 0; i < 4; i++) {
            float *at = y->y[n] + 16 * i;
            _mm512_store_ps(at, float_stage_rows(&stage, 16 * i, integer[i], _mm512_load_ps(at)));
        }
    }
}

INLINE void panel(const struct tmac_tile *tile, const int columns)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_ROWS64, tile->width);
    const bool halves = tile->block_k == 16;
    const int block_steps = halves ? 1 : tile->block_k / TMAC_STEP_K;
    const __m512 offset = float_stage_offset(tile);
    struct span span = {tile->width, 0, true, !halves, tile->codes, tile->tables};
    struct panel_y y;

    panel_y_load(&y, tile, 0, columns, 64);
    for (int left = tile->steps, block = 0; left > 0; left -= block_steps) {
        span.steps = block_steps < left ? block_steps : left;
        for (int half = 0; half <= halves; half++) {
            span.low = !halves || half == 0;
            span.high = !halves || half == 1;
            panel_block(tile, &y, offset, columns, span, block++);
        }
        span.codes += (size_t)span.steps * cell_bytes;
        span.tables += (size_t)(span.steps * columns) * 128;
    }
    panel_y_store(&y, tile, 0, columns, 64);
}

static void panel_2(const struct tmac_tile *tile)
{
    panel(tile, 2);
}

static void panel_4(const struct tmac_tile *tile)
{
    panel(tile, 4);
}

static void panel_8(const struct tmac_tile *tile)
{
    panel(tile, 8);
}

INLINE void multiply(const struct tmac_tile *tile, const enum tmac_w width)
{
    if (tile->columns > 1)
        (tile->columns == 2 ? panel_2 : tile->columns == 4 ? panel_4 : panel_8)(tile);
    else if (tile->block_k == 32)
        gemv(tile, width, ONE_STEP);
    else if (tile->block_k == 16)
        gemv(tile, width, HALF_STEP);
    else
        gemv(tile, width, SEVERAL_STEPS);
}

KERNEL(lookup_w1, TMAC_W1)
KERNEL(lookup_w2, TMAC_W2)
KERNEL(lookup_w3, TMAC_W3)
KERNEL(lookup_w4, TMAC_W4)
KERNEL(lookup_wt, TMAC_WT)

const struct tmac_kernel avx512_lookup[TMAC_W_COUNT] = {
    {"lookup_w1_m64_avx512", lookup_w1, true, false},
    {"lookup_w2_m64_avx512", lookup_w2, true, false},
    {"lookup_w3_m64_avx512", lookup_w3, true, false},
    {"lookup_w4_m64_avx512", lookup_w4, true, false},
    {"lookup_wt_m64_avx512", lookup_wt, true, false},
};
