/* SPDX-License-Identifier: MIT */
#include "engine/multiply.h"

#include "layouts/packed.h"

#include <string.h>

/* How a multiplication walks: for a block of inputs, for a block of tiles, for a chunk of steps, for
 * every tile: find or expand the scales of the chunk, then multiply panel by panel. The sums of a
 * block of tiles are kept aside, then its rows are copied to y.
 *
 * One panel (gemv): tiles one by one, so that weights are one stream; chunks as long as their scales
 * fit, or the whole row where they are read in place.
 * int8 (gemm): tiles one by one, though the results of two are copied at once. A kernel unpacks the
 * codes of a chunk once for all inputs (8 steps x 32 rows x 32 = 8 KB), the sums of a tile stay in
 * the first-level cache (128 inputs x 32 rows x 4 bytes = 16 KB) and the tables of 128 inputs in the
 * second (4096 x 128 = 512 KB).
 * Lookup (gemm): the chunk's tables of an input block stay in the first-level cache while the tiles
 * stream past (8 steps x 16 inputs x 128 bytes = 16 KB), the sums of a block of tiles in the second
 * (512 rows x 16 inputs x 4 bytes = 32 KB). */
struct blocking {
    int64_t batch;
    int64_t tiles;
    int64_t sweep; /* tiles that a chunk is multiplied with before the next */
    int64_t steps; /* a multiple of 8, so that chunks start at super-groups of 256 */
};

enum {
    INT8_BATCH = 128,
    LOOKUP_BATCH = 16,
    LOOKUP_ROWS = 512, /* of a block of tiles */
    GEMV_STEPS = 128,  /* where 32 groups of scales do not end a chunk before */
    ENDLESS = 1 << 20
};

/* Scales that need no expansion: floats, and f16 for one input where the kernel converts them. With
 * groups of 16 the last step may reach into a group that is not there. */
static bool scales_in_place(const struct tmac_product *product, int64_t batch)
{
    const struct tmac_spec *spec = &product->shape->spec;

    if (tmac_layout_is_nested(spec->layout))
        return true;
    if (spec->sub_format != TMAC_SUB_NONE || spec->zero_kind == TMAC_ZERO_POINT ||
        spec->group < TMAC_STEP_K)
        return false;
    return spec->scale_type == TMAC_SCALE_F32 ||
           (spec->scale_type == TMAC_SCALE_F16 && batch < 4 /* panels of 1 */ &&
            product->kernels->kernel[TMAC_BATCH_1]->half);
}

static struct blocking choose_blocking(const struct tmac_product *product, int64_t batch)
{
    const struct tmac_shape *shape = product->shape;

    if (batch <= TMAC_MAX_PANEL) {
        const int64_t steps =
            scales_in_place(product, batch)
                ? ENDLESS
                : tmac_least(GEMV_STEPS, TMAC_GEMV_GROUPS * shape->spec.group / TMAC_STEP_K);
        return (struct blocking){TMAC_MAX_PANEL, 1, 1, shape->spec.whole_row ? ENDLESS : steps};
    }
    const bool int8 = product->table_shape->kind == TMAC_TABLE_INT8;
    if (product->blocking.batch) {
        const struct tmac_blocking *tuned = &product->blocking;
        return (struct blocking){tuned->batch, tuned->tiles, int8 ? 1 : tuned->tiles, tuned->steps};
    }
    if (int8)
        return (struct blocking){INT8_BATCH, 2, 1, 8};
    return (struct blocking){LOOKUP_BATCH, LOOKUP_ROWS / shape->tile_rows,
                             LOOKUP_ROWS / shape->tile_rows, 8};
}

/* Tiles and inputs whose sums are kept aside at once. */
struct target {
    int64_t tile_begin, tile_end;
    int64_t input_begin, input_end;
    bool in_place; /* scales are */
    float *sums;   /* [input][row from the first of tile_begin] */
    size_t stride;
    float *scale, *minimum; /* room for a chunk's, expanded */
    struct tmac_tile
        tile; /* what all tiles have in common: to fill it takes as long as a small tile */
};

static void expand_chunk(const struct tmac_product *product, const uint8_t *packed, int64_t step,
                         int64_t steps, const struct target *target)
{
    const struct tmac_shape *shape = product->shape;
    const int64_t group = shape->spec.group, k = step * TMAC_STEP_K;
    const int64_t k_end = tmac_least((step + steps) * TMAC_STEP_K, shape->spec.cols);
    const int64_t first = shape->spec.whole_row ? 0 : k / group;
    const int64_t end = shape->spec.whole_row ? 1 : (k_end + group - 1) / group;
    const struct tmac_expand expand = {
        .format = &shape->scale_format,
        .packed = packed,
        .tile_rows = shape->tile_rows,
        .group = first,
        .groups = (int)(end - first),
        .scale = target->scale,
        .minimum = target->minimum,
    };

    product->tools->expand(&expand);
    /* With groups of 16 the last step may be half padding. Its activations are 0, but 0 times what
     * happens to be on the stack need not be. */
    if (end * group < (step + steps) * TMAC_STEP_K) {
        const size_t row = (size_t)shape->tile_rows, at = (size_t)(end - first) * row;
        memset(target->scale + at, 0, row * sizeof *target->scale);
        memset(target->minimum + at, 0, row * sizeof *target->minimum);
    }
}

/* Points the tile at the scales of its chunk: those packed, or their expansion. */
static void tile_scales(struct target *target, const struct tmac_product *product,
                        const uint8_t *packed, int64_t step)
{
    const struct tmac_shape *shape = product->shape;
    const struct tmac_scale_format *format = &shape->scale_format;
    const size_t rows = (size_t)shape->tile_rows;
    struct tmac_tile *tile = &target->tile;

    if (target->in_place) {
        /* One level of scales: a group is a super-group. */
        const int64_t super = shape->spec.whole_row ? 0 : (step * TMAC_STEP_K) >> shape->super_log2;
        const struct tmac_scale_geometry geometry = tmac_scale_geometry(format, shape->tile_rows);
        tile->half = format->type == TMAC_SCALE_F16;
        tile->scale_stride = geometry.super;
        tile->scale = packed + (size_t)super * tile->scale_stride;
        tile->minimum = (const uint8_t *)tile->scale + rows * tmac_scale_type_bytes(format->type);
        tile->nested.own = (const uint8_t *)tile->scale + geometry.head;
    } else {
        expand_chunk(product, packed, step, tile->steps, target);
        tile->scale_stride = rows * sizeof *target->scale;
        tile->scale = target->scale;
        tile->minimum = target->minimum;
    }
    if (tmac_zero_is_constant(format->zero))
        tile->minimum = NULL;
}

/* The kernel for the panel at hand, or for as many as there are from input `first` on: then it sets
 * tile->panels. */
static const struct tmac_kernel *panel_kernel(const struct tmac_product *product,
                                              struct tmac_tile *tile, int64_t first, int64_t end)
{
    const struct tmac_kernel *const *kernel = product->kernels->kernel;
    const int64_t panels = (end - first) / TMAC_MAX_PANEL;

    tile->panels = 1;
    if (panels > 1 && kernel[TMAC_BATCH_MANY]) {
        tile->panels = (int)panels;
        return kernel[TMAC_BATCH_MANY];
    }
    return kernel[tile->batch == 1   ? TMAC_BATCH_1
                  : tile->batch == 2 ? TMAC_BATCH_2
                  : tile->batch == 4 ? TMAC_BATCH_4
                                     : TMAC_BATCH_8];
}

/* One tile, one chunk, all panels of the target. */
static void multiply_tile(const struct tmac_product *product, struct target *target,
                          int64_t tile_index, int64_t step, int64_t steps)
{
    const struct tmac_shape *shape = product->shape;
    const struct tmac_table_shape *tables = product->table_shape;
    const uint8_t *bytes = (const uint8_t *)product->packed + tmac_tile_offset(shape, tile_index);
    const int64_t k = step * TMAC_STEP_K;
    const size_t block = (size_t)(k >> shape->block_log2);
    struct tmac_tile *tile = &target->tile;

    tile->codes = bytes + shape->scale_bytes + (size_t)step * shape->cell_bytes;
    tile->steps = (int)steps;
    tile->accumulate = step != 0;
    tile->y_stride = target->stride;
    tile_scales(target, product, bytes, step);
    for (int64_t c = target->input_begin; c < target->input_end;) {
        const struct tmac_panel panel = tmac_table_panel(tables, c);
        const size_t batch = (size_t)panel.batch;
        const float *act_scale = (const float *)(const void *)(product->tables + panel.scales);
        const float *act_sum = (const float *)(const void *)(product->tables + panel.sums);

        tile->batch = panel.batch;
        const struct tmac_kernel *kernel = panel_kernel(product, tile, c, target->input_end);
        tile->tables = product->tables + panel.data + (size_t)step * tables->step_bytes * batch;
        tile->act_scale = act_scale + block * batch;
        tile->act_sum = act_sum + block * batch;
        if (tables->group_k)
            tile->nested.group_sum =
                (const int16_t *)(const void *)(product->tables + panel.group_sums) +
                (size_t)(k >> shape->group_log2) * batch * tmac_table_group_sums(tables->kind);
        tile->y = target->sums + (tile_index - target->tile_begin) * shape->tile_rows +
                  (size_t)(c - target->input_begin) * target->stride;
        kernel->multiply(tile);
        c += tile->batch * tile->panels;
    }
}

/* Rows [row_begin, row_end) of a target, which are all or some of its rows, to where they belong. */
static void put_rows(const struct tmac_product *product, const struct target *target,
                     int64_t row_begin, int64_t row_end)
{
    const int64_t first = target->tile_begin * product->shape->tile_rows;
    const int64_t last = target->tile_end * product->shape->tile_rows;
    const int64_t begin = first < row_begin ? row_begin : first, end = tmac_least(last, row_end);

    for (int64_t n = target->input_begin; n < target->input_end; n++)
        tmac_output_put(&product->output, n, begin - product->first_row,
                        target->sums + (size_t)(n - target->input_begin) * target->stride +
                            (begin - first),
                        end - begin);
}

/* Where the sums of a target go: right to y where it is one whole tile of a few inputs, else aside,
 * to be put where they belong. Many inputs lie too far apart in y to be added to there. */
static bool place_sums(const struct tmac_product *product, struct target *target, int64_t row_begin,
                       int64_t row_end, float *aside)
{
    const struct tmac_output *output = &product->output;
    const int64_t tile_rows = product->shape->tile_rows;
    const int64_t first = target->tile_begin * tile_rows, last = target->tile_end * tile_rows;
    const bool in_y =
        target->tile_end - target->tile_begin == 1 && first >= row_begin && last <= row_end &&
        target->input_end - target->input_begin <= TMAC_MAX_PANEL && tmac_output_is_plain(output);

    target->sums = aside;
    target->stride = (size_t)(last - first);
    if (in_y) {
        target->sums =
            (float *)output->y + target->input_begin * output->stride + first - product->first_row;
        target->stride = (size_t)output->stride;
    }
    return in_y;
}

static struct tmac_tile common_tile(const struct tmac_product *product)
{
    const struct tmac_shape *shape = product->shape;

    return (struct tmac_tile){
        .layout = shape->spec.layout,
        .width = shape->spec.width,
        .unit = shape->spec.scale_unit * (product->kernels->kernel[TMAC_BATCH_1]->averages ? 4 : 1),
        .offset = shape->offset,
        .block_k = shape->block_k,
        .block_shift = shape->block_shift,
        .nested.sub = shape->spec.sub_format,
        .nested.group_k = shape->table_group,
        .panel_stride = product->table_shape->input_bytes * TMAC_MAX_PANEL,
    };
}

static void multiply_sweep(const struct tmac_product *product, struct target *target, int64_t begin,
                           int64_t end, int64_t chunk)
{
    const int64_t steps = product->shape->steps;

    for (int64_t step = 0; step < steps; step += chunk)
        for (int64_t tile = begin; tile < end; tile++)
            multiply_tile(product, target, tile, step, tmac_least(chunk, steps - step));
}

void tmac_product_multiply(const struct tmac_product *product, int64_t row_begin, int64_t row_end,
                           int64_t input_begin, int64_t input_end)
{
    _Alignas(64) float room[TMAC_MULTIPLY_ROOM];
    const int64_t batch = input_end - input_begin;
    const bool is_gemv = batch <= TMAC_MAX_PANEL;
    float *scale = room + (is_gemv ? TMAC_GEMV_ASIDE : TMAC_GEMM_ASIDE);
    const int64_t tile_rows = product->shape->tile_rows;
    const struct blocking blocking = choose_blocking(product, batch);
    struct target target = {.in_place = scales_in_place(product, batch),
                            .scale = scale,
                            .minimum = scale + (is_gemv ? TMAC_GEMV_SCALES : TMAC_GEMM_SCALES),
                            .tile = common_tile(product)};

    if (row_begin >= row_end)
        return;
    for (int64_t c = input_begin; c < input_end; c = target.input_end) {
        const int64_t tiles_end = (row_end + tile_rows - 1) / tile_rows;

        target.input_begin = c;
        target.input_end = tmac_least(c + blocking.batch, input_end);
        for (int64_t t = row_begin / tile_rows; t < tiles_end; t = target.tile_end) {
            target.tile_begin = t;
            target.tile_end = tmac_least(t + blocking.tiles, tiles_end);
            const bool aside = !place_sums(product, &target, row_begin, row_end, room);
            for (int64_t tile = t; tile < target.tile_end; tile += blocking.sweep)
                multiply_sweep(product, &target, tile,
                               tmac_least(tile + blocking.sweep, target.tile_end), blocking.steps);
            if (aside)
                put_rows(product, &target, row_begin, row_end);
        }
    }
}
