/* SPDX-License-Identifier: MIT
 * The kernels that this machine can run, instruction set by instruction set, and how tests report
 * on them. */
#ifndef TEST_KERNELS_RUNGS_H
#define TEST_KERNELS_RUNGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract.h"

/* Every function of struct tmac_kernels has a number. */
enum {
    ENTRY_MULTIPLY = 0,                            /* + layout * TMAC_W_COUNT + width */
    ENTRY_FAST = TMAC_LAYOUT_COUNT * TMAC_W_COUNT, /* the same, by averages */
    ENTRY_BUILD = ENTRY_FAST + TMAC_LAYOUT_COUNT * TMAC_W_COUNT, /* + table kind */
    ENTRY_EXPAND = ENTRY_BUILD + TMAC_TABLE_KIND_COUNT,
    ENTRY_F16,
    ENTRY_BF16,
    ENTRY_COUNT
};

enum { MAX_RUNGS = 8 };

struct rung {
    const char *name;
    struct tmac_kernels kernels;
    bool own[ENTRY_COUNT];    /* not what scalar or the rung below has: worth a run */
    bool failed[ENTRY_COUNT]; /* reported already: not run again */
};

extern struct rung rungs[MAX_RUNGS]; /* [0] is scalar */
extern int rung_count;
extern uint64_t test_seed;

extern const char *const layout_names[TMAC_LAYOUT_COUNT];
extern const char *const width_names[TMAC_W_COUNT];

/* Of an entry below ENTRY_BUILD; its `multiply` may be NULL for ENTRY_FAST. */
const struct tmac_kernel *entry_kernel(const struct tmac_kernels *kernels, int entry);

/* Finds the rungs and prints them, with the seed. */
void rungs_init(void);
bool rung_runs(const struct rung *rung, int entry);

/* A kernel is about to run: what is said here is printed if it fails or crashes. */
__attribute__((format(printf, 3, 4))) void rung_enter(const struct rung *rung, int entry,
                                                      const char *format, ...);
/* It failed. The test goes on, so that one run shows every kernel that fails, once each. */
__attribute__((format(printf, 3, 4))) void rung_fail(struct rung *rung, int entry,
                                                     const char *format, ...);
/* Ends a test: fails it if rung_fail was called since the last end. */
void rungs_finish_test(void);

/* Index of the first float that differs by a bit, or `count`. Any NaN equals any other: their
 * payloads are not prescribed. */
size_t floats_differ(const float *a, const float *b, size_t count);

/* Group tests of the other files. */
void test_model(void **state);
void test_multiply(void **state);
void test_build(void **state);
void test_expand(void **state);
void test_half_floats(void **state);
void test_half_floats_expanded(void **state);

#endif
