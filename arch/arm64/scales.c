/* SPDX-License-Identifier: MIT
 * Packed scales to floats, 8 rows at a time. */
#include "neon.h"

#include "float16.h"

struct rows8 {
    float32x4_t low, high;
};

/* Packed bytes have no alignment, so all loads are of bytes. */
NEON_INLINE struct rows8 load_f16(const void *at)
{
    const float16x8_t half = vreinterpretq_f16_u8(vld1q_u8(at));
    return (struct rows8){vcvt_f32_f16(vget_low_f16(half)), vcvt_high_f32_f16(half)};
}

NEON_INLINE struct rows8 load_bf16(const void *at)
{
    const uint16x8_t half = vreinterpretq_u16_u8(vld1q_u8(at));
    return (struct rows8){vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(half), 16)),
                          vreinterpretq_f32_u32(vshll_high_n_u16(half, 16))};
}

NEON_INLINE struct rows8 load_scale(tmac_scale_type type, const uint8_t *at, int row)
{
    const uint8_t *from = at + (size_t)row * tmac_scale_type_bytes(type);

    if (type == TMAC_SCALE_F16)
        return load_f16(from);
    if (type == TMAC_SCALE_BF16)
        return load_bf16(from);
    return (struct rows8){vreinterpretq_f32_u8(vld1q_u8(from)),
                          vreinterpretq_f32_u8(vld1q_u8(from + 16))};
}

NEON_INLINE struct rows8 from_signed(int8x8_t byte)
{
    const int16x8_t word = vmovl_s8(byte);
    return (struct rows8){vcvtq_f32_s32(vmovl_s16(vget_low_s16(word))),
                          vcvtq_f32_s32(vmovl_high_s16(word))};
}

NEON_INLINE struct rows8 from_unsigned(uint8x8_t byte)
{
    const uint16x8_t word = vmovl_u8(byte);
    return (struct rows8){vcvtq_f32_u32(vmovl_u16(vget_low_u16(word))),
                          vcvtq_f32_u32(vmovl_high_u16(word))};
}

NEON_INLINE struct rows8 product(struct rows8 a, struct rows8 b)
{
    return (struct rows8){vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
}

NEON_INLINE void store(float *to, struct rows8 value)
{
    vst1q_f32(to, value.low);
    vst1q_f32(to + 4, value.high);
}

/* Sub-scales and sub-minimums of 8 rows. `sub` and `sub_minimum` are 1 with one level. */
NEON_INLINE void load_sub(const struct tmac_scale_format *format, const uint8_t *own, int rows,
                          int row, struct rows8 *sub, struct rows8 *sub_minimum)
{
    const float32x4_t one = vdupq_n_f32(1.0f);

    *sub = *sub_minimum = (struct rows8){one, one};
    if (format->sub == TMAC_SUB_I8) {
        *sub = from_signed(vreinterpret_s8_u8(vld1_u8(own + row)));
        if (format->zero == TMAC_ZERO_MINIMUM)
            *sub_minimum = from_unsigned(vld1_u8(own + rows + row));
    } else if (format->sub == TMAC_SUB_U4) {
        const uint8x8_t byte = vld1_u8(own + row);
        *sub = from_unsigned(vand_u8(byte, vdup_n_u8(15)));
        *sub_minimum = from_unsigned(vshr_n_u8(byte, 4));
    }
}

static void expand_group(const struct tmac_scale_format *format, const uint8_t *head,
                         const uint8_t *own, int rows, float *scale, float *minimum)
{
    const uint8_t *head_minimum = head + (size_t)rows * tmac_scale_type_bytes(format->type);
    const uint8_t *zero = own + (format->sub == TMAC_SUB_NONE ? 0 : rows);

    for (int r = 0; r < rows; r += 8) {
        struct rows8 value = load_scale(format->type, head, r);
        struct rows8 sub, sub_minimum;

        load_sub(format, own, rows, r, &sub, &sub_minimum);
        value = product(value, sub);
        store(scale + r, value);
        if (format->zero == TMAC_ZERO_POINT) {
            value = product(value, from_unsigned(vld1_u8(zero + r)));
            store(minimum + r, (struct rows8){vnegq_f32(value.low), vnegq_f32(value.high)});
        } else if (format->zero == TMAC_ZERO_MINIMUM) {
            value = load_scale(format->type, head_minimum, r);
            store(minimum + r, product(value, sub_minimum));
        }
    }
}

void neon_expand(const struct tmac_expand *expand)
{
    const struct tmac_scale_format *format = expand->format;
    const struct tmac_scale_geometry geometry = tmac_scale_geometry(format, expand->tile_rows);

    for (int g = 0; g < expand->groups; g++) {
        const size_t at = (size_t)g * (size_t)expand->tile_rows;
        const uint8_t *head, *own;

        tmac_scale_find(&geometry, format, expand->packed, expand->group + g, &head, &own);
        expand_group(format, head, own, expand->tile_rows, expand->scale + at,
                     expand->minimum + at);
    }
}

void neon_f16_to_f32(const uint16_t *from, float *to, size_t count)
{
    size_t i = 0;

    for (; i + 8 <= count; i += 8)
        store(to + i, load_f16(from + i));
    for (; i < count; i++)
        to[i] = tmac_f16_to_f32(from[i]);
}

void neon_bf16_to_f32(const uint16_t *from, float *to, size_t count)
{
    size_t i = 0;

    for (; i + 8 <= count; i += 8)
        store(to + i, load_bf16(from + i));
    for (; i < count; i++)
        to[i] = tmac_bf16_to_f32(from[i]);
}
