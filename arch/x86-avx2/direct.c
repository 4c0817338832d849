/* SPDX-License-Identifier: MIT
 * Direct on AVX2: a 32-bit lane is a row, its four bytes four neighbouring activations. vpmaddubsw
 * multiplies unsigned codes with int8 activations and adds neighbours. */
#include "direct_codes.h"

/* Where a pass reads: `vectors` of 8 rows and `columns`, both constants. */
struct pass {
    const uint8_t *cell;
    const uint8_t *activations; /* [g][all columns][4] */
    int all_columns;
    int eighth; /* the first of the vectors */
};

/* Adds group g of a step in 16 bits. */
AVX2_TEMPLATE void add_group(const struct pass *at, const int g, const int vectors,
                             const int columns, const int width, __m256i *sum)
{
    const uint8_t *group = at->activations + g * at->all_columns * 4;
    __m256i codes[4];

    AVX2_UNROLL
    for (int v = 0; v < vectors; v++)
        codes[v] = code(at->cell, g, at->eighth + v, width);
    AVX2_UNROLL
    for (int n = 0; n < columns; n++) {
        int32_t four;
        memcpy(&four, group + 4 * n, sizeof four);
        AVX2_UNROLL
        for (int v = 0; v < vectors; v++) {
            const __m256i product = _mm256_maddubs_epi16(codes[v], _mm256_set1_epi32(four));
            sum[n * vectors + v] = avx2_here(_mm256_add_epi16(sum[n * vectors + v], product));
        }
    }
}

/* Adds the groups [begin, end) of a step, those that share bytes of a cell one after the other. */
AVX2_TEMPLATE void add_groups(const struct pass *at, const int begin, const int end,
                              const int vectors, const int columns, const int width, __m256i *sum)
{
    const int sharing = width == TMAC_W4 ? 4 : width == TMAC_W1 ? 1 : 2;

    AVX2_UNROLL
    for (int z = 0; z < sharing; z++) {
        AVX2_UNROLL
        for (int g = z; g < GROUPS; g += sharing)
            if (g >= begin && g < end)
                add_group(at, g, vectors, columns, width, sum);
    }
}

/* The sum of `steps` steps that fit 16 bits, or of the groups [begin, end) of one step. */
AVX2_TEMPLATE void sum_steps(struct pass *at, const int begin, const int end, int steps,
                             const int vectors, const int columns, const int width,
                             __m256i *integer)
{
    __m256i sum[8];

    AVX2_UNROLL
    for (int i = 0; i < vectors * columns; i++)
        sum[i] = _mm256_setzero_si256();
    for (int s = 0; s < steps; s++) {
        if (columns == 1)
            avx2_prefetch(at->cell, cell_bytes(width));
        add_groups(at, begin, end, vectors, columns, width, sum);
        if (end == GROUPS) {
            at->cell += cell_bytes(width);
            at->activations += GROUPS * 4 * at->all_columns;
        }
    }
    AVX2_UNROLL
    for (int i = 0; i < vectors * columns; i++)
        integer[i] = _mm256_madd_epi16(sum[i], _mm256_set1_epi16(1));
}

AVX2_TEMPLATE void sum_block(struct pass *at, int steps, const int vectors, const int columns,
                             const int width, __m256i *integer)
{
    const int most = steps_in_16_bits(width);

    sum_steps(at, 0, GROUPS, steps < most ? steps : most, vectors, columns, width, integer);
    for (steps -= most; steps > 0; steps -= most) {
        __m256i more[8];

        sum_steps(at, 0, GROUPS, steps < most ? steps : most, vectors, columns, width, more);
        AVX2_UNROLL
        for (int i = 0; i < vectors * columns; i++)
            integer[i] = _mm256_add_epi32(integer[i], more[i]);
    }
}

AVX2_TEMPLATE void add_block(const struct tmac_tile *tile, int block, int column, int eighth,
                             const int vectors, const int columns, const bool half,
                             const __m256i *integer, __m256 *acc)
{
    AVX2_UNROLL
    for (int n = 0; n < columns; n++) {
        const struct avx2_block meta =
            avx2_block(tile, block, column + n, tile->columns, tile->minimum != NULL, half);

        AVX2_UNROLL
        for (int v = 0; v < vectors; v++)
            acc[n * vectors + v] =
                avx2_block_add(&meta, 8 * (eighth + v),
                               _mm256_cvtepi32_ps(integer[n * vectors + v]), acc[n * vectors + v]);
    }
}

/* Some rows and columns of a tile, all blocks. */
AVX2_TEMPLATE void multiply_pass(const struct tmac_tile *tile, int column, int eighth,
                                 const int vectors, const int columns, const int block_k,
                                 const int width, const bool half)
{
    struct pass at = {tile->codes, tile->tables + 4 * column, tile->columns, eighth};
    float *y = tile->y + (size_t)column * tile->y_stride + 8 * eighth;
    const int block_steps = block_k == 32 ? 1 : tile->block_k / TMAC_STEP_K;
    __m256 acc[8];
    __m256i integer[8];

    AVX2_UNROLL
    for (int i = 0; i < vectors * columns; i++)
        acc[i] = tile->accumulate
                     ? _mm256_loadu_ps(y + (size_t)(i / vectors) * tile->y_stride + i % vectors * 8)
                     : _mm256_setzero_ps();
    if (block_k == 16) {
        for (int s = 0; s < tile->steps; s++) {
            sum_steps(&at, 0, GROUPS / 2, 1, vectors, columns, width, integer);
            add_block(tile, 2 * s, column, eighth, vectors, columns, half, integer, acc);
            sum_steps(&at, GROUPS / 2, GROUPS, 1, vectors, columns, width, integer);
            add_block(tile, 2 * s + 1, column, eighth, vectors, columns, half, integer, acc);
        }
    } else {
        for (int s = 0, block = 0; s < tile->steps; s += block_steps, block++) {
            const int left = tile->steps - s;
            sum_block(&at, block_k == 32 || block_steps < left ? block_steps : left, vectors,
                      columns, width, integer);
            add_block(tile, block, column, eighth, vectors, columns, half, integer, acc);
        }
    }
    AVX2_UNROLL
    for (int i = 0; i < vectors * columns; i++)
        _mm256_storeu_ps(y + (size_t)(i / vectors) * tile->y_stride + i % vectors * 8, acc[i]);
}

/* Passes keep 8 sums at most in registers: 4 vectors of rows for one column, 2 for more. */
AVX2_TEMPLATE void multiply(const struct tmac_tile *tile, const int block_k, const int width)
{
    if (tile->columns == 1) {
        if (block_k != 16 && tile->half)
            multiply_pass(tile, 0, 0, 4, 1, block_k, width, true);
        else
            multiply_pass(tile, 0, 0, 4, 1, block_k, width, false);
        return;
    }
    for (int eighth = 0; eighth < 4; eighth += 2) {
        if (tile->columns == 2)
            multiply_pass(tile, 0, eighth, 2, 2, block_k, width, false);
        else
            for (int column = 0; column < tile->columns; column += 4)
                multiply_pass(tile, column, eighth, 2, 4, block_k, width, false);
    }
}

AVX2_TEMPLATE void direct(const struct tmac_tile *tile, const int width)
{
    if (tile->columns > 1) {
        avx2_direct_panels(tile, width);
        return;
    }
    switch (tile->block_k) {
    case 16:
        multiply(tile, 16, width);
        break;
    case 32:
        multiply(tile, 32, width);
        break;
    default:
        multiply(tile, 0, width);
    }
}

void avx2_direct_w1(const struct tmac_tile *tile)
{
    direct(tile, TMAC_W1);
}

void avx2_direct_w2(const struct tmac_tile *tile)
{
    direct(tile, TMAC_W2);
}

void avx2_direct_w3(const struct tmac_tile *tile)
{
    direct(tile, TMAC_W3);
}

void avx2_direct_w4(const struct tmac_tile *tile)
{
    direct(tile, TMAC_W4);
}
