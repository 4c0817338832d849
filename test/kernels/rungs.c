/* SPDX-License-Identifier: MIT */
#include "rungs.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "random.h"
#include "tmac.h"

struct rung rungs[MAX_RUNGS];
int rung_count;
uint64_t test_seed;
const char *const layout_names[TMAC_LAYOUT_COUNT] = {"ROWS32", "ROWS64", "QUAD",
                                                     "DIRECT", "NESTED", "NESTED_ROWS32"};
const char *const width_names[TMAC_W_COUNT] = {"1", "2", "3", "4", "ternary"};

static char running[512]; /* the last rung_enter */
static int failures;

enum { CRASHES = 3 };
static struct {
    int number;
    void (*before)(int); /* who handled it before us */
} crashes[CRASHES] = {{SIGSEGV, SIG_DFL}, {SIGBUS, SIG_DFL}, {SIGILL, SIG_DFL}};

/* Kernels on trial for this machine; test/kernels-only and test/meson.build say when. */
#ifdef TMAC_TEST_EMULATED_VBMI
void emulated_vbmi_init(struct tmac_kernels *kernels);
#endif

/* Function pointers of all types, to compare. */
typedef void any_fn(void);

const struct tmac_kernel *entry_kernel(const struct tmac_kernels *kernels, int entry)
{
    const bool fast = entry >= ENTRY_FAST;
    const int layout = (entry - (fast ? ENTRY_FAST : 0)) / TMAC_W_COUNT;

    return &(fast ? kernels->fast : kernels->kernel)[layout][entry % TMAC_W_COUNT];
}

static any_fn *entry_function(const struct tmac_kernels *k, int entry)
{
    if (entry < ENTRY_BUILD)
        return (any_fn *)entry_kernel(k, entry)->multiply;
    if (entry < ENTRY_EXPAND)
        return (any_fn *)k->build[entry - ENTRY_BUILD];
    return entry == ENTRY_EXPAND ? (any_fn *)k->expand
           : entry == ENTRY_F16  ? (any_fn *)k->f16_to_f32
                                 : (any_fn *)k->bf16_to_f32;
}

static const char *entry_name(const struct tmac_kernels *k, int entry)
{
    static const char *const other[] = {"build U8", "build S8",   "build INT8",
                                        "expand",   "f16_to_f32", "bf16_to_f32"};
    return entry < ENTRY_BUILD ? entry_kernel(k, entry)->name : other[entry - ENTRY_BUILD];
}

static void note_own_entries(struct rung *rung)
{
    int own = 0, inherited = 0;

    for (int e = 0; e < ENTRY_COUNT; e++) {
        any_fn *function = entry_function(&rung->kernels, e);
        const bool scalar = function == entry_function(&rungs[0].kernels, e);
        rung->own[e] = function && !scalar && function != entry_function(&rung[-1].kernels, e);
        own += rung->own[e];
        inherited += !scalar && !rung->own[e];
    }
    if (own == 0)
        printf("%s: overrides nothing (%d kernels of the sets below it)\n", rung->name, inherited);
    else
        printf("%s: %d kernels to compare (and %d of the sets below it)\n", rung->name, own,
               inherited);
}

static struct rung *add_rung(uint32_t mask)
{
    struct rung *rung = &rungs[rung_count++];

    memset(rung, 0, sizeof *rung);
    tmac_kernels_init(&rung->kernels, mask);
    rung->name = rung->kernels.isa;
    return rung;
}

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

/* For every kernel and not once: cmocka sets its own before every test. */
static void watch_crashes(void)
{
    for (size_t i = 0; i < CRASHES; i++) {
        void (*before)(int) = signal(crashes[i].number, on_crash);
        if (before != on_crash)
            crashes[i].before = before;
    }
}

void rungs_init(void)
{
    static const uint32_t ladder[] = {TMAC_ISA_X86_AVX2,        TMAC_ISA_X86_AVX512,
                                      TMAC_ISA_X86_AVX512_VNNI, TMAC_ISA_X86_AVX512_VBMI,
                                      TMAC_ISA_ARM64,           TMAC_ISA_ARM64_DOTPROD};
    const size_t steps = sizeof ladder / sizeof *ladder;
    uint32_t mask = TMAC_ISA_SCALAR;

    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    test_seed = rng_environment_seed();
    printf("TMAC_TEST_SEED=0x%llx\n", (unsigned long long)test_seed);
    add_rung(mask);
    for (size_t i = 0; i < steps; i++) {
        mask |= ladder[i];
        add_rung(mask);
        if (rungs[rung_count - 1].kernels.isa_mask & ladder[i])
            note_own_entries(&rungs[rung_count - 1]);
        else
            rung_count--;
    }
#ifdef TMAC_TEST_EMULATED_VBMI
    if (rungs[rung_count - 1].kernels.isa_mask & TMAC_ISA_X86_AVX512_VNNI &&
        !(tmac_cpu_isa() & TMAC_ISA_X86_AVX512_VBMI)) {
        struct rung *rung = add_rung(mask);
        emulated_vbmi_init(&rung->kernels);
        rung->name = "x86-avx512-vbmi, emulated";
        note_own_entries(rung);
    }
#endif
}

/* TMAC_TEST_ONLY, a part of a kernel's name, leaves out all others. */
bool rung_runs(const struct rung *rung, int entry)
{
    const char *only = getenv("TMAC_TEST_ONLY");

    return rung->own[entry] && !rung->failed[entry] &&
           (!only || strstr(entry_name(&rung->kernels, entry), only));
}

void rung_enter(const struct rung *rung, int entry, const char *format, ...)
{
    const int head = snprintf(running, sizeof running,
                              "%s (%s): ", entry_name(&rung->kernels, entry), rung->name);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(running + head, sizeof running - (size_t)head, format, arguments);
    va_end(arguments);
    watch_crashes();
}

void rung_fail(struct rung *rung, int entry, const char *format, ...)
{
    va_list arguments;

    printf("FAILED %s\n  ", running);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    rung->failed[entry] = true;
    failures++;
}

void rungs_finish_test(void)
{
    const int count = failures;

    failures = 0;
    if (count)
        fail_msg("%d kernels failed (TMAC_TEST_SEED=0x%llx)", count, (unsigned long long)test_seed);
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
