/* SPDX-License-Identifier: MIT
 * What there is to tune: formats and shapes, named by hand or those of a model. */
#ifndef TUNE_MATRICES_H
#define TUNE_MATRICES_H

#include <tmac.h>

struct matrix {
    char name[32]; /* "Q4_K 4096x4096" */
    tmac_weights_desc desc;
};

struct matrices {
    struct matrix *all;
    size_t count, room;
};

/* All kinds of low-bit matrices in a GGUF file, each once. 0, or -1 after it has complained; so the
 * others. */
int matrices_of_model(struct matrices *matrices, const char *path);

/* A matrix by the name of its format, "Q4_K" or "w4/g128" or "ternary/g128", and its shape,
 * "4096x4096" (rows x inputs). */
int matrices_add_named(struct matrices *matrices, const char *format, const char *shape);

void matrices_free(struct matrices *matrices);

/* Writes "tmac-tune: " and a line to stderr; returns -1. */
__attribute__((format(printf, 1, 2))) int complain(const char *format, ...);

#endif
