/* SPDX-License-Identifier: MIT
 *
 * Every function with everything wrong that can be: one thing at a time, the exact status, and
 * outputs left alone. What structs with a wrong size do is test_struct_size's subject, damaged packed
 * bytes are test_attach's. */
#include "support/blocks.h"
#include "support/check.h"
#include "support/half.h"
#include "support/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, COLS = 128, BATCH = 3 };

static struct problem p;
static tmac_context *direct; /* of a layout that holds every width */
static tmac_tables *tables;
static struct guard packed_guard, tables_guard, y_guard;
static uint8_t *packed;
static float *y;

/* ---- descriptions ---------------------------------------------------------------------------- */

/* A member set to a number. Floats are set by their bits' value, pointers to null. */
struct change {
    const char *name;
    size_t offset, size;
    int64_t value;
    tmac_status want;
};
#define SET(struct_, member, value, want)                                                          \
    {                                                                                              \
#member " = " #value, offsetof(struct_, member), sizeof(((struct_ *)0)->member), value,    \
            want                                                                                   \
    }
#define DESC(member, value, want) SET(tmac_weights_desc, member, value, want)

static const struct change bad_descs[] = {
    DESC(rows, 0, TMAC_ERROR_SHAPE),
    DESC(rows, -1, TMAC_ERROR_SHAPE),
    DESC(rows, INT64_MIN, TMAC_ERROR_SHAPE),
    DESC(rows, INT64_MAX, TMAC_ERROR_OVERFLOW),
    DESC(rows, INT64_MAX / 2, TMAC_ERROR_OVERFLOW),
    DESC(rows, INT64_MAX / 64, TMAC_ERROR_OVERFLOW),
    DESC(cols, 0, TMAC_ERROR_SHAPE),
    DESC(cols, -32, TMAC_ERROR_SHAPE),
    DESC(cols, INT64_MIN, TMAC_ERROR_SHAPE),
    DESC(cols, INT64_MAX, TMAC_ERROR_GROUP),
    DESC(cols, INT64_MAX - 127, TMAC_ERROR_OVERFLOW),
    DESC(cols, INT64_C(1) << 61, TMAC_ERROR_OVERFLOW),
    DESC(cols, INT64_C(1) << 59, TMAC_ERROR_OVERFLOW),
    DESC(cols, 100, TMAC_ERROR_GROUP),
    DESC(cols, 16, TMAC_ERROR_GROUP),
    DESC(width, 0, TMAC_ERROR_ENUM),
    DESC(width, 6, TMAC_ERROR_ENUM),
    DESC(width, -1, TMAC_ERROR_ENUM),
    DESC(width, INT32_MIN, TMAC_ERROR_ENUM),
    DESC(code_format, 3, TMAC_ERROR_ENUM),
    DESC(code_format, -1, TMAC_ERROR_ENUM),
    DESC(scale_type, 3, TMAC_ERROR_ENUM),
    DESC(scale_type, -1, TMAC_ERROR_ENUM),
    DESC(zero_kind, 4, TMAC_ERROR_ENUM),
    DESC(zero_kind, -1, TMAC_ERROR_ENUM),
    DESC(sub_format, 3, TMAC_ERROR_ENUM),
    DESC(sub_format, -1, TMAC_ERROR_ENUM),
    DESC(group, 0, TMAC_ERROR_GROUP),
    DESC(group, -3, TMAC_ERROR_GROUP),
    DESC(group, 8, TMAC_ERROR_GROUP),
    DESC(group, 48, TMAC_ERROR_GROUP),
    DESC(group, 512, TMAC_ERROR_GROUP),
    DESC(group, INT64_MAX, TMAC_ERROR_GROUP),
    DESC(group, INT64_MIN, TMAC_ERROR_GROUP),
    DESC(group, 256, TMAC_ERROR_GROUP), /* does not divide 128 */
    DESC(code_row_bytes, -1, TMAC_ERROR_SHAPE),
    DESC(code_row_bytes, COLS - 1, TMAC_ERROR_SHAPE),
    DESC(code_row_bytes, INT64_MAX, TMAC_ERROR_OVERFLOW),
    DESC(scale_row_stride, -1, TMAC_ERROR_SHAPE),
    DESC(scale_row_stride, 1, TMAC_ERROR_SHAPE), /* of 2 super-groups */
    DESC(scale_row_stride, INT64_MAX, TMAC_ERROR_OVERFLOW),
    DESC(sub_row_stride, -1, TMAC_ERROR_SHAPE),
    DESC(sub_row_stride, 3, TMAC_ERROR_SHAPE),
    DESC(sub_row_stride, INT64_MAX, TMAC_ERROR_OVERFLOW),
    DESC(super_group, 0, TMAC_ERROR_GROUP),
    DESC(super_group, 16, TMAC_ERROR_GROUP),
    DESC(super_group, 32, TMAC_ERROR_GROUP), /* not above the group */
    DESC(super_group, 96, TMAC_ERROR_GROUP),
    DESC(super_group, 256, TMAC_ERROR_GROUP),
    DESC(super_group, 512, TMAC_ERROR_GROUP),
    DESC(super_group, TMAC_GROUP_TENSOR, TMAC_ERROR_GROUP),
    DESC(super_group, INT64_MAX, TMAC_ERROR_GROUP),
    /* Two levels need a group of their own. */
    DESC(group, TMAC_GROUP_ROW, TMAC_ERROR_GROUP),
    DESC(group, TMAC_GROUP_TENSOR, TMAC_ERROR_GROUP),
};

/* Only looked at when packing. */
static const struct change null_data[] = {
    DESC(codes, 0, TMAC_ERROR_NULL),        DESC(scales, 0, TMAC_ERROR_NULL),
    DESC(minimums, 0, TMAC_ERROR_NULL),     DESC(sub_scales, 0, TMAC_ERROR_NULL),
    DESC(sub_minimums, 0, TMAC_ERROR_NULL),
};

static void set_member(void *s, const struct change *change)
{
    memcpy((uint8_t *)s + change->offset, &change->value, change->size); /* little-endian */
}

/* All functions that take a description refuse it the same way, and leave their outputs. */
static void check_desc(const tmac_weights_desc *desc, tmac_status want, tmac_status want_unpacked,
                       const char *what)
{
    tmac_packed_plan plan = {.struct_size = sizeof plan, .bytes = 77};
    tmac_weights *weights = NULL;
    uint8_t *before = malloc(packed_guard.size);

    memcpy(before, packed, packed_guard.size);
    CHECK_STATUS(tmac_weights_pack(p.context, desc, &weights), want, "%s", what);
    CHECK_STATUS(tmac_packed_rows(p.context, desc, 0, ROWS, packed, packed_guard.size), want, "%s",
                 what);
    CHECK_STATUS(tmac_packed_query(p.context, desc, &plan), want_unpacked, "%s", what);
    CHECK(want_unpacked == TMAC_OK || plan.bytes == 77, "%s: plan touched", what);
    CHECK_STATUS(tmac_packed_begin(p.context, desc, packed, packed_guard.size), want_unpacked, "%s",
                 what);
    CHECK(!weights, "%s: output touched", what);
    if (want == want_unpacked)
        CHECK(memcmp(before, packed, packed_guard.size) == 0, "%s: packed bytes touched", what);
    free(before);
}

static void test_descriptions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_descs); i++) {
        tmac_weights_desc desc = p.matrix.desc;
        set_member(&desc, &bad_descs[i]);
        check_desc(&desc, bad_descs[i].want, bad_descs[i].want, bad_descs[i].name);
    }
    for (size_t i = 0; i < COUNT(null_data); i++) {
        tmac_weights_desc desc = p.matrix.desc;
        set_member(&desc, &null_data[i]);
        check_desc(&desc, TMAC_ERROR_NULL, TMAC_OK, null_data[i].name);
    }
    check_desc(NULL, TMAC_ERROR_NULL, TMAC_ERROR_NULL, "no description");
}

static void test_constant_zero(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        tmac_weights_desc desc = p.matrix.desc;
        desc.zero_kind = TMAC_ZERO_CONSTANT;
        desc.zero = bad[i];
        check_desc(&desc, TMAC_ERROR_ZERO, TMAC_ERROR_ZERO, "zero");
    }
}

static void test_missing_zero_points(void **state)
{
    tmac_weights_desc desc = p.matrix.desc;

    (void)state;
    desc.zero_kind = TMAC_ZERO_POINT;
    check_desc(&desc, TMAC_ERROR_NULL, TMAC_OK, "zero points");
    desc.zero_row_stride = -1;
    check_desc(&desc, TMAC_ERROR_SHAPE, TMAC_ERROR_SHAPE, "zero_row_stride");
}

/* ---- data ------------------------------------------------------------------------------------ */

/* A small matrix of bytes codes whose data is writable, packed with one thing wrong in it. */
struct small {
    tmac_weights_desc desc;
    uint8_t codes[ROWS * COLS], zero_points[ROWS * 4], sub_minimums[ROWS * 4];
    int8_t sub_scales[ROWS * 4];
    float scales[ROWS * 4], minimums[ROWS * 4]; /* or halves */
};

static void small_new(struct small *s, tmac_width width, tmac_zero zero, tmac_sub_format sub)
{
    memset(s, 0, sizeof *s);
    s->desc = (tmac_weights_desc){.struct_size = sizeof s->desc,
                                  .rows = ROWS,
                                  .cols = COLS,
                                  .width = width,
                                  .codes = s->codes,
                                  .group = 32,
                                  .scales = s->scales,
                                  .zero_kind = zero,
                                  .zero_points = s->zero_points,
                                  .minimums = s->minimums,
                                  .sub_format = sub,
                                  .super_group = 64,
                                  .sub_scales = s->sub_scales,
                                  .sub_minimums = s->sub_minimums};
}

static void check_small(const struct small *s, tmac_status want, const char *what, int value)
{
    tmac_weights *weights = NULL;

    CHECK_STATUS(tmac_weights_pack(direct, &s->desc, &weights), want, "width %s: %s %d",
                 test_width_name(s->desc.width), what, value);
    CHECK((weights != NULL) == (want == TMAC_OK), "%s: output", what);
    tmac_weights_free(weights);
}

static void test_codes(void **state)
{
    static const int64_t places[] = {0, 77, ROWS * COLS - 1};
    struct small s;

    (void)state;
    for (int w = 0; w < TEST_WIDTHS; w++) {
        const int top = matrix_top_code(test_widths[w]);
        small_new(&s, test_widths[w], TMAC_ZERO_SYMMETRIC, TMAC_SUB_NONE);
        for (size_t i = 0; i < COUNT(places); i++)
            for (int code = top; code < 256; code++) {
                s.codes[places[i]] = (uint8_t)code;
                check_small(&s, code > top ? TMAC_ERROR_CODE : TMAC_OK, "code", code);
                s.codes[places[i]] = 0;
            }
    }
    /* Dense ternary has a pattern to spare. */
    small_new(&s, TMAC_WIDTH_TERNARY, TMAC_ZERO_SYMMETRIC, TMAC_SUB_NONE);
    s.desc.code_format = TMAC_CODES_DENSE;
    s.codes[ROWS * COLS / 4 - 1] = 0xc0;
    check_small(&s, TMAC_ERROR_CODE, "dense ternary", 3);
}

static void test_zero_points(void **state)
{
    struct small s;

    (void)state;
    for (int w = 0; w < TEST_WIDTHS; w++) {
        const int most = matrix_top_zero(test_widths[w]);
        small_new(&s, test_widths[w], TMAC_ZERO_POINT, TMAC_SUB_NONE);
        for (int zero = most - 1; zero < 256; zero++) {
            s.zero_points[ROWS * 4 - 1] = (uint8_t)zero;
            check_small(&s, zero > most ? TMAC_ERROR_ZERO : TMAC_OK, "zero point", zero);
        }
    }
}

static void test_sub_scales(void **state)
{
    struct small s;

    (void)state;
    for (int sub = TMAC_SUB_I8; sub <= TMAC_SUB_U4; sub++)
        for (int value = -128; value < 256; value++) {
            const bool wrong = sub == TMAC_SUB_U4 && (value < 0 || value > 15);
            small_new(&s, TMAC_WIDTH_4, TMAC_ZERO_MINIMUM, (tmac_sub_format)sub);
            if (value < 128) {
                s.sub_scales[ROWS * 4 - 1] = (int8_t)value;
                check_small(&s, wrong ? TMAC_ERROR_SUB_SCALE : TMAC_OK, "sub-scale", value);
                s.sub_scales[ROWS * 4 - 1] = 0;
            }
            if (value >= 0) {
                s.sub_minimums[0] = (uint8_t)value;
                check_small(&s, wrong ? TMAC_ERROR_SUB_SCALE : TMAC_OK, "sub-minimum", value);
            }
        }
}

static void put_bad_scale(const struct small *s, const void *scales, size_t index, float value)
{
    const float sign = signbit(value) ? -1.0f : 1.0f;
    /* half_from_float knows finite values only. */
    const uint16_t half = isnan(value) ? 0x7e01 : sign < 0 ? 0xfc00 : 0x7c00;

    if (s->desc.scale_type == TMAC_SCALE_F16)
        memcpy((uint8_t *)scales + 2 * index, &half, 2);
    else
        matrix_put_scale(s->desc.scale_type, (void *)scales, index, value);
}

static void test_scales(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (int type = TMAC_SCALE_F32; type <= TMAC_SCALE_BF16; type++)
        for (int sub = TMAC_SUB_NONE; sub <= TMAC_SUB_U4; sub++)
            for (size_t b = 0; b < COUNT(bad); b++)
                for (int minimum = 0; minimum < 2; minimum++) {
                    const size_t count = sub == TMAC_SUB_NONE ? ROWS * 4 : ROWS * 2;
                    struct small s;
                    small_new(&s, TMAC_WIDTH_4, TMAC_ZERO_MINIMUM, (tmac_sub_format)sub);
                    s.desc.scale_type = (tmac_scale_type)type;
                    check_small(&s, TMAC_OK, "scale type", type);
                    put_bad_scale(&s, minimum ? s.minimums : s.scales, count - 1, bad[b]);
                    check_small(&s, TMAC_ERROR_SCALE, minimum ? "minimum" : "scale", type);
                }
}

/* ---- ggml blocks ----------------------------------------------------------------------------- */

static void check_ggml_data(const tmac_context *context, const struct block_type *type)
{
    static const uint16_t bad[] = {0x7c00, 0xfc00, 0x7e00, 0xffff};
    const size_t bytes = (size_t)type->info.block_bytes * 6; /* 2 rows of 3 blocks */
    struct guard guard;
    uint8_t *blocks = guard_new(&guard, bytes, 1, GUARD_END);
    tmac_weights_desc desc = {.struct_size = sizeof desc};
    tmac_weights *weights = NULL;

    memset(blocks, 0, bytes);
    CHECK_OK(tmac_weights_desc_ggml(&desc, type->info.ggml_type, 2, 3 * type->info.block, blocks));
    CHECK_OK(tmac_weights_pack(context, &desc, &weights));
    tmac_weights_free(weights);
    weights = NULL;
    for (size_t b = 0; b < COUNT(bad) * 2; b++) {
        const int at = type->halves[b / COUNT(bad)];
        if (at < 0)
            continue;
        memcpy(blocks + bytes - (size_t)(type->info.block_bytes - at), &bad[b % COUNT(bad)], 2);
        CHECK_STATUS(tmac_weights_pack(context, &desc, &weights), TMAC_ERROR_SCALE,
                     "%s, half %#x at %d", type->info.name, bad[b % COUNT(bad)], at);
        CHECK(!weights, "output touched");
        memset(blocks, 0, bytes);
    }
    if (strcmp(type->info.name, "TQ2_0") == 0) {
        blocks[63] = 0xc0;
        CHECK_STATUS(tmac_weights_pack(context, &desc, &weights), TMAC_ERROR_CODE, "code 3");
    }
    guard_free(&guard);
}

static void test_ggml_blocks(void **state)
{
    const struct block_types *types = block_types();
    tmac_context *context = context_new("scalar", TMAC_LAYOUT_DIRECT, 1);

    (void)state;
    for (size_t t = 0; t < types->count; t++)
        check_ggml_data(context, &types->all[t]);
    tmac_context_free(context);
}

static void check_ggml_desc(int32_t type, int64_t rows, int64_t cols, tmac_status want)
{
    tmac_weights_desc desc = {.struct_size = sizeof desc, .rows = 55};

    CHECK_STATUS(tmac_weights_desc_ggml(&desc, type, rows, cols, NULL), want, "%d, %lld x %lld",
                 (int)type, (long long)rows, (long long)cols);
    CHECK(want == TMAC_OK || desc.rows == 55, "description touched");
}

static void test_ggml_descriptions(void **state)
{
    const struct block_types *types = block_types();

    (void)state;
    for (int32_t type = -2; type < 64; type++) {
        bool known = false;
        for (size_t t = 0; t < types->count; t++)
            known |= types->all[t].info.ggml_type == type;
        check_ggml_desc(type, 1, 256, known ? TMAC_OK : TMAC_ERROR_GGML_TYPE);
    }
    check_ggml_desc(INT32_MAX, 1, 256, TMAC_ERROR_GGML_TYPE);
    for (size_t t = 0; t < types->count; t++) {
        check_ggml_desc(types->all[t].info.ggml_type, 0, 256, TMAC_ERROR_SHAPE);
        check_ggml_desc(types->all[t].info.ggml_type, -1, 256, TMAC_ERROR_SHAPE);
        check_ggml_desc(types->all[t].info.ggml_type, 1, 0, TMAC_ERROR_SHAPE);
        check_ggml_desc(types->all[t].info.ggml_type, 1, -256, TMAC_ERROR_SHAPE);
        check_ggml_desc(types->all[t].info.ggml_type, 1, types->all[t].info.block + 16,
                        TMAC_ERROR_GROUP);
    }
    CHECK_STATUS(tmac_weights_desc_ggml(NULL, 2, 1, 32, NULL), TMAC_ERROR_NULL, "no description");
}

/* What tmac_weights_desc_ggml made may not be changed into something else. */
static void test_ggml_changed(void **state)
{
    static const struct change changes[] = {DESC(ggml_type, 99, TMAC_ERROR_GGML_TYPE),
                                            DESC(cols, 128, TMAC_ERROR_GROUP),
                                            DESC(width, 3, TMAC_ERROR_ENUM),
                                            DESC(group, 16, TMAC_ERROR_ENUM),
                                            DESC(zero_kind, 0, TMAC_ERROR_ENUM),
                                            DESC(scale_type, 0, TMAC_ERROR_ENUM),
                                            DESC(sub_format, 0, TMAC_ERROR_ENUM),
                                            DESC(super_group, 128, TMAC_ERROR_ENUM),
                                            DESC(code_row_bytes, 143, TMAC_ERROR_SHAPE)};
    static const uint8_t blocks[144 * 2];

    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        tmac_weights_desc desc = {.struct_size = sizeof desc};
        CHECK_OK(tmac_weights_desc_ggml(&desc, 12, 2, 256, blocks));
        set_member(&desc, &changes[i]);
        check_desc(&desc, changes[i].want, changes[i].want, changes[i].name);
    }
}

/* ---- activations ----------------------------------------------------------------------------- */

#define X(member, value, want) SET(tmac_activations, member, value, want)

static const struct change bad_activations[] = {
    X(type, 4, TMAC_ERROR_ENUM),
    X(type, -1, TMAC_ERROR_ENUM),
    X(cols, 0, TMAC_ERROR_SHAPE),
    X(cols, -1, TMAC_ERROR_SHAPE),
    X(cols, INT64_MIN, TMAC_ERROR_SHAPE),
    X(batch, -1, TMAC_ERROR_SHAPE),
    X(batch, INT64_MIN, TMAC_ERROR_SHAPE),
    X(batch, INT64_MAX, TMAC_ERROR_OVERFLOW),
    X(stride, -1, TMAC_ERROR_SHAPE),
    X(stride, COLS - 1, TMAC_ERROR_SHAPE),
    X(stride, INT64_MAX, TMAC_ERROR_OVERFLOW),
    X(data, 0, TMAC_ERROR_NULL),
    X(scales, 0, TMAC_ERROR_NULL),
    X(scale_group, -16, TMAC_ERROR_GROUP),
    X(scale_group, 8, TMAC_ERROR_GROUP),
    X(scale_group, 17, TMAC_ERROR_GROUP),
    X(scale_stride, -1, TMAC_ERROR_SHAPE),
    X(scale_stride, COLS / 16 - 1, TMAC_ERROR_SHAPE),
    X(scale_stride, INT64_MAX, TMAC_ERROR_OVERFLOW),
};

static tmac_activations int8_activations(void)
{
    static const int8_t data[BATCH * COLS];
    static const float scales[BATCH * COLS / 16];

    return (tmac_activations){.struct_size = sizeof(tmac_activations),
                              .type = TMAC_ACTIVATION_I8,
                              .cols = COLS,
                              .batch = BATCH,
                              .data = data,
                              .scales = scales,
                              .scale_group = 16};
}

static void check_y_untouched(const char *what)
{
    for (size_t i = 0; i < y_guard.size; i++)
        CHECK(((const uint8_t *)y)[i] == 0xa5, "%s: y touched", what);
}

static void check_activations(const tmac_activations *x, tmac_status want, const char *what)
{
    CHECK_STATUS(tmac_matmul(p.context, p.weights, x, y, ROWS), want, "%s", what);
    CHECK_STATUS(tmac_tables_build(p.context, tables, x), want, "%s", what);
    CHECK_STATUS(tmac_tables_build_part(p.context, p.info.table_layout, x, 0, 1, tables_guard.at,
                                        tables_guard.size),
                 want, "%s", what);
    check_y_untouched(what);
}

static void test_activations(void **state)
{
    const tmac_activations good = int8_activations();
    tmac_activations x = good;

    (void)state;
    for (size_t i = 0; i < COUNT(bad_activations); i++) {
        x = good;
        set_member(&x, &bad_activations[i]);
        check_activations(&x, bad_activations[i].want, bad_activations[i].name);
    }
    check_activations(NULL, TMAC_ERROR_NULL, "none");
    for (size_t off = 1; off < 4; off++) {
        x = problem_activations(&p, 1);
        x.data = (const uint8_t *)x.data + off;
        check_activations(&x, TMAC_ERROR_ALIGNMENT, "misaligned floats");
        x = good;
        x.scales = (const float *)(const void *)((const uint8_t *)x.scales + off);
        check_activations(&x, TMAC_ERROR_ALIGNMENT, "misaligned scales");
    }
    for (int type = TMAC_ACTIVATION_F16; type <= TMAC_ACTIVATION_BF16; type++) {
        x = problem_activations(&p, 1);
        x.type = (tmac_activation_type)type;
        x.data = (const uint8_t *)x.data + 1;
        check_activations(&x, TMAC_ERROR_ALIGNMENT, "misaligned halves");
    }
}

/* Good activations for other weights. */
static void test_other_activations(void **state)
{
    tmac_activations x = problem_activations(&p, BATCH);

    (void)state;
    x.cols = COLS - 32;
    CHECK_STATUS(tmac_matmul(p.context, p.weights, &x, y, ROWS), TMAC_ERROR_SHAPE, "cols");
    CHECK_STATUS(tmac_tables_build(p.context, tables, &x), TMAC_ERROR_SHAPE, "cols");
    x = problem_activations(&p, BATCH + 1);
    CHECK_STATUS(tmac_tables_build(p.context, tables, &x), TMAC_ERROR_BATCH, "inputs");
    check_y_untouched("other activations");
}

/* ---- null pointers --------------------------------------------------------------------------- */

static void test_null_objects(void **state)
{
    const tmac_activations x = problem_activations(&p, BATCH);
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_weights *weights;
    tmac_tables *made;

    (void)state;
    CHECK_OK(tmac_tables_build(p.context, tables, &x));
    const tmac_status got[] = {
        tmac_context_create(NULL, NULL),
        tmac_weights_pack(NULL, &p.matrix.desc, &weights),
        tmac_weights_pack(p.context, &p.matrix.desc, NULL),
        tmac_weights_query(NULL, &info),
        tmac_weights_query(p.weights, NULL),
        tmac_weights_unpack(NULL, 0, 1, y, COLS),
        tmac_weights_unpack(p.weights, 0, 1, NULL, COLS),
        tmac_packed_query(NULL, &p.matrix.desc, &(tmac_packed_plan){.struct_size = 64}),
        tmac_packed_query(p.context, &p.matrix.desc, NULL),
        tmac_packed_begin(NULL, &p.matrix.desc, packed, packed_guard.size),
        tmac_packed_begin(p.context, &p.matrix.desc, NULL, packed_guard.size),
        tmac_packed_rows(NULL, &p.matrix.desc, 0, ROWS, packed, packed_guard.size),
        tmac_packed_rows(p.context, &p.matrix.desc, 0, ROWS, NULL, packed_guard.size),
        tmac_packed_finish(NULL, packed_guard.size),
        tmac_weights_attach(NULL, packed, packed_guard.size, 0, &weights),
        tmac_weights_attach(p.context, NULL, packed_guard.size, 0, &weights),
        tmac_weights_attach(p.context, packed, packed_guard.size, 0, NULL),
        tmac_tables_create(NULL, p.weights, 1, &made),
        tmac_tables_create(p.context, NULL, 1, &made),
        tmac_tables_create(p.context, p.weights, 1, NULL),
        tmac_tables_build(p.context, NULL, &x),
        tmac_tables_size(p.info.table_layout, COLS, 1, NULL),
        tmac_tables_build_part(NULL, p.info.table_layout, &x, 0, 1, tables_guard.at,
                               tables_guard.size),
        tmac_tables_build_part(p.context, p.info.table_layout, &x, 0, 1, NULL, tables_guard.size),
        tmac_gemv(p.context, NULL, tables, y),
        tmac_gemv(p.context, p.weights, NULL, y),
        tmac_gemm(NULL, p.weights, tables, y, ROWS),
        tmac_gemm(p.context, NULL, tables, y, ROWS),
        tmac_gemm(p.context, p.weights, NULL, y, ROWS),
        tmac_gemm(p.context, p.weights, tables, NULL, ROWS),
        tmac_gemm_rows(NULL, p.weights, tables, 0, ROWS, y, ROWS),
        tmac_gemm_rows(p.context, NULL, tables, 0, ROWS, y, ROWS),
        tmac_gemm_rows(p.context, p.weights, NULL, 0, ROWS, y, ROWS),
        tmac_gemm_rows(p.context, p.weights, tables, 0, ROWS, NULL, ROWS),
        tmac_matmul(NULL, p.weights, &x, y, ROWS),
        tmac_matmul(p.context, NULL, &x, y, ROWS),
        tmac_matmul(p.context, p.weights, &x, NULL, ROWS),
        tmac_multiply_rows(NULL, tables_guard.at, tables_guard.size, 1, 0, ROWS, y, ROWS),
        tmac_multiply_rows(p.weights, NULL, tables_guard.size, 1, 0, ROWS, y, ROWS),
        tmac_multiply_rows(p.weights, tables_guard.at, tables_guard.size, 1, 0, ROWS, NULL, ROWS),
    };
    for (size_t i = 0; i < COUNT(got); i++)
        CHECK(got[i] == TMAC_ERROR_NULL, "call %zu: status %d", i, (int)got[i]);
    check_y_untouched("null pointers");
    tmac_context_free(NULL);
    tmac_weights_free(NULL);
    tmac_tables_free(NULL);
    CHECK(tmac_context_isa(NULL) && tmac_context_isa_mask(NULL) == 0 &&
              tmac_context_threads(NULL) == 0,
          "questions to no context");
}

/* ---- ranges, strides, buffers ---------------------------------------------------------------- */

static const int64_t bad_ranges[][2] = {
    {-1, ROWS},     {0, ROWS + 1},          {5, 4},    {ROWS + 1, ROWS + 1}, {INT64_MIN, INT64_MAX},
    {0, INT64_MAX}, {INT64_MAX, INT64_MAX}, {ROWS, 0}, {INT64_MIN, 0}};

static void test_row_ranges(void **state)
{
    const tmac_activations x = problem_activations(&p, 1);
    static const int64_t off_step[][2] = {{1, ROWS}, {0, 31}, {31, 32}, {32, 33}, {16, 32}};

    (void)state;
    CHECK_OK(tmac_tables_build(p.context, tables, &x));
    for (size_t i = 0; i < COUNT(bad_ranges); i++) {
        const int64_t begin = bad_ranges[i][0], end = bad_ranges[i][1];
        const tmac_status got[] = {
            tmac_weights_unpack(p.weights, begin, end, y, COLS),
            tmac_packed_rows(p.context, &p.matrix.desc, begin, end, packed, packed_guard.size),
            tmac_gemm_rows(p.context, p.weights, tables, begin, end, y, ROWS),
            tmac_multiply_rows(p.weights, tables_guard.at, tables_guard.size, 1, begin, end, y,
                               ROWS)};
        for (size_t c = 0; c < COUNT(got); c++)
            CHECK(got[c] == TMAC_ERROR_ROW_RANGE, "range %zu, call %zu: status %d", i, c,
                  (int)got[c]);
    }
    for (size_t i = 0; i < COUNT(off_step); i++)
        CHECK_STATUS(tmac_packed_rows(p.context, &p.matrix.desc, off_step[i][0], off_step[i][1],
                                      packed, packed_guard.size),
                     TMAC_ERROR_ROW_RANGE, "not at a row step: %d to %d", (int)off_step[i][0],
                     (int)off_step[i][1]);
    check_y_untouched("row ranges");
}

static void test_result_strides(void **state)
{
    static const int64_t bad[][2] = {{0, TMAC_ERROR_SHAPE},
                                     {-1, TMAC_ERROR_SHAPE},
                                     {ROWS - 1, TMAC_ERROR_SHAPE},
                                     {INT64_MIN, TMAC_ERROR_SHAPE},
                                     {INT64_MAX, TMAC_ERROR_OVERFLOW},
                                     {INT64_MAX / 4, TMAC_ERROR_OVERFLOW}};
    const tmac_activations x = problem_activations(&p, BATCH);

    (void)state;
    CHECK_OK(tmac_tables_build(p.context, tables, &x));
    for (size_t i = 0; i < COUNT(bad); i++) {
        const int64_t stride = bad[i][0];
        const tmac_status got[] = {tmac_gemm(p.context, p.weights, tables, y, stride),
                                   tmac_gemm_rows(p.context, p.weights, tables, 0, 1, y, stride),
                                   tmac_matmul(p.context, p.weights, &x, y, stride),
                                   tmac_multiply_rows(p.weights, tables_guard.at, tables_guard.size,
                                                      BATCH, 0, 1, y, stride),
                                   tmac_weights_unpack(p.weights, 0, BATCH, y, stride)};
        for (size_t c = 0; c < COUNT(got); c++)
            CHECK((int64_t)got[c] == bad[i][1], "stride %lld, call %zu: status %d",
                  (long long)stride, c, (int)got[c]);
    }
    CHECK_STATUS(tmac_weights_unpack(p.weights, 0, 1, y, COLS - 1), TMAC_ERROR_SHAPE, "stride");
    check_y_untouched("strides");
}

static void test_misaligned_results(void **state)
{
    const tmac_activations x = problem_activations(&p, 1);

    (void)state;
    CHECK_OK(tmac_tables_build(p.context, tables, &x));
    for (size_t off = 1; off < 4; off++) {
        float *bad = (float *)(void *)((uint8_t *)y + off);
        const tmac_status got[] = {
            tmac_gemv(p.context, p.weights, tables, bad),
            tmac_gemm(p.context, p.weights, tables, bad, ROWS),
            tmac_gemm_rows(p.context, p.weights, tables, 0, 1, bad, ROWS),
            tmac_matmul(p.context, p.weights, &x, bad, ROWS),
            tmac_multiply_rows(p.weights, tables_guard.at, tables_guard.size, 1, 0, 1, bad, ROWS),
            tmac_weights_unpack(p.weights, 0, 1, bad, COLS)};
        for (size_t c = 0; c < COUNT(got); c++)
            CHECK(got[c] == TMAC_ERROR_ALIGNMENT, "offset %zu, call %zu: status %d", off, c,
                  (int)got[c]);
    }
    check_y_untouched("misaligned");
}

static void test_buffers(void **state)
{
    const tmac_weights_desc *desc = &p.matrix.desc;
    const tmac_activations x = problem_activations(&p, BATCH);
    const uint32_t layout = p.info.table_layout;
    uint8_t *t = tables_guard.at;
    size_t bytes;

    (void)state;
    CHECK_OK(tmac_tables_size(layout, COLS, BATCH, &bytes));
    for (size_t off = 1; off < 64; off += 9) {
        const tmac_status got[] = {
            tmac_packed_begin(p.context, desc, packed + off, packed_guard.size),
            tmac_packed_rows(p.context, desc, 0, ROWS, packed + off, packed_guard.size),
            tmac_tables_build_part(p.context, layout, &x, 0, 1, t + off, bytes),
            tmac_multiply_rows(p.weights, t + off, bytes, BATCH, 0, 1, y, ROWS)};
        for (size_t c = 0; c < COUNT(got); c++)
            CHECK(got[c] == TMAC_ERROR_ALIGNMENT, "offset %zu, call %zu: status %d", off, c,
                  (int)got[c]);
    }
    const tmac_status got[] = {
        tmac_packed_begin(p.context, desc, packed, p.info.packed_bytes - 1),
        tmac_packed_begin(p.context, desc, packed, 0),
        tmac_packed_rows(p.context, desc, 0, ROWS, packed, p.info.packed_bytes - 1),
        tmac_tables_build_part(p.context, layout, &x, 0, 1, t, bytes - 1),
        tmac_tables_build_part(p.context, layout, &x, 0, 1, t, 0),
        tmac_multiply_rows(p.weights, t, bytes - 1, BATCH, 0, 1, y, ROWS),
        tmac_multiply_rows(p.weights, t, bytes, BATCH + 1, 0, 1, y, ROWS)};
    for (size_t c = 0; c < COUNT(got); c++)
        CHECK(got[c] == TMAC_ERROR_BUFFER_SIZE, "too small, call %zu: status %d", c, (int)got[c]);
    check_y_untouched("buffers");
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void test_table_sizes(void **state)
{
    static const uint32_t layouts[] = {0,       1,       UINT32_MAX, 0x10000, 0x10008, 0x10030,
                                       0x10100, 0x10120, 0x20180,    0x10380, 0x40020, 0x50020};
    const uint32_t good = p.info.table_layout;
    size_t bytes = 99;

    (void)state;
    for (size_t i = 0; i < COUNT(layouts); i++)
        CHECK_STATUS(tmac_tables_size(layouts[i], COLS, 1, &bytes), TMAC_ERROR_TABLE_LAYOUT,
                     "layout %#x", (unsigned)layouts[i]);
    CHECK_STATUS(tmac_tables_size(good, 0, 1, &bytes), TMAC_ERROR_SHAPE, "no cols");
    CHECK_STATUS(tmac_tables_size(good, -1, 1, &bytes), TMAC_ERROR_SHAPE, "cols -1");
    CHECK_STATUS(tmac_tables_size(good, COLS, -1, &bytes), TMAC_ERROR_SHAPE, "inputs -1");
    CHECK_STATUS(tmac_tables_size(good, INT64_MAX, 1, &bytes), TMAC_ERROR_OVERFLOW, "cols");
    CHECK_STATUS(tmac_tables_size(good, INT64_MAX / 512, 1, &bytes), TMAC_ERROR_OVERFLOW, "cols");
    CHECK_STATUS(tmac_tables_size(good, COLS, INT64_MAX, &bytes), TMAC_ERROR_OVERFLOW, "inputs");
    CHECK_STATUS(tmac_tables_size(good, 1 << 30, INT64_C(1) << 40, &bytes), TMAC_ERROR_OVERFLOW,
                 "both");
    CHECK(bytes == 99, "output touched");
}

static void test_table_arguments(void **state)
{
    static const int32_t bad_parts[][2] = {{0, 0},         {0, -1},        {-1, 1},
                                           {1, 1},         {5, 5},         {2, -3},
                                           {INT32_MAX, 1}, {INT32_MIN, 1}, {0, INT32_MIN}};
    const tmac_activations x = problem_activations(&p, BATCH);
    tmac_tables *made = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT(bad_parts); i++)
        CHECK_STATUS(tmac_tables_build_part(p.context, p.info.table_layout, &x, bad_parts[i][0],
                                            bad_parts[i][1], tables_guard.at, tables_guard.size),
                     TMAC_ERROR_THREADS, "part %d of %d", (int)bad_parts[i][0],
                     (int)bad_parts[i][1]);
    CHECK_STATUS(
        tmac_tables_build_part(p.context, 12345, &x, 0, 1, tables_guard.at, tables_guard.size),
        TMAC_ERROR_TABLE_LAYOUT, "layout");
    CHECK_STATUS(tmac_tables_create(p.context, p.weights, 0, &made), TMAC_ERROR_SHAPE, "0");
    CHECK_STATUS(tmac_tables_create(p.context, p.weights, -1, &made), TMAC_ERROR_SHAPE, "-1");
    CHECK_STATUS(tmac_tables_create(p.context, p.weights, INT64_MAX, &made), TMAC_ERROR_OVERFLOW,
                 "INT64_MAX");
    CHECK(!made, "output touched");
    CHECK_STATUS(
        tmac_multiply_rows(p.weights, tables_guard.at, tables_guard.size, -1, 0, 1, y, ROWS),
        TMAC_ERROR_SHAPE, "inputs -1");
    CHECK_STATUS(
        tmac_multiply_rows(p.weights, tables_guard.at, tables_guard.size, INT64_MAX, 0, 1, y, ROWS),
        TMAC_ERROR_OVERFLOW, "inputs INT64_MAX");
    check_y_untouched("table arguments");
}

static void test_attach_flags(void **state)
{
    tmac_weights *weights = NULL;

    (void)state;
    for (int bit = 2; bit < 32; bit++)
        CHECK_STATUS(tmac_weights_attach(p.context, p.info.packed, p.info.packed_bytes,
                                         UINT32_C(1) << bit, &weights),
                     TMAC_ERROR_ENUM, "flag %d", bit);
    CHECK(!weights, "output touched");
}

static void setup(void)
{
    static const struct matrix_kind kind = {.rows = ROWS,
                                            .cols = COLS,
                                            .width = TMAC_WIDTH_4,
                                            .group = 32,
                                            .zero = TMAC_ZERO_MINIMUM,
                                            .sub = TMAC_SUB_I8,
                                            .super_group = 64};
    struct rng rng = rng_stream(1, 2, 3);
    size_t bytes;

    problem_new(&p, &kind, TMAC_LAYOUT_ROWS32, BATCH + 1, &rng);
    direct = context_new("scalar", TMAC_LAYOUT_DIRECT, 1);
    CHECK_OK(tmac_tables_create(p.context, p.weights, BATCH, &tables));
    CHECK_OK(tmac_tables_size(p.info.table_layout, COLS, BATCH, &bytes));
    packed = guard_new(&packed_guard, p.info.packed_bytes, 64, GUARD_END);
    guard_new(&tables_guard, bytes, 64, GUARD_END);
    memset(tables_guard.at, 0, bytes);
    y = guard_new(&y_guard, ROWS * COLS * sizeof *y, sizeof *y, GUARD_END);
}

static void teardown(void)
{
    guard_free(&packed_guard);
    guard_free(&tables_guard);
    guard_free(&y_guard);
    tmac_tables_free(tables);
    tmac_context_free(direct);
    problem_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_constant_zero),
        cmocka_unit_test(test_missing_zero_points),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_zero_points),
        cmocka_unit_test(test_sub_scales),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_ggml_blocks),
        cmocka_unit_test(test_ggml_descriptions),
        cmocka_unit_test(test_ggml_changed),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_other_activations),
        cmocka_unit_test(test_null_objects),
        cmocka_unit_test(test_row_ranges),
        cmocka_unit_test(test_result_strides),
        cmocka_unit_test(test_misaligned_results),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_table_sizes),
        cmocka_unit_test(test_table_arguments),
        cmocka_unit_test(test_attach_flags),
    };
    int failures;

    setup();
    failures = cmocka_run_group_tests_name("bad input", tests, NULL, NULL);
    teardown();
    return failures;
}
