/* SPDX-License-Identifier: MIT
 *
 * See peer.h. The ABI is that of llama.cpp 0.5.0 (backend API version 2), kept to what is least
 * likely to move: exported functions, and pointers to structs that stay opaque. Two structs are
 * known here all the same; both say why that is safe.
 */
#define _POSIX_C_SOURCE 200809L

#include "peer.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LAST_TYPE = 42, /* Q2_0: ggml does not check type numbers itself */
    TYPE_F32 = 0,
    BACKEND_API = 2,
    USAGE_WEIGHTS = 1, /* GGML_BACKEND_BUFFER_USAGE_WEIGHTS */
    GRAPH_NODES = 8,   /* ours have three */
    LOG_WARNING = 3,   /* GGML_LOG_LEVEL_WARN; 4 is an error */
    LOG_ERROR = 4,
    PATH_BYTES = 4096,
};

/* ggml_init takes it by value. It has not changed since ggml has had contexts. */
struct ggml_init_params {
    size_t mem_size;
    void *mem_buffer;
    _Bool no_alloc;
};

/*
 * What ggml_get_type_traits points to, in llama.cpp 0.5.0. There is no accessor for to_float, so
 * its place is trusted only after the fields before it have agreed with their accessors.
 */
struct type_traits {
    const char *type_name;
    int64_t blck_size;
    int64_t blck_size_interleave;
    size_t type_size;
    _Bool is_quantized;
    void (*to_float)(const void *blocks, float *out, int64_t n);
};

/* ggml_threadpool_params is filled by ggml and read by ggml: it only needs room (530 bytes). */
union threadpool_params {
    max_align_t align;
    unsigned char room[4096];
};

typedef struct ggml_tensor ggml_tensor;
typedef struct ggml_context ggml_context;
typedef struct ggml_cgraph ggml_cgraph;
typedef struct ggml_backend ggml_backend;
typedef struct ggml_backend_dev ggml_backend_dev;
typedef struct ggml_backend_reg ggml_backend_reg;
typedef struct ggml_buft ggml_buft;
typedef struct ggml_buffer ggml_buffer;
typedef struct ggml_threadpool ggml_threadpool;

/* What is taken from libggml-base.so, by dlsym. */
struct base_api {
    void (*log_set)(void (*log)(int level, const char *text, void *user), void *user);
    int64_t (*blck_size)(int type);
    size_t (*type_size)(int type);
    const char *(*type_name)(int type);
    size_t (*row_size)(int type, int64_t n);
    const struct type_traits *(*get_type_traits)(int type);
    _Bool (*quantize_requires_imatrix)(int type);
    size_t (*quantize_chunk)(int type, const float *src, void *dst, int64_t start, int64_t nrows,
                             int64_t n_per_row, const float *imatrix);
    ggml_context *(*init)(struct ggml_init_params);
    void (*free)(ggml_context *);
    size_t (*tensor_overhead)(void);
    size_t (*graph_overhead_custom)(size_t nodes, _Bool grads);
    size_t (*nbytes)(const ggml_tensor *);
    ggml_tensor *(*new_tensor_2d)(ggml_context *, int type, int64_t ne0, int64_t ne1);
    ggml_tensor *(*mul_mat)(ggml_context *, ggml_tensor *w, ggml_tensor *x);
    ggml_cgraph *(*new_graph_custom)(ggml_context *, size_t nodes, _Bool grads);
    void (*build_forward_expand)(ggml_cgraph *, ggml_tensor *);
    ggml_backend_dev *(*reg_dev_get)(ggml_backend_reg *, size_t index);
    void *(*reg_get_proc_address)(ggml_backend_reg *, const char *name);
    ggml_backend *(*dev_init)(ggml_backend_dev *, const char *params);
    ggml_buft *(*dev_buffer_type)(ggml_backend_dev *);
    _Bool (*dev_supports_op)(ggml_backend_dev *, const ggml_tensor *op);
    void (*backend_free)(ggml_backend *);
    int (*graph_compute)(ggml_backend *, ggml_cgraph *);
    const char *(*buft_name)(ggml_buft *);
    size_t (*buft_get_alloc_size)(ggml_buft *, const ggml_tensor *);
    ggml_buffer *(*buft_alloc_buffer)(ggml_buft *, size_t);
    ggml_buffer *(*alloc_ctx_tensors_from_buft)(ggml_context *, ggml_buft *);
    ggml_buft *(*buffer_get_type)(ggml_buffer *);
    void *(*buffer_get_base)(ggml_buffer *);
    void (*buffer_set_usage)(ggml_buffer *, int usage);
    void (*buffer_free)(ggml_buffer *);
    int (*tensor_alloc)(ggml_buffer *, ggml_tensor *, void *address);
    void (*tensor_set)(ggml_tensor *, const void *data, size_t offset, size_t size);
    void (*tensor_get)(const ggml_tensor *, void *data, size_t offset, size_t size);
    void (*threadpool_params_init)(union threadpool_params *, int threads);
};

/* What is taken from the CPU backend, by its own reg_get_proc_address. */
struct cpu_api {
    ggml_buft **(*get_extra_bufts)(ggml_backend_dev *);
    void (*set_n_threads)(ggml_backend *, int threads);
    void (*set_threadpool)(ggml_backend *, ggml_threadpool *);
    ggml_threadpool *(*threadpool_new)(union threadpool_params *);
    void (*threadpool_free)(ggml_threadpool *);
};

struct symbol {
    const char *name;
    size_t offset;
};

static const struct symbol base_symbols[] = {
    {"ggml_log_set", offsetof(struct base_api, log_set)},
    {"ggml_blck_size", offsetof(struct base_api, blck_size)},
    {"ggml_type_size", offsetof(struct base_api, type_size)},
    {"ggml_type_name", offsetof(struct base_api, type_name)},
    {"ggml_row_size", offsetof(struct base_api, row_size)},
    {"ggml_get_type_traits", offsetof(struct base_api, get_type_traits)},
    {"ggml_quantize_requires_imatrix", offsetof(struct base_api, quantize_requires_imatrix)},
    {"ggml_quantize_chunk", offsetof(struct base_api, quantize_chunk)},
    {"ggml_init", offsetof(struct base_api, init)},
    {"ggml_free", offsetof(struct base_api, free)},
    {"ggml_tensor_overhead", offsetof(struct base_api, tensor_overhead)},
    {"ggml_graph_overhead_custom", offsetof(struct base_api, graph_overhead_custom)},
    {"ggml_nbytes", offsetof(struct base_api, nbytes)},
    {"ggml_new_tensor_2d", offsetof(struct base_api, new_tensor_2d)},
    {"ggml_mul_mat", offsetof(struct base_api, mul_mat)},
    {"ggml_new_graph_custom", offsetof(struct base_api, new_graph_custom)},
    {"ggml_build_forward_expand", offsetof(struct base_api, build_forward_expand)},
    {"ggml_backend_reg_dev_get", offsetof(struct base_api, reg_dev_get)},
    {"ggml_backend_reg_get_proc_address", offsetof(struct base_api, reg_get_proc_address)},
    {"ggml_backend_dev_init", offsetof(struct base_api, dev_init)},
    {"ggml_backend_dev_buffer_type", offsetof(struct base_api, dev_buffer_type)},
    {"ggml_backend_dev_supports_op", offsetof(struct base_api, dev_supports_op)},
    {"ggml_backend_free", offsetof(struct base_api, backend_free)},
    {"ggml_backend_graph_compute", offsetof(struct base_api, graph_compute)},
    {"ggml_backend_buft_name", offsetof(struct base_api, buft_name)},
    {"ggml_backend_buft_get_alloc_size", offsetof(struct base_api, buft_get_alloc_size)},
    {"ggml_backend_buft_alloc_buffer", offsetof(struct base_api, buft_alloc_buffer)},
    {"ggml_backend_alloc_ctx_tensors_from_buft",
     offsetof(struct base_api, alloc_ctx_tensors_from_buft)},
    {"ggml_backend_buffer_get_type", offsetof(struct base_api, buffer_get_type)},
    {"ggml_backend_buffer_get_base", offsetof(struct base_api, buffer_get_base)},
    {"ggml_backend_buffer_set_usage", offsetof(struct base_api, buffer_set_usage)},
    {"ggml_backend_buffer_free", offsetof(struct base_api, buffer_free)},
    {"ggml_backend_tensor_alloc", offsetof(struct base_api, tensor_alloc)},
    {"ggml_backend_tensor_set", offsetof(struct base_api, tensor_set)},
    {"ggml_backend_tensor_get", offsetof(struct base_api, tensor_get)},
    {"ggml_threadpool_params_init", offsetof(struct base_api, threadpool_params_init)},
};

static const struct symbol cpu_symbols[] = {
    {"ggml_backend_dev_get_extra_bufts", offsetof(struct cpu_api, get_extra_bufts)},
    {"ggml_backend_set_n_threads", offsetof(struct cpu_api, set_n_threads)},
    {"ggml_backend_cpu_set_threadpool", offsetof(struct cpu_api, set_threadpool)},
    {"ggml_threadpool_new", offsetof(struct cpu_api, threadpool_new)},
    {"ggml_threadpool_free", offsetof(struct cpu_api, threadpool_free)},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct peer {
    void *base_library, *cpu_library;
    struct base_api g;
    struct cpu_api cpu;
    ggml_backend_reg *reg;
    ggml_backend_dev *dev;
    ggml_backend *backend;
    ggml_threadpool *pool; /* of `threads` threads; NULL and 0 while resting */
    int threads;
    char variant[64];
    char reason[256];
};

/* The graph y = w x for one number of inputs. */
struct run {
    struct run *next;
    int batch;
    ggml_context *ctx;
    ggml_buffer *buffer;
    ggml_tensor *x, *y;
    ggml_cgraph *graph;
};

struct peer_matrix {
    peer *p;
    ggml_context *ctx;
    ggml_buffer *buffer;
    ggml_tensor *w;
    int type;
    int64_t rows, cols;
    struct run *runs;
    struct run *current;
    int threads; /* for `current` */
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static int
fail(peer *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->reason, sizeof p->reason, format, args);
    va_end(args);
    return -1;
}

/* ---- opening ---- */

/* POSIX lets a void * hold a function, but C has no cast that every compiler takes in silence. */
static void store_function(void *table, size_t offset, void *address)
{
    memcpy((char *)table + offset, &address, sizeof address);
}

static int call_int(void *library, const char *name)
{
    int (*function)(void) = NULL;
    store_function(&function, 0, dlsym(library, name));
    return function ? function() : 0;
}

static void *open_library(peer *p, const char *folder, const char *name)
{
    char path[PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        fail(p, "the folder's name is too long");
        return NULL;
    }
    /* RTLD_LOCAL: every variant exports the same names, and each must find its own. */
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail(p, "%s", dlerror());
    return library;
}

/* Opens one variant and tells its score; 0 when it cannot be opened or this CPU cannot run it. */
static int open_variant(peer *p, const char *folder, const char *variant, void **library)
{
    char name[sizeof p->variant + 32];
    snprintf(name, sizeof name, "libggml-cpu-%s.so", variant);
    *library = open_library(p, folder, name);
    if (!*library)
        return 0;
    int score = call_int(*library, "ggml_backend_score");
    if (score <= 0) {
        fail(p, "this CPU cannot run the variant %s", variant);
        dlclose(*library);
        *library = NULL;
    }
    return score > 0 ? score : 0;
}

/* Of "libggml-cpu-haswell.so": "haswell". 0 for any other kind of name. */
static int variant_of(const char *file, char *variant, size_t size)
{
    static const char prefix[] = "libggml-cpu-", suffix[] = ".so";
    size_t n = strlen(file), before = sizeof prefix - 1, after = sizeof suffix - 1;
    if (n <= before + after || strncmp(file, prefix, before) || strcmp(file + n - after, suffix))
        return 0;
    n -= before + after;
    if (n >= size)
        return 0;
    memcpy(variant, file + before, n);
    variant[n] = 0;
    return 1;
}

static int pick_best(peer *p, const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return fail(p, "cannot read the folder %s", folder);
    int best = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char variant[sizeof p->variant];
        void *library = NULL;
        if (!variant_of(entry->d_name, variant, sizeof variant))
            continue;
        int score = open_variant(p, folder, variant, &library);
        /* Equal scores: the first in the alphabet, since the order of a folder means nothing. */
        if (score > best || (score && score == best && strcmp(variant, p->variant) < 0)) {
            best = score;
            memcpy(p->variant, variant, sizeof variant);
        }
        if (library)
            dlclose(library);
    }
    closedir(dir);
    return best ? 0 : fail(p, "no libggml-cpu-*.so in %s runs on this CPU", folder);
}

static int open_libraries(peer *p, const char *folder, const char *variant)
{
    /* The base first, by its path: the variants then find it under its soname. */
    p->base_library = open_library(p, folder, "libggml-base.so");
    if (!p->base_library)
        return -1;
    if (!variant && pick_best(p, folder))
        return -1;
    if (variant && snprintf(p->variant, sizeof p->variant, "%s", variant) >= (int)sizeof p->variant)
        return fail(p, "the variant's name is too long");
    return open_variant(p, folder, p->variant, &p->cpu_library) ? 0 : -1;
}

static int find_base_symbols(peer *p)
{
    for (size_t i = 0; i < COUNT(base_symbols); i++) {
        void *address = dlsym(p->base_library, base_symbols[i].name);
        if (!address)
            return fail(p, "libggml-base.so has no %s", base_symbols[i].name);
        store_function(&p->g, base_symbols[i].offset, address);
    }
    return 0;
}

/* ggml tells of every matrix it repacks; a benchmark's output has no use for that. */
static void log_trouble(int level, const char *text, void *user)
{
    (void)user;
    if (level == LOG_WARNING || level == LOG_ERROR)
        fputs(text, stderr);
}

static int start_backend(peer *p)
{
    p->g.log_set(log_trouble, NULL);
    ggml_backend_reg *(*init)(void) = NULL;
    store_function(&init, 0, dlsym(p->cpu_library, "ggml_backend_init"));
    p->reg = init ? init() : NULL;
    if (!p->reg)
        return fail(p, "ggml_backend_init failed");
    /* The version is the first member for good: by it ggml's own loader refuses other versions. */
    int version;
    memcpy(&version, p->reg, sizeof version);
    if (version != BACKEND_API)
        return fail(p, "backend API version %d, and only %d is known", version, BACKEND_API);

    for (size_t i = 0; i < COUNT(cpu_symbols); i++) {
        void *address = p->g.reg_get_proc_address(p->reg, cpu_symbols[i].name);
        if (!address)
            return fail(p, "the backend has no %s", cpu_symbols[i].name);
        store_function(&p->cpu, cpu_symbols[i].offset, address);
    }
    p->dev = p->g.reg_dev_get(p->reg, 0);
    p->backend = p->dev ? p->g.dev_init(p->dev, NULL) : NULL;
    return p->backend ? 0 : fail(p, "the CPU device cannot be started");
}

int peer_open(const char *folder, const char *variant, peer **out, char *err, size_t errlen)
{
    *out = NULL;
    peer *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(err, errlen, "out of memory");
        return -1;
    }
    if (open_libraries(p, folder, variant) || find_base_symbols(p) || start_backend(p)) {
        snprintf(err, errlen, "%s", p->reason);
        peer_close(p);
        return -1;
    }
    *out = p;
    return 0;
}

void peer_close(peer *p)
{
    if (!p)
        return;
    if (p->backend) {
        peer_rest(p);
        p->g.backend_free(p->backend);
    }
    if (p->cpu_library)
        dlclose(p->cpu_library);
    if (p->base_library)
        dlclose(p->base_library);
    free(p);
}

const char *peer_variant(const peer *p)
{
    return p->variant;
}

const char *peer_reason(const peer *p)
{
    return p->reason;
}

/* ---- types ---- */

int64_t peer_block_size(const peer *p, int type)
{
    /* Numbers that llama.cpp has retired have blocks of 0. */
    return type >= 0 && type <= LAST_TYPE ? p->g.blck_size(type) : 0;
}

const char *peer_type_name(const peer *p, int type)
{
    return peer_block_size(p, type) ? p->g.type_name(type) : NULL;
}

size_t peer_row_size(const peer *p, int type, int64_t cols)
{
    int64_t block = peer_block_size(p, type);
    return block && cols > 0 && cols % block == 0 ? p->g.row_size(type, cols) : 0;
}

/* As peer_row_size, but a 0 leaves its reason behind. */
static size_t checked_row_size(peer *p, int type, int64_t rows, int64_t cols)
{
    size_t bytes = peer_row_size(p, type, cols);
    if (!bytes || rows <= 0) {
        fail(p, "type %d (%s) cannot be %lld x %lld", type,
             peer_type_name(p, type) ? peer_type_name(p, type) : "unknown", (long long)rows,
             (long long)cols);
        return 0;
    }
    return bytes;
}

int peer_to_float(peer *p, int type, const void *blocks, float *out, int64_t n)
{
    if (!checked_row_size(p, type, 1, n))
        return -1;
    if (type == TYPE_F32) {
        memcpy(out, blocks, (size_t)n * sizeof *out);
        return 0;
    }
    const struct type_traits *t = p->g.get_type_traits(type);
    if (t->type_name != p->g.type_name(type) || t->blck_size != p->g.blck_size(type) ||
        t->type_size != p->g.type_size(type))
        return fail(p, "ggml_type_traits is not laid out as in llama.cpp 0.5.0");
    if (!t->to_float)
        return fail(p, "%s cannot be turned into floats", t->type_name);
    t->to_float(blocks, out, n);
    return 0;
}

int peer_quantize(peer *p, int type, const float *src, void *dst, int64_t rows, int64_t cols)
{
    size_t row_bytes = checked_row_size(p, type, rows, cols);
    if (!row_bytes)
        return -1;
    if (p->g.quantize_requires_imatrix(type))
        return fail(p, "%s needs an importance matrix", p->g.type_name(type));
    if (p->g.quantize_chunk(type, src, dst, 0, rows, cols, NULL) != row_bytes * (size_t)rows)
        return fail(p, "%s has no quantizer", p->g.type_name(type));
    return 0;
}

/* ---- threads ---- */

void peer_rest(peer *p)
{
    if (!p->pool)
        return;
    p->cpu.set_threadpool(p->backend, NULL);
    p->cpu.threadpool_free(p->pool);
    p->pool = NULL;
    p->threads = 0;
}

/*
 * Without a pool ggml would start and join threads in every compute. llama.cpp's programs attach
 * one, for one thread as for many, with these same defaults; so does this.
 */
static int use_threads(peer *p, int threads)
{
    if (p->threads == threads)
        return 0;
    peer_rest(p);
    union threadpool_params params;
    memset(&params, 0, sizeof params);
    p->g.threadpool_params_init(&params, threads);
    p->pool = p->cpu.threadpool_new(&params);
    if (!p->pool)
        return fail(p, "no pool of %d threads", threads);
    p->cpu.set_threadpool(p->backend, p->pool);
    p->cpu.set_n_threads(p->backend, threads);
    p->threads = threads;
    return 0;
}

/* ---- matrices ---- */

static ggml_context *new_context(peer *p, size_t tensors)
{
    /* One tensor more than asked for covers the rounding of objects inside the context. */
    size_t size =
        (tensors + 1) * p->g.tensor_overhead() + p->g.graph_overhead_custom(GRAPH_NODES, 0);
    ggml_context *ctx = p->g.init((struct ggml_init_params){size, NULL, 1});
    if (!ctx)
        fail(p, "out of memory");
    return ctx;
}

static void free_run(peer *p, struct run *run)
{
    if (run->buffer)
        p->g.buffer_free(run->buffer);
    if (run->ctx)
        p->g.free(run->ctx);
    free(run);
}

static int build_run(peer_matrix *m, struct run *run, int batch)
{
    peer *p = m->p;
    run->batch = batch;
    run->ctx = new_context(p, 2);
    if (!run->ctx)
        return -1;
    run->x = p->g.new_tensor_2d(run->ctx, TYPE_F32, m->cols, batch);
    run->y = p->g.mul_mat(run->ctx, m->w, run->x);
    run->buffer = p->g.alloc_ctx_tensors_from_buft(run->ctx, p->g.dev_buffer_type(p->dev));
    if (!run->buffer)
        return fail(p, "out of memory");
    if (!p->g.dev_supports_op(p->dev, run->y))
        return fail(p, "%s cannot multiply %s", peer_matrix_layout(m), p->g.type_name(m->type));
    run->graph = p->g.new_graph_custom(run->ctx, GRAPH_NODES, 0);
    p->g.build_forward_expand(run->graph, run->y);
    return 0;
}

static struct run *find_run(peer_matrix *m, int batch)
{
    struct run *run = m->runs;
    while (run && run->batch != batch)
        run = run->next;
    if (run)
        return run;
    run = calloc(1, sizeof *run);
    if (!run) {
        fail(m->p, "out of memory");
        return NULL;
    }
    if (build_run(m, run, batch)) {
        free_run(m->p, run);
        return NULL;
    }
    run->next = m->runs;
    m->runs = run;
    return run;
}

/* Takes the weights' memory away again; what remains of `m` can be placed anew. */
static void displace(peer_matrix *m)
{
    while (m->runs) {
        struct run *next = m->runs->next;
        free_run(m->p, m->runs);
        m->runs = next;
    }
    if (m->buffer)
        m->p->g.buffer_free(m->buffer);
    if (m->ctx)
        m->p->g.free(m->ctx);
    m->buffer = NULL;
    m->ctx = NULL;
}

/*
 * Gives the weights memory of one buffer type, if the backend can multiply by them there. That can
 * only be asked of a tensor that is there already, and must be asked before weights are written:
 * the repacking buffer crashes on a tensor that it has no layout for.
 */
static int place(peer_matrix *m, ggml_buft *buft)
{
    peer *p = m->p;
    m->ctx = new_context(p, 1);
    if (!m->ctx)
        return -1;
    m->w = p->g.new_tensor_2d(m->ctx, m->type, m->cols, m->rows);
    m->buffer = p->g.buft_alloc_buffer(buft, p->g.buft_get_alloc_size(buft, m->w));
    if (!m->buffer) {
        fail(p, "out of memory");
    } else {
        p->g.buffer_set_usage(m->buffer, USAGE_WEIGHTS);
        if (p->g.tensor_alloc(m->buffer, m->w, p->g.buffer_get_base(m->buffer)))
            fail(p, "%s refuses the matrix", p->g.buft_name(buft));
        else if (find_run(m, 1))
            return 0;
    }
    displace(m);
    return -1;
}

static int place_repacked(peer_matrix *m)
{
    peer *p = m->p;
    fail(p, "the backend has no layouts but the plain one");
    for (ggml_buft **extra = p->cpu.get_extra_bufts(p->dev); extra && *extra; extra++) {
        if (!place(m, *extra))
            return 0;
    }
    return -1;
}

peer_matrix *peer_matrix_create(peer *p, int type, int64_t rows, int64_t cols, const void *blocks,
                                int repacked)
{
    if (!checked_row_size(p, type, rows, cols))
        return NULL;
    peer_matrix *m = calloc(1, sizeof *m);
    if (!m) {
        fail(p, "out of memory");
        return NULL;
    }
    m->p = p;
    m->type = type;
    m->rows = rows;
    m->cols = cols;
    if (repacked ? place_repacked(m) : place(m, p->g.dev_buffer_type(p->dev))) {
        free(m);
        return NULL;
    }
    p->g.tensor_set(m->w, blocks, 0, p->g.nbytes(m->w));
    return m;
}

void peer_matrix_free(peer_matrix *m)
{
    if (!m)
        return;
    displace(m);
    free(m);
}

const char *peer_matrix_layout(const peer_matrix *m)
{
    return m->p->g.buft_name(m->p->g.buffer_get_type(m->buffer));
}

/* ---- multiplying ---- */

int peer_matrix_prepare(peer_matrix *m, int N, int threads)
{
    if (N < 1 || threads < 1)
        return fail(m->p, "%d inputs, %d threads", N, threads);
    struct run *run = find_run(m, N);
    if (!run)
        return -1;
    m->current = run;
    m->threads = threads;
    return 0;
}

void peer_matrix_set_x(peer_matrix *m, const float *x)
{
    size_t n = (size_t)m->cols * (size_t)m->current->batch;
    m->p->g.tensor_set(m->current->x, x, 0, n * sizeof *x);
}

int peer_matrix_compute(peer_matrix *m)
{
    peer *p = m->p;
    if (use_threads(p, m->threads))
        return -1;
    int status = p->g.graph_compute(p->backend, m->current->graph);
    return status ? fail(p, "ggml_backend_graph_compute: status %d", status) : 0;
}

void peer_matrix_get_y(peer_matrix *m, float *y)
{
    size_t n = (size_t)m->rows * (size_t)m->current->batch;
    m->p->g.tensor_get(m->current->y, y, 0, n * sizeof *y);
}

int peer_matrix_run(peer_matrix *m, const float *x, int N, int threads, float *y)
{
    if (peer_matrix_prepare(m, N, threads))
        return -1;
    peer_matrix_set_x(m, x);
    if (peer_matrix_compute(m))
        return -1;
    peer_matrix_get_y(m, y);
    return 0;
}
