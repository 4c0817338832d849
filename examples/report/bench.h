/* SPDX-License-Identifier: MIT
 *
 * libtmac and llama.cpp multiplying the matrices of a model side by side: what both need, how one
 * matrix is multiplied, how long the whole model takes, and how exact the results are.
 */
#ifndef REPORT_BENCH_H
#define REPORT_BENCH_H

#include "../../bench/peer.h"
#include "model.h"

struct bench {
    struct model *model;
    const tmac_context *context;
    peer *peer; /* NULL: there is none */
    int threads;
    double roof;          /* bytes per second read from as much memory as all weights take; 0: not
                             known */
    float **x;            /* of each kind: MANY_BATCH inputs */
    tmac_tables **tables; /* of each kind: room for as many */
    float *y;             /* room for the largest result */
};

int bench_open(struct bench *bench, struct model *model, const tmac_context *context, peer *peer);
void bench_close(struct bench *bench);

int batch_of(int size); /* ONE, MANY */

/* ---- one.c: one multiplication ---- */

/* Builds the tables and multiplies, into bench->y. */
int multiply_tmac(struct bench *bench, const struct matrix *matrix, int batch);
/* Brings x and y of the peer's matrix into the cache, where a model would have them. */
int peer_ready(struct bench *bench, const struct matrix *matrix, peer_matrix *m, int batch);
int multiply_peer(struct bench *bench, const struct matrix *matrix, peer_matrix *m);

/* ---- measure.c ---- */

/* Measures both sides for about `seconds` and puts the best times into the kinds' timing[size].
 * repacked: the peer's weights are in its plain layout (0) or in its best other one (1). After both
 * the kinds have the times with the better one. */
int measure(struct bench *bench, int size, int repacked, double seconds);

/* ---- error.c ---- */

/* Fills in the kinds' errors, one input, against double precision. */
int measure_errors(struct bench *bench);

#endif
