/* SPDX-License-Identifier: MIT
 * One call of tmac_multiply(): inputs become tables, tables are multiplied, by the context's threads or by a
 * team of the host's. A mixture of experts is several products:
 *
 *   one by one   where no expert is used twice (one input, as when text is generated): every input
 *                gets tables of its own, which all its experts share
 *   grouped      (a prompt): the inputs of each expert get tables together
 *
 * Use u of input n is position n * uses + u, and its output has the same number. */
#ifndef TMAC_JOB_H
#define TMAC_JOB_H

#include "engine/handles.h"
#include "engine/inputs.h"
#include "engine/split.h"

/* What all threads of a job share, in the workspace. */
struct tmac_job_state {
    struct tmac_pieces pieces;
    tmac_status status; /* of sorting */
    bool one_by_one;
};

struct tmac_job {
    const struct tmac_context *context;
    const tmac_multiply_args *args;
    const tmac_team *team;               /* NULL: the context's threads */
    const tmac_activations *activations; /* NULL: tables are given */
    const struct tmac_weights *weights;  /* the matrix, or the first expert */
    uint32_t table_layout;
    int64_t cols, batch;
    int64_t rows;       /* of the matrix or of an expert */
    int64_t positions;  /* outputs */
    int64_t experts;    /* 0: no mixture */
    size_t input_bytes; /* of one input's tables; what several take together is no more */
    bool alone;         /* every thread of the team builds all tables for itself */

    /* In the workspace. */
    struct tmac_job_state *state;
    int64_t *first; /* [experts + 1] where an expert's positions start in `order`; 0 <= id only */
    int64_t *order; /* [positions], by expert */
    uint8_t *tables;
    size_t workspace; /* bytes of all */
};

/* Lays out the workspace from `memory` on, and sets what follows from the members above `input_bytes`. */
tmac_status tmac_job_plan(struct tmac_job *job, void *memory);

/* All of it on the calling thread and the context's, or this thread's part of a team's. */
tmac_status tmac_job_run(struct tmac_job *job);

#endif
