/* SPDX-License-Identifier: MIT
 *
 * The peer: llama.cpp's own matrix multiplication, in this process.
 *
 * Benchmarks and reports compare libtmac with what people run today, and a comparison is only
 * worth something when both sides run in one process, on one machine, at one time. This opens the
 * prebuilt llama.cpp CPU backends (libggml-base.so and libggml-cpu-<variant>.so) with dlopen, so
 * that nothing here needs llama.cpp to be built, or even to be present.
 *
 * Types are llama.cpp's own numbers (enum ggml_type), the ones that stand in GGUF files.
 *
 * Nothing here is thread safe: use one peer, and all that was made from it, from one thread. Two
 * peers may be open at once (say the best variant and haswell): each runs its own code. Open them
 * from one folder: they share that folder's libggml-base.so.
 *
 * Functions that return int return 0 for success and -1 for failure; peer_reason says why.
 */
#ifndef TMAC_BENCH_PEER_H
#define TMAC_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One llama.cpp CPU backend. */
typedef struct peer peer;
/* One weight matrix in that backend's memory, with the graphs that multiply by it. */
typedef struct peer_matrix peer_matrix;

/*
 * Opens a backend out of `folder`. variant NULL takes the one llama.cpp itself would take here: the
 * greatest ggml_backend_score. A variant that this CPU cannot run is refused. On failure *out is
 * NULL and `err` (errlen bytes, may be NULL when errlen is 0) tells why.
 */
int peer_open(const char *folder, const char *variant, peer **out, char *err, size_t errlen);
/* Every matrix of this peer must have been freed before. NULL is fine. */
void peer_close(peer *p);

/* "cascadelake", "haswell", ... Lives as long as the peer. */
const char *peer_variant(const peer *p);
/* Why the last call that failed failed. Lives until the next failure. */
const char *peer_reason(const peer *p);

/* llama.cpp's name of a type ("q4_K"), or NULL when it does not know that number. */
const char *peer_type_name(const peer *p, int type);
/* Weights in one block of the type; 0 when llama.cpp does not know that number. */
int64_t peer_block_size(const peer *p, int type);
/* Bytes of one row of `cols` weights; 0 when the type is unknown or cols is not whole blocks. */
size_t peer_row_size(const peer *p, int type, int64_t cols);

/* Turns n weights (whole blocks) into floats, with llama.cpp's own code. */
int peer_to_float(peer *p, int type, const void *blocks, float *out, int64_t n);
/*
 * Quantizes rows x cols floats with llama.cpp's own quantizer (no importance matrix). `dst` holds
 * rows * peer_row_size bytes. Fails for types that cannot do without an importance matrix.
 */
int peer_quantize(peer *p, int type, const float *src, void *dst, int64_t rows, int64_t cols);

/*
 * Copies a matrix (rows x cols weights, row after row, as in a GGUF file) into the backend's
 * memory. repacked 0: the plain CPU layout. repacked 1: the first of the backend's own extra
 * layouts that can multiply by it (CPU_REPACK, AMX, ...), which is what llama.cpp prefers when it
 * loads a model. NULL on failure, and also when there is no such layout for this type and shape.
 */
peer_matrix *peer_matrix_create(peer *p, int type, int64_t rows, int64_t cols, const void *blocks,
                                int repacked);
void peer_matrix_free(peer_matrix *m);

/* The layout the weights are in: "CPU", "CPU_REPACK", "AMX". */
const char *peer_matrix_layout(const peer_matrix *m);

/*
 * The four steps of a multiplication, apart, so that a benchmark can time compute alone:
 *
 *   prepare  builds the graph for N inputs (once for each N, then it is kept) and makes it and
 *            this number of threads the current ones;
 *   set_x    copies N x cols floats in, input after input;
 *   compute  runs the graph as llama.cpp runs it: quantizes x, multiplies. Call it once before you
 *            time it: the first call allocates work memory and starts the threads;
 *   get_y    copies N x rows floats out, input after input.
 */
int peer_matrix_prepare(peer_matrix *m, int N, int threads);
void peer_matrix_set_x(peer_matrix *m, const float *x);
int peer_matrix_compute(peer_matrix *m);
void peer_matrix_get_y(peer_matrix *m, float *y);
/* All four. */
int peer_matrix_run(peer_matrix *m, const float *x, int N, int threads, float *y);

/*
 * Stops the peer's worker threads. After a computation with several threads they spin for a while,
 * waiting for more, and would steal time from whatever is measured next. They start again by
 * themselves at the next compute.
 */
void peer_rest(peer *p);

#ifdef __cplusplus
}
#endif

#endif
