/* SPDX-License-Identifier: MIT
 *
 * Packed bytes: saved and attached again, damaged in every way, crafted to deceive, and multiplied
 * by contexts other than the one that packed them. */
#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"
#include "support/widths.h"

#include "layouts/checksum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the header; src/layouts/packed.c draws it. */
enum {
    HEADER = 128,
    AT_MAGIC = 0,
    AT_BYTE_ORDER = 8,
    AT_VERSION = 12,
    AT_ROWS = 16,
    AT_COLS = 24,
    AT_GROUP = 32,
    AT_SUPER = 40,
    AT_WIDTH = 48,
    AT_LAYOUT,
    AT_SCALE_TYPE,
    AT_ZERO_KIND,
    AT_SUB_KIND,
    AT_WHOLE_ROW,
    AT_SCALE_UNIT,
    AT_FINISHED,
    AT_ZERO = 56,
    AT_SUB_BITS = 60,
    AT_BYTES = 64,
    AT_MORE = 80,
    AT_CHECKSUM = 120
};

static struct contexts contexts;
static uint64_t seed;

/* A copy of packed bytes that ends at a guard page. */
struct bytes {
    struct guard guard;
    uint8_t *at;
    size_t size;
};

/* false where the context's layout cannot hold such weights. */
static bool bytes_of(struct bytes *bytes, const struct matrix_kind *kind,
                     const tmac_context *context)
{
    struct rng rng = rng_stream(seed, 1, (uint64_t)kind->cols);
    tmac_weights_info info = {.struct_size = sizeof info};
    struct matrix matrix;
    tmac_weights *weights;

    matrix_new(&matrix, kind, &rng);
    if (!context_holds(context, &matrix.desc)) {
        matrix_free(&matrix);
        return false;
    }
    CHECK_OK(tmac_weights_pack(context, &matrix.desc, &weights));
    CHECK_OK(tmac_weights_query(weights, &info));
    bytes->size = info.packed_bytes;
    bytes->at = guard_new(&bytes->guard, info.packed_bytes, TMAC_PACKED_ALIGNMENT, GUARD_END);
    memcpy(bytes->at, info.packed, info.packed_bytes);
    tmac_weights_free(weights);
    matrix_free(&matrix);
    return true;
}

static const struct matrix_kind common = {.rows = 33,
                                          .cols = 128,
                                          .width = TMAC_WIDTH_3,
                                          .group = 32,
                                          .scale_type = TMAC_SCALE_F16,
                                          .zero = TMAC_ZERO_MINIMUM,
                                          .sub = TMAC_SUB_I8,
                                          .super_group = 128};

/* Attaches, expecting a status; what is attached by mistake must still not crash. */
static void check_attach(const void *packed, size_t size, uint32_t flags, tmac_status want,
                         const char *what, long long which)
{
    tmac_weights *weights = NULL;

    CHECK_STATUS(tmac_weights_attach(contexts.scalar[0], packed, size, flags, &weights), want,
                 "%s %lld", what, which);
    CHECK((weights != NULL) == (want == TMAC_OK), "%s %lld: output", what, which);
    tmac_weights_free(weights);
}

static void test_truncated(void **state)
{
    struct bytes b;

    (void)state;
    bytes_of(&b, &common, contexts.scalar[0]);
    for (size_t size = 0; size < b.size; size += size < 300 ? 1 : 61) {
        struct guard guard;
        uint8_t *cut = guard_new(&guard, size, TMAC_PACKED_ALIGNMENT, GUARD_START);
        memcpy(cut, b.at, size);
        for (uint32_t flags = 0; flags < 2; flags++)
            check_attach(cut, size, flags, TMAC_ERROR_PACKED_SIZE, "bytes", (long long)size);
        CHECK_STATUS(tmac_packed_finish(cut, size), TMAC_ERROR_PACKED_SIZE, "%zu bytes", size);
        guard_free(&guard);
    }
    check_attach(b.at, b.size, 0, TMAC_OK, "whole", 0);
    guard_free(&b.guard);
}

static void test_more_bytes_than_needed(void **state)
{
    struct bytes b;
    uint8_t *more;

    (void)state;
    bytes_of(&b, &common, contexts.scalar[0]);
    more = aligned_alloc(64, (b.size + 191) / 64 * 64);
    memset(more, 0x77, (b.size + 191) / 64 * 64);
    memcpy(more, b.at, b.size);
    check_attach(more, b.size + 100, 0, TMAC_OK, "more bytes", 100);
    free(more);
    guard_free(&b.guard);
}

static tmac_status status_of_header_byte(size_t at)
{
    return at < AT_BYTE_ORDER ? TMAC_ERROR_PACKED_MAGIC
           : at < AT_ROWS     ? TMAC_ERROR_PACKED_VERSION
                              : TMAC_ERROR_PACKED_HEADER;
}

static void test_every_header_bit(void **state)
{
    struct bytes b;

    (void)state;
    bytes_of(&b, &common, contexts.scalar[0]);
    for (size_t bit = 0; bit < HEADER * 8; bit++) {
        b.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        for (uint32_t flags = 0; flags < 2; flags++)
            check_attach(b.at, b.size, flags, status_of_header_byte(bit / 8), "header bit",
                         (long long)bit);
        CHECK_STATUS(tmac_packed_finish(b.at, b.size), status_of_header_byte(bit / 8),
                     "header bit %zu", bit);
        b.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_attach(b.at, b.size, 0, TMAC_OK, "as it was", 0);
    guard_free(&b.guard);
}

/* Wrong numbers, never worse: everything that reads weights reads damaged ones. */
static void use_weights(const tmac_context *context, const tmac_weights *weights)
{
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_activations x = {.struct_size = sizeof x, .batch = 3};
    float *data, *out, *y;

    CHECK_OK(tmac_weights_query(weights, &info));
    data = calloc((size_t)info.cols * 3, sizeof *data);
    out = malloc((size_t)(info.rows * info.cols) * sizeof *out);
    y = malloc((size_t)info.rows * 3 * sizeof *y);
    for (int64_t i = 0; i < info.cols * 3; i++)
        data[i] = (float)(i % 7);
    x.cols = info.cols;
    x.data = data;
    CHECK_OK(tmac_weights_unpack(weights, 0, info.rows, out, info.cols));
    CHECK_OK(tmac_matmul(context, weights, &x, y, info.rows));
    free(data);
    free(out);
    free(y);
}

static void test_payload_bits(void **state)
{
    struct rng rng = rng_stream(seed, 2, 0);
    struct bytes b;

    (void)state;
    for (int l = 0; l < LAYOUTS; l++) {
        bytes_of(&b, &common, contexts.scalar[l]); /* which every layout holds */
        for (int i = 0; i < 200; i++) {
            const size_t byte = (size_t)rng_between(&rng, HEADER, (int)b.size - 1);
            const uint8_t bit = (uint8_t)(1 << rng_between(&rng, 0, 7));
            tmac_weights *weights;
            b.at[byte] ^= bit;
            check_attach(b.at, b.size, 0, TMAC_ERROR_PACKED_CHECKSUM, "byte", (long long)byte);
            CHECK_OK(tmac_weights_attach(contexts.best[l], b.at, b.size, TMAC_ATTACH_NO_CHECKSUM,
                                         &weights));
            if (i % 10 == 0)
                use_weights(contexts.best[l], weights);
            tmac_weights_free(weights);
            b.at[byte] ^= bit;
        }
        guard_free(&b.guard);
    }
}

static void test_random_payload(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < TEST_WIDTHS * LAYOUTS; i++) {
        struct rng rng = rng_stream(seed, 3, i);
        struct matrix_kind kind = common;
        struct bytes b;
        tmac_weights *weights;
        kind.width = test_widths[i / LAYOUTS];
        if (!bytes_of(&b, &kind, contexts.scalar[i % LAYOUTS]))
            continue;
        rng_bytes(&rng, b.at + HEADER, b.size - HEADER);
        CHECK_OK(
            tmac_weights_attach(contexts.best[0], b.at, b.size, TMAC_ATTACH_NO_CHECKSUM, &weights));
        use_weights(contexts.best[0], weights);
        tmac_weights_free(weights);
        guard_free(&b.guard);
    }
}

static void test_foreign(void **state)
{
    static const uint32_t versions[] = {0, 1, 3, UINT32_MAX};
    struct bytes b;
    uint8_t swapped[4];

    (void)state;
    bytes_of(&b, &common, contexts.scalar[0]);
    for (int i = 0; i < 4; i++)
        swapped[i] = b.at[AT_BYTE_ORDER + 3 - i];
    memcpy(b.at + AT_BYTE_ORDER, swapped, sizeof swapped);
    check_attach(b.at, b.size, 0, TMAC_ERROR_PACKED_VERSION, "byte order", 0);
    guard_free(&b.guard);

    bytes_of(&b, &common, contexts.scalar[0]);
    for (size_t i = 0; i < COUNT(versions); i++) {
        memcpy(b.at + AT_VERSION, &versions[i], 4);
        check_attach(b.at, b.size, 0, TMAC_ERROR_PACKED_VERSION, "version", versions[i]);
    }
    memset(b.at, 0, b.size);
    check_attach(b.at, b.size, 0, TMAC_ERROR_PACKED_MAGIC, "zeros", 0);
    guard_free(&b.guard);
}

static void test_misaligned(void **state)
{
    struct bytes b;
    uint8_t *copy;

    (void)state;
    bytes_of(&b, &common, contexts.scalar[0]);
    copy = aligned_alloc(64, (b.size + 127) / 64 * 64);
    for (size_t off = 1; off < 64; off++) {
        memcpy(copy + off, b.at, b.size);
        check_attach(copy + off, b.size, 0, TMAC_ERROR_ALIGNMENT, "offset", (long long)off);
        CHECK_STATUS(tmac_packed_finish(copy + off, b.size), TMAC_ERROR_ALIGNMENT, "offset %zu",
                     off);
    }
    free(copy);
    guard_free(&b.guard);
}

static void test_never_finished(void **state)
{
    struct rng rng = rng_stream(seed, 4, 0);
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    struct matrix m;
    struct guard guard;
    void *packed;

    (void)state;
    matrix_new(&m, &common, &rng);
    CHECK_OK(tmac_packed_query(contexts.scalar[0], &m.desc, &plan));
    packed = guard_new(&guard, plan.bytes, 64, GUARD_END);
    CHECK_OK(tmac_packed_begin(contexts.scalar[0], &m.desc, packed, plan.bytes));
    check_attach(packed, plan.bytes, 0, TMAC_ERROR_PACKED_CHECKSUM, "begun", 0);
    CHECK_OK(tmac_packed_rows(contexts.scalar[0], &m.desc, 0, m.kind.rows, packed, plan.bytes));
    check_attach(packed, plan.bytes, 0, TMAC_ERROR_PACKED_CHECKSUM, "not finished", 0);
    check_attach(packed, plan.bytes, TMAC_ATTACH_NO_CHECKSUM, TMAC_OK, "not finished", 1);
    CHECK_OK(tmac_packed_finish(packed, plan.bytes));
    check_attach(packed, plan.bytes, 0, TMAC_OK, "finished", 0);
    guard_free(&guard);
    matrix_free(&m);
}

/* ---- headers that are whole but lie ---------------------------------------------------------- */

static void put64(uint8_t *at, int64_t value)
{
    memcpy(at, &value, sizeof value);
}

static void seal_header(uint8_t *header)
{
    const uint64_t checksum = tmac_checksum(header, AT_CHECKSUM);
    memcpy(header + AT_CHECKSUM, &checksum, sizeof checksum);
}

/* A header with one field changed and its checksum made right again. */
static void check_crafted(const struct bytes *b, size_t at, int64_t value, size_t bytes)
{
    uint8_t saved[HEADER];

    memcpy(saved, b->at, HEADER);
    memcpy(b->at + at, &value, bytes); /* little-endian, as the machines this runs on */
    if (memcmp(saved, b->at, HEADER) != 0) {
        seal_header(b->at);
        for (uint32_t flags = 0; flags < 2; flags++)
            check_attach(b->at, b->size, flags, TMAC_ERROR_PACKED_HEADER, "field at",
                         (long long)at);
    }
    memcpy(b->at, saved, HEADER);
}

static void test_crafted_sizes(void **state)
{
    static const int64_t values[] = {0,
                                     -1,
                                     -2,
                                     INT64_MIN,
                                     INT64_MAX,
                                     INT64_MAX - 31,
                                     INT64_MAX / 2,
                                     1,
                                     2,
                                     3,
                                     7,
                                     15,
                                     16,
                                     31,
                                     32,
                                     64,
                                     96,
                                     128,
                                     129,
                                     256,
                                     512,
                                     1LL << 31,
                                     1LL << 32,
                                     1LL << 40,
                                     1LL << 59,
                                     1LL << 60,
                                     1LL << 61,
                                     1LL << 62};
    static const size_t fields[] = {AT_ROWS, AT_COLS, AT_GROUP, AT_SUPER, AT_BYTES};
    struct bytes b;

    (void)state;
    bytes_of(&b, &common, contexts.scalar[0]);
    for (size_t f = 0; f < COUNT(fields); f++)
        for (size_t v = 0; v < COUNT(values); v++) {
            const bool same_tiles = fields[f] == AT_ROWS && (values[v] == 64);
            if (!same_tiles) /* 64 rows take the bytes of 33: no contradiction */
                check_crafted(&b, fields[f], values[v], 8);
        }
    guard_free(&b.guard);
}

/* A lie that is another truth is attached, and then every byte that is read is there. */
static void check_possible(const void *packed, size_t size, int which)
{
    tmac_weights *weights = NULL;
    const tmac_status status =
        tmac_weights_attach(contexts.best[0], packed, size, TMAC_ATTACH_NO_CHECKSUM, &weights);

    CHECK(status == TMAC_OK || status == TMAC_ERROR_PACKED_HEADER, "shape %d: status %d", which,
          (int)status);
    if (status == TMAC_OK)
        use_weights(contexts.best[0], weights);
    tmac_weights_free(weights);
}

/* All that a forger can say together: huge shapes whose size overflows to what is there. */
static void test_crafted_products(void **state)
{
    struct rng rng = rng_stream(seed, 5, 0);
    struct bytes b;

    (void)state;
    bytes_of(&b, &common, contexts.scalar[0]);
    for (int i = 0; i < 2000; i++) {
        uint8_t header[HEADER];
        struct guard guard;
        memcpy(header, b.at, HEADER);
        put64(header + AT_ROWS, (int64_t)(rng_next(&rng) >> rng_between(&rng, 1, 63)));
        put64(header + AT_COLS, (int64_t)(rng_next(&rng) >> rng_between(&rng, 1, 63)) & ~127LL);
        header[AT_WIDTH] = (uint8_t)test_widths[rng_between(&rng, 0, TEST_WIDTHS - 1)];
        header[AT_LAYOUT] = (uint8_t)rng_between(&rng, 0, LAYOUTS - 1);
        put64(header + AT_BYTES, (int64_t)b.size);
        seal_header(header);
        memcpy(guard_new(&guard, b.size, 64, GUARD_END), header, HEADER);
        check_possible(guard.at, b.size, i);
        guard_free(&guard);
    }
    guard_free(&b.guard);
}

/* Values of the header's bytes that stand for something, as tmac.h has their numbers. */
static bool has_a_meaning(size_t at, int value)
{
    switch (at) {
    case AT_WIDTH:
        return (value >= 1 && value <= 4) || value == 8 || value == 17;
    case AT_LAYOUT:
        return value < LAYOUTS;
    case AT_SCALE_TYPE:
    case AT_SUB_KIND:
        return value <= 2;
    case AT_ZERO_KIND:
        return value <= 3;
    case AT_WHOLE_ROW:
    case AT_FINISHED:
        return value <= 1;
    case AT_SCALE_UNIT:
        return value == 1 || value == 2;
    case AT_SUB_BITS:
        return value >= 1 && value <= 8;
    default: /* reserved */
        return value == 0;
    }
}

static void test_crafted_kinds(void **state)
{
    const int64_t nan_bits = 0x7fc00000, infinity_bits = 0x7f800000;
    struct bytes b;

    (void)state;
    bytes_of(&b, &common, contexts.scalar[0]);
    for (size_t at = AT_WIDTH; at < AT_CHECKSUM; at++) {
        const bool is_number =
            (at >= AT_ZERO && at < AT_SUB_BITS) || (at >= AT_BYTES && at < AT_MORE);
        for (int value = 0; value < 256 && !is_number; value++)
            if (!has_a_meaning(at, value))
                check_crafted(&b, at, value, 1);
    }
    check_crafted(&b, AT_ZERO, nan_bits, 4);
    check_crafted(&b, AT_ZERO, infinity_bits, 4);
    guard_free(&b.guard);
}

/* The public numbers are those in the file. */
static void test_numbers_in_the_header(void **state)
{
    (void)state;
    for (int w = 0; w < TEST_WIDTHS; w++)
        for (int zero = TMAC_ZERO_SYMMETRIC; zero <= TMAC_ZERO_MINIMUM; zero++) {
            struct matrix_kind kind = common;
            struct bytes b;
            kind.width = test_widths[w];
            kind.zero = (tmac_zero)zero;
            bytes_of(&b, &kind, contexts.scalar[TMAC_LAYOUT_DIRECT]);
            CHECK(b.at[AT_WIDTH] == (uint8_t)kind.width && b.at[AT_LAYOUT] == TMAC_LAYOUT_DIRECT &&
                      b.at[AT_SCALE_TYPE] == TMAC_SCALE_F16 &&
                      b.at[AT_ZERO_KIND] == (uint8_t)zero && b.at[AT_SUB_KIND] == TMAC_SUB_I8 &&
                      b.at[AT_SUB_BITS] == 8 && b.at[AT_VERSION] == 2,
                  "%s", matrix_name(&kind));
            guard_free(&b.guard);
        }
}

/* ---- other contexts -------------------------------------------------------------------------- */

enum { BATCH = 11 };

static float *multiply(const tmac_context *context, const tmac_weights *weights,
                       const struct matrix_kind *kind)
{
    struct rng rng = rng_stream(seed, 6, 0);
    float *x = malloc((size_t)kind->cols * BATCH * sizeof *x);
    float *y = malloc((size_t)kind->rows * BATCH * sizeof *y);
    const tmac_activations activations = {
        .struct_size = sizeof activations, .cols = kind->cols, .batch = BATCH, .data = x};

    for (int64_t i = 0; i < kind->cols * BATCH; i++)
        x[i] = rng_normal(&rng);
    CHECK_OK(tmac_matmul(context, weights, &activations, y, kind->rows));
    free(x);
    return y;
}

/* Packed and multiplied by one context; saved, and attached and multiplied by scalar. */
static void check_saved(tmac_context *context, const struct matrix_kind *kind, const char *isa,
                        const char *layout)
{
    struct bytes b;
    tmac_weights *own, *attached;
    float *y, *y_attached;
    size_t at;

    if (!bytes_of(&b, kind, context))
        return;
    CHECK_OK(tmac_weights_attach(context, b.at, b.size, TMAC_ATTACH_VERIFY, &own));
    CHECK_OK(tmac_weights_attach(contexts.scalar[0], b.at, b.size, TMAC_ATTACH_VERIFY, &attached));
    guard_seal(&b.guard);
    y = multiply(context, own, kind);
    y_attached = multiply(contexts.scalar[0], attached, kind);
    at = check_floats(y, y_attached, (size_t)kind->rows * BATCH);
    CHECK(at == (size_t)kind->rows * BATCH, "%s, %s of %s: [%zu] %.9g and %.9g", matrix_name(kind),
          layout, isa, at, (double)y[at], (double)y_attached[at]);
    free(y);
    free(y_attached);
    tmac_weights_free(own);
    tmac_weights_free(attached);
    guard_free(&b.guard);
}

static void test_every_layout_everywhere(void **state)
{
    const struct isas isas = isas_available();
    const int share = check_share(1);
    uint64_t index = 0;

    (void)state;
    for (int i = 0; i < isas.count; i++)
        for (int l = 0; l < LAYOUTS; l++) {
            tmac_context *context = context_new(isas.name[i], (enum tmac_layout)l, 2);
            for (int w = 0; w < TEST_WIDTHS; w++)
                for (int zero = 0; zero < 4; zero++, index++) {
                    struct matrix_kind kind = common;
                    if (index % (uint64_t)share)
                        continue;
                    kind.rows = 100;
                    kind.cols = 1152;
                    kind.width = test_widths[w];
                    kind.zero = (tmac_zero)zero;
                    kind.sub = (tmac_sub_format)(index % 3);
                    kind.group = 16 << index % 3;
                    if (tmac_layout_is_nested((enum tmac_layout)l)) { /* what it can hold */
                        kind.sub = (tmac_sub_format)(1 + index % 2);
                        kind.group = 16 << index % 2;
                    }
                    check_saved(context, &kind, isas.name[i],
                                tmac_layout_name((enum tmac_layout)l));
                }
            tmac_context_free(context);
        }
}

/* ---- native ---------------------------------------------------------------------------------- */

/* Whether a machine with these sets has kernels of its own for a layout, at this width. */
static bool has_kernel(enum tmac_layout layout, tmac_width width, uint32_t isa_mask)
{
    for (int t = 1; t < TMAC_TIER_COUNT; t++) { /* scalar is none of its own */
        const struct tmac_set *set = tmac_tiers[t].set;
        for (int k = 0; set && k < set->kernel_count; k++) {
            const struct tmac_kernel *row = &set->kernels[k];
            if (row->layout == layout && (row->widths & TMAC_WIDTH_BIT(width)) &&
                (row->requires & ~isa_mask) == 0 && (row->batches & 1u << TMAC_BATCH_1) &&
                !row->averages)
                return true;
        }
    }
    return false;
}

static void check_native(const struct bytes *b, const char *isa, enum tmac_layout layout,
                         bool *seen)
{
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_context *context = context_new(isa, layout, 1);
    const bool native = has_kernel(layout, common.width, tmac_context_isa_mask(context));
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    const tmac_weights_desc desc = matrix_desc(&common);
    tmac_weights *weights = NULL;

    CHECK_STATUS(tmac_weights_attach(context, b->at, b->size, TMAC_ATTACH_NATIVE, &weights),
                 native ? TMAC_OK : TMAC_ERROR_NOT_NATIVE, "%s on %s", tmac_layout_name(layout),
                 isa);
    CHECK(native == (weights != NULL), "output");
    tmac_weights_free(weights);
    CHECK_OK(tmac_weights_attach(context, b->at, b->size, TMAC_ATTACH_VERIFY, &weights));
    CHECK_OK(tmac_weights_query(weights, &info));
    CHECK_OK(tmac_packed_query(context, &desc, &plan));
    CHECK(info.native == native && plan.native == native, "%s on %s: %s, native %d and %d",
          tmac_layout_name(layout), isa, info.kernel, (int)info.native, (int)plan.native);
    CHECK(native == !strstr(info.kernel, "_scalar"), "%s on %s: %s", tmac_layout_name(layout), isa,
          info.kernel);
    seen[native] = true;
    tmac_weights_free(weights);
    tmac_context_free(context);
}

/* Bytes of every layout, in contexts whose kernels know them, and in others. */
static void test_native(void **state)
{
    const struct isas isas = isas_available();
    bool seen[2] = {false, false};

    (void)state;
    for (int l = 0; l < LAYOUTS; l++) {
        struct bytes b;
        bytes_of(&b, &common, contexts.scalar[l]);
        for (int i = 0; i < isas.count; i++)
            check_native(&b, isas.name[i], (enum tmac_layout)l, seen);
        guard_free(&b.guard);
    }
    CHECK(seen[0] && (seen[1] || isas.count == 1), "nothing was %snative", seen[0] ? "" : "not ");
}

/* Both flags do both. */
static void test_native_and_unverified(void **state)
{
    tmac_context *scalar = context_new("scalar", TMAC_LAYOUT_DIRECT, 1);
    tmac_weights *weights = NULL;
    struct bytes b;

    (void)state;
    bytes_of(&b, &common, scalar);
    b.at[b.size - 1] ^= 1;
    CHECK_STATUS(tmac_weights_attach(scalar, b.at, b.size, TMAC_ATTACH_NATIVE, &weights),
                 TMAC_ERROR_PACKED_CHECKSUM, "damaged, before all else");
    CHECK_STATUS(tmac_weights_attach(scalar, b.at, b.size,
                                     TMAC_ATTACH_NATIVE | TMAC_ATTACH_NO_CHECKSUM, &weights),
                 TMAC_ERROR_NOT_NATIVE, "scalar");
    CHECK(!weights, "output");
    guard_free(&b.guard);
    tmac_context_free(scalar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_more_bytes_than_needed),
        cmocka_unit_test(test_every_header_bit),
        cmocka_unit_test(test_payload_bits),
        cmocka_unit_test(test_random_payload),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_misaligned),
        cmocka_unit_test(test_never_finished),
        cmocka_unit_test(test_crafted_sizes),
        cmocka_unit_test(test_crafted_products),
        cmocka_unit_test(test_crafted_kinds),
        cmocka_unit_test(test_numbers_in_the_header),
        cmocka_unit_test(test_every_layout_everywhere),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_native_and_unverified),
    };
    int failures;

    seed = rng_environment_seed();
    printf("TMAC_TEST_SEED=0x%llx\n", (unsigned long long)seed);
    contexts_new(&contexts, 2);
    failures = cmocka_run_group_tests_name("attach", tests, NULL, NULL);
    contexts_free(&contexts);
    return failures;
}
