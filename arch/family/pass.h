/* SPDX-License-Identifier: MIT
 * Several inputs: the integers of a pass, which sums some row vectors times some inputs in registers. Codes come
 * out of cells, or have been unpacked.
 *
 * Parameters, of the tier or its dot product: PASS_SUMS, the vectors x inputs of a pass; UNPACKED_INPUTS, how many of them are
 * inputs where codes are unpacked. */
#ifndef TMAC_PASS_H
#define TMAC_PASS_H

#include "block.h"
#include "codes.h"

/* What a template knows when it is compiled. */
struct pass_kind {
    int batch;           /* inputs of a panel */
    int inputs, vectors; /* of the pass: at most PASS_SUMS together */
    bool cells;
    tmac_width width;     /* unpacked: 8, 4, or 2 for those of 3 bits and less */
    enum block_size size; /* of what has a scale: a block, or NESTED a group */
    enum { NO_MINIMUM, MINIMUM, MAY_HAVE_MINIMUM } minimum;
    enum { DIRECT_SUMS, SCALED_SUMS, CENTRED_SUMS, SCALED_CODES } how; /* see nested_panels.h */
};

INLINE size_t pass_step_bytes(const struct pass_kind kind)
{
    return kind.cells ? tmac_cell_bytes(TMAC_LAYOUT_DIRECT, kind.width) : sizeof(struct unpacked);
}

/* Adds one group of 4 activations, or starts the sums with it. */
INLINE void pass_group(const vec codes[], const uint8_t *x, const struct pass_kind kind,
                       const int group, const bool start, dot_sum sum[PASS_SUMS])
{
    UNROLL
    for (int n = 0; n < kind.inputs; n++) {
        UNROLL
        for (int v = 0; v < kind.vectors; v++) {
            const int at = group * kind.batch + n;
            dot_sum *to = &sum[n * kind.vectors + v];

            *to = start ? dot_start(codes[v], x, at, kind.width)
                        : dot(*to, codes[v], x, at, kind.width);
        }
    }
}

INLINE void pass_cell(const uint8_t *cell, const uint8_t *x, const struct pass_kind kind,
                      const int begin, const int end, const bool start, dot_sum sum[PASS_SUMS])
{
    const int bits = field_bits(kind.width), in_byte = GROUPS / bits;

    UNROLL
    for (int z = 0; z < bits; z++) {
        vec fields[ROW_VECTORS], codes[ROW_VECTORS];

        vec_in_order();
        UNROLL
        for (int v = 0; v < kind.vectors; v++)
            fields[v] = field_vector(cell, kind.width, z, v);
        UNROLL
        for (int j = 0; j < in_byte; j++) {
            const int group = z + bits * j;

            if (group < begin || group >= end)
                continue;
            UNROLL
            for (int v = 0; v < kind.vectors; v++)
                codes[v] = field_codes(fields[v], kind.width, j);
            pass_group(codes, x, kind, group, start && group == begin, sum);
        }
    }
}

INLINE void pass_unpacked(const uint8_t *unpacked, const uint8_t *x, const struct pass_kind kind,
                          const int begin, const int end, const bool start, dot_sum sum[PASS_SUMS])
{
    UNROLL
    for (int g = begin; g < end; g++) {
        vec codes[ROW_VECTORS];

        vec_in_order();
        UNROLL
        for (int v = 0; v < kind.vectors; v++) /* loaded once, where gcc would for every use */
            codes[v] = vec_here(vec_load(unpacked + g * ROWS_BYTES + v * VEC_BYTES));
        pass_group(codes, x, kind, g, start && g == begin, sum);
    }
}

/* Adds groups [begin, end) of a step, or starts the sums with them. `codes` and `x` are the step's, at the pass's
 * first row vector and input. */
INLINE void pass_step(const uint8_t *codes, const uint8_t *x, const struct pass_kind kind,
                      const int begin, const int end, const bool start, dot_sum sum[PASS_SUMS])
{
    if (kind.cells)
        pass_cell(codes, x, kind, begin, end, start, sum);
    else
        pass_unpacked(codes, x, kind, begin, end, start, sum);
}

/* On to the next step. */
INLINE void pass_next(const uint8_t **codes, const uint8_t **x, const struct pass_kind kind)
{
    if (kind.cells)
        vec_prefetch(*codes, pass_step_bytes(kind));
    *codes = vec_opaque(*codes + pass_step_bytes(kind));
    *x = vec_opaque(*x + TMAC_STEP_K * kind.batch);
}

#endif
