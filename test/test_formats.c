/* SPDX-License-Identifier: MIT
 *
 * The list of formats, what Q8_0 means, parts of a matrix that start at a row, and where bad data lies. */
#include "support/blocks.h"
#include "support/check.h"
#include "support/half.h"
#include "support/matrix.h"
#include "support/widths.h"

#include "formats/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tmac_context *context;
static uint64_t seed;

/* ---- the list -------------------------------------------------------------------------------- */

static void check_blocks(const tmac_format_info *info)
{
    tmac_weights_desc desc = {.struct_size = sizeof desc};

    CHECK(info->block >= 32 && info->block <= 256 && (info->block & (info->block - 1)) == 0 &&
              info->block_bytes > 0 && info->group >= 16 && info->group <= info->block,
          "%s", info->name);
    CHECK_OK(tmac_weights_desc_ggml(&desc, info->ggml_type, 3, 2 * info->block, NULL));
    CHECK(desc.width == info->width && desc.group == info->group &&
              desc.super_group == info->super_group && desc.scale_type == info->scale_type &&
              desc.zero_kind == info->zero_kind && desc.zero == info->zero &&
              desc.sub_format == info->sub_format,
          "%s", info->name);
    CHECK((info->sub_format != TMAC_SUB_NONE) == (info->sub_bits > 0) &&
              (info->super_group == 0 || info->super_group == info->block),
          "%s", info->name);
}

static void test_list(void **state)
{
    const int32_t count = tmac_format_count();
    int widths = 0;

    (void)state;
    for (int32_t i = 0; i < count; i++) {
        tmac_format_info info = {.struct_size = sizeof info};
        char name[32];
        CHECK_OK(tmac_format_query(i, &info));
        CHECK(tmac_format_find(info.name) == i, "%s is there twice", info.name);
        snprintf(name, sizeof name, "%s", info.name);
        for (char *c = name; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        CHECK(tmac_format_find(name) == i, "%s", name);
        CHECK(((info.flags & TMAC_FORMAT_LOOKUP) != 0) == (matrix_bits(info.width) <= 4), "%s",
              name);
        if (info.ggml_type >= 0) {
            CHECK(tmac_format_find_ggml_type(info.ggml_type) == i, "%s", name);
            check_blocks(&info);
        } else {
            CHECK(info.width == test_widths[widths] || info.width == TMAC_WIDTH_TERNARY, "%s",
                  name);
            widths += info.width != TMAC_WIDTH_TERNARY;
        }
    }
    CHECK(widths == TEST_WIDTHS - 1, "%d widths are listed", widths);
}

static void test_nothing_of_the_kind(void **state)
{
    tmac_format_info info = {.struct_size = sizeof info, .block = 77}, none = {0};

    (void)state;
    CHECK_STATUS(tmac_format_query(-1, &info), TMAC_ERROR_SHAPE, "before the first");
    CHECK_STATUS(tmac_format_query(tmac_format_count(), &info), TMAC_ERROR_SHAPE, "past the last");
    CHECK_STATUS(tmac_format_query(INT32_MAX, &info), TMAC_ERROR_SHAPE, "past the last");
    CHECK_STATUS(tmac_format_query(0, NULL), TMAC_ERROR_NULL, "no struct");
    CHECK_STATUS(tmac_format_query(0, &none), TMAC_ERROR_STRUCT_SIZE, "no size");
    CHECK(info.block == 77, "output touched");
    CHECK(tmac_format_find(NULL) == -1 && tmac_format_find("") == -1 &&
              tmac_format_find("Q4") == -1 && tmac_format_find("Q4_KK") == -1,
          "found by a name that there is not");
    CHECK(tmac_format_find_ggml_type(-1) == -1 && tmac_format_find_ggml_type(0) == -1 &&
              tmac_format_find_ggml_type(INT32_MAX) == -1,
          "found by a number that there is not");
}

/* ---- Q8_0 ------------------------------------------------------------------------------------ */

/* Every byte at every place of a block: weight i of row r is the signed byte r + i times d. */
static void test_q8_0(void **state)
{
    enum { ROWS = 256, BYTES = 34 };
    static uint8_t blocks[ROWS * BYTES], back[ROWS * BYTES];
    static float out[ROWS * 32];
    tmac_weights_desc desc = {.struct_size = sizeof desc};
    tmac_weights *weights;

    (void)state;
    for (int r = 0; r < ROWS; r++) {
        const uint16_t half = half_from_float(0.01f * (float)(r - 100));
        memcpy(blocks + r * BYTES, &half, sizeof half);
        for (int i = 0; i < 32; i++)
            blocks[r * BYTES + 2 + i] = (uint8_t)(r + i);
    }
    CHECK_OK(tmac_weights_desc_ggml(&desc, 8, ROWS, 32, blocks));
    CHECK_OK(tmac_weights_pack(context, &desc, &weights));
    CHECK_OK(tmac_weights_unpack(weights, 0, ROWS, out, 32));
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < 32; i++) {
            const float d = half_to_float(half_from_float(0.01f * (float)(r - 100)));
            const int byte = (r + i) % 256, q = byte < 128 ? byte : byte - 256;
            CHECK(out[r * 32 + i] == d * (float)q, "row %d, weight %d: %g", r, i,
                  (double)out[r * 32 + i]);
        }
    CHECK_OK(tmac_weights_unpack_ggml(weights, 8, 0, ROWS, back, 0));
    CHECK(memcmp(back, blocks, sizeof blocks) == 0, "other blocks");
    tmac_weights_free(weights);
}

/* ---- a part of a matrix ---------------------------------------------------------------------- */

/* Rows from `first` on of an array, behind a page that nobody may touch. NULL for no array. */
static void *part(struct guard *guard, const void *all, size_t row_bytes, int64_t first,
                  int64_t rows)
{
    const size_t bytes = (size_t)(rows - first) * row_bytes;

    if (!all)
        return NULL;
    memcpy(guard_new(guard, bytes, 1, GUARD_START),
           (const uint8_t *)all + (size_t)first * row_bytes, bytes);
    guard_seal(guard);
    return guard->at;
}

/* The same bytes as from the whole, wherever it is cut. */
static void check_part(const tmac_weights_desc *whole, const tmac_weights_desc *rest)
{
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    tmac_weights_info info = {.struct_size = sizeof info};
    const int64_t first = rest->first_row;
    tmac_weights *weights, *none = NULL;
    struct guard guard;

    CHECK_OK(tmac_weights_pack(context, whole, &weights));
    CHECK_OK(tmac_weights_query(weights, &info));
    CHECK_OK(tmac_packed_query(context, rest, &plan));
    guard_new(&guard, plan.bytes, TMAC_PACKED_ALIGNMENT, GUARD_END);
    CHECK_OK(tmac_packed_begin(context, rest, guard.at, plan.bytes));
    CHECK_OK(tmac_packed_rows(context, whole, 0, first, guard.at, plan.bytes));
    CHECK_OK(tmac_packed_rows(context, rest, first, rest->rows, guard.at, plan.bytes));
    CHECK_OK(tmac_packed_finish(guard.at, plan.bytes));
    CHECK(memcmp(guard.at, info.packed, plan.bytes) == 0, "other bytes");
    CHECK_STATUS(tmac_packed_rows(context, rest, 0, rest->rows, guard.at, plan.bytes),
                 TMAC_ERROR_ROW_RANGE, "rows before the first");
    CHECK_STATUS(tmac_weights_pack(context, rest, &none), TMAC_ERROR_ROW_RANGE, "not all rows");
    guard_free(&guard);
    tmac_weights_free(weights);
}

static void check_matrix_part(const struct matrix_kind *kind, uint64_t index)
{
    struct rng rng = rng_stream(seed, 1, index);
    struct guard guards[6] = {0};
    struct matrix m;
    tmac_weights_desc rest;

    matrix_new(&m, kind, &rng);
    rest = m.desc;
    rest.first_row = 64;
    const size_t bits = kind->codes == TMAC_CODES_DENSE ? (size_t)matrix_bits(kind->width) : 8;
    const size_t scales = (size_t)m.supers * matrix_scale_bytes(kind->scale_type);
    const int64_t first = rest.first_row, rows = kind->rows;
    rest.codes = part(&guards[0], rest.codes, (size_t)kind->cols * bits / 8, first, rows);
    rest.scales = part(&guards[1], rest.scales, scales, first, rows);
    rest.minimums = part(&guards[2], rest.minimums, scales, first, rows);
    rest.zero_points = part(&guards[3], rest.zero_points, (size_t)m.groups, first, rows);
    rest.sub_scales = part(&guards[4], rest.sub_scales, (size_t)m.groups, first, rows);
    rest.sub_minimums = part(&guards[5], rest.sub_minimums, (size_t)m.groups, first, rows);
    check_part(&m.desc, &rest);
    for (size_t i = 0; i < COUNT(guards); i++)
        guard_free(&guards[i]);
    matrix_free(&m);
}

static void test_parts(void **state)
{
    static const struct matrix_kind kinds[] = {
        {100, 512, TMAC_WIDTH_4, .group = 32, .zero = TMAC_ZERO_POINT},
        {100, 512, TMAC_WIDTH_8, .group = 64, .zero = TMAC_ZERO_MINIMUM},
        {100, 512, TMAC_WIDTH_3, TMAC_CODES_DENSE, 16, TMAC_SCALE_F16, TMAC_ZERO_MINIMUM,
         TMAC_SUB_I8, 256, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++)
        check_matrix_part(&kinds[i], i);
}

static void test_parts_of_blocks(void **state)
{
    enum { ROWS = 100, FIRST = 64 };
    const struct block_types *types = block_types();

    (void)state;
    for (size_t t = 0; t < types->count; t++) {
        const tmac_format_info *info = &types->all[t].info;
        const size_t row_bytes = 3 * (size_t)info->block_bytes;
        struct rng rng = rng_stream(seed, 2, t);
        uint8_t *blocks = malloc(ROWS * row_bytes);
        tmac_weights_desc whole = {.struct_size = sizeof whole},
                          rest = {.struct_size = sizeof rest};
        struct guard guard;
        for (size_t i = 0; i < ROWS * 3; i++)
            random_block(&types->all[t], &rng, blocks + i * (size_t)info->block_bytes);
        CHECK_OK(tmac_weights_desc_ggml(&whole, info->ggml_type, ROWS, 3 * info->block, blocks));
        CHECK_OK(tmac_weights_desc_ggml(&rest, info->ggml_type, ROWS, 3 * info->block,
                                        part(&guard, blocks, row_bytes, FIRST, ROWS)));
        rest.first_row = FIRST;
        check_part(&whole, &rest);
        guard_free(&guard);
        free(blocks);
    }
}

static void test_first_rows_that_are_none(void **state)
{
    static const int64_t bad[] = {-1, 2, 3, INT64_MIN, INT64_MAX};
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    tmac_weights_desc desc = {.struct_size = sizeof desc};

    (void)state;
    CHECK_OK(tmac_weights_desc_ggml(&desc, 2, 2, 32, NULL));
    for (size_t i = 0; i < COUNT(bad); i++) {
        desc.first_row = bad[i];
        CHECK_STATUS(tmac_packed_query(context, &desc, &plan), TMAC_ERROR_ROW_RANGE, "%lld",
                     (long long)bad[i]);
    }
}

/* ---- where bad data lies --------------------------------------------------------------------- */

static void check_fault(const tmac_weights_desc *desc, tmac_status status, int64_t row, int64_t col,
                        double value)
{
    tmac_fault fault = {.struct_size = sizeof fault, .row = -1, .col = -1};
    tmac_weights_desc rest = *desc;
    tmac_weights *weights;

    CHECK_STATUS(tmac_weights_pack(context, desc, &weights), status, "%lld, %lld", (long long)row,
                 (long long)col);
    CHECK_STATUS(tmac_weights_desc_check(desc, &fault), status, "%lld, %lld", (long long)row,
                 (long long)col);
    CHECK(fault.row == row && fault.col == col &&
              (fault.value == value || (value != value && fault.value != fault.value)),
          "row %lld, col %lld, value %g", (long long)fault.row, (long long)fault.col, fault.value);
    rest.rows = row; /* those before it */
    if (row > 0)
        CHECK_STATUS(tmac_weights_desc_check(&rest, &fault), TMAC_OK, "before row %lld",
                     (long long)row);
    CHECK_STATUS(tmac_weights_desc_check(desc, NULL), TMAC_ERROR_NULL, "no fault");
    CHECK_STATUS(tmac_weights_desc_check(NULL, &fault), TMAC_ERROR_NULL, "no description");
}

enum { ROWS = 37, COLS = 544, GROUPS = 34 };

struct bad {
    uint8_t codes[ROWS * COLS], points[ROWS * GROUPS], sub_minimums[ROWS * GROUPS];
    int8_t subs[ROWS * GROUPS];
    float scales[ROWS * GROUPS], minimums[ROWS * GROUPS];
    tmac_weights_desc desc;
};

static struct bad *bad_new(tmac_width width, tmac_zero zero, tmac_sub_format sub)
{
    static struct bad b;

    memset(&b, 0, sizeof b);
    b.desc = (tmac_weights_desc){.struct_size = sizeof b.desc,
                                 .rows = ROWS,
                                 .cols = COLS,
                                 .width = width,
                                 .codes = b.codes,
                                 .group = 16,
                                 .scales = b.scales,
                                 .zero_kind = zero,
                                 .zero_points = b.points,
                                 .minimums = b.minimums,
                                 .sub_format = sub,
                                 .super_group = 32,
                                 .sub_scales = b.subs,
                                 .sub_minimums = b.sub_minimums};
    return &b;
}

static void test_faults(void **state)
{
    const uint32_t nan_bits = 0x7fc00000;
    struct bad *b = bad_new(TMAC_WIDTH_3, TMAC_ZERO_SYMMETRIC, TMAC_SUB_NONE);

    (void)state;
    b->codes[20 * COLS + 530] = 8;
    b->codes[36 * COLS] = 255;
    check_fault(&b->desc, TMAC_ERROR_CODE, 20, 530, 8);
    b->scales[3 * GROUPS + 33] = INFINITY;
    check_fault(&b->desc, TMAC_ERROR_SCALE, 3, 528, (double)b->scales[3 * GROUPS + 33]);
    b = bad_new(TMAC_WIDTH_4, TMAC_ZERO_MINIMUM, TMAC_SUB_NONE);
    memcpy(&b->minimums[36 * GROUPS + 17], &nan_bits, sizeof nan_bits);
    check_fault(&b->desc, TMAC_ERROR_SCALE, 36, 272, (double)b->minimums[36 * GROUPS + 17]);
    b = bad_new(TMAC_WIDTH_4, TMAC_ZERO_POINT, TMAC_SUB_NONE);
    b->points[7 * GROUPS + 1] = 17;
    check_fault(&b->desc, TMAC_ERROR_ZERO, 7, 16, 17);
    b = bad_new(TMAC_WIDTH_2, TMAC_ZERO_MINIMUM, TMAC_SUB_U4);
    b->sub_minimums[9 * GROUPS + 20] = 16;
    check_fault(&b->desc, TMAC_ERROR_SUB_SCALE, 9, 320, 16);
    b = bad_new(TMAC_WIDTH_TERNARY, TMAC_ZERO_SYMMETRIC, TMAC_SUB_NONE);
    b->desc.code_format = TMAC_CODES_DENSE;
    b->codes[5 * COLS / 4 + 99] = 0x30; /* code 398 of row 5 */
    check_fault(&b->desc, TMAC_ERROR_CODE, 5, 398, 3);
}

static void test_faults_of_blocks(void **state)
{
    static const uint16_t bad = 0xfc00;
    const struct block_types *types = block_types();

    (void)state;
    for (size_t t = 0; t < types->count; t++)
        for (int h = 0; h < MAX_HALVES && types->all[t].halves[h] >= 0; h++) {
            const tmac_format_info *info = &types->all[t].info;
            const size_t bytes = (size_t)info->block_bytes;
            uint8_t *blocks = calloc(6, bytes);
            tmac_weights_desc desc = {.struct_size = sizeof desc};
            const bool negated = h == 1 && info->sub_format != TMAC_SUB_NONE;
            memcpy(blocks + 4 * bytes + types->all[t].halves[h], &bad, sizeof bad);
            CHECK_OK(tmac_weights_desc_ggml(&desc, info->ggml_type, 2, 3 * info->block, blocks));
            check_fault(&desc, TMAC_ERROR_SCALE, 1, info->block,
                        negated ? (double)INFINITY : -(double)INFINITY);
            free(blocks);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_nothing_of_the_kind),
        cmocka_unit_test(test_q8_0),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_parts_of_blocks),
        cmocka_unit_test(test_first_rows_that_are_none),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_faults_of_blocks),
    };
    int failures;

    seed = rng_environment_seed();
    CHECK_OK(tmac_context_create(NULL, &context));
    failures = cmocka_run_group_tests_name("formats", tests, NULL, NULL);
    tmac_context_free(context);
    return failures;
}
