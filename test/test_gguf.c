/* SPDX-License-Identifier: MIT
 *
 * The GGUF reader against files it must read and files it must refuse. Bad files are read from
 * memory of exactly their size, so that under ASan one byte too far is found.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gguf.h"
#include "tmac.h"

enum { FILE_ROOM = 4096, UNKNOWN_TYPE = 99, ALIGNMENT = 64 };

/* Some of llama.cpp's types. */
enum { F32 = 0, F16 = 1, Q4_0 = 2, Q8_0 = 8, Q4_K = 12, Q6_K = 14, TQ1_0 = 34, TYPES = 64 };

/* Metadata kinds that the tests name. */
enum { U8 = 0, U32 = 4, BOOL = 7, STRING = 8, ARRAY = 9, U64 = 10, KINDS = 13 };

/* A file being written, and where in it the fields are that tests spoil. */
struct file {
    unsigned char bytes[FILE_ROOM];
    size_t size;
    size_t version, tensor_count, metadata_count;
    size_t key_length, kind, string_length, array_kind, array_length, nested_kind, alignment;
    size_t name_length, name, n_dims, dim0, dim1, type, offset; /* of tensor "matrix" */
    size_t data;
};

static void put(struct file *f, const void *bytes, size_t n)
{
    assert_true(f->size + n <= sizeof f->bytes);
    memcpy(f->bytes + f->size, bytes, n);
    f->size += n;
}

static void poke(struct file *f, size_t at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        f->bytes[at + (size_t)i] = (unsigned char)(value >> 8 * i);
}

/* Appends a little-endian number and returns where it went. */
static size_t number(struct file *f, uint64_t value, int bytes)
{
    static const unsigned char zeros[8];
    size_t at = f->size;
    put(f, zeros, (size_t)bytes);
    poke(f, at, value, bytes);
    return at;
}

static size_t string(struct file *f, const char *text)
{
    size_t at = number(f, strlen(text), 8);
    put(f, text, strlen(text));
    return at;
}

static void pad(struct file *f)
{
    while (f->size % ALIGNMENT)
        number(f, 0, 1);
}

static size_t kind_size(int kind)
{
    static const unsigned char size[KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return size[kind];
}

/* Arrays of strings, and of arrays of numbers: two rows of three. */
static void put_arrays(struct file *f)
{
    string(f, "test.strings");
    number(f, ARRAY, 4);
    f->array_kind = number(f, STRING, 4);
    f->array_length = number(f, 3, 8);
    string(f, "one");
    string(f, "");
    string(f, "three");

    string(f, "test.nested");
    number(f, ARRAY, 4);
    f->nested_kind = number(f, ARRAY, 4);
    number(f, 2, 8);
    for (int row = 0; row < 2; row++) {
        number(f, U64, 4);
        number(f, 3, 8);
        for (uint64_t i = 0; i < 3; i++)
            number(f, i, 8);
    }
}

/* A value of every kind of fixed size, a string, arrays, and the alignment. */
static uint64_t put_metadata(struct file *f)
{
    uint64_t count = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        if (!kind_size(kind))
            continue;
        size_t key = string(f, "test.number");
        size_t at = number(f, (uint64_t)kind, 4);
        number(f, 1, (int)kind_size(kind));
        if (!count++) {
            f->key_length = key;
            f->kind = at;
        }
    }
    string(f, "test.string");
    number(f, STRING, 4);
    f->string_length = string(f, "a value");
    put_arrays(f);
    string(f, "general.alignment");
    number(f, U32, 4);
    f->alignment = number(f, ALIGNMENT, 4);
    return count + 4;
}

static void put_tensor(struct file *f, const char *name, uint32_t n_dims, const uint64_t *dims,
                       uint32_t type, uint64_t offset)
{
    f->name_length = string(f, name);
    f->name = f->name_length + 8;
    f->n_dims = number(f, n_dims, 4);
    for (uint32_t d = 0; d < n_dims; d++)
        f->dim0 = number(f, dims[d], 8) - 8 * d;
    f->dim1 = f->dim0 + 8;
    f->type = number(f, type, 4);
    f->offset = number(f, offset, 8);
}

/* Three tensors: "vector" 5 of F32, "strange" of a type nobody knows, "matrix" 64 x 3 of Q4_0,
 * which ends with the file's last byte. */
static void build(struct file *f, uint32_t version)
{
    memset(f, 0, sizeof *f);
    put(f, "GGUF", 4);
    f->version = number(f, version, 4);
    f->tensor_count = number(f, 3, 8);
    f->metadata_count = number(f, 0, 8);
    poke(f, f->metadata_count, put_metadata(f), 8);
    put_tensor(f, "vector", 1, (uint64_t[]){5}, F32, 0);
    put_tensor(f, "strange", 4, (uint64_t[]){7, 1, 2, 3}, UNKNOWN_TYPE, ALIGNMENT);
    put_tensor(f, "matrix", 2, (uint64_t[]){64, 3}, Q4_0, 2 * ALIGNMENT);
    pad(f);
    f->data = f->size;
    for (int i = 0; i < 2 * ALIGNMENT + 6 * 18; i++)
        number(f, (uint64_t)i, 1);
}

static volatile unsigned sink; /* keeps the compiler from leaving reads out */

/* Reads every byte that the reader says is there. */
static void touch_everything(const gguf *g)
{
    unsigned sum = 0;
    for (size_t i = 0; i < gguf_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor(g, i);
        for (uint64_t k = 0; k < t->bytes; k++)
            sum += ((const unsigned char *)t->data)[k];
        sum += (unsigned)strlen(t->name);
        sum += *(const unsigned char *)t->data;
    }
    sink = sum;
}

/* Reads the file's first `size` bytes from memory of that size. 0, or -1 and the error in `err`. */
static int try_prefix(const struct file *f, size_t size, char err[256])
{
    unsigned char *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, f->bytes, size);
    gguf *g = NULL;
    err[0] = 0;
    int result = gguf_open_memory(exact, size, &g, err, 256);
    if (result) {
        assert_null(g);
        assert_true(strlen(err) > 0);
    } else {
        touch_everything(g);
        gguf_close(g);
    }
    free(exact);
    return result;
}

static void demand_error(const struct file *f, const char *words)
{
    char err[256];
    assert_int_equal(try_prefix(f, f->size, err), -1);
    if (!strstr(err, words))
        fail_msg("the error is \"%s\", and does not say \"%s\"", err, words);
}

static void check_contents(const gguf *g, const struct file *f)
{
    assert_int_equal(gguf_count(g), 3);
    const struct gguf_tensor *vector = gguf_tensor(g, 0), *strange = gguf_tensor(g, 1);
    const struct gguf_tensor *matrix = gguf_find(g, "matrix");
    assert_string_equal(vector->name, "vector");
    assert_int_equal(vector->n_dims, 1);
    assert_int_equal(vector->dims[0], 5);
    assert_int_equal(vector->dims[3], 1);
    assert_int_equal(vector->bytes, 20);
    assert_memory_equal(vector->data, f->bytes + f->data, 20);

    assert_int_equal(strange->type, UNKNOWN_TYPE);
    assert_int_equal(strange->n_dims, 4);
    assert_int_equal(strange->bytes, 0);

    assert_ptr_equal(matrix, gguf_tensor(g, 2));
    assert_int_equal(matrix->type, Q4_0);
    assert_int_equal(matrix->dims[0], 64);
    assert_int_equal(matrix->dims[1], 3);
    assert_int_equal(matrix->bytes, 6 * 18);
    assert_memory_equal(matrix->data, f->bytes + f->data + 2 * ALIGNMENT, 6 * 18);
    assert_null(gguf_find(g, "nothing"));
}

static void reads_versions_2_and_3(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        struct file f;
        gguf *g;
        char err[256] = "";
        build(&f, version);
        if (gguf_open_memory(f.bytes, f.size, &g, err, sizeof err))
            fail_msg("%s", err);
        check_contents(g, &f);
        gguf_close(g);
    }
}

static void write_file(int fd, const struct file *f, size_t size)
{
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, f->bytes, size, 0), (ssize_t)size);
}

static void maps_files(void **state)
{
    (void)state;
    char path[] = "/tmp/test_gguf_XXXXXX", err[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct file f;
    gguf *g;
    build(&f, 3);
    write_file(fd, &f, f.size);
    assert_int_equal(gguf_open(path, &g, err, sizeof err), 0);
    check_contents(g, &f);
    gguf_close(g);

    write_file(fd, &f, f.size - 1);
    assert_int_equal(gguf_open(path, &g, err, sizeof err), -1);
    assert_null(g);
    assert_non_null(strstr(err, "matrix"));
    write_file(fd, &f, 0);
    assert_int_equal(gguf_open(path, &g, err, sizeof err), -1);
    assert_non_null(strstr(err, "empty"));
    close(fd);
    unlink(path);

    assert_int_equal(gguf_open(path, &g, err, sizeof err), -1);
    assert_int_equal(gguf_open("/", &g, err, sizeof err), -1);
    assert_int_equal(gguf_open("/", &g, NULL, 0), -1);
}

static void reads_a_file_without_tensors(void **state)
{
    (void)state;
    struct file f = {.size = 0};
    char err[256];
    put(&f, "GGUF", 4);
    number(&f, 3, 4);
    number(&f, 0, 8);
    number(&f, 0, 8);
    assert_int_equal(try_prefix(&f, f.size, err), 0);
}

static void aligns_to_32_by_itself(void **state)
{
    (void)state;
    struct file f = {.size = 0};
    gguf *g;
    put(&f, "GGUF", 4);
    number(&f, 3, 4);
    number(&f, 1, 8);
    number(&f, 0, 8);
    put_tensor(&f, "one", 0, NULL, F16, 0);
    while (f.size % 32)
        number(&f, 0, 1);
    size_t data = f.size;
    number(&f, 7, 2);
    assert_int_equal(gguf_open_memory(f.bytes, f.size, &g, NULL, 0), 0);
    assert_ptr_equal(gguf_tensor(g, 0)->data, f.bytes + data);
    assert_int_equal(gguf_tensor(g, 0)->bytes, 2);
    gguf_close(g);
}

static void knows_its_types(void **state)
{
    static const struct gguf_type some[] = {
        {"F32", F32, 1, 4},       {"Q4_0", Q4_0, 32, 18},    {"Q8_0", Q8_0, 32, 34},
        {"Q6_K", Q6_K, 256, 210}, {"TQ1_0", TQ1_0, 256, 54},
    };
    struct gguf_type type;

    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        assert_int_equal(gguf_type_of(some[i].number, &type), 0);
        assert_string_equal(type.name, some[i].name);
        assert_int_equal(type.weights, some[i].weights);
        assert_int_equal(type.bytes, some[i].bytes);
    }
    assert_int_equal(gguf_type_of(UNKNOWN_TYPE, &type), -1);
    assert_int_equal(gguf_type_of(UINT32_MAX, &type), -1);
}

/* What the reader knows of types without a format is to go when they get one. */
static void leaves_formats_to_libtmac(void **state)
{
    int own = 0, formats = 0;

    (void)state;
    for (uint32_t number = 0; number < TYPES; number++) {
        const bool format = tmac_format_find_ggml_type((int32_t)number) >= 0;
        struct gguf_type type;
        formats += format;
        own += !format && gguf_type_of(number, &type) == 0;
    }
    assert_int_equal(own, gguf_other_types);
    assert_true(formats > 0);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    struct file f;
    char err[256];
    build(&f, 3);
    for (size_t size = 0; size < f.size; size++)
        if (!try_prefix(&f, size, err))
            fail_msg("%zu of %zu bytes were taken for a whole file", size, f.size);
    assert_int_equal(try_prefix(&f, f.size, err), 0);
}

/* Any byte of the header may be anything: what comes of it is an error or a file, never a crash. */
static void survives_every_spoilt_byte(void **state)
{
    (void)state;
    static const unsigned char spoil[] = {0x01, 0x80, 0xff, 0x7f, 0x08, 0x09};
    struct file f;
    char err[256];
    build(&f, 3);
    for (size_t at = 0; at < f.data; at++)
        for (size_t i = 0; i < sizeof spoil; i++) {
            unsigned char was = f.bytes[at];
            f.bytes[at] = spoil[i];
            try_prefix(&f, f.size, err);
            f.bytes[at] = was ^ spoil[i];
            try_prefix(&f, f.size, err);
            f.bytes[at] = was;
        }
}

/* Eight bytes at once, wherever they fall, and every shorter file after them. */
static void survives_huge_numbers_everywhere(void **state)
{
    (void)state;
    static const uint64_t huge[] = {UINT64_MAX,     INT64_MAX,         (uint64_t)1 << 63,
                                    UINT64_MAX - 7, (uint64_t)1 << 32, UINT32_MAX};
    struct file f;
    char err[256];
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        build(&f, 3);
        for (size_t at = 0; at + 8 <= f.data; at++) {
            unsigned char was[8];
            memcpy(was, f.bytes + at, 8);
            poke(&f, at, huge[i], 8);
            try_prefix(&f, f.size, err);
            try_prefix(&f, at + 8, err);
            memcpy(f.bytes + at, was, 8);
        }
    }
}

/* One field of a good file spoilt, and the words that the error must have. */
static void refuses(size_t field_offset, uint64_t value, int bytes, const char *words)
{
    struct file f;
    size_t field;
    build(&f, 3);
    memcpy(&field, (char *)&f + field_offset, sizeof field);
    poke(&f, field, value, bytes);
    demand_error(&f, words);
}

#define REFUSES(field, value, bytes, words)                                                        \
    refuses(offsetof(struct file, field), value, bytes, words)

static void refuses_bad_headers(void **state)
{
    (void)state;
    struct file f;
    build(&f, 3);
    f.bytes[0] = 'g';
    demand_error(&f, "not a GGUF file");
    REFUSES(version, 0, 4, "version 0");
    REFUSES(version, 1, 4, "version 1");
    REFUSES(version, 4, 4, "version 4");
    REFUSES(version, 0x03000000, 4, "big-endian");
    REFUSES(tensor_count, UINT64_MAX, 8, "number of tensors");
    REFUSES(tensor_count, FILE_ROOM, 8, "number of tensors");
    REFUSES(metadata_count, UINT64_MAX, 8, "number of metadata");
    REFUSES(metadata_count, (uint64_t)1 << 61, 8, "number of metadata");
}

static void refuses_bad_metadata(void **state)
{
    (void)state;
    REFUSES(key_length, UINT64_MAX, 8, "metadata key");
    REFUSES(key_length, (uint64_t)1 << 32, 8, "metadata key");
    REFUSES(kind, KINDS, 4, "unknown kind 13");
    REFUSES(kind, UINT32_MAX, 4, "unknown kind");
    REFUSES(string_length, UINT64_MAX, 8, "string value");
    REFUSES(string_length, INT64_MAX, 8, "string value");
    REFUSES(array_kind, KINDS, 4, "unknown kind 13");
    REFUSES(array_length, UINT64_MAX, 8, "array's length");
    REFUSES(array_length, ((uint64_t)1 << 61) + 1, 8, "array's length");
    REFUSES(nested_kind, U64, 4, "");
    REFUSES(alignment, 0, 4, "power of two");
    REFUSES(alignment, 48, 4, "power of two");
    REFUSES(alignment, UINT32_MAX, 4, "power of two");
    REFUSES(alignment, 0x80000000, 4, "past the file's end");
}

static void refuses_bad_tensors(void **state)
{
    (void)state;
    REFUSES(name_length, UINT64_MAX, 8, "tensor's name");
    REFUSES(name_length, (uint64_t)1 << 31, 8, "tensor's name");
    REFUSES(name, 0, 1, "control character");
    REFUSES(name, 0x1b, 1, "control character");
    REFUSES(n_dims, 5, 4, "5 dimensions");
    REFUSES(n_dims, UINT32_MAX, 4, "dimensions");
    REFUSES(dim0, 0, 8, "is 0");
    REFUSES(dim0, 63, 8, "blocks of 32");
    REFUSES(dim0, 128, 8, "past the file's end");
    REFUSES(dim0, UINT64_MAX, 8, "overflow");
    REFUSES(dim1, (uint64_t)1 << 57, 8, "overflow");
    REFUSES(dim1, (uint64_t)1 << 56, 8, "past the file's end");
    REFUSES(dim1, 4, 8, "past the file's end");
    REFUSES(type, Q8_0, 4, "past the file's end");
    REFUSES(type, Q4_K, 4, "blocks of 256");
    REFUSES(offset, UINT64_MAX, 8, "multiple of the alignment");
    REFUSES(offset, 2 * ALIGNMENT + 1, 8, "multiple of the alignment");
    REFUSES(offset, 3 * ALIGNMENT, 8, "run past the file's end");
    REFUSES(offset, UINT64_MAX - ALIGNMENT + 1, 8, "begin past the file's end");
    REFUSES(offset, (uint64_t)1 << 63, 8, "begin past the file's end");
}

/* Sizes overflow where the count of weights still fits. */
static void refuses_sizes_that_overflow(void **state)
{
    (void)state;
    struct file f;
    build(&f, 3);
    poke(&f, f.type, F32, 4);
    poke(&f, f.dim1, (uint64_t)1 << 56, 8);
    demand_error(&f, "size of tensor matrix overflows");
}

static void put_nested(struct file *f, int depth)
{
    put(f, "GGUF", 4);
    number(f, 3, 4);
    number(f, 0, 8);
    number(f, 1, 8);
    string(f, "deep");
    number(f, ARRAY, 4);
    for (int i = 1; i < depth; i++) {
        number(f, ARRAY, 4);
        number(f, 1, 8);
    }
    number(f, BOOL, 4);
    number(f, 1, 8);
    number(f, 1, 1);
}

static void refuses_deep_nesting(void **state)
{
    (void)state;
    char err[256];
    struct file shallow = {.size = 0}, deep = {.size = 0};
    put_nested(&shallow, 8);
    assert_int_equal(try_prefix(&shallow, shallow.size, err), 0);
    put_nested(&deep, 300);
    demand_error(&deep, "nested deeper");
}

static void refuses_a_second_alignment(void **state)
{
    (void)state;
    struct file f = {.size = 0};
    put(&f, "GGUF", 4);
    number(&f, 3, 4);
    number(&f, 0, 8);
    number(&f, 2, 8);
    for (int i = 0; i < 2; i++) {
        string(&f, "general.alignment");
        number(&f, U32, 4);
        number(&f, 32, 4);
    }
    demand_error(&f, "twice");
    poke(&f, f.size - 8, U8, 4);
    demand_error(&f, "32-bit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_versions_2_and_3),
        cmocka_unit_test(maps_files),
        cmocka_unit_test(reads_a_file_without_tensors),
        cmocka_unit_test(aligns_to_32_by_itself),
        cmocka_unit_test(knows_its_types),
        cmocka_unit_test(leaves_formats_to_libtmac),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_every_spoilt_byte),
        cmocka_unit_test(survives_huge_numbers_everywhere),
        cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(refuses_bad_metadata),
        cmocka_unit_test(refuses_bad_tensors),
        cmocka_unit_test(refuses_sizes_that_overflow),
        cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(refuses_a_second_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
