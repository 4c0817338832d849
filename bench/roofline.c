/* SPDX-License-Identifier: MIT
 *
 * See roofline.h. All measurements have one shape: threads start a pass together, each runs a loop
 * over its share, and the pass takes from the first start to the last end. The best pass counts.
 */
#define _DEFAULT_SOURCE /* madvise, sched_yield */
#include "roofline.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    MAX_THREADS = 256,
    HUGE_PAGE = 2 << 20,
    READ_CHUNK = 2048,        /* every reading loop takes whole chunks */
    PASS_NANOSECONDS = 20000, /* shorter passes would measure the clock */
    LOOP_NANOSECONDS = 20000000,
    MIN_PASSES = 5,
    MAX_PASSES = 400,
};

/* Runs `repeats` times over `bytes` bytes at `data` (which arithmetic ignores). */
typedef void loop_fn(const void *data, size_t bytes, size_t repeats);

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- reading ----
 *
 * Sums, since a load whose value is not used is removed. One stream keeps the prefetchers of most
 * CPUs busiest, four streams do on some, and prefetching by hand helps beyond the caches: all are
 * tried, as a kernel could do any of it.
 */

typedef uint64_t vector __attribute__((vector_size(64), aligned(64)));

#define INLINE static inline __attribute__((always_inline))

/* Keeps a value alive without storing it anywhere that counts. */
INLINE void keep(const vector *sum)
{
    __asm__ volatile("" : : "r"(sum) : "memory");
}

INLINE void read_streams(const void *data, size_t bytes, size_t repeats, size_t streams,
                         size_t ahead)
{
    const size_t length = bytes / sizeof(vector) / streams; /* a multiple of 8 */
    vector sum[4] = {{0}};

    for (; repeats > 0; repeats--) {
        const vector *at = data;
        for (const vector *end = at + length; at < end; at += streams == 1 ? 4 : 1) {
            for (size_t i = 0; i < 4; i++)
                sum[i] += at[streams == 1 ? i : i * length];
            for (size_t i = 0; ahead && i < 4; i++) /* past the end: a prefetch never faults */
                __builtin_prefetch((const char *)(at + i) + ahead, 0, 3);
        }
        keep(sum); /* or the repeats would be merged */
    }
}

#define READ_LOOPS(name, isa)                                                                      \
    isa static void name##_1(const void *data, size_t bytes, size_t repeats)                       \
    {                                                                                              \
        read_streams(data, bytes, repeats, 1, 0);                                                  \
    }                                                                                              \
    isa static void name##_4(const void *data, size_t bytes, size_t repeats)                       \
    {                                                                                              \
        read_streams(data, bytes, repeats, 4, 0);                                                  \
    }                                                                                              \
    isa static void name##_ahead(const void *data, size_t bytes, size_t repeats)                   \
    {                                                                                              \
        read_streams(data, bytes, repeats, 1, 4096);                                               \
    }

READ_LOOPS(read_any, )
#if defined(__x86_64__)
READ_LOOPS(read_avx2, __attribute__((target("avx2"))))
READ_LOOPS(read_avx512, __attribute__((target("avx512f"))))
#endif

/* ---- multiplying ---- */

#if defined(__x86_64__)

/* Independent sums: latency 4 or 5 times two per cycle, with some to spare. Variables and not an
 * array, which gcc would move about between registers. */
enum { DOTS = 12 };
#define EACH(x) x(s0) x(s1) x(s2) x(s3) x(s4) x(s5) x(s6) x(s7) x(s8) x(s9) x(s10) x(s11)

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vnni")))

/* Two byte products added to words, words to the sum: what AVX2 has for vpdpbusd. */
AVX2 INLINE __m256i maddubs_256(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum,
                            _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}

AVX512 INLINE __m512i maddubs_512(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_add_epi32(sum,
                            _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)));
}

VNNI INLINE __m256i vnni_256(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_dpbusd_epi32(sum, a, b);
}

VNNI INLINE __m512i vnni_512(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_dpbusd_epi32(sum, a, b);
}

/* A lookup and the least that can be done with what it found: nothing widens the sums. */
AVX2 INLINE __m256i shuffle_256(__m256i sum, __m256i index, __m256i table)
{
    return _mm256_add_epi8(sum, _mm256_shuffle_epi8(table, index));
}

AVX512 INLINE __m512i shuffle_512(__m512i sum, __m512i index, __m512i table)
{
    return _mm512_add_epi8(sum, _mm512_shuffle_epi8(table, index));
}

VBMI INLINE __m512i permb_vnni(__m512i sum, __m512i index, __m512i table)
{
    return _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_permutexvar_epi8(index, table));
}

/* Empty asm hides from the compiler that the operands never change. */
#define STEP(s)                                                                                    \
    __asm__ volatile("" : "+v"(a), "+v"(b));                                                       \
    s = DOT(s, a, b);                                                                              \
    __asm__ volatile("" : "+v"(s));

#define DOT_LOOP(name, isa, type)                                                                  \
    isa static void name(const void *data, size_t bytes, size_t repeats)                           \
    {                                                                                              \
        type a = {0}, b = {0}, s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0};         \
        type s6 = {0}, s7 = {0}, s8 = {0}, s9 = {0}, s10 = {0}, s11 = {0};                         \
        (void)data, (void)bytes;                                                                   \
        for (; repeats > 0; repeats--) {                                                           \
            EACH(STEP)                                                                             \
        }                                                                                          \
    }

#define DOT maddubs_256
DOT_LOOP(dot_maddubs_256, AVX2, __m256i)
#undef DOT
#define DOT maddubs_512
DOT_LOOP(dot_maddubs_512, AVX512, __m512i)
#undef DOT
#define DOT vnni_256
DOT_LOOP(dot_vnni_256, VNNI, __m256i)
#undef DOT
#define DOT vnni_512
DOT_LOOP(dot_vnni_512, VNNI, __m512i)
#undef DOT
#define DOT shuffle_256
DOT_LOOP(lookup_shuffle_256, AVX2, __m256i)
#undef DOT
#define DOT shuffle_512
DOT_LOOP(lookup_shuffle_512, AVX512, __m512i)
#undef DOT
#define DOT permb_vnni
DOT_LOOP(lookup_permb, VBMI, __m512i)
#undef DOT

#endif

/* ---- what this CPU can run ---- */

struct loop {
    loop_fn *run;
    const char *name;
    double work; /* per repeat; reading: per byte */
    int usable;
};

enum { MAX_LOOPS = 8 };

static int read_loops(struct loop loops[MAX_LOOPS])
{
    loop_fn *run[3] = {read_any_1, read_any_4, read_any_ahead};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        run[0] = read_avx512_1, run[1] = read_avx512_4, run[2] = read_avx512_ahead;
    else if (__builtin_cpu_supports("avx2"))
        run[0] = read_avx2_1, run[1] = read_avx2_4, run[2] = read_avx2_ahead;
#endif
    for (int i = 0; i < 3; i++)
        loops[i] = (struct loop){run[i], "read", 1, 1};
    return 3;
}

/* Those of `count` loops that this CPU can run. */
static int take_usable(struct loop loops[MAX_LOOPS], const struct loop *all, int count)
{
    int taken = 0;

    for (int i = 0; i < count; i++)
        if (all[i].usable)
            loops[taken++] = all[i];
    return taken;
}

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static int dot_loops(struct loop loops[MAX_LOOPS])
{
#if defined(__x86_64__)
    const struct loop all[] = {
        {dot_maddubs_256, "vpmaddubsw ymm", 32 * DOTS, __builtin_cpu_supports("avx2")},
        {dot_maddubs_512, "vpmaddubsw zmm", 64 * DOTS, __builtin_cpu_supports("avx512bw")},
        {dot_vnni_256, "vpdpbusd ymm", 32 * DOTS,
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl")},
        {dot_vnni_512, "vpdpbusd zmm", 64 * DOTS, __builtin_cpu_supports("avx512vnni")},
    };
    return take_usable(loops, all, COUNT(all));
#else
    return take_usable(loops, NULL, 0);
#endif
}

/* A byte looked up stands for 4 weights. */
static int lookup_loops(struct loop loops[MAX_LOOPS])
{
#if defined(__x86_64__)
    const struct loop all[] = {
        {lookup_shuffle_256, "vpshufb ymm", 4 * 32 * DOTS, __builtin_cpu_supports("avx2")},
        {lookup_shuffle_512, "vpshufb zmm", 4 * 64 * DOTS, __builtin_cpu_supports("avx512bw")},
        {lookup_permb, "vpermb zmm", 4 * 64 * DOTS,
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni")},
    };
    return take_usable(loops, all, COUNT(all));
#else
    return take_usable(loops, NULL, 0);
#endif
}

/* ---- passes ---- */

struct pass_times {
    double begin, end;
};

struct job {
    loop_fn *run;
    const char *data;
    size_t share; /* bytes of each thread */
    size_t repeats;
    int threads, passes;
    atomic_int arrived;       /* counts up for good: pass p starts at threads * (p + 1) */
    struct pass_times *times; /* [threads][passes] */
};

struct worker {
    struct job *job;
    int index;
};

/* Spins: the wake-up from anything else takes longer than some passes. */
static void start_together(struct job *job, int pass)
{
    const int all = job->threads * (pass + 1);

    atomic_fetch_add(&job->arrived, 1);
    for (int spins = 0; atomic_load(&job->arrived) < all; spins++)
        if (spins > 10000)
            sched_yield();
}

static void *work(void *arg)
{
    const struct worker *worker = arg;
    struct job *job = worker->job;
    const char *data = job->data + job->share * (size_t)worker->index;

    for (int pass = 0; pass < job->passes; pass++) {
        struct pass_times *times = &job->times[worker->index * job->passes + pass];
        start_together(job, pass);
        times->begin = seconds();
        job->run(data, job->share, job->repeats);
        times->end = seconds();
    }
    return NULL;
}

static double best_pass(const struct job *job)
{
    double best = 0;

    for (int pass = 0; pass < job->passes; pass++) {
        struct pass_times all = job->times[pass];
        for (int i = 1; i < job->threads; i++) {
            const struct pass_times *one = &job->times[i * job->passes + pass];
            all.begin = one->begin < all.begin ? one->begin : all.begin;
            all.end = one->end > all.end ? one->end : all.end;
        }
        if (pass == 0 || all.end - all.begin < best)
            best = all.end - all.begin;
    }
    return best;
}

/* Seconds of the best pass, or 0. The calling thread is worker 0. */
static double run_job(struct job *job)
{
    pthread_t threads[MAX_THREADS];
    struct worker workers[MAX_THREADS];
    int started = 1;

    job->times = calloc((size_t)job->threads * (size_t)job->passes, sizeof *job->times);
    if (!job->times)
        return 0;
    atomic_init(&job->arrived, 0);
    for (int i = 0; i < job->threads; i++)
        workers[i] = (struct worker){job, i};
    while (started < job->threads &&
           !pthread_create(&threads[started], NULL, work, &workers[started]))
        started++;
    /* Stand in for workers that did not start, or those that did would wait for ever. */
    atomic_fetch_add(&job->arrived, (job->threads - started) * job->passes);
    work(&workers[0]);
    for (int i = 1; i < started; i++)
        pthread_join(threads[i], NULL);
    const double best = started == job->threads ? best_pass(job) : 0;
    free(job->times);
    return best;
}

/* Repeats that make a pass long enough, and passes that fill the time: found by running once. */
static double work_per_second(const struct loop *loop, const char *data, size_t share, int threads)
{
    struct job job = {.run = loop->run,
                      .data = data,
                      .share = share,
                      .repeats = 1,
                      .threads = threads,
                      .passes = 2};
    double once = run_job(&job);

    while (once > 0 && once < 1e-9 * PASS_NANOSECONDS) {
        job.repeats *= 2;
        once = run_job(&job);
    }
    if (once <= 0)
        return 0;
    job.passes = (int)(1e-9 * LOOP_NANOSECONDS / once);
    job.passes = job.passes < MIN_PASSES ? MIN_PASSES : job.passes;
    job.passes = job.passes > MAX_PASSES ? MAX_PASSES : job.passes;
    const double best = run_job(&job);
    const double size = share ? (double)share : 1;
    return best > 0 ? loop->work * size * threads * (double)job.repeats / best : 0;
}

static double best_loop(const struct loop *loops, int count, const char *data, size_t share,
                        int threads, const char **name)
{
    double best = 0;

    for (int i = 0; i < count; i++) {
        const double rate = work_per_second(&loops[i], data, share, threads);
        if (rate > best) {
            best = rate;
            if (name)
                *name = loops[i].name;
        }
    }
    return best;
}

static int clamp_threads(int threads)
{
    return threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
}

void *roofline_allocate(size_t bytes)
{
    void *data;

    if (posix_memalign(&data, bytes >= HUGE_PAGE ? HUGE_PAGE : 4096, bytes))
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE)
        (void)madvise(data, bytes, MADV_HUGEPAGE);
#endif
    return data;
}

double roofline_read_bytes_per_second(size_t footprint, int threads)
{
    struct loop loops[MAX_LOOPS];
    const int count = read_loops(loops);

    threads = clamp_threads(threads);
    size_t share = (footprint / (size_t)threads + READ_CHUNK - 1) / READ_CHUNK * READ_CHUNK;
    share = share ? share : READ_CHUNK;
    if (share > (SIZE_MAX >> 1) / (size_t)threads)
        return 0;
    const size_t bytes = share * (size_t)threads;
    void *data = roofline_allocate(bytes);
    if (!data)
        return 0;
    memset(data, 1, bytes); /* pages that were never written are all the same one */
    const double best = best_loop(loops, count, data, share, threads, NULL);
    free(data);
    return best;
}

/* Loops that only use registers. */
static double best_in_registers(int (*list)(struct loop[MAX_LOOPS]), int threads, const char **name)
{
    struct loop loops[MAX_LOOPS];

    return best_loop(loops, list(loops), NULL, 0, clamp_threads(threads), name);
}

double roofline_dot_per_second(int threads)
{
    return best_in_registers(dot_loops, threads, NULL);
}

double roofline_lookup_per_second(int threads)
{
    return best_in_registers(lookup_loops, threads, NULL);
}

const char *roofline_dot_instruction(void)
{
    const char *name = "none";

    best_in_registers(dot_loops, 1, &name);
    return name;
}

const char *roofline_lookup_instruction(void)
{
    const char *name = "none";

    best_in_registers(lookup_loops, 1, &name);
    return name;
}
