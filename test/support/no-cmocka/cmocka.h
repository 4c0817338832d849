/* SPDX-License-Identifier: MIT
 * As much of cmocka as test_kernels uses, for cross builds on machines that have no cmocka for the
 * target: test/kernels-only puts this folder on the include path then. */
#ifndef TEST_NO_CMOCKA_H
#define TEST_NO_CMOCKA_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

struct CMUnitTest {
    const char *name;
    void (*function)(void **state);
};

#define cmocka_unit_test(function)                                                                 \
    {                                                                                              \
#function, function                                                                        \
    }

__attribute__((weak)) jmp_buf no_cmocka_failed; /* weak: one for all files */

#define fail_msg(...)                                                                              \
    do {                                                                                           \
        printf(__VA_ARGS__);                                                                       \
        printf("\n%s:%d: failed\n", __FILE__, __LINE__);                                           \
        longjmp(no_cmocka_failed, 1);                                                              \
    } while (0)
#define assert_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s", #condition);                                                            \
    } while (0)

static inline int no_cmocka_run(const struct CMUnitTest *tests, size_t count)
{
    volatile int failures = 0;

    for (volatile size_t i = 0; i < count; i++) {
        printf("[ RUN      ] %s\n", tests[i].name);
        if (setjmp(no_cmocka_failed) == 0) {
            tests[i].function(NULL);
            printf("[       OK ] %s\n", tests[i].name);
        } else {
            printf("[  FAILED  ] %s\n", tests[i].name);
            failures++;
        }
    }
    return failures;
}

#define cmocka_run_group_tests_name(name, tests, setup, teardown)                                  \
    no_cmocka_run(tests, sizeof(tests) / sizeof(tests)[0])

#endif
