/* SPDX-License-Identifier: MIT
 * Layout NESTED with VNNI, groups of 32, many inputs (Q4_K). One sum per group is one step, and one
 * vpdpwssd scales it: of its two words per lane the upper one is multiplied by 0.
 *
 * For that a sum must fit a signed word, but 32 * 15 * 128 does not. So sums start from -CENTRE * S,
 * S the sum of the group's activations, which is as if codes were -7 .. 8:
 *     32 *  8 * -128 = -32768        32 *  8 * 127 = 32512
 *     32 * -7 * -128 =  28672        32 * -7 * 127 = -28448
 * What that takes away, CENTRE * sub * S, is added once per pair of groups, together with the offset. */
#include "nested.h"
#include "vnni.h"

enum {
    CENTRE = 7,
    /* (CENTRE + offset) * S fits a word: |S| <= 32 * 128, and 8 times that would not. */
    LEAST_OFFSET = -14,
    WIDE_PAIRS = UNPACKED_STEPS / 2
};

/* What a pair of groups is scaled by, for 2 x 16 rows. */
struct wide_words {
    __m512i sub[2][2]; /* [group][half]: the sub-scale below, 0 above */
    struct nested_words pair;
};

/* A run of steps, whole blocks, one panel of 8 inputs. */
struct wide_run {
    const struct unpacked *codes;
    const struct wide_words *words; /* [pair] */
    const uint8_t *x;
    _Alignas(32) int32_t start[WIDE_PAIRS][2][TMAC_MAX_PANEL];
    _Alignas(32) int16_t sum[WIDE_PAIRS][2 * TMAC_MAX_PANEL];   /* S */
    _Alignas(32) int16_t added[WIDE_PAIRS][2 * TMAC_MAX_PANEL]; /* S times what P still lacks */
};

/* Sums of a block, scaled: in memory, so that all registers are for those of a group. */
struct wide_sums {
    __m512i p[2][TMAC_MAX_PANEL];
};

static void wide_words_of(const struct tmac_tile *tile, int first_block, int blocks,
                          struct wide_words *words)
{
    const __m512i low = _mm512_set1_epi32(0xffff);
    const int pairs = tile->block_k / (2 * TMAC_STEP_K);

    for (int block = first_block; block < first_block + blocks; block++) {
        const uint8_t *own = nested_block_own(tile, block);
        for (int pair = 0; pair < pairs; pair++, words++) {
            words->pair = nested_words(tile, &own);
            UNROLL
            for (int h = 0; h < 2; h++) {
                words->sub[0][h] = _mm512_and_si512(words->pair.sub[h], low);
                words->sub[1][h] = _mm512_srli_epi32(words->pair.sub[h], 16);
            }
        }
    }
}

static void wide_starts(struct wide_run *run, const struct tmac_tile *tile,
                        const int16_t *group_sum, int pairs)
{
    const int lacks = CENTRE + (tile->minimum ? 0 : (int)tile->offset);
    const __m256i first = _mm256_set1_epi32(-CENTRE & 0xffff);
    const __m256i second = _mm256_slli_epi32(first, 16);

    for (int pair = 0; pair < pairs; pair++, group_sum += 2 * TMAC_MAX_PANEL) {
        const __m256i sums = _mm256_loadu_si256((const __m256i *)group_sum);

        _mm256_store_si256((__m256i *)run->start[pair][0], _mm256_madd_epi16(sums, first));
        _mm256_store_si256((__m256i *)run->start[pair][1], _mm256_madd_epi16(sums, second));
        _mm256_store_si256((__m256i *)run->sum[pair], sums);
        _mm256_store_si256((__m256i *)run->added[pair],
                           _mm256_mullo_epi16(sums, _mm256_set1_epi16((int16_t)lacks)));
    }
}

/* One group, which is one step. */
INLINE void add_group(struct wide_sums *sums, const struct wide_run *run, int pair, int which)
{
    const struct wide_words *words = &run->words[pair];
    const int step = 2 * pair + which;
    __m512i sum[2][TMAC_MAX_PANEL];

    UNROLL
    for (int n = 0; n < TMAC_MAX_PANEL; n++)
        sum[0][n] = sum[1][n] = _mm512_set1_epi32(run->start[pair][which][n]);
    dot_step(sum, run->codes + step, run->x + step * TMAC_STEP_K * TMAC_MAX_PANEL, 0, 8,
             TMAC_MAX_PANEL);
    UNROLL
    for (int n = 0; n < TMAC_MAX_PANEL; n++) {
        sums->p[0][n] = dot_words(sums->p[0][n], sum[0][n], words->sub[which][0]);
        sums->p[1][n] = dot_words(sums->p[1][n], sum[1][n], words->sub[which][1]);
    }
}

/* One block: pairs [pair, end) of the run. */
INLINE void wide_block(const struct tmac_tile *tile, const struct wide_run *run, int block,
                       int pair, int end, const float *act_scale, float *y)
{
    const size_t super = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    struct wide_sums sums;
    __m512i sum[2][TMAC_MAX_PANEL];

    sums_zero(sum, TMAC_MAX_PANEL);
    for (int i = pair; i < end; i++)
        dot_pair(sum, run->words[i].pair.sub, run->added[i]);
    memcpy(sums.p, sum, sizeof sum);
    for (int i = pair; i < end; i++) {
        add_group(&sums, run, i, 0);
        add_group(&sums, run, i, 1);
    }
    nested_add_floats(tile, (const uint8_t *)tile->scale + super, act_scale, sums.p, y);
    if (!tile->minimum)
        return;
    sums_zero(sum, TMAC_MAX_PANEL);
    for (int i = pair; i < end; i++)
        dot_pair(sum, run->words[i].pair.other, run->sum[i]);
    nested_add_floats(tile, (const uint8_t *)tile->minimum + super, act_scale, sum, y);
}

static void wide_panel(const struct tmac_tile *tile, struct wide_run *run, int step, int steps,
                       size_t panel, float *y)
{
    const int block = step * TMAC_STEP_K / tile->block_k;
    const int pairs = tile->block_k / (2 * TMAC_STEP_K);
    const float *act_scale =
        (const float *)(const void *)((const uint8_t *)tile->act_scale + panel) +
        block * TMAC_MAX_PANEL;
    const int16_t *sums =
        (const int16_t *)(const void *)((const uint8_t *)tile->nested.group_sum + panel) +
        step * TMAC_MAX_PANEL;

    run->x = tile->tables + panel + (size_t)(step * TMAC_STEP_K * TMAC_MAX_PANEL);
    wide_starts(run, tile, sums, steps / 2);
    for (int i = 0; i < steps / 2 / pairs; i++)
        wide_block(tile, run, block + i, i * pairs, (i + 1) * pairs, act_scale + i * TMAC_MAX_PANEL,
                   y);
}

bool avx512_nested_wide_accepts(const struct tmac_spec *spec)
{
    return spec->group == TMAC_STEP_K &&
           (spec->zero_kind == TMAC_ZERO_MINIMUM || -spec->zero >= LEAST_OFFSET);
}

void avx512_nested_wide_vnni(const struct tmac_tile *tile)
{
    const tmac_width width = tile->width;
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_NESTED, width);
    struct unpacked codes[UNPACKED_STEPS];
    struct wide_words words[WIDE_PAIRS];
    struct wide_run run = {.codes = codes, .words = words};

    if (!tile->accumulate)
        tmac_tile_clear(tile);
    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const uint8_t *cells = tile->codes + (size_t)step * cell_bytes;
        struct ahead ahead = direct_ahead(cells, width, tile->panels);
        const int left = tile->steps - step;
        const int steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;

        direct_unpack_steps(codes, cells, width, steps);
        wide_words_of(tile, step * TMAC_STEP_K / tile->block_k, steps * TMAC_STEP_K / tile->block_k,
                      words);
        for (int p = 0; p < tile->panels; p++) {
            ahead_prefetch_part(&ahead);
            wide_panel(tile, &run, step, steps, (size_t)p * tile->panel_stride,
                       tile->y + (size_t)(p * TMAC_MAX_PANEL) * tile->y_stride);
        }
    }
}
