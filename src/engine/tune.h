/* SPDX-License-Identifier: MIT
 * Measuring which choices are best for weights of a shape. */
#ifndef TMAC_TUNE_H
#define TMAC_TUNE_H

#include "engine/choose.h"

struct tmac_tuner {
    const struct tmac_context *context;
    struct tmac_spec spec; /* all but the layout */
    int64_t batch;         /* the layout is chosen for */
    double seconds;        /* for each candidate */
    tmac_progress_fn *progress;
    void *progress_host;
};

/* Weights of random codes in every layout that there is, then every blocking of the fastest. */
tmac_status tmac_tune_measure(const struct tmac_tuner *tuner, struct tmac_tuned *best);

#endif
