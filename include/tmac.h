/* SPDX-License-Identifier: MIT
 *
 * libtmac: low-bit weights times float activations on CPUs, by table lookup and by byte dot products.
 *
 * Three nouns and three verbs:
 *
 *   weights   pack       quantized codes and scales, rearranged once for this CPU's kernels
 *   tables    build      what the kernels want prepared from the activations of a batch
 *   context   multiply   instruction set, threads, allocator; gemv (a batch of 1) and gemm
 *
 * A weight matrix W has `rows` (M) rows and `cols` (K) columns. The activations X are a batch of N
 * inputs of K numbers; the result Y is N outputs of M numbers: Y[n][m] = sum over k of W[m][k] * X[n][k].
 * An input lies contiguous in memory, the next one a stride behind it.
 *
 * High-level calls take handles, and use the context's threads and memory. Low-level calls are for hosts
 * that own memory and threads: they work on the calling thread, in memory that the host gives.
 *
 * Conventions of every function here
 *   Errors    A function that can fail returns a tmac_status; on anything but TMAC_OK its output
 *             arguments are untouched unless its comment says otherwise. The library never
 *             aborts, never prints, and reads or writes nothing outside the memory described to it.
 *             It opens no file.
 *   Threads   A context, weights and tables that are not being built may be used by any number of
 *             threads at once. Building a tables object, and freeing anything, needs that no other
 *             thread uses it. No function takes more than TMAC_STACK_BYTES of its thread's stack.
 *   Fork      In the child of a fork() every handle of the parent and every function still works, but
 *             on the calling thread alone: the threads of OpenMP's pool stay behind in the parent.
 *             (A host's parallel_for is called as ever.)
 *   Lifetime  A handle belongs to the caller and is freed with the matching _free (NULL is fine).
 *             A context must outlive the weights and tables that were made with it. Weights and tables
 *             belong to their context: with another one they are TMAC_ERROR_CONTEXT.
 *   Structs   start with struct_size, which the caller sets to sizeof the struct and zeroes the
 *             rest: later versions add members at the end, and zero always means the default.
 *   Numbers   Sizes are in bytes, strides in elements unless a name says bytes. Rows, cols, batch and
 *             strides are int64_t and must not be negative. The floating-point environment must be the
 *             default one: rounding to nearest, denormals kept (with flush-to-zero results near the
 *             smallest floats differ between machines).
 */
#ifndef TMAC_H
#define TMAC_H

#include <stddef.h>
#include <stdint.h>

#define TMAC_VERSION_MAJOR 0
#define TMAC_VERSION_MINOR 1
#define TMAC_VERSION_PATCH 0

#if defined(_WIN32)
#define TMAC_API
#elif defined(__GNUC__)
#define TMAC_API __attribute__((visibility("default")))
#else
#define TMAC_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The most that any call takes of the stack of the thread that calls it, or works for it. */
#define TMAC_STACK_BYTES 65536

/* ---------------------------------------------------------------------------------------------
 * Status
 * ------------------------------------------------------------------------------------------- */

typedef enum tmac_status {
    TMAC_OK = 0,
    TMAC_ERROR_NULL = 1,        /* a required pointer is null */
    TMAC_ERROR_STRUCT_SIZE = 2, /* struct_size is not one this library knows */
    TMAC_ERROR_ENUM = 3,        /* an enumerated member has an unknown value */
    TMAC_ERROR_SHAPE = 4,       /* rows, cols, batch or a stride is negative, zero or too small */
    TMAC_ERROR_OVERFLOW = 5,    /* a size computed from the shape does not fit */
    TMAC_ERROR_GROUP = 6,       /* group size unknown, or it does not divide cols */
    TMAC_ERROR_CODE = 7,        /* a code is out of range for its width */
    TMAC_ERROR_SCALE = 8,       /* a scale or minimum is NaN or infinite */
    TMAC_ERROR_ZERO = 9,        /* a zero point is NaN, infinite or out of range for its width */
    TMAC_ERROR_SUB_SCALE = 10,  /* a sub-scale or sub-minimum is out of range for its format */
    TMAC_ERROR_GGML_TYPE = 11,  /* a ggml type that is not known, or cannot hold these weights */
    TMAC_ERROR_ISA = 12,        /* unknown instruction set, or one this machine lacks */
    TMAC_ERROR_FAMILY = 13,     /* lookup where it cannot be: of 8 bits, or in TMAC_MODE_EXACT; or a
                                    layout or kernel named that is not of the context's family */
    TMAC_ERROR_THREADS = 14,    /* a thread count or a part index is out of range */
    TMAC_ERROR_ROW_RANGE = 15,  /* a row range is reversed, out of range, or not at a row step */
    TMAC_ERROR_BATCH = 16,      /* more inputs than the tables have room for */
    TMAC_ERROR_TABLE_LAYOUT = 17,   /* these tables are not laid out for these weights */
    TMAC_ERROR_NOT_BUILT = 18,      /* tables are multiplied before they were built */
    TMAC_ERROR_BUFFER_SIZE = 19,    /* the caller's memory is too small */
    TMAC_ERROR_ALIGNMENT = 20,      /* the caller's memory is not aligned as required */
    TMAC_ERROR_MEMORY = 21,         /* the allocator returned null */
    TMAC_ERROR_PACKED_MAGIC = 22,   /* packed bytes do not start with libtmac's header */
    TMAC_ERROR_PACKED_VERSION = 23, /* packed by an incompatible version or byte order */
    TMAC_ERROR_PACKED_HEADER = 24, /* the header of packed bytes is damaged or contradicts itself */
    TMAC_ERROR_PACKED_CHECKSUM = 25, /* the packed bytes are damaged or were never finished */
    TMAC_ERROR_PACKED_SIZE = 26,     /* fewer packed bytes than the header speaks of */
    TMAC_ERROR_ALLOCATOR = 27,       /* only one of the two allocator functions was given */
    TMAC_ERROR_CONTEXT = 28,         /* weights, tables and context do not belong together */
    TMAC_ERROR_TUNING_FOREIGN = 29,  /* tuning of another CPU or another version of the library */
    TMAC_ERROR_TUNING_DAMAGED = 30,  /* a tuning file that is not one, or is damaged */
    TMAC_ERROR_LAYOUT = 31, /* an unknown packed layout, or one that cannot hold these weights */
    TMAC_ERROR_KERNEL = 32, /* an unknown kernel, or one that this machine cannot run */
    TMAC_ERROR_NOT_NATIVE = 33, /* only scalar code could multiply these weights here */
    TMAC_ERROR_EXPERT = 34,     /* an expert's number is out of range, or experts differ in shape */
    TMAC_ERROR_INPUTS = 35      /* neither or both of activations and tables are given */
} tmac_status;

/* One English sentence for a status, never null; static storage. */
TMAC_API const char *tmac_status_text(tmac_status status);

/* The library's version at run time: "0.1.0", and major * 10000 + minor * 100 + patch. */
TMAC_API const char *tmac_version_text(void);
TMAC_API uint32_t tmac_version(void);

/* ---------------------------------------------------------------------------------------------
 * Context
 * ------------------------------------------------------------------------------------------- */

typedef struct tmac_context tmac_context;
typedef struct tmac_weights tmac_weights;
typedef struct tmac_tables tmac_tables;
typedef struct tmac_tuning tmac_tuning;

/* Instruction sets, one bit each. Every machine has scalar. */
#define TMAC_ISA_SCALAR UINT32_C(0x0001)
#define TMAC_ISA_X86_AVX2 UINT32_C(0x0010)        /* with FMA and F16C: x86-64-v3 */
#define TMAC_ISA_X86_AVX_VNNI UINT32_C(0x1000)    /* AVX2 and VNNI of 256 bits: Alder Lake, Zen 5 */
#define TMAC_ISA_X86_AVX512 UINT32_C(0x0020)      /* F, BW, DQ, VL: x86-64-v4, Skylake-X */
#define TMAC_ISA_X86_AVX512_VNNI UINT32_C(0x0040) /* and VNNI: Cascade Lake */
#define TMAC_ISA_X86_AVX512_VBMI UINT32_C(0x0080) /* and VBMI: Ice Lake, Zen 4 */
#define TMAC_ISA_ARM64 UINT32_C(0x0100)           /* NEON */
#define TMAC_ISA_ARM64_DOTPROD UINT32_C(0x0200)   /* and the dot product instructions */

/* One piece of parallel work, and a host's way to run `count` of them. The host calls
 * task(arg, i) exactly once for every i in [0, count), on any threads in any order, and returns
 * when all have returned. Tasks do not block on each other. */
typedef void tmac_task_fn(void *arg, int index);
typedef void tmac_parallel_for_fn(void *host, int count, tmac_task_fn *task, void *arg);

/* Memory from the host: `size` > 0 bytes aligned to `align` (a power of two), or null. */
typedef void *tmac_allocate_fn(void *host, size_t size, size_t align);
typedef void tmac_release_fn(void *host, void *memory);

/* Which kernels may be chosen (docs/algorithm.md). Lookup multiplies 1 to 4 bits and ternary, direct every
 * width. */
typedef enum tmac_family {
    TMAC_FAMILY_AUTO = 0,   /* the one that measured fastest on these instruction sets */
    TMAC_FAMILY_LOOKUP = 1, /* a table for every 4 activations, a lookup for every bit plane */
    TMAC_FAMILY_DIRECT = 2  /* activations as int8, multiplied with codes unpacked in registers */
} tmac_family;

/* How results are rounded (docs/numerics.md). The mode belongs to packing, building tables and
 * multiplying alike: use one context for all three. */
typedef enum tmac_mode {
    /* Exact integers between the rounding of activations, per block of 16 to 128, and the scales. */
    TMAC_MODE_DEFAULT = 0,
    /* Activations are rounded to int8 once, with one scale d = max|x| / 127 per input (int8
     * activations are taken as they are, with their own scales), and every sum of codes times int8 is
     * the exact integer: what BitNet and other models trained with int8 activations expect. Weights
     * are packed in the direct family; TMAC_FAMILY_LOOKUP is TMAC_ERROR_FAMILY. */
    TMAC_MODE_EXACT = 1,
    /* Lookup kernels may average four table entries in bytes instead of adding them up: up to a
     * fifth faster on AVX2, at 2.4 times the rounding error of lookup (5.5 times its square). Where
     * averages gain nothing kernels work as in TMAC_MODE_DEFAULT. */
    TMAC_MODE_FAST = 2
} tmac_mode;

typedef struct tmac_context_options {
    size_t struct_size;
    /* The best instruction set allowed, by name ("scalar", "x86-avx2", "x86-avx-vnni", "x86-avx512",
     * "x86-avx512-vnni", "x86-avx512-vbmi", "arm64", "arm64-dotprod"), with those that it builds on:
     * "x86-avx-vnni" is AVX2 and AVX-VNNI, without AVX-512. NULL: no limit by name. */
    const char *isa;
    /* Bits TMAC_ISA_* that may be used; 0: all. Scalar is always allowed; a set without those that it
     * builds on is not used. */
    uint32_t isa_mask;
    /* Threads to work with, 1 to 1024; 0: as many as OpenMP offers. Built without OpenMP the library
     * has one, whatever is asked. With parallel_for: how many tasks to hand out, 0 counts as 1. */
    int32_t threads;
    tmac_parallel_for_fn *parallel_for; /* NULL: OpenMP, or the calling thread */
    void *parallel_host;                /* passed to parallel_for */
    tmac_allocate_fn *allocate; /* both or none; NULL: the C library, huge pages for large blocks */
    tmac_release_fn *release;
    void *allocator_host; /* passed to both */
    tmac_family family;
    tmac_mode mode;
    /* Choices measured on this machine, for AUTO; copied. NULL: the library's own. */
    const tmac_tuning *tuning;
    /* Names for those who measure or test. A layout: weights are packed so, and refused where it
     * cannot hold them (TMAC_ERROR_LAYOUT). A kernel: the same with its layout, and it multiplies
     * whatever it serves. tmac_weights_info and docs/packed-layout.md have the names; NULL: no wish. */
    const char *layout;
    const char *kernel;
} tmac_context_options;

/* Makes a context. `options` may be NULL for the defaults. The environment variable TMAC_ISA, when
 * set to one of the names above, limits the instruction sets further (an unknown name is
 * TMAC_ERROR_ISA; empty is as if it were not set); it can only take away. It is read here and
 * nowhere else. */
TMAC_API tmac_status tmac_context_create(const tmac_context_options *options, tmac_context **out);
TMAC_API void tmac_context_free(tmac_context *context);

/* The instruction set in use, by name, and all sets in use as bits TMAC_ISA_*. */
TMAC_API const char *tmac_context_isa(const tmac_context *context);
TMAC_API uint32_t tmac_context_isa_mask(const tmac_context *context);
TMAC_API int32_t tmac_context_threads(const tmac_context *context);

/* ---------------------------------------------------------------------------------------------
 * Weights: what they are
 *
 * A weight is code q times scale, less a zero. With g the group of column k in row m:
 *
 *   one level   scale(m,g) = scales[m][g]
 *   two levels  scale(m,g) = scales[m][G] * sub_scales[m][g]         G: the super-group of g
 *
 *   SYMMETRIC   w = scale * (q - 2^(bits-1));  1 bit: scale * (2q - 1);  ternary: scale * (q - 1)
 *   CONSTANT    w = scale * (q - zero)
 *   POINT       w = scale * (q - zero_points[m][g])
 *   MINIMUM     w = scale * q + minimum;  one level:  minimum = minimums[m][g]
 *                                         two levels: minimum = minimums[m][G] * sub_minimums[m][g]
 *
 * (The minimum is what code 0 stands for; K-quants subtract theirs, so they come negated.)
 * ------------------------------------------------------------------------------------------- */

typedef enum tmac_width {
    TMAC_WIDTH_1 = 1,
    TMAC_WIDTH_2 = 2,
    TMAC_WIDTH_3 = 3,
    TMAC_WIDTH_4 = 4,
    TMAC_WIDTH_8 = 8,
    TMAC_WIDTH_TERNARY = 17 /* codes 0, 1, 2; a number that no width in bits needs */
} tmac_width;

typedef enum tmac_code_format {
    TMAC_CODES_BYTES = 0, /* one code per byte */
    /* A row is a stream of codes of the width's bits (ternary: 2), the first code in the lowest bits
     * of the first byte; 3-bit codes cross byte borders. Rows start at whole bytes. */
    TMAC_CODES_DENSE = 1,
    TMAC_CODES_GGML = 2 /* rows of ggml blocks with the scales in them: tmac_weights_desc_ggml() */
} tmac_code_format;

typedef enum tmac_scale_type {
    TMAC_SCALE_F32 = 0,
    TMAC_SCALE_F16 = 1,
    TMAC_SCALE_BF16 = 2
} tmac_scale_type;

typedef enum tmac_zero {
    TMAC_ZERO_SYMMETRIC = 0,
    TMAC_ZERO_CONSTANT = 1,
    TMAC_ZERO_POINT = 2,
    TMAC_ZERO_MINIMUM = 3
} tmac_zero;

typedef enum tmac_sub_format {
    TMAC_SUB_NONE = 0, /* one level of scales */
    TMAC_SUB_I8 = 1,   /* sub-scales -128..127, sub-minimums 0..255; a byte each when packed */
    TMAC_SUB_U4 = 2    /* both 0..15; half a byte each when packed */
} tmac_sub_format;

#define TMAC_GROUP_ROW INT64_C(-1)    /* one scale per row */
#define TMAC_GROUP_TENSOR INT64_C(-2) /* one scale for the whole matrix */

typedef struct tmac_weights_desc {
    size_t struct_size;
    int64_t rows; /* M >= 1 */
    int64_t cols; /* K >= 1, a multiple of the group (and super-group) size */
    tmac_width width;
    tmac_code_format code_format;
    const void *codes;      /* any alignment */
    int64_t code_row_bytes; /* bytes from one row to the next; 0: rows follow each other tightly */
    int64_t group;          /* 16, 32, 64, 128, 256, TMAC_GROUP_ROW or TMAC_GROUP_TENSOR */
    tmac_scale_type scale_type;
    const void *scales; /* [rows][groups], or [rows][super-groups]; [1] for the whole tensor */
    /* Elements from one row to the next, of scales and minimums; 0: tight. */
    int64_t scale_row_stride;
    tmac_zero zero_kind;
    float zero; /* CONSTANT: finite */
    /* POINT: [rows][groups], each at most 2^bits (ternary: 4; 8 bits: 255); [1] for the whole tensor. */
    const uint8_t *zero_points;
    const void *minimums;    /* MINIMUM: shaped and typed like scales */
    int64_t zero_row_stride; /* elements from one row of zero_points to the next; 0: tight */
    tmac_sub_format sub_format;
    /* Two levels: 32 .. 256, a power of two above the group size, or TMAC_GROUP_ROW. The group is then
     * 16 .. 128. */
    int64_t super_group;
    const int8_t *sub_scales;    /* two levels: [rows][groups] */
    const uint8_t *sub_minimums; /* two levels and MINIMUM: [rows][groups] */
    int64_t sub_row_stride;      /* elements from one row of either to the next; 0: tight */
    int32_t ggml_type;           /* TMAC_CODES_GGML: the number of the type in ggml's own enum */
    /* 0 .. rows - 1: the row that all pointers above point at (TMAC_GROUP_TENSOR: only that of the codes).
     * For a caller that has a part of a matrix and packs it with tmac_packed_rows(): rows before it have
     * no address and cannot be packed. */
    int64_t first_row;
} tmac_weights_desc;

/* Describes rows of ggml blocks as they lie in a GGUF file. `type` is ggml's number of a type that
 * tmac_format_find_ggml_type() knows. `cols` must be a multiple of the type's block. TQ2_0 blocks with
 * the unused code 3 are refused when packed (TMAC_ERROR_CODE). Sets every member but struct_size (which
 * the caller has set) and code_row_bytes (tight rows; change it afterwards for a stride). */
TMAC_API tmac_status tmac_weights_desc_ggml(tmac_weights_desc *desc, int32_t type, int64_t rows,
                                            int64_t cols, const void *blocks);

/* ---------------------------------------------------------------------------------------------
 * Formats
 *
 * All that weights may come in, as a list: first types of ggml blocks, then the widths of codes that lie
 * apart from their scales. An index is good for as long as the library is loaded; later versions add
 * formats, not always at the end. Programs that read this list instead of keeping their own work with
 * those too.
 * ------------------------------------------------------------------------------------------- */

/* TMAC_FAMILY_LOOKUP multiplies it. (TMAC_FAMILY_DIRECT multiplies all.) */
#define TMAC_FORMAT_LOOKUP UINT32_C(1)

typedef struct tmac_format_info {
    size_t struct_size;
    /* ggml's, in capitals: "Q4_K"; or "w1" .. "w8" and "ternary". Static storage. */
    const char *name;
    /* ggml's number, for tmac_weights_desc_ggml(); -1: codes of a width, for TMAC_CODES_BYTES and _DENSE.
     * All that follows but width and flags is 0 then: the description says it. */
    int32_t ggml_type;
    int32_t block;       /* weights in a block, of which a row is a multiple: 32, 64, 128 or 256 */
    int32_t block_bytes; /* bytes of a block, scales included */
    tmac_width width;    /* of the codes */
    int32_t group;       /* weights that share a scale (two levels: a sub-scale), 16 .. block */
    int32_t super_group; /* two levels: weights that share a scale, always `block`; else 0 */
    tmac_scale_type scale_type; /* of scales and minimums */
    tmac_zero zero_kind;
    float zero; /* CONSTANT: the code that stands for 0 */
    tmac_sub_format sub_format;
    /* Two levels: bits of a sub-scale in a block, 4 .. 8. I8 without minimums: -2^(bits-1) and up; else,
     * and for sub-minimums, 0 and up. */
    int32_t sub_bits;
    uint32_t flags; /* TMAC_FORMAT_* */
} tmac_format_info;

TMAC_API int32_t tmac_format_count(void);
/* Format `index`, 0 .. count - 1 (TMAC_ERROR_SHAPE for another). */
TMAC_API tmac_status tmac_format_query(int32_t index, tmac_format_info *info);
/* The index of a format, or -1. Capitals and small letters are the same: ggml itself writes "q4_K". */
TMAC_API int32_t tmac_format_find(const char *name);
TMAC_API int32_t tmac_format_find_ggml_type(int32_t type);

/* Bad data, by what packing says of it: a code (TMAC_ERROR_CODE), a scale or minimum (_SCALE), a zero point
 * (_ZERO), a sub-scale or sub-minimum (_SUB_SCALE). */
typedef struct tmac_fault {
    size_t struct_size;
    int64_t row;
    int64_t col;  /* of a code; else the first one of its group or super-group */
    double value; /* what is there */
} tmac_fault;

/* Reads all weights of a description, from first_row on: the status that packing them gives. Where that is
 * for bad data `fault` tells where, row by row, groups before codes. For whoever wants to know after packing
 * has failed: it takes as long as packing with one thread. */
TMAC_API tmac_status tmac_weights_desc_check(const tmac_weights_desc *desc, tmac_fault *fault);

/* ---------------------------------------------------------------------------------------------
 * Weights: high-level calls
 * ------------------------------------------------------------------------------------------- */

/* Packs weights into memory of the context's allocator, with all its threads. The description and
 * what it points to are no longer needed afterwards. */
TMAC_API tmac_status tmac_weights_pack(const tmac_context *context, const tmac_weights_desc *desc,
                                       tmac_weights **out);
TMAC_API void tmac_weights_free(tmac_weights *weights);

typedef struct tmac_weights_info {
    size_t struct_size;
    int64_t rows;
    int64_t cols;
    tmac_width width;
    int64_t group;         /* TMAC_GROUP_ROW for one scale per row or tensor */
    int64_t super_group;   /* in activations: cols for TMAC_GROUP_ROW; 0: one level */
    size_t packed_bytes;   /* header included */
    int64_t row_step;      /* row ranges to pack start at its multiples; best for multiplying too */
    uint32_t table_layout; /* tables with this layout serve these weights; never 0 */
    tmac_family family;
    const char *layout; /* name of the packed layout, static storage */
    const char *kernel; /* name of the kernel that multiplies them, static storage */
    const void *packed; /* the packed bytes, alive as long as the weights: save and attach them */
    int32_t native;     /* 1: kernels of this machine's instruction sets multiply them; 0: only
                              scalar code can, many times slower */
} tmac_weights_info;

TMAC_API tmac_status tmac_weights_query(const tmac_weights *weights, tmac_weights_info *info);

/* Unpacks rows [row_begin, row_end) to floats: out[(m - row_begin) * stride + k], stride >= cols.
 * Gives scale * (q - zero) in single precision: for MINIMUM scale * q rounded, then the sum. `out`
 * is aligned as floats are. */
TMAC_API tmac_status tmac_weights_unpack(const tmac_weights *weights, int64_t row_begin,
                                         int64_t row_end, float *out, int64_t stride);

/* Writes rows [row_begin, row_end) as blocks of a ggml type, as they lie in a GGUF file: the inverse
 * of packing them. `type` is a number that tmac_weights_desc_ggml() knows; the weights were packed
 * from its blocks, or have their width, groups, super-groups, kind of zero, format of sub-scales and
 * f16 scales: TMAC_ERROR_GGML_TYPE where they have not. `blocks`, of any alignment, receives the first
 * of these rows; the next one comes row_bytes behind (0: rows follow each other tightly; less than a
 * row is TMAC_ERROR_SHAPE), and nothing between rows is written.
 * All codes, scales and sub-scales come back as they were, so every byte does, but for TQ1_0: there
 * several bytes stand for the same five weights, and the one that ggml writes is written.
 * Q3_K and Q4_K blocks have sub-scales of 6 bits (tmac_format_info: sub_bits). Weights packed from other
 * sources may have greater ones: TMAC_ERROR_SUB_SCALE, the rows are then undefined. */
TMAC_API tmac_status tmac_weights_unpack_ggml(const tmac_weights *weights, int32_t type,
                                              int64_t row_begin, int64_t row_end, void *blocks,
                                              int64_t row_bytes);

/* ---------------------------------------------------------------------------------------------
 * Weights: low-level calls
 *
 *   plan -> begin -> rows (any threads, disjoint ranges) -> finish -> attach
 * ------------------------------------------------------------------------------------------- */

#define TMAC_PACKED_ALIGNMENT 64

typedef struct tmac_packed_plan {
    size_t struct_size;
    size_t bytes; /* memory for the packed weights, aligned to TMAC_PACKED_ALIGNMENT */
    int64_t row_step;
    uint32_t table_layout;
    tmac_family family;
    const char *layout;
    const char *kernel;
    int32_t native; /* as in tmac_weights_info */
} tmac_packed_plan;

/* What packing `desc` with this context would take. Data pointers in `desc` are not looked at. */
TMAC_API tmac_status tmac_packed_query(const tmac_context *context, const tmac_weights_desc *desc,
                                       tmac_packed_plan *plan);

/* Writes the header into `packed`, `bytes` long. */
TMAC_API tmac_status tmac_packed_begin(const tmac_context *context, const tmac_weights_desc *desc,
                                       void *packed, size_t bytes);

/* Packs rows [row_begin, row_end) of the weights: row_begin a multiple of the row step, row_end too
 * or equal to rows. Not before the description's first_row (TMAC_ERROR_ROW_RANGE). Disjoint ranges
 * may be packed by different threads at once. `desc` describes the whole matrix, as for
 * tmac_packed_begin, which must have returned; only its pointers and first_row may differ. On a bad code
 * or scale those rows are left undefined. */
TMAC_API tmac_status tmac_packed_rows(const tmac_context *context, const tmac_weights_desc *desc,
                                      int64_t row_begin, int64_t row_end, void *packed,
                                      size_t bytes);

/* Writes the checksum over all rows; from here on the bytes can be saved. */
TMAC_API tmac_status tmac_packed_finish(void *packed, size_t bytes);

/* Read all bytes and compare their checksum. */
#define TMAC_ATTACH_VERIFY UINT32_C(0)
/* Check the header only: for bytes just packed, finished or not. Damaged rows give wrong numbers, never
 * worse. */
#define TMAC_ATTACH_NO_CHECKSUM UINT32_C(1)
/* Refuse what only scalar code could multiply here: TMAC_ERROR_NOT_NATIVE. */
#define TMAC_ATTACH_NATIVE UINT32_C(2)

/* Makes weights of packed bytes where they lie: a mapped file, a host's buffer. They are not copied
 * and must stay until the weights are freed. The header is checked, never trusted. Bytes packed for
 * another instruction set work on every machine, but may run on scalar kernels: tmac_weights_query() says
 * so (`native`), and TMAC_ATTACH_NATIVE refuses them. */
TMAC_API tmac_status tmac_weights_attach(const tmac_context *context, const void *packed,
                                         size_t bytes, uint32_t flags, tmac_weights **out);

/* ---------------------------------------------------------------------------------------------
 * Tables
 * ------------------------------------------------------------------------------------------- */

typedef enum tmac_activation_type {
    TMAC_ACTIVATION_F32 = 0,
    TMAC_ACTIVATION_F16 = 1,
    TMAC_ACTIVATION_BF16 = 2,
    TMAC_ACTIVATION_I8 = 3 /* x = data * scale */
} tmac_activation_type;

/* N inputs of K activations. NaN or infinity in an input makes all its results NaN; in the lookup
 * family so do magnitudes of 4 neighbours (k a multiple of 4 and on) whose sum is beyond FLT_MAX. Other
 * magnitudes so great that a sum over a block (at most 128 activations that share a scale) or a
 * result is beyond FLT_MAX make results of this input infinite or NaN; which, and where one is still
 * finite, depends on the weights and their layout, not on the machine. A block counts as zero when its
 * greatest magnitude (lookup tables: sum of 4 neighbours' magnitudes) is below 1e-25. */
typedef struct tmac_activations {
    size_t struct_size;
    tmac_activation_type type;
    int64_t cols;     /* K */
    int64_t batch;    /* N, may be 0 */
    const void *data; /* [batch][cols], aligned to the element's size */
    int64_t stride;   /* elements from one input to the next; 0: cols */
    /* I8 only: */
    const float *scales; /* [batch][cols / scale_group rounded up], aligned as floats are */
    /* Activations per scale, a multiple of 16; 0: one scale per input. TMAC_MODE_EXACT: a multiple of 128,
     * or 0. */
    int64_t scale_group;
    int64_t scale_stride; /* elements from one input's scales to the next; 0: tight */
} tmac_activations;

/* Room for the tables of up to max_batch inputs, for these weights and every other with the same
 * cols and table_layout. */
TMAC_API tmac_status tmac_tables_create(const tmac_context *context, const tmac_weights *weights,
                                        int64_t max_batch, tmac_tables **out);
/* Builds the tables from activations, with the context's threads; replaces what they held. On an
 * error they hold nothing. */
TMAC_API tmac_status tmac_tables_build(const tmac_context *context, tmac_tables *tables,
                                       const tmac_activations *activations);
TMAC_API void tmac_tables_free(tmac_tables *tables);

/* Low-level calls. Tables of `batch` inputs of `cols` activations in the given table layout take
 * `bytes` bytes, aligned to TMAC_TABLES_ALIGNMENT. Part `part` of `parts` may be built by any
 * thread, all parts at once; the tables are built when all parts have returned. */
#define TMAC_TABLES_ALIGNMENT 64
TMAC_API tmac_status tmac_tables_size(uint32_t table_layout, int64_t cols, int64_t batch,
                                      size_t *bytes);
TMAC_API tmac_status tmac_tables_build_part(const tmac_context *context, uint32_t table_layout,
                                            const tmac_activations *activations, int32_t part,
                                            int32_t parts, void *tables, size_t bytes);

/* ---------------------------------------------------------------------------------------------
 * Multiply
 *
 * Y[n * stride + m] for rows m and inputs n; stride >= rows. An output does not depend on the rest of the
 * batch, on the row range or on the number of threads: it is the same to the bit. Nothing but the named
 * elements is written. Weights, tables and context belong together (TMAC_ERROR_CONTEXT).
 * ------------------------------------------------------------------------------------------- */

/* y[m] for the one input in `tables` (TMAC_ERROR_BATCH where it has another number). */
TMAC_API tmac_status tmac_gemv(const tmac_context *context, const tmac_weights *weights,
                               const tmac_tables *tables, float *y);
/* All inputs in `tables`. */
TMAC_API tmac_status tmac_gemm(const tmac_context *context, const tmac_weights *weights,
                               const tmac_tables *tables, float *y, int64_t stride);
/* Rows [row_begin, row_end) of tmac_gemm. y still points at row 0. */
TMAC_API tmac_status tmac_gemm_rows(const tmac_context *context, const tmac_weights *weights,
                                    const tmac_tables *tables, int64_t row_begin, int64_t row_end,
                                    float *y, int64_t stride);
/* Tables and multiplication in one call. */
TMAC_API tmac_status tmac_matmul(const tmac_context *context, const tmac_weights *weights,
                                 const tmac_activations *activations, float *y, int64_t stride);

/* Low-level call: rows [row_begin, row_end) of all `batch` inputs, on the calling thread, from tables
 * in the caller's memory that were built for this batch. */
TMAC_API tmac_status tmac_multiply_rows(const tmac_weights *weights, const void *tables,
                                        size_t bytes, int64_t batch, int64_t row_begin,
                                        int64_t row_end, float *y, int64_t stride);

/* ---------------------------------------------------------------------------------------------
 * Multiply, with everything: one call for all that the calls above do, and more
 *
 *   output = W x                            float, as tmac_gemm gives it
 *   output = output + bias[m]               where there is a bias; rounded
 *   output = output + Y[n * stride + m]     with TMAC_MULTIPLY_ACCUMULATE; rounded
 *   Y[n * stride + m] = output              rounded to the type of y, to nearest even
 *
 * A mixture of experts: every input goes to `uses` experts of its own. Experts are matrices of one shape,
 * packed alike, as an array of handles or as the rows of one stacked matrix. Output n * uses + u is that
 * of use u of input n; each expert's weights are read once for all the inputs that it has.
 * ------------------------------------------------------------------------------------------- */

typedef enum tmac_output_type {
    TMAC_OUTPUT_F32 = 0,
    TMAC_OUTPUT_F16 = 1, /* magnitudes above 65504 become infinite */
    TMAC_OUTPUT_BF16 = 2
} tmac_output_type;

#define TMAC_MULTIPLY_ACCUMULATE UINT32_C(1)

/* The host's threads that work on one call together. Each calls with the same arguments but for `index`;
 * the call returns on each when its part is done, and y is complete when all have returned. */
typedef void tmac_barrier_fn(void *host); /* returns when all `count` threads have called it */
typedef struct tmac_team {
    size_t struct_size;
    int32_t index;            /* 0 .. count - 1, a different one on each thread */
    int32_t count;            /* 1 .. 1024 */
    tmac_barrier_fn *barrier; /* may be NULL where count is 1; called equally often by all */
    void *barrier_host;       /* passed to barrier */
} tmac_team;

typedef struct tmac_multiply_args {
    size_t struct_size;
    /* One matrix; or, with expert_count, all experts stacked: expert e begins at row
     * e * rows / expert_count. NULL where `experts` is given. */
    const tmac_weights *weights;
    const tmac_activations *activations; /* of the batch; or NULL, and: */
    const tmac_tables *tables;           /* built before, for this table layout. Not with experts */
    void *y;                             /* row 0 of output 0, aligned to its elements */
    int64_t stride; /* elements from one output to the next, >= rows (of an expert) */
    tmac_output_type output_type;
    uint32_t flags;    /* TMAC_MULTIPLY_* */
    const float *bias; /* [rows], or [expert_count][rows], aligned as floats are; NULL: none */
    int64_t row_begin; /* rows [row_begin, row_end) only; y and bias still point at row 0 */
    int64_t row_end;   /* 0: all rows */
    const tmac_weights *const *experts; /* [expert_count] handles; NULL: stacked in `weights` */
    int64_t expert_count;               /* 0: no mixture of experts */
    /* [batch][uses] numbers of experts. Negative: none, and that output stays as it was. Out of range
     * is TMAC_ERROR_EXPERT, before anything is written. */
    const int32_t *ids;
    int64_t uses;       /* experts per input, >= 1 */
    int64_t ids_stride; /* elements from one input's ids to the next's; 0: uses */
    /* tmac_multiply_workspace() bytes, aligned to TMAC_TABLES_ALIGNMENT; a team's threads share it.
     * NULL: from the context's allocator (without a team). */
    void *workspace;
    size_t workspace_bytes;
    const tmac_team *team; /* NULL: the context's threads */
} tmac_multiply_args;

/* Bytes of workspace for these arguments; looks at sizes, types, `team->count` and which pointers are
 * NULL, not at what they point to (but handles). A larger team never needs less. */
TMAC_API tmac_status tmac_multiply_workspace(const tmac_context *context,
                                             const tmac_multiply_args *args, size_t *bytes);
/* On an error nothing is written to y. All threads of a team get the same status. */
TMAC_API tmac_status tmac_multiply(const tmac_context *context, const tmac_multiply_args *args);

/* ---------------------------------------------------------------------------------------------
 * Tuning
 *
 * Which layout and which blocks of inputs and rows are fastest differs between processors and
 * shapes. The library's own choices are good; measuring a shape takes a few seconds and may find
 * better ones. They are kept as a small text, which the host stores where it likes, and used by the
 * contexts that are given them:
 *
 *   tmac_tuning_create(&tuning);
 *   if (tmac_tuning_read(tuning, text, bytes) != TMAC_OK) ...   of another CPU, or damaged: as it was
 *   options.tuning = tuning;
 *   tmac_context_create(&options, &context);                    copies the choices
 *
 * Choices hold for one shape and format, number of threads and instruction set. The tool tmac-tune
 * measures every matrix of a model, and keeps the text in the user's cache folder.
 * ------------------------------------------------------------------------------------------- */

/* An empty tuning, in the C library's memory. */
TMAC_API tmac_status tmac_tuning_create(tmac_tuning **out);
TMAC_API void tmac_tuning_free(tmac_tuning *tuning);
/* How many choices it holds. */
TMAC_API int64_t tmac_tuning_count(const tmac_tuning *tuning);

/* Adds the choices in a text of `bytes` bytes, at most 1 MiB; those of the same key are replaced.
 * TMAC_ERROR_TUNING_FOREIGN where it was measured on another CPU or by another version,
 * TMAC_ERROR_TUNING_DAMAGED for anything else; the tuning is then as it was. */
TMAC_API tmac_status tmac_tuning_read(tmac_tuning *tuning, const char *text, size_t bytes);
/* Writes all choices as a text into `text`, which has room for `room` bytes, and sets *bytes to its
 * length. TMAC_ERROR_BUFFER_SIZE where it does not fit: *bytes then is what it takes, and `text`, which
 * may be NULL where `room` is 0, is untouched. */
TMAC_API tmac_status tmac_tuning_write(const tmac_tuning *tuning, char *text, size_t room,
                                       size_t *bytes);

/* Told before each measurement: `done` of `count` are made, `what` is next ("done" at the end). */
typedef void tmac_progress_fn(void *host, int32_t done, int32_t count, const char *what);

typedef struct tmac_tune_options {
    size_t struct_size;
    int64_t batch;              /* the layout is chosen for; 0: 1, for generating text */
    double seconds;             /* to spend on each candidate, at most 60; 0: 0.1 */
    tmac_progress_fn *progress; /* NULL: none */
    void *progress_host;        /* passed to progress */
} tmac_tune_options;

/* Measures what is fastest for weights of this description (its data pointers are not looked at) in
 * this context, with its threads, and adds the choice to `tuning`. Needs room for one packed matrix
 * and the tables and results of 256 inputs. `options` may be NULL. Nothing else should run on the
 * machine meanwhile. */
TMAC_API tmac_status tmac_tune(const tmac_context *context, tmac_tuning *tuning,
                               const tmac_weights_desc *desc, const tmac_tune_options *options);

#ifdef __cplusplus
}
#endif

#endif /* TMAC_H */
