/* SPDX-License-Identifier: MIT */
#include "subjects.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "random.h"
#include "widths.h"

struct subject subjects[MAX_SUBJECTS];
int subject_count;
uint64_t test_seed;
const char *const layout_names[TMAC_LAYOUT_COUNT] = {"ROWS32", "ROWS64", "QUAD",
                                                     "DIRECT", "NESTED", "NESTED_ROWS32"};
const char *const batch_names[TMAC_BATCH_COUNT] = {"1", "2", "4", "8", "many"};

static char running[512]; /* the last subject_enter */
static int failures;

/* ---- sets ------------------------------------------------------------------------------------ */

/* Sets compiled a second time, with the instructions that they need emulated: they run where all that
 * their tier requires is there. test/meson.build and test/kernels-only compile them. */
#ifdef TMAC_TEST_EMULATED
extern const struct tmac_set emulated_set_vbmi, emulated_set_avx_vnni;
#endif

static const struct emulated {
    uint32_t bit; /* of the tier */
    const struct tmac_set *set;
} emulated_sets[] = {
#ifdef TMAC_TEST_EMULATED
    {TMAC_ISA_X86_AVX_VNNI, &emulated_set_avx_vnni},
    {TMAC_ISA_X86_AVX512_VBMI, &emulated_set_vbmi},
#endif
    {0, NULL},
};

const struct tmac_kernel *scalar_kernel(enum tmac_layout layout, tmac_width width, bool averages)
{
    for (int i = 0; i < tmac_set_scalar.kernel_count; i++) {
        const struct tmac_kernel *row = &tmac_set_scalar.kernels[i];
        if (row->layout == layout && row->averages == averages &&
            (row->widths & TMAC_WIDTH_BIT(width)))
            return row;
    }
    return NULL;
}

static void add_subject(const char *tier, const char *name, struct subject subject)
{
    if (subject_count == MAX_SUBJECTS)
        abort();
    subject.tier = tier;
    subject.name = name;
    subjects[subject_count++] = subject;
}

static int add_tools(const char *tier, const struct tmac_tools *tools)
{
    static const char *const names[FUNCTION_MULTIPLY] = {"build U8", "build S8",   "build INT8",
                                                         "expand",   "f16_to_f32", "bf16_to_f32"};

    for (int f = 0; f < FUNCTION_MULTIPLY && tools; f++)
        add_subject(tier, names[f], (struct subject){.function = f, .tools = tools});
    return tools ? FUNCTION_MULTIPLY : 0;
}

static int add_kernels(const char *tier, const struct tmac_set *set, uint32_t usable)
{
    const int before = subject_count;

    for (int k = 0; k < set->kernel_count; k++) {
        const struct tmac_kernel *row = &set->kernels[k];
        for (int w = 0; w < TEST_WIDTHS && (row->requires & ~usable) == 0; w++)
            if (row->widths & TMAC_WIDTH_BIT(test_widths[w]))
                add_subject(tier, row->name,
                            (struct subject){.function = FUNCTION_MULTIPLY,
                                             .kernel = row,
                                             .width = test_widths[w],
                                             .scalar = scalar_kernel(row->layout, test_widths[w],
                                                                     row->averages)});
    }
    return subject_count - before;
}

static void add_set(const char *tier, const struct tmac_set *set, uint32_t usable)
{
    const int tools = add_tools(tier, set->tools), kernels = add_kernels(tier, set, usable);

    printf("%s: %d kernels times widths, %d other functions\n", tier, kernels, tools);
}

static const struct tmac_tier *tier_of(uint32_t bit)
{
    int i = 0;

    while (i < TMAC_TIER_COUNT - 1 && tmac_tiers[i].bit != bit)
        i++;
    return &tmac_tiers[i];
}

/* Where the machine has not got the real thing, or TMAC_TEST_EMULATED is set. */
static void add_emulated(uint32_t usable)
{
    static char names[sizeof emulated_sets / sizeof *emulated_sets][64];

    for (int i = 0; emulated_sets[i].set; i++) {
        const struct tmac_tier *tier = tier_of(emulated_sets[i].bit);
        const bool there = usable & tier->bit;
        if ((tier->requires & ~usable) || (there && !getenv("TMAC_TEST_EMULATED")))
            continue;
        snprintf(names[i], sizeof names[i], "%s, emulated", tier->name);
        add_set(names[i], emulated_sets[i].set, usable | tier->bit);
    }
}

void subjects_init(void)
{
    const uint32_t usable = tmac_tiers_usable(~UINT32_C(0));

    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    test_seed = rng_environment_seed();
    printf("TMAC_TEST_SEED=0x%llx\n", (unsigned long long)test_seed);
    for (int t = 0; t < TMAC_TIER_COUNT; t++)
        if (usable & tmac_tiers[t].bit)
            add_set(tmac_tiers[t].name, tmac_tiers[t].set, usable);
    add_emulated(usable);
}

bool subject_takes(const struct subject *subject, enum tmac_layout layout, tmac_width width,
                   bool averages, enum tmac_batch batch)
{
    const struct tmac_kernel *row = subject->kernel;

    return row && row->layout == layout && subject->width == width && row->averages == averages &&
           (row->batches & 1u << batch);
}

bool subject_runs(const struct subject *subject)
{
    const char *only = getenv("TMAC_TEST_ONLY");

    return !subject->failed && (!only || strstr(subject->name, only));
}

static bool is_scalar(const struct subject *subject)
{
    return subject->tools ? subject->tools == tmac_set_scalar.tools
                          : subject->kernel == subject->scalar;
}

struct subject *next_subject(struct subject *after, int function)
{
    for (struct subject *s = after ? after + 1 : subjects; s < subjects + subject_count; s++)
        if (s->function == function && !(function == FUNCTION_MULTIPLY && is_scalar(s)) &&
            subject_runs(s))
            return s;
    return NULL;
}

/* ---- crashes --------------------------------------------------------------------------------- */

enum { CRASHES = 3 };
static struct {
    int number;
    void (*before)(int); /* who handled it before us */
} crashes[CRASHES] = {{SIGSEGV, SIG_DFL}, {SIGBUS, SIG_DFL}, {SIGILL, SIG_DFL}};

/* Says which kernel it was, then lets cmocka fail the test and go on to the next. */
static void on_crash(int number)
{
    static const char head[] = "\ncrashed in ";
    ssize_t written = write(STDERR_FILENO, head, sizeof head - 1);
    written += write(STDERR_FILENO, running, strlen(running));
    written += write(STDERR_FILENO, "\n", 1);
    (void)written;
    for (size_t i = 0; i < CRASHES; i++)
        if (crashes[i].number == number) {
            signal(number, crashes[i].before);
            if (crashes[i].before != SIG_DFL && crashes[i].before != SIG_IGN)
                crashes[i].before(number);
        }
}

/* For every subject and not once: cmocka sets its own before every test. */
static void watch_crashes(void)
{
    for (size_t i = 0; i < CRASHES; i++) {
        void (*before)(int) = signal(crashes[i].number, on_crash);
        if (before != on_crash)
            crashes[i].before = before;
    }
}

/* ---- reports --------------------------------------------------------------------------------- */

void subject_enter(const struct subject *subject, const char *format, ...)
{
    const int head = snprintf(running, sizeof running, "%s (%s): ", subject->name, subject->tier);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(running + head, sizeof running - (size_t)head, format, arguments);
    va_end(arguments);
    watch_crashes();
}

void subject_fail(struct subject *subject, const char *format, ...)
{
    va_list arguments;

    printf("FAILED %s\n  ", running);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    subject->failed = true;
    failures++;
}

void subjects_finish_test(void)
{
    const int count = failures;

    failures = 0;
    if (count)
        fail_msg("%d subjects failed (TMAC_TEST_SEED=0x%llx)", count,
                 (unsigned long long)test_seed);
}

size_t floats_differ(const float *a, const float *b, size_t count)
{
    size_t i = 0;

    if (memcmp(a, b, count * sizeof *a) == 0)
        return count;
    while (i < count && (memcmp(a + i, b + i, sizeof *a) == 0 || (a[i] != a[i] && b[i] != b[i])))
        i++;
    return i;
}
