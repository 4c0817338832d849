/* SPDX-License-Identifier: MIT
 * Tables in memory: panels of inputs, as arch/contract.h draws them. */
#ifndef TMAC_INPUTS_H
#define TMAC_INPUTS_H

#include "engine/context.h"
#include "layouts/shape.h"

/* What is in a piece of table memory. */
struct tmac_table_shape {
    enum tmac_table_kind kind;
    int block_k;
    int group_k; /* of weights in nested layouts, whose sums are kept; else 0 */
    int64_t cols;
    int64_t batch;
    int64_t steps; /* whole blocks: the builders fill the last one */
    int64_t blocks;
    int64_t groups;
    size_t step_bytes;  /* per input */
    size_t input_bytes; /* data, scales, sums and group sums, padded to 64 */
};

/* A panel of inputs within table memory. */
struct tmac_panel {
    int64_t first;
    int batch;
    size_t data;   /* byte offsets from the start of the tables */
    size_t scales; /* of floats [block][input] */
    size_t sums;
    size_t group_sums; /* of int16_t [pair of groups][input][2], U8: [4] */
};

tmac_status tmac_table_shape_init(struct tmac_table_shape *shape, uint32_t layout, int64_t cols,
                                  int64_t batch);
tmac_status tmac_table_bytes(const struct tmac_table_shape *shape, size_t *bytes);

/* The panel that starts at input `first`. */
struct tmac_panel tmac_table_panel(const struct tmac_table_shape *shape, int64_t first);

/* Checks activations, all but their data; that may be NULL unless `with_data`. */
tmac_status tmac_activations_check(const tmac_activations *activations, bool with_data);

/* Whether tables of this layout can be built of them, in TMAC_MODE_EXACT or not. */
tmac_status tmac_activations_suit(const tmac_activations *activations, uint32_t table_layout,
                                  bool exact);

/* What tables are built of, and how. */
struct tmac_table_source {
    const struct tmac_tools *tools;
    const struct tmac_table_shape *shape;
    const tmac_activations *activations;
    bool exact; /* TMAC_MODE_EXACT: one scale per input */
    /* Which inputs: tables n are of input order[n] / uses; without an order, of first + n. */
    int64_t first;
    const int64_t *order;
    int64_t uses;
};

/* Builds part `part` of `parts`. */
void tmac_table_build(const struct tmac_table_source *source, int part, int parts, uint8_t *tables);

#endif
