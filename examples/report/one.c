/* SPDX-License-Identifier: MIT
 *
 * See bench.h.
 */
#include "bench.h"
#include "inputs.h"
#include "progress.h"

#include <stdlib.h>

int batch_of(int size)
{
    return size == ONE ? 1 : MANY_BATCH;
}

static const struct matrix *first_of(const struct model *model, size_t kind)
{
    const struct matrix *matrix = model->matrices;
    while (matrix->kind != kind)
        matrix++;
    return matrix;
}

static int open_kind(struct bench *bench, size_t k)
{
    const struct kind *kind = &bench->model->kinds[k];

    bench->x[k] = malloc((size_t)kind->cols * MANY_BATCH * sizeof(float));
    if (!bench->x[k])
        return complain(NULL, "out of memory");
    fill_activations(bench->x[k], kind->cols, MANY_BATCH, 42);
    const tmac_status status = tmac_tables_create(
        bench->context, first_of(bench->model, k)->weights, MANY_BATCH, &bench->tables[k]);
    return status == TMAC_OK ? 0 : complain(NULL, "%s: %s", kind->name, tmac_status_text(status));
}

int bench_open(struct bench *bench, struct model *model, const tmac_context *context, peer *peer)
{
    int64_t rows = 0;

    *bench = (struct bench){.model = model, .context = context, .peer = peer};
    bench->threads = tmac_context_threads(context);
    for (size_t k = 0; k < model->kind_count; k++)
        rows = model->kinds[k].rows > rows ? model->kinds[k].rows : rows;
    bench->x = calloc(model->kind_count, sizeof *bench->x);
    bench->tables = calloc(model->kind_count, sizeof *bench->tables);
    bench->y = malloc((size_t)rows * MANY_BATCH * sizeof *bench->y);
    if (!bench->x || !bench->tables || !bench->y)
        return complain(NULL, "out of memory");
    for (size_t k = 0; k < model->kind_count; k++)
        if (open_kind(bench, k))
            return -1;
    return 0;
}

void bench_close(struct bench *bench)
{
    for (size_t k = 0; bench->x && bench->tables && k < bench->model->kind_count; k++) {
        free(bench->x[k]);
        tmac_tables_free(bench->tables[k]);
    }
    free(bench->x);
    free(bench->tables);
    free(bench->y);
}

int multiply_tmac(struct bench *bench, const struct matrix *matrix, int batch)
{
    const struct kind *kind = &bench->model->kinds[matrix->kind];
    tmac_tables *tables = bench->tables[matrix->kind];
    const tmac_activations in = {.struct_size = sizeof in,
                                 .cols = kind->cols,
                                 .batch = batch,
                                 .data = bench->x[matrix->kind]};

    tmac_status status = tmac_tables_build(bench->context, tables, &in);
    if (status == TMAC_OK)
        status = tmac_gemm(bench->context, matrix->weights, tables, bench->y, kind->rows);
    return status == TMAC_OK
               ? 0
               : complain(NULL, "%s: %s", matrix->tensor->name, tmac_status_text(status));
}

static int complain_peer(struct bench *bench, const struct matrix *matrix)
{
    return complain(NULL, "%s: llama.cpp: %s", matrix->tensor->name, peer_reason(bench->peer));
}

int peer_ready(struct bench *bench, const struct matrix *matrix, peer_matrix *m, int batch)
{
    if (peer_matrix_prepare(m, batch, bench->threads))
        return complain_peer(bench, matrix);
    peer_matrix_set_x(m, bench->x[matrix->kind]);
    peer_matrix_get_y(m, bench->y);
    return 0;
}

int multiply_peer(struct bench *bench, const struct matrix *matrix, peer_matrix *m)
{
    return peer_matrix_compute(m) ? complain_peer(bench, matrix) : 0;
}
