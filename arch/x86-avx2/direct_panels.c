/* SPDX-License-Identifier: MIT
 * Layout DIRECT on AVX2, panels of 8 columns: the codes of 8 steps are unpacked once for all of them.
 * What is left per 32 products is a vpmaddubsw and a vpaddw, on ports that share three per cycle two of
 * them, so all else is kept out of the inner loop: VECTORS x 8 rows times COLUMNS columns are summed in
 * registers, codes and activations are loads. */
#include "unpacked.h"

enum {
    VECTORS = 2,
    COLUMNS = 4,
    SUMS = VECTORS * COLUMNS,
    PASSES = EIGHTHS / VECTORS * (TMAC_MAX_PANEL / COLUMNS),
    MOST_BLOCKS = UNPACKED_STEPS * 2 /* of 16 activations */
};

/* A run of steps, whole blocks but for the last, of one panel. */
struct run {
    const struct tmac_tile *tile;
    const uint8_t *codes; /* unpacked */
    const uint8_t *x;
    const float *act_sum; /* [block][column] */
    float *y;
    int steps;
    int first_block;                                        /* its number in the chunk */
    int chain;                                              /* steps whose sums fit 16 bits */
    _Alignas(32) float factor[MOST_BLOCKS][TMAC_MAX_PANEL]; /* of the integers: act_scale * unit */
    _Alignas(32) float offset[MOST_BLOCKS][TMAC_MAX_PANEL]; /* offset * act_sum */
};

/* Where a pass over a block, for some rows and columns, reads. */
struct pass {
    const uint8_t *codes, *x;
    int eighth, column; /* the first */
};

/* Adds the groups of 4 activations [begin, end) of a step; the first may be the `start` of the sums. */
AVX2_TEMPLATE void add_step(const struct pass *at, int step, const int begin, const int end,
                            const bool start, __m256i sum[SUMS])
{
    const uint8_t *codes = at->codes + step * STEP_CODES;
    const uint8_t *x = at->x + step * TMAC_STEP_K * TMAC_MAX_PANEL;

    AVX2_UNROLL
    for (int g = begin; g < end; g++) {
        __m256i rows[VECTORS];

        AVX2_UNROLL
        for (int v = 0; v < VECTORS; v++)
            rows[v] = avx2_load(codes + (g * EIGHTHS + v) * 32);
        AVX2_UNROLL
        for (int n = 0; n < COLUMNS; n++) {
            int32_t four;
            memcpy(&four, x + 4 * (g * TMAC_MAX_PANEL + n), sizeof four);
            AVX2_UNROLL
            for (int v = 0; v < VECTORS; v++) {
                const __m256i product = _mm256_maddubs_epi16(rows[v], _mm256_set1_epi32(four));
                __m256i *to = &sum[n * VECTORS + v];
                *to = start && g == begin ? product : avx2_here(_mm256_add_epi16(*to, product));
            }
        }
    }
}

AVX2_TEMPLATE void widen(__m256i sum[SUMS])
{
    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm256_madd_epi16(sum[i], _mm256_set1_epi16(1));
}

/* Steps [step, end) of a block, as many as fit 16 bits at a time. */
AVX2_TEMPLATE void sum_steps(const struct pass *at, int step, int end, int chain, __m256i sum[SUMS])
{
    __m256i total[SUMS];

    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        total[i] = _mm256_setzero_si256();
    while (step < end) {
        const int stop = step + chain < end ? step + chain : end;

        add_step(at, step++, 0, GROUPS, true, sum);
        for (; step < stop; step++)
            add_step(at, step, 0, GROUPS, false, sum);
        widen(sum);
        AVX2_UNROLL
        for (int i = 0; i < SUMS; i++)
            total[i] = _mm256_add_epi32(total[i], sum[i]);
    }
    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        sum[i] = total[i];
}

/* The float stage of struct tmac_tile for block `block` of the run. */
AVX2_TEMPLATE void add_floats(const struct run *run, int block, const struct pass *at,
                              const __m256i sum[SUMS], const bool minimum)
{
    const struct tmac_tile *tile = run->tile;
    const size_t scales = (size_t)((run->first_block + block) >> tile->block_shift) *
                              tile->scale_stride / sizeof(float) +
                          (size_t)(8 * at->eighth);
    const float *act_sum = run->act_sum + block * TMAC_MAX_PANEL + at->column;
    float *y = run->y + (size_t)at->column * tile->y_stride + 8 * at->eighth;
    __m256 scale[VECTORS], least[VECTORS];

    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++) {
        scale[v] = _mm256_loadu_ps((const float *)tile->scale + scales + 8 * v);
        if (minimum)
            least[v] = _mm256_loadu_ps((const float *)tile->minimum + scales + 8 * v);
    }
    AVX2_UNROLL
    for (int n = 0; n < COLUMNS; n++, y += tile->y_stride) {
        const __m256 factor = _mm256_broadcast_ss(&run->factor[block][at->column + n]);
        const __m256 offset = _mm256_broadcast_ss(&run->offset[block][at->column + n]);
        AVX2_UNROLL
        for (int v = 0; v < VECTORS; v++) {
            const __m256 t =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[n * VECTORS + v]), factor, offset);
            __m256 acc = _mm256_fmadd_ps(scale[v], t, _mm256_loadu_ps(y + 8 * v));

            if (minimum)
                acc = _mm256_fmadd_ps(least[v], _mm256_broadcast_ss(act_sum + n), acc);
            _mm256_storeu_ps(y + 8 * v, acc);
        }
    }
}

/* Block `block` of the run: steps [step, end), of each the groups [begin, group_end). */
AVX2_TEMPLATE void add_block(const struct run *run, int block, int step, int end, const int begin,
                             const int group_end, const bool several, const bool minimum)
{
    for (int p = 0; p < PASSES; p++) {
        const int eighth = p % (EIGHTHS / VECTORS) * VECTORS;
        const int column = p / (EIGHTHS / VECTORS) * COLUMNS;
        const struct pass at = {run->codes + 32 * eighth, run->x + 4 * column, eighth, column};
        __m256i sum[SUMS];

        if (several) {
            sum_steps(&at, step, end, run->chain, sum);
        } else {
            add_step(&at, step, begin, group_end, true, sum);
            widen(sum);
        }
        add_floats(run, block, &at, sum, minimum);
    }
}

AVX2_TEMPLATE void add_blocks(const struct run *run, const int block_k, const bool minimum)
{
    const int block_steps = block_k ? 1 : run->tile->block_k / TMAC_STEP_K;

    for (int step = 0, block = 0; step < run->steps; step += block_steps, block++) {
        const int left = run->steps - step;

        if (block_k == 16) {
            add_block(run, block++, step, 0, 0, GROUPS / 2, false, minimum);
            add_block(run, block, step, 0, GROUPS / 2, GROUPS, false, minimum);
        } else if (block_k == 32) {
            add_block(run, block, step, 0, 0, GROUPS, false, minimum);
        } else {
            add_block(run, block, step, step + (block_steps < left ? block_steps : left), 0, GROUPS,
                      true, minimum);
        }
    }
}

AVX2_TEMPLATE void add_run(const struct run *run, const bool minimum)
{
    if (run->tile->block_k == 16)
        add_blocks(run, 16, minimum);
    else if (run->tile->block_k == 32)
        add_blocks(run, 32, minimum);
    else
        add_blocks(run, 0, minimum);
}

/* Points the run at the steps from `step` on of a panel. */
static void run_begin(struct run *run, int step, int panel)
{
    const struct tmac_tile *tile = run->tile;
    const int block = step * TMAC_STEP_K / tile->block_k;
    const int blocks = (run->steps * TMAC_STEP_K + tile->block_k - 1) / tile->block_k;
    const size_t panel_bytes = (size_t)panel * tile->panel_stride;
    const size_t numbers = panel_bytes + (size_t)(block * TMAC_MAX_PANEL) * sizeof(float);
    const float *act_scale =
        (const float *)(const void *)((const uint8_t *)tile->act_scale + numbers);

    run->x = tile->tables + panel_bytes + (size_t)(step * TMAC_STEP_K * TMAC_MAX_PANEL);
    run->act_sum = (const float *)(const void *)((const uint8_t *)tile->act_sum + numbers);
    run->first_block = block;
    run->y = tile->y + (size_t)(panel * TMAC_MAX_PANEL) * tile->y_stride;
    for (int b = 0; b < blocks; b++) {
        const __m256 scales = _mm256_loadu_ps(act_scale + b * TMAC_MAX_PANEL);
        const __m256 sums = _mm256_loadu_ps(run->act_sum + b * TMAC_MAX_PANEL);

        _mm256_store_ps(run->factor[b], _mm256_mul_ps(_mm256_set1_ps(tile->unit), scales));
        _mm256_store_ps(run->offset[b], _mm256_mul_ps(_mm256_set1_ps(tile->offset), sums));
    }
}

static void add_panels(struct run *run, int step, struct ahead *ahead)
{
    for (int panel = 0; panel < run->tile->panels; panel++) {
        ahead_prefetch_part(ahead);
        run_begin(run, step, panel);
        if (run->tile->minimum)
            add_run(run, true);
        else
            add_run(run, false);
    }
}

AVX2_TEMPLATE void panels(const struct tmac_tile *tile, const int width)
{
    struct unpacked unpacked;
    struct run run = {.tile = tile, .codes = unpacked.codes, .chain = steps_in_16_bits(width)};

    for (int n = 0; n < TMAC_MAX_PANEL * tile->panels && !tile->accumulate; n++)
        memset(tile->y + (size_t)n * tile->y_stride, 0, ROWS * sizeof(float));
    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const uint8_t *cells = tile->codes + (size_t)step * cell_bytes(width);
        struct ahead ahead = ahead_of(cells, width, tile->panels);
        const int left = tile->steps - step;

        run.steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;
        unpack_steps(cells, run.steps, width, unpacked.codes);
        add_panels(&run, step, &ahead);
    }
}

void avx2_direct_panels(const struct tmac_tile *tile, int width)
{
    switch (width) {
    case TMAC_W1:
        panels(tile, TMAC_W1);
        break;
    case TMAC_W2:
        panels(tile, TMAC_W2);
        break;
    case TMAC_W3:
        panels(tile, TMAC_W3);
        break;
    default:
        panels(tile, TMAC_W4);
    }
}
