/* SPDX-License-Identifier: MIT
 *
 * Structs that carry their size, in every function that takes one: too small is refused, larger is
 * fine as long as what this library does not know is zero (where it reads the struct), and outputs
 * are written up to what the caller knows. */
#include "support/check.h"
#include "support/guard.h"
#include "support/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 33, COLS = 64, MORE = 24 };

static struct {
    tmac_context *context;
    tmac_weights *weights;
    tmac_tables *tables;
    struct matrix matrix;
    _Alignas(64) uint8_t packed[16384], table_bytes[4096];
    _Alignas(64) uint8_t workspace[65536];
    float x[COLS], y[ROWS];
    tmac_weights_info info;
    tmac_multiply_args args;
} f;

static const tmac_context_options options = {.struct_size = sizeof options, .threads = 1};
static tmac_activations activations;
static const tmac_tune_options tune = {.struct_size = sizeof tune, .seconds = 1e-5};
static const tmac_team team = {.struct_size = sizeof team, .count = 1};
static const tmac_format_info empty_format = {.struct_size = sizeof empty_format};
static const tmac_packed_plan empty_plan = {.struct_size = sizeof empty_plan};
static const tmac_weights_info empty_info = {.struct_size = sizeof empty_info};
static const tmac_weights_desc empty_desc = {.struct_size = sizeof empty_desc};

static void fixture_new(void)
{
    const struct matrix_kind kind = {
        .rows = ROWS, .cols = COLS, .width = TMAC_WIDTH_2, .group = 32};
    struct rng rng = rng_stream(7, 8, 9);

    f.info = (tmac_weights_info){.struct_size = sizeof f.info};
    matrix_new(&f.matrix, &kind, &rng);
    CHECK_OK(tmac_context_create(NULL, &f.context));
    CHECK_OK(tmac_weights_pack(f.context, &f.matrix.desc, &f.weights));
    CHECK_OK(tmac_weights_query(f.weights, &f.info));
    CHECK_OK(tmac_tables_create(f.context, f.weights, 1, &f.tables));
    f.args = (tmac_multiply_args){.struct_size = sizeof f.args,
                                  .weights = f.weights,
                                  .activations = &activations,
                                  .y = f.y,
                                  .stride = ROWS};
    CHECK_OK(tmac_packed_begin(f.context, &f.matrix.desc, f.packed, sizeof f.packed));
}

static void fixture_free(void)
{
    tmac_tables_free(f.tables);
    tmac_weights_free(f.weights);
    tmac_context_free(f.context);
    matrix_free(&f.matrix);
}

/* One call per struct and function; whatever it makes is freed at once. */
static tmac_status call_create(void *s)
{
    tmac_context *context = NULL;
    const tmac_status status = tmac_context_create(s, &context);
    tmac_context_free(context);
    return status;
}

static tmac_status call_pack(void *s)
{
    tmac_weights *weights = NULL;
    const tmac_status status = tmac_weights_pack(f.context, s, &weights);
    tmac_weights_free(weights);
    return status;
}

static tmac_status call_packed_query(void *s)
{
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    return tmac_packed_query(f.context, s, &plan);
}

static tmac_status call_begin(void *s)
{
    return tmac_packed_begin(f.context, s, f.packed, sizeof f.packed);
}

static tmac_status call_rows(void *s)
{
    return tmac_packed_rows(f.context, s, 0, ROWS, f.packed, sizeof f.packed);
}

static tmac_status call_build(void *s)
{
    return tmac_tables_build(f.context, f.tables, s);
}

static tmac_status call_build_part(void *s)
{
    return tmac_tables_build_part(f.context, f.info.table_layout, s, 0, 1, f.table_bytes,
                                  sizeof f.table_bytes);
}

static tmac_status call_matmul(void *s)
{
    return tmac_matmul(f.context, f.weights, s, f.y, ROWS);
}

static tmac_status call_multiply(void *s)
{
    return tmac_multiply(f.context, s);
}

static tmac_status call_workspace(void *s)
{
    size_t bytes;
    return tmac_multiply_workspace(f.context, s, &bytes);
}

/* Structs that a struct points to. */
static tmac_status call_multiply_of(void *s)
{
    tmac_multiply_args args = f.args;
    args.activations = s;
    return tmac_multiply(f.context, &args);
}

static tmac_status call_team(void *s)
{
    tmac_multiply_args args = f.args;
    args.team = s;
    args.workspace = f.workspace;
    args.workspace_bytes = sizeof f.workspace;
    return tmac_multiply(f.context, &args);
}

static tmac_status call_format(void *s)
{
    return tmac_format_query(0, s);
}

static tmac_status call_plan(void *s)
{
    return tmac_packed_query(f.context, &f.matrix.desc, s);
}

static tmac_status call_info(void *s)
{
    return tmac_weights_query(f.weights, s);
}

static tmac_status call_tune(void *s)
{
    tmac_tuning *tuning;
    CHECK_OK(tmac_tuning_create(&tuning));
    const tmac_status status = tmac_tune(f.context, tuning, &f.matrix.desc, s);
    tmac_tuning_free(tuning);
    return status;
}

static tmac_status call_desc_ggml(void *s)
{
    return tmac_weights_desc_ggml(s, 2, 1, 32, NULL);
}

static const struct {
    const char *name;
    tmac_status (*call)(void *s);
    const void *good;
    size_t size;
    bool output;
} cases[] = {
    {"context_create", call_create, &options, sizeof options, false},
    {"weights_pack", call_pack, &f.matrix.desc, sizeof(tmac_weights_desc), false},
    {"packed_query", call_packed_query, &f.matrix.desc, sizeof(tmac_weights_desc), false},
    {"packed_begin", call_begin, &f.matrix.desc, sizeof(tmac_weights_desc), false},
    {"packed_rows", call_rows, &f.matrix.desc, sizeof(tmac_weights_desc), false},
    {"tables_build", call_build, &activations, sizeof activations, false},
    {"tables_build_part", call_build_part, &activations, sizeof activations, false},
    {"matmul", call_matmul, &activations, sizeof activations, false},
    {"multiply", call_multiply, &f.args, sizeof(tmac_multiply_args), false},
    {"multiply_workspace", call_workspace, &f.args, sizeof(tmac_multiply_args), false},
    {"multiply's activations", call_multiply_of, &activations, sizeof activations, false},
    {"multiply's team", call_team, &team, sizeof team, false},
    {"tune", call_tune, &tune, sizeof tune, false},
    {"packed_query's plan", call_plan, &empty_plan, sizeof empty_plan, true},
    {"weights_query's info", call_info, &empty_info, sizeof empty_info, true},
    {"format_query", call_format, &empty_format, sizeof empty_format, true},
    {"weights_desc_ggml", call_desc_ggml, &empty_desc, sizeof empty_desc, true},
};

/* The call with a struct of `size` bytes at the edge of memory, `tail` in its last byte. */
static tmac_status call_with(size_t index, size_t size, uint8_t tail, bool *untouched)
{
    const size_t known = cases[index].size < size ? cases[index].size : size;
    struct guard guard;
    uint8_t *s = guard_new(&guard, size, 8, GUARD_END);
    uint8_t before[512];
    tmac_status status;

    memset(s, 0, size);
    memcpy(s, cases[index].good, known);
    memcpy(s, &size, size < sizeof size ? size : sizeof size);
    s[size - 1] |= tail;
    memcpy(before, s, size);
    status = cases[index].call(s);
    *untouched = memcmp(before, s, size) == 0;
    CHECK(guard_intact(&guard), "%s writes outside its struct", cases[index].name);
    CHECK(memcmp(before, s, sizeof size) == 0, "%s changes struct_size", cases[index].name);
    if (size > known)
        CHECK(memcmp(before + known, s + known, size - known) == 0,
              "%s writes members it does not know", cases[index].name);
    guard_free(&guard);
    return status;
}

static void test_too_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t size = 8; size < cases[i].size; size += 8) {
            bool untouched;
            CHECK_STATUS(call_with(i, size, 0, &untouched), TMAC_ERROR_STRUCT_SIZE, "%s, %zu bytes",
                         cases[i].name, size);
            CHECK(untouched, "%s, %zu bytes", cases[i].name, size);
        }
}

static void test_larger(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const tmac_status with_tail = cases[i].output ? TMAC_OK : TMAC_ERROR_STRUCT_SIZE;
        bool untouched;
        CHECK_STATUS(call_with(i, cases[i].size, 0, &untouched), TMAC_OK, "%s", cases[i].name);
        CHECK(untouched == !cases[i].output, "%s", cases[i].name);
        CHECK_STATUS(call_with(i, cases[i].size + MORE, 0, &untouched), TMAC_OK, "%s, larger",
                     cases[i].name);
        CHECK_STATUS(call_with(i, cases[i].size + MORE, 1, &untouched), with_tail,
                     "%s, with members it does not know", cases[i].name);
    }
}

/* Sizes that no struct has: nothing may be read at such a distance. */
static void test_absurd(void **state)
{
    static const size_t absurd[] = {0, SIZE_MAX, (size_t)1 << 40};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t j = 0; j < COUNT(absurd); j++) {
            uint8_t s[512] = {0};
            memcpy(s, cases[i].good, cases[i].size);
            memcpy(s, &absurd[j], sizeof absurd[j]);
            CHECK_STATUS(cases[i].call(s), TMAC_ERROR_STRUCT_SIZE, "%s, %zu bytes", cases[i].name,
                         absurd[j]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_larger),
        cmocka_unit_test(test_absurd),
    };
    int failures;

    activations = (tmac_activations){
        .struct_size = sizeof activations, .cols = COLS, .batch = 1, .data = f.x};
    fixture_new();
    failures = cmocka_run_group_tests_name("struct size", tests, NULL, NULL);
    fixture_free();
    return failures;
}
