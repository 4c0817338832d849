/* SPDX-License-Identifier: MIT
 * K-quants: 256 weights, d (and dmin) for all of them, small numbers for groups of 16 or 32.
 *     Q2_K, Q4_K   w = d sub q - dmin sub_minimum
 *     Q3_K         w = d sub (q - 4) */
#include "formats/blocks.h"
#include "formats/formats.h"

/* ---- Q2_K: 16 bytes of sub-scales (low half) and sub-minimums, 64 bytes of codes, d, dmin ------- */

static void read_q2_k_subs(const uint8_t *block, int at, struct tmac_groups *out)
{
    const uint64_t low = 0x0f0f0f0f0f0f0f0f;

    for (int i = 0; i < 16; i += 8) {
        store64(out->sub + at + i, load64(block + i) & low);
        store64(out->sub_minimum + at + i, load64(block + i) >> 4 & low);
    }
}

static void write_q2_k_subs(const struct tmac_groups *in, int at, uint8_t *block)
{
    for (int i = 0; i < 16; i++)
        block[i] = (uint8_t)(in->sub[at + i] | in->sub_minimum[at + i] << 4);
}

/* ---- Q3_K: 32 bytes of high bits, 64 of low bits, 12 of 6-bit sub-scales + 32, d ---------------- */

/* Bit j of byte i of the 32 is that of weight 32 j + i. After the exchange that low bits need, eight bytes
 * have the bits of two steps, only that what should be in bit 0 and in byte 4 is in the other. */
static void read_q3_k(const uint8_t *codes, uint8_t *strips)
{
    uint8_t high[32];

    exchange_quarters(codes + 32, 8, strips, 12);
    exchange_quarters(codes + 64, 8, strips + 48, 12);
    exchange_quarters(codes, 8, high, 8);
    for (int i = 0; i < 4; i++) {
        const uint64_t two = swap_bits64(load64(high + 8 * i), 31, 0x00000000aaaaaaaa);
        store32(strips + 24 * i + 8, (uint32_t)two);
        store32(strips + 24 * i + 20, (uint32_t)(two >> 32));
    }
}

static void write_q3_k(const uint8_t *strips, uint8_t *codes)
{
    uint8_t high[32];

    exchange_quarters(strips, 12, codes + 32, 8);
    exchange_quarters(strips + 48, 12, codes + 64, 8);
    for (int i = 0; i < 4; i++) {
        const uint8_t *two = strips + 24 * i + 8;
        const uint64_t word = load32(two) | (uint64_t)load32(two + 12) << 32;
        store64(high + 8 * i, swap_bits64(word, 31, 0x00000000aaaaaaaa));
    }
    exchange_quarters(high, 8, codes, 8);
}

/* Sub-scale i: low 4 bits in half-bytes of bytes 0..7 (i < 8 low, else high half), high 2 bits in
 * bytes 8..11 (byte i % 4, bits 2 (i / 4)). */
static void read_q3_k_subs(const uint8_t *block, int at, struct tmac_groups *out)
{
    const uint64_t low = load64(block + 96), sign = 0x2020202020202020;
    const uint32_t high = load32(block + 104), two = 0x03030303;

    for (int i = 0; i < 16; i += 8) {
        const uint64_t top = (high >> i / 2 & two) | (uint64_t)(high >> (i / 2 + 2) & two) << 32;
        const uint64_t less = ((low >> i / 2 & 0x0f0f0f0f0f0f0f0f) | top << 4) ^ sign;
        store64(out->sub + at + i, less | (less & sign) * 6); /* to 8 bits */
    }
}

static void write_q3_k_subs(const struct tmac_groups *in, int at, uint8_t *block)
{
    uint8_t six[16], *low = block + 96, *high = block + 104;

    for (int i = 0; i < 16; i++)
        six[i] = (uint8_t)(in->sub[at + i] + 32);
    for (int i = 0; i < 8; i++)
        low[i] = (uint8_t)((six[i] & 15) | (six[8 + i] & 15) << 4);
    for (int i = 0; i < 4; i++)
        high[i] = (uint8_t)(six[i] >> 4 | six[4 + i] >> 4 << 2 | six[8 + i] >> 4 << 4 |
                            six[12 + i] >> 4 << 6);
}

/* ---- Q4_K: d, dmin, 12 bytes of 6-bit sub-scales and sub-minimums, 128 bytes of codes ----------- */

/* 32 bytes have codes 0..31 in low and 32..63 in high half-bytes: two strips have them by 16. */
static void exchange_q4_k(const uint8_t *from, uint8_t *to)
{
    for (int i = 0; i < 128; i += 32)
        for (int j = i; j < i + 16; j += 8) {
            uint64_t first = load64(from + j), second = load64(from + j + 16);
            swap_parts(&first, &second, 4, 0x0f0f0f0f0f0f0f0f);
            store64(to + j, first);
            store64(to + j + 16, second);
        }
}

/* Groups 0..3: the low 6 bits of bytes i and 4 + i. Groups 4..7: low 4 bits in the half-bytes of
 * byte 4 + i, high 2 bits at the top of bytes i - 4 and i. */
static void read_q4_k_subs(const uint8_t *block, int at, struct tmac_groups *out)
{
    const uint32_t first = load32(block + 4), second = load32(block + 8), last = load32(block + 12);
    const uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, top = 0x30303030;

    store32(out->sub + at, first & six);
    store32(out->sub + at + 4, (last & four) | (first >> 2 & top));
    store32(out->sub_minimum + at, second & six);
    store32(out->sub_minimum + at + 4, (last >> 4 & four) | (second >> 2 & top));
}

static void write_q4_k_subs(const struct tmac_groups *in, int at, uint8_t *block)
{
    const uint8_t *sub = in->sub + at, *minimum = in->sub_minimum + at;

    for (int i = 0; i < 4; i++) {
        block[4 + i] = (uint8_t)(sub[i] | sub[4 + i] >> 4 << 6);
        block[8 + i] = (uint8_t)(minimum[i] | minimum[4 + i] >> 4 << 6);
        block[12 + i] = (uint8_t)((sub[4 + i] & 15) | (minimum[4 + i] & 15) << 4);
    }
}

/* clang-format off */
static const struct tmac_format rows[] = {
    {.name = "Q2_K", .ggml_type = 10, .block_k = 256, .block_bytes = 84,
     .width = TMAC_WIDTH_2, .group = 16, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_MINIMUM, .sub_format = TMAC_SUB_U4, .sub_bits = 4,
     .codes_at = 16, .read_codes = exchange_256, .write_codes = exchange_256,
     .scale_at = 80, .minimum_at = 82, .minimum_minus = true,
     .read_subs = read_q2_k_subs, .write_subs = write_q2_k_subs},
    {.name = "Q3_K", .ggml_type = 11, .block_k = 256, .block_bytes = 110,
     .width = TMAC_WIDTH_3, .group = 16, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC, .sub_format = TMAC_SUB_I8, .sub_bits = 6,
     .codes_at = 0, .read_codes = read_q3_k, .write_codes = write_q3_k,
     .scale_at = 108,
     .read_subs = read_q3_k_subs, .write_subs = write_q3_k_subs},
    {.name = "Q4_K", .ggml_type = 12, .block_k = 256, .block_bytes = 144,
     .width = TMAC_WIDTH_4, .group = 32, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_MINIMUM, .sub_format = TMAC_SUB_I8, .sub_bits = 6,
     .codes_at = 16, .read_codes = exchange_q4_k, .write_codes = exchange_q4_k,
     .scale_at = 0, .minimum_at = 2, .minimum_minus = true,
     .read_subs = read_q4_k_subs, .write_subs = write_q4_k_subs},
};
/* clang-format on */

const struct tmac_format_list tmac_formats_k = {rows, sizeof rows / sizeof *rows};
