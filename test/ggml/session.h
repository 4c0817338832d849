/* SPDX-License-Identifier: MIT
 * A host of the plug-in: backends, weights in its buffers, graphs computed as llama.cpp does it. */
#ifndef TEST_GGML_SESSION_H
#define TEST_GGML_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ggml-backend.h"
#include "ggml.h"

#include "random.h"

/* Type `index` of those that the plug-in multiplies; false past the last. */
bool tmac_type(int index, enum ggml_type *type);

/* The plug-in's buffer type, as hosts find it. Null where it was not loaded. */
ggml_backend_buffer_type_t tmac_buffer_type(void);

/* Loads ggml's backends and with them the plug-in; false, and a message, where that was not loaded. */
bool session_load(void);

/* One tensor of weights and what it was made of. */
struct weights {
    struct ggml_context *context;
    ggml_backend_buffer_t buffer;
    struct ggml_tensor *tensor;
    size_t bytes;
    uint8_t *blocks; /* as ggml's */
    float *floats;   /* the same numbers */
};

/* Random numbers, quantized by ggml. `set`: also given to the tensor. */
void weights_new(struct weights *weights, enum ggml_type type, const int64_t ne[4], bool set,
                 struct rng *rng);
void weights_free(struct weights *weights);

/* Backends and a scheduler over them, with `threads` threads. */
struct session {
    ggml_backend_t backends[4];
    int count;
    ggml_backend_sched_t sched;
    struct ggml_context *context; /* for inputs and operations */
    struct ggml_cgraph *graph;
};

void session_new(struct session *session, int threads);
void session_free(struct session *session);

/* Allocates and computes what leads to `y`, after `fill` has set the inputs; y's floats. */
float *session_compute(struct session *session, struct ggml_tensor *y, void (*fill)(void *arg),
                       void *arg);

/* Sum of squared differences. */
double squared_error(const float *y, const double *right, int64_t count);

#endif
