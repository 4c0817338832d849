/* SPDX-License-Identifier: MIT
 * ggml blocks. Scales d, minimums m and super-scales are half floats, little-endian. */
#include "formats/ggml_format.h"

#include "formats/words.h"

static uint32_t load16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

/* Q4_0: d, 16 bytes.  Q4_1: d, m, 16 bytes. */
static void q4_0_strips(const uint8_t *block, uint8_t *strips)
{
    memcpy(strips, block + 2, 16);
}

static void q4_1_strips(const uint8_t *block, uint8_t *strips)
{
    memcpy(strips, block + 4, 16);
}

static void scale_at_0(const uint8_t *block, int at, struct tmac_groups *out)
{
    out->scale[at] = load16(block);
}

static void q4_1_groups(const uint8_t *block, int at, struct tmac_groups *out)
{
    out->scale[at] = load16(block);
    out->minimum[at] = load16(block + 2);
}

/* Q1_0: d, 16 bytes of 8 codes.  Q2_0: d, 16 bytes of 4 codes. */
static void q1_0_strips(const uint8_t *block, uint8_t *strips)
{
    memcpy(strips, block + 2, 16);
}

static void q2_0_strips(const uint8_t *block, uint8_t *strips)
{
    tmac_dense_to_fields(block + 2, 64, strips);
}

/* Byte i of 32 has codes i, 32 + i, 64 + i and 96 + i: a strip is to have what 8 bytes have in the same
 * bits of 4 words. */
static void quarters_to_fields(const uint8_t *bytes, uint8_t *strips)
{
    uint64_t a = load64(bytes), b = load64(bytes + 8);
    uint64_t c = load64(bytes + 16), d = load64(bytes + 24);

    swap_parts(&a, &b, 2, 0x3333333333333333);
    swap_parts(&c, &d, 2, 0x3333333333333333);
    swap_parts(&a, &c, 4, 0x0f0f0f0f0f0f0f0f);
    swap_parts(&b, &d, 4, 0x0f0f0f0f0f0f0f0f);
    store64(strips, a);
    store64(strips + 8, b);
    store64(strips + 16, c);
    store64(strips + 24, d);
}

static void q2_k_strips(const uint8_t *block, uint8_t *strips)
{
    quarters_to_fields(block + 16, strips);
    quarters_to_fields(block + 48, strips + 32);
}

static void fill(uint32_t *out, int count, uint32_t number)
{
    for (int i = 0; i < count; i++)
        out[i] = number;
}

static void q2_k_groups(const uint8_t *block, int at, struct tmac_groups *out)
{
    const uint64_t low = 0x0f0f0f0f0f0f0f0f;

    fill(out->scale + at, 16, load16(block + 80));
    fill(out->minimum + at, 16, load16(block + 82) ^ 0x8000);
    for (int i = 0; i < 16; i += 8) {
        store64(out->sub + at + i, load64(block + i) & low);
        store64(out->sub_minimum + at + i, load64(block + i) >> 4 & low);
    }
}

/* Q3_K: 32 bytes of high bits (bit j of byte i: activation 32 j + i), 64 bytes of low bits, 12 bytes
 * of 6-bit sub-scales + 32, d. w = d (sub - 32) (q - 4). */
static void q3_k_strips(const uint8_t *block, uint8_t *strips)
{
    const uint64_t low = 0x3333333333333333, one = 0x1111111111111111;
    uint64_t high[4];

    for (int i = 0; i < 2; i++) { /* codes 0..15 of a step in low, 16..31 in high halves of bytes */
        high[i] = load64(block + 8 * i);
        high[2 + i] = load64(block + 16 + 8 * i);
        swap_parts(&high[i], &high[2 + i], 4, 0x0f0f0f0f0f0f0f0f);
    }
    for (int half = 0; half < 2; half++) {
        uint8_t fields[32];
        quarters_to_fields(block + 32 + 32 * half, fields);
        for (int step = 0; step < 4; step++, strips += 16) {
            const uint64_t word = load64(fields + 8 * step);
            store64(strips, (word & low) | (high[2 * half] >> step & one) << 2);
            store64(strips + 8, (word >> 2 & low) | (high[2 * half + 1] >> step & one) << 2);
        }
    }
}

/* Sub-scale i: low 4 bits in half-bytes of bytes 0..7 (i < 8 low, else high half), high 2 bits in
 * bytes 8..11 (byte i % 4, bits 2 (i / 4)). */
static void q3_k_groups(const uint8_t *block, int at, struct tmac_groups *out)
{
    const uint64_t low = load64(block + 96), sign = 0x2020202020202020;
    const uint32_t high = load32(block + 104), two = 0x03030303;

    fill(out->scale + at, 16, load16(block + 108));
    for (int i = 0; i < 16; i += 8) {
        const uint64_t top = (high >> i / 2 & two) | (uint64_t)(high >> (i / 2 + 2) & two) << 32;
        const uint64_t less = ((low >> i / 2 & 0x0f0f0f0f0f0f0f0f) | top << 4) ^ sign;
        store64(out->sub + at + i, less | (less & sign) * 6); /* to 8 bits */
    }
}

/* Q4_K: d, dmin, 12 bytes of 6-bit sub-scales and sub-minimums, 128 bytes of codes.
 * w = d sub q - dmin sub_minimum. */
static void q4_k_strips(const uint8_t *block, uint8_t *strips)
{
    for (int i = 0; i < 128; i += 32)
        for (int j = i; j < i + 16; j += 8) { /* 32 bytes have codes 0..31 low, 32..63 high */
            uint64_t first = load64(block + 16 + j), second = load64(block + 32 + j);
            swap_parts(&first, &second, 4, 0x0f0f0f0f0f0f0f0f);
            store64(strips + j, first);
            store64(strips + j + 16, second);
        }
}

/* Groups 0..3: the low 6 bits of bytes i and 4 + i. Groups 4..7: low 4 bits in the half-bytes of
 * byte 4 + i, high 2 bits at the top of bytes i - 4 and i. */
static void q4_k_groups(const uint8_t *block, int at, struct tmac_groups *out)
{
    const uint32_t first = load32(block + 4), second = load32(block + 8), last = load32(block + 12);
    const uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, top = 0x30303030;

    fill(out->scale + at, 8, load16(block));
    fill(out->minimum + at, 8, load16(block + 2) ^ 0x8000);
    store32(out->sub + at, first & six);
    store32(out->sub + at + 4, (last & four) | (first >> 2 & top));
    store32(out->sub_minimum + at, second & six);
    store32(out->sub_minimum + at + 4, (last >> 4 & four) | (second >> 2 & top));
}

/* Five (or four) trits in a byte, as a fraction of 256: three times it has the first one above the
 * binary point. */
static inline void trits(const uint8_t *restrict bytes, int run, int digits,
                         uint8_t *restrict codes)
{
    for (int i = 0; i < run; i++) {
        uint8_t rest = bytes[i];
        for (int n = 0; n < digits; n++) {
            codes[n * run + i] = (uint8_t)((rest >= 86) + (rest >= 171));
            rest = (uint8_t)(rest * 3);
        }
    }
}

/* TQ1_0: 48 bytes of 5 trits (32, then 16), 4 bytes of 4 trits, d. */
static void tq1_0_strips(const uint8_t *block, uint8_t *strips)
{
    uint8_t codes[256];

    trits(block, 32, 5, codes);
    trits(block + 32, 16, 5, codes + 160);
    trits(block + 48, 4, 4, codes + 240);
    tmac_codes_to_fields(codes, 256, strips);
}

static void tq1_0_groups(const uint8_t *block, int at, struct tmac_groups *out)
{
    out->scale[at] = load16(block + 52);
}

/* TQ2_0: 64 bytes of codes, d. */
static void tq2_0_strips(const uint8_t *block, uint8_t *strips)
{
    quarters_to_fields(block, strips);
    quarters_to_fields(block + 32, strips + 32);
}

static void tq2_0_groups(const uint8_t *block, int at, struct tmac_groups *out)
{
    out->scale[at] = load16(block + 64);
}

static const struct tmac_ggml_format formats[] = {
    {2, 32, 18, TMAC_WIDTH_4, 32, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, q4_0_strips, scale_at_0},
    {3, 32, 20, TMAC_WIDTH_4, 32, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_NONE, 0, q4_1_strips, q4_1_groups},
    {10, 256, 84, TMAC_WIDTH_2, 16, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_U4, 4, q2_k_strips, q2_k_groups},
    {11, 256, 110, TMAC_WIDTH_3, 16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_I8, 6, q3_k_strips, q3_k_groups},
    {12, 256, 144, TMAC_WIDTH_4, 32, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_I8, 6, q4_k_strips, q4_k_groups},
    {34, 256, 54, TMAC_WIDTH_TERNARY, 256, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, tq1_0_strips,
     tq1_0_groups},
    {35, 256, 66, TMAC_WIDTH_TERNARY, 256, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, tq2_0_strips,
     tq2_0_groups},
    {41, 128, 18, TMAC_WIDTH_1, 128, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, 0, q1_0_strips,
     scale_at_0},
    {42, 64, 18, TMAC_WIDTH_2, 64, TMAC_ZERO_CONSTANT, 1, TMAC_SUB_NONE, 0, q2_0_strips, scale_at_0},
};

const struct tmac_ggml_format *tmac_ggml_find(int32_t type)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (formats[i].type == type)
            return &formats[i];
    return NULL;
}

void tmac_ggml_describe(const struct tmac_ggml_format *format, int64_t rows, int64_t cols,
                        const void *blocks, tmac_weights_desc *desc)
{
    const size_t struct_size = desc->struct_size;

    *desc = (tmac_weights_desc){
        .struct_size = struct_size,
        .rows = rows,
        .cols = cols,
        .width = format->width,
        .code_format = TMAC_CODES_GGML,
        .codes = blocks,
        .group = format->group,
        .scale_type = TMAC_SCALE_F16,
        .zero_kind = format->zero_kind,
        .zero = format->zero,
        .sub_format = format->sub_format,
        .super_group = format->sub_format == TMAC_SUB_NONE ? 0 : format->block_k,
        .ggml_type = format->type,
    };
}
