/* SPDX-License-Identifier: MIT
 * The scalar multiply kernels against sums that know nothing of cells, planes and tables: codes
 * and small integer activations, put where arch/contract.h says, must come back as
 *     direct   sum of q x, NESTED: of q x times the sub-scale of its group
 *     lookup   2 * sum of q x - (2^b - 1) * sum of x      (ternary: - 2 * sum of x)
 * since a plane's entry is the sum of +-x. NESTED_ROWS32: as lookup, but times the sub-scale of its
 * group; I8 with the zero taken away by T, U4 with S apart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "subjects.h"
#include "widths.h"

enum { NESTED_ZERO = 3 };
enum { MAX_STEPS = 9, MAX_K = MAX_STEPS * 32, MAX_BLOCKS = MAX_K / 16, ROWS = 64, BATCH = 8 };

/* A matrix as its owner sees it, and the same as a kernel gets it. */
struct model {
    const struct tmac_kernel *kernel;
    enum tmac_layout layout;
    tmac_width width;
    int rows, batch, steps, block_k, blocks;
    int q[ROWS][MAX_K], x[BATCH][MAX_K];
    bool u4; /* the rest of nested layouts, with groups of 16 */
    int sub[ROWS][MAX_K / 16], sub_minimum[ROWS][MAX_K / 16], s[BATCH][MAX_K / 16];
    uint8_t own[MAX_K / 16 * ROWS];
    uint16_t half[ROWS];
    int16_t group_sum[MAX_K / 16 * BATCH * 2];
    float scale[ROWS], act_scale[MAX_BLOCKS * BATCH], act_sum[MAX_BLOCKS * BATCH];
    _Alignas(64) uint8_t codes[MAX_STEPS * 64 * 32 * 4 / 8];
    _Alignas(64) uint8_t tables[MAX_STEPS * BATCH * 128];
    float y[BATCH * ROWS];
};

static bool is_lookup(const struct model *m)
{
    return !tmac_layout_is_direct(m->layout);
}

/* Sets bits in a cell: `value` at bit `bit` of byte `byte`. */
static void put(struct model *m, int step, int byte, int bit, int value)
{
    const int cell = m->rows * 32 / 8 * tmac_width_bits(m->width);
    m->codes[step * cell + byte] |= (uint8_t)(value << bit);
}

static int plane_bit(const struct model *m, int plane, int q)
{
    if (m->width == TMAC_WIDTH_TERNARY)
        return plane == 0 ? q >= 1 : q == 2;
    return q >> plane & 1;
}

static void put_lookup(struct model *m, int row, int step, int k, int q)
{
    const int j = k % 16 / 4, bit = k / 16 * 4 + k % 4;

    if (m->layout == TMAC_LAYOUT_NESTED_ROWS32)
        row = row / 4 % 2 * 16 + row / 8 * 4 + row % 4;
    for (int plane = 0; plane < tmac_width_bits(m->width); plane++) {
        const int byte = m->layout == TMAC_LAYOUT_QUAD
                             ? plane * 128 + row / 16 * 64 + row % 16 * 4 + j
                             : plane * 4 * m->rows + j * m->rows + row;
        put(m, step, byte, bit, plane_bit(m, plane, q));
    }
}

static void put_direct(struct model *m, int row, int step, int k, int q)
{
    const int lane = row / 16 * 64 + row % 16 * 4 + k % 4; /* [half][64], byte 4r + i */

    switch (m->width) {
    case TMAC_WIDTH_1:
        put(m, step, lane, k / 4, q);
        break;
    case TMAC_WIDTH_8:
        put(m, step, k / 4 * 128 + lane, 0, q);
        break;
    case TMAC_WIDTH_4:
        put(m, step, k % 16 / 4 * 128 + lane, k / 16 * 4, q);
        break;
    default: /* two bits; three bits: and the third in a cell of its own behind */
        put(m, step, k / 4 % 2 * 128 + lane, k / 8 * 2, q & 3);
        if (m->width == TMAC_WIDTH_3)
            put(m, step, 256 + lane, k / 4, q >> 2);
    }
}

static void put_table(struct model *m, int input, int k)
{
    const int step = k / 32, group = k % 32 / 4;

    if (!is_lookup(m)) {
        m->tables[((step * 8 + group) * m->batch + input) * 4 + k % 4] = (uint8_t)m->x[input][k];
        return;
    }
    uint8_t *table = m->tables + (step * m->batch + input) * 128 + group * 16;
    for (int c = 0; c < 16 && k % 4 == 0; c++) {
        int sum = 0;
        for (int i = 0; i < 4; i++)
            sum += c >> i & 1 ? m->x[input][k + i] : -m->x[input][k + i];
        table[c] = (uint8_t)(m->layout == TMAC_LAYOUT_QUAD ? sum : sum + 128);
    }
}

static void fill(struct model *m, struct rng *rng)
{
    const int codes = m->width == TMAC_WIDTH_TERNARY ? 3 : 1 << tmac_width_bits(m->width);

    for (int n = 0; n < m->batch; n++)
        for (int k = 0; k < m->steps * 32; k++)
            m->x[n][k] = rng_between(rng, -31, 31); /* four of them fit an entry */
    for (int k = 0; k < m->steps * 32; k++) {
        for (int r = 0; r < m->rows; r++) {
            m->q[r][k] = rng_between(rng, 0, codes - 1);
            (is_lookup(m) ? put_lookup : put_direct)(m, r, k / 32, k % 32, m->q[r][k]);
        }
        for (int n = 0; n < m->batch; n++)
            put_table(m, n, k);
    }
    for (int r = 0; r < m->rows; r++)
        m->scale[r] = rng_normal(rng);
    for (int i = 0; i < m->blocks * m->batch; i++) {
        m->act_scale[i] = 0.5f + rng_unit(rng);
        m->act_sum[i] = rng_normal(rng);
    }
}

/* A row's numbers of group g; U4 of NESTED_ROWS32: rows 0-3, 8-11, 4-7, 12-15, and so on. */
static void put_sub(struct model *m, struct rng *rng, int row, int g)
{
    static const int fours[] = {0, 2, 1, 3, 4, 6, 5, 7};
    const int place = m->u4 && is_lookup(m) ? fours[row / 4] * 4 + row % 4 : row;
    uint8_t *own = &m->own[g / 2 * 64 + 2 * place + g % 2];

    m->sub[row][g] = m->u4 ? rng_between(rng, 0, 15) : rng_between(rng, -128, 127);
    m->sub_minimum[row][g] = m->u4 ? rng_between(rng, 0, 15) : 0;
    *own = (uint8_t)(m->u4 ? m->sub[row][g] | m->sub_minimum[row][g] << 4 : m->sub[row][g]);
}

/* Sums of activations: S has a scale of its own, and may be anything. */
static void put_group_sum(struct model *m, struct rng *rng, int n, int g)
{
    const int pair = g / 2 * m->batch + n;
    int sum = 0;

    for (int k = 16 * g; k < 16 * g + 16; k++)
        sum += m->x[n][k];
    m->s[n][g] = rng_between(rng, -127, 127);
    if (!is_lookup(m)) {
        m->group_sum[pair * 2 + g % 2] = (int16_t)sum;
        return;
    }
    m->group_sum[pair * 4 + g % 2] = (int16_t)(2 * 16 * sum); /* x are in units of 2 act_scale */
    m->group_sum[pair * 4 + 2 + g % 2] = (int16_t)m->s[n][g];
}

/* One super-group of 256 rows' worth of sub-scales, groups of 16, under f16 scales of 1. */
static void fill_nested(struct model *m, struct rng *rng)
{
    for (int g = 0; g < m->steps * 2; g++) {
        for (int r = 0; r < m->rows; r++)
            put_sub(m, rng, r, g);
        for (int n = 0; n < m->batch; n++)
            put_group_sum(m, rng, n, g);
    }
    for (int r = 0; r < m->rows; r++) {
        m->half[r] = 0x3c00;
        m->scale[r] = 1;
    }
}

/* The integer of a group of 16 with constant zero `zero`. */
static long group_integer(const struct model *m, int row, int input, int g, double zero)
{
    double sum = 0;

    for (int k = 16 * g; k < 16 * g + 16; k++)
        sum += 2 * (m->q[row][k] - zero) * m->x[input][k];
    return (long)sum;
}

/* What is right for NESTED_ROWS32. Scales and minimums are 1. */
static double nested_expected(const struct model *m, const struct tmac_tile *tile, int row,
                              int input, double *magnitude)
{
    const double middle =
        m->width == TMAC_WIDTH_TERNARY ? 1.0 : ((1 << tmac_width_bits(m->width)) - 1) * 0.5;
    double y = 0;

    *magnitude = 0;
    for (int g = 0; g < m->steps * 2; g++) {
        const int meta = g * 16 / m->block_k * m->batch + input;
        const double s = (double)m->s[input][g] * (double)tile->act_sum[meta];
        const double zero = m->u4 ? middle : NESTED_ZERO;
        const double product = (double)m->sub[row][g] * (double)tile->act_scale[meta] *
                               (double)group_integer(m, row, input, g, zero);
        const double sums =
            m->u4 ? (m->sub[row][g] * (double)tile->offset + m->sub_minimum[row][g]) * s : 0;

        y += product + sums;
        *magnitude += fabs(product) + fabs(sums);
    }
    return y;
}

/* The integer of a block, from the codes and activations alone. */
static long block_integer(const struct model *m, int row, int input, int block)
{
    const int first = block * m->block_k, last = m->steps * 32;
    const int zero = m->width == TMAC_WIDTH_TERNARY ? 2 : (1 << tmac_width_bits(m->width)) - 1;
    const bool nested = m->layout == TMAC_LAYOUT_NESTED;
    long qx = 0, x = 0;

    for (int k = first; k < first + m->block_k && k < last; k++) {
        const int q = nested ? (m->q[row][k] - NESTED_ZERO) * m->sub[row][k / 16] : m->q[row][k];
        qx += (long)q * m->x[input][k];
        x += m->x[input][k];
    }
    return is_lookup(m) ? 2 * qx - zero * x : qx;
}

/* What is right, in double precision; `magnitude` gets the sum of magnitudes, for the tolerance. */
static double expected(const struct model *m, const struct tmac_tile *tile, int row, int input,
                       double *magnitude)
{
    double y = 0;

    *magnitude = 0;
    for (int b = 0; b < m->blocks; b++) {
        const int meta = b * m->batch + input;
        const double sum = tile->act_sum[meta], scale = m->scale[row];
        const double product = (double)block_integer(m, row, input, b) * tile->act_scale[meta];
        const double minimum = tile->minimum ? scale : 0.0; /* the same array */
        const double offset = m->layout == TMAC_LAYOUT_NESTED ? 0.0 : (double)tile->offset;

        y += scale * (product + offset * sum) + minimum * sum;
        *magnitude += fabs(scale * product) + fabs(scale * offset * sum) + fabs(minimum * sum);
    }
    return y;
}

/* The float stage: up to three roundings per block, and a few of the factors, each of at most 2^-24 of
 * what has come together. */
static double float_stage(const struct model *m)
{
    return (3 * m->blocks + 4) * 0x1p-24;
}

/* tolerance: in parts of the terms' magnitudes. */
static void check(const struct model *m, const struct tmac_tile *tile, double tolerance)
{
    for (int n = 0; n < m->batch; n++)
        for (int r = 0; r < m->rows; r++) {
            double magnitude;
            const double want = m->layout == TMAC_LAYOUT_NESTED_ROWS32
                                    ? nested_expected(m, tile, r, n, &magnitude)
                                    : expected(m, tile, r, n, &magnitude);
            const double got = tile->y[n * m->rows + r];

            if (!(fabs(got - want) <= tolerance * magnitude))
                fail_msg("scalar: layout %s, width %s, block_k %d, steps %d, input %d of %d, "
                         "row %d: %.9g instead of %.9g (seed 0x%llx)",
                         layout_names[m->layout], test_width_name(m->width), m->block_k, m->steps,
                         n, m->batch, r, got, want, (unsigned long long)test_seed);
        }
}

static void run_nested(struct model *m, struct tmac_tile tile, struct rng *rng)
{
    const float middle = m->width == TMAC_WIDTH_TERNARY
                             ? 1.0f
                             : (float)((1 << tmac_width_bits(m->width)) - 1) * 0.5f;

    m->u4 = is_lookup(m) && tmac_width_bits(m->width) <= 2 && rng_between(rng, 0, 1);
    fill_nested(m, rng);
    tile.scale = m->half;
    tile.half = true;
    tile.minimum = m->u4 ? m->half : NULL;
    tile.offset = (is_lookup(m) ? middle : 0.0f) - (m->u4 ? 0.0f : (float)NESTED_ZERO);
    tile.block_shift = m->block_k == 64 ? 2 : 1;
    tile.nested = (struct tmac_nested){m->u4 ? TMAC_SUB_U4 : TMAC_SUB_I8, 16, m->own, m->group_sum};
    m->kernel->multiply(&tile);
    check(m, &tile, float_stage(m));
}

static void run(struct model *m, struct rng *rng)
{
    struct tmac_tile tile = {.layout = m->layout,
                             .width = m->width,
                             .codes = m->codes,
                             .scale = m->scale,
                             .minimum = m->scale,
                             .scale_stride = sizeof m->scale,
                             .unit = 1,
                             .tables = m->tables,
                             .act_scale = m->act_scale,
                             .act_sum = m->act_sum,
                             .offset = -1.5f,
                             .steps = m->steps,
                             .block_k = m->block_k,
                             .block_shift = 31,
                             .batch = m->batch,
                             .panels = 1,
                             .accumulate = false,
                             .y = m->y,
                             .y_stride = (size_t)m->rows};

    fill(m, rng);
    if (tmac_layout_is_nested(m->layout)) {
        run_nested(m, tile, rng);
        return;
    }
    m->kernel->multiply(&tile);
    check(m, &tile, float_stage(m));
    /* And without the float stage: the integers themselves. */
    for (int r = 0; r < m->rows; r++)
        m->scale[r] = 1;
    for (int i = 0; i < m->blocks * m->batch; i++)
        m->act_scale[i] = 1, m->act_sum[i] = 0;
    tile.offset = 0;
    tile.minimum = NULL;
    m->kernel->multiply(&tile);
    check(m, &tile, 0);
}

static void run_model(enum tmac_layout layout, tmac_width width, int index)
{
    struct rng rng = rng_stream(test_seed, STREAM_MODEL + (uint64_t)layout,
                                (uint64_t)width * 100 + (uint64_t)index);
    struct model *m = aligned_alloc(64, (sizeof *m + 63) / 64 * 64);

    assert_true(m != NULL);
    memset(m, 0, sizeof *m);
    m->kernel = scalar_kernel(layout, width, false);
    m->layout = layout;
    m->width = width;
    m->rows = tmac_layout_tile_rows(layout);
    m->batch = 1 << index / 4 % 4;
    m->block_k = 16 << index % 4;
    m->steps = rng_between(&rng, 1, MAX_STEPS);
    if (tmac_layout_is_nested(layout)) { /* one super-group of 256 */
        m->block_k = index % 2 ? 64 : 128;
        m->steps = 8;
    }
    m->blocks = (m->steps * 32 + m->block_k - 1) / m->block_k;
    run(m, &rng);
    free(m);
}

void test_model(void **state)
{
    (void)state;
    for (int layout = 0; layout < TMAC_LAYOUT_COUNT; layout++)
        for (int w = 0; w < TEST_WIDTHS; w++)
            for (int i = 0; i < 16 && scalar_kernel(layout, test_widths[w], false); i++)
                run_model((enum tmac_layout)layout, test_widths[w], i);
}
