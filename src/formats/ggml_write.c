/* SPDX-License-Identifier: MIT
 * Packed tiles back to ggml blocks. Each writer is the inverse of ggml_format.c's reader of that name,
 * which says how its block is laid out. */
#include "formats/ggml_format.h"
#include "layouts/packed.h"
#include "layouts/runs.h"

struct writer {
    int32_t type; /* ggml's number */
    /* All codes of a block, one per byte. */
    void (*codes)(const uint8_t *codes, uint8_t *block);
    /* All else in a block: the numbers of its groups, from index `at` up. */
    void (*groups)(const struct tmac_groups *in, int at, uint8_t *block);
    int sub_least; /* I8: the least of the 64 sub-scales that a block can hold */
};

/* ---- codes ----------------------------------------------------------------------------------- */

/* Byte i has codes i and n + i. */
static inline void halves(const uint8_t *restrict codes, int n, uint8_t *restrict bytes)
{
    for (int i = 0; i < n; i++)
        bytes[i] = (uint8_t)(codes[i] | codes[n + i] << 4);
}

static void q4_0_codes(const uint8_t *codes, uint8_t *block)
{
    halves(codes, 16, block + 2);
}

static void q4_1_codes(const uint8_t *codes, uint8_t *block)
{
    halves(codes, 16, block + 4);
}

static void q4_k_codes(const uint8_t *codes, uint8_t *block)
{
    for (int i = 0; i < 128; i += 32)
        halves(codes + 2 * i, 32, block + 16 + i);
}

/* The multiplication moves bit 0 of byte i to bit 56 + i, and nothing carries. */
static void q1_0_codes(const uint8_t *codes, uint8_t *block)
{
    for (int i = 0; i < 16; i++)
        block[2 + i] = (uint8_t)(load64(codes + 8 * i) * 0x0102040810204080u >> 56);
}

static void q2_0_codes(const uint8_t *restrict codes, uint8_t *restrict block)
{
    for (int i = 0; i < 16; i++, codes += 4)
        block[2 + i] = (uint8_t)(codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6);
}

/* The low two bits of 256 codes: byte i of 32 has codes i, 32 + i, 64 + i and 96 + i. */
static inline void quarters(const uint8_t *restrict codes, uint8_t *restrict bytes)
{
    for (int half = 0; half < 2; half++, codes += 128, bytes += 32)
        for (int i = 0; i < 32; i++)
            bytes[i] = (uint8_t)((codes[i] & 3) | (codes[32 + i] & 3) << 2 |
                                 (codes[64 + i] & 3) << 4 | (codes[96 + i] & 3) << 6);
}

static void q2_k_codes(const uint8_t *codes, uint8_t *block)
{
    quarters(codes, block + 16);
}

static void tq2_0_codes(const uint8_t *codes, uint8_t *block)
{
    quarters(codes, block);
}

static void q3_k_codes(const uint8_t *restrict codes, uint8_t *restrict block)
{
    for (int i = 0; i < 32; i++) {
        unsigned high = 0;
        for (int j = 0; j < 8; j++)
            high |= (unsigned)(codes[32 * j + i] >> 2 & 1) << j;
        block[i] = (uint8_t)high;
    }
    quarters(codes, block + 32);
}

/* Five trits, or four and a zero, to the fraction of 256 that ggml writes: the least with these
 * trits. */
static inline void trits(const uint8_t *restrict codes, int run, int digits,
                         uint8_t *restrict bytes)
{
    for (int i = 0; i < run; i++) {
        unsigned number = 0;
        for (int n = 0; n < 5; n++)
            number = number * 3 + (n < digits ? codes[n * run + i] : 0u);
        bytes[i] = (uint8_t)((number * 256 + 242) / 243);
    }
}

static void tq1_0_codes(const uint8_t *codes, uint8_t *block)
{
    trits(codes, 32, 5, block);
    trits(codes + 160, 16, 5, block + 32);
    trits(codes + 240, 4, 4, block + 48);
}

/* ---- numbers of groups ----------------------------------------------------------------------- */

static void store16(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)number;
    at[1] = (uint8_t)(number >> 8);
}

static void scale_at_0(const struct tmac_groups *in, int at, uint8_t *block)
{
    store16(block, in->scale[at]);
}

static void q4_1_groups(const struct tmac_groups *in, int at, uint8_t *block)
{
    store16(block, in->scale[at]);
    store16(block + 2, in->minimum[at]);
}

static void q2_k_groups(const struct tmac_groups *in, int at, uint8_t *block)
{
    store16(block + 80, in->scale[at]);
    store16(block + 82, in->minimum[at] ^ 0x8000);
    for (int i = 0; i < 16; i++)
        block[i] = (uint8_t)(in->sub[at + i] | in->sub_minimum[at + i] << 4);
}

static void q3_k_groups(const struct tmac_groups *in, int at, uint8_t *block)
{
    uint8_t six[16], *low = block + 96, *high = block + 104;

    store16(block + 108, in->scale[at]);
    for (int i = 0; i < 16; i++)
        six[i] = (uint8_t)(in->sub[at + i] + 32);
    for (int i = 0; i < 8; i++)
        low[i] = (uint8_t)((six[i] & 15) | (six[8 + i] & 15) << 4);
    for (int i = 0; i < 4; i++)
        high[i] = (uint8_t)(six[i] >> 4 | six[4 + i] >> 4 << 2 | six[8 + i] >> 4 << 4 |
                            six[12 + i] >> 4 << 6);
}

static void q4_k_groups(const struct tmac_groups *in, int at, uint8_t *block)
{
    const uint8_t *sub = in->sub + at, *minimum = in->sub_minimum + at;

    store16(block, in->scale[at]);
    store16(block + 2, in->minimum[at] ^ 0x8000);
    for (int i = 0; i < 4; i++) {
        block[4 + i] = (uint8_t)(sub[i] | sub[4 + i] >> 4 << 6);
        block[8 + i] = (uint8_t)(minimum[i] | minimum[4 + i] >> 4 << 6);
        block[12 + i] = (uint8_t)((sub[4 + i] & 15) | (minimum[4 + i] & 15) << 4);
    }
}

static void tq1_0_groups(const struct tmac_groups *in, int at, uint8_t *block)
{
    store16(block + 52, in->scale[at]);
}

static void tq2_0_groups(const struct tmac_groups *in, int at, uint8_t *block)
{
    store16(block + 64, in->scale[at]);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static const struct writer writers[] = {
    {2, q4_0_codes, scale_at_0, 0},     {3, q4_1_codes, q4_1_groups, 0},
    {10, q2_k_codes, q2_k_groups, 0},   {11, q3_k_codes, q3_k_groups, -32},
    {12, q4_k_codes, q4_k_groups, 0},   {34, tq1_0_codes, tq1_0_groups, 0},
    {35, tq2_0_codes, tq2_0_groups, 0}, {41, q1_0_codes, scale_at_0, 0},
    {42, q2_0_codes, scale_at_0, 0},
};

static const struct writer *find_writer(int32_t type)
{
    const struct writer *writer = writers;

    while (writer->type != type)
        writer++;
    return writer;
}

struct job {
    const struct tmac_shape *shape;
    const struct tmac_ggml_format *format;
    const struct writer *writer;
    size_t row_bytes;
};

static bool sub_scales_fit(const struct job *job, const struct tmac_groups *groups, int count)
{
    unsigned seen = 0;

    if (job->format->sub_format != TMAC_SUB_I8)
        return true;
    for (int i = 0; i < count; i++)
        seen |= (uint8_t)(groups->sub[i] - job->writer->sub_least) | groups->sub_minimum[i];
    return seen < 64;
}

/* Rows [begin, end) of a tile: everything but the codes. */
static tmac_status write_groups(const struct job *job, const uint8_t *tile, int begin, int end,
                                uint8_t *blocks)
{
    const int block_groups = job->format->block_k / (int)job->format->group;
    struct tmac_groups groups = {0};

    for (int r = begin; r < end; r++, blocks += job->row_bytes) {
        struct tmac_run run = tmac_first_run(job->shape, r);
        uint8_t *block = blocks;
        for (; run.groups; tmac_next_run(job->shape, &run)) {
            tmac_get_groups(job->shape, &run, tile, &groups);
            if (!sub_scales_fit(job, &groups, run.groups))
                return TMAC_ERROR_SUB_SCALE;
            for (int i = 0; i < run.groups; i += block_groups, block += job->format->block_bytes)
                job->writer->groups(&groups, i, block);
        }
    }
    return TMAC_OK;
}

/* Rows [begin, end) of a tile: the codes. Blocks are whole steps, and chunks whole blocks. */
static void write_codes(const struct job *job, const uint8_t *tile, int begin, int end,
                        uint8_t *blocks)
{
    const struct tmac_shape *shape = job->shape;
    const int block_k = job->format->block_k, block_bytes = job->format->block_bytes;
    const uint8_t *cell = tile + shape->scale_bytes;
    uint8_t codes[TMAC_MAX_TILE_ROWS][TMAC_CHUNK_K];

    for (int64_t k = 0; k < shape->spec.cols; k += TMAC_CHUNK_K) {
        const int64_t left = shape->spec.cols - k;
        const int count = left < TMAC_CHUNK_K ? (int)left : TMAC_CHUNK_K;
        for (int i = 0; i < count; i += TMAC_STEP_K, cell += shape->cell_bytes)
            tmac_unpack_cell(shape->spec.layout, shape->spec.width, cell, codes[0] + i,
                             TMAC_CHUNK_K);
        for (int r = begin; r < end; r++) {
            const uint8_t *from = codes[tmac_shape_cell_row(shape, r)];
            uint8_t *block = blocks + (size_t)(r - begin) * job->row_bytes;
            for (int i = 0; i < count; i += block_k, block += block_bytes)
                job->writer->codes(from + i, block);
        }
        blocks += TMAC_CHUNK_K / block_k * block_bytes;
    }
}

tmac_status tmac_ggml_write_rows(const struct tmac_shape *shape,
                                 const struct tmac_ggml_format *format, const void *packed,
                                 int64_t row_begin, int64_t row_end, void *blocks, size_t row_bytes)
{
    const struct job job = {shape, format, find_writer(format->type), row_bytes};
    uint8_t *to = blocks;

    for (int64_t row = row_begin; row < row_end;) {
        const int64_t tile = row / shape->tile_rows, left = row_end - tile * shape->tile_rows;
        const int begin = (int)(row % shape->tile_rows);
        const int end = left < shape->tile_rows ? (int)left : shape->tile_rows;
        const uint8_t *at = (const uint8_t *)packed + tmac_tile_offset(shape, tile);
        const tmac_status status = write_groups(&job, at, begin, end, to);
        if (status != TMAC_OK)
            return status;
        write_codes(&job, at, begin, end, to);
        row += end - begin;
        to += (size_t)(end - begin) * row_bytes;
    }
    return TMAC_OK;
}

bool tmac_ggml_holds(const struct tmac_ggml_format *format, const struct tmac_spec *spec)
{
    tmac_weights_desc desc = {.struct_size = sizeof desc};
    struct tmac_source source;

    tmac_ggml_describe(format, spec->rows, spec->cols, NULL, &desc);
    if (tmac_source_init(&source, &desc, false) != TMAC_OK)
        return false;
    return spec->group == source.spec.group && spec->super_group == source.spec.super_group &&
           spec->width == source.spec.width && spec->scale_type == source.spec.scale_type &&
           spec->zero_kind == source.spec.zero_kind && spec->sub_format == source.spec.sub_format &&
           spec->zero == source.spec.zero && spec->scale_unit == source.spec.scale_unit;
}
