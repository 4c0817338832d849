/* SPDX-License-Identifier: MIT
 * Lookup on AVX2, layout ROWS32. */
#include "lookup.h"

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
