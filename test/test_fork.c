/* SPDX-License-Identifier: MIT
 *
 * A process that forks after it has multiplied with OpenMP's threads, which stay behind: in the child every
 * handle and every function works all the same, on one thread. */
#define _DEFAULT_SOURCE

#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 1024, COLS = 1024, BATCH = 4, SECONDS = 60, SKIPPED = 77 };

static struct matrix matrix;
static float x[BATCH * COLS], want[BATCH * ROWS], y[BATCH * ROWS];
static const tmac_activations activations = {
    .struct_size = sizeof activations, .cols = COLS, .batch = BATCH, .data = x};

/* Linux says so; 0 elsewhere. */
static int threads_now(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    for (struct dirent *entry; tasks && (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count;
}

/* Everything that uses a context's threads. The first call that fails, or NULL: a child has no
 * test to fail. */
static const char *use(const tmac_context *context, const tmac_weights *weights)
{
    const tmac_multiply_args args = {.struct_size = sizeof args,
                                     .weights = weights,
                                     .activations = &activations,
                                     .y = y,
                                     .stride = ROWS};
    const char *failed = NULL;
    tmac_weights *packed = NULL;
    tmac_tables *tables = NULL;

    if (tmac_matmul(context, weights, &activations, y, ROWS) || memcmp(y, want, sizeof y) != 0)
        failed = "matmul";
    memset(y, 0, sizeof y);
    if (!failed && (tmac_multiply(context, &args) || memcmp(y, want, sizeof y) != 0))
        failed = "multiply";
    if (!failed && (tmac_tables_create(context, weights, BATCH, &tables) ||
                    tmac_tables_build(context, tables, &activations)))
        failed = "tables_build";
    memset(y, 0, sizeof y);
    if (!failed && (tmac_gemm(context, weights, tables, y, ROWS) || memcmp(y, want, sizeof y) != 0))
        failed = "gemm";
    if (!failed &&
        (tmac_weights_pack(context, &matrix.desc, &packed) ||
         tmac_matmul(context, packed, &activations, y, ROWS) || memcmp(y, want, sizeof y) != 0))
        failed = "weights_pack";
    tmac_weights_free(packed);
    tmac_tables_free(tables);
    return failed;
}

static void count_calls(void *host, int count, tmac_task_fn *task, void *arg)
{
    *(int *)host += 1;
    for (int i = 0; i < count; i++)
        task(arg, i);
}

/* A context that is made now, with these threads; of a host's where `calls` is given. */
static const char *use_new(int threads, int *calls)
{
    const tmac_context_options options = {.struct_size = sizeof options,
                                          .threads = threads,
                                          .parallel_for = calls ? count_calls : NULL,
                                          .parallel_host = calls};
    tmac_context *context = NULL;
    tmac_weights *weights = NULL;
    const char *failed;

    if (tmac_context_create(&options, &context))
        failed = "context_create";
    else if (tmac_weights_pack(context, &matrix.desc, &weights))
        failed = "weights_pack in a new context";
    else
        failed = use(context, weights);
    if (!failed && calls && *calls == 0)
        failed = "parallel_for is not called";
    tmac_weights_free(weights);
    tmac_context_free(context);
    return failed;
}

static const char *use_in_child(const tmac_context *context, const tmac_weights *weights)
{
    const char *failed = use(context, weights);
    int calls = 0;

    failed = failed ? failed : use_new(2, NULL);
    failed = failed ? failed : use_new(0, NULL);
    failed = failed ? failed : use_new(2, &calls);
    return failed || threads_now() <= 1 ? failed : "a thread was started";
}

static int in_child(const tmac_context *context, const tmac_weights *weights, const char *which)
{
    const char *failed;

    alarm(SECONDS); /* a hang ends by a signal */
    failed = use_in_child(context, weights);
    if (failed)
        fprintf(stderr, "    in the %s: %s\n", which, failed);
    return failed ? 1 : 0;
}

/* In a child, and in a child of it. */
static int in_children(const tmac_context *context, const tmac_weights *weights)
{
    const int failed = in_child(context, weights, "child");
    const pid_t pid = fork();
    int status = 1;

    if (pid == 0)
        _exit(in_child(context, weights, "grandchild"));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 1;
    return failed || status;
}

static void test_fork(void **state)
{
    const struct matrix_kind kind = {
        .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_4, .group = 32};
    const tmac_context_options options = {.struct_size = sizeof options, .threads = 2};
    struct rng rng = rng_stream(1, 2, 3);
    tmac_context *context;
    tmac_weights *weights;
    const char *failed;
    int status = -1;

    (void)state;
    matrix_new(&matrix, &kind, &rng);
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = rng_normal(&rng);
    CHECK_OK(tmac_context_create(&options, &context));
    CHECK_OK(tmac_weights_pack(context, &matrix.desc, &weights));
    CHECK_OK(tmac_matmul(context, weights, &activations, want, ROWS));
    CHECK(threads_now() != 1, "the parent has not started a thread: there is nothing to test");

    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0)
        _exit(in_children(context, weights));
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "no child");
    CHECK(!WIFSIGNALED(status), "the child ends by signal %d%s", WTERMSIG(status),
          WTERMSIG(status) == SIGALRM ? ": it hangs" : "");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "in the child");

    failed = use(context, weights); /* the parent has its threads still */
    CHECK(!failed, "in the parent: %s", failed);
    tmac_weights_free(weights);
    tmac_context_free(context);
    matrix_free(&matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork),
    };
#ifndef _OPENMP
    printf("skipped: built without OpenMP\n");
    return SKIPPED;
#endif
    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
