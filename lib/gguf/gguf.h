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
#ifndef TMAC_GGUF_H
#define TMAC_GGUF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gguf_tensor {
    const char *name; /* ends with NUL, holds no control characters */
    uint32_t n_dims;  /* 0..4 */
    uint64_t dims[4]; /* dims[0] runs fastest: a matrix has dims[0] inputs and dims[1] rows. Those
                          past n_dims are 1; none is 0, and their product fits an int64_t */
    uint32_t type;    /* llama.cpp's number (enum ggml_type), which this reader may not know */
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

/* What a tensor's data are: libtmac's formats, and types that libtmac leaves to others. */
struct gguf_type {
    const char *name; /* "Q4_K" */
    uint32_t number;  /* llama.cpp's */
    uint32_t weights; /* in a block */
    uint32_t bytes;   /* of a block */
};

/* 0, or -1 for a type that is not known. */
int gguf_type_of(uint32_t number, struct gguf_type *type);

/* How many types this reader has from itself. */
extern const int gguf_other_types;

#ifdef __cplusplus
}
#endif

#endif
