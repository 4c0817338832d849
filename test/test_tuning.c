/* SPDX-License-Identifier: MIT
 *
 * Tuning: what is measured, what a text may hold, and that a choice changes speed only. */
#include "support/check.h"
#include "support/contexts.h"
#include "support/guard.h"
#include "support/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 70, COLS = 128, BATCH = 43, MAX_TEXT = 4096 };

static uint64_t seed;

static const struct matrix_kind kind = {
    .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_2, .group = 32};

/* A tuning's text; read from memory that ends where it does. */
struct text {
    char at[2 * MAX_TEXT];
    size_t bytes;
};

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

static void write_text(const tmac_tuning *tuning, struct text *text)
{
    CHECK_OK(tmac_tuning_write(tuning, text->at, sizeof text->at - 1, &text->bytes));
    text->at[text->bytes] = '\0'; /* for strstr; it is no part of it */
}

static tmac_status read_text(tmac_tuning *tuning, const struct text *text)
{
    struct guard guard;
    char *at = guard_new(&guard, text->bytes, 1, GUARD_END);

    memcpy(at, text->at, text->bytes);
    guard_seal(&guard);
    const tmac_status status = tmac_tuning_read(tuning, at, text->bytes);
    guard_free(&guard);
    return status;
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

/* Measures the kind, and again: a text with one choice. */
static void measure(struct text *text)
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
    write_text(tuning, text);
    matrix_free(&matrix);
    tmac_context_free(context);
    tmac_tuning_free(tuning);
}

/* The same text as often as it is wanted: measuring takes seconds where kernels are scalar. */
static const struct text *tuned(void)
{
    static struct text text;

    if (text.bytes == 0)
        measure(&text);
    return &text;
}

static void test_measure(void **state)
{
    tmac_tuning *tuning = new_tuning();
    struct text again;

    (void)state;
    CHECK_OK(read_text(tuning, tuned()));
    CHECK(tmac_tuning_count(tuning) == 1, "%d choices", (int)tmac_tuning_count(tuning));
    write_text(tuning, &again);
    CHECK(again.bytes == tuned()->bytes && memcmp(again.at, tuned()->at, again.bytes) == 0, "%s%s",
          tuned()->at, again.at);
    tmac_tuning_free(tuning);
}

/* Into memory of every size: all or nothing, and the size it takes. */
static void test_room(void **state)
{
    tmac_tuning *tuning = new_tuning();
    const size_t all = tuned()->bytes;

    (void)state;
    CHECK_OK(read_text(tuning, tuned()));
    for (size_t room = 0; room <= all + 3; room++) {
        struct guard guard;
        size_t bytes = 0;
        char *text = guard_new(&guard, room, 1, GUARD_END);
        memset(text, 'x', room);
        CHECK_STATUS(tmac_tuning_write(tuning, room ? text : NULL, room, &bytes),
                     room < all ? TMAC_ERROR_BUFFER_SIZE : TMAC_OK, "room %zu", room);
        CHECK(bytes == all && guard_intact(&guard), "room %zu: %zu bytes", room, bytes);
        for (size_t i = room < all ? 0 : all; i < room; i++)
            CHECK(text[i] == 'x', "room %zu: wrote [%zu]", room, i);
        CHECK(room < all || memcmp(text, tuned()->at, all) == 0, "room %zu", room);
        guard_free(&guard);
    }
    tmac_tuning_free(tuning);
}

/* ---- choices --------------------------------------------------------------------------------- */

/* The text with another end: its last line from " layout" on. */
static struct text text_of(const char *choice)
{
    struct text text = *tuned();
    char *layout = strstr(text.at, " layout ");

    CHECK(layout != NULL, "%s", text.at);
    snprintf(layout, (size_t)(text.at + sizeof text.at - layout), " layout %s\n", choice);
    text.bytes = strlen(text.at);
    return text;
}

/* Multiplies with that choice; the weights' layout. */
static const char *multiply_tuned(const struct problem *p, const char *choice)
{
    const struct text text = text_of(choice);
    tmac_tuning *tuning = new_tuning();
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_activations x = problem_activations(p, BATCH);
    float *by_choice = malloc(sizeof *by_choice * BATCH * ROWS),
          *plain = malloc(sizeof *plain * BATCH * ROWS);
    tmac_weights *weights, *attached;

    CHECK_OK(read_text(tuning, &text));
    tmac_context *context = context_with(tuning), *untuned = context_with(NULL);
    tmac_tuning_free(tuning); /* contexts have their own copy */
    CHECK_OK(tmac_weights_pack(context, &p->matrix.desc, &weights));
    CHECK_OK(tmac_weights_query(weights, &info));
    attached = weights_in(untuned, weights);
    CHECK_OK(tmac_matmul(context, weights, &x, by_choice, ROWS));
    CHECK_OK(tmac_matmul(untuned, attached, &x, plain, ROWS));
    CHECK(check_floats(by_choice, plain, BATCH * ROWS) == BATCH * ROWS, "%s", choice);
    free(by_choice);
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
        "batch 0 tiles 0 steps 0", "batch 8 tiles 1 steps 8", "batch 64 tiles 4 steps 16",
        "batch 256 tiles 1 steps 8", "batch 32 tiles 4 steps 24", "batch 16 tiles 3 steps 32",
        /* that do not fit, and are not used */
        "batch 7 tiles 1 steps 8", "batch 8 tiles 0 steps 8", "batch 8 tiles 1 steps 12",
        "batch 99999992 tiles 99999999 steps 8", "batch -8 tiles -1 steps -8",
        "batch 8 tiles 1 steps 99999992"};
    struct rng rng = rng_stream(seed, 2, 0);
    struct problem p;
    bool direct = false, lookup = false;

    (void)state;
    problem_new(&p, &kind, TMAC_LAYOUT_DIRECT, BATCH, &rng);
    for (size_t l = 0; l < COUNT(layouts); l++)
        for (size_t b = 0; b < COUNT(blockings); b++) {
            char choice[128];
            snprintf(choice, sizeof choice, "%s %s", layouts[l], blockings[b]);
            const char *packed = multiply_tuned(&p, choice);
            direct = direct || strcmp(packed, "direct") == 0;
            lookup = lookup || strcmp(packed, "direct") != 0;
            CHECK(strcmp(packed, "nested"), "%s", choice);
        }
    CHECK(direct && lookup, "a choice has no effect");
    problem_free(&p);
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* Refused, by an empty tuning and by one that stays as it was. */
static void check_refused(const struct text *text, tmac_status want, const char *what)
{
    tmac_tuning *tuning = new_tuning();
    struct text after;

    CHECK_STATUS(read_text(tuning, text), want, "%s", what);
    CHECK(tmac_tuning_count(tuning) == 0, "%s", what);
    CHECK_OK(read_text(tuning, tuned()));
    CHECK_STATUS(read_text(tuning, text), want, "%s", what);
    write_text(tuning, &after);
    CHECK(strcmp(after.at, tuned()->at) == 0, "%s: not as it was", what);
    tmac_tuning_free(tuning);
}

/* The good text with the first `from` replaced. */
static struct text changed(const char *from, const char *to)
{
    const struct text *good = tuned();
    const char *at = strstr(good->at, from);
    struct text text;

    CHECK(at != NULL, "%s", from);
    text.bytes = (size_t)snprintf(text.at, sizeof text.at, "%.*s%s%s", (int)(at - good->at),
                                  good->at, to, at + strlen(from));
    return text;
}

static void test_foreign(void **state)
{
    static const char *const changes[][2] = {{"version ", "version 9"}, {"cpu ", "cpu another "}};

    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        const struct text text = changed(changes[i][0], changes[i][1]);
        check_refused(&text, TMAC_ERROR_TUNING_FOREIGN, changes[i][1]);
    }
}

static void test_damaged(void **state)
{
    static const char *const changes[][2] = {
        {"tuning 1", "tuning 2"}, {"libtmac", "libtnac"},
        {"isa 0x", "isa "},       {"isa 0x", "isa 0x-"},
        {"isa 0x", "isa 0x-1 "},  {"isa 0x", "isa 0x "},
        {"isa 0x", "isa 0xg"},    {"isa 0x", "isa 0x123456789"},
        {"rows ", "rows x"},      {" layout ", " layout no"},
        {"threads", "thread"},    {"cols ", "cols 99999999999999999999"},
        {"steps ", "steps 1 "},
    };
    struct text text;

    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        text = changed(changes[i][0], changes[i][1]);
        check_refused(&text, TMAC_ERROR_TUNING_DAMAGED, changes[i][1]);
    }
    for (size_t cut = 0; cut < tuned()->bytes; cut++) {
        /* Whole lines are a whole text. */
        text = *tuned();
        text.bytes = cut;
        if (!cut || text.at[cut - 1] != '\n' || strstr(text.at, "isa") > text.at + cut)
            check_refused(&text, TMAC_ERROR_TUNING_DAMAGED, "cut");
    }
    for (size_t zero = 0; zero < tuned()->bytes; zero++) {
        text = *tuned();
        text.at[zero] = '\0';
        check_refused(&text, TMAC_ERROR_TUNING_DAMAGED, "a zero within");
    }
}

/* One good line, one bad one: neither is added. */
static void test_all_or_nothing(void **state)
{
    struct text text = *tuned();
    char *choice = strstr(text.at, "isa"), line[MAX_TEXT];

    (void)state;
    snprintf(line, sizeof line, "%s", choice);
    memmove(strstr(line, "rows ") + 5, strstr(line, "rows ") + 6,
            strlen(strstr(line, "rows ") + 5));
    snprintf(choice, sizeof text.at - (size_t)(choice - text.at), "%s%s", line,
             "isa 0x1 threads\n");
    text.bytes = strlen(text.at);
    check_refused(&text, TMAC_ERROR_TUNING_DAMAGED, "a good line, and a bad one");
    text.bytes -= strlen("isa 0x1 threads\n");
    tmac_tuning *tuning = new_tuning();
    CHECK_OK(read_text(tuning, &text));
    CHECK_OK(read_text(tuning, tuned()));
    CHECK(tmac_tuning_count(tuning) == 2, "the good lines alone");
    CHECK_OK(read_text(tuning, &text));
    CHECK(tmac_tuning_count(tuning) == 2, "and again");
    tmac_tuning_free(tuning);
}

static void test_random_bytes(void **state)
{
    const size_t header = (size_t)(strstr(tuned()->at, "isa") - tuned()->at);
    struct rng rng = rng_stream(seed, 3, 0);
    struct text text;

    (void)state;
    for (int i = 0; i < 200; i++) {
        text.bytes = 600;
        rng_bytes(&rng, text.at, text.bytes);
        memcpy(text.at, tuned()->at, i % 2 ? header : tuned()->bytes < 200 ? tuned()->bytes : 0);
        check_refused(&text, TMAC_ERROR_TUNING_DAMAGED, "noise");
    }
}

/* Of a good choice as many as 1 MiB holds, and one byte more. */
static void test_too_long(void **state)
{
    const size_t most = 1 << 20, header = (size_t)(strstr(tuned()->at, "isa") - tuned()->at);
    const size_t line = tuned()->bytes - header;
    char *text = malloc(most + 1);
    tmac_tuning *tuning = new_tuning();

    (void)state;
    memset(text, '\n', most + 1); /* no such line is a choice */
    memcpy(text, tuned()->at, header);
    size_t bytes = header;
    for (; bytes + line <= most; bytes += line)
        memcpy(text + bytes, tuned()->at + header, line);
    CHECK_OK(tmac_tuning_read(tuning, text, bytes));
    CHECK(tmac_tuning_count(tuning) == 1, "the same choice");
    CHECK_STATUS(tmac_tuning_read(tuning, text, most + 1), TMAC_ERROR_TUNING_DAMAGED, "1 MiB + 1");
    CHECK_STATUS(tmac_tuning_read(tuning, text, SIZE_MAX), TMAC_ERROR_TUNING_DAMAGED,
                 "told before it is read");
    tmac_tuning_free(tuning);
    free(text);
}

static void test_bad_arguments(void **state)
{
    const tmac_weights_desc desc = {.struct_size = sizeof desc, .rows = 1, .cols = 32};
    tmac_tune_options options = {.struct_size = sizeof options, .batch = -1};
    struct rng rng = rng_stream(seed, 4, 0);
    tmac_tuning *tuning = new_tuning();
    tmac_context *context = context_with(NULL);
    struct matrix matrix;
    size_t bytes = 7;
    char text[MAX_TEXT];

    (void)state;
    matrix_new(&matrix, &kind, &rng);
    CHECK_STATUS(tmac_tuning_create(NULL), TMAC_ERROR_NULL, "create");
    CHECK_STATUS(tmac_tuning_read(NULL, "", 0), TMAC_ERROR_NULL, "read");
    CHECK_STATUS(tmac_tuning_read(tuning, NULL, 0), TMAC_ERROR_NULL, "no text");
    CHECK_STATUS(tmac_tuning_read(tuning, "", 0), TMAC_ERROR_TUNING_DAMAGED, "an empty text");
    CHECK_STATUS(tmac_tuning_write(NULL, text, sizeof text, &bytes), TMAC_ERROR_NULL, "write");
    CHECK_STATUS(tmac_tuning_write(tuning, text, sizeof text, NULL), TMAC_ERROR_NULL, "size");
    CHECK_STATUS(tmac_tuning_write(tuning, NULL, 1, &bytes), TMAC_ERROR_NULL, "no text");
    CHECK(bytes == 7, "output touched");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measure),       cmocka_unit_test(test_room),
        cmocka_unit_test(test_choices),       cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_damaged),       cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_random_bytes),  cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_bad_arguments),
    };

    seed = rng_environment_seed();
    return cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
}
