/* SPDX-License-Identifier: MIT
 *
 * What libtmac is measured against besides llama.cpp: the same product without tables and without
 * int8 codes, by the best loops that we know for it.
 *
 *   fma-*        weights become floats in registers and are multiplied with float activations: the
 *                classic way, at 1, 2, 3 and 4 bits
 *   mask-add-*   1 bit: the bits select the activations that are added, floats or integers
 *
 * Weights are symmetric codes with a scale in f16 for every BASELINE_GROUP of them, each packed as
 * its loop likes it best. One thread. Functions here may only be called for loops that
 * baseline_count() counts: those this CPU can run.
 */
#ifndef TMAC_BENCH_BASELINE_H
#define TMAC_BENCH_BASELINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BASELINE_GROUP = 128 };

/* One code per byte, row after row, and [rows][cols / BASELINE_GROUP] scales. */
struct baseline_source {
    int bits;
    int64_t rows, cols;
    const uint8_t *codes;
    const uint16_t *scales;
};

struct baseline_shape {
    int bits;
    int64_t rows, cols;
};

struct baseline {
    const char *name;
    int most_bits;        /* 1 up to this */
    int most_batch;       /* 1: gemv only */
    int row_step, k_step; /* rows and cols must be multiples */
    const void *form;     /* the loop's own */

    /* Packed weights, and what is made of `batch` inputs of floats once for all rows: both in
     * memory from roofline_allocate. */
    size_t (*packed_bytes)(const struct baseline *b, struct baseline_shape shape);
    void (*pack)(const struct baseline *b, const struct baseline_source *source, void *packed);
    size_t (*prepared_bytes)(const struct baseline *b, struct baseline_shape shape, int batch);
    void (*prepare)(const struct baseline *b, struct baseline_shape shape, const float *x,
                    int batch, void *prepared);
    /* y[batch][rows] */
    void (*multiply)(const struct baseline *b, struct baseline_shape shape, const void *packed,
                     const void *prepared, int batch, float *y);
};

int baseline_count(void);
const struct baseline *baseline_at(int index);

#ifdef __cplusplus
}
#endif

#endif
