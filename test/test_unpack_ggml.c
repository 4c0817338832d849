/* SPDX-License-Identifier: MIT
 *
 * Weights back to ggml blocks: what was packed comes back to the byte, from every packed layout. */
#include "support/blocks.h"
#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"

#include "layouts/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { Q4_0 = 2, Q3_K = 11, Q4_K = 12, TQ1_0 = 34, TQ2_0 = 35, UNTOUCHED = 0x5c };

static struct contexts contexts;
static uint64_t seed;

static const struct block_type *type_numbered(int32_t number)
{
    const struct block_type *type = block_types()->all;

    while (type->info.ggml_type != number)
        type++;
    return type;
}

/* ---- random blocks --------------------------------------------------------------------------- */

/* The first `digits` trits of a byte, as ggml reads them: a number to the base 3. */
static int number_of_trits(int byte, int digits)
{
    int number = 0;

    for (; digits--; byte = byte * 3 & 255)
        number = number * 3 + (byte * 3 >> 8);
    return number;
}

/* ggml writes the least of the bytes that have the same trits. */
static uint8_t canonical_trits(int byte, int digits)
{
    int least = 0;

    while (number_of_trits(least, digits) != number_of_trits(byte, digits))
        least++;
    return (uint8_t)least;
}

static void make_canonical(uint8_t *block)
{
    for (int i = 0; i < 52; i++)
        block[i] = canonical_trits(block[i], i < 48 ? 5 : 4);
}

/* A matrix of blocks, to pack and as it must come back. */
struct blocks {
    const struct block_type *type;
    int64_t rows, row_blocks;
    size_t row_bytes;
    uint8_t *given, *wanted;
};

static struct blocks blocks_new(const struct block_type *type, int64_t rows, int64_t row_blocks,
                                struct rng *rng)
{
    const size_t row_bytes = (size_t)row_blocks * (size_t)type->info.block_bytes;
    const size_t bytes = (size_t)rows * row_bytes;
    struct blocks blocks = {type, rows, row_blocks, row_bytes, malloc(bytes), malloc(bytes)};

    CHECK(blocks.given && blocks.wanted, "no memory");
    for (size_t at = 0; at < bytes; at += (size_t)type->info.block_bytes)
        random_block(type, rng, blocks.given + at);
    memcpy(blocks.wanted, blocks.given, bytes);
    for (size_t at = 0; type->info.ggml_type == TQ1_0 && at < bytes;
         at += (size_t)type->info.block_bytes)
        make_canonical(blocks.wanted + at);
    return blocks;
}

static void blocks_free(struct blocks *blocks)
{
    free(blocks->given);
    free(blocks->wanted);
}

/* NULL where the context's layout cannot hold them. */
static tmac_weights *pack(const tmac_context *context, int32_t type, int64_t rows, int64_t cols,
                          const void *blocks)
{
    tmac_weights_desc desc = {.struct_size = sizeof desc};
    tmac_weights *weights;

    CHECK_OK(tmac_weights_desc_ggml(&desc, type, rows, cols, blocks));
    if (!context_holds(context, &desc))
        return NULL;
    CHECK_OK(tmac_weights_pack(context, &desc, &weights));
    return weights;
}

/* ---- round trips ----------------------------------------------------------------------------- */

/* Rows [begin, end), `gap` bytes between them, to memory that has not a byte more. */
static void check_rows(const tmac_weights *weights, const struct blocks *blocks, int64_t begin,
                       int64_t end, size_t gap, enum guard_place place, const char *what)
{
    const size_t rows = (size_t)(end - begin), stride = blocks->row_bytes + gap;
    const size_t bytes = rows ? rows * stride - gap : 0;
    uint8_t *wanted = malloc(bytes + 1);
    struct guard guard;

    CHECK(wanted, "no memory");
    memset(guard_new(&guard, bytes, 1, place), UNTOUCHED, bytes);
    memset(wanted, UNTOUCHED, bytes);
    for (size_t r = 0; r < rows; r++)
        memcpy(wanted + r * stride, blocks->wanted + ((size_t)begin + r) * blocks->row_bytes,
               blocks->row_bytes);
    check_spoil_stack();
    CHECK_OK(tmac_weights_unpack_ggml(weights, blocks->type->info.ggml_type, begin, end, guard.at,
                                      gap ? (int64_t)stride : 0));
    CHECK(guard_intact(&guard), "type %d, %s: wrote outside", (int)blocks->type->info.ggml_type,
          what);
    for (size_t i = 0; i < bytes; i++)
        CHECK(wanted[i] == ((uint8_t *)guard.at)[i],
              "type %d, %s, %lld x %lld blocks, rows %lld..%lld: byte %zu of row %zu is %d, not %d",
              (int)blocks->type->info.ggml_type, what, (long long)blocks->rows,
              (long long)blocks->row_blocks, (long long)begin, (long long)end, i % stride,
              i / stride, ((uint8_t *)guard.at)[i], wanted[i]);
    guard_free(&guard);
    free(wanted);
}

/* false where the context's layout cannot hold them. */
static bool check_blocks(const tmac_context *context, const struct blocks *blocks, struct rng *rng,
                         const char *what)
{
    tmac_weights *weights = pack(context, blocks->type->info.ggml_type, blocks->rows,
                                 blocks->row_blocks * blocks->type->info.block, blocks->given);
    const int rows = (int)blocks->rows, begin = rng_between(rng, 0, rows);
    const int end = rng_between(rng, begin, rows), one = rng_between(rng, 0, rows - 1);

    if (!weights)
        return false;
    check_rows(weights, blocks, 0, rows, 0, GUARD_END, what);
    check_rows(weights, blocks, begin, end, 0, guard_random_place(rng), what);
    check_rows(weights, blocks, begin, end, (size_t)rng_between(rng, 1, 99),
               guard_random_place(rng), what);
    check_rows(weights, blocks, one, one + 1, 0, guard_random_place(rng), what);
    tmac_weights_free(weights);
    return true;
}

static const int64_t all_rows[] = {1, 31, 33, 65};
static const int64_t all_blocks[] = {1, 2, 5, 19,
                                     37}; /* several are runs of 16 groups and a rest */

static void test_every_layout(void **state)
{
    const struct block_types *types = block_types();
    const int share = check_share(1);
    uint64_t index = 0;

    (void)state;
    for (size_t t = 0; t < types->count; t++)
        for (size_t r = 0; r < COUNT(all_rows); r++)
            for (size_t b = 0; b < COUNT(all_blocks); b++, index++) {
                struct rng rng = rng_stream(seed, 1, index);
                struct blocks blocks = blocks_new(&types->all[t], all_rows[r], all_blocks[b], &rng);
                for (int l = 0; l < LAYOUTS; l++) {
                    if ((index * LAYOUTS + (uint64_t)l) % (uint64_t)share)
                        continue;
                    check_blocks(contexts.scalar[l], &blocks, &rng,
                                 tmac_layout_name((enum tmac_layout)l));
                    check_blocks(contexts.best[l], &blocks, &rng,
                                 tmac_layout_name((enum tmac_layout)l));
                }
                blocks_free(&blocks);
            }
}

/* That the layouts above are the ones meant: K-quants, which alone nest, are packed in all six. */
static void test_layouts_are_all_seen(void **state)
{
    uint8_t block[110] = {0};

    (void)state;
    for (int l = 0; l < LAYOUTS; l++) {
        tmac_weights *weights = pack(contexts.best[l], Q3_K, 1, 256, block);
        tmac_weights_info info = {.struct_size = sizeof info};
        CHECK_OK(tmac_weights_query(weights, &info));
        CHECK(strcmp(info.layout, tmac_layout_name((enum tmac_layout)l)) == 0, "%s, not %s",
              info.layout, tmac_layout_name((enum tmac_layout)l));
        tmac_weights_free(weights);
    }
}

/* What contexts choose by themselves. */
static void test_every_context(void **state)
{
    const struct block_types *types = block_types();
    const struct isas isas = isas_available();
    uint64_t index = 0;

    (void)state;
    for (int i = 0; i < isas.count; i++)
        for (int family = TMAC_FAMILY_AUTO; family <= TMAC_FAMILY_DIRECT; family++)
            for (int mode = TMAC_MODE_DEFAULT; mode <= TMAC_MODE_FAST; mode++) {
                const tmac_context_options options = {.struct_size = sizeof options,
                                                      .isa = isas.name[i],
                                                      .threads = 2,
                                                      .family = (tmac_family)family,
                                                      .mode = (tmac_mode)mode};
                tmac_context *context;
                if (family == TMAC_FAMILY_LOOKUP && mode == TMAC_MODE_EXACT)
                    continue;
                CHECK_OK(tmac_context_create(&options, &context));
                for (size_t t = 0; t < types->count; t++) {
                    if (family == TMAC_FAMILY_LOOKUP &&
                        !(types->all[t].info.flags & TMAC_FORMAT_LOOKUP))
                        continue;
                    struct rng rng = rng_stream(seed, 2, index++);
                    struct blocks blocks = blocks_new(&types->all[t], 70, 3, &rng);
                    CHECK(check_blocks(context, &blocks, &rng, isas.name[i]), "not packed");
                    blocks_free(&blocks);
                }
                tmac_context_free(context);
            }
}

/* Every byte at every place, of TQ1_0 also those that ggml never writes. */
static void test_every_trit_byte(void **state)
{
    struct rng rng = rng_stream(seed, 3, 0);
    struct blocks blocks = blocks_new(type_numbered(TQ1_0), 256, 1, &rng);
    uint8_t seen[256] = {0};
    int count = 0;

    (void)state;
    for (int r = 0; r < 256; r++) {
        memset(blocks.given + r * 54, r, 52);
        memset(blocks.wanted + r * 54, r, 52);
        make_canonical(blocks.wanted + r * 54);
        count += !seen[blocks.wanted[r * 54]]++;
    }
    CHECK(count == 243, "%d different bytes", count);
    check_blocks(contexts.best[TMAC_LAYOUT_DIRECT], &blocks, &rng, "all trits");
    blocks_free(&blocks);
}

/* ---- weights that were no blocks, or other ones ---------------------------------------------- */

/* Blocks made of weights, packed, are the same weights. */
static void check_same_weights(const tmac_weights *weights, int32_t type)
{
    tmac_weights_info info = {.struct_size = sizeof info};
    CHECK_OK(tmac_weights_query(weights, &info));
    const size_t count = (size_t)(info.rows * info.cols);
    const size_t row_bytes = (size_t)info.cols / (size_t)type_numbered(type)->info.block *
                             (size_t)type_numbered(type)->info.block_bytes;
    uint8_t *blocks = malloc((size_t)info.rows * row_bytes);
    float *before = malloc(count * sizeof *before), *after = malloc(count * sizeof *after);
    tmac_weights *again;

    CHECK(blocks && before && after, "no memory");
    CHECK_OK(tmac_weights_unpack_ggml(weights, type, 0, info.rows, blocks, 0));
    again = pack(contexts.scalar[TMAC_LAYOUT_DIRECT], type, info.rows, info.cols, blocks);
    CHECK_OK(tmac_weights_unpack(weights, 0, info.rows, before, info.cols));
    CHECK_OK(tmac_weights_unpack(again, 0, info.rows, after, info.cols));
    CHECK(memcmp(before, after, count * sizeof *before) == 0, "type %d: other weights", (int)type);
    tmac_weights_free(again);
    free(blocks);
    free(before);
    free(after);
}

/* Descriptions of one's own, and the type that holds such weights; 0: none does. */
static const struct own {
    tmac_width width;
    int64_t group;
    tmac_scale_type scale_type;
    tmac_zero zero_kind;
    float zero;
    tmac_sub_format sub;
    int64_t super_group;
    int32_t type;
} owns[] = {
    {TMAC_WIDTH_4, 32, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 2},
    {TMAC_WIDTH_4, 32, TMAC_SCALE_F16, TMAC_ZERO_CONSTANT, 8, TMAC_SUB_NONE, 0, 2},
    {TMAC_WIDTH_8, 32, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 8},
    {TMAC_WIDTH_8, 32, TMAC_SCALE_F16, TMAC_ZERO_CONSTANT, 127, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_4, 32, TMAC_SCALE_F16, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_NONE, 0, 3},
    {TMAC_WIDTH_2, 16, TMAC_SCALE_F16, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_U4, 256, 10},
    {TMAC_WIDTH_TERNARY, 256, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 34},
    {TMAC_WIDTH_1, 128, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 41},
    {TMAC_WIDTH_2, 64, TMAC_SCALE_F16, TMAC_ZERO_CONSTANT, 1, TMAC_SUB_NONE, 0, 42},
    {TMAC_WIDTH_4, 32, TMAC_SCALE_F16, TMAC_ZERO_CONSTANT, 7, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_4, 32, TMAC_SCALE_F16, TMAC_ZERO_POINT, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_4, 32, TMAC_SCALE_F32, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_4, 32, TMAC_SCALE_BF16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_4, 64, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_4, TMAC_GROUP_ROW, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_3, 32, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_3, 32, TMAC_SCALE_F16, TMAC_ZERO_CONSTANT, 8, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_3, 32, TMAC_SCALE_F16, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_2, 64, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_TERNARY, 128, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_1, 128, TMAC_SCALE_F16, TMAC_ZERO_CONSTANT, 0.5f, TMAC_SUB_NONE, 0, 0},
    {TMAC_WIDTH_3, 16, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_U4, 256, 0},
    {TMAC_WIDTH_3, 16, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_I8, 128, 0},
    {TMAC_WIDTH_3, 32, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_I8, 256, 0},
    {TMAC_WIDTH_4, 16, TMAC_SCALE_F16, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_I8, 256, 0},
    {TMAC_WIDTH_3, 16, TMAC_SCALE_F16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_I8, TMAC_GROUP_ROW, 0},
};

static bool holds(int32_t type, const struct own *own)
{
    return type == own->type || (type == TQ2_0 && own->type == TQ1_0);
}

static void check_own(const struct own *own, const tmac_context *context, uint64_t index)
{
    const struct block_types *types = block_types();
    const struct matrix_kind kind = {.rows = 34,
                                     .cols = 512,
                                     .width = own->width,
                                     .group = own->group,
                                     .scale_type = own->scale_type,
                                     .zero = own->zero_kind,
                                     .sub = own->sub,
                                     .super_group = own->super_group};
    struct rng rng = rng_stream(seed, 4, index);
    uint8_t blocks[34 * 2 * 512];
    struct matrix m;
    tmac_weights *weights;

    matrix_new(&m, &kind, &rng);
    m.desc.zero = own->zero;
    if (!context_holds(context, &m.desc)) {
        matrix_free(&m);
        return;
    }
    CHECK_OK(tmac_weights_pack(context, &m.desc, &weights));
    memset(blocks, UNTOUCHED, sizeof blocks);
    for (size_t t = 0; t < types->count; t++) {
        if (holds(types->all[t].info.ggml_type, own))
            check_same_weights(weights, types->all[t].info.ggml_type);
        else
            CHECK_STATUS(tmac_weights_unpack_ggml(weights, types->all[t].info.ggml_type, 0,
                                                  kind.rows, blocks, 0),
                         TMAC_ERROR_GGML_TYPE, "%s as %d", matrix_name(&kind),
                         (int)types->all[t].info.ggml_type);
    }
    for (size_t i = 0; i < sizeof blocks; i++)
        CHECK(blocks[i] == UNTOUCHED, "%s: wrote what was refused", matrix_name(&kind));
    tmac_weights_free(weights);
    matrix_free(&m);
}

static void test_own_weights(void **state)
{
    uint64_t index = 0;

    (void)state;
    for (size_t o = 0; o < COUNT(owns); o++)
        for (int l = 0; l < LAYOUTS; l++)
            check_own(&owns[o], contexts.best[l], index++);
}

/* Sub-scales of one's own, within what blocks hold but for one. */
enum { SUB_ROWS = 33, SUB_COLS = 512, SUB_GROUPS = 32, BAD_ROW = 17, BAD_GROUP = 13 };

struct sub_scales {
    uint8_t codes[SUB_ROWS * SUB_COLS], sub_minimums[SUB_ROWS * SUB_GROUPS];
    int8_t sub_scales[SUB_ROWS * SUB_GROUPS];
    uint16_t scales[SUB_ROWS * SUB_COLS / 256];
};

static tmac_weights *pack_sub_scales(const tmac_context *context, int32_t type, int bad,
                                     bool bad_minimum, struct rng *rng)
{
    static struct sub_scales data;
    const int groups = type == Q3_K ? 32 : 16, bad_at = BAD_ROW * groups + BAD_GROUP;
    const tmac_weights_desc desc = {
        .struct_size = sizeof desc,
        .rows = SUB_ROWS,
        .cols = SUB_COLS,
        .width = type == Q3_K ? TMAC_WIDTH_3 : TMAC_WIDTH_4,
        .codes = data.codes,
        .group = SUB_COLS / groups,
        .scale_type = TMAC_SCALE_F16,
        .scales = data.scales,
        .zero_kind = type == Q3_K ? TMAC_ZERO_SYMMETRIC : TMAC_ZERO_MINIMUM,
        .minimums = data.scales,
        .sub_format = TMAC_SUB_I8,
        .super_group = 256,
        .sub_scales = data.sub_scales,
        .sub_minimums = data.sub_minimums,
    };
    tmac_weights *weights;

    for (int i = 0; i < SUB_ROWS * groups; i++) {
        data.sub_scales[i] = (int8_t)(rng_between(rng, 0, 63) - (type == Q3_K ? 32 : 0));
        data.sub_minimums[i] = (uint8_t)rng_between(rng, 0, 63);
    }
    for (size_t i = 0; i < COUNT(data.scales); i++)
        data.scales[i] = random_half(rng);
    if (bad && bad_minimum)
        data.sub_minimums[bad_at] = (uint8_t)bad;
    else if (bad)
        data.sub_scales[bad_at] = (int8_t)bad;
    CHECK_OK(tmac_weights_pack(context, &desc, &weights));
    return weights;
}

static void check_bad_sub_scale(const tmac_context *context, int32_t type, int bad, bool minimum,
                                struct rng *rng)
{
    static uint8_t blocks[SUB_ROWS * 2 * 144];
    tmac_weights *weights = pack_sub_scales(context, type, bad, minimum, rng);

    CHECK_STATUS(tmac_weights_unpack_ggml(weights, type, 0, SUB_ROWS, blocks, 0),
                 TMAC_ERROR_SUB_SCALE, "type %d, %d", (int)type, bad);
    CHECK_STATUS(tmac_weights_unpack_ggml(weights, type, BAD_ROW, BAD_ROW + 1, blocks, 0),
                 TMAC_ERROR_SUB_SCALE, "type %d, %d", (int)type, bad);
    CHECK_OK(tmac_weights_unpack_ggml(weights, type, 0, BAD_ROW, blocks, 0));
    CHECK_OK(tmac_weights_unpack_ggml(weights, type, BAD_ROW + 1, SUB_ROWS, blocks, 0));
    tmac_weights_free(weights);
}

static void test_own_sub_scales(void **state)
{
    static const int bad_q3_k[] = {-33, 32, 127, -128}, bad_q4_k[] = {-1, 64, 127, -128};
    static const int bad_minimums[] = {64, 127, 128, 255};
    struct rng rng = rng_stream(seed, 5, 0);

    (void)state;
    for (int l = 0; l < LAYOUTS; l++) {
        for (int32_t type = Q3_K; type <= Q4_K; type++) {
            tmac_weights *weights = pack_sub_scales(contexts.best[l], type, 0, false, &rng);
            check_same_weights(weights, type);
            tmac_weights_free(weights);
        }
        for (size_t i = 0; i < 4; i++) {
            check_bad_sub_scale(contexts.best[l], Q3_K, bad_q3_k[i], false, &rng);
            check_bad_sub_scale(contexts.best[l], Q4_K, bad_q4_k[i], false, &rng);
            check_bad_sub_scale(contexts.best[l], Q4_K, bad_minimums[i], true, &rng);
        }
    }
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void test_refused(void **state)
{
    static const int32_t bad_types[] = {0, 1, 9, 14, 36, -1, INT32_MIN, INT32_MAX};
    static const int64_t bad_ranges[][2] = {
        {-1, 3}, {0, 4}, {2, 1}, {4, 4}, {INT64_MIN, INT64_MAX}, {0, INT64_MAX}, {INT64_MIN, 0}};
    static const int64_t bad_strides[][2] = {
        {35, TMAC_ERROR_SHAPE},           {1, TMAC_ERROR_SHAPE},
        {-1, TMAC_ERROR_SHAPE},           {INT64_MIN, TMAC_ERROR_SHAPE},
        {INT64_MAX, TMAC_ERROR_OVERFLOW}, {INT64_MAX / 3 + 1, TMAC_ERROR_OVERFLOW}};
    uint8_t given[3 * 36] = {0}, out[3 * 36], before[3 * 36];
    tmac_weights *weights = pack(contexts.best[TMAC_LAYOUT_DIRECT], Q4_0, 3, 64, given);

    (void)state;
    memset(out, UNTOUCHED, sizeof out);
    memset(before, UNTOUCHED, sizeof before);
    CHECK_STATUS(tmac_weights_unpack_ggml(NULL, Q4_0, 0, 3, out, 0), TMAC_ERROR_NULL, "weights");
    CHECK_STATUS(tmac_weights_unpack_ggml(weights, Q4_0, 0, 3, NULL, 0), TMAC_ERROR_NULL, "out");
    for (size_t i = 0; i < COUNT(bad_types); i++)
        CHECK_STATUS(tmac_weights_unpack_ggml(weights, bad_types[i], 0, 3, out, 0),
                     TMAC_ERROR_GGML_TYPE, "type %d", (int)bad_types[i]);
    for (size_t i = 0; i < COUNT(bad_ranges); i++)
        CHECK_STATUS(
            tmac_weights_unpack_ggml(weights, Q4_0, bad_ranges[i][0], bad_ranges[i][1], out, 0),
            TMAC_ERROR_ROW_RANGE, "range %zu", i);
    for (size_t i = 0; i < COUNT(bad_strides); i++)
        CHECK_STATUS(tmac_weights_unpack_ggml(weights, Q4_0, 0, 3, out, bad_strides[i][0]),
                     (tmac_status)bad_strides[i][1], "row_bytes %zu", i);
    CHECK_OK(tmac_weights_unpack_ggml(weights, Q4_0, 3, 3, out, INT64_MAX)); /* no rows */
    CHECK(memcmp(out, before, sizeof out) == 0, "wrote what was refused");
    tmac_weights_free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layout),  cmocka_unit_test(test_layouts_are_all_seen),
        cmocka_unit_test(test_every_context), cmocka_unit_test(test_every_trit_byte),
        cmocka_unit_test(test_own_weights),   cmocka_unit_test(test_own_sub_scales),
        cmocka_unit_test(test_refused),
    };
    int failures;

    seed = rng_environment_seed();
    printf("TMAC_TEST_SEED=0x%llx\n", (unsigned long long)seed);
    contexts_new(&contexts, 2);
    failures = cmocka_run_group_tests_name("unpack_ggml", tests, NULL, NULL);
    contexts_free(&contexts);
    return failures;
}
