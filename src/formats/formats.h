/* SPDX-License-Identifier: MIT
 * The table of weight formats. A row says all there is to know of a format: the geometry of its blocks,
 * what its numbers mean, and how a block is read and written. Rows, readers and writers of like formats
 * share a file; docs/adding-a-format.md says how to add one. */
#ifndef TMAC_FORMATS_H
#define TMAC_FORMATS_H

#include "contract.h"

/* The numbers of a run of groups of one row, as stored: scales and minimums in the bits of the scale
 * type. With two levels they are the super-group's, and only its first group's count. */
enum { TMAC_RUN_GROUPS = 16 }; /* as many as a ggml block may have, so that runs start at blocks */

struct tmac_groups {
    uint32_t scale[TMAC_RUN_GROUPS];
    uint32_t minimum[TMAC_RUN_GROUPS];
    uint8_t sub[TMAC_RUN_GROUPS]; /* I8: two's complement */
    uint8_t sub_minimum[TMAC_RUN_GROUPS];
    uint8_t zero_point[TMAC_RUN_GROUPS];
};

/* ---- ggml blocks: codes and scales together ---------------------------------------------------- */

struct tmac_format {
    const char *name;  /* ggml's, in capitals */
    int32_t ggml_type; /* ggml's number */
    int block_k;       /* weights: 32, 64, 128 or 256 */
    int block_bytes;
    tmac_width width;
    int group;                  /* weights */
    tmac_scale_type scale_type; /* of scales and minimums */
    tmac_zero zero_kind;
    float zero;                 /* CONSTANT */
    tmac_sub_format sub_format; /* with a super-group of one block */
    int sub_bits;               /* that sub-scales and sub-minimums take in a block */
    const int8_t *codebook;     /* [16] what codes stand for; NULL: themselves */
    int codes_at;               /* bytes of a block before its codes */
    /* All codes of a block to strips and back. A reader may leave codes that are out of range. */
    void (*read_codes)(const uint8_t *codes, uint8_t *strips);
    void (*write_codes)(const uint8_t *strips, uint8_t *codes);
    int scale_at;       /* before its f16 scale */
    int minimum_at;     /* MINIMUM: and before its f16 minimum, */
    bool minimum_minus; /* with the other sign: w = scale * q - that */
    /* The sub-scales, and sub-minimums, of all groups of a block, from index `at` up; they fit sub_bits.
     * NULL: there are none. */
    void (*read_subs)(const uint8_t *block, int at, struct tmac_groups *out);
    void (*write_subs)(const struct tmac_groups *in, int at, uint8_t *block);
};

/* Rows that share a file. */
struct tmac_format_list {
    const struct tmac_format *rows;
    int count;
};
extern const struct tmac_format_list tmac_formats_legacy, tmac_formats_k, tmac_formats_ternary;

/* Row `index` of all, NULL past the last; the row of ggml's number, NULL where there is none. */
const struct tmac_format *tmac_format_at(int index);
const struct tmac_format *tmac_format_of_ggml(int32_t type);

/* Fills a description of rows of such blocks, all but struct_size. */
void tmac_format_describe(const struct tmac_format *format, int64_t rows, int64_t cols,
                          const void *blocks, tmac_weights_desc *desc);

/* The numbers of `count` groups, from and to as many neighbouring blocks as they fill. Writing returns where the
 * next block is. */
void tmac_format_read_groups(const struct tmac_format *format, const uint8_t *block, int count,
                             struct tmac_groups *out);
uint8_t *tmac_format_write_groups(const struct tmac_format *format, const struct tmac_groups *in,
                                  int count, uint8_t *block);

/* Bytes of a row of `cols` codes, a multiple of block_k. */
static inline size_t tmac_format_row_bytes(const struct tmac_format *format, int64_t cols)
{
    return (size_t)(cols / format->block_k) * (size_t)format->block_bytes;
}

/* The least sub-scale that a block can hold; it holds 2^sub_bits from there up, and sub-minimums from 0.
 * Where there are minimums, sub-scales have no sign. */
static inline int tmac_format_least_sub(const struct tmac_format *format)
{
    const bool sign = format->sub_format == TMAC_SUB_I8 && format->zero_kind != TMAC_ZERO_MINIMUM;
    return sign ? -(1 << (format->sub_bits - 1)) : 0;
}

/* ---- widths: codes apart from their scales ------------------------------------------------------ */

/* How codes of a width are read, TMAC_CHUNK_K of them to the strips of a chunk. */
struct tmac_plain {
    const char *name; /* "w4", "ternary" */
    tmac_width width;
    void (*bytes)(const uint8_t *codes, uint8_t *strips); /* one per byte, in range */
    void (*dense)(const uint8_t *dense, uint8_t *strips); /* the first in the lowest bits */
};

/* Row `index`, NULL past the last; the row of a width that there is. */
const struct tmac_plain *tmac_plain_at(int index);
const struct tmac_plain *tmac_plain_of(tmac_width width);

#endif
