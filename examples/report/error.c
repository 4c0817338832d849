/* SPDX-License-Identifier: MIT
 *
 * See bench.h. The relative squared error of a result is the sum of its squared errors over the sum
 * of the squares of the exact result, here over all matrices of a kind. Exact is double precision
 * with weights that llama.cpp turned into floats; where it is not there, libtmac unpacks them.
 */
#include "bench.h"
#include "progress.h"

#include <stdlib.h>

/* In larger models not every row is checked. */
static const int64_t MAX_WEIGHTS = INT64_C(1) << 28;

struct check {
    struct bench *bench;
    int64_t row_step;
    float *row, *peer_y;
    double *exact; /* of each kind: the sum of squares */
};

static double dot(const float *a, const float *b, int64_t n)
{
    double sum[4] = {0};
    int64_t k = 0;

    for (; k + 4 <= n; k += 4)
        for (int i = 0; i < 4; i++)
            sum[i] += (double)a[k + i] * b[k + i];
    for (; k < n; k++)
        sum[0] += (double)a[k] * b[k];
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static int dequantize(struct check *check, const struct matrix *matrix, int64_t row)
{
    const struct kind *kind = &check->bench->model->kinds[matrix->kind];
    const size_t row_bytes = matrix->tensor->bytes / (size_t)kind->rows;
    const char *blocks = (const char *)matrix->tensor->data + row_bytes * (size_t)row;

    if (check->bench->peer) {
        if (peer_to_float(check->bench->peer, (int)kind->type, blocks, check->row, kind->cols))
            return complain(NULL, "%s: llama.cpp: %s", matrix->tensor->name,
                            peer_reason(check->bench->peer));
        return 0;
    }
    const tmac_status status =
        tmac_weights_unpack(matrix->weights, row, row + 1, check->row, kind->cols);
    return status == TMAC_OK
               ? 0
               : complain(NULL, "%s: %s", matrix->tensor->name, tmac_status_text(status));
}

/* The peer's result, in its plain layout, into check->peer_y. */
static int run_peer(struct check *check, const struct matrix *matrix)
{
    struct bench *bench = check->bench;
    const struct kind *kind = &bench->model->kinds[matrix->kind];
    peer_matrix *m = peer_matrix_create(bench->peer, (int)kind->type, kind->rows, kind->cols,
                                        matrix->tensor->data, 0);
    const int failed =
        !m || peer_matrix_run(m, bench->x[matrix->kind], 1, bench->threads, check->peer_y);

    peer_matrix_free(m);
    return failed
               ? complain(NULL, "%s: llama.cpp: %s", matrix->tensor->name, peer_reason(bench->peer))
               : 0;
}

static int check_matrix(struct check *check, const struct matrix *matrix)
{
    struct bench *bench = check->bench;
    struct kind *kind = &bench->model->kinds[matrix->kind];

    if (bench->peer && run_peer(check, matrix))
        return -1;
    if (multiply_tmac(bench, matrix, 1))
        return -1;
    for (int64_t m = 0; m < kind->rows; m += check->row_step) {
        if (dequantize(check, matrix, m))
            return -1;
        const double exact = dot(check->row, bench->x[matrix->kind], kind->cols);
        const double wrong = bench->y[m] - exact;
        const double peer_wrong = check->peer_y[m] - exact;
        check->exact[matrix->kind] += exact * exact;
        kind->error += wrong * wrong;
        kind->peer_error += peer_wrong * peer_wrong;
    }
    return 0;
}

static int check_all(struct check *check)
{
    struct bench *bench = check->bench;
    struct model *model = bench->model;

    for (size_t k = 0; k < model->kind_count; k++)
        model->kinds[k].error = model->kinds[k].peer_error = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        progress("checking the results", (double)i / (double)model->matrix_count);
        if (check_matrix(check, &model->matrices[i]))
            return -1;
    }
    for (size_t k = 0; k < model->kind_count; k++) {
        struct kind *kind = &model->kinds[k];
        const double exact = check->exact[k] > 0 ? check->exact[k] : 1; /* weights that are all 0 */
        kind->error /= exact;
        kind->peer_error = bench->peer ? kind->peer_error / exact : -1;
    }
    return 0;
}

int measure_errors(struct bench *bench)
{
    const struct model *model = bench->model;
    int64_t weights = 0, rows = 0, cols = 0;

    for (size_t k = 0; k < model->kind_count; k++) {
        const struct kind *kind = &model->kinds[k];
        weights += kind->rows * kind->cols * (int64_t)kind->count;
        rows = kind->rows > rows ? kind->rows : rows;
        cols = kind->cols > cols ? kind->cols : cols;
    }
    struct check check = {.bench = bench,
                          .row_step = (weights / MAX_WEIGHTS + 1) | 1, /* odd: all rows of a tile */
                          .row = malloc((size_t)cols * sizeof(float)),
                          .peer_y = calloc((size_t)rows, sizeof(float)),
                          .exact = calloc(model->kind_count, sizeof(double))};
    const int result = check.row && check.peer_y && check.exact ? check_all(&check)
                                                                : complain(NULL, "out of memory");
    if (bench->peer)
        peer_rest(bench->peer);
    free(check.row);
    free(check.peer_y);
    free(check.exact);
    return result;
}
