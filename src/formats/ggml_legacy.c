/* SPDX-License-Identifier: MIT
 * Blocks of one scale d, perhaps a minimum m, then codes.
 *     Q4_0, Q1_0, Q2_0   d, 16 bytes of codes
 *     Q4_1               d, m, 16 bytes of codes
 *     Q8_0               d, 32 signed bytes: codes less 128 */
#include "formats/blocks.h"

static void read_scale(const uint8_t *block, int at, struct tmac_groups *out)
{
    out->scale[at] = load16(block);
}

static void write_scale(const struct tmac_groups *in, int at, uint8_t *block)
{
    store16(block, in->scale[at]);
}

static void read_scale_and_minimum(const uint8_t *block, int at, struct tmac_groups *out)
{
    out->scale[at] = load16(block);
    out->minimum[at] = load16(block + 2);
}

static void write_scale_and_minimum(const struct tmac_groups *in, int at, uint8_t *block)
{
    store16(block, in->scale[at]);
    store16(block + 2, in->minimum[at]);
}

/* Byte i of Q4_0 and Q4_1 has codes i and 16 + i, like strips; Q1_0 and Q2_0 are dense. */
static void read_q4_0(const uint8_t *block, uint8_t *strips)
{
    memcpy(strips, block + 2, 16);
}

static void write_q4_0(const uint8_t *strips, uint8_t *block)
{
    memcpy(block + 2, strips, 16);
}

static void read_q4_1(const uint8_t *block, uint8_t *strips)
{
    memcpy(strips, block + 4, 16);
}

static void write_q4_1(const uint8_t *strips, uint8_t *block)
{
    memcpy(block + 4, strips, 16);
}

static void read_q1_0(const uint8_t *block, uint8_t *strips)
{
    tmac_dense_to_bits(block + 2, 4, strips);
}

static void write_q1_0(const uint8_t *strips, uint8_t *block)
{
    tmac_bits_to_dense(strips, 4, block + 2);
}

static void read_q2_0(const uint8_t *block, uint8_t *strips)
{
    tmac_dense_to_fields(block + 2, 2, strips);
}

static void write_q2_0(const uint8_t *strips, uint8_t *block)
{
    tmac_fields_to_dense(strips, 2, block + 2);
}

static void read_q8_0(const uint8_t *block, uint8_t *strips)
{
    for (int i = 0; i < 32; i++)
        strips[i] = block[2 + i] ^ 0x80;
}

static void write_q8_0(const uint8_t *strips, uint8_t *block)
{
    for (int i = 0; i < 32; i++)
        block[2 + i] = strips[i] ^ 0x80;
}

/* clang-format off */
static const struct tmac_format rows[] = {
    {.name = "Q4_0", .ggml_type = 2, .block_k = 32, .block_bytes = 18,
     .width = TMAC_WIDTH_4, .group = 32, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC,
     .read_codes = read_q4_0, .write_codes = write_q4_0,
     .read_groups = read_scale, .write_groups = write_scale},
    {.name = "Q4_1", .ggml_type = 3, .block_k = 32, .block_bytes = 20,
     .width = TMAC_WIDTH_4, .group = 32, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_MINIMUM,
     .read_codes = read_q4_1, .write_codes = write_q4_1,
     .read_groups = read_scale_and_minimum, .write_groups = write_scale_and_minimum},
    {.name = "Q8_0", .ggml_type = 8, .block_k = 32, .block_bytes = 34,
     .width = TMAC_WIDTH_8, .group = 32, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC,
     .read_codes = read_q8_0, .write_codes = write_q8_0,
     .read_groups = read_scale, .write_groups = write_scale},
    {.name = "Q1_0", .ggml_type = 41, .block_k = 128, .block_bytes = 18,
     .width = TMAC_WIDTH_1, .group = 128, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC,
     .read_codes = read_q1_0, .write_codes = write_q1_0,
     .read_groups = read_scale, .write_groups = write_scale},
    {.name = "Q2_0", .ggml_type = 42, .block_k = 64, .block_bytes = 18,
     .width = TMAC_WIDTH_2, .group = 64, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_CONSTANT, .zero = 1,
     .read_codes = read_q2_0, .write_codes = write_q2_0,
     .read_groups = read_scale, .write_groups = write_scale},
};
/* clang-format on */

const struct tmac_format_list tmac_formats_legacy = {rows, sizeof rows / sizeof *rows};
