/* SPDX-License-Identifier: MIT
 * Layout ROWS64: a byte is a row, one vpshufb looks up 64 rows in one table of 16 unsigned bytes.
 * Several inputs share the template with AVX2 (../x86/lookup_tile.h); one input has its own form, as
 * vpavgb of 64 bytes runs on one port only, which the shifts of half-bytes need as well.
 *
 * Bytes are summed in words without being widened first: `total` adds whole words, even byte +
 * 256 * odd byte, `odd` adds their high bytes; at the end even = total - (odd << 8), modulo 2^16.
 * Planes are taken from the top down, and everything is doubled between two of them.
 *
 * The sums start from a constant that turns the tables' bias of 128 into 2^15: a word ends as
 * integer + 2^15, exact as long as |integer| < 2^15. A block of 128 makes 32 lookups of at most 127
 * per plane: 4064, and 7 * 4064 = 28448 at 3 bits, 2 * 4064 for ternary. At 4 bits 15 * 4064 =
 * 60960 does not fit: there the lowest plane gets words of its own. */
#include "ops_avx512.h"

#include "../family/lookup_tile.h"

struct words {
    __m512i total, odd;
};

/* What one call of the integer stage covers: `steps` steps, and in each the low or high half-bytes
 * or both. */
struct span {
    tmac_width width;
    int steps;
    bool low, high;
    const uint8_t *codes;
    const uint8_t *tables;
};

/* Ternary has two planes of equal weight, which one pass takes together. */
INLINE int plane_passes(const tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 1 : tmac_width_bits(width);
}

INLINE int lookups_per_half_step(const tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 8 : 4;
}

/* The start of sums over `passes` planes of `lookups` each: 2^15 less the bias that they gather,
 * before `passes` doublings. The division is exact: lookups are a multiple of 4. */
INLINE struct words words_begin(int passes, int lookups)
{
    const int bias = 128 * lookups * ((1 << passes) - 1);
    const int start = (32768 - bias) >> passes;

    return (struct words){_mm512_set1_epi16((short)(start * 257)), _mm512_set1_epi16((short)start)};
}

INLINE void words_double(struct words *words)
{
    words->total = _mm512_add_epi16(words->total, words->total);
    words->odd = _mm512_add_epi16(words->odd, words->odd);
}

INLINE void words_look_up(struct words *words, __m512i nibble, const uint8_t *table)
{
    const __m512i index = _mm512_and_si512(nibble, _mm512_set1_epi8(15));
    const __m512i v = vec_look_up(vec_table(table), index);

    words->total = _mm512_add_epi16(words->total, v);
    words->odd = _mm512_add_epi16(words->odd, _mm512_srli_epi16(v, 8));
}

/* 64 rows x 4 activations, or 8. */
INLINE void words_codes(struct words *words, const struct span span, const uint8_t *codes,
                        const uint8_t *table)
{
    const __m512i x = load_bytes(codes);

    if (span.low)
        words_look_up(words, x, table);
    if (span.high)
        words_look_up(words, _mm512_srli_epi16(x, 4), table + 64);
}

/* One pass over the block, from plane `plane` of each cell. */
INLINE void words_pass(struct words *words, const struct span span, int plane)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_ROWS64, span.width);
    const int lookups = lookups_per_half_step(span.width);

    for (int step = 0; step < span.steps; step++) {
        const uint8_t *codes = span.codes + (size_t)step * cell_bytes + 256 * plane;
        const uint8_t *tables = span.tables + (size_t)step * TABLE_STEP;

        prefetch_ahead(codes, (size_t)lookups * 64);
        UNROLL
        for (int j = 0; j < lookups; j++)
            words_codes(words, span, codes + 64 * j, tables + j % 4 * 16);
    }
}

/* Words, integer + 2^15, to floats in order of rows: interleaving even and odd rows puts them in the
 * order that vec_to_floats takes. */
INLINE void words_to_floats(__m512 integer[4], struct words words)
{
    const __m512i even = _mm512_sub_epi16(words.total, _mm512_slli_epi16(words.odd, 8));

    vec_to_floats(_mm512_unpacklo_epi16(even, words.odd), _mm512_unpackhi_epi16(even, words.odd),
                  _mm512_set1_ps(0x1p23f + 0x1p15f), integer);
}

/* The integer stage of a block. At 4 bits `upper` gets planes 1..3, which count twice, and `words` the
 * lowest plane. */
INLINE void words_block(struct words *words, struct words *upper, const struct span span)
{
    const int lookups = lookups_per_half_step(span.width) * span.steps * (span.low + span.high);
    const bool split = span.width == TMAC_WIDTH_4;
    const int passes = plane_passes(span.width);

    *words = words_begin(split ? 3 : passes, lookups);
    *upper = *words;
    for (int plane = passes - 1; plane >= 0; plane--) {
        if (split && plane == 0) {
            *upper = *words;
            *words = words_begin(1, lookups);
        }
        words_double(words);
        words_pass(words, span, plane);
    }
}

/* The integers of a block, as floats in order of rows. */
INLINE void block_integers(__m512 integer[4], const struct span span)
{
    struct words words, upper;
    __m512 twice[4];

    words_block(&words, &upper, span);
    words_to_floats(integer, words);
    if (span.width != TMAC_WIDTH_4)
        return;
    words_to_floats(twice, upper);
    UNROLL
    for (int i = 0; i < 4; i++)
        integer[i] = _mm512_fmadd_ps(twice[i], _mm512_set1_ps(2.0f), integer[i]);
}

INLINE void gemv_block(const struct tmac_tile *tile, __m512 y[4], __m512 offset,
                       const struct span span, int block, const bool half)
{
    const struct float_stage stage = float_stage_begin(tile, offset, block, 0, 1, ROWS, half);
    __m512 integer[4];

    block_integers(integer, span);
    UNROLL
    for (int i = 0; i < 4; i++)
        y[i] = float_stage_rows(&stage, 16 * i, integer[i], y[i]);
}

INLINE void gemv_blocks(const struct tmac_tile *tile, __m512 y[4], const tmac_width width,
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

INLINE void gemv(const struct tmac_tile *tile, const tmac_width width, const enum block_size size)
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

INLINE void multiply(const struct tmac_tile *tile, const tmac_width width)
{
    if (tile->batch > 1)
        lookup_batch(tile, width, WHOLE_STEP, true);
    else if (tile->block_k == 32)
        gemv(tile, width, ONE_STEP);
    else if (tile->block_k == 16)
        gemv(tile, width, HALF_STEP);
    else
        gemv(tile, width, SEVERAL_STEPS);
}

KERNEL(lookup_w1, TMAC_WIDTH_1)
KERNEL(lookup_w2, TMAC_WIDTH_2)
KERNEL(lookup_w3, TMAC_WIDTH_3)
KERNEL(lookup_w4, TMAC_WIDTH_4)
KERNEL(lookup_wt, TMAC_WIDTH_TERNARY)

void avx512_lookup(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_1:
        lookup_w1(tile);
        break;
    case TMAC_WIDTH_2:
        lookup_w2(tile);
        break;
    case TMAC_WIDTH_3:
        lookup_w3(tile);
        break;
    case TMAC_WIDTH_4:
        lookup_w4(tile);
        break;
    default:
        lookup_wt(tile);
    }
}
