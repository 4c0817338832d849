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

AVX2_TEMPLATE size_t step_bytes(const int width, const bool split)
{
    return (size_t)planes_of(width) * plane_bytes(split);
}

/* Indices from 32 bytes of a cell, for its low and high half-bytes. The bytes are read twice, as
 * operands of the AND and of the XOR: a load of its own would be one more micro-operation, and these
 * kernels are bound by the four that a core can start in a cycle. `again` is `at`, but the compiler
 * must not know, for it would join the loads. */
AVX2_TEMPLATE __m256i low_index(const uint8_t *at)
{
    return _mm256_and_si256(_mm256_set1_epi8(15), avx2_load(at));
}

AVX2_TEMPLATE __m256i high_index(__m256i low, const uint8_t *again)
{
    return _mm256_srli_epi16(_mm256_xor_si256(low, avx2_load(again)), 4);
}

AVX2_TEMPLATE __m256i load_table(const uint8_t *tables, const int g)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(tables + 16 * g)));
}

AVX2_TEMPLATE struct sum8 look_up(__m256i table0, __m256i index0, __m256i table1, __m256i index1)
{
    const __m256i a = _mm256_shuffle_epi8(table0, index0);
    const __m256i b = _mm256_shuffle_epi8(table1, index1);

    return (struct sum8){avx2_here(_mm256_add_epi8(a, b)), _mm256_avg_epu8(a, b)};
}

/* Tables j and 4 + j, which share the bytes of a cell, or of a half step 2j and 2j + 1. Every plane
 * uses a table while it is in a register. */
AVX2_TEMPLATE void look_up2(const uint8_t *step, const uint8_t *again, const uint8_t *tables,
                            const int j, const enum part part, const int planes, const bool split,
                            struct sum8 *sum)
{
    const int g0 = part == WHOLE_STEP ? j : 2 * j + (part == HIGH_HALF ? 4 : 0);
    const int g1 = part == WHOLE_STEP ? j + 4 : g0 + 1;
    const __m256i table0 = load_table(tables, g0), table1 = load_table(tables, g1);

    AVX2_UNROLL
    for (int p = 0; p < planes; p++) {
        const size_t plane = (size_t)p * plane_bytes(split);
        const size_t at0 = plane + (size_t)(split ? g0 : g0 % 4) * ROWS;
        const size_t at1 = plane + (size_t)(split ? g1 : g1 % 4) * ROWS;
        __m256i index0, index1;

        if (split) {
            index0 = avx2_load(step + at0);
            index1 = avx2_load(step + at1);
        } else {
            index0 = low_index(step + at0);
            index1 = part == WHOLE_STEP ? high_index(index0, again + at1) : low_index(step + at1);
            if (part == HIGH_HALF) {
                index0 = high_index(index0, again + at0);
                index1 = high_index(index1, again + at1);
            }
        }
        sum[p] = look_up(table0, index0, table1, index1);
    }
}

AVX2_TEMPLATE void join_planes(struct sum8 *sum, const struct sum8 *other, const int planes)
{
    AVX2_UNROLL
    for (int p = 0; p < planes; p++)
        sum[p] = sum8_join(sum[p], other[p]);
}

AVX2_TEMPLATE void look_up4(const uint8_t *step, const uint8_t *again, const uint8_t *tables,
                            const int j, const enum part part, const int planes, const bool split,
                            struct sum8 *sum)
{
    struct sum8 other[3];

    look_up2(step, again, tables, j, part, planes, split, sum);
    look_up2(step, again, tables, j + 1, part, planes, split, other);
    join_planes(sum, other, planes);
}

/* (sum2 * 2 + sum1) * 2 + sum0 from above, the means from below. */
AVX2_TEMPLATE struct sum8 join_weighted(const struct sum8 *sum, const int width)
{
    struct sum8 all;

    if (width == TMAC_W1)
        return sum[0];
    if (width == TMAC_WT)
        return sum8_join(sum[0], sum[1]);
    all = sum8_above(sum8_lowest(sum[0]), sum[1]);
    if (width == TMAC_W3) {
        const struct sum8 upper = sum8_above(sum[1], sum[2]);
        all.sum = sum8_above(sum[0], upper).sum;
        all.mean = _mm256_avg_epu8(all.mean, sum[2].mean);
    }
    return all;
}

/* A step of a digit: all planes, but for 4 bits. */
AVX2_TEMPLATE struct sum8 digit_sum(const uint8_t *step, const uint8_t *tables, const int width,
                                    const enum part part, const bool split)
{
    const int planes = width == TMAC_W4 ? 2 : planes_of(width);
    const uint8_t *again = avx2_opaque(step);
    struct sum8 sum[3], other[3];

    look_up4(step, again, tables, 0, part, planes, split, sum);
    if (part == WHOLE_STEP) {
        look_up4(step, again, tables, 2, part, planes, split, other);
        join_planes(sum, other, planes);
    }
    return join_weighted(sum, width);
}

/* `fold` steps in one reduction. */
AVX2_TEMPLATE struct sum16 digit_total(const struct stream *from, const int width, const int digit,
                                       const enum part part, const int fold, const bool split)
{
    const uint8_t *codes = from->codes + (size_t)digit * 2 * plane_bytes(split);
    const int planes_log2 = width == TMAC_W1 ? 0 : width == TMAC_WT ? 1 : width == TMAC_W3 ? 3 : 2;
    const int entries_log2 = part == WHOLE_STEP ? 3 : 2;
    struct sum8 sum[4];

    AVX2_UNROLL
    for (int s = 0; s < fold; s++) {
        sum[s] = digit_sum(codes + (size_t)s * step_bytes(width, split),
                           from->tables + (size_t)s * from->table_stride, width, part, split);
        if (s % 2)
            sum[s - 1] = sum8_join(sum[s - 1], sum[s]);
    }
    if (fold == 4)
        sum[0] = sum8_join(sum[0], sum[2]);
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

AVX2_TEMPLATE void advance(struct stream *at, const int steps, const size_t bytes)
{
    at->codes += (size_t)steps * bytes;
    at->tables += (size_t)steps * at->table_stride;
}

/* Steps that one reduction takes: see sums.h. */
AVX2_TEMPLATE int most_folded(const int width)
{
    return width == TMAC_W3 || width == TMAC_W4 ? 1 : width == TMAC_W2 ? 2 : 4;
}

/* The integers, as floats, of steps that fit 16 bits without a sign: 255 * 8 * 7 * 4 = 57120 at 3
 * bits, and for two steps of 4 bits 255 * 8 * 15 * 2 = 61200. */
AVX2_TEMPLATE void short_integer(struct stream *at, const int steps, const int width,
                                 const enum part part, const bool split, __m256 rows[4])
{
    const int most = most_folded(width), fold = steps < most ? steps : most;
    const __m256 bias = _mm256_set1_ps(0x1p23f + (float)(step_bias(width, part) * steps));
    struct sum16 sum = total(at, width, part, fold, split);

    advance(at, fold, step_bytes(width, split));
    for (int s = fold; s < steps; s += fold) {
        sum = sum16_add(sum, total(at, width, part, fold, split));
        advance(at, fold, step_bytes(width, split));
    }
    sum16_to_f32(sum, bias, rows);
}

AVX2_TEMPLATE void block_integer(struct stream *at, const int steps, const int width,
                                 const enum part part, const bool split, __m256 rows[4])
{
    const bool widened = width == TMAC_W4 && steps > 2;
    __m256 more[4];

    short_integer(at, widened ? 2 : steps, width, part, split, rows);
    if (widened) {
        short_integer(at, steps - 2, width, part, split, more);
        for (int i = 0; i < 4; i++)
            rows[i] = _mm256_add_ps(rows[i], more[i]);
    }
}

/* Adds up bytes of one step, 32 rows, in the order of the rows. */
static void add_bytes(__m256i bytes, int weight, int32_t sum[ROWS])
{
    uint8_t row[ROWS];

    avx2_store(row, bytes);
    for (int r = 0; r < ROWS; r++)
        sum[r] += (row[r] - 128) * weight;
}

/* The last block of a chunk, where it is short, of any width: rare enough to be small and slow. */
static __attribute__((noinline)) void rest_integer(struct stream at, int steps, enum tmac_w width,
                                                   __m256 rows[4])
{
    const size_t step = step_bytes((int)width, false);
    int32_t sum[ROWS] = {0};

    for (; steps > 0; steps--, advance(&at, 1, step))
        for (int p = 0; p < planes_of((int)width); p++)
            for (int g = 0; g < 8; g++) {
                const uint8_t *bytes = at.codes + (p * 4 + g % 4) * ROWS;
                const __m256i low = low_index(bytes);
                const __m256i index = g < 4 ? low : high_index(low, bytes);
                add_bytes(_mm256_shuffle_epi8(load_table(at.tables, g), index),
                          width == TMAC_WT ? 1 : 1 << p, sum);
            }
    for (int i = 0; i < 4; i++)
        rows[i] = _mm256_cvtepi32_ps(avx2_load((const uint8_t *)(sum + 8 * i)));
}

AVX2_TEMPLATE void add_block(const struct avx2_block *block, const __m256 rows[4], __m256 acc[4])
{
    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        acc[i] = avx2_block_add(block, 8 * i, rows[i], acc[i]);
}

/* Where the results of a column come from and go to. */
AVX2_TEMPLATE void load_rows(const float *y, __m256 acc[4])
{
    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        acc[i] = y ? _mm256_loadu_ps(y + 8 * i) : _mm256_setzero_ps();
}

AVX2_TEMPLATE void store_rows(const __m256 acc[4], float *y)
{
    AVX2_UNROLL
    for (int i = 0; i < 4; i++)
        _mm256_storeu_ps(y + 8 * i, acc[i]);
}

/* One column. `block_steps` is 0 for blocks of half a step. */
AVX2_TEMPLATE void lookup_gemv(const struct tmac_tile *tile, const int width, const int block_steps,
                               const bool minimum, const bool half)
{
    const int most = block_steps ? block_steps : 1;
    struct stream at = {tile->codes, tile->tables, TABLE_STEP};
    int number = 0, left = tile->steps;
    struct avx2_block block;
    __m256 acc[4], rows[4];

    load_rows(tile->accumulate ? tile->y : NULL, acc);
    for (; left >= most; left -= most) {
        avx2_prefetch(at.codes, step_bytes(width, false) * (size_t)most);
        block = avx2_block(tile, number++, 0, 1, minimum, half);
        if (!block_steps) {
            struct stream same = at;
            block_integer(&same, 1, width, LOW_HALF, false, rows);
            add_block(&block, rows, acc);
            block = avx2_block(tile, number++, 0, 1, minimum, half);
        }
        block_integer(&at, most, width, block_steps ? WHOLE_STEP : HIGH_HALF, false, rows);
        add_block(&block, rows, acc);
    }
    if (most > 1 && left > 0) {
        block = avx2_block(tile, number, 0, 1, minimum, half);
        rest_integer(at, left, width, rows);
        add_block(&block, rows, acc);
    }
    store_rows(acc, tile->y);
}

/* Half-bytes to bytes for every plane of `steps` cells. */
AVX2_TEMPLATE void split_cells(const uint8_t *codes, int steps, const int width, uint8_t *split)
{
    for (int i = 0; i < steps * planes_of(width); i++, codes += 4 * ROWS, split += 8 * ROWS) {
        AVX2_UNROLL
        for (int j = 0; j < 4; j++) {
            const __m256i low = low_index(codes + j * ROWS);
            avx2_store(split + j * ROWS, low);
            avx2_store(split + (4 + j) * ROWS, high_index(low, codes + j * ROWS));
        }
    }
}

AVX2_TEMPLATE void add_column(const struct tmac_tile *tile, int number, int column,
                              const __m256 rows[4])
{
    const struct avx2_block block =
        avx2_block(tile, number, column, tile->columns, tile->minimum != NULL, false);
    float *y = tile->y + (size_t)column * tile->y_stride;
    __m256 acc[4];

    load_rows(y, acc);
    add_block(&block, rows, acc);
    store_rows(acc, y);
}

/* All columns of a block whose indices are split. */
AVX2_TEMPLATE void add_columns(const struct tmac_tile *tile, struct stream at, int number,
                               const int steps, const int width, const enum part part)
{
    for (int n = 0; n < tile->columns; n++, at.tables += TABLE_STEP) {
        struct stream from = at;
        __m256 rows[4];

        block_integer(&from, steps, width, part, true, rows);
        add_column(tile, number, n, rows);
    }
}

static __attribute__((noinline)) void add_rest(const struct tmac_tile *tile, struct stream at,
                                               int number, int steps)
{
    for (int n = 0; n < tile->columns; n++, at.tables += TABLE_STEP) {
        __m256 rows[4];

        rest_integer(at, steps, tile->width, rows);
        add_column(tile, number, n, rows);
    }
}

/* Several columns: block by block, so that the split indices of a block (at most 4 KB) and the
 * columns' results (at most 1 KB) stay in L1. */
AVX2_TEMPLATE void lookup_gemm(const struct tmac_tile *tile, const int width, const int block_steps)
{
    const int most = block_steps ? block_steps : 1;
    _Alignas(32) uint8_t split[4 * 4 * 8 * ROWS];
    struct stream at = {split, tile->tables, (size_t)tile->columns * TABLE_STEP};
    const uint8_t *codes = tile->codes;
    int number = 0, left = tile->steps;

    for (int n = 0; n < tile->columns && !tile->accumulate; n++)
        memset(tile->y + (size_t)n * tile->y_stride, 0, ROWS * sizeof(float));
    for (; left >= most; left -= most, number++) {
        split_cells(codes, most, width, split);
        if (!block_steps)
            add_columns(tile, at, number++, 1, width, LOW_HALF);
        add_columns(tile, at, number, most, width, block_steps ? WHOLE_STEP : HIGH_HALF);
        codes += (size_t)most * step_bytes(width, false);
        at.tables += (size_t)most * at.table_stride;
    }
    if (most > 1 && left > 0) {
        at.codes = codes;
        add_rest(tile, at, number, left);
    }
}

AVX2_TEMPLATE void lookup_blocks(const struct tmac_tile *tile, const int width,
                                 const int block_steps)
{
    const bool minimum = tile->minimum != NULL;

    if (tile->columns > 1)
        lookup_gemm(tile, width, block_steps);
    else if (block_steps == 0 || !tile->half)
        lookup_gemv(tile, width, block_steps, minimum, false);
    else if (block_steps == 1 && !minimum)
        lookup_gemv(tile, width, block_steps, false, true);
    else
        lookup_gemv(tile, width, block_steps, minimum, true);
}

AVX2_TEMPLATE void lookup(const struct tmac_tile *tile, const int width)
{
    switch (tile->block_k) {
    case 16:
        lookup_blocks(tile, width, 0);
        break;
    case 32:
        lookup_blocks(tile, width, 1);
        break;
    case 64:
        lookup_blocks(tile, width, 2);
        break;
    default:
        lookup_blocks(tile, width, 4);
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
