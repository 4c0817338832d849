/* SPDX-License-Identifier: MIT
 * Layouts DIRECT and NESTED, several inputs: the codes of a few steps are unpacked once, one per byte,
 * for all inputs of all panels. */
#ifndef TMAC_AVX2_UNPACKED_H
#define TMAC_AVX2_UNPACKED_H

#include "direct_codes.h"

#include "../family/ahead.h"

/* Steps that are unpacked at a time: 8 KB, a quarter of the first-level cache. */
enum { EIGHTHS = 4, STEP_CODES = GROUPS * ROWS * 4, UNPACKED_STEPS = 8 };

/* [step][group of 4 activations][eighth][32 bytes] */
struct unpacked {
    _Alignas(32) uint8_t codes[UNPACKED_STEPS * STEP_CODES];
};

AVX2_TEMPLATE void unpack_steps(const uint8_t *cell, int steps, const int width, uint8_t *codes)
{
    for (int s = 0; s < steps; s++, cell += cell_bytes(width), codes += STEP_CODES) {
        AVX2_UNROLL
        for (int g = 0; g < GROUPS; g++)
            for (int e = 0; e < EIGHTHS; e++)
                avx2_store(codes + (g * EIGHTHS + e) * 32, code(cell, g, e, width));
    }
}

/* The same where the width is known at run time only. */
static inline void unpack_steps_of(const uint8_t *cell, int steps, int width, uint8_t *codes)
{
    if (width == TMAC_WIDTH_1)
        unpack_steps(cell, steps, TMAC_WIDTH_1, codes);
    else if (width == TMAC_WIDTH_2)
        unpack_steps(cell, steps, TMAC_WIDTH_2, codes);
    else if (width == TMAC_WIDTH_3)
        unpack_steps(cell, steps, TMAC_WIDTH_3, codes);
    else
        unpack_steps(cell, steps, TMAC_WIDTH_4, codes);
}

/* What a pass over codes and a panel of inputs sums in registers, known when it is compiled. */
struct pass_shape {
    int panel;            /* inputs there are */
    int batch, vectors; /* of the pass; vectors of 8 rows */
    bool cells; /* codes are as packed, of `width`; else unpacked, and width is not known */
    int width;
};

enum { PASS_SUMS = 8 }; /* vectors x inputs */

AVX2_TEMPLATE __m256i pass_codes(const uint8_t *codes, const struct pass_shape shape, const int g,
                                 const int v)
{
    if (shape.cells)
        return code(codes, g, v, shape.width);
    /* Loaded once, where gcc would load again for every use. */
    return avx2_here(avx2_load(codes + (g * EIGHTHS + v) * 32));
}

/* Adds group g of 4 activations in 16 bits, or starts the sums with it. */
AVX2_TEMPLATE void pass_add_group(const uint8_t *from, const uint8_t *x,
                                  const struct pass_shape shape, const int g, const bool start,
                                  __m256i sum[PASS_SUMS])
{
    __m256i codes[EIGHTHS];

    AVX2_UNROLL
    for (int v = 0; v < shape.vectors; v++)
        codes[v] = pass_codes(from, shape, g, v);
    AVX2_UNROLL
    for (int n = 0; n < shape.batch; n++) {
        int32_t four;
        memcpy(&four, x + 4 * (g * shape.panel + n), sizeof four);
        AVX2_UNROLL
        for (int v = 0; v < shape.vectors; v++) {
            const __m256i product = _mm256_maddubs_epi16(codes[v], _mm256_set1_epi32(four));
            __m256i *to = &sum[n * shape.vectors + v];
            *to = start ? product : avx2_here(_mm256_add_epi16(*to, product));
        }
    }
}

/* The groups [begin, end) of a step, those that share bytes of a cell one after the other. */
AVX2_TEMPLATE void pass_add_groups(const uint8_t *from, const uint8_t *x,
                                   const struct pass_shape shape, const int begin, const int end,
                                   const bool start, __m256i sum[PASS_SUMS])
{
    const int sharing = shape.cells ? groups_sharing(shape.width) : 1;

    AVX2_UNROLL
    for (int z = 0; z < sharing; z++) {
        AVX2_UNROLL
        for (int g = begin + z; g < end; g += sharing)
            pass_add_group(from, x, shape, g, start && g == begin, sum);
    }
}

/* The next steps' cells. */
AVX2_TEMPLATE struct ahead unpacked_ahead(const uint8_t *cells, const int width, int panels)
{
    const size_t bytes = UNPACKED_STEPS * cell_bytes(width);

    return ahead_of(cells + bytes, bytes, panels);
}

#endif
