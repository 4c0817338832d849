/* SPDX-License-Identifier: MIT
 * Where weights come from: the caller's description, checked once, then read row by row. */
#ifndef TMAC_SOURCE_H
#define TMAC_SOURCE_H

#include "shape.h"

/* The numbers of one group of one row, as stored: scale and minimum in the bits of the scale type.
 * With two levels they are the super-group's. */
struct tmac_group {
    uint32_t scale;
    uint32_t minimum;
    int8_t sub;
    uint8_t sub_minimum;
    uint8_t zero_point;
};

struct tmac_ggml_format;

struct tmac_source {
    struct tmac_spec spec;
    const tmac_weights_desc *desc;
    const struct tmac_ggml_format *ggml; /* NULL unless the codes are ggml blocks */
    size_t code_row_bytes;
    size_t scale_stride, zero_stride, sub_stride; /* elements */
};

/* Checks all of the description but the data behind its pointers, which may be NULL unless
 * `with_data`. spec.layout is left to the caller. `desc` must outlive the source. */
tmac_status tmac_source_init(struct tmac_source *source, const tmac_weights_desc *desc,
                             bool with_data);

/* Codes of activations [k, k + count) of a row, one per byte; k a multiple of 256, count up to 256.
 * Refuses codes that are out of range. */
tmac_status tmac_source_codes(const struct tmac_source *source, int64_t row, int64_t k, int count,
                              uint8_t *codes);

/* The numbers of a group. Refuses what is not finite or out of range. */
tmac_status tmac_source_group(const struct tmac_source *source, int64_t row, int64_t group,
                              struct tmac_group *out);

#endif
