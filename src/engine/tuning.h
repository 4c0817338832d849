/* SPDX-License-Identifier: MIT
 * What was measured to be best for weights of a shape, and its text. */
#ifndef TMAC_TUNING_H
#define TMAC_TUNING_H

#include "engine/blocking.h"

/* Weights as far as their speed depends on them, and who multiplies them. */
struct tmac_tuned_key {
    int64_t isa_mask;
    int64_t threads;
    int64_t rows, cols;
    int64_t width; /* tmac_width */
    int64_t group, super_group;
    int64_t scale_type, zero_kind, sub_format;
};

struct tmac_tuned {
    struct tmac_tuned_key key;
    enum tmac_layout layout;
    struct tmac_blocking blocking;
};

struct tmac_tuning {
    struct tmac_tuned *tuned; /* [count] of [room] */
    size_t count, room;
};

struct tmac_tuned_key tmac_tuned_key(const struct tmac_spec *spec, uint32_t isa_mask, int threads);

/* NULL where there is none. */
const struct tmac_tuned *tmac_tuned_find(const struct tmac_tuned *tuned, size_t count,
                                         const struct tmac_tuned_key *key);

/* Adds a choice, or replaces that of the same key. */
tmac_status tmac_tuning_set(struct tmac_tuning *tuning, const struct tmac_tuned *tuned);

/* The greatest text that is read, and the longest line of it. */
enum { TMAC_TUNING_MAX_BYTES = 1 << 20, TMAC_TUNING_MAX_LINE = 512 };

/* Adds what `text` holds, up to its 0; nothing on an error. Changes the text. */
tmac_status tmac_tuning_parse(struct tmac_tuning *tuning, char *text);

/* Line `line` of the text that holds all, its end included: a header, then a line for each choice. Returns
 * its length. */
size_t tmac_tuning_lines(const struct tmac_tuning *tuning);
size_t tmac_tuning_print(const struct tmac_tuning *tuning, size_t line,
                         char text[TMAC_TUNING_MAX_LINE]);

#endif
