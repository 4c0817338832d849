/* SPDX-License-Identifier: MIT
 * Shared by the arm64 kernels only. Little-endian. */
#ifndef TMAC_NEON_H
#define TMAC_NEON_H

#include "contract.h"
#include "family/inline.h"

#include <arm_neon.h>

#define NEON_INLINE INLINE
#define NEON_UNROLL UNROLL

/* Between the rounds of an unrolled loop. GCC would else move loads and unpacking of all rounds to
 * the front, run out of registers and spill; out-of-order cores gain nothing by that. */
#define NEON_FENCE() __asm__ volatile("")
/* Keeps the compiler from regrouping the additions that lead to `vector`, which takes registers. */
#define NEON_OPAQUE(vector) __asm__("" : "+w"(vector))

enum { NEON_TILE_ROWS = 32, NEON_QUADS = 8 /* vectors of 4 rows in a tile */ };

/* Which activations of a step belong to the block: all, or one half with blocks of 16. */
enum neon_part { NEON_LOW, NEON_HIGH, NEON_BOTH };

void neon_lookup(const struct tmac_tile *tile);
void neon_direct(const struct tmac_tile *tile);
void neon_direct_dotprod(const struct tmac_tile *tile);
void neon_quad_dotprod(const struct tmac_tile *tile);

extern const struct tmac_tools neon_tools;

/* Results start from zero where they do not accumulate; after this, kernels always add to y. */
static inline void neon_begin(const struct tmac_tile *tile)
{
    if (tile->accumulate)
        return;
    for (int n = 0; n < tile->batch; n++)
        for (int q = 0; q < NEON_QUADS; q++)
            vst1q_f32(tile->y + (size_t)n * tile->y_stride + 4 * q, vdupq_n_f32(0));
}

static inline const float *neon_scales(const void *scales, size_t offset)
{
    return (const float *)(const void *)((const uint8_t *)scales + offset);
}

/* The float stage of one block and input, for `quads` vectors of rows from `first` on. */
NEON_INLINE void neon_float_stage(const struct tmac_tile *tile, int block, int input, int first,
                                  const int quads, const int32x4_t *integer, float32x4_t *acc)
{
    const size_t meta = (size_t)block * (size_t)tile->batch + (size_t)input;
    const size_t group = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    const float sum = tile->act_sum[meta], act_scale = tile->act_scale[meta] * tile->unit;
    const float *scale = neon_scales(tile->scale, group) + 4 * first;
    const float32x4_t offset = vdupq_n_f32(tile->offset * sum);

    NEON_UNROLL
    for (int q = 0; q < quads; q++) {
        const float32x4_t t = vfmaq_n_f32(offset, vcvtq_f32_s32(integer[q]), act_scale);
        acc[q] = vfmaq_f32(acc[q], vld1q_f32(scale + 4 * q), t);
    }
    if (!tile->minimum)
        return;
    const float *minimum = neon_scales(tile->minimum, group) + 4 * first;
    NEON_UNROLL
    for (int q = 0; q < quads; q++)
        acc[q] = vfmaq_n_f32(acc[q], vld1q_f32(minimum + 4 * q), sum);
}

/* The same with the results in memory: several inputs have more than there are registers. */
NEON_INLINE void neon_float_stage_memory(const struct tmac_tile *tile, int block, int input,
                                         int first, const int quads, const int32x4_t *integer)
{
    float *y = tile->y + (size_t)input * tile->y_stride + 4 * first;
    float32x4_t acc[NEON_QUADS];

    NEON_UNROLL
    for (int q = 0; q < quads; q++)
        acc[q] = vld1q_f32(y + 4 * q);
    neon_float_stage(tile, block, input, first, quads, integer, acc);
    NEON_UNROLL
    for (int q = 0; q < quads; q++)
        vst1q_f32(y + 4 * q, acc[q]);
}

#endif
