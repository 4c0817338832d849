/* SPDX-License-Identifier: MIT
 * Layout NESTED on AVX2, panels of 8 inputs: the codes of 8 steps and the scales of their groups are
 * unpacked once for all of them. A pass sums 2 x 8 rows times 4 inputs over a group in registers, in
 * words: see nested.h for why they fit. One vpmaddwd then adds the two words of a lane as it scales them. */
#include "nested.h"

enum { BATCH = 4, VECTORS = 2, MOST_GROUPS = 2 * UNPACKED_STEPS };

/* What the groups of a run are scaled by. */
struct group_words {
    _Alignas(32) uint8_t sub[MOST_GROUPS][EIGHTHS][32]; /* a group's sub-scale, in both words */
    uint8_t other[MOST_GROUPS / 2][EIGHTHS][32]; /* a pair's words for the sums of activations */
};

/* A run of steps, whole blocks, of one panel. */
struct run {
    const struct tmac_tile *tile;
    const uint8_t *codes; /* unpacked */
    const uint8_t *x;
    const int16_t *group_sum; /* [pair][input][2] */
    const float *act_scale;   /* [block][input] */
    float *y;
    int blocks, first_block;
    struct group_words words;
};

/* Where a pass over a run, for some rows and inputs, is. */
struct pass {
    const uint8_t *codes, *x, *group_sum, *act_scale;
    const uint8_t *sub, *other;
    const uint8_t *scale, *minimum; /* of the chunk's first super-group */
    float *y;
    size_t y_stride;
};

static const struct pass_shape shape = {TMAC_MAX_PANEL, BATCH, VECTORS, .cells = false};

/* The words of `blocks` blocks from number `block` of the chunk. */
static void words_of(struct group_words *words, const struct tmac_tile *tile, int block, int blocks)
{
    const struct nested_kind kind = {.sub = tile->nested.sub, .minimum = tile->minimum != NULL};
    const int pairs = tile->block_k / (2 * tile->nested.group_k),
              mask = (1 << tile->block_shift) - 1;

    for (int pair = 0; pair < blocks * pairs; pair++) {
        const int number = block + pair / pairs;
        const uint8_t *own = tile->nested.own +
                             (size_t)(number >> tile->block_shift) * tile->scale_stride +
                             (size_t)((number & mask) * pairs + pair % pairs) * pair_bytes(kind);

        for (int e = 0; e < EIGHTHS; e++) {
            __m256i other;
            const __m256i sub = load_sub(kind, own + 16 * e, &other);

            avx2_store(words->sub[2 * pair][e], both_words(sub, 0));
            avx2_store(words->sub[2 * pair + 1][e], both_words(sub, 1));
            avx2_store(words->other[pair][e], other);
        }
    }
}

/* Adds a group, whose sums are in words. */
AVX2_TEMPLATE void add_words(struct pass *at, const __m256i *words, __m256i *total)
{
    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++) {
        const __m256i sub = avx2_load(at->sub + 32 * v);

        AVX2_UNROLL
        for (int i = v; i < PASS_SUMS; i += VECTORS)
            total[i] = _mm256_add_epi32(total[i], _mm256_madd_epi16(words[i], sub));
    }
    at->sub += EIGHTHS * 32;
}

AVX2_TEMPLATE void add_step_groups(struct pass *at, const bool wide, __m256i *total)
{
    __m256i words[PASS_SUMS];

    if (wide) {
        pass_add_groups(at->codes, at->x, shape, 0, GROUPS, true, words);
        add_words(at, words, total);
    } else {
        pass_add_groups(at->codes, at->x, shape, 0, GROUPS / 2, true, words);
        add_words(at, words, total);
        pass_add_groups(at->codes, at->x, shape, GROUPS / 2, GROUPS, true, words);
        add_words(at, words, total);
    }
    at->codes = avx2_opaque(at->codes + STEP_CODES);
    at->x = avx2_opaque(at->x + TMAC_STEP_K * TMAC_MAX_PANEL);
}

/* The sums of activations, scaled, over the pairs of a block. */
AVX2_TEMPLATE void sum_others(struct pass *at, int pairs, __m256i *sum)
{
    clear(sum, PASS_SUMS);
    for (; pairs; pairs--) {
        AVX2_UNROLL
        for (int n = 0; n < BATCH; n++) {
            const __m256i pair = broadcast4(at->group_sum + 4 * n);

            AVX2_UNROLL
            for (int v = 0; v < VECTORS; v++) {
                __m256i *to = &sum[n * VECTORS + v];
                *to = _mm256_add_epi32(*to, _mm256_madd_epi16(avx2_load(at->other + 32 * v), pair));
            }
        }
        at->group_sum += 4 * TMAC_MAX_PANEL;
        at->other += EIGHTHS * 32;
    }
}

/* acc = fma(scale, act_scale * integer, acc), see struct tmac_tile. */
AVX2_TEMPLATE void add_floats(const struct pass *at, const uint8_t *scales, const __m256i *integers)
{
    AVX2_UNROLL
    for (int v = 0; v < VECTORS; v++) {
        const __m256 scale = avx2_scales(scales, 8 * v, true);

        AVX2_UNROLL
        for (int n = 0; n < BATCH; n++) {
            const __m256 act_scale =
                _mm256_broadcast_ss((const float *)(const void *)(at->act_scale + 4 * n));
            const __m256 term =
                _mm256_mul_ps(act_scale, _mm256_cvtepi32_ps(integers[n * VECTORS + v]));
            float *y = at->y + (size_t)n * at->y_stride + 8 * v;

            _mm256_storeu_ps(y, _mm256_fmadd_ps(scale, term, _mm256_loadu_ps(y)));
        }
    }
}

/* One block, whose super-group's scales are `super` bytes on. */
AVX2_TEMPLATE void add_block(const struct tmac_tile *tile, struct pass *at, size_t super,
                             const bool wide, const bool minimum)
{
    const int pairs = tile->block_k / (wide ? 64 : 32);
    __m256i total[PASS_SUMS], sum[PASS_SUMS];

    clear(total, PASS_SUMS);
    for (int k = 0; k < tile->block_k; k += TMAC_STEP_K)
        add_step_groups(at, wide, total);
    if (minimum || tile->offset != 0)
        sum_others(at, pairs, sum);
    if (!minimum && tile->offset != 0) {
        const __m256i offset = _mm256_set1_epi32((int32_t)tile->offset);

        AVX2_UNROLL
        for (int i = 0; i < PASS_SUMS; i++)
            total[i] = _mm256_add_epi32(total[i], _mm256_mullo_epi32(sum[i], offset));
    }
    add_floats(at, at->scale + super, total);
    if (minimum)
        add_floats(at, at->minimum + super, sum);
    at->act_scale += 4 * TMAC_MAX_PANEL;
}

/* A run for the vectors of 8 rows from `eighth` on and the inputs from `input` on. */
AVX2_TEMPLATE void add_pass(const struct run *run, int eighth, int input, const bool wide,
                            const bool minimum)
{
    const struct tmac_tile *tile = run->tile;
    const uint8_t *scale = (const uint8_t *)tile->scale + 16 * eighth;
    struct pass at = {
        .codes = run->codes + 32 * eighth,
        .x = run->x + 4 * input,
        .group_sum = (const uint8_t *)run->group_sum + 4 * input,
        .act_scale = (const uint8_t *)run->act_scale + 4 * input,
        .sub = run->words.sub[0][eighth],
        .other = run->words.other[0][eighth],
        .scale = scale,
        .minimum = minimum ? (const uint8_t *)tile->minimum + 16 * eighth : scale,
        .y = run->y + (size_t)input * tile->y_stride + 8 * eighth,
        .y_stride = tile->y_stride,
    };

    for (int b = 0; b < run->blocks; b++)
        add_block(tile, &at,
                  (size_t)((run->first_block + b) >> tile->block_shift) * tile->scale_stride, wide,
                  minimum);
}

AVX2_TEMPLATE void add_passes(const struct run *run, const bool wide, const bool minimum)
{
    for (int eighth = 0; eighth < EIGHTHS; eighth += VECTORS)
        for (int input = 0; input < TMAC_MAX_PANEL; input += BATCH)
            add_pass(run, eighth, input, wide, minimum);
}

static void add_run(const struct run *run)
{
    const bool wide = run->tile->nested.group_k == TMAC_STEP_K;

    if (wide && run->tile->minimum)
        add_passes(run, true, true);
    else if (wide)
        add_passes(run, true, false);
    else if (run->tile->minimum)
        add_passes(run, false, true);
    else
        add_passes(run, false, false);
}

/* Points the run at the steps from `step` on of a panel. */
static void run_begin(struct run *run, int step, int panel)
{
    const struct tmac_tile *tile = run->tile;
    const size_t panel_bytes = (size_t)panel * tile->panel_stride;
    const size_t pair = (size_t)(step * TMAC_STEP_K / (2 * tile->nested.group_k));
    const size_t block = (size_t)run->first_block;

    run->x = tile->tables + panel_bytes + (size_t)(step * TMAC_STEP_K * TMAC_MAX_PANEL);
    run->group_sum =
        (const int16_t *)(const void *)((const uint8_t *)tile->nested.group_sum + panel_bytes) +
        pair * 2 * TMAC_MAX_PANEL;
    run->act_scale = (const float *)(const void *)((const uint8_t *)tile->act_scale + panel_bytes) +
                     block * TMAC_MAX_PANEL;
    run->y = tile->y + (size_t)(panel * TMAC_MAX_PANEL) * tile->y_stride;
}

void avx2_nested_panels(const struct tmac_tile *tile, int width)
{
    struct unpacked unpacked;
    struct run run = {.tile = tile, .codes = unpacked.codes};

    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const uint8_t *cells = tile->codes + (size_t)step * cell_bytes(width);
        struct ahead ahead = unpacked_ahead(cells, width, tile->panels);
        const int left = tile->steps - step;
        const int steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;

        run.first_block = step * TMAC_STEP_K / tile->block_k;
        run.blocks = steps * TMAC_STEP_K / tile->block_k;
        unpack_steps_of(cells, steps, width, unpacked.codes);
        words_of(&run.words, tile, run.first_block, run.blocks);
        for (int panel = 0; panel < tile->panels; panel++) {
            ahead_prefetch_part(&ahead);
            run_begin(&run, step, panel);
            add_run(&run);
        }
    }
}
