/* SPDX-License-Identifier: MIT
 * One tile to multiply: weights that some kernels accept, their bytes and the tables', drawn. */
#ifndef TEST_KERNELS_MULTIPLY_CASE_H
#define TEST_KERNELS_MULTIPLY_CASE_H

#include "guard.h"
#include "random.h"
#include "tiers.h"

/* What the bytes of a case are. The extremes are where narrow sums overflow; `exact` leaves the
 * float stage out: y is the exact integer. */
struct flavour;

struct multiply_case {
    /* Set by the caller. */
    const struct tmac_kernel *wanted; /* accepts the weights */
    enum tmac_batch batch;
    tmac_width width;
    int block_k; /* of layouts that are not nested */
    int steps;   /* least number: nested layouts need whole super-groups */
    /* Drawn. */
    const struct flavour *flavour;
    struct tmac_spec spec;
    struct tmac_tile tile;
    int blocks, groups;
    bool half; /* kernels that read f16 scales get those, the others their floats */
    size_t half_stride;
    struct guard nested, group_sum; /* nested: super-groups as packed; sums of the tables' groups */
    struct guard codes, scale, minimum, half_scale, half_minimum, tables, act_scale, act_sum, y;
    size_t y_count;
    float *y_before, *y_expected;
    struct guard before_memory, expected_memory;
};

/* Draws the rest. False: no weights that the wanted kernel accepts were found. */
bool multiply_case_make(struct multiply_case *c, struct rng *rng);
void multiply_case_free(struct multiply_case *c);
/* By scalar, which takes one panel at a time. */
void multiply_case_scalar(const struct multiply_case *c, const struct tmac_kernel *scalar);
const char *multiply_case_flavour(const struct multiply_case *c);

#endif
