/* SPDX-License-Identifier: MIT
 *
 * The loops of baseline_fma.c for one instruction set. Included once for each, with
 *
 *   LOOPS(name)     the name of a function or type here
 *   TARGET          the attribute of all of them
 *   LANES           floats in a vector
 *   GEMM_COLUMNS    columns that a row block is multiplied with at once: ROWS times as many sums
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
TEMPLATE LOOPS(floats) LOOPS(code)(const LOOPS(words) * stream, const int bits, const int i)
{
    const int at = i * bits / 32, offset = i * bits % 32;
    const uint32_t mask = (1u << bits) - 1;
    LOOPS(words) code;

    if (offset + bits < 32)
        code = stream[at] & mask << offset;
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

/* ---- one column ---- */

/* The groups of a unit, for ROWS rows. */
TEMPLATE void LOOPS(add_unit)(const int bits, const LOOPS(words) * stream, const uint16_t *scales,
                              const LOOPS(floats) * zeros, const LOOPS(floats) * x,
                              LOOPS(floats) acc[ROWS])
{
    const int codes = BASELINE_GROUP / LANES;

    _Pragma("GCC unroll 4") for (int g = 0; g < 32 / codes; g++)
    {
        LOOPS(floats) group[ROWS];
        for (int r = 0; r < ROWS; r++)
            group[r] = zeros[g];
        _Pragma("GCC unroll 16") for (int i = g * codes; i < (g + 1) * codes; i++)
        {
            const LOOPS(floats) xi = x[i];
            _Pragma("GCC unroll 4") for (int r = 0; r < ROWS; r++) group[r] =
                FMA(LOOPS(code)(stream + r * bits, bits, i), xi, group[r]);
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

    for (int64_t m = 0; m < shape.rows; m += ROWS) {
        LOOPS(floats) acc[ROWS] = {{0}};
        for (int64_t u = 0; u < units; u++, stream += ROWS * bits, scales += unit_groups * ROWS)
            LOOPS(add_unit)(bits, stream, scales, zeros + u * unit_groups, x + u * 32, acc);
        for (int r = 0; r < ROWS; r++)
            y[m + r] = LOOPS(sum)(acc[r]);
    }
}

/* ---- several columns: floats first, for ROWS rows and `units` units ---- */

TEMPLATE void LOOPS(dequantize)(const int bits, const LOOPS(words) * stream, const uint16_t *scales,
                                int units, LOOPS(floats) * out)
{
    const int codes = BASELINE_GROUP / LANES;

    for (int u = 0; u < units; u++, stream += ROWS * bits, scales += 32 / codes * ROWS)
        for (int r = 0; r < ROWS; r++)
            _Pragma("GCC unroll 32") for (int i = 0; i < 32; i++)
            {
                const LOOPS(floats) scale = HALF(scales[i / codes * ROWS + r]);
                const float factor = factor_of(bits) / (float)(1u << place_of(bits, i));
                out[(r * (TILE_K / LANES / 32) + u) * 32 + i] =
                    FMA(LOOPS(code)(stream + r * bits, bits, i), scale * factor,
                        -scale * zero_of(bits));
            }
}

/* ROWS rows of floats with GEMM_COLUMNS columns, `length` of each. */
TEMPLATE void LOOPS(multiply_floats)(const LOOPS(floats) * w, const LOOPS(floats) * x, int length,
                                     LOOPS(floats) sums[GEMM_COLUMNS][ROWS])
{
    LOOPS(floats) acc[GEMM_COLUMNS][ROWS];

    memcpy(acc, sums, sizeof acc);
    for (int i = 0; i < length / LANES; i++) {
        LOOPS(floats) column[GEMM_COLUMNS];
        for (int n = 0; n < GEMM_COLUMNS; n++)
            column[n] = x[n * (length / LANES) + i];
        _Pragma("GCC unroll 4") for (int r = 0; r < ROWS; r++)
        {
            const LOOPS(floats) row = w[r * (TILE_K / LANES) + i];
            _Pragma("GCC unroll 4") for (int n = 0; n < GEMM_COLUMNS; n++) acc[n][r] =
                FMA(row, column[n], acc[n][r]);
        }
    }
    memcpy(sums, acc, sizeof acc);
}

/* TILE_ROWS rows with all columns; TILE_K weights of each at a time. */
TEMPLATE void LOOPS(gemm_rows)(const int bits, struct baseline_shape shape, const void *packed,
                               int64_t row, const LOOPS(floats) * x, int columns, float *y)
{
    LOOPS(floats) tile[TILE_ROWS * TILE_K / LANES];
    LOOPS(floats) sums[TILE_ROWS / ROWS][MOST_COLUMNS][ROWS];
    const int64_t row_words = shape.cols * bits / 32 / LANES;
    const LOOPS(words) *stream = (const LOOPS(words) *)packed + row * row_words;
    const uint16_t *scales = scales_of(shape, packed) + row * (shape.cols / BASELINE_GROUP);
    const int64_t block_scales = shape.cols / BASELINE_GROUP * ROWS;

    for (int b = 0; b < TILE_ROWS / ROWS; b++)
        memset(sums[b], 0, (size_t)columns * sizeof sums[b][0]);
    for (int64_t k = 0; k < shape.cols; k += TILE_K) {
        const int length = tile_length(shape.cols, k);
        for (int b = 0; b < TILE_ROWS / ROWS; b++)
            LOOPS(dequantize)
        (bits, stream + b * ROWS * row_words + k / (32 * LANES) * ROWS * bits,
         scales + b * block_scales + k / BASELINE_GROUP * ROWS, length / (32 * LANES),
         tile + b * ROWS * TILE_K / LANES);
        for (int n = 0; n < columns; n += GEMM_COLUMNS)
            for (int b = 0; b < TILE_ROWS / ROWS; b++)
                LOOPS(multiply_floats)
        (tile + b * ROWS * TILE_K / LANES, x + (k * columns + n * length) / LANES, length,
         &sums[b][n]);
    }
    for (int n = 0; n < columns; n++)
        for (int r = 0; r < TILE_ROWS; r++)
            y[n * shape.rows + row + r] = LOOPS(sum)(sums[r / ROWS][n][r % ROWS]);
}

TEMPLATE void LOOPS(multiply_width)(const int bits, struct baseline_shape shape, const void *packed,
                                    const void *prepared, int columns, float *y)
{
    if (columns == 1)
        LOOPS(gemv)(bits, shape, packed, prepared, y);
    else
        for (int64_t m = 0; m < shape.rows; m += TILE_ROWS)
            LOOPS(gemm_rows)(bits, shape, packed, m, prepared, columns, y);
}

TARGET static void LOOPS(multiply)(const struct baseline *b, struct baseline_shape shape,
                                   const void *packed, const void *prepared, int columns, float *y)
{
    (void)b;
    if (shape.bits == 1)
        LOOPS(multiply_width)(1, shape, packed, prepared, columns, y);
    else if (shape.bits == 2)
        LOOPS(multiply_width)(2, shape, packed, prepared, columns, y);
    else if (shape.bits == 3)
        LOOPS(multiply_width)(3, shape, packed, prepared, columns, y);
    else
        LOOPS(multiply_width)(4, shape, packed, prepared, columns, y);
}

#undef TEMPLATE
#undef BYTES
#undef LOOPS
#undef TARGET
#undef LANES
#undef GEMM_COLUMNS
#undef FMA
#undef HALF
