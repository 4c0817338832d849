/* SPDX-License-Identifier: MIT
 *
 * A small, careful reader of GGUF files (versions 2 and 3), the container that llama.cpp keeps its
 * models in. It finds the tensors and leaves their contents alone.
 *
 * Files come from strangers. Whatever the bytes are, nothing outside them is read: every count,
 * length and offset is checked against overflow and against the file's end before it is used, and
 * what is wrong is told in words. The one thing that no check helps against is a file that another
 * program shortens while it is open here: touching the lost part is a bus error (see mmap).
 *
 * An open file is never changed, so any number of threads may read from it.
 */
#ifndef TMAC_EXAMPLES_GGUF_H
#define TMAC_EXAMPLES_GGUF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The types whose size this reader knows: llama.cpp's numbers (enum ggml_type). */
enum gguf_type {
    GGUF_F32 = 0,
    GGUF_F16 = 1,
    GGUF_Q4_0 = 2,
    GGUF_Q4_1 = 3,
    GGUF_Q5_0 = 6,
    GGUF_Q5_1 = 7,
    GGUF_Q8_0 = 8,
    GGUF_Q2_K = 10,
    GGUF_Q3_K = 11,
    GGUF_Q4_K = 12,
    GGUF_Q5_K = 13,
    GGUF_Q6_K = 14,
    GGUF_BF16 = 30,
    GGUF_TQ1_0 = 34,
    GGUF_TQ2_0 = 35,
    GGUF_Q1_0 = 41,
    GGUF_Q2_0 = 42
};

struct gguf_tensor {
    const char *name; /* ends with NUL, holds no control characters */
    uint32_t n_dims;  /* 0..4 */
    uint64_t dims[4]; /* dims[0] runs fastest: a matrix has dims[0] inputs and dims[1] rows. Those
                          past n_dims are 1; none is 0, and their product fits an int64_t */
    uint32_t type;    /* enum gguf_type, or a number this reader does not know */
    const void *data; /* in the file; aligned as the file says, to 32 bytes if it says nothing */
    uint64_t bytes;   /* all of them inside the file; 0 when the type is not known */
};

typedef struct gguf gguf;

/*
 * Maps a file and reads its header. 0 and *out, to be closed, or -1 and in `err` (errlen bytes, may
 * be NULL when errlen is 0) what is wrong with the file; *out is then NULL.
 */
int gguf_open(const char *path, gguf **out, char *err, size_t errlen);
/* The same for a file that is in memory already and stays there, unchanged, until gguf_close. */
int gguf_open_memory(const void *file, size_t size, gguf **out, char *err, size_t errlen);
/* NULL is fine. The tensors and their data are gone afterwards. */
void gguf_close(gguf *g);

/* How many tensors there are, */
size_t gguf_count(const gguf *g);
/* tensor i of them in the order of the file, for i < gguf_count, */
const struct gguf_tensor *gguf_tensor(const gguf *g, size_t i);
/* and the (first) one with that name, or NULL. */
const struct gguf_tensor *gguf_find(const gguf *g, const char *name);

/* "Q4_K"; NULL for a type that is not known. */
const char *gguf_type_name(uint32_t type);
/* Weights in a block of the type, and its bytes; both 0 for a type that is not known. */
void gguf_type_block(uint32_t type, uint32_t *weights, uint32_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
