/* SPDX-License-Identifier: MIT
 * A multiplication to do in many ways: weights, activations and the result, computed once on
 * one thread by scalar kernels. */
#ifndef TEST_PROBLEM_H
#define TEST_PROBLEM_H

#include "contexts.h"
#include "matrix.h"
#include "widths.h"

struct problem {
    struct matrix matrix;
    int64_t batch;
    struct guard x_guard;
    float *x;              /* [batch][cols], read-only */
    tmac_context *context; /* scalar, one thread */
    tmac_weights *weights;
    tmac_weights_info info;
    float *y; /* [batch][rows] */
};

/* false where the layout cannot hold such weights; there is then nothing to free. */
bool problem_new(struct problem *problem, const struct matrix_kind *kind, enum tmac_layout layout,
                 int64_t batch, struct rng *rng);
void problem_free(struct problem *problem);

/* The first `batch` inputs. */
tmac_activations problem_activations(const struct problem *problem, int64_t batch);
/* Tables of the first `batch` inputs, built by the context of these weights. */
tmac_tables *problem_tables(const struct problem *problem, const tmac_context *context,
                            const tmac_weights *weights, int64_t batch);
/* The same in memory of the caller's, in `parts` parts. */
void *problem_plain_tables(const struct problem *problem, const tmac_context *context,
                           int64_t batch, int32_t parts, struct guard *guard);

/* Room for a result of `batch` inputs, with gaps between them that must stay as they are. */
struct result {
    struct guard guard;
    float *y;
    int64_t rows, batch, stride;
};
void result_new(struct result *result, const struct problem *problem, int64_t batch,
                int64_t stride);
/* Rows [row_begin, row_end) equal the problem's to the bit, all else is untouched; then frees. */
void result_check(struct result *result, const struct problem *problem, int64_t row_begin,
                  int64_t row_end, const char *what);

#endif
