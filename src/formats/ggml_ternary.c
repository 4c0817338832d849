/* SPDX-License-Identifier: MIT
 * Ternary codes of 256 weights, then one scale d.
 *     TQ1_0   48 bytes of 5 codes (32, then 16), 4 bytes of 4 codes, d
 *     TQ2_0   64 bytes of 4 codes, d */
#include "formats/blocks.h"
#include "formats/formats.h"

/* Five (or four) codes in a byte, as a fraction of 256: three times it has the first one above the
 * binary point. */
static inline void read_trits(const uint8_t *restrict bytes, int run, int digits,
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

/* Five codes, or four and a zero, to the fraction that ggml writes: the least that has them. */
static inline void write_trits(const uint8_t *restrict codes, int run, int digits,
                               uint8_t *restrict bytes)
{
    for (int i = 0; i < run; i++) {
        unsigned number = 0;
        for (int n = 0; n < 5; n++)
            number = number * 3 + (n < digits ? codes[n * run + i] : 0u);
        bytes[i] = (uint8_t)((number * 256 + 242) / 243);
    }
}

static void read_tq1_0(const uint8_t *bytes, uint8_t *strips)
{
    uint8_t codes[256];

    read_trits(bytes, 32, 5, codes);
    read_trits(bytes + 32, 16, 5, codes + 160);
    read_trits(bytes + 48, 4, 4, codes + 240);
    tmac_codes_to_strips(codes, 8, TMAC_WIDTH_TERNARY, strips);
}

static void write_tq1_0(const uint8_t *strips, uint8_t *bytes)
{
    uint8_t codes[256];

    tmac_fields_to_codes(strips, 8, codes);
    write_trits(codes, 32, 5, bytes);
    write_trits(codes + 160, 16, 5, bytes + 32);
    write_trits(codes + 240, 4, 4, bytes + 48);
}

/* clang-format off */
static const struct tmac_format rows[] = {
    {.name = "TQ1_0", .ggml_type = 34, .block_k = 256, .block_bytes = 54,
     .width = TMAC_WIDTH_TERNARY, .group = 256, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC,
     .codes_at = 0, .read_codes = read_tq1_0, .write_codes = write_tq1_0,
     .scale_at = 52},
    {.name = "TQ2_0", .ggml_type = 35, .block_k = 256, .block_bytes = 66,
     .width = TMAC_WIDTH_TERNARY, .group = 256, .scale_type = TMAC_SCALE_F16,
     .zero_kind = TMAC_ZERO_SYMMETRIC,
     .codes_at = 0, .read_codes = exchange_256, .write_codes = exchange_256,
     .scale_at = 64},
};
/* clang-format on */

const struct tmac_format_list tmac_formats_ternary = {rows, sizeof rows / sizeof *rows};
