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
INLINE int field_stride(const enum tmac_w width)
{
    return width == TMAC_W1 ? 1 : width == TMAC_W2 ? 2 : 4;
}

INLINE int field_count(const enum tmac_w width, const enum block_size size)
{
    return size == SEVERAL_STEPS && width <= TMAC_W2 ? 4 : 2;
}

INLINE struct place place_of(const enum tmac_w width, const enum block_size size, const int group)
{
    const int stride = field_stride(width), fields = field_count(width, size);
    const int bit = direct_bit(width, group);
    struct place place;

    place.bit = bit % (stride * fields);
    place.down = bit - place.bit;
    place.field = place.bit / stride;
    /* Odd and even groups apart: two chains of vpdpbusd per half, 5 cycles per link, would not fill
     * two ports. The shifts of the other widths are work enough beside theirs. */
    if (width == TMAC_W4)
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

    if (span.width == TMAC_W4)
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
 * The codes of a few steps are unpacked once, for all columns of all panels; for one panel, step by
 * step in between the multiplications, so that the stores cost nothing. */

enum { UNPACKED_BLOCKS = 2 * UNPACKED_STEPS };

/* A run of steps, whole blocks but for the last, and one panel's numbers for its blocks. */
struct run {
    struct unpacked *codes;
    const uint8_t *cells; /* one panel: to be unpacked on the way; else NULL */
    const uint8_t *x;
    int steps;
    const float *act_sum;                                           /* [block][column] */
    _Alignas(64) float act_scale[UNPACKED_BLOCKS * TMAC_MAX_PANEL]; /* the same, times unit */
    _Alignas(64) float offset[UNPACKED_BLOCKS * TMAC_MAX_PANEL];    /* times act_sum */
};

/* Groups of 4 activations [group, group_end) of steps [begin, end). */
INLINE void run_sums(__m512i sum[2][TMAC_MAX_PANEL], const struct run *run, enum tmac_w width,
                     int begin, int end, int group, int group_end, const int columns)
{
    const size_t step_bytes = TMAC_STEP_K * (size_t)columns;
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, width);

    sums_zero(sum, columns);
    for (int step = begin; step < end; step++) {
        const uint8_t *x = run->x + (size_t)step * step_bytes;
        struct unpacked *codes = run->codes + (run->cells ? 0 : step);

        if (run->cells)
            direct_unpack(codes, run->cells + (size_t)step * cell_bytes, width, group, group_end);
        dot_step(sum, codes, x, group, group_end, columns);
    }
}

/* The float stage of a block, see struct tmac_tile; its numbers are from `at` on in the run. */
INLINE void run_floats(const struct tmac_tile *tile, const struct run *run, int at, size_t group,
                       __m512i sum[2][TMAC_MAX_PANEL], const int columns, const bool minimum,
                       bool accumulate, float *y)
{
    const uint8_t *scales = (const uint8_t *)tile->scale + group;
    const uint8_t *minimums = minimum ? (const uint8_t *)tile->minimum + group : scales;
    const __m512 scale[2] = {load_scales(scales, 0, false), load_scales(scales, 16, false)};
    const __m512 least[2] = {load_scales(minimums, 0, false), load_scales(minimums, 16, false)};

    UNROLL
    for (int n = 0; n < columns; n++, y += tile->y_stride) {
        const __m512 act_scale = _mm512_set1_ps(run->act_scale[at + n]);
        const __m512 offset = _mm512_set1_ps(run->offset[at + n]);
        UNROLL
        for (int h = 0; h < 2; h++) {
            const __m512 t = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[h][n]), act_scale, offset);
            __m512 acc = accumulate ? _mm512_loadu_ps(y + 16 * h) : _mm512_setzero_ps();

            acc = _mm512_fmadd_ps(scale[h], t, acc);
            if (minimum)
                acc = _mm512_fmadd_ps(least[h], _mm512_set1_ps(run->act_sum[at + n]), acc);
            _mm512_storeu_ps(y + 16 * h, acc);
        }
    }
}

/* One panel, all blocks of a run, the first of which is number `block` of the chunk. */
INLINE void run_panel(const struct tmac_tile *tile, const struct run *run, int block, float *y,
                      const int columns)
{
    const bool halves = tile->block_k == 16;
    const int block_steps = halves ? 1 : tile->block_k / TMAC_STEP_K;
    int at = 0;

    for (int step = 0; step < run->steps; step += block_steps) {
        const int left = run->steps - step, steps = block_steps < left ? block_steps : left;

        for (int group = 0; group < 8; block++, at += columns) {
            const size_t scale = (size_t)(block >> tile->block_shift) * tile->scale_stride;
            const int end = halves ? group + 4 : 8;
            __m512i sum[2][TMAC_MAX_PANEL];

            run_sums(sum, run, tile->width, step, step + steps, group, end, columns);
            if (tile->minimum)
                run_floats(tile, run, at, scale, sum, columns, true, tile->accumulate || block, y);
            else
                run_floats(tile, run, at, scale, sum, columns, false, tile->accumulate || block, y);
            group = end;
        }
    }
}

static void run_panel_2(const struct tmac_tile *tile, const struct run *run, int block, float *y)
{
    run_panel(tile, run, block, y, 2);
}

static void run_panel_4(const struct tmac_tile *tile, const struct run *run, int block, float *y)
{
    run_panel(tile, run, block, y, 4);
}

static void run_panel_8(const struct tmac_tile *tile, const struct run *run, int block, float *y)
{
    run_panel(tile, run, block, y, 8);
}

/* What the float stage multiplies with, once for all rows: `count` numbers from `from` on. */
static void run_numbers(const struct tmac_tile *tile, struct run *run, size_t from, int count,
                        size_t panel_bytes)
{
    const uint8_t *act_scale =
        (const uint8_t *)tile->act_scale + panel_bytes + from * sizeof(float);
    const uint8_t *act_sum = (const uint8_t *)tile->act_sum + panel_bytes + from * sizeof(float);
    const __m512 unit = _mm512_set1_ps(tile->unit), offset = _mm512_set1_ps(tile->offset);

    run->act_sum = (const float *)(const void *)act_sum;
    for (int i = 0; i < count; i += 16) {
        const int left = count - i;
        const __mmask16 mask = (__mmask16)(left < 16 ? (1 << left) - 1 : 0xffff);
        const __m512 scales = _mm512_maskz_loadu_ps(mask, act_scale + 4 * i);
        const __m512 sums = _mm512_maskz_loadu_ps(mask, act_sum + 4 * i);
        _mm512_store_ps(run->act_scale + i, _mm512_mul_ps(scales, unit));
        _mm512_store_ps(run->offset + i, _mm512_mul_ps(sums, offset));
    }
}

static void panels(const struct tmac_tile *tile)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, tile->width);
    const size_t step_bytes = TMAC_STEP_K * (size_t)tile->columns;
    struct unpacked codes[UNPACKED_STEPS];
    struct run run = {.codes = codes};

    for (int step = 0; step < tile->steps; step += UNPACKED_STEPS) {
        const int left = tile->steps - step;
        const int block = step * TMAC_STEP_K / tile->block_k;
        const uint8_t *cells = tile->codes + (size_t)step * cell_bytes;

        run.steps = left < UNPACKED_STEPS ? left : UNPACKED_STEPS;
        const int blocks = (run.steps * TMAC_STEP_K + tile->block_k - 1) / tile->block_k;
        run.cells = tile->panels == 1 ? cells : NULL;
        if (!run.cells)
            direct_unpack_steps(codes, cells, tile->width, run.steps);
        for (int p = 0; p < tile->panels; p++) {
            const size_t panel_bytes = (size_t)p * tile->panel_stride;

            run.x = tile->tables + panel_bytes + (size_t)step * step_bytes;
            run_numbers(tile, &run, (size_t)(block * tile->columns), blocks * tile->columns,
                        panel_bytes);
            (tile->columns == 2   ? run_panel_2
             : tile->columns == 4 ? run_panel_4
                                  : run_panel_8)(
                tile, &run, block, tile->y + (size_t)(p * TMAC_MAX_PANEL) * tile->y_stride);
        }
    }
}

INLINE void multiply(const struct tmac_tile *tile, const enum tmac_w width)
{
    if (tile->columns == 1)
        gemv(tile, gemv_sums, TMAC_LAYOUT_DIRECT, width);
    else
        panels(tile);
}

KERNEL(direct_w1, TMAC_W1)
KERNEL(direct_w2, TMAC_W2)
KERNEL(direct_w3, TMAC_W3)
KERNEL(direct_w4, TMAC_W4)

/* Ternary codes are stored and multiplied as 2 bits. */
const struct tmac_kernel avx512_direct_vnni[TMAC_W_COUNT] = {
    {"direct_w1_m32_avx512_vnni", direct_w1, true, true},
    {"direct_w2_m32_avx512_vnni", direct_w2, true, true},
    {"direct_w3_m32_avx512_vnni", direct_w3, true, true},
    {"direct_w4_m32_avx512_vnni", direct_w4, true, true},
    {"direct_wt_m32_avx512_vnni", direct_w2, true, true},
};
