/* SPDX-License-Identifier: MIT
 *
 * The matrices of a GGUF file: those that libtmac packs, sorted into kinds, and the others.
 */
#ifndef REPORT_MODEL_H
#define REPORT_MODEL_H

#include "gguf.h"

#include <tmac.h>

/* The numbers of inputs that are multiplied: one as when a token is generated, many as when a
 * prompt is read. */
enum { ONE, MANY, SIZES, MANY_BATCH = 32 };

/* Seconds of one multiplication; 0: not measured. Of a kind it is the mean over its matrices. */
struct timing {
    double tmac, peer;
};

/* Matrices with the same name but for the layer, the same type and shape. */
struct kind {
    char name[64]; /* "blk.7.ffn_up.weight" without "blk.7." and ".weight" */
    uint32_t type;
    int64_t rows, cols;
    size_t count;
    size_t file_bytes, packed_bytes; /* of all its matrices */
    tmac_weights_info info;          /* of the first */
    struct timing timing[SIZES];
    double error, peer_error; /* relative squared errors; the peer's is negative if not measured */
};

struct matrix {
    const struct gguf_tensor *tensor;
    size_t kind;  /* index */
    size_t layer; /* how many of its kind come before it */
    tmac_weights *weights;
};

/* Matrices that are left alone, all of one type and for one reason. */
struct other {
    uint32_t type;
    const char *reason;
    size_t count;
    uint64_t bytes; /* 0 if the type is not known to gguf.h */
};

struct model {
    const char *path;
    gguf *file;
    struct matrix *matrices; /* in the order of the file, which is that of the layers */
    struct kind *kinds;
    struct other *others;
    size_t matrix_count, kind_count, other_count;
    size_t refused; /* matrices whose type is fine but whose contents libtmac refused */
    size_t file_bytes, packed_bytes;
    double pack_seconds;
};

/* Opens the file and sorts its matrices. 0, or -1 after it has complained. */
int model_open(struct model *model, const char *path);
/* Packs all matrices; one that libtmac refuses is complained of and removed. -1 without memory. */
int model_pack(struct model *model, const tmac_context *context);
void model_close(struct model *model);

/* "Q4_K", or "type 99". */
const char *type_text(uint32_t type, char *text, size_t size);

#endif
