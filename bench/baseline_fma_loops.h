/* SPDX-License-Identifier: MIT
 *
 * The loops of baseline_fma.c for one instruction set. Included once for each, with
 *
 *   LOOPS(name)     the name of a function or type here
 *   TARGET          the attribute of all of them
 *   LANES           floats in a vector
 *   GEMM_BATCH      inputs that a row block is multiplied with at once: ROWS times as many sums
 *                   stay in registers
 *   FMA(a, b, c)    a * b + c, fused
 *   HALF(scale)     an f16 in all lanes, as floats
 *
 * which it undefines.
 */
#define TEMPLATE TARGET static inline __attribute__((always_inline))
#define BYTES (4 * LANES)

typedef float LOOPS(floats) __attribute__((vector_size(BYTES)));
typedef int32_t LOOPS(ints) __attribute__((vector_size(BYTES)));
typedef uint32_t LOOPS(words) __attribute__((vector_size(BYTES)));

/* Code i of every lane, times 2^place_of(bits, i). */
TEMPLATE LOOPS(floats)
    LOOPS(code)(const LOOPS(words) * stream, const uint32_t *masks, const int bits, const int i)
{
    const int at = i * bits / 32, offset = i * bits % 32;
    /* The eight of 4 bits stay in registers; there is no room for more. */
    const uint32_t mask = bits == 4 ? 15u << offset : masks[i];
    LOOPS(words) code;

    if (offset + bits < 32)
        code = stream[at] & mask;
    else if (offset + bits == 32)
        code = stream[at] >> offset;
    else
        code = stream[at] >> offset | (stream[at + 1] << (32 - offset) & mask);
    return __builtin_convertvector((LOOPS(ints))code, LOOPS(floats));
}

TEMPLATE float LOOPS(sum)(LOOPS(floats) v)
{
    float lane[LANES], sum = 0;

    memcpy(lane, &v, sizeof lane);
    for (int half = LANES / 2; half > 1; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    sum = lane[0] + lane[1];
    return sum;
}

/* ---- one input ---- */

/* The groups of a unit, for ROWS rows. */
TEMPLATE void LOOPS(add_unit)(const int bits, const uint32_t *masks, const LOOPS(words) * stream,
                              const uint16_t *scales, const LOOPS(floats) * zeros,
                              const LOOPS(floats) * x, LOOPS(floats) acc[ROWS])
{
    const int codes = BASELINE_GROUP / LANES;

    UNROLL
    for (int g = 0; g < 32 / codes; g++) {
        LOOPS(floats) group[ROWS];
        for (int r = 0; r < ROWS; r++)
            group[r] = zeros[g];
        UNROLL
        for (int i = g * codes; i < (g + 1) * codes; i++) {
            const LOOPS(floats) xi = x[i];
            UNROLL
            for (int r = 0; r < ROWS; r++)
                group[r] = FMA(LOOPS(code)(stream + r * bits, masks, bits, i), xi, group[r]);
        }
        for (int r = 0; r < ROWS; r++)
            acc[r] = FMA(HALF(scales[g * ROWS + r]), group[r], acc[r]);
    }
}

TEMPLATE void LOOPS(gemv)(const int bits, struct baseline_shape shape, const void *packed,
                          const void *prepared, float *y)
{
    const int64_t units = shape.cols / (32 * LANES), groups = shape.cols / BASELINE_GROUP;
    const int64_t unit_groups = 32 * LANES / BASELINE_GROUP;
    const LOOPS(floats) *zeros = prepared, *x = zeros + groups;
    const LOOPS(words) *stream = packed;
    const uint16_t *scales = scales_of(shape, packed);
    uint32_t masks[32];

    place_masks(bits, masks);
    for (int64_t m = 0; m < shape.rows; m += ROWS) {
        LOOPS(floats) acc[ROWS] = {{0}};
        for (int64_t u = 0; u < units; u++, stream += ROWS * bits, scales += unit_groups * ROWS)
            LOOPS(add_unit)(bits, masks, stream, scales, zeros + u * unit_groups, x + u * 32, acc);
        for (int r = 0; r < ROWS; r++)
            y[m + r] = LOOPS(sum)(acc[r]);
    }
}

/* ---- several inputs: floats first, for ROWS rows and `units` units ---- */

/* A unit of one row. */
TEMPLATE void LOOPS(dequantize)(const int bits, const uint32_t *masks, const LOOPS(words) * stream,
                                const uint16_t *scales, LOOPS(floats) * out)
{
    UNROLL
    for (int i = 0; i < 32; i++) {
        const LOOPS(floats) scale = HALF(scales[i * LANES / BASELINE_GROUP * ROWS]);
        const LOOPS(floats) code = LOOPS(code)(stream, masks, bits, i);
        const float factor = factor_of(bits) / (float)(1u << place_of(bits, i));
        out[i] = FMA(code, scale * factor, -scale * zero_of(bits));
    }
}

/* `length` weights of ROWS rows; in `out` a row has TILE_K. */
TEMPLATE void LOOPS(dequantize_rows)(const int bits, const uint32_t *masks,
                                     const LOOPS(words) * stream, const uint16_t *scales,
                                     int length, LOOPS(floats) * out)
{
    const int unit_scales = 32 * LANES / BASELINE_GROUP * ROWS;

    for (int u = 0; u < length / (32 * LANES); u++, scales += unit_scales, out += 32)
        for (int r = 0; r < ROWS; r++, stream += bits)
            LOOPS(dequantize)(bits, masks, stream, scales + r, out + r * (TILE_K / LANES));
}

/* ROWS rows of floats with GEMM_BATCH inputs, `length` of each. */
TEMPLATE void LOOPS(multiply_floats)(const LOOPS(floats) * w, const LOOPS(floats) * x, int length,
                                     LOOPS(floats) sums[GEMM_BATCH][ROWS])
{
    LOOPS(floats) acc[GEMM_BATCH][ROWS];

    memcpy(acc, sums, sizeof acc);
    for (int i = 0; i < length / LANES; i++) {
        LOOPS(floats) input[GEMM_BATCH];
        for (int n = 0; n < GEMM_BATCH; n++)
            input[n] = x[n * (length / LANES) + i];
        UNROLL
        for (int r = 0; r < ROWS; r++) {
            const LOOPS(floats) row = w[r * (TILE_K / LANES) + i];
            UNROLL
            for (int n = 0; n < GEMM_BATCH; n++)
                acc[n][r] = FMA(row, input[n], acc[n][r]);
        }
    }
    memcpy(sums, acc, sizeof acc);
}

/* TILE_ROWS rows with all inputs; TILE_K weights of each at a time. */
TEMPLATE void LOOPS(gemm_rows)(const int bits, struct baseline_shape shape, const void *packed,
                               int64_t row, const LOOPS(floats) * x, int batch, float *y)
{
    LOOPS(floats) tile[TILE_ROWS / ROWS][ROWS * TILE_K / LANES];
    LOOPS(floats) sums[TILE_ROWS / ROWS][MOST_BATCH][ROWS];
    const int64_t groups = shape.cols / BASELINE_GROUP, row_words = shape.cols * bits / 32 / LANES;
    const LOOPS(words) *stream = packed;
    const uint16_t *scales = scales_of(shape, packed);
    uint32_t masks[32];

    place_masks(bits, masks);
    for (int b = 0; b < TILE_ROWS / ROWS; b++)
        memset(sums[b], 0, (size_t)batch * sizeof sums[b][0]);
    for (int64_t k = 0; k < shape.cols; k += TILE_K) {
        const int length = tile_length(shape.cols, k);
        for (int b = 0; b < TILE_ROWS / ROWS; b++) {
            const int64_t first = row + b * ROWS;
            LOOPS(dequantize_rows)
            (bits, masks, stream + first * row_words + k * ROWS * bits / 32 / LANES,
             scales + first * groups + k / BASELINE_GROUP * ROWS, length, tile[b]);
        }
        for (int n = 0; n < batch; n += GEMM_BATCH) {
            const LOOPS(floats) *panel = x + (k * batch + n * length) / LANES;
            for (int b = 0; b < TILE_ROWS / ROWS; b++)
                LOOPS(multiply_floats)(tile[b], panel, length, &sums[b][n]);
        }
    }
    for (int n = 0; n < batch; n++)
        for (int r = 0; r < TILE_ROWS; r++)
            y[n * shape.rows + row + r] = LOOPS(sum)(sums[r / ROWS][n][r % ROWS]);
}

TEMPLATE void LOOPS(multiply_width)(const int bits, struct baseline_shape shape, const void *packed,
                                    const void *prepared, int batch, float *y)
{
    if (batch == 1)
        LOOPS(gemv)(bits, shape, packed, prepared, y);
    else
        for (int64_t m = 0; m < shape.rows; m += TILE_ROWS)
            LOOPS(gemm_rows)(bits, shape, packed, m, prepared, batch, y);
}

TARGET static void LOOPS(multiply)(const struct baseline *b, struct baseline_shape shape,
                                   const void *packed, const void *prepared, int batch, float *y)
{
    (void)b;
    if (shape.bits == 1)
        LOOPS(multiply_width)(1, shape, packed, prepared, batch, y);
    else if (shape.bits == 2)
        LOOPS(multiply_width)(2, shape, packed, prepared, batch, y);
    else if (shape.bits == 3)
        LOOPS(multiply_width)(3, shape, packed, prepared, batch, y);
    else
        LOOPS(multiply_width)(4, shape, packed, prepared, batch, y);
}

#undef TEMPLATE
#undef BYTES
#undef LOOPS
#undef TARGET
#undef LANES
#undef GEMM_BATCH
#undef FMA
#undef HALF
