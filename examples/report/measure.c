/* SPDX-License-Identifier: MIT
 *
 * See bench.h. A pass multiplies the matrices of all layers in the order of the file, as a model
 * does for a token, so that weights come from where a model would find them. The two sides take
 * turns of several passes, as many for either, and of each matrix the best time counts: what
 * disturbs a shared machine for a while disturbs both. The memory is measured between them.
 */
#include "../../bench/roofline.h"
#include "bench.h"
#include "progress.h"

#include <stdbool.h>
#include <stdlib.h>

enum { MIN_PASSES = 2, MANY_LAYERS = 4 };
static const double TURN_SECONDS = 0.03, LONG_SECONDS = 0.5, ROOF_SECONDS = 0.5;

/* One phase: one size, and one layout of the peer. */
struct phase {
    struct bench *bench;
    int size;
    peer_matrix **peers; /* of each matrix; NULL where the peer has no such layout */
    struct timing *best; /* of each matrix */
    struct timing *mean; /* of each kind */
};

/* Many inputs are bound by arithmetic: a few layers stand for all. */
static bool takes_part(const struct phase *phase, size_t i)
{
    return phase->size == ONE || phase->bench->model->matrices[i].layer < MANY_LAYERS;
}

/* Seconds of one multiplication by matrix i, negative on failure. */
static double time_one(struct phase *phase, size_t i, bool peer)
{
    struct bench *bench = phase->bench;
    const struct matrix *matrix = &bench->model->matrices[i];
    const int batch = batch_of(phase->size);

    if (peer && peer_ready(bench, matrix, phase->peers[i], batch))
        return -1;
    const double start = seconds_now();
    if (peer ? multiply_peer(bench, matrix, phase->peers[i]) : multiply_tmac(bench, matrix, batch))
        return -1;
    return seconds_now() - start;
}

static int pass(struct phase *phase, bool peer)
{
    for (size_t i = 0; i < phase->bench->model->matrix_count; i++) {
        double *best = peer ? &phase->best[i].peer : &phase->best[i].tmac;
        if (!takes_part(phase, i) || (peer && !phase->peers[i]))
            continue;
        const double time = time_one(phase, i, peer);
        if (time < 0)
            return -1;
        if (*best == 0 || time < *best)
            *best = time;
    }
    return 0;
}

/* `wanted` passes, or (0) as many as a turn has time for. The first also warms up: the threads, the
 * clock of the CPU. How many there were, or -1. */
static int turn(struct phase *phase, bool peer, int wanted)
{
    const double start = seconds_now();
    double spent;
    int passes = 0;

    do {
        if (pass(phase, peer))
            return -1;
        passes++;
        spent = seconds_now() - start;
    } while (spent < LONG_SECONDS &&
             (wanted ? passes < wanted : passes < MIN_PASSES || spent < TURN_SECONDS));
    if (peer)
        peer_rest(phase->bench->peer);
    return passes;
}

static void measure_roof(struct bench *bench)
{
    const double rate = roofline_read_bytes_per_second(bench->model->packed_bytes, bench->threads);
    bench->roof = rate > bench->roof ? rate : bench->roof;
}

static int turns(struct phase *phase, bool peer, double seconds)
{
    static const char *const what[SIZES] = {"measuring 1 input", "measuring 32 inputs"};
    const double start = seconds_now();
    double roof_time = start - ROOF_SECONDS;

    do {
        progress(what[phase->size], (seconds_now() - start) / seconds);
        if (phase->size == ONE && seconds_now() - roof_time >= ROOF_SECONDS) {
            measure_roof(phase->bench);
            roof_time = seconds_now();
        }
        const int passes = turn(phase, false, 0);
        if (passes < 0 || (peer && turn(phase, true, passes) < 0))
            return -1;
    } while (seconds_now() - start < seconds);
    return 0;
}

/* Gives the peer its copies. How many there are, or -1. */
static int place_peers(struct phase *phase, int repacked)
{
    struct bench *bench = phase->bench;
    int placed = 0;

    for (size_t i = 0; i < bench->model->matrix_count; i++) {
        const struct matrix *matrix = &bench->model->matrices[i];
        const struct kind *kind = &bench->model->kinds[matrix->kind];
        if (!takes_part(phase, i))
            continue;
        phase->peers[i] = peer_matrix_create(bench->peer, (int)kind->type, kind->rows, kind->cols,
                                             matrix->tensor->data, repacked);
        placed += phase->peers[i] != NULL;
        if (!phase->peers[i] && !repacked)
            return complain(NULL, "%s: llama.cpp: %s", matrix->tensor->name,
                            peer_reason(bench->peer));
    }
    return placed;
}

/* Of two phases the one counts in which the peer was faster, for both sides: so both had as many
 * passes, at the same time. */
static void keep_phase(const struct phase *phase)
{
    const struct model *model = phase->bench->model;

    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        const size_t all = model->kinds[matrix->kind].count;
        const size_t count = phase->size == MANY && all > MANY_LAYERS ? MANY_LAYERS : all;
        phase->mean[matrix->kind].tmac += phase->best[i].tmac / (double)count;
        phase->mean[matrix->kind].peer += phase->best[i].peer / (double)count;
    }
    for (size_t k = 0; k < model->kind_count; k++) {
        struct timing *kept = &model->kinds[k].timing[phase->size];
        const struct timing *now = &phase->mean[k];
        if (kept->tmac == 0 || (now->peer > 0 && now->peer < kept->peer))
            *kept = *now;
    }
}

static int run_phase(struct phase *phase, int repacked, double seconds)
{
    if (!phase->peers || !phase->best || !phase->mean)
        return complain(NULL, "out of memory");
    const int placed = phase->bench->peer ? place_peers(phase, repacked) : 0;
    if (placed < 0 || turns(phase, placed > 0, seconds))
        return -1;
    keep_phase(phase);
    return 0;
}

int measure(struct bench *bench, int size, int repacked, double seconds)
{
    const struct model *model = bench->model;
    struct phase phase = {
        .bench = bench,
        .size = size,
        .peers = calloc(model->matrix_count, sizeof *phase.peers),
        .best = calloc(model->matrix_count, sizeof *phase.best),
        .mean = calloc(model->kind_count, sizeof *phase.mean),
    };
    const int result = run_phase(&phase, repacked, seconds);

    for (size_t i = 0; phase.peers && i < model->matrix_count; i++)
        peer_matrix_free(phase.peers[i]);
    free(phase.peers);
    free(phase.best);
    free(phase.mean);
    return result;
}
