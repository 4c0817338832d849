/* SPDX-License-Identifier: MIT
 *
 * Many threads multiply at once, with the same weights and tables: handles that are not being built
 * or freed may be shared. Run under a thread sanitizer this finds hidden state. */
#include "support/check.h"
#include "support/problem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 100, COLS = 512, BATCH = 9, THREADS = 8, ROUNDS = 5 };

struct worker {
    pthread_t thread;
    const struct problem *problem;
    const tmac_context *context; /* with its weights and tables; NULL: makes all of its own */
    const tmac_weights *weights;
    const tmac_tables *tables;
    int number;
    const char *failed;
};

/* The first step that fails, or NULL. No CHECK here: it may only run on the test's own thread. */
static const char *multiply(const struct worker *w, const tmac_context *context,
                            const tmac_weights *weights, const tmac_tables *tables)
{
    const struct problem *p = w->problem;
    const tmac_activations x = problem_activations(p, BATCH);
    const int64_t first = w->number * 7 % ROWS;
    static const size_t bytes = ROWS * BATCH * sizeof(float);
    const char *failed = NULL;
    float *y = calloc(1, bytes);

    if (tmac_gemm(context, weights, tables, y, ROWS) || memcmp(y, p->y, bytes) != 0)
        failed = "gemm";
    else if (tmac_matmul(context, weights, &x, y, ROWS) || memcmp(y, p->y, bytes) != 0)
        failed = "matmul";
    memset(y, 0, bytes);
    if (!failed && (tmac_gemm_rows(context, weights, tables, first, ROWS, y, ROWS) ||
                    memcmp(y + first, p->y + first, (size_t)(ROWS - first) * sizeof *y) != 0))
        failed = "gemm_rows";
    free(y);
    return failed;
}

/* With what is shared, and with weights and tables of its own. */
static const char *work(const struct worker *w, const tmac_context *context)
{
    const struct problem *p = w->problem;
    const tmac_activations x = problem_activations(p, BATCH);
    const char *failed = w->context ? multiply(w, context, w->weights, w->tables) : NULL;
    tmac_weights *weights = NULL;
    tmac_tables *tables = NULL;

    if (!failed && tmac_weights_pack(context, &p->matrix.desc, &weights))
        failed = "pack";
    if (!failed && (tmac_tables_create(context, weights, BATCH, &tables) ||
                    tmac_tables_build(context, tables, &x)))
        failed = "tables";
    if (!failed)
        failed = multiply(w, context, weights, tables);
    tmac_tables_free(tables);
    tmac_weights_free(weights);
    return failed;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    tmac_context *own = NULL;
    const tmac_context_options options = {.struct_size = sizeof options,
                                          .threads = 1 + w->number % 3,
                                          .family = w->problem->info.family};

    for (int i = 0; i < ROUNDS && !w->failed; i++) {
        if (!w->context && tmac_context_create(&options, &own))
            w->failed = "context_create";
        else
            w->failed = work(w, w->context ? w->context : own);
        tmac_context_free(own);
        own = NULL;
    }
    return NULL;
}

static void run_workers(const struct problem *p, const tmac_context *shared, const char *what)
{
    tmac_weights *weights = shared ? weights_in(shared, p->weights) : NULL;
    tmac_tables *tables = shared ? problem_tables(p, shared, weights, BATCH) : NULL;
    struct worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){
            .problem = p, .context = shared, .weights = weights, .tables = tables, .number = i};
        if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
            abort();
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        CHECK(!workers[i].failed, "%s, %s: thread %d: %s", what, p->info.layout, i,
              workers[i].failed);
    tmac_tables_free(tables);
    tmac_weights_free(weights);
}

static void check_layout(enum tmac_layout layout)
{
    struct rng rng = rng_stream(1, 2, layout);
    const struct matrix_kind kind = {
        .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_3, .group = 64, .zero = TMAC_ZERO_POINT};
    struct problem p;
    tmac_context *three;

    problem_new(&p, &kind, layout, BATCH, &rng);
    three = context_new(NULL, layout, 3);
    run_workers(&p, p.context, "one context, one thread");
    run_workers(&p, three, "one context, three threads");
    if (layout == TMAC_LAYOUT_DIRECT) /* in the others the family does not fix the layout */
        run_workers(&p, NULL, "own contexts");
    tmac_context_free(three);
    problem_free(&p);
}

static void test_lookup(void **state)
{
    (void)state;
    check_layout(TMAC_LAYOUT_ROWS32);
    check_layout(TMAC_LAYOUT_QUAD);
}

static void test_direct(void **state)
{
    (void)state;
    check_layout(TMAC_LAYOUT_DIRECT);
}

/* Packing shares nothing but the description; building shares the tables' memory by parts. */
static void *build_some(void *arg)
{
    struct worker *w = arg;
    struct guard guard;
    struct result r;

    for (int i = 0; i < ROUNDS; i++) {
        problem_plain_tables(w->problem, w->problem->context, BATCH, 1 + w->number % 4, &guard);
        result_new(&r, w->problem, BATCH, ROWS);
        if (tmac_multiply_rows(w->problem->weights, guard.at, guard.size, BATCH, 0, ROWS, r.y,
                               ROWS) ||
            memcmp(r.y, w->problem->y, r.guard.size) != 0)
            w->failed = "multiply_rows";
        guard_free(&r.guard);
        guard_free(&guard);
    }
    return NULL;
}

static void test_plain_calls(void **state)
{
    struct rng rng = rng_stream(1, 3, 0);
    const struct matrix_kind kind = {
        .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_2, .group = 32};
    struct worker workers[THREADS];
    struct problem p;

    (void)state;
    problem_new(&p, &kind, TMAC_LAYOUT_ROWS64, BATCH, &rng);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.problem = &p, .number = i};
        if (pthread_create(&workers[i].thread, NULL, build_some, &workers[i]))
            abort();
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK(!workers[i].failed, "thread %d: %s", i, workers[i].failed);
    }
    problem_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_plain_calls),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
