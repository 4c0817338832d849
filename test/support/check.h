/* SPDX-License-Identifier: MIT
 * cmocka, and checks that say more than it does. Of cmocka only what support/no-cmocka has too, so
 * that these tests can be cross-built without it. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tmac.h"

/* CHECK(condition, format, ...): a failure prints what the format says. */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_say(__FILE__, __LINE__, #condition, __VA_ARGS__);                                \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

/* CHECK_STATUS(call, status, format, ...) */
#define CHECK_STATUS(call, want, ...)                                                              \
    do {                                                                                           \
        const tmac_status status_ = (call);                                                        \
        if (status_ != (want)) {                                                                   \
            check_say(__FILE__, __LINE__, #call, __VA_ARGS__);                                     \
            fail_msg("status %d, expected %d (%s)", (int)status_, (int)(want), #want);             \
        }                                                                                          \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(call, TMAC_OK, "must succeed")

__attribute__((format(printf, 4, 5))) void check_say(const char *file, int line, const char *what,
                                                     const char *format, ...);

/* Index of the first float that differs, or `count`. Zeros of either sign are equal, any NaN equals
 * any other. */
size_t check_floats(const float *a, const float *b, size_t count);

/* Fills the stack below the caller with NaN patterns: what a function leaves uninitialized and then
 * uses shows in its result. */
void check_spoil_stack(void);

/* Of the long lists of cases take every n-th. TMAC_TEST_SHARE=m makes that every (n m)-th: for
 * emulators and sanitizers. */
int check_share(int n);

#define COUNT(array) (sizeof(array) / sizeof *(array))

#endif
