/* SPDX-License-Identifier: MIT
 * Blocks of one scale d, perhaps a minimum m, then codes.
 *     Q4_0, Q1_0, Q2_0   d, 16 bytes of codes
 *     Q4_1               d, m, 16 bytes of codes
 *     Q8_0               d, 32 signed bytes: codes less 128 */
#include "formats/blocks.h"
#include "formats/formats.h"

/* Byte i of Q4_0 and Q4_1 has codes i and 16 + i, like strips; Q1_0 and Q2_0 are dense. */
static void read_q4(const uint8_t *codes, uint8_t *strips)
{
    memcpy(strips, codes, 16);
}

static void write_q4(const uint8_t *strips, uint8_t *codes)
{
    memcpy(codes, strips, 16);
}

static void read_q1_0(const uint8_t *codes, uint8_t *strips)
{
    tmac_dense_to_bits(codes, 4, strips);
}

static void write_q1_0(const uint8_t *strips, uint8_t *codes)
{
    tmac_bits_to_dense(strips, 4, codes);
}

static void read_q2_0(const uint8_t *codes, uint8_t *strips)
{
    tmac_dense_to_fields(codes, 2, strips);
}

static void write_q2_0(const uint8_t *strips, uint8_t *codes)
{
    tmac_fields_to_dense(strips, 2, codes);
}

static void read_q8_0(const uint8_t *codes, uint8_t *strips)
{
    for (int i = 0; i < 32; i++)
        strips[i] = codes[i] ^ 0x80;
}

static void write_q8_0(const uint8_t *strips, uint8_t *codes)
{
    for (int i = 0; i < 32; i++)
        codes[i] = strips[i] ^ 0x80;
}

/* clang-format off */
static const struct tmac_format rows[] = {
    {.name = "Q4_0", .ggml_type = 2, .block_k = 32, .block_bytes = 18,
     .width = TMAC_WIDTH_4, .group = 32, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC,
     .codes_at = 2, .read_codes = read_q4, .write_codes = write_q4,
     .scale_at = 0},
    {.name = "Q4_1", .ggml_type = 3, .block_k = 32, .block_bytes = 20,
     .width = TMAC_WIDTH_4, .group = 32, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_MINIMUM,
     .codes_at = 4, .read_codes = read_q4, .write_codes = write_q4,
     .scale_at = 0, .minimum_at = 2},
    {.name = "Q8_0", .ggml_type = 8, .block_k = 32, .block_bytes = 34,
     .width = TMAC_WIDTH_8, .group = 32, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC,
     .codes_at = 2, .read_codes = read_q8_0, .write_codes = write_q8_0,
     .scale_at = 0},
    {.name = "Q1_0", .ggml_type = 41, .block_k = 128, .block_bytes = 18,
     .width = TMAC_WIDTH_1, .group = 128, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC,
     .codes_at = 2, .read_codes = read_q1_0, .write_codes = write_q1_0,
     .scale_at = 0},
    {.name = "Q2_0", .ggml_type = 42, .block_k = 64, .block_bytes = 18,
     .width = TMAC_WIDTH_2, .group = 64, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_CONSTANT, .zero = 1,
     .codes_at = 2, .read_codes = read_q2_0, .write_codes = write_q2_0,
     .scale_at = 0},
};
/* clang-format on */

const struct tmac_format_list tmac_formats_legacy = {rows, sizeof rows / sizeof *rows};
