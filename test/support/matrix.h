/* SPDX-License-Identifier: MIT
 * A random weight matrix to pack: its description, everything that points to between guard pages,
 * and the weights it stands for by the formulas of tmac.h. */
#ifndef TEST_MATRIX_H
#define TEST_MATRIX_H

#include "guard.h"
#include "random.h"
#include "tmac.h"

struct matrix_kind {
    int64_t rows, cols;
    tmac_width width;
    tmac_code_format codes; /* BYTES or DENSE */
    int64_t group;
    tmac_scale_type scale_type;
    tmac_zero zero;
    tmac_sub_format sub;
    int64_t super_group;
    bool strides; /* rows lie apart */
    bool odd;     /* codes and scales at odd addresses */
};

struct matrix {
    struct matrix_kind kind;
    tmac_weights_desc desc;
    struct guard codes, scales, minimums, zero_points, sub_scales, sub_minimums;
    uint8_t *plain; /* [rows][cols] codes */
    int64_t groups, supers, group_k, super_k;
};

/* What the kind alone says, without data: to be queried. */
tmac_weights_desc matrix_desc(const struct matrix_kind *kind);
void matrix_new(struct matrix *matrix, const struct matrix_kind *kind, struct rng *rng);
void matrix_free(struct matrix *matrix);
/* weight = scale * (code - zero), or with minimums scale * code + minimum. */
struct matrix_numbers {
    float scale, zero, minimum;
};
struct matrix_numbers matrix_at(const struct matrix *matrix, int64_t row, int64_t k);
/* What tmac_weights_unpack documents, in single precision. */
float matrix_weight(const struct matrix *matrix, int64_t row, int64_t k);
/* The kind in words, for failures; overwritten by the next call. */
const char *matrix_name(const struct matrix_kind *kind);

int matrix_bits(tmac_width width);
int matrix_top_code(tmac_width width);
int matrix_top_zero(tmac_width width); /* the greatest zero point */
/* Groups and super-groups (or groups again) of a row. */
int64_t matrix_groups(const struct matrix_kind *kind);
int64_t matrix_super_groups(const struct matrix_kind *kind);
/* Sets scale or minimum number `index` to the nearest of a value; for writable memory only. */
void matrix_put_scale(tmac_scale_type type, void *scales, size_t index, float value);
size_t matrix_scale_bytes(tmac_scale_type type);

#endif
