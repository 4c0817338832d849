/* SPDX-License-Identifier: MIT
 *
 * Options of a context: instruction sets by name, mask and environment; threads; families. And what
 * needs no context at all: versions and status texts. */
#define _POSIX_C_SOURCE 200809L

#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the public header says of tiers; tests compare arch/'s table with it. */
static const struct named {
    const char *name;
    uint32_t bit, with; /* with: the sets that it builds on */
} named[TMAC_TIER_COUNT] = {
    {"scalar", TMAC_ISA_SCALAR, 0},
    {"x86-avx2", TMAC_ISA_X86_AVX2, 0},
    {"x86-avx-vnni", TMAC_ISA_X86_AVX_VNNI, TMAC_ISA_X86_AVX2},
    {"x86-avx512", TMAC_ISA_X86_AVX512, TMAC_ISA_X86_AVX2},
    {"x86-avx512-vnni", TMAC_ISA_X86_AVX512_VNNI, TMAC_ISA_X86_AVX2 | TMAC_ISA_X86_AVX512},
    {"x86-avx512-vbmi", TMAC_ISA_X86_AVX512_VBMI,
     TMAC_ISA_X86_AVX2 | TMAC_ISA_X86_AVX512 | TMAC_ISA_X86_AVX512_VNNI},
    {"arm64", TMAC_ISA_ARM64, 0},
    {"arm64-dotprod", TMAC_ISA_ARM64_DOTPROD, TMAC_ISA_ARM64},
};

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

/* A tier, those that it builds on, and scalar. */
static uint32_t whole(int tier)
{
    return TMAC_ISA_SCALAR | tmac_tiers[tier].bit | tmac_tiers[tier].requires;
}

/* Of these sets the ones that have all they build on. */
static uint32_t complete(uint32_t sets)
{
    uint32_t left = TMAC_ISA_SCALAR;

    for (int t = 1; t < TMAC_TIER_COUNT; t++)
        if ((sets & tmac_tiers[t].bit) && (tmac_tiers[t].requires & ~left) == 0)
            left |= tmac_tiers[t].bit;
    return left;
}

/* Whatever the caller of the tests has set. */
static void forget_environment(void)
{
    unsetenv("TMAC_ISA");
}

static void test_tiers_are_the_public_ones(void **state)
{
    (void)state;
    for (int i = 0; i < TMAC_TIER_COUNT; i++) {
        int t = 0;
        while (t < TMAC_TIER_COUNT && strcmp(tmac_tiers[t].name, named[i].name) != 0)
            t++;
        CHECK(t < TMAC_TIER_COUNT && tmac_tiers[t].bit == named[i].bit &&
                  tmac_tiers[t].requires == named[i].with,
              "%s", named[i].name);
    }
}

static void test_defaults(void **state)
{
    tmac_context *context;
    int known = 0;

    (void)state;
    forget_environment();
    CHECK_OK(tmac_context_create(NULL, &context));
    for (int t = 0; t < TMAC_TIER_COUNT; t++)
        known += strcmp(tmac_context_isa(context), tmac_tiers[t].name) == 0;
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
    for (int t = 0; t < TMAC_TIER_COUNT; t++) {
        const char *name = tmac_tiers[t].name;
        const tmac_context_options options = options_of(name, 0);
        tmac_context *context = NULL;
        if (whole(t) & ~machine) {
            CHECK_STATUS(tmac_context_create(&options, &context), TMAC_ERROR_ISA, "%s", name);
            CHECK(context == NULL, "output touched");
            continue;
        }
        CHECK_OK(tmac_context_create(&options, &context));
        CHECK(strcmp(tmac_context_isa(context), name) == 0, "%s gives %s", name,
              tmac_context_isa(context));
        CHECK(tmac_context_isa_mask(context) == whole(t), "%s gives %#x", name,
              (unsigned)tmac_context_isa_mask(context));
        tmac_context_free(context);
    }
}

static void test_unknown_isa(void **state)
{
    static const char *const unknown[] = {
        "", "Scalar", "scalar ", "avx2", "x86-avx51", "x86", "x86-avx512-vnni-more", "x86-avx-"};

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
    for (int t = 1; t < TMAC_TIER_COUNT; t++) {
        const uint32_t without = sets_in_use(NULL, ~tmac_tiers[t].bit);
        CHECK(without == complete(all & ~tmac_tiers[t].bit), "without %s: %#x", tmac_tiers[t].name,
              (unsigned)without);
        CHECK(sets_in_use(NULL, whole(t)) == (all & whole(t)), "only %s", tmac_tiers[t].name);
    }
    for (uint32_t sets = 0; sets < 1u << TMAC_TIER_COUNT; sets++) { /* any of them */
        uint32_t mask = TMAC_ISA_SCALAR;
        for (int t = 0; t < TMAC_TIER_COUNT; t++)
            mask |= sets >> t & 1 ? tmac_tiers[t].bit : 0;
        CHECK(sets_in_use(NULL, mask) == complete(all & mask), "mask %#x", (unsigned)mask);
    }
    /* Name and mask: both must allow it. */
    CHECK(sets_in_use("scalar", UINT32_MAX) == TMAC_ISA_SCALAR, "name below mask");
}

static void test_environment(void **state)
{
    const uint32_t machine = tmac_tiers_usable(UINT32_MAX);

    (void)state;
    for (int i = 0; i < TMAC_TIER_COUNT; i++) {
        /* Names of other machines are known too: they leave what both have. */
        const char *name = tmac_tiers[i].name;
        setenv("TMAC_ISA", name, 1);
        const uint32_t limited = sets_in_use(NULL, 0);
        CHECK(limited == complete(machine & whole(i)), "TMAC_ISA=%s: %#x", name, (unsigned)limited);
        CHECK(sets_in_use("scalar", 0) == TMAC_ISA_SCALAR, "TMAC_ISA=%s adds to scalar", name);
        CHECK(sets_in_use(NULL, 1) == TMAC_ISA_SCALAR, "TMAC_ISA=%s adds to a mask", name);
        for (int j = 0; j < TMAC_TIER_COUNT; j++)
            if (!(whole(j) & ~machine))
                CHECK(sets_in_use(tmac_tiers[j].name, 0) == (machine & whole(i) & whole(j)),
                      "TMAC_ISA=%s with %s", name, tmac_tiers[j].name);
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

#ifdef _OPENMP
enum { HAS_OPENMP = 1 };
#else
enum { HAS_OPENMP = 0 }; /* the library has one thread, whatever is asked */
#endif

static void test_threads(void **state)
{
    static const struct {
        int32_t threads;
        tmac_parallel_for_fn *host;
        int32_t want; /* -1: refused */
    } cases[] = {{1, NULL, 1},
                 {7, NULL, HAS_OPENMP ? 7 : 1},
                 {1024, NULL, HAS_OPENMP ? 1024 : 1},
                 {1025, NULL, -1},
                 {-1, NULL, -1},
                 {INT32_MIN, NULL, -1},
                 {0, run_tasks, 1},
                 {3, run_tasks, 3},
                 {1024, run_tasks, 1024},
                 {1025, run_tasks, -1}};

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

/* ---- names ----------------------------------------------------------------------------------- */

static tmac_status create_named(const char *isa, const char *layout, const char *kernel,
                                tmac_context **context)
{
    tmac_context_options options = options_of(isa, 0);

    options.layout = layout;
    options.kernel = kernel;
    return tmac_context_create(&options, context);
}

static void test_unknown_names(void **state)
{
    static const char *const unknown[] = {"", "Direct", "direct ", "rows", "rows323", "none"};
    tmac_context *context = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT(unknown); i++) {
        CHECK_STATUS(create_named(NULL, unknown[i], NULL, &context), TMAC_ERROR_LAYOUT, "'%s'",
                     unknown[i]);
        CHECK_STATUS(create_named(NULL, NULL, unknown[i], &context), TMAC_ERROR_KERNEL, "'%s'",
                     unknown[i]);
    }
    CHECK(!context, "output touched");
}

static const struct matrix_kind kinds[] = {
    {.rows = 33, .cols = 256, .width = TMAC_WIDTH_1, .group = 32},
    {.rows = 33, .cols = 256, .width = TMAC_WIDTH_8, .group = 32},
    {.rows = 33, .cols = 256, .width = TMAC_WIDTH_TERNARY, .group = TMAC_GROUP_ROW},
    {.rows = 33,
     .cols = 256,
     .width = TMAC_WIDTH_4,
     .group = 32,
     .scale_type = TMAC_SCALE_F16,
     .zero = TMAC_ZERO_MINIMUM,
     .sub = TMAC_SUB_I8,
     .super_group = 256},
    {.rows = 33,
     .cols = 256,
     .width = TMAC_WIDTH_2,
     .group = 16,
     .scale_type = TMAC_SCALE_F16,
     .zero = TMAC_ZERO_MINIMUM,
     .sub = TMAC_SUB_U4,
     .super_group = 256},
};

/* Packs in this layout whatever it can hold, and refuses all else. */
static void check_layout(const tmac_context *context, enum tmac_layout layout)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const bool nested = tmac_layout_is_nested(layout), two = kinds[i].sub != TMAC_SUB_NONE;
        const bool holds =
            layout == TMAC_LAYOUT_DIRECT ||
            (nested ? two && (layout == TMAC_LAYOUT_NESTED || kinds[i].sub == TMAC_SUB_I8 ||
                              matrix_bits(kinds[i].width) <= 2)
                    : kinds[i].width != TMAC_WIDTH_8);
        const tmac_weights_desc desc = matrix_desc(&kinds[i]);
        tmac_packed_plan plan = {.struct_size = sizeof plan};
        CHECK_STATUS(tmac_packed_query(context, &desc, &plan), holds ? TMAC_OK : TMAC_ERROR_LAYOUT,
                     "%s in %s", matrix_name(&kinds[i]), tmac_layout_name(layout));
        CHECK(!holds || strcmp(plan.layout, tmac_layout_name(layout)) == 0, "%s", plan.layout);
    }
}

static void test_layout_by_name(void **state)
{
    const struct isas isas = isas_available();

    (void)state;
    for (int i = 0; i < isas.count; i++)
        for (int l = 0; l < LAYOUTS; l++) {
            tmac_context *context = context_new(isas.name[i], (enum tmac_layout)l, 1);
            check_layout(context, (enum tmac_layout)l);
            tmac_context_free(context);
        }
}

/* The row is what `kernel` in the plan names wherever it may serve a single input; its layout is always
 * what is packed. Returns whether it did. */
static bool check_kernel(const tmac_context *context, const struct tmac_kernel *row)
{
    bool named = false;

    for (size_t i = 0; i < COUNT(kinds); i++) {
        const tmac_weights_desc desc = matrix_desc(&kinds[i]);
        tmac_packed_plan plan = {.struct_size = sizeof plan};
        if (!context_holds(context, &desc))
            continue;
        CHECK_OK(tmac_packed_query(context, &desc, &plan));
        CHECK(strcmp(plan.layout, tmac_layout_name(row->layout)) == 0, "%s: %s", row->name,
              plan.layout);
        named = named || strcmp(plan.kernel, row->name) == 0;
        if (row->layout == TMAC_LAYOUT_DIRECT && !row->accepts && !row->averages &&
            (row->widths & TMAC_WIDTH_BIT(kinds[i].width)) && (row->batches & 1u << TMAC_BATCH_1))
            CHECK(strcmp(plan.kernel, row->name) == 0, "%s, but %s", row->name, plan.kernel);
    }
    return named;
}

/* Every row of the tables: known by name where its instruction sets are in use, and only there. */
static void test_kernel_by_name(void **state)
{
    const struct isas isas = isas_available();
    int named = 0;

    (void)state;
    for (int t = 0; t < TMAC_TIER_COUNT; t++)
        for (int k = 0; tmac_tiers[t].set && k < tmac_tiers[t].set->kernel_count; k++) {
            const struct tmac_kernel *row = &tmac_tiers[t].set->kernels[k];
            for (int i = 0; i < isas.count; i++) {
                const bool there = (row->requires & ~sets_in_use(isas.name[i], 0)) == 0;
                tmac_context *context = NULL;
                CHECK_STATUS(create_named(isas.name[i], NULL, row->name, &context),
                             there ? TMAC_OK : TMAC_ERROR_KERNEL, "%s on %s", row->name,
                             isas.name[i]);
                named += there && check_kernel(context, row);
                tmac_context_free(context);
            }
        }
    CHECK(named > isas.count, "%d kernels are named", named);
}

/* Both names: the kernel's layout, or none. */
static void test_layout_and_kernel(void **state)
{
    tmac_context *context = NULL;

    (void)state;
    for (int l = 0; l < LAYOUTS; l++) {
        const tmac_status want = l == TMAC_LAYOUT_DIRECT ? TMAC_OK : TMAC_ERROR_LAYOUT;
        CHECK_STATUS(
            create_named(NULL, tmac_layout_name((enum tmac_layout)l), "direct_scalar", &context),
            want, "%s", tmac_layout_name((enum tmac_layout)l));
        CHECK((context != NULL) == (want == TMAC_OK), "output");
        tmac_context_free(context);
        context = NULL;
    }
}

/* A layout of one family where the other one is asked for. */
static void test_name_against_family(void **state)
{
    static const tmac_family families[] = {TMAC_FAMILY_LOOKUP, TMAC_FAMILY_DIRECT};

    (void)state;
    for (int l = 0; l < LAYOUTS; l++)
        for (int f = 0; f < 2; f++)
            for (int mode = TMAC_MODE_DEFAULT; mode <= TMAC_MODE_FAST; mode++) {
                const bool direct = tmac_layout_is_direct((enum tmac_layout)l);
                tmac_context_options options = options_of(NULL, 0);
                tmac_context *context = NULL;
                options.layout = tmac_layout_name((enum tmac_layout)l);
                options.family = mode == TMAC_MODE_EXACT ? TMAC_FAMILY_AUTO : families[f];
                options.mode = (tmac_mode)mode;
                const bool only_direct = f == 1 || mode == TMAC_MODE_EXACT;
                CHECK_STATUS(tmac_context_create(&options, &context),
                             direct == only_direct ? TMAC_OK : TMAC_ERROR_FAMILY,
                             "%s, family %d, mode %d", options.layout, (int)options.family, mode);
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
    static const int unknown[] = {-1, TMAC_ERROR_INPUTS + 1, 1000, INT32_MAX, INT32_MIN};
    const int count = TMAC_ERROR_INPUTS + 1;

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
        cmocka_unit_test(test_tiers_are_the_public_ones),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_isa_by_name),
        cmocka_unit_test(test_unknown_isa),
        cmocka_unit_test(test_isa_mask),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_is_read_once),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_family),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_layout_by_name),
        cmocka_unit_test(test_kernel_by_name),
        cmocka_unit_test(test_layout_and_kernel),
        cmocka_unit_test(test_name_against_family),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_status_texts),
    };
    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
