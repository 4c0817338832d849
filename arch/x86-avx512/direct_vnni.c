/* SPDX-License-Identifier: MIT
 * Layout DIRECT with VNNI: vpdpbusd multiplies unsigned codes by int8 activations and adds four
 * neighbouring products into the row's 32-bit lane. Exact at any block: 128 * 15 * 128 < 2^24. */
#include "vnni.h"

/* gemv masks codes where they stand in their byte, and sums each position on its own: a field, of
 * weight 2^bit. To shift a vector of codes down first makes fewer fields, which pays as long as a
 * block is too short for more of them: one step. */
struct place {
    int down;  /* shift of the codes before they are masked */
    int bit;   /* where they stand then */
    int field; /* 0..3: which sum */
};

/* Bits from one field to the next. */
INLINE int field_stride(const tmac_width width)
{
    return width == TMAC_WIDTH_1 ? 1 : width == TMAC_WIDTH_2 ? 2 : 4;
}

INLINE int field_count(const tmac_width width, const enum block_size size)
{
    return size == SEVERAL_STEPS && width <= TMAC_WIDTH_2 ? 4 : 2;
}

INLINE struct place place_of(const tmac_width width, const enum block_size size, const int group)
{
    const int stride = field_stride(width), fields = field_count(width, size);
    const int bit = direct_bit(width, group);
    struct place place;

    place.bit = bit % (stride * fields);
    place.down = bit - place.bit;
    place.field = place.bit / stride;
    /* Odd and even groups apart: two chains of vpdpbusd per half, 5 cycles per link, would not fill
     * two ports. The shifts of the other widths are work enough beside theirs. */
    if (width == TMAC_WIDTH_4)
        place.field = 2 * place.field + group % 2;
    return place;
}

INLINE void add_in_place(__m512i sum[4], const struct span span, const struct sources sources,
                         const int group, __m512i x)
{
    const struct place place = place_of(span.width, span.size, group);
    const char mask = (char)(((1 << tmac_width_bits(span.width)) - 1) << place.bit);
    __m512i codes = sources.v[group % 4];

    if (place.down)
        codes = _mm512_srli_epi16(codes, place.down);
    codes = _mm512_and_si512(codes, _mm512_set1_epi8(mask));
    sum[place.field] = dot(sum[place.field], codes, x);
}

INLINE __m512i join_two(__m512i high, __m512i low, const int stride)
{
    return _mm512_add_epi32(_mm512_srai_epi32(high, stride), low);
}

/* The weights of the fields leave by shifts that are exact: what is shifted is always a multiple of
 * 2^stride. */
INLINE __m512i join_fields(const __m512i sum[4], const struct span span)
{
    const int stride = field_stride(span.width);

    if (span.width == TMAC_WIDTH_4)
        return join_two(_mm512_add_epi32(sum[2], sum[3]), _mm512_add_epi32(sum[0], sum[1]), stride);
    if (field_count(span.width, span.size) == 2)
        return join_two(sum[1], sum[0], stride);
    return join_two(join_two(join_two(sum[3], sum[2], stride), sum[1], stride), sum[0], stride);
}

INLINE void gemv_sums(__m512i sum[2], const struct span span)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, span.width);
    __m512i field[2][4];

    UNROLL
    for (int f = 0; f < 4; f++)
        field[0][f] = field[1][f] = _mm512_setzero_si512();
    for (int step = 0; step < span.steps; step++) {
        const uint8_t *cell = span.codes + (size_t)step * cell_bytes;
        const uint8_t *x = span.tables + (size_t)step * TMAC_STEP_K;
        const struct sources sources0 = direct_sources(cell, span.width, 0);
        const struct sources sources1 = direct_sources(cell, span.width, 1);

        prefetch_ahead(cell, cell_bytes);
        UNROLL
        for (int g = span.group; g < span.group_end; g++) {
            const __m512i x4 = broadcast_4_bytes(x + 4 * g);
            add_in_place(field[0], span, sources0, g, x4);
            add_in_place(field[1], span, sources1, g, x4);
        }
    }
    sum[0] = join_fields(field[0], span);
    sum[1] = join_fields(field[1], span);
}

/* ---- panels -----------------------------------------------------------------------------------
 * The codes of a few steps are unpacked once, for all inputs of all panels; for the only panel, in
 * registers as they are multiplied. */

/* A run of steps, whole blocks but for the last, of one panel. */
struct run {
    const struct unpacked *codes; /* many panels */
    const uint8_t *cells;         /* one panel */
    const uint8_t *x;
    const float *act_scale, *act_sum; /* [block][input] */
    float offset;                     /* the tile's, without its unit */
    int steps;
};

/* What a template knows when it is compiled: with many panels no width. */
struct panel_kind {
    bool cells; /* the only panel */
    tmac_width width;
    int batch;
    enum block_size size;
};

/* Adds one step, groups of 4 activations [group, end). */
INLINE void run_step(__m512i sum[2][TMAC_MAX_PANEL], const struct run *run, int step,
                     const int group, const int end, const struct panel_kind kind)
{
    const uint8_t *x = run->x + (size_t)step * TMAC_STEP_K * (size_t)kind.batch;

    if (!kind.cells) {
        (kind.size == SEVERAL_STEPS ? dot_step : dot_only_step)(sum, run->codes + step, x, group,
                                                                end, kind.batch);
        return;
    }
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, kind.width);
    const uint8_t *cell = run->cells + (size_t)step * cell_bytes;
    const struct sources sources0 = direct_sources(cell, kind.width, 0);
    const struct sources sources1 = direct_sources(cell, kind.width, 1);

    prefetch_ahead(cell, cell_bytes);
    UNROLL
    for (int g = group; g < end; g++)
        dot_group(sum, direct_codes(sources0, kind.width, g), direct_codes(sources1, kind.width, g),
                  x + 4 * g * kind.batch, kind.batch);
}

/* The float stage of a block, see struct tmac_tile; its numbers are from `at` on in the run. `unit`
 * is a power of two, and so may leave act_scale and offset for the scales, of which there are fewer. */
INLINE void run_floats(const struct tmac_tile *tile, const struct run *run, int at, size_t group,
                       __m512i sum[2][TMAC_MAX_PANEL], const int batch, const bool minimum,
                       float *y)
{
    const uint8_t *scales = (const uint8_t *)tile->scale + group;
    const uint8_t *minimums = minimum ? (const uint8_t *)tile->minimum + group : scales;
    const __m512 unit = _mm512_set1_ps(tile->unit);
    const __m512 offset = opaque_ps(_mm512_set1_ps(run->offset));
    const __m512 scale[2] = {_mm512_mul_ps(load_scales(scales, 0, false), unit),
                             _mm512_mul_ps(load_scales(scales, 16, false), unit)};
    const __m512 least[2] = {load_scales(minimums, 0, false), load_scales(minimums, 16, false)};
    const size_t y_stride = tile->y_stride;

    UNROLL
    for (int n = 0; n < batch; n++, y += y_stride) {
        const __m512 act_scale = _mm512_set1_ps(run->act_scale[at + n]);
        const __m512 act_sum = _mm512_set1_ps(run->act_sum[at + n]);
        const __m512 from_offset = _mm512_mul_ps(offset, act_sum);
        UNROLL
        for (int h = 0; h < 2; h++) {
            const __m512 t = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[h][n]), act_scale, from_offset);
            __m512 acc = _mm512_fmadd_ps(scale[h], t, _mm512_loadu_ps(y + 16 * h));

            if (minimum)
                acc = _mm512_fmadd_ps(least[h], act_sum, acc);
            _mm512_storeu_ps(y + 16 * h, acc);
        }
    }
}

/* Block number `block` of the chunk, `at` in the run. */
INLINE void run_block(const struct tmac_tile *tile, const struct run *run, int block, int at,
                      int step, int end, const int group, const int group_end,
                      const struct panel_kind kind, float *y)
{
    const size_t scale = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    __m512i sum[2][TMAC_MAX_PANEL];

    sums_zero(sum, kind.batch);
    for (; step < end; step++)
        run_step(sum, run, step, group, group_end, kind);
    if (tile->minimum)
        run_floats(tile, run, at, scale, sum, kind.batch, true, y);
    else
        run_floats(tile, run, at, scale, sum, kind.batch, false, y);
}

/* One panel, all blocks of a run, the first of which is number `block` of the chunk. */
INLINE void run_panel(const struct tmac_tile *tile, const struct run *run, int block, float *y,
                      const struct panel_kind kind)
{
    const int block_steps = kind.size == SEVERAL_STEPS ? tile->block_k / TMAC_STEP_K : 1;
    int at = 0;

    for (int step = 0; step < run->steps; step += block_steps, block++, at += kind.batch) {
        const int left = run->steps - step;
        const int end =
            kind.size == SEVERAL_STEPS && left < block_steps ? run->steps : step + block_steps;

        if (kind.size == HALF_STEP) {
            run_block(tile, run, block, at, step, end, 0, 4, kind, y);
            block++;
            at += kind.batch;
        }
        run_block(tile, run, block, at, step, end, kind.size == HALF_STEP ? 4 : 0, 8, kind, y);
    }
}

INLINE void run_panel_sized(const struct tmac_tile *tile, const struct run *run, int block,
                            float *y, struct panel_kind kind)
{
    if (tile->block_k == 16) {
        kind.size = HALF_STEP;
        run_panel(tile, run, block, y, kind);
    } else if (tile->block_k == 32) {
        kind.size = ONE_STEP;
        run_panel(tile, run, block, y, kind);
    } else {
        kind.size = SEVERAL_STEPS;
        run_panel(tile, run, block, y, kind);
    }
}

/* Points the run at a panel of the steps from `step` on. */
static void run_begin(struct run *run, const struct tmac_tile *tile, int step, int panel)
{
    const size_t panel_bytes = (size_t)panel * tile->panel_stride;
    const size_t numbers =
        panel_bytes + (size_t)(step * TMAC_STEP_K / tile->block_k * tile->batch) * sizeof(float);

    run->x = tile->tables + panel_bytes + (size_t)step * TMAC_STEP_K * (size_t)tile->batch;
    run->act_scale = (const float *)(const void *)((const uint8_t *)tile->act_scale + numbers);
    run->act_sum = (const float *)(const void *)((const uint8_t *)tile->act_sum + numbers);
}

static void many_panels(const struct tmac_tile *tile)
{
    const struct panel_kind kind = {.cells = false, .batch = TMAC_MAX_PANEL};
    struct unpacked codes[UNPACKED_STEPS];
    struct run run = {.codes = codes, .offset = tile->offset / tile->unit};

    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const uint8_t *cells =
            tile->codes + (size_t)step * tmac_cell_bytes(TMAC_LAYOUT_DIRECT, tile->width);
        struct ahead ahead = direct_ahead(cells, tile->width, tile->panels);
        const int left = tile->steps - step;

        run.steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;
        direct_unpack_steps(codes, cells, tile->width, run.steps);
        for (int p = 0; p < tile->panels; p++) {
            ahead_prefetch_part(&ahead);
            run_begin(&run, tile, step, p);
            run_panel_sized(tile, &run, step * TMAC_STEP_K / tile->block_k,
                            tile->y + (size_t)(p * TMAC_MAX_PANEL) * tile->y_stride, kind);
        }
    }
}

INLINE void one_panel(const struct tmac_tile *tile, const tmac_width width, const int batch)
{
    const struct panel_kind kind = {.cells = true, .width = width, .batch = batch};
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);
    struct run run = {.offset = tile->offset / tile->unit};

    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const int left = tile->steps - step;

        run.steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;
        run.cells = tile->codes + (size_t)step * cell_bytes;
        run_begin(&run, tile, step, 0);
        run_panel_sized(tile, &run, step * TMAC_STEP_K / tile->block_k, tile->y, kind);
    }
}

INLINE void panels(const struct tmac_tile *tile, const tmac_width width)
{
    if (!tile->accumulate)
        tmac_tile_clear(tile);
    if (tile->panels > 1)
        many_panels(tile);
    else if (tile->batch == 8)
        one_panel(tile, width, 8);
    else if (tile->batch == 4)
        one_panel(tile, width, 4);
    else
        one_panel(tile, width, 2);
}

INLINE void multiply(const struct tmac_tile *tile, const tmac_width width)
{
    if (tile->batch == 1)
        gemv(tile, gemv_sums, TMAC_LAYOUT_DIRECT, width);
    else
        panels(tile, width);
}

KERNEL(direct_w1, TMAC_WIDTH_1)
KERNEL(direct_w2, TMAC_WIDTH_2)
KERNEL(direct_w3, TMAC_WIDTH_3)
KERNEL(direct_w4, TMAC_WIDTH_4)

/* Ternary codes are stored and multiplied as 2 bits. */
void avx512_direct_vnni(const struct tmac_tile *tile)
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
