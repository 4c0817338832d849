/* SPDX-License-Identifier: MIT
 * Codes out of blocks or the caller's arrays to strips. */
#include "formats/source.h"

static bool in_range(const uint8_t *codes, tmac_width width)
{
    const uint8_t most = (uint8_t)tmac_width_most(width);
    uint8_t seen = 0;

    for (int i = 0; i < TMAC_CHUNK_K; i++)
        seen = codes[i] > seen ? codes[i] : seen;
    return seen <= most;
}

static tmac_status read_bytes(const struct tmac_source *source, const uint8_t *from, int count,
                              uint8_t *strips)
{
    uint8_t codes[TMAC_CHUNK_K];

    memcpy(codes, from, (size_t)count);
    memset(codes + count, 0, (size_t)(TMAC_CHUNK_K - count));
    if (!in_range(codes, source->spec.width))
        return TMAC_ERROR_CODE;
    source->plain->bytes(codes, strips);
    return TMAC_OK;
}

/* What follows the last code in its byte may be anything. */
static void read_dense(const struct tmac_source *source, const uint8_t *from, int count,
                       uint8_t *strips)
{
    const int bits = count * tmac_width_bits(source->spec.width);
    uint8_t dense[TMAC_CHUNK_K];

    if (count == TMAC_CHUNK_K) {
        source->plain->dense(from, strips);
        return;
    }
    memset(dense, 0, sizeof dense);
    memcpy(dense, from, (size_t)(bits + 7) / 8);
    if (bits % 8)
        dense[bits / 8] &= (uint8_t)((1 << bits % 8) - 1);
    source->plain->dense(dense, strips);
}

static void read_blocks(const struct tmac_format *format, const uint8_t *block, int count,
                        uint8_t *strips)
{
    const size_t strip = tmac_strip_bytes(format->width);
    uint8_t *to = strips;

    if (count < TMAC_CHUNK_K)
        memset(strips, 0, TMAC_CHUNK_STEPS * strip);
    for (int i = 0; i < count; i += format->block_k, block += format->block_bytes) {
        format->read_codes(block + format->codes_at, to);
        to += (size_t)(format->block_k / TMAC_STEP_K) * strip;
    }
}

static bool has_code_3(const uint8_t *fields)
{
    uint64_t both = 0;

    for (int i = 0; i < TMAC_CHUNK_K / 4; i += 8) {
        const uint64_t word = load64(fields + i);
        both |= word & word >> 1;
    }
    return both & 0x5555555555555555;
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
    const uint8_t *codes = (const uint8_t *)source->desc->codes +
                           (size_t)(row - source->desc->first_row) * source->code_row_bytes +
                           (size_t)(k / TMAC_CHUNK_K) * source->chunk_bytes;

    if (source->format) {
        read_blocks(source->format, codes, count, strips);
    } else {
        if (source->spec.cols - k >= 2 * TMAC_CHUNK_K)
            prefetch(codes + source->chunk_bytes, source->chunk_bytes);
        if (source->desc->code_format == TMAC_CODES_BYTES)
            return read_bytes(source, codes, count, strips);
        read_dense(source, codes, count, strips);
    }
    return source->spec.width == TMAC_WIDTH_TERNARY && has_code_3(strips) ? TMAC_ERROR_CODE
                                                                          : TMAC_OK;
}
