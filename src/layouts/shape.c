/* SPDX-License-Identifier: MIT */
#include "layouts/shape.h"

#include <math.h>
#include <string.h>

enum { ALIGN = 64 };

static bool can_nest(const struct tmac_spec *spec)
{
    return (spec->width == TMAC_WIDTH_TERNARY ||
            (spec->width >= TMAC_WIDTH_2 && spec->width <= TMAC_WIDTH_4)) &&
           spec->sub_format != TMAC_SUB_NONE && spec->scale_type == TMAC_SCALE_F16 &&
           (spec->group == 16 || spec->group == 32) &&
           tmac_is_power_of_two(spec->super_group, 64, 256) && spec->scale_unit == 1.0f &&
           (spec->zero_kind == TMAC_ZERO_MINIMUM ||
            (tmac_zero_is_constant(spec->zero_kind) && spec->zero == rintf(spec->zero) &&
             spec->zero >= 0.0f && spec->zero <= 15.0f));
}

bool tmac_layout_holds(enum tmac_layout layout, const struct tmac_spec *spec)
{
    switch (layout) {
    case TMAC_LAYOUT_DIRECT:
        return true;
    case TMAC_LAYOUT_NESTED:
        return can_nest(spec);
    case TMAC_LAYOUT_NESTED_ROWS32:
        return can_nest(spec) &&
               (spec->sub_format != TMAC_SUB_U4 || tmac_width_bits(spec->width) <= 2);
    default: /* a plane for each bit */
        return tmac_width_bits(spec->width) <= 4;
    }
}

const char *tmac_layout_name(enum tmac_layout layout)
{
    static const char *const names[TMAC_LAYOUT_COUNT] = {
        [TMAC_LAYOUT_ROWS32] = "rows32", [TMAC_LAYOUT_ROWS64] = "rows64",
        [TMAC_LAYOUT_QUAD] = "quad",     [TMAC_LAYOUT_DIRECT] = "direct",
        [TMAC_LAYOUT_NESTED] = "nested", [TMAC_LAYOUT_NESTED_ROWS32] = "nested_rows32",
    };
    return names[layout];
}

enum tmac_layout tmac_layout_named(const char *name)
{
    int layout = 0;

    while (layout < TMAC_LAYOUT_COUNT && strcmp(tmac_layout_name((enum tmac_layout)layout), name))
        layout++;
    return (enum tmac_layout)layout;
}

static int log2_int(int64_t n)
{
    int log = 0;
    while (n > 1) {
        n /= 2;
        log++;
    }
    return log;
}

/* docs/algorithm.md. Lookup kernels see codes as (2^b - 1)/2 plus a symmetric rest, ternary ones as
 * 1 plus a symmetric rest; direct kernels see the codes themselves. */
static float kernel_offset(const struct tmac_spec *spec)
{
    const float zero = tmac_zero_is_constant(spec->zero_kind) ? spec->zero : 0.0f;
    const float centre =
        tmac_layout_is_direct(spec->layout) ? 0.0f : tmac_width_centre(spec->width);

    return (centre - zero) * spec->scale_unit;
}

static bool sizes(struct tmac_shape *shape)
{
    const struct tmac_scale_geometry geometry =
        tmac_scale_geometry(&shape->scale_format, shape->tile_rows);
    const size_t super_groups = (size_t)(shape->spec.cols / shape->spec.super_group);
    size_t scales, codes, tiles;

    shape->cell_bytes = tmac_cell_bytes(shape->spec.layout, shape->spec.width);
    if (!tmac_size_mul(super_groups, geometry.super, &scales) ||
        !tmac_size_add(scales, ALIGN - 1, &scales))
        return false;
    shape->scale_bytes = scales & ~(size_t)(ALIGN - 1);
    return tmac_size_mul((size_t)shape->steps, shape->cell_bytes, &codes) &&
           tmac_size_add(shape->scale_bytes, codes, &shape->tile_bytes) &&
           tmac_size_mul((size_t)shape->tiles, shape->tile_bytes, &tiles) &&
           tmac_size_add(tiles, TMAC_PACKED_HEADER_BYTES, &shape->bytes) &&
           shape->bytes <= PTRDIFF_MAX;
}

/* A block is what scales its integers by itself, a group or in nested layouts a super-group; but no more
 * than the tables may have under one scale. */
static int64_t scaled_together(const struct tmac_spec *spec)
{
    return tmac_layout_is_nested(spec->layout) ? spec->super_group : spec->group;
}

int tmac_spec_block_k(const struct tmac_spec *spec)
{
    const int64_t scaled = scaled_together(spec);

    return spec->whole_row || scaled > TMAC_MAX_BLOCK_K ? TMAC_MAX_BLOCK_K : (int)scaled;
}

static void choose_blocks(struct tmac_shape *shape)
{
    const struct tmac_spec *spec = &shape->spec;
    const bool nested = tmac_layout_is_nested(spec->layout);
    const int64_t scaled = scaled_together(spec);

    shape->block_k = tmac_spec_block_k(spec);
    shape->block_shift = spec->whole_row ? 31 : log2_int(scaled / shape->block_k);
    shape->block_log2 = log2_int(shape->block_k);
    shape->group_log2 = spec->whole_row ? 0 : log2_int(spec->group);
    shape->super_log2 = spec->whole_row ? 0 : log2_int(spec->super_group);
    shape->table_group = nested ? (int)spec->group : 0;
}

tmac_status tmac_shape_init(struct tmac_shape *shape, const struct tmac_spec *spec)
{
    const tmac_status status = tmac_spec_check(spec);

    if (status != TMAC_OK)
        return status;
    if ((unsigned)spec->layout >= TMAC_LAYOUT_COUNT || !tmac_layout_holds(spec->layout, spec))
        return TMAC_ERROR_ENUM;

    shape->spec = *spec;
    shape->tile_rows = tmac_layout_tile_rows(spec->layout);
    shape->tiles = (spec->rows + shape->tile_rows - 1) / shape->tile_rows;
    shape->steps = (spec->cols + TMAC_STEP_K - 1) / TMAC_STEP_K;
    shape->groups = spec->cols / spec->group;
    shape->scale_format = (struct tmac_scale_format){
        .type = spec->scale_type,
        .zero = spec->zero_kind,
        .sub = spec->sub_format,
        .super_groups = spec->super_group / spec->group,
    };
    choose_blocks(shape);
    shape->offset = kernel_offset(spec);
    shape->table_layout =
        tmac_table_layout(tmac_layout_table_kind(spec->layout), shape->block_k, shape->table_group);
    return sizes(shape) ? TMAC_OK : TMAC_ERROR_OVERFLOW;
}

uint32_t tmac_table_layout(enum tmac_table_kind kind, int block_k, int group_k)
{
    return ((uint32_t)kind + 1) << 16 | (uint32_t)(group_k / 16) << 8 | (uint32_t)block_k;
}

tmac_status tmac_table_layout_split(uint32_t layout, enum tmac_table_kind *kind, int *block_k,
                                    int *group_k)
{
    const uint32_t block = layout & 0xff, group = (layout >> 8 & 0xff) * 16, number = layout >> 16;

    if (number < 1 || number > TMAC_TABLE_KIND_COUNT ||
        !tmac_is_power_of_two(block, 16, TMAC_MAX_BLOCK_K))
        return TMAC_ERROR_TABLE_LAYOUT;
    if (group && (number - 1 == TMAC_TABLE_S8 || (group != 16 && group != 32) || block < 64))
        return TMAC_ERROR_TABLE_LAYOUT;
    *kind = (enum tmac_table_kind)(number - 1);
    *block_k = (int)block;
    *group_k = (int)group;
    return TMAC_OK;
}
