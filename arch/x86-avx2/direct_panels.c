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
    MOST_BLOCKS = UNPACKED_STEPS * 2 /* of 16 activations */
};

/* What a block brings to the float stage of struct tmac_tile, by column. */
struct block {
    _Alignas(32) float factor[TMAC_MAX_PANEL]; /* act_scale * unit */
    float offset[TMAC_MAX_PANEL];              /* offset * act_sum */
    float sum[TMAC_MAX_PANEL];                 /* act_sum */
};

/* A run of steps, whole blocks but for the last, of one panel. */
struct run {
    const struct tmac_tile *tile;
    const uint8_t *codes; /* unpacked */
    const uint8_t *x;
    float *y;
    int steps;
    int first_block; /* its number in the chunk */
    int chain;       /* steps whose sums fit 16 bits */
    struct block block[MOST_BLOCKS];
};

/* Where a pass over a run, for some rows and columns, is. */
struct pass {
    const uint8_t *codes, *x, *block;
    const uint8_t *scale, *minimum; /* of the chunk's first group */
    float *y;                       /* [column][vector][8] */
};

/* Adds the groups of 4 activations [begin, end) of a step; the first may be the `start` of the sums. */
AVX2_TEMPLATE void add_groups(const struct pass *at, const int begin, const int end,
                              const bool start, __m256i sum[SUMS])
{
    AVX2_UNROLL
    for (int g = begin; g < end; g++) {
        __m256i rows[VECTORS];

        AVX2_UNROLL
        for (int v = 0; v < VECTORS; v++)
            rows[v] = avx2_load(at->codes + (g * EIGHTHS + v) * 32);
        AVX2_UNROLL
        for (int n = 0; n < COLUMNS; n++) {
            int32_t four;
            memcpy(&four, at->x + 4 * (g * TMAC_MAX_PANEL + n), sizeof four);
            AVX2_UNROLL
            for (int v = 0; v < VECTORS; v++) {
                const __m256i product = _mm256_maddubs_epi16(rows[v], _mm256_set1_epi32(four));
                __m256i *to = &sum[n * VECTORS + v];
                *to = start && g == begin ? product : avx2_here(_mm256_add_epi16(*to, product));
            }
        }
    }
}

AVX2_TEMPLATE void next_step(struct pass *at)
{
    at->codes = avx2_opaque(at->codes + STEP_CODES);
    at->x = avx2_opaque(at->x + TMAC_STEP_K * TMAC_MAX_PANEL);
}

AVX2_TEMPLATE void widen(__m256i sum[SUMS])
{
    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm256_madd_epi16(sum[i], _mm256_set1_epi16(1));
}

/* The next steps, as many as fit 16 bits. */
AVX2_TEMPLATE void sum_chain(struct pass *at, int steps, __m256i sum[SUMS])
{
    add_groups(at, 0, GROUPS, true, sum);
    next_step(at);
    for (; steps > 1; steps--) {
        add_groups(at, 0, GROUPS, false, sum);
        next_step(at);
    }
    widen(sum);
}

/* The next steps, a block. */
AVX2_TEMPLATE void sum_steps(struct pass *at, int steps, int chain, __m256i sum[SUMS])
{
    sum_chain(at, steps < chain ? steps : chain, sum);
    for (steps -= chain; steps > 0; steps -= chain) {
        __m256i more[SUMS];

        sum_chain(at, steps < chain ? steps : chain, more);
        AVX2_UNROLL
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm256_add_epi32(sum[i], more[i]);
    }
}

AVX2_TEMPLATE __m256 floats_at(const uint8_t *floats)
{
    return _mm256_loadu_ps((const float *)(const void *)floats);
}

AVX2_TEMPLATE __m256 float_at(const uint8_t *number)
{
    return _mm256_broadcast_ss((const float *)(const void *)number);
}

/* The float stage of struct tmac_tile, with the scales of `group`. */
AVX2_TEMPLATE void add_floats(const struct pass *at, size_t group, const __m256i sum[SUMS],
                              const bool minimum)
{
    __m256 scale[VECTORS];

    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++)
        scale[v] = floats_at(at->scale + group + 32 * v);
    AVX2_UNROLL
    for (int n = 0; n < COLUMNS; n++) {
        const uint8_t *block = at->block + 4 * n;
        const __m256 factor = float_at(block + offsetof(struct block, factor));
        const __m256 offset = float_at(block + offsetof(struct block, offset));
        const __m256 act_sum = float_at(block + offsetof(struct block, sum));
        AVX2_UNROLL
        for (int v = 0; v < VECTORS; v++) {
            float *y = at->y + 8 * (VECTORS * n + v);
            const __m256 integer = _mm256_cvtepi32_ps(sum[n * VECTORS + v]);
            const __m256 t = _mm256_fmadd_ps(integer, factor, offset);
            __m256 acc = _mm256_fmadd_ps(scale[v], t, _mm256_load_ps(y));

            if (minimum)
                acc = _mm256_fmadd_ps(floats_at(at->minimum + group + 32 * v), act_sum, acc);
            _mm256_store_ps(y, acc);
        }
    }
}

/* All blocks of a run. */
AVX2_TEMPLATE void add_blocks(const struct run *run, struct pass *at, const int block_k,
                              const bool minimum)
{
    const int block_steps = block_k ? 1 : run->tile->block_k / TMAC_STEP_K;
    const int shift = run->tile->block_shift, chain = run->chain;
    const size_t stride = run->tile->scale_stride;
    int number = run->first_block;
    __m256i sum[SUMS];

    for (int left = run->steps; left > 0; left -= block_steps, number++) {
        if (block_k == 16) {
            add_groups(at, 0, GROUPS / 2, true, sum);
            widen(sum);
            add_floats(at, (size_t)(number >> shift) * stride, sum, minimum);
            at->block += sizeof(struct block);
            number++;
            add_groups(at, GROUPS / 2, GROUPS, true, sum);
            widen(sum);
            next_step(at);
        } else if (block_k == 32) {
            sum_chain(at, 1, sum);
        } else {
            sum_steps(at, left < block_steps ? left : block_steps, chain, sum);
        }
        add_floats(at, (size_t)(number >> shift) * stride, sum, minimum);
        at->block += sizeof(struct block);
    }
}

/* A run for the vectors of 8 rows from `eighth` on and the columns from `column` on. */
AVX2_TEMPLATE void add_pass(const struct run *run, int eighth, int column, const int block_k,
                            const bool minimum)
{
    const struct tmac_tile *tile = run->tile;
    const uint8_t *scale = (const uint8_t *)tile->scale + 32 * eighth;
    _Alignas(32) float sums[SUMS][8];
    float *y = run->y + (size_t)column * tile->y_stride + 8 * eighth;
    struct pass at = {
        .codes = run->codes + 32 * eighth,
        .x = run->x + 4 * column,
        .block = (const uint8_t *)run->block + 4 * column,
        .scale = scale,
        .minimum = minimum ? (const uint8_t *)tile->minimum + 32 * eighth : scale,
        .y = sums[0],
    };

    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        _mm256_store_ps(
            sums[i], _mm256_loadu_ps(y + (size_t)(i / VECTORS) * tile->y_stride + i % VECTORS * 8));
    add_blocks(run, &at, block_k, minimum);
    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        _mm256_storeu_ps(y + (size_t)(i / VECTORS) * tile->y_stride + i % VECTORS * 8,
                         _mm256_load_ps(sums[i]));
}

AVX2_TEMPLATE void add_passes(const struct run *run, const int block_k, const bool minimum)
{
    for (int eighth = 0; eighth < EIGHTHS; eighth += VECTORS)
        for (int column = 0; column < TMAC_MAX_PANEL; column += COLUMNS)
            add_pass(run, eighth, column, block_k, minimum);
}

AVX2_TEMPLATE void add_run(const struct run *run, const bool minimum)
{
    if (run->tile->block_k == 16)
        add_passes(run, 16, minimum);
    else if (run->tile->block_k == 32)
        add_passes(run, 32, minimum);
    else
        add_passes(run, 0, minimum);
}

/* Points the run at the steps from `step` on of a panel. */
static void run_begin(struct run *run, int step, int panel)
{
    const struct tmac_tile *tile = run->tile;
    const int block = step * TMAC_STEP_K / tile->block_k;
    const int blocks = (run->steps * TMAC_STEP_K + tile->block_k - 1) / tile->block_k;
    const size_t panel_bytes = (size_t)panel * tile->panel_stride;
    const size_t numbers = panel_bytes + (size_t)(block * TMAC_MAX_PANEL) * sizeof(float);
    const uint8_t *act_scale = (const uint8_t *)tile->act_scale + numbers;
    const uint8_t *act_sum = (const uint8_t *)tile->act_sum + numbers;

    run->x = tile->tables + panel_bytes + (size_t)(step * TMAC_STEP_K * TMAC_MAX_PANEL);
    run->first_block = block;
    run->y = tile->y + (size_t)(panel * TMAC_MAX_PANEL) * tile->y_stride;
    for (int b = 0; b < blocks; b++, act_scale += 32, act_sum += 32) {
        const __m256 sum = floats_at(act_sum);
        struct block *to = &run->block[b];

        _mm256_store_ps(to->factor,
                        _mm256_mul_ps(_mm256_set1_ps(tile->unit), floats_at(act_scale)));
        _mm256_store_ps(to->offset, _mm256_mul_ps(_mm256_set1_ps(tile->offset), sum));
        _mm256_store_ps(to->sum, sum);
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
