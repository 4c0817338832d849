/* SPDX-License-Identifier: MIT */
#include "engine/inputs.h"

#include <string.h>

/* A unit of building work: one panel of inputs, one chunk of activations. Small enough that gemv
 * splits over threads, a multiple of every block. */
enum { CHUNK_K = 256, CHUNK_BLOCKS = CHUNK_K / 16 };

tmac_status tmac_table_shape_init(struct tmac_table_shape *shape, uint32_t layout, int64_t cols,
                                  int64_t batch)
{
    const tmac_status status =
        tmac_table_layout_split(layout, &shape->kind, &shape->block_k, &shape->group_k);

    if (status != TMAC_OK)
        return status;
    if (cols < 1 || batch < 0)
        return TMAC_ERROR_SHAPE;
    if (cols > PTRDIFF_MAX / 1024) /* so that no product of one input overflows */
        return TMAC_ERROR_OVERFLOW;

    const int64_t unit = shape->block_k > TMAC_STEP_K ? shape->block_k : TMAC_STEP_K;
    const int64_t padded = (cols + unit - 1) / unit * unit;
    shape->cols = cols;
    shape->batch = batch;
    shape->steps = padded / TMAC_STEP_K;
    shape->blocks = padded / shape->block_k;
    shape->step_bytes = tmac_table_step_bytes(shape->kind);
    shape->groups = shape->group_k ? padded / shape->group_k : 0;
    shape->input_bytes =
        ((size_t)shape->steps * shape->step_bytes + (size_t)shape->blocks * 2 * sizeof(float) +
         (size_t)shape->groups * tmac_table_group_sums(shape->kind) * sizeof(int16_t) + 63) &
        ~(size_t)63;
    return TMAC_OK;
}

tmac_status tmac_table_bytes(const struct tmac_table_shape *shape, size_t *bytes)
{
    size_t all;

    if (!tmac_size_mul(shape->input_bytes, (size_t)shape->batch, &all) || all > PTRDIFF_MAX)
        return TMAC_ERROR_OVERFLOW;
    *bytes = all;
    return TMAC_OK;
}

struct tmac_panel tmac_table_panel(const struct tmac_table_shape *shape, int64_t first)
{
    const int64_t left = shape->batch - first;
    struct tmac_panel panel = {.first = first, .batch = TMAC_MAX_PANEL};

    while (panel.batch > left || (panel.batch == 2 && !shape->group_k))
        panel.batch /= 2;
    panel.data = (size_t)first * shape->input_bytes;
    panel.scales = panel.data + (size_t)shape->steps * shape->step_bytes * (size_t)panel.batch;
    panel.sums = panel.scales + (size_t)shape->blocks * sizeof(float) * (size_t)panel.batch;
    panel.group_sums = panel.sums + (size_t)shape->blocks * sizeof(float) * (size_t)panel.batch;
    return panel;
}

static bool fits(int64_t stride, int64_t count, size_t element)
{
    size_t bytes;
    return tmac_size_mul((size_t)stride, element, &bytes) &&
           tmac_size_mul(bytes, (size_t)count, &bytes) && bytes <= PTRDIFF_MAX;
}

static int64_t scale_count(const tmac_activations *x)
{
    return x->scale_group ? (x->cols - 1) / x->scale_group + 1 : 1;
}

static const uint8_t element_bytes[] = {4, 2, 2, 1}; /* by type */

tmac_status tmac_activations_check(const tmac_activations *x, bool with_data)
{
    if (x->type < TMAC_ACTIVATION_F32 || x->type > TMAC_ACTIVATION_I8)
        return TMAC_ERROR_ENUM;
    if (x->cols < 1 || x->batch < 0 || x->stride < 0 || (x->stride && x->stride < x->cols))
        return TMAC_ERROR_SHAPE;
    if (x->batch == 0)
        return TMAC_OK;
    if (with_data && (!x->data || (x->type == TMAC_ACTIVATION_I8 && !x->scales)))
        return TMAC_ERROR_NULL;
    if (with_data && ((uintptr_t)x->data % element_bytes[x->type] ||
                      (x->type == TMAC_ACTIVATION_I8 && (uintptr_t)x->scales % sizeof(float))))
        return TMAC_ERROR_ALIGNMENT;
    if (!fits(x->stride ? x->stride : x->cols, x->batch, 4))
        return TMAC_ERROR_OVERFLOW;
    if (x->type != TMAC_ACTIVATION_I8)
        return TMAC_OK;
    if (x->scale_group < 0 || x->scale_group % 16)
        return TMAC_ERROR_GROUP;
    if (x->scale_stride < 0 || (x->scale_stride && x->scale_stride < scale_count(x)))
        return TMAC_ERROR_SHAPE;
    return fits(x->scale_stride ? x->scale_stride : scale_count(x), x->batch, 4)
               ? TMAC_OK
               : TMAC_ERROR_OVERFLOW;
}

static float i8_scale(const tmac_activations *x, int64_t input, int64_t k)
{
    const int64_t stride = x->scale_stride ? x->scale_stride : scale_count(x);
    return x->scales[input * stride + (x->scale_group ? k / x->scale_group : 0)];
}

static const void *activation(const tmac_activations *x, int64_t input, int64_t k)
{
    return (const uint8_t *)x->data +
           (input * (x->stride ? x->stride : x->cols) + k) * element_bytes[x->type];
}

/* Activations [k, k + count) of an input as floats; k is a multiple of 16, as is every scale's group. */
static void load(const struct tmac_tools *tools, const tmac_activations *x, int64_t input,
                 int64_t k, int count, float *to)
{
    const void *from = activation(x, input, k);

    switch (x->type) {
    case TMAC_ACTIVATION_F16:
        tools->f16_to_f32(from, to, (size_t)count);
        break;
    case TMAC_ACTIVATION_BF16:
        tools->bf16_to_f32(from, to, (size_t)count);
        break;
    case TMAC_ACTIVATION_I8:
        for (int i = 0; i < count; i += 16) {
            const float scale = i8_scale(x, input, k + i);
            for (int j = i; j < count && j < i + 16; j++)
                to[j] = (float)((const int8_t *)from)[j] * scale;
        }
        break;
    default:
        memcpy(to, from, (size_t)count * sizeof *to);
    }
}

/* int8 activations are taken as they are where each block lies under one scale; else they are
 * quantized again, like floats. */
static bool keeps_int8(const struct tmac_table_shape *shape, const tmac_activations *x)
{
    return x->type == TMAC_ACTIVATION_I8 && shape->kind == TMAC_TABLE_INT8 &&
           x->scale_group % shape->block_k == 0;
}

tmac_status tmac_activations_suit(const tmac_activations *x, uint32_t table_layout, bool exact)
{
    enum tmac_table_kind kind;
    int block_k, group_k;
    const tmac_status status = tmac_table_layout_split(table_layout, &kind, &block_k, &group_k);

    if (status != TMAC_OK)
        return status;
    if (exact && kind != TMAC_TABLE_INT8)
        return TMAC_ERROR_FAMILY;
    if (exact && x->type == TMAC_ACTIVATION_I8 && x->scale_group % TMAC_MAX_BLOCK_K)
        return TMAC_ERROR_GROUP;
    return TMAC_OK;
}

/* The scale of a whole input: max|x| / 127, or NaN where an activation is. Magnitudes are compared
 * as integers, in which NaN is the greatest, and which compilers turn into vectors. */
static float input_scale(const struct tmac_table_source *source, int64_t input)
{
    const tmac_activations *x = source->activations;
    int32_t most = 0;
    float max;

    for (int64_t k = 0; k < x->cols; k += CHUNK_K) {
        const int count = (int)tmac_least(x->cols - k, CHUNK_K);
        float values[CHUNK_K];
        int32_t bits[CHUNK_K];

        load(source->tools, x, input, k, count, values);
        memcpy(bits, values, sizeof bits);
        for (int i = 0; i < count; i++) {
            const int32_t magnitude = bits[i] & INT32_MAX;
            most = magnitude > most ? magnitude : most;
        }
    }
    memcpy(&max, &most, sizeof max);
    return max / 127.0f;
}

/* Activations of a chunk, where they do not lie in the caller's memory as builders read them, and the
 * scales that its blocks are given. */
struct chunk {
    float values[CHUNK_K];
    int8_t int8[CHUNK_K];
    float given[CHUNK_BLOCKS];
};

/* Points the builder at `count` activations of an input and zeros after them; `whole` is the input's
 * scale, in exact mode. */
static void chunk_source(const struct tmac_table_source *source, int64_t input, int64_t k,
                         int count, float whole, struct chunk *chunk, struct tmac_build *build)
{
    const tmac_activations *x = source->activations;
    const int chunk_k = build->blocks * build->block_k;
    const size_t rest = (size_t)(chunk_k - count);
    const bool keeps = keeps_int8(source->shape, x);

    if (keeps || source->exact)
        build->given = chunk->given;
    for (int b = 0; build->given && b < build->blocks; b++) {
        const int64_t at = k + (int64_t)b * build->block_k;
        chunk->given[b] = at >= x->cols ? 0.0f : keeps ? i8_scale(x, input, at) : whole;
    }
    build->x = chunk->values;
    if (keeps && rest == 0) {
        build->x8 = activation(x, input, k);
    } else if (keeps) {
        memcpy(chunk->int8, activation(x, input, k), (size_t)count);
        memset(chunk->int8 + count, 0, rest);
        build->x8 = chunk->int8;
    } else if (x->type == TMAC_ACTIVATION_F32 && rest == 0) {
        build->x = activation(x, input, k);
    } else {
        load(source->tools, x, input, k, count, chunk->values);
        memset(chunk->values + count, 0, rest * sizeof *chunk->values);
    }
}

static int64_t input_of(const struct tmac_table_source *source, int64_t n)
{
    return source->order ? source->order[n] / source->uses : source->first + n;
}

/* `whole` are the scales of the panel's inputs, where the mode is exact. */
static void build_chunk(const struct tmac_table_source *source, const struct tmac_panel *panel,
                        const float whole[TMAC_MAX_PANEL], int64_t k, uint8_t *tables)
{
    const struct tmac_table_shape *shape = source->shape;
    const size_t batch = (size_t)panel->batch, kinds = tmac_table_group_sums(shape->kind);
    const int64_t padded = shape->blocks * shape->block_k - k, left = source->activations->cols - k;
    const int chunk_k = (int)tmac_least(padded, CHUNK_K);
    const size_t block = (size_t)(k / shape->block_k), step = (size_t)(k / TMAC_STEP_K);
    struct chunk chunk;
    struct tmac_build build = {
        .blocks = chunk_k / shape->block_k,
        .block_k = shape->block_k,
        .step_stride = batch * shape->step_bytes,
        .group_stride = batch * 4,
        .meta_stride = batch,
        .group_k = shape->group_k,
    };

    build.tables = tables + panel->data + step * build.step_stride;
    build.scale = (float *)(void *)(tables + panel->scales) + block * batch;
    build.sum = (float *)(void *)(tables + panel->sums) + block * batch;
    if (shape->group_k)
        build.group_sum = (int16_t *)(void *)(tables + panel->group_sums) +
                          (size_t)(k / shape->group_k) * batch * kinds;
    for (int n = 0; n < panel->batch; n++) {
        chunk_source(source, input_of(source, panel->first + n), k, (int)tmac_least(left, chunk_k),
                     whole[n], &chunk, &build);
        source->tools->build[shape->kind](&build);
        build.tables += shape->kind == TMAC_TABLE_INT8 ? 4 : shape->step_bytes;
        build.scale++;
        build.sum++;
        if (shape->group_k)
            build.group_sum += 2 * kinds;
    }
}

/* Chunks [begin, end) of one panel. */
static void build_panel(const struct tmac_table_source *source, const struct tmac_panel *panel,
                        int64_t begin, int64_t end, uint8_t *tables)
{
    float whole[TMAC_MAX_PANEL] = {0};

    for (int n = 0; n < panel->batch && begin < end; n++)
        if (source->exact && source->activations->type != TMAC_ACTIVATION_I8)
            whole[n] = input_scale(source, input_of(source, panel->first + n));
    for (int64_t chunk = begin; chunk < end; chunk++)
        build_chunk(source, panel, whole, chunk * CHUNK_K, tables);
}

void tmac_table_build(const struct tmac_table_source *source, int part, int parts, uint8_t *tables)
{
    const struct tmac_table_shape *shape = source->shape;
    const int64_t chunks = (shape->cols + CHUNK_K - 1) / CHUNK_K;
    int64_t first = 0, panels = 0; /* first: the number of a panel's first chunk */

    for (int64_t c = 0; c < shape->batch; c += tmac_table_panel(shape, c).batch)
        panels++;
    const int64_t begin = panels * chunks * part / parts,
                  end = panels * chunks * (part + 1) / parts;

    for (int64_t c = 0; c < shape->batch && first < end; first += chunks) {
        const struct tmac_panel panel = tmac_table_panel(shape, c);

        build_panel(source, &panel, tmac_clamp(begin - first, 0, chunks),
                    tmac_clamp(end - first, 0, chunks), tables);
        c += panel.batch;
    }
}
