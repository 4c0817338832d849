/* SPDX-License-Identifier: MIT
 *
 * Options of a context: instruction sets by name, mask and environment; threads; families. And what
 * needs no context at all: versions and status texts. */
#define _POSIX_C_SOURCE 200809L

#include "support/check.h"
#include "support/contexts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of isa_names. */
static const uint32_t isa_bits[ISAS] = {TMAC_ISA_SCALAR,          TMAC_ISA_X86_AVX2,
                                        TMAC_ISA_X86_AVX512,      TMAC_ISA_X86_AVX512_VNNI,
                                        TMAC_ISA_X86_AVX512_VBMI, TMAC_ISA_ARM64,
                                        TMAC_ISA_ARM64_DOTPROD};

static tmac_context_options options_of(const char *isa, uint32_t mask)
{
    return (tmac_context_options){
        .struct_size = sizeof(tmac_context_options), .isa = isa, .isa_mask = mask};
}

/* Sets in use with a name and a mask; UINT32_MAX where the name is refused. */
static uint32_t sets_in_use(const char *isa, uint32_t mask)
{
    const tmac_context_options options = options_of(isa, mask);
    tmac_context *context;
    uint32_t sets;

    if (tmac_context_create(&options, &context))
        return UINT32_MAX;
    sets = tmac_context_isa_mask(context);
    tmac_context_free(context);
    return sets;
}

/* This set and those below it, of the same machine. */
static uint32_t up_to(int isa)
{
    uint32_t sets = TMAC_ISA_SCALAR;
    for (int i = isa < 5 ? 1 : 5; i <= isa; i++)
        sets |= isa_bits[i];
    return sets;
}

/* Whatever the caller of the tests has set. */
static void forget_environment(void)
{
    unsetenv("TMAC_ISA");
}

static void test_defaults(void **state)
{
    tmac_context *context;
    int known = 0;

    (void)state;
    forget_environment();
    CHECK_OK(tmac_context_create(NULL, &context));
    for (int i = 0; i < ISAS; i++)
        known += strcmp(tmac_context_isa(context), isa_names[i]) == 0;
    CHECK(known == 1, "%s", tmac_context_isa(context));
    CHECK(tmac_context_isa_mask(context) == sets_in_use(NULL, 0), "no options, and zero options");
    CHECK(tmac_context_isa_mask(context) & TMAC_ISA_SCALAR, "every machine has scalar");
    CHECK(tmac_context_threads(context) >= 1 && tmac_context_threads(context) <= 1024, "%d",
          (int)tmac_context_threads(context));
    tmac_context_free(context);
    tmac_context_free(NULL);
}

static void test_isa_by_name(void **state)
{
    const uint32_t machine = tmac_tiers_usable(UINT32_MAX);

    (void)state;
    forget_environment();
    for (int i = 0; i < ISAS; i++) {
        const tmac_context_options options = options_of(isa_names[i], 0);
        tmac_context *context = NULL;
        if (up_to(i) & ~machine) {
            CHECK_STATUS(tmac_context_create(&options, &context), TMAC_ERROR_ISA, "%s",
                         isa_names[i]);
            CHECK(context == NULL, "output touched");
            continue;
        }
        CHECK_OK(tmac_context_create(&options, &context));
        CHECK(strcmp(tmac_context_isa(context), isa_names[i]) == 0, "%s gives %s", isa_names[i],
              tmac_context_isa(context));
        CHECK(tmac_context_isa_mask(context) == up_to(i), "%s gives %#x", isa_names[i],
              (unsigned)tmac_context_isa_mask(context));
        tmac_context_free(context);
    }
}

static void test_unknown_isa(void **state)
{
    static const char *const unknown[] = {"",          "Scalar", "scalar ", "avx2",
                                          "x86-avx51", "x86",    "x86-avx512-vnni-more"};

    (void)state;
    forget_environment();
    for (size_t i = 0; i < COUNT(unknown); i++) {
        const tmac_context_options options = options_of(unknown[i], 0);
        tmac_context *context = NULL;
        CHECK_STATUS(tmac_context_create(&options, &context), TMAC_ERROR_ISA, "'%s'", unknown[i]);
        CHECK(context == NULL, "output touched");
    }
}

static void test_isa_mask(void **state)
{
    uint32_t all;

    (void)state;
    forget_environment();
    all = sets_in_use(NULL, 0);
    CHECK(sets_in_use(NULL, UINT32_MAX) == all, "a full mask is no limit");
    CHECK(sets_in_use(NULL, TMAC_ISA_SCALAR) == TMAC_ISA_SCALAR, "only scalar");
    CHECK(sets_in_use(NULL, UINT32_C(0x80000000)) == TMAC_ISA_SCALAR, "scalar is always allowed");
    for (int i = 1; i < ISAS; i++) {
        const uint32_t without = sets_in_use(NULL, ~isa_bits[i]);
        CHECK(without == (isa_bits[i] & all ? all & up_to(i - 1) : all), "without %s: %#x", isa_names[i], (unsigned)without);
        CHECK(sets_in_use(NULL, up_to(i)) == (all & up_to(i)), "up to %s", isa_names[i]);
    }
    /* Name and mask: both must allow it. */
    CHECK(sets_in_use("scalar", UINT32_MAX) == TMAC_ISA_SCALAR, "name below mask");
}

static void test_environment(void **state)
{
    const uint32_t machine = tmac_tiers_usable(UINT32_MAX);

    (void)state;
    for (int i = 0; i < ISAS; i++) {
        /* Names of other machines are known too: they leave what both have. */
        setenv("TMAC_ISA", isa_names[i], 1);
        const uint32_t limited = sets_in_use(NULL, 0);
        CHECK(limited == (machine & up_to(i)), "TMAC_ISA=%s: %#x", isa_names[i], (unsigned)limited);
        CHECK(sets_in_use("scalar", 0) == TMAC_ISA_SCALAR, "TMAC_ISA=%s adds to scalar",
              isa_names[i]);
        CHECK(sets_in_use(NULL, 1) == TMAC_ISA_SCALAR, "TMAC_ISA=%s adds to a mask", isa_names[i]);
        for (int j = 0; j < ISAS; j++)
            if (!(up_to(j) & ~machine))
                CHECK(sets_in_use(isa_names[j], 0) == (machine & up_to(i) & up_to(j)),
                      "TMAC_ISA=%s with %s", isa_names[i], isa_names[j]);
    }
    setenv("TMAC_ISA", "x86-avx3", 1);
    CHECK(sets_in_use(NULL, 0) == UINT32_MAX, "unknown name in the environment");
    CHECK(sets_in_use("scalar", 0) == UINT32_MAX, "unknown name, and scalar asked for");
    setenv("TMAC_ISA", "", 1);
    CHECK(sets_in_use(NULL, 0) == machine, "an empty one is none");
    unsetenv("TMAC_ISA");
}

/* It is read when a context is made and nowhere else. */
static void test_environment_is_read_once(void **state)
{
    tmac_context *context;
    uint32_t sets;

    (void)state;
    forget_environment();
    CHECK_OK(tmac_context_create(NULL, &context));
    sets = tmac_context_isa_mask(context);
    setenv("TMAC_ISA", "scalar", 1);
    CHECK(tmac_context_isa_mask(context) == sets, "changed afterwards");
    unsetenv("TMAC_ISA");
    tmac_context_free(context);
}

static void run_tasks(void *host, int count, tmac_task_fn *task, void *arg)
{
    (void)host;
    for (int i = 0; i < count; i++)
        task(arg, i);
}

static void test_threads(void **state)
{
    static const struct {
        int32_t threads;
        tmac_parallel_for_fn *host;
        int32_t want; /* -1: refused */
    } cases[] = {{1, NULL, 1},         {7, NULL, 7},         {1024, NULL, 1024}, {1025, NULL, -1},
                 {-1, NULL, -1},       {INT32_MIN, NULL, -1}, {0, run_tasks, 1},  {3, run_tasks, 3},
                 {1024, run_tasks, 1024}, {1025, run_tasks, -1}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        tmac_context_options options = options_of(NULL, 0);
        tmac_context *context = NULL;
        options.threads = cases[i].threads;
        options.parallel_for = cases[i].host;
        if (cases[i].want < 0) {
            CHECK_STATUS(tmac_context_create(&options, &context), TMAC_ERROR_THREADS, "%d threads",
                         (int)cases[i].threads);
            CHECK(context == NULL, "output touched");
            continue;
        }
        CHECK_OK(tmac_context_create(&options, &context));
        CHECK(tmac_context_threads(context) == cases[i].want, "%d threads give %d",
              (int)cases[i].threads, (int)tmac_context_threads(context));
        tmac_context_free(context);
    }
}

static void test_family(void **state)
{
    (void)state;
    for (int family = -1; family <= 3; family++) {
        const bool known = family >= 0 && family <= 2;
        tmac_context_options options = options_of(NULL, 0);
        tmac_context *context = NULL;
        options.family = (tmac_family)family;
        CHECK_STATUS(tmac_context_create(&options, &context), known ? TMAC_OK : TMAC_ERROR_ENUM,
                     "family %d", family);
        CHECK(known == (context != NULL), "family %d", family);
        tmac_context_free(context);
    }
}

static void test_version(void **state)
{
    char text[32];

    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", TMAC_VERSION_MAJOR, TMAC_VERSION_MINOR,
             TMAC_VERSION_PATCH);
    CHECK(strcmp(tmac_version_text(), text) == 0, "%s", tmac_version_text());
    CHECK(tmac_version() ==
              TMAC_VERSION_MAJOR * 10000 + TMAC_VERSION_MINOR * 100 + TMAC_VERSION_PATCH,
          "%u", (unsigned)tmac_version());
}

static void test_status_texts(void **state)
{
    static const int unknown[] = {-1, TMAC_ERROR_ALLOCATOR + 1, 1000, INT32_MAX, INT32_MIN};
    const int count = TMAC_ERROR_ALLOCATOR + 1;

    (void)state;
    for (int i = 0; i < count; i++) {
        const char *text = tmac_status_text((tmac_status)i);
        CHECK(text && *text, "status %d has no text", i);
        for (int j = 0; j < i; j++)
            CHECK(strcmp(text, tmac_status_text((tmac_status)j)) != 0, "%d and %d: %s", i, j, text);
    }
    for (size_t i = 0; i < COUNT(unknown); i++) {
        const char *text = tmac_status_text((tmac_status)unknown[i]);
        CHECK(text && *text, "status %d", unknown[i]);
        for (int j = 0; j < count; j++)
            CHECK(strcmp(text, tmac_status_text((tmac_status)j)) != 0, "%d says %s", unknown[i],
                  text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_isa_by_name),
        cmocka_unit_test(test_unknown_isa),
        cmocka_unit_test(test_isa_mask),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_is_read_once),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_family),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_status_texts),
    };
    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
