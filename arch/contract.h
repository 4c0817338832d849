/* SPDX-License-Identifier: MIT
 *
 * The contract between src/ and arch/: the layouts of bytes that both sides agree on, what a kernel
 * gets, and what it must compute. src/ packs weights, plans and splits the work; arch/ builds tables,
 * expands scales and multiplies tiles. Of arch/ src/ sees this, tiers.h and float16.h.
 *
 * There is a scalar kernel for all that a layout can hold, so packed bytes work on every machine.
 * Every other kernel must give the same floats as the scalar one, to the bit. That is possible
 * because the integer stage is exact, and the float stage is one prescribed sequence of fused
 * multiply-adds per result (see "Multiply" below). docs/algorithm.md has the mathematics,
 * docs/glossary.md the words.
 */
#ifndef TMAC_CONTRACT_H
#define TMAC_CONTRACT_H

#include "numbers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error                                                                                             \
    "build libtmac without -ffast-math and -Ofast: it looks for NaN, and every rounding is prescribed"
#endif

/* ---------------------------------------------------------------------------------------------
 * Packed layouts
 *
 * Weights are packed in tiles of `tile_rows` rows; a tile is a run of cells, one per step of 32
 * activations. Rows and steps past the matrix are padded with code 0 (their activations are 0).
 * In every layout the low half of each byte belongs to activations 0..15 of the step and the high half
 * to 16..31 (8 bits: the first and second half of the cell), so that kernels for groups of 16 can stop
 * half-way.
 *
 * ROWS32, ROWS64 (lookup; a byte is a row). A cell is [plane][j = 0..3][tile_rows bytes]:
 *     byte r:   bit 7..4: plane bits of k = 16+4j+3 .. 16+4j   bit 3..0: of k = 4j+3 .. 4j
 *
 * QUAD (lookup; a 32-bit lane is a row, its four bytes four tables).
 * A cell is [plane][half = 0, 1][64 bytes]:
 *     byte 4r+j of a half, row 16*half + r:
 *               bit 7..4: plane bits of k = 16+4j+3 .. 16+4j   bit 3..0: of k = 4j+3 .. 4j
 *
 * DIRECT (a 32-bit lane is a row, its four bytes four neighbouring k; codes stay whole).
 * Row 16*half + r of a cell:
 *     8 bits:   [z = 0..7][half][64]  byte 4r+i:  k = 4z+i
 *     4 bits:   [z = 0..3][half][64]  byte 4r+i:  bit 7..4: k = 16+4z+i   bit 3..0: k = 4z+i
 *     2 bits:   [z = 0..1][half][64]  byte 4r+i:  field f (bits 2f+1..2f): k = 4(2f+z) + i
 *     1 bit:    [half][64]            byte 4r+i:  bit f: k = 4f + i
 *     3 bits:   the low two bits as a 2-bit cell, then the high bit as a 1-bit cell
 *     ternary:  as 2 bits
 *
 * NESTED: cells as DIRECT; it is the scales that differ (see there).
 *
 * NESTED_ROWS32: cells as ROWS32, but the byte of row r is tmac_nested_byte(r). Kernels interleave the
 * numbers of two groups, which leaves them in the order of the rows.
 *
 * Every byte value is legal in every cell: damaged weights give wrong numbers, never worse.
 *
 * Planes in the lookup layouts: plane p is bit p of the code. Ternary has two planes of equal
 * weight: plane 0 is (q >= 1), plane 1 is (q == 2).
 * ------------------------------------------------------------------------------------------- */

enum {
    TMAC_STEP_K = 32, /* activations per step */
    TMAC_MAX_TILE_ROWS = 64,
    TMAC_MAX_BLOCK_K = 128, /* activations that share one scale */
    TMAC_MAX_PANEL = 8      /* inputs that a kernel takes at once: 1, 2, 4 or 8 */
};

static inline bool tmac_layout_is_nested(enum tmac_layout layout)
{
    return layout == TMAC_LAYOUT_NESTED || layout == TMAC_LAYOUT_NESTED_ROWS32;
}

/* NESTED_ROWS32: where a plane has row 8i + 4h + j (h = 0, 1; j = 0..3): byte 16h + 4i + j. */
static inline int tmac_nested_byte(int row)
{
    return row / 4 % 2 * 16 + row / 8 * 4 + row % 4;
}

static inline int tmac_layout_tile_rows(enum tmac_layout layout)
{
    return layout == TMAC_LAYOUT_ROWS64 ? 64 : 32;
}

/* Bits that a code takes in a cell. */
static inline int tmac_width_bits(tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 2 : (int)width;
}

/* The greatest code. */
static inline int tmac_width_most(tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 2 : (1 << (int)width) - 1;
}

/* What a code is in the middle of: lookup kernels see codes as this plus a symmetric rest. */
static inline float tmac_width_centre(tmac_width width)
{
    return (float)tmac_width_most(width) * 0.5f;
}

/* A code of the direct layouts is split into slices of 1, 2, 4 or 8 bits, the lowest first; a cell is
 * one cell after the other for each slice: 3 bits are 2 and 1. Bits of the first slice, and of the
 * second, 0 where there is one. */
static inline int tmac_slice_low(tmac_width width)
{
    const int bits = tmac_width_bits(width);
    return bits >= 8 ? 8 : bits >= 4 ? 4 : bits >= 2 ? 2 : 1;
}

static inline int tmac_slice_high(tmac_width width)
{
    return tmac_width_bits(width) - tmac_slice_low(width);
}

/* Sets of widths: constants, for rows of kernels. */
#define TMAC_WIDTH_BIT(width) (UINT32_C(1) << (int)(width))
#define TMAC_WIDTHS_PLANES                                                                         \
    (TMAC_WIDTH_BIT(TMAC_WIDTH_1) | TMAC_WIDTH_BIT(TMAC_WIDTH_2) | TMAC_WIDTH_BIT(TMAC_WIDTH_3) |  \
     TMAC_WIDTH_BIT(TMAC_WIDTH_4) | TMAC_WIDTH_BIT(TMAC_WIDTH_TERNARY))
#define TMAC_WIDTHS_ALL (TMAC_WIDTHS_PLANES | TMAC_WIDTH_BIT(TMAC_WIDTH_8))

static inline bool tmac_is_width(tmac_width width)
{
    return (int)width >= 0 && (int)width < 32 && (TMAC_WIDTHS_ALL & TMAC_WIDTH_BIT(width));
}

static inline size_t tmac_cell_bytes(enum tmac_layout layout, tmac_width width)
{
    return (size_t)tmac_layout_tile_rows(layout) * TMAC_STEP_K / 8 * (size_t)tmac_width_bits(width);
}

/* ---------------------------------------------------------------------------------------------
 * Tables
 *
 * Inputs are built in panels of 8, then 4 and 1 for what remains. (Two inputs one by one take less
 * time than together, except in nested layouts, where there is more work per code to share: there 2
 * comes before 1.) Per panel of `batch`:
 *
 *   [step][input][128 bytes]                  lookup: 8 tables of 16 entries, table g for
 *                                              activations 4g .. 4g+3 of the step
 *   [step][g = 0..7][input][4 bytes]          int8: activations 4g .. 4g+3 of the step
 *   [block][input] float scale, then [block][input] float sum
 *   NESTED weights: [pair of groups][input][2] int16, the sum of x8 over each group
 *   NESTED_ROWS32 weights: [pair of groups][input][4] int16, T of both groups, then S of both
 *
 * A block is the run of activations that shares one scale: 16, 32, 64 or 128; the last may be
 * short.
 *
 * Lookup. Entry c of a table stands for the sum of +-x_i, + where bit i of c is set:
 *     sum(c) = (+-x0 +- x1) + (+-x2 +- x3)            rounded like that
 *     entry(c) = round_even(sum(c) * (127 / max))     max: the block's greatest |sum|
 *     scale = max / 127 * 0.5                         (codes are (2^b-1)/2 + sum of 2^(i-1) c_i)
 *     sum = sum over the block of x                   (order: tmac_build)
 *   S8 stores entry, U8 stores entry + 128.
 * Lookup for NESTED_ROWS32 weights has sums over groups of 16 or 32, as integers, twice; `sum` is what
 * a unit of S stands for. With u the sum over the group of x * (1 / scale), each product rounded, added
 * in the order of tmac_build's sum, and `most` the greatest |u| of the block's groups:
 *     T = round_even(16 * u)                          (|u| <= 254 per table: |T| <= 32512)
 *     S = round_even(u * (127 / most))
 *     sum = scale * (most / 127)
 *   T, S and sum are 0 where the scale is 0; S and sum are 0 where `most` is below 2^-10. Where the scale
 *   is NaN, T and S are 0 and sum is NaN.
 * Int8.
 *     x8 = round_even(x * (127 / max)), max: the block's greatest |x|;  scale = max / 127
 *     x8 is -127..127, or with given scales -128..127
 *     sum = scale * (float)(sum of x8)
 * With a given scale s: max is |s| * 127, the factor is 1 / s and `scale` is s itself. int8
 * activations are x8 as they are.
 * A max below TMAC_TINY makes the block all zero, scale and sum 0. A block whose max is NaN or
 * infinite has zero entries, and NaN for scale and sum.
 * ------------------------------------------------------------------------------------------- */

/* Keeps scale * integer * weight scale above the denormals, which cost a hundred cycles each. */
#define TMAC_TINY 1e-25f

static inline bool tmac_layout_is_direct(enum tmac_layout layout)
{
    return layout == TMAC_LAYOUT_DIRECT || layout == TMAC_LAYOUT_NESTED;
}

static inline enum tmac_table_kind tmac_layout_table_kind(enum tmac_layout layout)
{
    return tmac_layout_is_direct(layout) ? TMAC_TABLE_INT8
           : layout == TMAC_LAYOUT_QUAD  ? TMAC_TABLE_S8
                                         : TMAC_TABLE_U8;
}

/* Table bytes per step and input. */
static inline size_t tmac_table_step_bytes(enum tmac_table_kind kind)
{
    return kind == TMAC_TABLE_INT8 ? 32 : 128;
}

/* int16 that tables for nested layouts hold per group and input. */
static inline size_t tmac_table_group_sums(enum tmac_table_kind kind)
{
    return kind == TMAC_TABLE_U8 ? 2 : 1;
}

/* Builds consecutive blocks of one input. */
struct tmac_build {
    const float *x; /* blocks * block_k values, zero past the input's end */
    int blocks;
    int block_k;         /* 16, 32, 64 or 128 */
    const float *given;  /* [blocks] given scales, or NULL; INT8 only */
    uint8_t *tables;     /* the first block's step, this input. With blocks of 16, the first
                            block is the first half of a step */
    size_t step_stride;  /* from one step to the next: inputs * tmac_table_step_bytes */
    size_t group_stride; /* INT8: from one g to the next: 4 * inputs */
    float *scale;        /* [block * meta_stride] */
    float *sum;
    size_t meta_stride; /* inputs */
    /* As many int8 as x has floats, by the given scales: they are copied, and x is not read. Or NULL. */
    const int8_t *x8;
    int group_k;        /* of nested weights: 16 or 32, at most half of block_k; else 0 */
    int16_t *group_sum; /* where those of the first pair of groups go, this input */
};

/* The sum over a block adds x[8i + j] into lane j of 8 in order of i, then lanes j and j+4, then
 * j and j+2, then 0 and 1. */
typedef void tmac_build_fn(const struct tmac_build *build);

/* ---------------------------------------------------------------------------------------------
 * Scales
 *
 * Packed scales of a tile, R = tile_rows, T = bytes of the scale type:
 *   one level    per group:        [R] scale,  then POINT: [R] u8 zero;  MIN: [R] minimum
 *   two levels   per super-group:  [R] scale (and MIN: [R] minimum), then per group in it:
 *                                  I8: [R] i8 sub-scale, then MIN: [R] u8 sub-minimum;
 *                                  U4: [R] sub-scale in the low, sub-minimum in the high half-byte;
 *                                  then POINT: [R] u8 zero
 *   NESTED is two levels of f16 with groups of 16 or 32 in super-groups of 64, 128 or 256, without
 *   zero points; the own bytes of two neighbouring groups are interleaved, so that 16-bit lanes hold
 *   the pairs that vpmaddwd multiplies:
 *                                  [R] f16 scale (and MIN: [R] f16 minimum), then per pair of groups:
 *                                  I8: [R][2] i8 sub-scale, then MIN: [R][2] u8 sub-minimum;
 *                                  U4: [R][2] sub-scale and sub-minimum
 *   NESTED_ROWS32 is the same, but that U4, of 2-bit and ternary codes only, has row r in place
 *   tmac_nested_place(r) of [R].
 *
 * Kernels of these two read them so. The others are expanded to floats for a tile and a chunk of steps at a
 * time, so that most kernels know one scale kind only:
 *     scale   = (float)packed;                  two levels: (float)packed * sub
 *     minimum = MIN: (float)packed;             two levels: (float)packed * sub
 *               POINT: -(scale * (float)zero)
 * ------------------------------------------------------------------------------------------- */

/* Whether weights have no zero of their own per group. */
static inline bool tmac_zero_is_constant(tmac_zero zero)
{
    return zero == TMAC_ZERO_SYMMETRIC || zero == TMAC_ZERO_CONSTANT;
}

/* NESTED_ROWS32, U4: rows 0-3, 8-11, 4-7, 12-15, and 16..31 alike: as interleaved bytes of two groups
 * come out of tmac_nested_byte's order. */
static inline int tmac_nested_place(int row)
{
    return (row & ~12) | (row & 4) << 1 | (row & 8) >> 1;
}

struct tmac_scale_format {
    tmac_scale_type type;
    tmac_zero zero;
    tmac_sub_format sub;
    int64_t super_groups; /* groups per super-group; 1 with one level */
};

static inline size_t tmac_scale_type_bytes(tmac_scale_type type)
{
    return type == TMAC_SCALE_F32 ? 4 : 2;
}

/* Bytes of a tile's packed scales: per super-group its head, then each group's own bytes. With one
 * level every group is its own super-group and its head holds all but the zero points. */
struct tmac_scale_geometry {
    size_t head;  /* [R] scale, [R] minimum */
    size_t group; /* sub-scales, sub-minimums, zero points of one group */
    size_t super; /* head and all groups of a super-group */
};

static inline struct tmac_scale_geometry tmac_scale_geometry(const struct tmac_scale_format *format,
                                                             int tile_rows)
{
    const size_t rows = (size_t)tile_rows;
    const bool minimum = format->zero == TMAC_ZERO_MINIMUM;
    struct tmac_scale_geometry geometry;

    geometry.head = rows * tmac_scale_type_bytes(format->type) * (minimum ? 2 : 1);
    geometry.group = format->sub == TMAC_SUB_I8   ? rows * (minimum ? 2 : 1)
                     : format->sub == TMAC_SUB_U4 ? rows
                                                  : 0;
    if (format->zero == TMAC_ZERO_POINT)
        geometry.group += rows;
    geometry.super = geometry.head + geometry.group * (size_t)format->super_groups;
    return geometry;
}

struct tmac_expand {
    const struct tmac_scale_format *format;
    const uint8_t *packed; /* the tile's scales, any alignment */
    int tile_rows;         /* 32 or 64 */
    int64_t group;         /* first group wanted */
    int groups;
    float *scale;   /* [groups][tile_rows], 64-byte aligned */
    float *minimum; /* the same; untouched where tmac_zero_is_constant() */
};
typedef void tmac_expand_fn(const struct tmac_expand *expand);

/* ---------------------------------------------------------------------------------------------
 * Multiply
 *
 * One tile, one panel of inputs (or several of 8 at once), a chunk of steps. For every row r and
 * input n:
 *     acc = accumulate ? y[n * y_stride + r] : 0
 *     for every block b of the chunk, in order:
 *         I   = the integer stage: lookup: sum over planes p of 2^p (ternary: 1) and groups of 4
 *               of entry(nibble);  direct: sum over k of code * x8
 *         t   = fma((float)I, act_scale[b][n] * unit, offset * act_sum[b][n])  products rounded
 *         acc = fma(scale[b >> block_shift][r], t, acc)
 *         if (minimum) acc = fma(minimum[b >> block_shift][r], act_sum[b][n], acc)
 *     y[n * y_stride + r] = acc
 * |I| < 2^24, so that its conversion is exact.
 *
 * NESTED scales the integers before they become floats, once per block of several groups. Its chunks
 * are whole super-groups; offset is a whole number -15..0, and 0 where there are minimums. S is the sum
 * of x8 over the group, as the tables have it:
 *         P   = sum over the block's groups of sub[g][r] * (I_g + (int)offset * S_g)
 *         acc = fma(scale[r], act_scale[b][n] * (float)P, acc)
 *         if (minimum)
 *             M   = sum over the block's groups of sub_minimum[g][r] * S_g
 *             acc = fma(minimum[r], act_scale[b][n] * (float)M, acc)
 * |P| <= 8 groups of 16 * 128 * 16 * 15 * 128 < 2^25 and |M| < 2^24 fit 32 bits; to floats they are
 * rounded to nearest.
 *
 * NESTED_ROWS32 does the same with sums of lookups; offset is a multiple of 1/2, -14 to 7.5. I8
 * sub-scales take the sums T, and add the offset's part while it is an integer:
 *         C_g = (T_g * (int)(offset * 2048) + 2^14) >> 15    (vpmulhrsw)
 *         P   = sum over the block's groups of sub[g][r] * (I_g + C_g)
 *         acc = fma(scale[r], act_scale[b][n] * (float)P, acc)
 *         if (minimum)
 *             M   = sum over the block's groups of sub_minimum[g][r] * T_g
 *             acc = fma(minimum[r], act_scale[b][n] * 2^-4 * (float)M, acc)
 * |I_g + C_g| <= 15 * 254 per table, 30480 for the 8 of a group of 32, is what codes less zeros make of
 * it; |P| <= 4 groups of 32 * 128 * 30480 < 2^24 is exact as a float, |M| < 4 * 255 * 32512 < 2^25 is
 * rounded to nearest.
 * U4 take the sums S, which fit bytes:
 *         P   = sum over the block's groups of sub[g][r] * I_g
 *         Q   = sum over the block's groups of sub[g][r] * S_g
 *         t   = fma((float)Q, offset * act_sum[b][n], act_scale[b][n] * (float)P)  products rounded
 *         acc = fma(scale[r], t, acc)
 *         if (minimum)
 *             M   = sum over the block's groups of sub_minimum[g][r] * S_g
 *             acc = fma(minimum[r], act_sum[b][n] * (float)M, acc)
 * ------------------------------------------------------------------------------------------- */

/* Everything that has to be known of a matrix to read its packed bytes, and nothing else. Group
 * sizes are in activations; a whole row counts as one group of `cols`. */
struct tmac_spec {
    int64_t rows;
    int64_t cols;
    int64_t group;
    int64_t super_group; /* equal to group with one level of scales */
    tmac_width width;
    enum tmac_layout layout;
    tmac_scale_type scale_type;
    tmac_zero zero_kind;
    tmac_sub_format sub_format;
    int sub_bits;     /* that I8 sub-scales take, 8 where nothing is known of them */
    bool whole_row;   /* the group is the row */
    float zero;       /* SYMMETRIC, CONSTANT: w = scale * (q - zero) */
    float scale_unit; /* 1 or 2, a factor on every scale */
};

/* NESTED and NESTED_ROWS32 weights: where a tile's `scale` (and `minimum`) are f16 as packed, one
 * super-group after the other by scale_stride. */
struct tmac_nested {
    tmac_sub_format sub;
    int group_k;              /* 16 or 32; a block has at least 2 groups */
    const uint8_t *own;       /* of the chunk's first super-group; the next by scale_stride */
    const int16_t *group_sum; /* [pair of groups of the chunk][batch][2], NESTED_ROWS32: [4] */
};

struct tmac_tile {
    enum tmac_layout layout; /* what was packed, for functions that serve several */
    tmac_width width;
    const uint8_t *codes;   /* cells of this tile from the chunk's first step; 64-byte aligned */
    const void *scale;      /* [group of the chunk]: tile_rows floats, any float alignment */
    const void *minimum;    /* the same, or NULL */
    size_t scale_stride;    /* bytes from one group to the next, of either */
    bool half;              /* both are f16: kernels that have `half`, one input, block_k >= 32 */
    const uint8_t *tables;  /* the panel's from the chunk's first step; 64-byte aligned */
    const float *act_scale; /* [block of the chunk][batch], any float alignment */
    const float *act_sum;
    float unit;   /* 2 for symmetric 1-bit weights, else 1; kernels with `averages`: 4 times that */
    float offset; /* the factor of symmetric 1-bit weights is in it already */
    int steps;    /* in the chunk, >= 1 */
    int block_k;  /* 16, 32, 64 or 128; the chunk's last block may be short */
    /* log2 of the blocks per group (nested layouts: super-group); 31: one for the chunk. */
    int block_shift;
    int batch;  /* 1, 2, 4 or 8 */
    int panels; /* of 8 inputs: more than 1 for kernels of TMAC_BATCH_MANY only */
    /* Bytes from one panel's tables, act_scale, act_sum, group_sum to the next's. */
    size_t panel_stride;
    bool accumulate;
    struct tmac_nested nested;
    float *y; /* tile_rows floats per input, any float alignment */
    size_t y_stride;
};

/* Zeroes the results, for kernels that add to them and whose tile is not to accumulate. */
static inline void tmac_tile_clear(const struct tmac_tile *tile)
{
    const size_t bytes = (size_t)tmac_layout_tile_rows(tile->layout) * sizeof *tile->y;

    for (int n = 0; n < tile->batch * tile->panels; n++)
        memset(tile->y + (size_t)n * tile->y_stride, 0, bytes);
}

typedef void tmac_multiply_fn(const struct tmac_tile *tile);

/* Sizes of batches that kernels are chosen by: a kernel takes a panel of 1, 2, 4 or 8 inputs, or several
 * panels of 8 in one call. */
enum tmac_batch {
    TMAC_BATCH_1,
    TMAC_BATCH_2,
    TMAC_BATCH_4,
    TMAC_BATCH_8,
    TMAC_BATCH_MANY,
    TMAC_BATCH_COUNT
};
#define TMAC_BATCHES(first, last) ((2u << (last)) - (1u << (first)))
/* One panel, of weights that are not nested: two inputs are never one then. */
#define TMAC_BATCHES_1_4_8                                                                         \
    (TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8) & ~TMAC_BATCHES(TMAC_BATCH_2, TMAC_BATCH_2))

/* A row of a set's table of kernels. The one that multiplies is, of those whose requirements hold, the
 * one of the lowest rank; no two rows that may serve the same weights have the same. */
struct tmac_kernel {
    const char *name;  /* "direct_avx512_vnni": unique, public */
    uint32_t requires; /* TMAC_ISA_*: all of them must be in use */
    enum tmac_layout layout;
    uint32_t widths;  /* of TMAC_WIDTH_BIT() */
    uint32_t batches; /* of TMAC_BATCHES() */
    int rank;
    bool half;     /* reads f16 scales where they are packed: see struct tmac_tile */
    bool averages; /* TMAC_MODE_FAST only, blocks of 32 and more; its integers are quarters,
                                which `unit` makes up for */
    /* What else it asks of the weights, of width and layout above; NULL: nothing. */
    bool (*accepts)(const struct tmac_spec *spec);
    tmac_multiply_fn *multiply;
};

/* Lookup by averages. Of the entries e of four tables at a time only a mean is kept:
 *     m(j) = avg(avg(e_j, e_j+4), avg(e_j+1, e_j+5)),  j = 0, 2    avg(a, b) = (a + b + 1) / 2
 *     I    = sum over planes p of 2^p (ternary: 1) and steps of  m(0) + m(2) - (2 * 128 + 1)
 * with U8 entries; the 1 is twice the 1/2 that two averages round up by in the middle. I is a
 * quarter of what it stands for. */

/* All that is not a multiplication. */
struct tmac_tools {
    tmac_build_fn *build[TMAC_TABLE_KIND_COUNT];
    tmac_expand_fn *expand;
    void (*f16_to_f32)(const uint16_t *from, float *to, size_t count);
    void (*bf16_to_f32)(const uint16_t *from, float *to, size_t count);
};

/* What the folder of an instruction set has for a tier. */
struct tmac_set {
    const struct tmac_kernel *kernels;
    int kernel_count;
    const struct tmac_tools *tools; /* NULL: those of the tiers before it do */
};

#endif
