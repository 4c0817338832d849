/* SPDX-License-Identifier: MIT
 * ggml blocks. Scales d, minimums m and super-scales are half floats, little-endian. */
#include "ggml_format.h"

static uint32_t load16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

/* Codes of `bits` bits: byte i of `run` bytes holds, from its low bits up, activations i, run + i,
 * 2 run + i ... */
static void spread(const uint8_t *bytes, int run, int bits, uint8_t *codes)
{
    for (int shift = 0; shift < 8; shift += bits)
        for (int i = 0; i < run; i++)
            *codes++ = bytes[i] >> shift & ((1 << bits) - 1);
}

/* Codes of `bits` bits one behind the other. */
static void stream(const uint8_t *bytes, int count, int bits, uint8_t *codes)
{
    for (int i = 0; i < count; i++)
        for (int shift = 0; shift < 8; shift += bits)
            *codes++ = bytes[i] >> shift & ((1 << bits) - 1);
}

/* Q4_0: d, 16 bytes.  Q4_1: d, m, 16 bytes. */
static void q4_0_codes(const uint8_t *block, uint8_t *codes)
{
    spread(block + 2, 16, 4, codes);
}

static void q4_1_codes(const uint8_t *block, uint8_t *codes)
{
    spread(block + 4, 16, 4, codes);
}

static void scale_at_0(const uint8_t *block, int index, struct tmac_group *out)
{
    (void)index;
    out->scale = load16(block);
}

static void q4_1_group(const uint8_t *block, int index, struct tmac_group *out)
{
    (void)index;
    out->scale = load16(block);
    out->minimum = load16(block + 2);
}

/* Q1_0: d, 16 bytes of 8 codes.  Q2_0: d, 16 bytes of 4 codes. */
static void q1_0_codes(const uint8_t *block, uint8_t *codes)
{
    stream(block + 2, 16, 1, codes);
}

static void q2_0_codes(const uint8_t *block, uint8_t *codes)
{
    stream(block + 2, 16, 2, codes);
}

/* Q2_K: 16 bytes of sub-scale (low) and sub-minimum (high half-byte), 64 bytes of codes, d, dmin.
 * w = d sub q - dmin sub_minimum: the minimum is negated by its sign bit. */
static void q2_k_codes(const uint8_t *block, uint8_t *codes)
{
    spread(block + 16, 32, 2, codes);
    spread(block + 48, 32, 2, codes + 128);
}

static void q2_k_group(const uint8_t *block, int index, struct tmac_group *out)
{
    out->scale = load16(block + 80);
    out->minimum = load16(block + 82) ^ 0x8000;
    out->sub = (int8_t)(block[index] & 15);
    out->sub_minimum = block[index] >> 4;
}

/* Q3_K: 32 bytes of high bits (bit j of byte i: activation 32 j + i), 64 bytes of low bits, 12 bytes
 * of 6-bit sub-scales + 32, d. w = d (sub - 32) (q - 4). */
static void q3_k_codes(const uint8_t *block, uint8_t *codes)
{
    uint8_t high[256];

    spread(block, 32, 1, high);
    spread(block + 32, 32, 2, codes);
    spread(block + 64, 32, 2, codes + 128);
    for (int k = 0; k < 256; k++)
        codes[k] |= (uint8_t)(high[k] << 2);
}

/* Sub-scale i: low 4 bits in half-bytes of bytes 0..7 (i < 8 low, else high half), high 2 bits in
 * bytes 8..11 (byte i % 4, bits 2 (i / 4)). */
static void q3_k_group(const uint8_t *block, int index, struct tmac_group *out)
{
    const uint8_t *sub = block + 96;
    const int low = index < 8 ? sub[index] & 15 : sub[index - 8] >> 4;
    const int high = sub[8 + index % 4] >> index / 4 * 2 & 3;

    out->scale = load16(block + 108);
    out->sub = (int8_t)((low | high << 4) - 32);
}

/* Q4_K: d, dmin, 12 bytes of 6-bit sub-scales and sub-minimums, 128 bytes of codes.
 * w = d sub q - dmin sub_minimum. */
static void q4_k_codes(const uint8_t *block, uint8_t *codes)
{
    for (int i = 0; i < 4; i++)
        spread(block + 16 + 32 * i, 32, 4, codes + 64 * i);
}

/* Groups 0..3: the low 6 bits of bytes i and 4 + i. Groups 4..7: low 4 bits in the half-bytes of
 * byte 4 + i, high 2 bits at the top of bytes i - 4 and i. */
static void q4_k_group(const uint8_t *block, int index, struct tmac_group *out)
{
    const uint8_t *sub = block + 4;

    out->scale = load16(block);
    out->minimum = load16(block + 2) ^ 0x8000;
    if (index < 4) {
        out->sub = (int8_t)(sub[index] & 63);
        out->sub_minimum = sub[index + 4] & 63;
    } else {
        out->sub = (int8_t)((sub[index + 4] & 15) | sub[index - 4] >> 6 << 4);
        out->sub_minimum = (uint8_t)(sub[index + 4] >> 4 | sub[index] >> 6 << 4);
    }
}

/* Five (or four) trits in a byte, as a fraction of 256: the top digit of byte * 3^n in base 3. */
static void trits(const uint8_t *bytes, int run, int digits, uint8_t *codes)
{
    for (int n = 0, power = 1; n < digits; n++, power *= 3)
        for (int i = 0; i < run; i++)
            *codes++ = (uint8_t)((uint8_t)(bytes[i] * power) * 3 >> 8);
}

/* TQ1_0: 48 bytes of 5 trits (32, then 16), 4 bytes of 4 trits, d. */
static void tq1_0_codes(const uint8_t *block, uint8_t *codes)
{
    trits(block, 32, 5, codes);
    trits(block + 32, 16, 5, codes + 160);
    trits(block + 48, 4, 4, codes + 240);
}

static void tq1_0_group(const uint8_t *block, int index, struct tmac_group *out)
{
    (void)index;
    out->scale = load16(block + 52);
}

/* TQ2_0: 64 bytes of codes, d. */
static void tq2_0_codes(const uint8_t *block, uint8_t *codes)
{
    spread(block, 32, 2, codes);
    spread(block + 32, 32, 2, codes + 128);
}

static void tq2_0_group(const uint8_t *block, int index, struct tmac_group *out)
{
    (void)index;
    out->scale = load16(block + 64);
}

static const struct tmac_ggml_format formats[] = {
    {2, 32, 18, TMAC_WIDTH_4, 32, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, q4_0_codes, scale_at_0},
    {3, 32, 20, TMAC_WIDTH_4, 32, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_NONE, q4_1_codes, q4_1_group},
    {10, 256, 84, TMAC_WIDTH_2, 16, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_U4, q2_k_codes, q2_k_group},
    {11, 256, 110, TMAC_WIDTH_3, 16, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_I8, q3_k_codes, q3_k_group},
    {12, 256, 144, TMAC_WIDTH_4, 32, TMAC_ZERO_MINIMUM, 0, TMAC_SUB_I8, q4_k_codes, q4_k_group},
    {34, 256, 54, TMAC_WIDTH_TERNARY, 256, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, tq1_0_codes,
     tq1_0_group},
    {35, 256, 66, TMAC_WIDTH_TERNARY, 256, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, tq2_0_codes,
     tq2_0_group},
    {41, 128, 18, TMAC_WIDTH_1, 128, TMAC_ZERO_SYMMETRIC, 0, TMAC_SUB_NONE, q1_0_codes, scale_at_0},
    {42, 64, 18, TMAC_WIDTH_2, 64, TMAC_ZERO_CONSTANT, 1, TMAC_SUB_NONE, q2_0_codes, scale_at_0},
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
