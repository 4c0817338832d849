// SPDX-License-Identifier: MIT
//
// One revision of libtmac as the race sees it: functions that say nothing in words that differ
// between revisions. Every function that returns a status returns 0 when all is well.
#ifndef TMAC_AGAINST_SIDE_H
#define TMAC_AGAINST_SIDE_H

#include <cstddef>
#include <cstdint>

enum class Zero { Symmetric, Point, Minimum };
enum class Family { Auto, Lookup, Direct };
enum class Mode { Default, Exact, Fast };

// Rows of ggml blocks; or, where ggml_type is negative, dense codes and half floats.
struct Matrix {
    int ggml_type;
    int bits; // 1..4; 0: ternary
    int64_t group;
    Zero zero;
    int64_t rows, cols;
    const void *codes, *scales, *minimums;
    const uint8_t *zero_points;
};

struct Engine {
    const char *isa;
    Family family;
    Mode mode;
    int threads;
    // Where memory comes from; null: as the library likes it.
    void *(*allocate)(void *host, size_t size, size_t align);
    void (*release)(void *host, void *memory);
    void *memory;
};

struct Packed {
    const char *layout, *kernel;
    const uint8_t *tiles; // behind the header
    size_t tile_bytes;
    uint32_t table_layout;
};

// `batch` inputs of `cols` floats.
struct Inputs {
    int64_t cols, batch;
    const float *data;
};

struct Side {
    const char *(*text)(int status);

    int (*open)(const Engine *engine, void **context);
    void (*close)(void *context);

    int (*pack)(const void *context, const Matrix *matrix, void **weights);
    int (*query)(const void *weights, Packed *packed);
    void (*free_weights)(void *weights);

    int (*create_tables)(const void *context, const void *weights, int64_t batch, void **tables);
    int (*build)(const void *context, void *tables, const Inputs *x);
    void (*free_tables)(void *tables);
    int (*multiply)(const void *context, const void *weights, const void *tables, float *y,
                    int64_t stride);

    // The same tables in memory that can be looked at.
    int (*table_bytes)(uint32_t table_layout, const Inputs *x, size_t *bytes);
    int (*build_into)(const void *context, uint32_t table_layout, const Inputs *x, void *memory,
                      size_t bytes);
};

#endif
