/* SPDX-License-Identifier: MIT
 *
 * The low-level calls: for a host (an inference engine, a server) that owns its memory and its
 * threads. libtmac then allocates no more than a small handle and starts no thread, and the packed
 * weights can be kept in a file and mapped.
 *
 *   pack      query the size, write the header, pack rows in two threads, finish
 *   keep      write the bytes to a file, map the file, attach
 *   multiply  build the tables in two parts, multiply two row ranges, each in a thread of its own
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <tmac.h>

enum { ROWS = 300, COLS = 2048, GROUP = 64, BATCH = 3, THREADS = 2 };

static uint8_t codes[ROWS * COLS]; /* 0..3: 2-bit weights, one code per byte */
static float scales[ROWS * (COLS / GROUP)];
static float x[BATCH * COLS], y[BATCH * ROWS];

static void fail(const char *what)
{
    fprintf(stderr, "host: %s\n", what);
    exit(1);
}

static void check(tmac_status status)
{
    if (status != TMAC_OK)
        fail(tmac_status_text(status));
}

static void fill(void)
{
    for (int i = 0; i < ROWS * COLS; i++)
        codes[i] = (uint8_t)(rand() % 4);
    for (int i = 0; i < ROWS * (COLS / GROUP); i++)
        scales[i] = 0.01f + 0.01f * (float)rand() / (float)RAND_MAX;
    for (int i = 0; i < BATCH * COLS; i++)
        x[i] = 2.0f * (float)rand() / (float)RAND_MAX - 1.0f;
}

static void *allocate(size_t size, size_t align)
{
    void *memory;
    if (posix_memalign(&memory, align, size))
        fail("out of memory");
    return memory;
}

/* ---- the host's threads ---- */

/* All that the threads share. Each stage fills in what the next ones read. */
struct job {
    tmac_context *context;
    tmac_weights_desc desc;
    tmac_packed_plan plan;
    void *packed;
    tmac_weights *weights;
    tmac_activations in;
    void *tables;
    size_t table_bytes;
};

struct worker {
    struct job *job;
    int index;
    tmac_status status;
    tmac_status (*work)(struct job *job, int index);
};

static void *start_worker(void *arg)
{
    struct worker *worker = arg;
    worker->status = worker->work(worker->job, worker->index);
    return NULL;
}

/* Runs one stage in all threads, and waits for them. */
static void in_threads(struct job *job, tmac_status (*work)(struct job *job, int index))
{
    pthread_t threads[THREADS];
    struct worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){job, i, TMAC_OK, work};
        if (pthread_create(&threads[i], NULL, start_worker, &workers[i]))
            fail("no thread");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        check(workers[i].status);
    }
}

/* Where thread `index` begins: at a multiple of the row step, as packing demands. */
static int64_t first_row(const struct job *job, int index)
{
    const int64_t step = job->plan.row_step;
    return index == THREADS ? ROWS : ROWS * index / THREADS / step * step;
}

/* ---- the stages that run in threads ---- */

static tmac_status pack_rows(struct job *job, int index)
{
    return tmac_packed_rows(job->context, &job->desc, first_row(job, index),
                            first_row(job, index + 1), job->packed, job->plan.bytes);
}

static tmac_status build_tables(struct job *job, int index)
{
    return tmac_tables_build_part(job->context, job->plan.table_layout, &job->in, index, THREADS,
                                  job->tables, job->table_bytes);
}

static tmac_status multiply_rows(struct job *job, int index)
{
    return tmac_multiply_rows(job->weights, job->tables, job->table_bytes, BATCH,
                              first_row(job, index), first_row(job, index + 1), y, ROWS);
}

/* ---- the stages that do not ---- */

static void pack(struct job *job)
{
    job->plan.struct_size = sizeof job->plan;
    check(tmac_packed_query(job->context, &job->desc, &job->plan));
    job->packed = allocate(job->plan.bytes, TMAC_PACKED_ALIGNMENT);
    check(tmac_packed_begin(job->context, &job->desc, job->packed, job->plan.bytes));
    in_threads(job, pack_rows);
    check(tmac_packed_finish(job->packed, job->plan.bytes));
}

/* Packed weights are bytes and nothing else. After this the codes, and the memory that they were packed
 * into, are no longer needed. A real host would keep the file and start here the next time. */
static void keep_in_file(struct job *job)
{
    FILE *file = tmpfile();
    if (!file || fwrite(job->packed, 1, job->plan.bytes, file) != job->plan.bytes || fflush(file))
        fail("cannot write a temporary file");
    free(job->packed);
    job->packed = mmap(NULL, job->plan.bytes, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    if (job->packed == MAP_FAILED)
        fail("cannot map the file");
    fclose(file);

    check(tmac_weights_attach(job->context, job->packed, job->plan.bytes, TMAC_ATTACH_VERIFY,
                              &job->weights));
}

static void multiply(struct job *job)
{
    check(tmac_tables_size(job->plan.table_layout, COLS, BATCH, &job->table_bytes));
    job->tables = allocate(job->table_bytes, TMAC_TABLES_ALIGNMENT);
    in_threads(job, build_tables);
    in_threads(job, multiply_rows);
}

/* Squared error of y over its squared length, against a plain loop in double precision. */
static double relative_squared_error(void)
{
    double wrong = 0, all = 0;

    for (int i = 0; i < BATCH * ROWS; i++) {
        const int n = i / ROWS, m = i % ROWS;
        double exact = 0;
        for (int k = 0; k < COLS; k++)
            exact += (double)scales[(m * COLS + k) / GROUP] * (codes[m * COLS + k] - 2) *
                     x[n * COLS + k];
        wrong += (y[i] - exact) * (y[i] - exact);
        all += exact * exact;
    }
    return wrong / all;
}

int main(void)
{
    /* No threads of libtmac's own: the low-level calls work on the thread that calls them. */
    tmac_context_options options = {.struct_size = sizeof options, .threads = 1};
    struct job job = {
        .desc = {.struct_size = sizeof job.desc,
                 .rows = ROWS,
                 .cols = COLS,
                 .width = TMAC_WIDTH_2,
                 .codes = codes,
                 .group = GROUP,
                 .scales = scales},
        .in = {.struct_size = sizeof job.in, .cols = COLS, .batch = BATCH, .data = x},
    };

    fill();
    check(tmac_context_create(&options, &job.context));
    pack(&job);
    keep_in_file(&job);
    multiply(&job);

    const double error = relative_squared_error();
    printf("%d x %d weights of 2 bits in %zu mapped bytes (%s), times %d inputs in %d threads:\n"
           "relative squared error %.1e\n",
           ROWS, COLS, job.plan.bytes, job.plan.kernel, BATCH, THREADS, error);

    tmac_weights_free(job.weights);
    munmap(job.packed, job.plan.bytes);
    free(job.tables);
    tmac_context_free(job.context);
    /* Rounding gives about 4e-5 (docs/numerics.md), a mistake about 1. */
    return error < 1e-3 ? 0 : 1;
}
