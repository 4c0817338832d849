/* SPDX-License-Identifier: MIT
 * Where weights come from: the caller's description, checked once, then read row by row. */
#ifndef TMAC_SOURCE_H
#define TMAC_SOURCE_H

#include "formats/formats.h"
#include "formats/strips.h"

struct tmac_source {
    struct tmac_spec spec;
    const tmac_weights_desc *desc;
    const struct tmac_format *format; /* of blocks; or NULL, and the codes are of a width: */
    const struct tmac_plain *plain;
    size_t code_row_bytes;
    size_t scale_stride, zero_stride, sub_stride; /* elements */
    size_t chunk_bytes;                           /* of a row's codes, TMAC_CHUNK_K of them */
    size_t run_bytes;  /* blocks: of those that TMAC_RUN_GROUPS groups lie in */
    size_t run_supers; /* super-groups that start in such a run; 0: a row is one */
    int super_groups;  /* groups in a run that share a super-group */
};

/* Checks all of the description but the data behind its pointers, which may be NULL unless
 * `with_data`. spec.layout is left to the caller. `desc` must outlive the source. */
tmac_status tmac_source_init(struct tmac_source *source, const tmac_weights_desc *desc,
                             bool with_data);

/* Codes of activations [k, k + count) of a row as the TMAC_CHUNK_STEPS strips of a chunk, 0 past
 * `count`; k a multiple of TMAC_CHUNK_K, which `count` does not exceed. The row is none before the
 * description's first_row. TMAC_ERROR_CODE where a code is out of range. */
tmac_status tmac_source_strips(const struct tmac_source *source, int64_t row, int64_t k, int count,
                               uint8_t *strips);

/* The numbers of groups [first, first + count) of a row; first a multiple of TMAC_RUN_GROUPS, which
 * `count` does not exceed. Refuses what is not finite or out of range. `out` is all 0, or from an
 * earlier call for the same source: what weights do not have stays as it is. */
tmac_status tmac_source_groups(const struct tmac_source *source, int64_t row, int64_t first,
                               int count, struct tmac_groups *out);

/* Whether such blocks would be packed to weights with exactly these kinds of numbers. */
bool tmac_format_holds(const struct tmac_format *format, const struct tmac_spec *spec);

/* Reads rows from row_begin to row_end; the first status that is not OK, and what it is about. Readers tell
 * only that something is wrong: they are faster for it. */
tmac_status tmac_source_check(const struct tmac_source *source, int64_t row_begin, int64_t row_end,
                              tmac_fault *fault);

#endif
