/* SPDX-License-Identifier: MIT
 * What is tested: every kernel of every tier that this machine can run, at each of its widths, and
 * the tiers' other functions; and how tests report on them. */
#ifndef TEST_KERNELS_SUBJECTS_H
#define TEST_KERNELS_SUBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tiers.h"

enum function {
    FUNCTION_BUILD = 0, /* + table kind */
    FUNCTION_EXPAND = TMAC_TABLE_KIND_COUNT,
    FUNCTION_F16,
    FUNCTION_BF16,
    FUNCTION_MULTIPLY
};

struct subject {
    const char *name;
    const char *tier;
    int function;
    const struct tmac_tools *tools;   /* all but MULTIPLY */
    const struct tmac_kernel *kernel; /* MULTIPLY: the row, at this width */
    tmac_width width;
    const struct tmac_kernel *scalar; /* what it must equal */
    int cases[TMAC_BATCH_COUNT];      /* MULTIPLY: how many it was compared in */
    bool failed;                      /* reported already: not run again */
};

enum { MAX_SUBJECTS = 512 };
extern struct subject subjects[MAX_SUBJECTS]; /* scalar's first: its tools, then its kernels */
extern int subject_count;
extern uint64_t test_seed;

extern const char *const layout_names[TMAC_LAYOUT_COUNT];
extern const char *const batch_names[TMAC_BATCH_COUNT];

/* Finds the subjects and says what it found, with the seed. */
void subjects_init(void);
/* The row of scalar for this, or NULL. */
const struct tmac_kernel *scalar_kernel(enum tmac_layout layout, tmac_width width, bool averages);
/* To go through those of a function that run, but for scalar's kernels, which are what the others must
 * equal: NULL gives the first, the last gives NULL. */
struct subject *next_subject(struct subject *after, int function);
/* Whether it is a kernel for these weights, and for batches of this size. */
bool subject_takes(const struct subject *subject, enum tmac_layout layout, tmac_width width,
                   bool averages, enum tmac_batch batch);
/* Not failed, and not left out by TMAC_TEST_ONLY, a part of a name. */
bool subject_runs(const struct subject *subject);

/* A subject is about to run: what is said here is printed if it fails or crashes. */
__attribute__((format(printf, 2, 3))) void subject_enter(const struct subject *subject,
                                                         const char *format, ...);
/* It failed. The test goes on, so that one run shows every subject that fails, once each. */
__attribute__((format(printf, 2, 3))) void subject_fail(struct subject *subject, const char *format,
                                                        ...);
/* Ends a test: fails it if subject_fail was called since the last end. */
void subjects_finish_test(void);

/* Index of the first float that differs by a bit, or `count`. Any NaN equals any other: their
 * payloads are not prescribed. */
size_t floats_differ(const float *a, const float *b, size_t count);

/* Streams of random numbers: one for each test. */
enum stream {
    STREAM_MULTIPLY = 0,
    STREAM_MODEL = 1000,
    STREAM_BUILD = 1100,
    STREAM_EXPAND = 1200,
    STREAM_BENCH = 1300
};

/* Times every multiply kernel with `only` in its name (NULL: all) and prints what it found. */
void bench_kernels(const char *only);

/* Group tests of the other files. */
void test_tables(void **state);
void test_scalar_has_all(void **state);
void test_tiers(void **state);
void test_model(void **state);
void test_multiply(void **state);
void test_build(void **state);
void test_expand(void **state);
void test_half_floats(void **state);
void test_half_floats_expanded(void **state);

#endif
