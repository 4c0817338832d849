/* SPDX-License-Identifier: MIT
 * Packed scales to floats, in plain C. */
#include "scalar.h"

#include "float16.h"

#include <string.h>

static float load_scale(tmac_scale_type type, const uint8_t *at, int index)
{
    float value;
    uint16_t half;

    if (type == TMAC_SCALE_F32) {
        memcpy(&value, at + (size_t)index * 4, sizeof value);
        return value;
    }
    memcpy(&half, at + (size_t)index * 2, sizeof half);
    return type == TMAC_SCALE_F16 ? tmac_f16_to_f32(half) : tmac_bf16_to_f32(half);
}

/* The sub-scale and sub-minimum of a row, and where they end. */
static const uint8_t *load_sub(const struct tmac_scale_format *format, const uint8_t *at, int rows,
                               int row, float *sub, float *sub_minimum)
{
    const uint8_t first = format->sub == TMAC_SUB_NONE ? 0 : at[row];

    switch (format->sub) {
    case TMAC_SUB_I8:
        *sub = (float)(int8_t)first;
        if (format->zero != TMAC_ZERO_MINIMUM)
            return at + rows;
        *sub_minimum = (float)at[rows + row];
        return at + 2 * rows;
    case TMAC_SUB_U4:
        *sub = (float)(first & 15);
        *sub_minimum = (float)(first >> 4);
        return at + rows;
    default:
        return at;
    }
}

void scalar_expand(const struct tmac_expand *expand)
{
    const struct tmac_scale_format *format = expand->format;
    const struct tmac_scale_geometry geometry = tmac_scale_geometry(format, expand->tile_rows);
    const int rows = expand->tile_rows;
    const size_t type_bytes = tmac_scale_type_bytes(format->type);

    for (int g = 0; g < expand->groups; g++) {
        const uint8_t *super, *group;
        tmac_scale_find(&geometry, format, expand->packed, expand->group + g, &super, &group);

        for (int r = 0; r < rows; r++) {
            float sub = 1.0f, sub_minimum = 1.0f;
            const uint8_t *zero = load_sub(format, group, rows, r, &sub, &sub_minimum);
            const float scale = load_scale(format->type, super, r) * sub;
            const int at = g * rows + r;

            expand->scale[at] = scale;
            if (format->zero == TMAC_ZERO_POINT)
                expand->minimum[at] = -(scale * (float)zero[r]);
            else if (format->zero == TMAC_ZERO_MINIMUM)
                expand->minimum[at] =
                    load_scale(format->type, super + (size_t)rows * type_bytes, r) * sub_minimum;
        }
    }
}

void scalar_f16_to_f32(const uint16_t *from, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = tmac_f16_to_f32(from[i]);
}

void scalar_bf16_to_f32(const uint16_t *from, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = tmac_bf16_to_f32(from[i]);
}
