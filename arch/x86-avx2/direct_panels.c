/* SPDX-License-Identifier: MIT
 * Layout DIRECT on AVX2, several inputs. Per 32 products there is a vpmaddubsw and a vpaddw, which share
 * three ports, the first two of them. All else is kept out of the inner loop: a pass sums some vectors of
 * 8 rows times some inputs in registers, codes and activations are loads. Panels of 8 inputs unpack
 * the codes of 8 steps once for all of them; fewer inputs unpack in registers as they multiply. */
#include "unpacked.h"

enum {
    SUMS = PASS_SUMS,
    RUN_BLOCKS = 16 /* blocks of half a step in 8 steps */
};

/* What a template knows when it is compiled. */
struct kind {
    struct pass_shape shape;
    int block_k; /* 16, 32 or 0: more */
    int chain;   /* steps whose sums fit 16 bits; 0: known at run time */
    bool minimum;
};

/* What a block brings to the float stage of struct tmac_tile, by input. */
struct block {
    _Alignas(32) float factor[TMAC_MAX_PANEL]; /* act_scale * unit */
    float offset[TMAC_MAX_PANEL];              /* offset * act_sum */
    float sum[TMAC_MAX_PANEL];                 /* act_sum */
};

/* A run of steps, whole blocks but for the last, of one panel. */
struct run {
    const struct tmac_tile *tile;
    const uint8_t *codes; /* cells or unpacked */
    const uint8_t *x;
    float *y;
    int steps;
    int first_block; /* its number in the chunk */
    int chain;       /* steps whose sums fit 16 bits */
    struct block block[RUN_BLOCKS];
};

/* Where a pass over a run, for some rows and inputs, is. */
struct pass {
    const uint8_t *codes, *x, *block;
    const uint8_t *scale, *minimum; /* of the chunk's first group */
    float *y;                       /* [input][vector][8] */
};

AVX2_TEMPLATE void add_groups(const struct pass *at, const struct kind kind, const int begin,
                              const int end, const bool start, __m256i sum[SUMS])
{
    pass_add_groups(at->codes, at->x, kind.shape, begin, end, start, sum);
}

AVX2_TEMPLATE void next_step(struct pass *at, const struct kind kind)
{
    at->codes =
        avx2_opaque(at->codes + (kind.shape.cells ? cell_bytes(kind.shape.width) : STEP_CODES));
    at->x = avx2_opaque(at->x + TMAC_STEP_K * kind.shape.panel);
}

AVX2_TEMPLATE void widen(__m256i sum[SUMS])
{
    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm256_madd_epi16(sum[i], _mm256_set1_epi16(1));
}

/* The next steps, as many as fit 16 bits. */
AVX2_TEMPLATE void sum_chain(struct pass *at, const struct kind kind, int steps, __m256i sum[SUMS])
{
    add_groups(at, kind, 0, GROUPS, true, sum);
    next_step(at, kind);
    for (; kind.chain != 1 && steps > 1; steps--) {
        add_groups(at, kind, 0, GROUPS, false, sum);
        next_step(at, kind);
    }
    widen(sum);
}

/* The next steps, a block. */
AVX2_TEMPLATE void sum_steps(struct pass *at, const struct kind kind, int steps, int chain,
                             __m256i total[SUMS])
{
    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        total[i] = _mm256_setzero_si256();
    for (; steps > 0; steps -= chain) {
        __m256i sum[SUMS];

        sum_chain(at, kind, steps < chain ? steps : chain, sum);
        AVX2_UNROLL
        for (int i = 0; i < SUMS; i++)
            total[i] = _mm256_add_epi32(total[i], sum[i]);
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
AVX2_TEMPLATE void add_floats(struct pass *at, const struct kind kind, size_t group,
                              const __m256i sum[SUMS])
{
    __m256 scale[EIGHTHS];

    AVX2_UNROLL
    for (int v = 0; v < kind.shape.vectors; v++)
        scale[v] = floats_at(at->scale + group + 32 * v);
    AVX2_UNROLL
    for (int n = 0; n < kind.shape.batch; n++) {
        const uint8_t *block = at->block + 4 * n;
        const __m256 factor = float_at(block + offsetof(struct block, factor));
        const __m256 offset = float_at(block + offsetof(struct block, offset));
        const __m256 act_sum = float_at(block + offsetof(struct block, sum));
        AVX2_UNROLL
        for (int v = 0; v < kind.shape.vectors; v++) {
            float *y = at->y + 8 * (kind.shape.vectors * n + v);
            const __m256 integer = _mm256_cvtepi32_ps(sum[n * kind.shape.vectors + v]);
            const __m256 t = _mm256_fmadd_ps(integer, factor, offset);
            __m256 acc = _mm256_fmadd_ps(scale[v], t, _mm256_load_ps(y));

            if (kind.minimum)
                acc = _mm256_fmadd_ps(floats_at(at->minimum + group + 32 * v), act_sum, acc);
            _mm256_store_ps(y, acc);
        }
    }
    at->block += sizeof(struct block);
}

/* All blocks of a run. */
AVX2_TEMPLATE void add_blocks(const struct run *run, struct pass *at, const struct kind kind)
{
    const int block_steps = kind.block_k ? 1 : run->tile->block_k / TMAC_STEP_K;
    const int shift = run->tile->block_shift, chain = kind.chain ? kind.chain : run->chain;
    const size_t stride = run->tile->scale_stride;
    int number = run->first_block;
    __m256i sum[SUMS];

    for (int left = run->steps; left > 0; left -= block_steps, number++) {
        if (kind.block_k == 16) {
            add_groups(at, kind, 0, GROUPS / 2, true, sum);
            widen(sum);
            add_floats(at, kind, (size_t)(number >> shift) * stride, sum);
            number++;
            add_groups(at, kind, GROUPS / 2, GROUPS, true, sum);
            widen(sum);
            next_step(at, kind);
        } else if (kind.block_k == 32) {
            sum_chain(at, kind, 1, sum);
        } else {
            sum_steps(at, kind, left < block_steps ? left : block_steps, chain, sum);
        }
        add_floats(at, kind, (size_t)(number >> shift) * stride, sum);
    }
}

/* A run for the vectors of 8 rows from `eighth` on and the inputs from `input` on. */
AVX2_TEMPLATE void add_pass(const struct run *run, const struct kind kind, int eighth, int input)
{
    const struct tmac_tile *tile = run->tile;
    const uint8_t *scale = (const uint8_t *)tile->scale + 32 * eighth;
    const size_t y_stride = tile->y_stride;
    float *y = run->y + (size_t)input * y_stride + 8 * eighth;
    _Alignas(32) float sums[SUMS][8];
    struct pass at = {
        .codes = run->codes + 32 * eighth,
        .x = run->x + 4 * input,
        .block = (const uint8_t *)run->block + 4 * input,
        .scale = scale,
        .minimum = kind.minimum ? (const uint8_t *)tile->minimum + 32 * eighth : scale,
        .y = sums[0],
    };

    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        _mm256_store_ps(sums[i], _mm256_loadu_ps(y + (size_t)(i / kind.shape.vectors) * y_stride +
                                                 i % kind.shape.vectors * 8));
    add_blocks(run, &at, kind);
    AVX2_UNROLL
    for (int i = 0; i < SUMS; i++)
        _mm256_storeu_ps(y + (size_t)(i / kind.shape.vectors) * y_stride +
                             i % kind.shape.vectors * 8,
                         _mm256_load_ps(sums[i]));
}

AVX2_TEMPLATE void add_passes(const struct run *run, const struct kind kind)
{
    for (int eighth = 0; eighth < EIGHTHS; eighth += kind.shape.vectors)
        for (int input = 0; input < kind.shape.panel; input += kind.shape.batch)
            add_pass(run, kind, eighth, input);
}

AVX2_TEMPLATE void add_run_minimum(const struct run *run, struct kind kind)
{
    if (run->tile->minimum) {
        kind.minimum = true;
        add_passes(run, kind);
    } else {
        kind.minimum = false;
        add_passes(run, kind);
    }
}

AVX2_TEMPLATE void add_run(const struct run *run, struct kind kind)
{
    if (run->tile->block_k == 16) {
        kind.block_k = 16;
        add_run_minimum(run, kind);
    } else if (run->tile->block_k == 32) {
        kind.block_k = 32;
        add_run_minimum(run, kind);
    } else {
        kind.block_k = 0;
        if (!kind.chain && run->chain == 1) {
            kind.chain = 1;
            add_run_minimum(run, kind);
        } else {
            add_run_minimum(run, kind);
        }
    }
}

/* Points the run at the steps from `step` on of a panel. */
AVX2_TEMPLATE void run_begin(struct run *run, int step, int panel, const int batch)
{
    const struct tmac_tile *tile = run->tile;
    const int block = step * TMAC_STEP_K / tile->block_k;
    const int blocks = (run->steps * TMAC_STEP_K + tile->block_k - 1) / tile->block_k;
    const size_t panel_bytes = (size_t)panel * tile->panel_stride;
    const size_t numbers = panel_bytes + (size_t)(block * batch) * sizeof(float);
    const uint8_t *act_scale = (const uint8_t *)tile->act_scale + numbers;
    const uint8_t *act_sum = (const uint8_t *)tile->act_sum + numbers;
    const __m256i all = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(batch), all);

    run->x = tile->tables + panel_bytes + (size_t)step * TMAC_STEP_K * (size_t)batch;
    run->first_block = block;
    run->y = tile->y + (size_t)(panel * batch) * tile->y_stride;
    for (int b = 0; b < blocks; b++, act_scale += 4 * batch, act_sum += 4 * batch) {
        const __m256 scale = _mm256_maskload_ps((const float *)(const void *)act_scale, mask);
        const __m256 sum = _mm256_maskload_ps((const float *)(const void *)act_sum, mask);
        struct block *to = &run->block[b];

        _mm256_store_ps(to->factor, _mm256_mul_ps(_mm256_set1_ps(tile->unit), scale));
        _mm256_store_ps(to->offset, _mm256_mul_ps(_mm256_set1_ps(tile->offset), sum));
        _mm256_store_ps(to->sum, sum);
    }
}

static void add_panels(struct run *run, int step, struct ahead *ahead)
{
    const struct kind kind = {.shape = {TMAC_MAX_PANEL, 4, 2, .cells = false}};

    for (int panel = 0; panel < run->tile->panels; panel++) {
        ahead_prefetch_part(ahead);
        run_begin(run, step, panel, TMAC_MAX_PANEL);
        add_run(run, kind);
    }
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static void large_batch(const struct tmac_tile *tile, int width)
{
    struct unpacked unpacked;
    struct run run = {.tile = tile, .codes = unpacked.codes, .chain = steps_in_16_bits(width)};

    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const uint8_t *cells = tile->codes + (size_t)step * cell_bytes(width);
        struct ahead ahead = unpacked_ahead(cells, width, tile->panels);

        run.steps = least(tile->steps - step, UNPACKED_STEPS);
        unpack_steps_of(cells, run.steps, width, unpacked.codes);
        add_panels(&run, step, &ahead);
    }
}

AVX2_TEMPLATE void small_batch(const struct tmac_tile *tile, const int width, const int batch)
{
    const struct kind kind = {
        .shape = {batch, batch, SUMS / batch, .cells = true, .width = width},
        .chain = steps_in_16_bits(width),
    };
    const int most = RUN_BLOCKS * tile->block_k / TMAC_STEP_K;
    struct run run = {.tile = tile, .chain = steps_in_16_bits(width)};

    for (int step = 0; step < tile->steps; step += most) {
        run.codes = tile->codes + (size_t)step * cell_bytes(width);
        run.steps = least(tile->steps - step, most);
        run_begin(&run, step, 0, batch);
        add_run(&run, kind);
    }
}

AVX2_TEMPLATE void small_batch_of(const struct tmac_tile *tile, const int width)
{
    if (tile->batch == 4)
        small_batch(tile, width, 4);
    else
        small_batch(tile, width, 2);
}

void avx2_direct_panels(const struct tmac_tile *tile, int width)
{
    if (!tile->accumulate)
        tmac_tile_clear(tile);
    if (tile->batch == TMAC_MAX_PANEL)
        large_batch(tile, width);
    else if (width == TMAC_WIDTH_1)
        small_batch_of(tile, TMAC_WIDTH_1);
    else if (width == TMAC_WIDTH_2)
        small_batch_of(tile, TMAC_WIDTH_2);
    else if (width == TMAC_WIDTH_3)
        small_batch_of(tile, TMAC_WIDTH_3);
    else
        small_batch_of(tile, TMAC_WIDTH_4);
}
