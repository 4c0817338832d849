/* SPDX-License-Identifier: MIT
 * Direct on AVX2: a 32-bit lane is a row, its four bytes four neighbouring activations. vpmaddubsw
 * multiplies unsigned codes with int8 activations and adds neighbours. Here one input, in
 * direct_panels.c several. */
#include "direct_codes.h"

enum { VECTORS = 4 }; /* of 8 rows */

/* Where the next step is. */
struct place {
    const uint8_t *cell;
    const uint8_t *activations; /* [g][4] */
};

/* Adds group g of a step in 16 bits. */
AVX2_TEMPLATE void add_group(const struct place *at, const int g, const int width, __m256i *sum)
{
    int32_t four;

    memcpy(&four, at->activations + 4 * g, sizeof four);
    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++) {
        const __m256i codes = code(at->cell, g, v, width);
        const __m256i product = _mm256_maddubs_epi16(codes, _mm256_set1_epi32(four));
        sum[v] = avx2_here(_mm256_add_epi16(sum[v], product));
    }
}

/* Adds the groups [begin, end) of a step, those that share bytes of a cell one after the other. */
AVX2_TEMPLATE void add_groups(const struct place *at, const int begin, const int end,
                              const int width, __m256i *sum)
{
    const int sharing = groups_sharing(width);

    AVX2_UNROLL
    for (int z = 0; z < sharing; z++) {
        AVX2_UNROLL
        for (int g = begin + z; g < end; g += sharing)
            add_group(at, g, width, sum);
    }
}

/* The sum of `steps` steps that fit 16 bits, or of the groups [begin, end) of one step. */
AVX2_TEMPLATE void sum_steps(struct place *at, const int begin, const int end, int steps,
                             const int width, __m256i *integer)
{
    __m256i sum[VECTORS];

    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++)
        sum[v] = _mm256_setzero_si256();
    for (int s = 0; s < steps; s++) {
        avx2_prefetch(at->cell, cell_bytes(width));
        add_groups(at, begin, end, width, sum);
        if (end == GROUPS) {
            at->cell += cell_bytes(width);
            at->activations += GROUPS * 4;
        }
    }
    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++)
        integer[v] = _mm256_madd_epi16(sum[v], _mm256_set1_epi16(1));
}

AVX2_TEMPLATE void sum_block(struct place *at, int steps, const int width, __m256i *integer)
{
    const int most = steps_in_16_bits(width);

    sum_steps(at, 0, GROUPS, steps < most ? steps : most, width, integer);
    for (steps -= most; steps > 0; steps -= most) {
        __m256i more[VECTORS];

        sum_steps(at, 0, GROUPS, steps < most ? steps : most, width, more);
        AVX2_UNROLL
        for (int v = 0; v < VECTORS; v++)
            integer[v] = _mm256_add_epi32(integer[v], more[v]);
    }
}

AVX2_TEMPLATE void add_block(const struct tmac_tile *tile, int block, const bool half,
                             const __m256i *integer, __m256 *acc)
{
    const struct avx2_block meta = avx2_block(tile, block, 0, 1, tile->minimum != NULL, half);

    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++)
        acc[v] = avx2_block_add(&meta, 8 * v, _mm256_cvtepi32_ps(integer[v]), acc[v]);
}

/* All blocks of a tile; `block_k` is 16, 32, or 0 for more. */
AVX2_TEMPLATE void multiply(const struct tmac_tile *tile, const int block_k, const int width,
                            const bool half)
{
    struct place at = {tile->codes, tile->tables};
    const int block_steps = block_k ? 1 : tile->block_k / TMAC_STEP_K;
    __m256 acc[VECTORS];
    __m256i integer[VECTORS];

    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++)
        acc[v] = tile->accumulate ? _mm256_loadu_ps(tile->y + 8 * v) : _mm256_setzero_ps();
    for (int s = 0, block = 0; s < tile->steps; s += block_steps, block++) {
        const int left = tile->steps - s;

        if (block_k == 16) {
            sum_steps(&at, 0, GROUPS / 2, 1, width, integer);
            add_block(tile, block++, half, integer, acc);
            sum_steps(&at, GROUPS / 2, GROUPS, 1, width, integer);
        } else {
            sum_block(&at, block_k == 32 || block_steps < left ? block_steps : left, width,
                      integer);
        }
        add_block(tile, block, half, integer, acc);
    }
    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++)
        _mm256_storeu_ps(tile->y + 8 * v, acc[v]);
}

AVX2_TEMPLATE void multiply_half(const struct tmac_tile *tile, const int block_k, const int width)
{
    if (block_k != 16 && tile->half)
        multiply(tile, block_k, width, true);
    else
        multiply(tile, block_k, width, false);
}

AVX2_TEMPLATE void direct(const struct tmac_tile *tile, const int width)
{
    if (tile->batch > 1) {
        avx2_direct_panels(tile, width);
        return;
    }
    switch (tile->block_k) {
    case 16:
        multiply_half(tile, 16, width);
        break;
    case 32:
        multiply_half(tile, 32, width);
        break;
    default:
        multiply_half(tile, 0, width);
    }
}

static void direct_w1(const struct tmac_tile *tile)
{
    direct(tile, TMAC_WIDTH_1);
}

static void direct_w2(const struct tmac_tile *tile)
{
    direct(tile, TMAC_WIDTH_2);
}

static void direct_w3(const struct tmac_tile *tile)
{
    direct(tile, TMAC_WIDTH_3);
}

static void direct_w4(const struct tmac_tile *tile)
{
    direct(tile, TMAC_WIDTH_4);
}

/* Ternary codes are stored and multiplied as 2 bits. */
void avx2_direct(const struct tmac_tile *tile)
{
    switch (tile->width) {
    case TMAC_WIDTH_1:
        direct_w1(tile);
        break;
    case TMAC_WIDTH_3:
        direct_w3(tile);
        break;
    case TMAC_WIDTH_4:
        direct_w4(tile);
        break;
    default:
        direct_w2(tile);
    }
}
