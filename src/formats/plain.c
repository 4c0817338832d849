/* SPDX-License-Identifier: MIT
 * Codes apart from their scales, a chunk of a row at a time: one per byte, or dense. Loops have constant
 * counts, and eight codes move as one word, so that compilers vectorize them. */
#include "formats/formats.h"
#include "formats/strips.h"

enum { K = TMAC_CHUNK_K };

/* Eight codes of `bits` bits, less than 8, to one per byte: made to be 32 bits apart by fours, then 16 by
 * twos, then 8. */
static inline uint64_t spread(uint64_t word, int bits)
{
    const uint64_t four = (UINT64_C(1) << 4 * bits) - 1, two = (UINT64_C(1) << 2 * bits) - 1;
    const uint64_t one = (UINT64_C(1) << bits) - 1;

    word = (word & four) | (word & four << 4 * bits) << (32 - 4 * bits);
    word = (word | word << (16 - 2 * bits)) & two * 0x0001000100010001;
    return (word | word << (8 - bits)) & one * 0x0101010101010101;
}

/* A step's dense codes to bytes. Words are read so that none reaches past the step. */
static inline struct tmac_step_codes dense_to_codes(const uint8_t *dense, int bits)
{
    const int rest = 64 - 8 * bits, back = 8 - bits;

    return (struct tmac_step_codes){
        spread(load64(dense), bits),
        spread(load64(dense + bits), bits),
        spread(load64(dense + 2 * bits - back) >> rest, bits),
        spread(load64(dense + 3 * bits - back) >> rest, bits),
    };
}

static void dense_1(const uint8_t *dense, uint8_t *strips)
{
    tmac_dense_to_bits(dense, TMAC_CHUNK_STEPS, strips);
}

static void dense_2(const uint8_t *dense, uint8_t *strips)
{
    tmac_dense_to_fields(dense, TMAC_CHUNK_STEPS, strips);
}

static void dense_4(const uint8_t *dense, uint8_t *strips)
{
    uint8_t codes[K];

    for (int i = 0; i < K / 2; i++) {
        codes[2 * i] = dense[i] & 15;
        codes[2 * i + 1] = dense[i] >> 4;
    }
    tmac_codes_to_strips(codes, TMAC_CHUNK_STEPS, TMAC_WIDTH_4, strips);
}

static void dense_8(const uint8_t *dense, uint8_t *strips)
{
    memcpy(strips, dense, K);
}

#define BYTES(bits)                                                                                \
    static void bytes_##bits(const uint8_t *codes, uint8_t *strips)                                \
    {                                                                                              \
        tmac_codes_to_strips(codes, TMAC_CHUNK_STEPS, TMAC_WIDTH_##bits, strips);                  \
    }
#define DENSE(bits)                                                                                \
    static void dense_##bits(const uint8_t *dense, uint8_t *strips)                                \
    {                                                                                              \
        for (int s = 0; s < TMAC_CHUNK_STEPS; s++)                                                 \
            tmac_codes_to_strip(dense_to_codes(dense + 4 * bits * s, bits), TMAC_WIDTH_##bits,     \
                                strips + 4 * bits * s);                                            \
    }

BYTES(1)
BYTES(2)
BYTES(3)
BYTES(4)
DENSE(3)

static const struct tmac_plain rows[] = {
    {"w1", TMAC_WIDTH_1, bytes_1, dense_1}, {"ternary", TMAC_WIDTH_TERNARY, bytes_2, dense_2},
    {"w2", TMAC_WIDTH_2, bytes_2, dense_2}, {"w3", TMAC_WIDTH_3, bytes_3, dense_3},
    {"w4", TMAC_WIDTH_4, bytes_4, dense_4}, {"w8", TMAC_WIDTH_8, dense_8, dense_8},
};

const struct tmac_plain *tmac_plain_at(int index)
{
    return index < (int)(sizeof rows / sizeof *rows) ? &rows[index] : NULL;
}

const struct tmac_plain *tmac_plain_of(tmac_width width)
{
    const struct tmac_plain *row = rows;

    while (row->width != width)
        row++;
    return row;
}
