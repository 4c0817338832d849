/* SPDX-License-Identifier: MIT
 * Codes out of ggml blocks or the caller's arrays to strips, a chunk of a row at a time. Loops have
 * constant counts, and eight codes move as one word, so that compilers vectorize them. */
#include "formats/source.h"

#include "formats/ggml_format.h"
#include "formats/words.h"

enum { K = TMAC_CHUNK_K };

/* ---- one code per byte ----------------------------------------------------------------------- */

static bool in_range(const uint8_t *codes, tmac_width width)
{
    const uint8_t most = width == TMAC_WIDTH_TERNARY ? 2 : (uint8_t)((1 << tmac_width_bits(width)) - 1);
    uint8_t seen = 0;

    for (int i = 0; i < K; i++)
        seen = codes[i] > seen ? codes[i] : seen;
    return seen <= most;
}

/* The multiplication moves bit 0 of byte i to bit 56 + i; its 64 partial products fall on different
 * bits, so nothing carries. */
static void codes_to_bits(const uint8_t *codes, uint8_t *strips)
{
    for (int i = 0; i < K / 8; i++)
        strips[i] = (uint8_t)(load64(codes + 8 * i) * 0x0102040810204080u >> 56);
}

static void codes_to_halves(const uint8_t *codes, uint8_t *strips)
{
    for (int i = 0; i < K; i += 32, codes += 32, strips += 16) {
        store64(strips, load64(codes) | load64(codes + 16) << 4);
        store64(strips + 8, load64(codes + 8) | load64(codes + 24) << 4);
    }
}

static void codes_to_strips(const uint8_t *codes, tmac_width width, uint8_t *strips)
{
    switch (tmac_strip_bytes(width)) {
    case 4:
        codes_to_bits(codes, strips);
        break;
    case 8:
        tmac_codes_to_fields(codes, K, strips);
        break;
    default:
        codes_to_halves(codes, strips);
    }
}

static tmac_status read_bytes(const uint8_t *from, int count, tmac_width width, uint8_t *strips)
{
    uint8_t codes[K];

    memcpy(codes, from, (size_t)count);
    memset(codes + count, 0, (size_t)(K - count));
    if (!in_range(codes, width))
        return TMAC_ERROR_CODE;
    codes_to_strips(codes, width, strips);
    return TMAC_OK;
}

/* ---- dense codes ----------------------------------------------------------------------------- */

/* Eight codes of 3 bits to one per byte: made to be 12 bits apart by fours, then 6 by twos. */
static uint64_t spread_3(uint64_t word)
{
    word = (word & 0x000fff) | (word & 0xfff000) << 20;
    word = (word | word << 10) & 0x003f003f003f003f;
    return (word | word << 5) & 0x0707070707070707;
}

static void dense_3_to_halves(const uint8_t *dense, uint8_t *strips)
{
    uint64_t first[TMAC_CHUNK_STEPS], second[TMAC_CHUNK_STEPS]; /* 16 codes each */

    for (int s = 0; s < TMAC_CHUNK_STEPS; s++) {
        first[s] = load64(dense + 12 * s);
        second[s] = load64(dense + 12 * s + 4) >> 16;
    }
    for (int s = 0; s < TMAC_CHUNK_STEPS; s++) {
        store64(strips + 16 * s, spread_3(first[s]) | spread_3(second[s]) << 4);
        store64(strips + 16 * s + 8, spread_3(first[s] >> 24) | spread_3(second[s] >> 24) << 4);
    }
}

static void dense_4_to_codes(const uint8_t *dense, uint8_t *codes)
{
    for (int i = 0; i < K / 2; i++) {
        codes[2 * i] = dense[i] & 15;
        codes[2 * i + 1] = dense[i] >> 4;
    }
}

static bool has_code_3(const uint8_t *fields)
{
    uint64_t both = 0;

    for (int i = 0; i < K / 4; i += 8) {
        const uint64_t word = load64(fields + i);
        both |= word & word >> 1;
    }
    return both & 0x5555555555555555;
}

static tmac_status dense_to_strips(const uint8_t *dense, tmac_width width, uint8_t *strips)
{
    uint8_t codes[K];

    switch (width) {
    case TMAC_WIDTH_1:
        memcpy(strips, dense, K / 8);
        return TMAC_OK;
    case TMAC_WIDTH_2:
    case TMAC_WIDTH_TERNARY:
        tmac_dense_to_fields(dense, K, strips);
        return width == TMAC_WIDTH_TERNARY && has_code_3(strips) ? TMAC_ERROR_CODE : TMAC_OK;
    case TMAC_WIDTH_3:
        dense_3_to_halves(dense, strips);
        return TMAC_OK;
    default:
        dense_4_to_codes(dense, codes);
        codes_to_halves(codes, strips);
        return TMAC_OK;
    }
}

/* What follows the last code in its byte may be anything. */
static tmac_status read_dense(const uint8_t *from, int count, tmac_width width, uint8_t *strips)
{
    const int bits = count * tmac_width_bits(width);
    uint8_t dense[K / 2];

    if (count == K)
        return dense_to_strips(from, width, strips);
    memset(dense, 0, sizeof dense);
    memcpy(dense, from, (size_t)(bits + 7) / 8);
    if (bits % 8)
        dense[bits / 8] &= (uint8_t)((1 << bits % 8) - 1);
    return dense_to_strips(dense, width, strips);
}

/* ---- ggml blocks ----------------------------------------------------------------------------- */

static tmac_status read_blocks(const struct tmac_ggml_format *format, const uint8_t *block,
                               int count, tmac_width width, uint8_t *strips)
{
    const size_t strip = tmac_strip_bytes(width);
    uint8_t *to = strips;

    if (count < K)
        memset(strips, 0, TMAC_CHUNK_STEPS * strip);
    for (int i = 0; i < count; i += format->block_k, block += format->block_bytes) {
        format->strips(block, to);
        to += (size_t)(format->block_k / TMAC_STEP_K) * strip;
    }
    return width == TMAC_WIDTH_TERNARY && has_code_3(strips) ? TMAC_ERROR_CODE : TMAC_OK;
}

/* A row's next chunk is read after this chunk of many other rows, which hardware does not foresee. */
static void prefetch(const uint8_t *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(from + i);
}

tmac_status tmac_source_strips(const struct tmac_source *source, int64_t row, int64_t k, int count,
                               uint8_t *strips)
{
    const tmac_width width = source->spec.width;
    const uint8_t *codes = (const uint8_t *)source->desc->codes +
                           (size_t)row * source->code_row_bytes +
                           (size_t)(k / K) * source->chunk_bytes;

    if (source->ggml)
        return read_blocks(source->ggml, codes, count, width, strips);
    if (source->spec.cols - k >= 2 * K)
        prefetch(codes + source->chunk_bytes, source->chunk_bytes);
    if (source->desc->code_format == TMAC_CODES_BYTES)
        return read_bytes(codes, count, width, strips);
    return read_dense(codes, count, width, strips);
}
