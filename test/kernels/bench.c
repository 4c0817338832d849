/* SPDX-License-Identifier: MIT
 * Times multiply kernels on a tile that stays in the caches, beside scalar and the kernel of the tier below. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "multiply_case.h"
#include "subjects.h"
#include "widths.h"

enum { STEPS = 64, ROUNDS = 7, TRIES = 10000 };

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void multiply(const struct tmac_kernel *kernel, const struct subject *subject,
                     const struct multiply_case *c)
{
    if (kernel == subject->scalar)
        multiply_case_scalar(c, kernel);
    else
        kernel->multiply(&c->tile);
}

/* Seconds of a call: the best of some rounds of a millisecond. */
static double seconds(const struct tmac_kernel *kernel, const struct subject *subject,
                      const struct multiply_case *c)
{
    double best = 1e9;
    int calls = 1;

    for (int round = 0; round < ROUNDS;) {
        const double start = now();
        for (int i = 0; i < calls; i++)
            multiply(kernel, subject, c);
        const double time = now() - start;
        if (time < 1e-3 && calls < 1 << 20) {
            calls *= 2;
            continue;
        }
        best = time / calls < best ? time / calls : best;
        round++;
    }
    return best;
}

/* The same for all kernels that serve such weights, as far as these accept the same: ordinary numbers, scales in
 * floats. False: none was found. */
static bool make_case(struct multiply_case *c, const struct subject *subject, enum tmac_batch batch,
                      int block_k)
{
    struct rng rng = rng_stream(test_seed, STREAM_BENCH, 0);

    for (int i = 0; i < TRIES; i++) {
        memset(c, 0, sizeof *c);
        c->wanted = subject->kernel;
        c->batch = batch;
        c->width = subject->width;
        c->block_k = block_k;
        c->steps = STEPS;
        if (multiply_case_make(c, &rng) && strcmp(multiply_case_flavour(c), "random") == 0 &&
            !c->half && c->tile.panels == (batch == TMAC_BATCH_MANY ? 4 : 1))
            return true;
        multiply_case_free(c);
    }
    return false;
}

/* The last before it of another tier that serves the case. NULL: none but scalar. */
static const struct tmac_kernel *below(const struct subject *subject, const struct multiply_case *c)
{
    const struct tmac_kernel *found = NULL;
    const struct tmac_tile *t = &c->tile;

    for (const struct subject *s = subjects; s < subject; s++)
        if (subject_takes(s, t->layout, t->width, subject->kernel->averages, c->batch) &&
            s->kernel != s->scalar && s->tier != subject->tier &&
            (!s->kernel->accepts || s->kernel->accepts(&c->spec)))
            found = s->kernel;
    return found;
}

static void bench_case(const struct subject *subject, const struct multiply_case *c)
{
    const struct tmac_tile *t = &c->tile;
    const double weights = (double)tmac_layout_tile_rows(t->layout) * t->steps * TMAC_STEP_K;
    const double time = seconds(subject->kernel, subject, c);
    const struct tmac_kernel *lower = below(subject, c);

    printf("%-28s %-7s %2d x %d  %5d  %9.0f  %8.1f  %8.2f", subject->name,
           test_width_name(subject->width), t->panels, t->batch,
           t->nested.group_k ? t->nested.group_k : t->block_k, time * 1e9,
           weights * t->panels * t->batch / time * 1e-9,
           seconds(subject->scalar, subject, c) / time);
    if (lower)
        printf("  %8.2f  %s", seconds(lower, subject, c) / time, lower->name);
    printf("\n");
}

void bench_kernels(const char *only)
{
    static const int blocks[] = {32, 128};
    struct multiply_case c;

    printf("\nTiles of %d activations in the caches; against scalar, and the tier below: above 1 "
           "is faster\n"
           "%-28s %-7s %6s  %5s  %9s  %8s  %8s  %8s\n",
           STEPS * TMAC_STEP_K, "kernel", "width", "batch", "group", "ns a tile", "Gwgt/s",
           "scalar", "below");
    for (struct subject *s = NULL; (s = next_subject(s, FUNCTION_MULTIPLY));)
        for (int i = 0; i < 2 * TMAC_BATCH_COUNT && (!only || strstr(s->name, only)); i++) {
            const enum tmac_batch batch = (enum tmac_batch)(i / 2);

            if (!(s->kernel->batches & 1u << batch) ||
                (i % 2 && tmac_layout_is_nested(s->kernel->layout)))
                continue; /* nested: as drawn, once */
            if (!make_case(&c, s, batch, blocks[i % 2]))
                continue;
            bench_case(s, &c);
            multiply_case_free(&c);
        }
}
