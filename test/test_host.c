/* SPDX-License-Identifier: MIT
 *
 * What a host gives a context: its threads and its memory. */
#include "support/check.h"
#include "support/matrix.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 100, COLS = 256, BATCH = 13, THREADS = 7 };

static const struct matrix_kind kind = {ROWS,
                                        COLS,
                                        TMAC_WIDTH_3,
                                        TMAC_CODES_DENSE,
                                        32,
                                        TMAC_SCALE_F16,
                                        TMAC_ZERO_MINIMUM,
                                        TMAC_SUB_NONE,
                                        0,
                                        false,
                                        false};

struct result {
    uint8_t *packed;
    size_t packed_bytes;
    float y[BATCH * ROWS];
};

static tmac_activations activations(void)
{
    static float x[BATCH * COLS];
    struct rng rng = rng_stream(1, 2, 3);

    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = rng_normal(&rng);
    return (tmac_activations){
        .struct_size = sizeof(tmac_activations), .cols = COLS, .batch = BATCH, .data = x};
}

/* Everything a context does with threads and memory; the first error ends it. */
static tmac_status work(const tmac_context_options *options, struct result *result)
{
    struct rng rng = rng_stream(4, 5, 6);
    const tmac_activations x = activations();
    tmac_context *context = NULL;
    tmac_weights *weights = NULL, *attached = NULL;
    tmac_tables *tables = NULL;
    tmac_weights_info info = {.struct_size = sizeof info};
    struct matrix matrix;
    tmac_status status;

    matrix_new(&matrix, &kind, &rng);
    if (!(status = tmac_context_create(options, &context)) &&
        !(status = tmac_weights_pack(context, &matrix.desc, &weights)) &&
        !(status = tmac_weights_query(weights, &info)) &&
        !(status = tmac_weights_attach(context, info.packed, info.packed_bytes, 0, &attached)) &&
        !(status = tmac_tables_create(context, attached, BATCH, &tables)) &&
        !(status = tmac_tables_build(context, tables, &x)) &&
        !(status = tmac_gemm(context, attached, tables, result->y, ROWS)) &&
        !(status = tmac_matmul(context, weights, &x, result->y, ROWS))) {
        result->packed_bytes = info.packed_bytes;
        result->packed = malloc(info.packed_bytes);
        memcpy(result->packed, info.packed, info.packed_bytes);
    }
    tmac_tables_free(tables);
    tmac_weights_free(attached);
    tmac_weights_free(weights);
    tmac_context_free(context);
    matrix_free(&matrix);
    return status;
}

static void check_same(const tmac_context_options *options, const char *what)
{
    static struct result one, other;

    CHECK_OK(work(NULL, &one));
    CHECK_OK(work(options, &other));
    CHECK(one.packed_bytes == other.packed_bytes &&
              memcmp(one.packed, other.packed, one.packed_bytes) == 0,
          "%s: packed bytes differ", what);
    CHECK(memcmp(one.y, other.y, sizeof one.y) == 0, "%s: results differ", what);
    free(one.packed);
    free(other.packed);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct host {
    int calls, tasks, most;
};

static void note(struct host *host, int count)
{
    host->calls++;
    host->tasks += count;
    host->most = count > host->most ? count : host->most;
}

static void forwards(void *host, int count, tmac_task_fn *task, void *arg)
{
    note(host, count);
    for (int i = 0; i < count; i++)
        task(arg, i);
}

static void backwards(void *host, int count, tmac_task_fn *task, void *arg)
{
    note(host, count);
    while (count--)
        task(arg, count);
}

/* All odd ones, then all even ones. */
static void shuffled(void *host, int count, tmac_task_fn *task, void *arg)
{
    note(host, count);
    for (int first = 1; first >= 0; first--)
        for (int i = first; i < count; i += 2)
            task(arg, i);
}

struct job {
    pthread_t thread;
    tmac_task_fn *task;
    void *arg;
    int index;
};

static void *run_job(void *arg)
{
    const struct job *job = arg;
    job->task(job->arg, job->index);
    return NULL;
}

static void threaded(void *host, int count, tmac_task_fn *task, void *arg)
{
    struct job *jobs = calloc((size_t)count, sizeof *jobs);

    note(host, count);
    for (int i = 0; i < count; i++) {
        jobs[i] = (struct job){.task = task, .arg = arg, .index = i};
        if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]))
            abort();
    }
    for (int i = 0; i < count; i++)
        pthread_join(jobs[i].thread, NULL);
    free(jobs);
}

static void test_parallel_for(void **state)
{
    static const struct {
        const char *name;
        tmac_parallel_for_fn *run;
    } hosts[] = {{"forwards", forwards},
                 {"backwards", backwards},
                 {"shuffled", shuffled},
                 {"threaded", threaded}};

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++)
        for (int threads = 0; threads <= THREADS; threads++) {
            struct host host = {0};
            const tmac_context_options options = {.struct_size = sizeof options,
                                                  .threads = threads,
                                                  .parallel_for = hosts[i].run,
                                                  .parallel_host = &host};
            check_same(&options, hosts[i].name);
            CHECK(threads < 2 || host.calls > 0, "%s was never called", hosts[i].name);
            CHECK(host.most <= (threads ? threads : 1), "%d tasks for %d threads", host.most,
                  threads);
        }
}

static void test_own_threads(void **state)
{
    (void)state;
    for (int threads = 0; threads <= THREADS; threads++) {
        const tmac_context_options options = {.struct_size = sizeof options, .threads = threads};
        check_same(&options, "own threads");
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

struct memory {
    int calls, live, fail_at; /* the call that fails; 0: none */
    bool bad;                 /* asked for nothing, or for a strange alignment */
};

static void *allocate(void *host, size_t size, size_t align)
{
    struct memory *memory = host;
    void *at;

    memory->bad |= size == 0 || align == 0 || (align & (align - 1)) != 0;
    if (++memory->calls == memory->fail_at)
        return NULL;
    if (align < sizeof(void *))
        align = sizeof(void *);
    at = aligned_alloc(align, (size + align - 1) / align * align);
    memset(at, 0xff, size); /* nothing may count on zeros */
    memory->live++;
    return at;
}

static void release(void *host, void *at)
{
    struct memory *memory = host;
    memory->bad |= at == NULL;
    memory->live--;
    free(at);
}

static tmac_context_options with_memory(struct memory *memory)
{
    return (tmac_context_options){.struct_size = sizeof(tmac_context_options),
                                  .threads = 2,
                                  .allocate = allocate,
                                  .release = release,
                                  .allocator_host = memory};
}

static void test_allocator(void **state)
{
    struct memory memory = {0};
    const tmac_context_options options = with_memory(&memory);

    (void)state;
    check_same(&options, "allocator");
    CHECK(memory.calls > 0 && memory.live == 0 && !memory.bad, "%d calls, %d still live",
          memory.calls, memory.live);
}

static void test_every_allocation_fails(void **state)
{
    struct memory memory = {0};
    const tmac_context_options options = with_memory(&memory);
    struct result result;
    int calls;

    (void)state;
    CHECK_OK(work(&options, &result));
    free(result.packed);
    calls = memory.calls;
    for (int n = 1; n <= calls; n++) {
        memory = (struct memory){.fail_at = n};
        CHECK_STATUS(work(&options, &result), TMAC_ERROR_MEMORY, "allocation %d of %d", n, calls);
        CHECK(memory.calls == n || memory.calls == n + 1, "%d calls after failure %d", memory.calls,
              n);
        CHECK(memory.live == 0, "allocation %d fails: %d blocks leak", n, memory.live);
    }
}

static void test_half_an_allocator(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        const tmac_context_options options = {.struct_size = sizeof options,
                                              .allocate = half ? allocate : NULL,
                                              .release = half ? NULL : release};
        tmac_context *context = NULL;
        CHECK_STATUS(tmac_context_create(&options, &context), TMAC_ERROR_ALLOCATOR, "half %d",
                     half);
        CHECK(context == NULL, "output touched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel_for),      cmocka_unit_test(test_own_threads),
        cmocka_unit_test(test_allocator),         cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_half_an_allocator),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
