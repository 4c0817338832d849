/* SPDX-License-Identifier: MIT
 * Shared by the AVX-512 kernels only. */
#ifndef TMAC_AVX512_H
#define TMAC_AVX512_H

#include "kernels.h"

#include <immintrin.h>
#include <string.h>

/* Kernels are templates: always-inline functions whose const parameters are known at each call. */
#define INLINE static inline __attribute__((always_inline))

/* How far ahead of the loads to prefetch. Tiles lie one after another, so what lies ahead is the
 * next cells of this tile or the scales of the next; past the weights' end it is harmless. */
enum { AHEAD_BYTES = 4096 };

INLINE void prefetch_ahead(const uint8_t *at, const size_t bytes)
{
#pragma GCC unroll 16
    for (size_t i = 0; i < bytes; i += 64)
        _mm_prefetch((const char *)at + AHEAD_BYTES + i, _MM_HINT_T0);
}

INLINE __m512i load_bytes(const uint8_t *at)
{
    return _mm512_loadu_si512(at);
}

INLINE __m512i broadcast_4_bytes(const uint8_t *at)
{
    int32_t value;

    memcpy(&value, at, sizeof value);
    return _mm512_set1_epi32(value);
}

/* Where a block's weight scales are, and its three numbers for one column. */
struct float_stage {
    const float *scale, *minimum;
    __m512 act_scale, offset, act_sum;
};

INLINE struct float_stage float_stage_begin(const struct tmac_tile *tile, int block, int column,
                                            const int columns, const int tile_rows)
{
    const size_t meta = (size_t)block * (size_t)columns + (size_t)column;
    const size_t group = (size_t)(block >> tile->block_shift) * (size_t)tile_rows;
    struct float_stage stage;

    stage.scale = tile->scale + group;
    stage.minimum = tile->minimum ? tile->minimum + group : NULL;
    stage.act_scale = _mm512_set1_ps(tile->act_scale[meta]);
    stage.act_sum = _mm512_set1_ps(tile->act_sum[meta]);
    /* A vector product with its operand broadcast from memory: scalar product and register
     * broadcast would take port 5, which the shuffles need. */
    stage.offset = _mm512_mul_ps(_mm512_set1_ps(tile->offset), stage.act_sum);
    return stage;
}

/* The sequence that struct tmac_tile prescribes, for 16 rows from `row`. */
INLINE __m512 float_stage_rows(const struct float_stage *stage, int row, __m512 integer, __m512 acc)
{
    const __m512 t = _mm512_fmadd_ps(integer, stage->act_scale, stage->offset);

    acc = _mm512_fmadd_ps(_mm512_loadu_ps(stage->scale + row), t, acc);
    if (stage->minimum)
        acc = _mm512_fmadd_ps(_mm512_loadu_ps(stage->minimum + row), stage->act_sum, acc);
    return acc;
}

void avx512_build_lookup_u8(const struct tmac_build *build);
void avx512_build_lookup_s8(const struct tmac_build *build);
void avx512_build_int8(const struct tmac_build *build);

void avx512_expand(const struct tmac_expand *expand);
void avx512_f16_to_f32(const uint16_t *from, float *to, size_t count);
void avx512_bf16_to_f32(const uint16_t *from, float *to, size_t count);

/* One per width: layout ROWS64, layout DIRECT, and DIRECT with VNNI. */
extern const struct tmac_kernel avx512_lookup[TMAC_W_COUNT];
extern const struct tmac_kernel avx512_direct[TMAC_W_COUNT];
extern const struct tmac_kernel avx512_direct_vnni[TMAC_W_COUNT];

#endif
