/* SPDX-License-Identifier: MIT
 *
 * Tuning: what is measured, what a file may hold, and that a choice changes speed only. */
#define _POSIX_C_SOURCE 200809L

#include "support/check.h"
#include "support/contexts.h"
#include "support/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 70, COLS = 128, BATCH = 43, MAX_TEXT = 4096 };

static uint64_t seed;
static char folder[] = "/tmp/tmac-tuning-XXXXXX", path[64];

static const struct matrix_kind kind = {
    .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_2, .group = 32};

static tmac_tuning *new_tuning(void)
{
    tmac_tuning *tuning;
    CHECK_OK(tmac_tuning_create(&tuning));
    return tuning;
}

static tmac_context *context_with(const tmac_tuning *tuning)
{
    const tmac_context_options options = {
        .struct_size = sizeof options, .threads = 1, .tuning = tuning};
    tmac_context *context;

    CHECK_OK(tmac_context_create(&options, &context));
    return context;
}

static void write_file(const char *text, size_t bytes)
{
    FILE *file = fopen(path, "wb");

    CHECK(file != NULL, "%s", path);
    CHECK(fwrite(text, 1, bytes, file) == bytes, "%s", path);
    CHECK(fclose(file) == 0, "%s", path);
}

static size_t read_file(char text[MAX_TEXT])
{
    FILE *file = fopen(path, "rb");
    size_t bytes;

    CHECK(file != NULL, "%s", path);
    bytes = fread(text, 1, MAX_TEXT - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return bytes;
}

/* ---- measuring ------------------------------------------------------------------------------- */

struct told {
    int32_t calls, done, count;
    bool good;
};

static void tell(void *host, int32_t done, int32_t count, const char *what)
{
    struct told *told = host;

    told->good = told->good && done == told->calls && done <= count && what && *what;
    told->calls++;
    told->done = done;
    told->count = count;
}

/* Measures the kind, and again, and saves it: a file with one choice. */
static void measure(void)
{
    struct told told = {.good = true};
    const tmac_tune_options options = {
        .struct_size = sizeof options, .seconds = 1e-4, .progress = tell, .progress_host = &told};
    struct rng rng = rng_stream(seed, 1, 0);
    tmac_tuning *tuning = new_tuning();
    tmac_context *context = context_with(NULL);
    struct matrix matrix;

    matrix_new(&matrix, &kind, &rng);
    matrix.desc.codes = matrix.desc.scales = NULL; /* not looked at */
    CHECK_OK(tmac_tune(context, tuning, &matrix.desc, &options));
    CHECK(told.good && told.done == told.count && told.count > 2, "%d of %d, %d calls",
          (int)told.done, (int)told.count, (int)told.calls);
    CHECK_OK(tmac_tune(context, tuning, &matrix.desc, &options));
    CHECK(tmac_tuning_count(tuning) == 1, "the same matrix again");
    CHECK_OK(tmac_tuning_save(tuning, path));
    matrix_free(&matrix);
    tmac_context_free(context);
    tmac_tuning_free(tuning);
}

/* The same file as often as it is wanted: measuring takes seconds where kernels are scalar. */
static void tune(void)
{
    static char text[MAX_TEXT];
    static size_t bytes;

    if (bytes == 0) {
        measure();
        bytes = read_file(text);
    }
    write_file(text, bytes);
}

static void test_measure(void **state)
{
    char text[MAX_TEXT], again[MAX_TEXT];
    tmac_tuning *tuning = new_tuning();
    size_t bytes;

    (void)state;
    tune();
    bytes = read_file(text);
    CHECK_OK(tmac_tuning_load(tuning, path));
    CHECK(tmac_tuning_count(tuning) == 1, "%d choices", (int)tmac_tuning_count(tuning));
    CHECK_OK(tmac_tuning_save(tuning, path));
    CHECK(read_file(again) == bytes && memcmp(text, again, bytes) == 0, "%s%s", text, again);
    tmac_tuning_free(tuning);
}

/* ---- choices --------------------------------------------------------------------------------- */

/* The file's text with another end: its last line from " layout" on. */
static void write_choice(const char *choice)
{
    char text[MAX_TEXT], *layout;

    tune();
    read_file(text);
    layout = strstr(text, " layout ");
    CHECK(layout != NULL, "%s", text);
    snprintf(layout, (size_t)(text + sizeof text - layout), " layout %s\n", choice);
    write_file(text, strlen(text));
}

/* Multiplies with the file's choice; the weights' layout. */
static const char *multiply_tuned(const struct problem *p, const char *what)
{
    tmac_tuning *tuning = new_tuning();
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_activations x = problem_activations(p, BATCH);
    float *tuned = malloc(sizeof *tuned * BATCH * ROWS),
          *plain = malloc(sizeof *plain * BATCH * ROWS);
    tmac_weights *weights, *attached;

    CHECK_OK(tmac_tuning_load(tuning, path));
    tmac_context *context = context_with(tuning), *untuned = context_with(NULL);
    tmac_tuning_free(tuning); /* contexts have their own copy */
    CHECK_OK(tmac_weights_pack(context, &p->matrix.desc, &weights));
    CHECK_OK(tmac_weights_query(weights, &info));
    CHECK_OK(tmac_weights_attach(untuned, info.packed, info.packed_bytes, 0, &attached));
    CHECK_OK(tmac_matmul(context, weights, &x, tuned, ROWS));
    CHECK_OK(tmac_matmul(untuned, attached, &x, plain, ROWS));
    CHECK(check_floats(tuned, plain, BATCH * ROWS) == BATCH * ROWS, "%s", what);
    free(tuned);
    free(plain);
    tmac_weights_free(attached);
    tmac_weights_free(weights);
    tmac_context_free(context);
    tmac_context_free(untuned);
    return info.layout;
}

static void test_choices(void **state)
{
    static const char *const layouts[] = {"rows32", "rows64", "quad", "direct", "nested"};
    static const char *const blockings[] = {
        "inputs 0 tiles 0 steps 0", "inputs 8 tiles 1 steps 8", "inputs 64 tiles 4 steps 16",
        "inputs 256 tiles 1 steps 8", "inputs 32 tiles 4 steps 24", "inputs 16 tiles 3 steps 32",
        /* that do not fit, and are not used */
        "inputs 7 tiles 1 steps 8", "inputs 8 tiles 0 steps 8", "inputs 8 tiles 1 steps 12",
        "inputs 99999992 tiles 99999999 steps 8", "inputs -8 tiles -1 steps -8",
        "inputs 8 tiles 1 steps 99999992"};
    struct rng rng = rng_stream(seed, 2, 0);
    struct problem p;
    bool direct = false, lookup = false;

    (void)state;
    problem_new(&p, &kind, TMAC_LAYOUT_DIRECT, BATCH, &rng);
    for (size_t l = 0; l < COUNT(layouts); l++)
        for (size_t b = 0; b < COUNT(blockings); b++) {
            char choice[128];
            snprintf(choice, sizeof choice, "%s %s", layouts[l], blockings[b]);
            write_choice(choice);
            const char *packed = multiply_tuned(&p, choice);
            direct = direct || strcmp(packed, "direct") == 0;
            lookup = lookup || strcmp(packed, "direct") != 0;
            CHECK(strcmp(packed, "nested"), "%s", choice);
        }
    CHECK(direct && lookup, "a choice has no effect");
    problem_free(&p);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void check_load(tmac_status want, const char *what)
{
    tmac_tuning *tuning = new_tuning();

    CHECK_STATUS(tmac_tuning_load(tuning, path), want, "%s", what);
    CHECK(tmac_tuning_count(tuning) == 0, "%s", what);
    tmac_tuning_free(tuning);
}

/* Replaces the first `from` in the text of a good file. */
static void check_changed(const char *from, const char *to, tmac_status want)
{
    char text[MAX_TEXT], changed[2 * MAX_TEXT];
    char *at;

    tune();
    read_file(text);
    at = strstr(text, from);
    CHECK(at != NULL, "%s", from);
    const int bytes = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                               at + strlen(from));
    write_file(changed, (size_t)bytes);
    check_load(want, to);
}

static void test_foreign(void **state)
{
    (void)state;
    check_changed("version ", "version 9", TMAC_ERROR_TUNING_FOREIGN);
    check_changed("cpu ", "cpu another ", TMAC_ERROR_TUNING_FOREIGN);
}

static void test_damaged(void **state)
{
    static const char *const changes[][2] = {
        {"tuning 1", "tuning 2"},
        {"libtmac", "libtnac"},
        {"isa 0x", "isa "},
        {"rows ", "rows x"},
        {" layout ", " layout no"},
        {"threads", "thread"},
        {"cols ", "cols 99999999999999999999"},
        {"steps ", "steps 1 "},
    };
    char text[MAX_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++)
        check_changed(changes[i][0], changes[i][1], TMAC_ERROR_TUNING_DAMAGED);
    tune();
    const size_t bytes = read_file(text);
    for (size_t cut = 0; cut < bytes; cut++) {
        /* Whole lines are a whole file. */
        const bool whole = cut && text[cut - 1] == '\n' && strstr(text, "isa") <= text + cut;
        write_file(text, cut);
        if (!whole)
            check_load(TMAC_ERROR_TUNING_DAMAGED, "cut");
    }
    text[bytes / 2] = '\0';
    write_file(text, bytes);
    check_load(TMAC_ERROR_TUNING_DAMAGED, "a zero within");
}

static void test_random_bytes(void **state)
{
    char text[MAX_TEXT], noise[600];
    struct rng rng = rng_stream(seed, 3, 0);

    (void)state;
    tune();
    const size_t bytes = read_file(text), header = (size_t)(strstr(text, "isa") - text);
    for (int i = 0; i < 200; i++) {
        rng_bytes(&rng, noise, sizeof noise);
        memcpy(noise, text, i % 2 ? header : bytes < 200 ? bytes : 0);
        write_file(noise, sizeof noise);
        check_load(TMAC_ERROR_TUNING_DAMAGED, "noise");
    }
}

static void test_huge_file(void **state)
{
    FILE *file = fopen(path, "wb");

    (void)state;
    CHECK(file != NULL, "%s", path);
    for (int i = 0; i < 1 << 18; i++)
        fputs("libtmac ", file);
    fclose(file);
    check_load(TMAC_ERROR_TUNING_DAMAGED, "2 MB");
}

static void test_no_file(void **state)
{
    char missing[96];
    tmac_tuning *tuning = new_tuning();

    (void)state;
    snprintf(missing, sizeof missing, "%s/none/tuning.txt", folder);
    CHECK_STATUS(tmac_tuning_load(tuning, missing), TMAC_ERROR_FILE, "missing");
    CHECK_STATUS(tmac_tuning_save(tuning, missing), TMAC_ERROR_FILE, "no folder");
    CHECK_STATUS(tmac_tuning_load(tuning, folder), TMAC_ERROR_FILE, "a folder");
    CHECK_STATUS(tmac_tuning_save(tuning, folder), TMAC_ERROR_FILE, "a folder");
    tmac_tuning_free(tuning);
}

/* The user's own file, in a folder that is made. */
static void test_users_file(void **state)
{
    char cache[96], file[128];
    tmac_tuning *tuning = new_tuning();

    (void)state;
    tune();
    CHECK_OK(tmac_tuning_load(tuning, path));
    snprintf(cache, sizeof cache, "%s/a/b", folder);
    setenv("XDG_CACHE_HOME", cache, 1);
    CHECK_OK(tmac_tuning_save(tuning, NULL));
    tmac_tuning_free(tuning);
    tuning = new_tuning();
    CHECK_OK(tmac_tuning_load(tuning, NULL));
    CHECK(tmac_tuning_count(tuning) == 1, "not saved");
    snprintf(file, sizeof file, "%s/libtmac/tuning.txt", cache);
    CHECK(access(file, R_OK) == 0, "%s", file);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    CHECK_STATUS(tmac_tuning_load(tuning, NULL), TMAC_ERROR_FILE, "no home");
    tmac_tuning_free(tuning);
}

static void test_bad_arguments(void **state)
{
    const tmac_weights_desc desc = {.struct_size = sizeof desc, .rows = 1, .cols = 32};
    tmac_tune_options options = {.struct_size = sizeof options, .batch = -1};
    struct rng rng = rng_stream(seed, 4, 0);
    tmac_tuning *tuning = new_tuning();
    tmac_context *context = context_with(NULL);
    struct matrix matrix;

    (void)state;
    matrix_new(&matrix, &kind, &rng);
    CHECK_STATUS(tmac_tuning_create(NULL), TMAC_ERROR_NULL, "create");
    CHECK_STATUS(tmac_tuning_load(NULL, path), TMAC_ERROR_NULL, "load");
    CHECK_STATUS(tmac_tuning_save(NULL, path), TMAC_ERROR_NULL, "save");
    CHECK_STATUS(tmac_tune(NULL, tuning, &matrix.desc, NULL), TMAC_ERROR_NULL, "context");
    CHECK_STATUS(tmac_tune(context, NULL, &matrix.desc, NULL), TMAC_ERROR_NULL, "tuning");
    CHECK_STATUS(tmac_tune(context, tuning, NULL, NULL), TMAC_ERROR_NULL, "description");
    CHECK_STATUS(tmac_tune(context, tuning, &desc, NULL), TMAC_ERROR_ENUM, "width 0");
    CHECK_STATUS(tmac_tune(context, tuning, &matrix.desc, &options), TMAC_ERROR_SHAPE, "inputs");
    options.batch = 1;
    options.seconds = 61;
    CHECK_STATUS(tmac_tune(context, tuning, &matrix.desc, &options), TMAC_ERROR_SHAPE, "seconds");
    options.seconds = 1e-4;
    options.batch = INT64_MAX / 2;
    CHECK_STATUS(tmac_tune(context, tuning, &matrix.desc, &options), TMAC_ERROR_OVERFLOW, "size");
    CHECK(tmac_tuning_count(tuning) == 0 && tmac_tuning_count(NULL) == 0, "nothing was added");
    tmac_tuning_free(NULL);
    tmac_tuning_free(tuning);
    tmac_context_free(context);
    matrix_free(&matrix);
}

static void remove_all(void)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)!system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measure),       cmocka_unit_test(test_choices),
        cmocka_unit_test(test_foreign),       cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_random_bytes),  cmocka_unit_test(test_huge_file),
        cmocka_unit_test(test_no_file),       cmocka_unit_test(test_users_file),
        cmocka_unit_test(test_bad_arguments),
    };

    seed = rng_environment_seed();
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/tuning.txt", folder);
    const int failures = cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
    remove_all();
    return failures;
}
