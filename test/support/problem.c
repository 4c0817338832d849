/* SPDX-License-Identifier: MIT */
#include "problem.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

bool problem_new(struct problem *p, const struct matrix_kind *kind, enum tmac_layout layout,
                 int64_t batch, struct rng *rng)
{
    const size_t count = (size_t)(kind->cols * batch);

    memset(p, 0, sizeof *p);
    p->batch = batch;
    p->context = context_new("scalar", layout, 1);
    matrix_new(&p->matrix, kind, rng);
    if (!context_holds(p->context, &p->matrix.desc)) {
        problem_free(p);
        return false;
    }
    p->x = guard_new(&p->x_guard, count * sizeof *p->x, sizeof *p->x, GUARD_END);
    for (size_t i = 0; i < count; i++)
        p->x[i] = rng_normal(rng);
    guard_seal(&p->x_guard);

    CHECK_STATUS(tmac_weights_pack(p->context, &p->matrix.desc, &p->weights), TMAC_OK, "%s",
                 matrix_name(kind));
    p->info.struct_size = sizeof p->info;
    CHECK_OK(tmac_weights_query(p->weights, &p->info));
    p->y = malloc((size_t)(kind->rows * batch) * sizeof *p->y);
    const tmac_activations x = problem_activations(p, batch);
    check_spoil_stack();
    CHECK_OK(tmac_matmul(p->context, p->weights, &x, p->y, kind->rows));
    return true;
}

void problem_free(struct problem *p)
{
    tmac_weights_free(p->weights);
    tmac_context_free(p->context);
    matrix_free(&p->matrix);
    guard_free(&p->x_guard);
    free(p->y);
    memset(p, 0, sizeof *p);
}

tmac_activations problem_activations(const struct problem *p, int64_t batch)
{
    return (tmac_activations){.struct_size = sizeof(tmac_activations),
                              .cols = p->matrix.kind.cols,
                              .batch = batch,
                              .data = p->x};
}

tmac_tables *problem_tables(const struct problem *p, const tmac_context *context,
                            const tmac_weights *weights, int64_t batch)
{
    const tmac_activations x = problem_activations(p, batch);
    tmac_tables *tables;

    CHECK_OK(tmac_tables_create(context, weights, batch, &tables));
    CHECK_OK(tmac_tables_build(context, tables, &x));
    return tables;
}

void *problem_plain_tables(const struct problem *p, const tmac_context *context, int64_t batch,
                           int32_t parts, struct guard *guard)
{
    const tmac_activations x = problem_activations(p, batch);
    size_t bytes;
    void *tables;

    CHECK_OK(tmac_tables_size(p->info.table_layout, x.cols, batch, &bytes));
    tables = guard_new(guard, bytes, TMAC_TABLES_ALIGNMENT, GUARD_END);
    for (int32_t part = parts - 1; part >= 0; part--) {
        check_spoil_stack();
        CHECK_OK(
            tmac_tables_build_part(context, p->info.table_layout, &x, part, parts, tables, bytes));
    }
    CHECK(guard_intact(guard), "%s: tables outside their memory", matrix_name(&p->matrix.kind));
    guard_seal(guard);
    return tables;
}

void result_new(struct result *r, const struct problem *p, int64_t batch, int64_t stride)
{
    const int64_t rows = p->matrix.kind.rows;
    const size_t count = batch ? (size_t)((batch - 1) * stride + rows) : 1;

    *r = (struct result){.rows = rows, .batch = batch, .stride = stride};
    r->y = guard_new(&r->guard, count * sizeof *r->y, sizeof *r->y,
                     stride % 2 ? GUARD_ODD : GUARD_END);
    check_spoil_stack();
}

static bool untouched(const float *from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        for (size_t b = 0; b < sizeof *from; b++)
            if (((const uint8_t *)&from[i])[b] != 0xa5)
                return false;
    return true;
}

void result_check(struct result *r, const struct problem *p, int64_t row_begin, int64_t row_end,
                  const char *what)
{
    const char *name = matrix_name(&p->matrix.kind);
    const int64_t rows = row_end - row_begin;

    CHECK(guard_intact(&r->guard), "%s, %s, %s: wrote outside", name, p->info.layout, what);
    for (int64_t n = 0; n < r->batch; n++) {
        const float *got = r->y + n * r->stride, *want = p->y + n * r->rows;
        const int64_t after = n == r->batch - 1 ? r->rows : r->stride;
        const int64_t at = (int64_t)check_floats(got + row_begin, want + row_begin, (size_t)rows);
        CHECK(at == rows, "%s, %s, %s: input %lld of %lld, row %lld: %.9g, expected %.9g", name,
              p->info.layout, what, (long long)n, (long long)r->batch, (long long)(row_begin + at),
              (double)got[row_begin + at], (double)want[row_begin + at]);
        CHECK(untouched(got, row_begin) && untouched(got + row_end, after - row_end),
              "%s, %s, %s: input %lld: wrote other rows than asked for", name, p->info.layout, what,
              (long long)n);
    }
    guard_free(&r->guard);
}
