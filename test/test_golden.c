/* SPDX-License-Identifier: MIT
 *
 * Packed bytes that were written into test/golden, of every layout and width, still are what packing
 * gives, and are read and multiplied to the very same floats on every instruction set:
 *
 *   NAME.tmac   packed weights, header and all
 *   NAME.y      the product with activations(), [BATCH][rows] floats, little-endian
 *
 *   test_golden FOLDER           checks them
 *   test_golden --write FOLDER   writes those that are not there (test/golden/make); a file that is there
 *                                never changes: docs/stability.md */
#include "support/check.h"
#include "support/contexts.h"

#include "layouts/shape.h"
#include "tiers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, MAX_COLS = 256, MAX_ROWS = 70, MAX_BYTES = 1 << 16 };

struct golden {
    const char *name, *layout;
    tmac_width width;
    int64_t rows, cols, group;
    tmac_scale_type scale_type;
    tmac_zero zero;
    tmac_sub_format sub;
    int64_t super_group;
};

#define F32 TMAC_SCALE_F32
#define F16 TMAC_SCALE_F16
#define BF16 TMAC_SCALE_BF16
#define T TMAC_WIDTH_TERNARY
#define SYMMETRIC TMAC_ZERO_SYMMETRIC
#define CONSTANT TMAC_ZERO_CONSTANT
#define POINT TMAC_ZERO_POINT
#define MINIMUM TMAC_ZERO_MINIMUM

static const struct golden goldens[] = {
    {"rows32-1", "rows32", 1, 33, 96, 32, F16, SYMMETRIC, 0, 0},
    {"rows32-2", "rows32", 2, 32, 128, 64, F32, MINIMUM, 0, 0},
    {"rows32-3", "rows32", 3, 20, 128, 16, BF16, POINT, 0, 0},
    {"rows32-4", "rows32", 4, 31, 96, TMAC_GROUP_ROW, F16, CONSTANT, 0, 0},
    {"rows32-ternary", "rows32", T, 32, 256, 256, F16, SYMMETRIC, 0, 0},
    {"rows64-1", "rows64", 1, 65, 128, 128, F16, SYMMETRIC, 0, 0},
    {"rows64-2", "rows64", 2, 64, 96, 32, F16, POINT, 0, 0},
    {"rows64-3", "rows64", 3, 20, 128, 64, F32, SYMMETRIC, 0, 0},
    {"rows64-4", "rows64", 4, 33, 96, 16, F16, MINIMUM, TMAC_SUB_I8, 32},
    {"rows64-ternary", "rows64", T, 64, 256, TMAC_GROUP_TENSOR, F32, SYMMETRIC, 0, 0},
    {"quad-1", "quad", 1, 32, 128, 128, BF16, SYMMETRIC, 0, 0},
    {"quad-2", "quad", 2, 33, 96, 32, F16, CONSTANT, 0, 0},
    {"quad-3", "quad", 3, 32, 128, 32, F16, SYMMETRIC, TMAC_SUB_U4, 128},
    {"quad-4", "quad", 4, 17, 96, 16, F32, POINT, 0, 0},
    {"quad-ternary", "quad", T, 32, 256, 64, F16, SYMMETRIC, 0, 0},
    {"direct-1", "direct", 1, 32, 128, 64, F16, SYMMETRIC, 0, 0},
    {"direct-2", "direct", 2, 33, 96, 32, F16, CONSTANT, 0, 0},
    {"direct-3", "direct", 3, 32, 256, 256, BF16, POINT, 0, 0},
    {"direct-4", "direct", 4, 32, 96, 32, F16, SYMMETRIC, 0, 0},
    {"direct-4-minimum", "direct", 4, 20, 112, 16, F32, MINIMUM, 0, 0},
    {"direct-8", "direct", 8, 32, 96, 32, F16, SYMMETRIC, 0, 0},
    {"direct-ternary", "direct", T, 32, 160, TMAC_GROUP_ROW, F16, SYMMETRIC, 0, 0},
    {"nested-2", "nested", 2, 32, 256, 16, F16, MINIMUM, TMAC_SUB_U4, 256},
    {"nested-3", "nested", 3, 33, 256, 16, F16, SYMMETRIC, TMAC_SUB_I8, 256},
    {"nested-4", "nested", 4, 32, 256, 32, F16, MINIMUM, TMAC_SUB_I8, 256},
    {"nested-ternary", "nested", T, 32, 128, 32, F16, SYMMETRIC, TMAC_SUB_U4, 64},
    {"nested_rows32-2", "nested_rows32", 2, 32, 256, 16, F16, MINIMUM, TMAC_SUB_U4, 256},
    {"nested_rows32-3", "nested_rows32", 3, 33, 256, 16, F16, SYMMETRIC, TMAC_SUB_I8, 128},
    {"nested_rows32-4", "nested_rows32", 4, 32, 256, 32, F16, MINIMUM, TMAC_SUB_I8, 256},
    {"nested_rows32-ternary", "nested_rows32", T, 20, 128, 32, F16, SYMMETRIC, TMAC_SUB_I8, 64},
};

enum { GOLDENS = sizeof goldens / sizeof *goldens };

/* ---- what is packed and multiplied: by formula, never by a generator that may change -------------- */

/* A step of a linear congruence, its upper bits. */
static unsigned draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Bits of a scale between 2^-8 and 2^-5 in its type. */
static void put_scale(tmac_scale_type type, void *scales, int64_t i, unsigned number)
{
    const uint32_t fraction = number & 0x7f, exponent = number >> 7 & 3;
    const uint32_t f32 = (119 + exponent) << 23 | fraction << 16;
    const uint16_t half =
        (uint16_t)(type == F16 ? (7 + exponent) << 10 | fraction << 3 : f32 >> 16);

    if (type == F32)
        memcpy((uint8_t *)scales + 4 * i, &f32, sizeof f32);
    else
        memcpy((uint8_t *)scales + 2 * i, &half, sizeof half);
}

struct content {
    uint8_t codes[MAX_ROWS * MAX_COLS];
    uint8_t scales[4 * MAX_ROWS * MAX_COLS / 16], minimums[4 * MAX_ROWS * MAX_COLS / 16];
    uint8_t zero_points[MAX_ROWS * MAX_COLS / 16], sub_minimums[MAX_ROWS * MAX_COLS / 16];
    int8_t sub_scales[MAX_ROWS * MAX_COLS / 16];
    tmac_weights_desc desc;
};

static void fill(const struct golden *g, struct content *c)
{
    const unsigned codes = g->width == T ? 3 : 1u << (int)g->width;
    const int64_t numbers = MAX_ROWS * MAX_COLS / 16;
    uint32_t seed = (uint32_t)(g - goldens);

    for (int64_t i = 0; i < MAX_ROWS * MAX_COLS; i++)
        c->codes[i] = (uint8_t)(draw(&seed) % codes);
    for (int64_t i = 0; i < numbers; i++) {
        put_scale(g->scale_type, c->scales, i, draw(&seed));
        put_scale(g->scale_type, c->minimums, i, draw(&seed));
        c->zero_points[i] = (uint8_t)(draw(&seed) % codes);
        c->sub_scales[i] = (int8_t)(draw(&seed) % (g->sub == TMAC_SUB_U4 ? 16 : 64) -
                                    (g->sub == TMAC_SUB_U4 ? 0 : 32));
        c->sub_minimums[i] = (uint8_t)(draw(&seed) % (g->sub == TMAC_SUB_U4 ? 16 : 64));
    }
    c->desc = (tmac_weights_desc){
        .struct_size = sizeof c->desc,
        .rows = g->rows,
        .cols = g->cols,
        .width = g->width,
        .codes = c->codes,
        .group = g->group,
        .scale_type = g->scale_type,
        .scales = c->scales,
        .zero_kind = g->zero,
        .zero = 1.0f,
        .zero_points = c->zero_points,
        .minimums = c->minimums,
        .sub_format = g->sub,
        .super_group = g->super_group,
        .sub_scales = c->sub_scales,
        .sub_minimums = c->sub_minimums,
    };
}

/* Halves between -16 and 16. */
static tmac_activations activations(int64_t cols, float x[BATCH * MAX_COLS])
{
    uint32_t seed = 12345;

    for (int64_t i = 0; i < BATCH * cols; i++)
        x[i] = (float)(draw(&seed) % 64) * 0.5f - 16.0f;
    return (tmac_activations){
        .struct_size = sizeof(tmac_activations), .cols = cols, .batch = BATCH, .data = x};
}

static tmac_weights *pack(const struct golden *g, tmac_context **context)
{
    const tmac_context_options options = {
        .struct_size = sizeof options, .threads = 1, .layout = g->layout};
    struct content *content = malloc(sizeof *content);
    tmac_weights *weights;

    fill(g, content);
    CHECK_OK(tmac_context_create(&options, context));
    CHECK_STATUS(tmac_weights_pack(*context, &content->desc, &weights), TMAC_OK, "%s", g->name);
    free(content);
    return weights;
}

static void multiply(const tmac_context *context, const tmac_weights *weights, int64_t rows,
                     int64_t cols, float *y)
{
    float x[BATCH * MAX_COLS];
    const tmac_activations inputs = activations(cols, x);

    CHECK_OK(tmac_matmul(context, weights, &inputs, y, rows));
}

/* ---- files ----------------------------------------------------------------------------------- */

static const char *folder;

static FILE *open_golden(const struct golden *g, const char *end, const char *mode)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s.%s", folder, g->name, end);
    return fopen(path, mode);
}

static size_t read_golden(const struct golden *g, const char *end, void *to, size_t room)
{
    FILE *file = open_golden(g, end, "rb");
    size_t bytes;

    CHECK(file != NULL, "%s/%s.%s is not there", folder, g->name, end);
    bytes = fread(to, 1, room, file);
    fclose(file);
    return bytes;
}

static int write_file(const struct golden *g, const char *end, const void *from, size_t bytes)
{
    FILE *file = open_golden(g, end, "wbx");
    bool good;

    if (!file) {
        perror(g->name);
        return 1;
    }
    good = fwrite(from, 1, bytes, file) == bytes;
    return fclose(file) || !good;
}

static int write_missing(void)
{
    int failed = 0;

    for (int i = 0; i < GOLDENS; i++) {
        const struct golden *g = &goldens[i];
        tmac_weights_info info = {.struct_size = sizeof info};
        float y[BATCH * MAX_ROWS];
        FILE *there = open_golden(g, "tmac", "rb");
        tmac_context *context;
        tmac_weights *weights;

        if (there) {
            fclose(there);
            continue;
        }
        weights = pack(g, &context);
        CHECK_OK(tmac_weights_query(weights, &info));
        multiply(context, weights, g->rows, g->cols, y);
        failed |= write_file(g, "tmac", info.packed, info.packed_bytes) ||
                  write_file(g, "y", y, (size_t)(BATCH * g->rows) * sizeof *y);
        printf("%s: %zu bytes\n", g->name, info.packed_bytes);
        tmac_weights_free(weights);
        tmac_context_free(context);
    }
    return failed;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_every_layout_and_width_is_there(void **state)
{
    bool seen[TMAC_LAYOUT_COUNT][32] = {{false}};

    (void)state;
    for (int i = 0; i < GOLDENS; i++)
        for (int l = 0; l < TMAC_LAYOUT_COUNT; l++)
            if (strcmp(goldens[i].layout, tmac_layout_name((enum tmac_layout)l)) == 0)
                seen[l][goldens[i].width] = true;
    for (int k = 0; k < tmac_set_scalar.kernel_count; k++)
        for (int w = 0; w < 32; w++)
            CHECK(!(tmac_set_scalar.kernels[k].widths >> w & 1) ||
                      seen[tmac_set_scalar.kernels[k].layout][w],
                  "no golden for layout %d, width %d", (int)tmac_set_scalar.kernels[k].layout, w);
}

static void test_packing_gives_the_bytes(void **state)
{
    uint8_t *want = malloc(MAX_BYTES);

    (void)state;
    for (int i = 0; i < GOLDENS; i++) {
        const size_t bytes = read_golden(&goldens[i], "tmac", want, MAX_BYTES);
        tmac_weights_info info = {.struct_size = sizeof info};
        tmac_context *context;
        tmac_weights *weights = pack(&goldens[i], &context);

        CHECK_OK(tmac_weights_query(weights, &info));
        CHECK(info.packed_bytes == bytes, "%s: %zu bytes, not %zu", goldens[i].name,
              info.packed_bytes, bytes);
        CHECK(memcmp(info.packed, want, bytes) == 0, "%s: other bytes", goldens[i].name);
        tmac_weights_free(weights);
        tmac_context_free(context);
    }
    free(want);
}

static void check_y(const struct golden *g, const char *isa, const void *packed, size_t bytes)
{
    const tmac_context_options options = {.struct_size = sizeof options, .isa = isa, .threads = 1};
    float want[BATCH * MAX_ROWS], y[BATCH * MAX_ROWS];
    tmac_context *context;
    tmac_weights *weights;

    CHECK(read_golden(g, "y", want, sizeof want) == (size_t)(BATCH * g->rows) * sizeof *y, "%s",
          g->name);
    CHECK_OK(tmac_context_create(&options, &context));
    CHECK_STATUS(tmac_weights_attach(context, packed, bytes, TMAC_ATTACH_VERIFY, &weights), TMAC_OK,
                 "%s", g->name);
    multiply(context, weights, g->rows, g->cols, y);
    CHECK(memcmp(y, want, (size_t)(BATCH * g->rows) * sizeof *y) == 0, "%s on %s: other floats",
          g->name, isa);
    tmac_weights_free(weights);
    tmac_context_free(context);
}

static void test_bytes_give_the_floats(void **state)
{
    const struct isas isas = isas_available();
    void *packed = NULL;

    (void)state;
    CHECK(posix_memalign(&packed, TMAC_PACKED_ALIGNMENT, MAX_BYTES) == 0, "memory");
    for (int i = 0; i < GOLDENS; i++) {
        const size_t bytes = read_golden(&goldens[i], "tmac", packed, MAX_BYTES);
        for (int k = 0; k < isas.count; k++)
            check_y(&goldens[i], isas.name[k], packed, bytes);
    }
    free(packed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layout_and_width_is_there),
        cmocka_unit_test(test_packing_gives_the_bytes),
        cmocka_unit_test(test_bytes_give_the_floats),
    };
    const bool write = argc > 1 && strcmp(argv[1], "--write") == 0;

    if (argc != (write ? 3 : 2)) {
        fprintf(stderr, "usage: test_golden [--write] FOLDER\n");
        return 2;
    }
    folder = argv[argc - 1];
    return write ? write_missing() : cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
