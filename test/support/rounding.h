/* SPDX-License-Identifier: MIT
 * What rounding may do to a result, from docs/numerics.md: how far at most for every single one, and how far
 * on average for many. What tests allow comes from here, and not from what some machine gave. */
#ifndef TEST_ROUNDING_H
#define TEST_ROUNDING_H

#include "matrix.h"

/* One row times one input. */
struct product {
    int64_t cols;
    tmac_width width;
    tmac_sub_format sub;
    tmac_family family;
    uint32_t table_layout;
    const uint8_t *codes;                 /* [cols] */
    const struct matrix_numbers *numbers; /* [cols]: what the codes stand for */
    const float *x;                       /* [cols] */
};

struct rounding {
    double most;   /* the magnitude of the error, in the worst case */
    double square; /* its square, as expected: activations and table entries are rounded by amounts
                      that are independent and spread evenly over a step, of variance step^2 / 12 */
};

struct rounding rounding_of(const struct product *product);

/* The squared errors of whole inputs, and what was expected of them. */
struct tally {
    double got, expected;
    double squares, greatest; /* of what was expected of the inputs */
};

/* The sums over any rows of one input. */
void tally_add(struct tally *tally, double got, double expected);
/* What `got` exceeds by chance less than once in 10^7 times, however few the inputs are. */
double tally_limit(const struct tally *tally);

#endif
