/* SPDX-License-Identifier: MIT
 *
 * See gguf.h.
 */
#define _POSIX_C_SOURCE 200809L

#include "gguf.h"

#include "tmac.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DEFAULT_ALIGNMENT = 32,
    MAX_DIMS = 4,
    MAX_NESTING = 8, /* of arrays in arrays. Nobody nests; the stack must not depend on the file */
};

/* The fewest bytes that an entry can have: more entries than fit cannot be there. */
enum {
    MIN_METADATA = 8 + 4 + 1,   /* key length, kind, one byte of value */
    MIN_TENSOR = 8 + 4 + 4 + 8, /* name length, dimensions, type, offset */
};

/* Kinds of metadata values. */
enum kind { KIND_UINT32 = 4, KIND_STRING = 8, KIND_ARRAY = 9, KIND_COUNT = 13 };

/* Bytes of the kinds of fixed size: u8 i8 u16 i16 u32 i32 f32 bool, string, array, u64 i64 f64. */
static const unsigned char kind_bytes[KIND_COUNT] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/* Types that libtmac has no format for. */
static const struct gguf_type others[] = {
    {"F32", 0, 1, 4},    {"F16", 1, 1, 2},       {"BF16", 30, 1, 2},     {"Q5_0", 6, 32, 22},
    {"Q5_1", 7, 32, 24}, {"Q5_K", 13, 256, 176}, {"Q6_K", 14, 256, 210},
};

const int gguf_other_types = sizeof others / sizeof *others;

struct gguf {
    void *map; /* to be unmapped; NULL when the caller owns the bytes */
    size_t map_size;
    size_t count;
    struct gguf_tensor *tensors; /* with names of their own: the file's do not end with NUL */
};

/* Where reading is; `at` never passes `size`. */
struct reader {
    const unsigned char *file;
    size_t size, at;
    uint64_t alignment; /* 0 until the metadata names one */
    char *err;
    size_t errlen;
};

int gguf_type_of(uint32_t number, struct gguf_type *type)
{
    tmac_format_info info = {.struct_size = sizeof info};

    if (number <= INT32_MAX &&
        tmac_format_query(tmac_format_find_ggml_type((int32_t)number), &info) == TMAC_OK) {
        *type =
            (struct gguf_type){info.name, number, (uint32_t)info.block, (uint32_t)info.block_bytes};
        return 0;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].number == number) {
            *type = others[i];
            return 0;
        }
    return -1;
}

/* ---- reading: the only code that touches the file's bytes ---- */

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
tell(struct reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->err, r->errlen, format, args);
    va_end(args);
}

/* A macro, so that compilers see the -1, and that what was to be read is set when it is not one. */
#define fail(r, ...) (tell(r, __VA_ARGS__), -1)

/* Passes over n bytes that belong to `what`; *bytes is where they were. */
static int take(struct reader *r, uint64_t n, const unsigned char **bytes, const char *what)
{
    if (n > r->size - r->at)
        return fail(r, "%s at byte %zu runs past the file's end (%zu bytes)", what, r->at, r->size);
    *bytes = r->file + r->at;
    r->at += (size_t)n;
    return 0;
}

static int read_u32(struct reader *r, uint32_t *value, const char *what)
{
    const unsigned char *b;
    if (take(r, 4, &b, what))
        return -1;
    *value = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return 0;
}

static int read_u64(struct reader *r, uint64_t *value, const char *what)
{
    uint32_t low, high;
    if (read_u32(r, &low, what) || read_u32(r, &high, what))
        return -1;
    *value = low | (uint64_t)high << 32;
    return 0;
}

static int read_string(struct reader *r, const unsigned char **text, uint64_t *length,
                       const char *what)
{
    return read_u64(r, length, what) || take(r, *length, text, what) ? -1 : 0;
}

/* A count of things that have at least `smallest` bytes each. */
static int read_count(struct reader *r, uint64_t *count, size_t smallest, const char *what)
{
    if (read_u64(r, count, what))
        return -1;
    if (*count > (r->size - r->at) / smallest)
        return fail(r, "%s is %llu, more than the file has room for", what,
                    (unsigned long long)*count);
    return 0;
}

/* ---- metadata ---- */

static int skip_value(struct reader *r, uint32_t kind, int nesting);

static int skip_array(struct reader *r, int nesting)
{
    uint32_t kind;
    uint64_t count;
    const unsigned char *ignored;
    if (nesting == MAX_NESTING)
        return fail(r, "arrays are nested deeper than %d at byte %zu", MAX_NESTING, r->at);
    if (read_u32(r, &kind, "an array's kind"))
        return -1;
    if (kind >= KIND_COUNT)
        return fail(r, "an array at byte %zu is of the unknown kind %u", r->at - 4, kind);
    /* Strings and arrays have a length of 8 bytes at least, so that this bounds the loop too. */
    size_t smallest = kind_bytes[kind] ? kind_bytes[kind] : 8;
    if (read_count(r, &count, smallest, "an array's length"))
        return -1;
    if (kind_bytes[kind])
        return take(r, count * kind_bytes[kind], &ignored, "an array");
    for (uint64_t i = 0; i < count; i++)
        if (skip_value(r, kind, nesting + 1))
            return -1;
    return 0;
}

static int skip_value(struct reader *r, uint32_t kind, int nesting)
{
    const unsigned char *ignored;
    uint64_t length;
    if (kind >= KIND_COUNT)
        return fail(r, "a value at byte %zu is of the unknown kind %u", r->at, kind);
    if (kind == KIND_STRING)
        return read_string(r, &ignored, &length, "a string value");
    if (kind == KIND_ARRAY)
        return skip_array(r, nesting);
    return take(r, kind_bytes[kind], &ignored, "a value");
}

static int read_alignment(struct reader *r, uint32_t kind)
{
    uint32_t value;
    if (kind != KIND_UINT32)
        return fail(r, "general.alignment is not a 32-bit number");
    if (r->alignment)
        return fail(r, "general.alignment is there twice");
    if (read_u32(r, &value, "general.alignment"))
        return -1;
    if (!value || value & (value - 1))
        return fail(r, "general.alignment is %u, not a power of two", value);
    r->alignment = value;
    return 0;
}

static int read_metadata(struct reader *r, uint64_t count)
{
    static const char alignment[] = "general.alignment";
    for (uint64_t i = 0; i < count; i++) {
        const unsigned char *key;
        uint64_t length;
        uint32_t kind;
        if (read_string(r, &key, &length, "a metadata key") || read_u32(r, &kind, "a value's kind"))
            return -1;
        int is_alignment =
            length == sizeof alignment - 1 && !memcmp(key, alignment, sizeof alignment - 1);
        if (is_alignment ? read_alignment(r, kind) : skip_value(r, kind, 0))
            return -1;
    }
    if (!r->alignment)
        r->alignment = DEFAULT_ALIGNMENT;
    return 0;
}

/* ---- tensors ---- */

static int read_name(struct reader *r, struct gguf_tensor *t, size_t i)
{
    const unsigned char *name;
    uint64_t length;
    if (read_string(r, &name, &length, "a tensor's name"))
        return -1;
    for (uint64_t k = 0; k < length; k++)
        if (name[k] < 0x20 || name[k] == 0x7f)
            return fail(r, "the name of tensor %zu holds a control character", i);
    t->name = strndup((const char *)name, (size_t)length);
    return t->name ? 0 : fail(r, "out of memory");
}

static int read_dims(struct reader *r, struct gguf_tensor *t)
{
    if (read_u32(r, &t->n_dims, "a tensor's number of dimensions"))
        return -1;
    if (t->n_dims > MAX_DIMS)
        return fail(r, "tensor %s has %u dimensions", t->name, t->n_dims);
    uint64_t weights = 1;
    for (uint32_t d = 0; d < MAX_DIMS; d++) {
        t->dims[d] = 1;
        if (d < t->n_dims && read_u64(r, &t->dims[d], "a tensor's dimension"))
            return -1;
        if (!t->dims[d])
            return fail(r, "dimension %u of tensor %s is 0", d, t->name);
        if (t->dims[d] > INT64_MAX / weights)
            return fail(r, "the dimensions of tensor %s overflow", t->name);
        weights *= t->dims[d];
    }
    return 0;
}

/* Bytes of the tensor; 0 for an unknown type. */
static int size_tensor(struct reader *r, struct gguf_tensor *t)
{
    struct gguf_type type;
    t->bytes = 0;
    if (gguf_type_of(t->type, &type))
        return 0;
    if (t->dims[0] % type.weights)
        return fail(r, "tensor %s has rows of %llu weights, but %s comes in blocks of %u", t->name,
                    (unsigned long long)t->dims[0], type.name, type.weights);
    uint64_t blocks = t->dims[0] / type.weights * t->dims[1] * t->dims[2] * t->dims[3];
    if (blocks > UINT64_MAX / type.bytes)
        return fail(r, "the size of tensor %s overflows", t->name);
    t->bytes = blocks * type.bytes;
    return 0;
}

/*
 * Reads what the header says of the tensors. Where their data begin is known only after the last
 * of them, so that until then offsets[i] is all that is known of the place.
 */
static int read_tensors(struct reader *r, gguf *g, uint64_t *offsets)
{
    for (size_t i = 0; i < g->count; i++) {
        struct gguf_tensor *t = &g->tensors[i];
        if (read_name(r, t, i) || read_dims(r, t) || read_u32(r, &t->type, "a tensor's type") ||
            size_tensor(r, t) || read_u64(r, &offsets[i], "a tensor's offset"))
            return -1;
    }
    return 0;
}

static int place_tensor(struct reader *r, struct gguf_tensor *t, uint64_t data, uint64_t offset)
{
    if (offset % r->alignment)
        return fail(r, "the offset of tensor %s, %llu, is not a multiple of the alignment, %llu",
                    t->name, (unsigned long long)offset, (unsigned long long)r->alignment);
    if (data >= r->size || offset >= r->size - data)
        return fail(r, "the data of tensor %s begin past the file's end", t->name);
    if (t->bytes > r->size - data - offset)
        return fail(r, "the data of tensor %s (%llu bytes) run past the file's end", t->name,
                    (unsigned long long)t->bytes);
    t->data = r->file + data + offset;
    return 0;
}

static int place_tensors(struct reader *r, gguf *g, const uint64_t *offsets)
{
    /* Cannot overflow: `at` is a size in memory and the alignment has 32 bits. */
    uint64_t data = ((uint64_t)r->at + r->alignment - 1) & ~(r->alignment - 1);
    for (size_t i = 0; i < g->count; i++)
        if (place_tensor(r, &g->tensors[i], data, offsets[i]))
            return -1;
    return 0;
}

/* ---- opening ---- */

static int read_header(struct reader *r, uint64_t *tensors, uint64_t *metadata)
{
    const unsigned char *magic;
    uint32_t version;
    if (take(r, 4, &magic, "the magic"))
        return -1;
    if (memcmp(magic, "GGUF", 4))
        return fail(r, "not a GGUF file");
    if (read_u32(r, &version, "the version"))
        return -1;
    if (version && !(version & 0xffff))
        return fail(r, "a big-endian file");
    if (version != 2 && version != 3)
        return fail(r, "GGUF version %u; only 2 and 3 are known", version);
    return read_count(r, tensors, MIN_TENSOR, "the number of tensors") ||
                   read_count(r, metadata, MIN_METADATA, "the number of metadata entries")
               ? -1
               : 0;
}

static int read_file(struct reader *r, gguf *g)
{
    uint64_t count, metadata;
    if (read_header(r, &count, &metadata) || read_metadata(r, metadata))
        return -1;
    /* The count is bounded by the file's size. One more, as calloc of 0 may be NULL. */
    uint64_t *offsets = calloc((size_t)count + 1, sizeof *offsets);
    g->tensors = calloc((size_t)count + 1, sizeof *g->tensors);
    if (g->tensors)
        g->count = (size_t)count;
    int result = offsets && g->tensors ? 0 : fail(r, "out of memory");
    if (!result && (read_tensors(r, g, offsets) || place_tensors(r, g, offsets)))
        result = -1;
    free(offsets);
    return result;
}

int gguf_open_memory(const void *file, size_t size, gguf **out, char *err, size_t errlen)
{
    struct reader r = {.file = file, .size = size, .err = err, .errlen = errlen};
    *out = NULL;
    gguf *g = calloc(1, sizeof *g);
    if (!g)
        return fail(&r, "out of memory");
    if (read_file(&r, g)) {
        gguf_close(g);
        return -1;
    }
    *out = g;
    return 0;
}

static int map_file(struct reader *r, int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return fail(r, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(r, "not a regular file");
    if (st.st_size <= 0)
        return fail(r, "the file is empty");
    if ((uintmax_t)st.st_size > SIZE_MAX)
        return fail(r, "the file is too large for this machine's addresses");
    r->size = (size_t)st.st_size;
    void *map = mmap(NULL, r->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return fail(r, "%s", strerror(errno));
    r->file = map;
    return 0;
}

int gguf_open(const char *path, gguf **out, char *err, size_t errlen)
{
    struct reader r = {.err = err, .errlen = errlen};
    *out = NULL;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return fail(&r, "%s", strerror(errno));
    int result = map_file(&r, fd);
    close(fd); /* the map lives on */
    if (result)
        return -1;
    if (gguf_open_memory(r.file, r.size, out, err, errlen)) {
        munmap((void *)r.file, r.size);
        return -1;
    }
    (*out)->map = (void *)r.file;
    (*out)->map_size = r.size;
    return 0;
}

void gguf_close(gguf *g)
{
    if (!g)
        return;
    if (g->map)
        munmap(g->map, g->map_size);
    for (size_t i = 0; i < g->count; i++)
        free((char *)g->tensors[i].name);
    free(g->tensors);
    free(g);
}

size_t gguf_count(const gguf *g)
{
    return g->count;
}

const struct gguf_tensor *gguf_tensor(const gguf *g, size_t i)
{
    return &g->tensors[i];
}

const struct gguf_tensor *gguf_find(const gguf *g, const char *name)
{
    for (size_t i = 0; i < g->count; i++)
        if (!strcmp(g->tensors[i].name, name))
            return &g->tensors[i];
    return NULL;
}
