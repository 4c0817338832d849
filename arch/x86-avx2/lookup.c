/* SPDX-License-Identifier: MIT
 * Lookup on AVX2, layout ROWS32: a byte is a row, vpshufb looks up a table of 16 that both 128-bit
 * lanes hold. */
#include "sums.h"

enum { ROWS = 32, TABLE_STEP = 128 };

/* Which tables of a step to look up. */
enum part { LOW_HALF, HIGH_HALF, WHOLE_STEP };

/* Where a kernel reads. A gemv splits the cells' half-bytes as it goes; with more columns they are
 * split once per block, into one byte per index: [step][plane][g = 0..7][32 rows]. */
struct stream {
    const uint8_t *codes;
    const uint8_t *tables;
    size_t table_stride; /* from one step to the next */
};

AVX2_TEMPLATE int planes_of(const int width)
{
    return width == TMAC_WT ? 2 : width + 1;
}

AVX2_TEMPLATE size_t plane_bytes(const bool split)
{
    return split ? 8 * ROWS : 4 * ROWS;
}

/* Indices into table g, from the plane's bytes of a cell. */
AVX2_TEMPLATE __m256i cell_index(const uint8_t *plane, const int g)
{
    const __m256i bytes = avx2_load(plane + g % 4 * ROWS);

    return _mm256_and_si256(g >= 4 ? _mm256_srli_epi16(bytes, 4) : bytes, _mm256_set1_epi8(15));
}

AVX2_TEMPLATE struct sum8 look_up(const uint8_t *plane, const uint8_t *tables, const int g,
                                  const bool split)
{
    const __m128i table = _mm_loadu_si128((const __m128i *)(tables + 16 * g));
    const __m256i index = split ? avx2_load(plane + g * ROWS) : cell_index(plane, g);
    const __m256i entry = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);

    return (struct sum8){entry, entry};
}

AVX2_TEMPLATE struct sum8 look_up4(const uint8_t *plane, const uint8_t *tables, const int g,
                                   const int next, const int other, const bool split)
{
    const struct sum8 a = look_up(plane, tables, g, split);
    const struct sum8 b = look_up(plane, tables, g + other, split);
    const struct sum8 c = look_up(plane, tables, g + next, split);
    const struct sum8 d = look_up(plane, tables, g + next + other, split);

    return sum8_join(sum8_join(a, b), sum8_join(c, d));
}

AVX2_TEMPLATE struct sum8 plane_sum(const uint8_t *plane, const uint8_t *tables,
                                    const enum part part, const bool split)
{
    if (part != WHOLE_STEP)
        return look_up4(plane, tables, part == LOW_HALF ? 0 : 4, 2, 1, split);
    /* Both halves of a byte together, so that it is loaded once. */
    return sum8_join(look_up4(plane, tables, 0, 1, 4, split),
                     look_up4(plane, tables, 2, 1, 4, split));
}

/* A step of a digit: all planes, but for 4 bits. */
AVX2_TEMPLATE struct sum8 digit_sum(const uint8_t *cell, const uint8_t *tables, const int width,
                                    const enum part part, const bool split)
{
    const size_t next = plane_bytes(split);
    struct sum8 sum = plane_sum(cell, tables, part, split);

    if (width == TMAC_W1)
        return sum;
    if (width == TMAC_WT)
        return sum8_join(sum, plane_sum(cell + next, tables, part, split));
    sum = sum8_lowest(sum);
    if (width != TMAC_W3)
        return sum8_above(sum, plane_sum(cell + next, tables, part, split));

    /* (sum1 + 2 sum2) * 2 + sum0, but means from below. */
    const struct sum8 middle = plane_sum(cell + next, tables, part, split);
    const struct sum8 top = plane_sum(cell + 2 * next, tables, part, split);
    const struct sum8 upper = sum8_above(middle, top);
    struct sum8 all = sum8_above(sum, upper);
    all.mean = _mm256_avg_epu8(_mm256_avg_epu8(sum.mean, middle.mean), top.mean);
    return all;
}

/* `fold` steps in one reduction. */
AVX2_TEMPLATE struct sum16 digit_total(const struct stream *from, const int width, const int digit,
                                       const enum part part, const int fold, const bool split)
{
    const size_t cell = (size_t)planes_of(width) * plane_bytes(split);
    const uint8_t *codes = from->codes + (size_t)digit * 2 * plane_bytes(split);
    const int planes_log2 = width == TMAC_W1 ? 0 : width == TMAC_WT ? 1 : width == TMAC_W3 ? 3 : 2;
    const int entries_log2 = part == WHOLE_STEP ? 3 : 2;
    struct sum8 sum[4];

    AVX2_UNROLL
    for (int s = 0; s < fold; s++)
        sum[s] = digit_sum(codes + (size_t)s * cell, from->tables + (size_t)s * from->table_stride,
                           width, part, split);
    if (fold == 4)
        sum[0] = sum8_join(sum8_join(sum[0], sum[1]), sum8_join(sum[2], sum[3]));
    if (fold == 2)
        sum[0] = sum8_join(sum[0], sum[1]);
    return sum8_total(sum[0], entries_log2 + planes_log2 + fold / 2);
}

AVX2_TEMPLATE struct sum16 total(const struct stream *from, const int width, const enum part part,
                                 const int fold, const bool split)
{
    const struct sum16 low = digit_total(from, width, 0, part, fold, split);

    if (width != TMAC_W4)
        return low;
    return sum16_add(low, sum16_times4(digit_total(from, width, 1, part, fold, split)));
}

/* What the entries' + 128 adds up to per step. */
AVX2_TEMPLATE int step_bias(const int width, const enum part part)
{
    const int weight = width == TMAC_WT ? 2 : (1 << planes_of(width)) - 1;

    return 128 * weight * (part == WHOLE_STEP ? 8 : 4);
}

/* Up to four steps that fit 16 bits. Totals may wrap on the way: with the bias gone they are at
 * most 127 * 8 * 7 * 4 = 28448 at 3 bits, and 127 * 8 * 15 * 2 = 30480 for two steps of 4 bits. */
AVX2_TEMPLATE struct sum16 steps_total(const struct stream *from, int steps, const int width,
                                       const enum part part, const int fold, const bool split)
{
    const size_t cell = (size_t)planes_of(width) * plane_bytes(split);
    const __m256i bias = _mm256_set1_epi16((short)(-step_bias(width, part) * steps));
    struct stream at = *from;
    struct sum16 sum = {bias, bias};

    for (; steps >= fold; steps -= fold) {
        sum = sum16_add(sum, total(&at, width, part, fold, split));
        at.codes += (size_t)fold * cell;
        at.tables += (size_t)fold * at.table_stride;
    }
    for (; fold > 1 && steps > 0; steps--) {
        sum = sum16_add(sum, total(&at, width, part, 1, split));
        at.codes += cell;
        at.tables += at.table_stride;
    }
    return sum;
}

/* The integer stage of a block. `block_steps` bounds `steps`. */
AVX2_TEMPLATE void block_integer(const struct stream *from, int steps, const int block_steps,
                                 const int width, const enum part part, const bool split,
                                 __m256i rows[4])
{
    const int most = width == TMAC_W3 || width == TMAC_W4 ? 1 : width == TMAC_W2 ? 2 : 4;
    const int fold = block_steps < most ? block_steps : most;
    const int first = width == TMAC_W4 && steps > 2 ? 2 : steps;

    sum16_widen(steps_total(from, block_steps == 1 ? 1 : first, width, part, fold, split), rows);
    if (width == TMAC_W4 && block_steps > 2 && steps > 2) {
        const size_t cell = (size_t)planes_of(width) * plane_bytes(split);
        const struct stream rest = {from->codes + 2 * cell, from->tables + 2 * from->table_stride,
                                    from->table_stride};
        __m256i more[4];

        sum16_widen(steps_total(&rest, steps - 2, width, part, fold, split), more);
        for (int i = 0; i < 4; i++)
            rows[i] = _mm256_add_epi32(rows[i], more[i]);
    }
}

AVX2_TEMPLATE void add_block(const struct tmac_tile *tile, int block, int column,
                             const __m256i rows[4], __m256 acc[4])
{
    const struct avx2_block meta = avx2_block(tile, block, column);

    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        acc[i] = avx2_block_add(&meta, 8 * i, rows[i], acc[i]);
}

/* One column. `block_steps` is 0 for blocks of half a step. */
AVX2_TEMPLATE void lookup_gemv(const struct tmac_tile *tile, const int width,
                               const int block_steps)
{
    const size_t cell = (size_t)planes_of(width) * plane_bytes(false);
    const int advance = block_steps ? block_steps : 1;
    struct stream at = {tile->codes, tile->tables, TABLE_STEP};
    __m256 acc[4];
    __m256i rows[4];

    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        acc[i] = tile->accumulate ? _mm256_loadu_ps(tile->y + 8 * i) : _mm256_setzero_ps();
    for (int s = 0, block = 0; s < tile->steps; s += advance) {
        const int left = tile->steps - s, steps = advance < left ? advance : left;

        for (int i = 0; i < steps; i++)
            avx2_prefetch_cell(at.codes + (size_t)i * cell, cell);
        block_integer(&at, steps, advance, width, block_steps ? WHOLE_STEP : LOW_HALF, false, rows);
        add_block(tile, block++, 0, rows, acc);
        if (!block_steps) {
            block_integer(&at, 1, 1, width, HIGH_HALF, false, rows);
            add_block(tile, block++, 0, rows, acc);
        }
        at.codes += (size_t)advance * cell;
        at.tables += advance * TABLE_STEP;
    }
    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        _mm256_storeu_ps(tile->y + 8 * i, acc[i]);
}

/* Bytes of four half-byte indices for every plane of `steps` cells. */
AVX2_TEMPLATE void split_cells(const uint8_t *codes, int steps, const int width, uint8_t *split)
{
    for (int i = 0; i < steps * planes_of(width); i++) {
        AVX2_UNROLL
        for (int g = 0; g < 8; g++)
            _mm256_store_si256((__m256i *)(split + (i * 8 + g) * ROWS),
                               cell_index(codes + i * 4 * ROWS, g));
    }
}

AVX2_TEMPLATE void add_column(const struct tmac_tile *tile, const struct stream *from, int steps,
                              const int block_steps, int block, int column, const int width,
                              const enum part part)
{
    float *y = tile->y + (size_t)column * tile->y_stride;
    __m256 acc[4];
    __m256i rows[4];

    block_integer(from, steps, block_steps, width, part, true, rows);
    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        acc[i] = _mm256_loadu_ps(y + 8 * i);
    add_block(tile, block, column, rows, acc);
    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        _mm256_storeu_ps(y + 8 * i, acc[i]);
}

/* Several columns: block by block, so that the split indices of a block (at most 4 KB) and the
 * columns' results (at most 1 KB) stay in L1. */
AVX2_TEMPLATE void lookup_gemm(const struct tmac_tile *tile, const int width,
                               const int block_steps)
{
    const size_t cell = (size_t)planes_of(width) * plane_bytes(false);
    const int advance = block_steps ? block_steps : 1;
    const size_t stride = (size_t)tile->columns * TABLE_STEP;
    _Alignas(32) uint8_t split[4 * 4 * 8 * ROWS];

    for (int n = 0; n < tile->columns && !tile->accumulate; n++)
        memset(tile->y + (size_t)n * tile->y_stride, 0, ROWS * sizeof(float));
    for (int s = 0, block = 0; s < tile->steps; s += advance) {
        const int left = tile->steps - s, steps = advance < left ? advance : left;

        split_cells(tile->codes + (size_t)s * cell, steps, width, split);
        for (int n = 0; n < tile->columns; n++) {
            const struct stream at = {
                split, tile->tables + (size_t)s * stride + (size_t)n * TABLE_STEP, stride};
            add_column(tile, &at, steps, advance, block, n, width,
                       block_steps ? WHOLE_STEP : LOW_HALF);
            if (!block_steps)
                add_column(tile, &at, 1, 1, block + 1, n, width, HIGH_HALF);
        }
        block += block_steps ? 1 : 2;
    }
}

AVX2_TEMPLATE void lookup(const struct tmac_tile *tile, const int width)
{
    const bool gemv = tile->columns == 1;

    switch (tile->block_k) {
    case 16:
        return gemv ? lookup_gemv(tile, width, 0) : lookup_gemm(tile, width, 0);
    case 32:
        return gemv ? lookup_gemv(tile, width, 1) : lookup_gemm(tile, width, 1);
    case 64:
        return gemv ? lookup_gemv(tile, width, 2) : lookup_gemm(tile, width, 2);
    default:
        return gemv ? lookup_gemv(tile, width, 4) : lookup_gemm(tile, width, 4);
    }
}

void avx2_lookup_w1(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W1);
}

void avx2_lookup_w2(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W2);
}

void avx2_lookup_w3(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W3);
}

void avx2_lookup_w4(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_W4);
}

void avx2_lookup_wt(const struct tmac_tile *tile)
{
    lookup(tile, TMAC_WT);
}
