/* SPDX-License-Identifier: MIT
 * Shared by the AVX-512 kernels only. */
#ifndef TMAC_AVX512_H
#define TMAC_AVX512_H

#include "contract.h"
#include "family/block.h"
#include "family/inline.h"

#include <immintrin.h>
#include <string.h>

/* A kernel of one width, out of its file's template. */
#define KERNEL(function, width)                                                                    \
    static void function(const struct tmac_tile *tile)                                             \
    {                                                                                              \
        multiply(tile, width);                                                                     \
    }

/* How far ahead of the loads to prefetch. Tiles lie one after another, so what lies ahead is the
 * next cells of this tile or the scales of the next; past the weights' end it is harmless. */
enum { AHEAD_BYTES = 3072, AHEAD_SCALES = 1024 };

INLINE void prefetch_ahead(const uint8_t *at, const size_t bytes)
{
    UNROLL
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

/* A vector of one number, such that the compiler cannot see it. Else it would multiply by what is
 * broadcast from memory as a scalar, and broadcast the product through port 5, which the shuffles
 * need; so it multiplies by the broadcast, which is free. */
INLINE __m512 opaque_ps(__m512 v)
{
    __asm__("" : "+v"(v));
    return v;
}

INLINE __m512 float_stage_offset(const struct tmac_tile *tile)
{
    return opaque_ps(_mm512_set1_ps(tile->offset));
}

/* Where a block's weight scales are, and its three numbers for one input. */
struct float_stage {
    const uint8_t *scale, *minimum; /* floats, or f16 */
    bool half;
    __m512 act_scale, act_sum, offset;
};

INLINE __m512 avx512_scales(const uint8_t *scales, int row, const bool half)
{
    if (half)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(scales + 2 * row)));
    return _mm512_loadu_ps(scales + 4 * row);
}

/* f16 scales are a stream of their own beside the codes. */
INLINE void prefetch_scales(const uint8_t *scales, const int tile_rows)
{
    _mm_prefetch((const char *)scales + AHEAD_SCALES, _MM_HINT_T0);
    if (tile_rows > 32)
        _mm_prefetch((const char *)scales + AHEAD_SCALES + 64, _MM_HINT_T0);
}

INLINE struct float_stage float_stage_begin(const struct tmac_tile *tile, __m512 offset, int block,
                                            int input, const int batch, const int tile_rows,
                                            const bool half)
{
    const size_t meta = (size_t)block * (size_t)batch + (size_t)input;
    const size_t group = (size_t)(block >> tile->block_shift) * tile->scale_stride;
    struct float_stage stage;

    stage.scale = (const uint8_t *)tile->scale + group;
    stage.minimum = tile->minimum ? (const uint8_t *)tile->minimum + group : NULL;
    stage.half = half;
    if (half)
        prefetch_scales(stage.scale, tile_rows);
    if (half && stage.minimum)
        prefetch_scales(stage.minimum, tile_rows);
    stage.act_scale =
        _mm512_mul_ps(_mm512_set1_ps(tile->unit), _mm512_set1_ps(tile->act_scale[meta]));
    stage.act_sum = _mm512_set1_ps(tile->act_sum[meta]);
    stage.offset = _mm512_mul_ps(offset, stage.act_sum);
    return stage;
}

/* The sequence that struct tmac_tile prescribes, for 16 rows from `row`. */
INLINE __m512 float_stage_rows(const struct float_stage *stage, int row, __m512 integer, __m512 acc)
{
    const __m512 t = _mm512_fmadd_ps(integer, stage->act_scale, stage->offset);

    acc = _mm512_fmadd_ps(avx512_scales(stage->scale, row, stage->half), t, acc);
    if (stage->minimum)
        acc = _mm512_fmadd_ps(avx512_scales(stage->minimum, row, stage->half), stage->act_sum, acc);
    return acc;
}

/* The results of a panel while it is worked on: in memory, so that all registers are the integer
 * stage's. */
struct panel_y {
    _Alignas(64) float y[TMAC_MAX_PANEL][TMAC_MAX_TILE_ROWS];
};

INLINE void panel_y_load(struct panel_y *panel, const struct tmac_tile *tile, int input,
                         const int batch, const int tile_rows)
{
    for (int n = 0; n < batch; n++)
        for (int r = 0; r < tile_rows; r += 16) {
            const float *from = tile->y + (size_t)(input + n) * tile->y_stride + r;
            _mm512_store_ps(panel->y[n] + r,
                            tile->accumulate ? _mm512_loadu_ps(from) : _mm512_setzero_ps());
        }
}

INLINE void panel_y_store(const struct panel_y *panel, const struct tmac_tile *tile, int input,
                          const int batch, const int tile_rows)
{
    for (int n = 0; n < batch; n++)
        for (int r = 0; r < tile_rows; r += 16)
            _mm512_storeu_ps(tile->y + (size_t)(input + n) * tile->y_stride + r,
                             _mm512_load_ps(panel->y[n] + r));
}

extern const struct tmac_tools avx512_tools;

/* Layout ROWS64, DIRECT, and NESTED of 2 bits and more. */
void avx512_lookup(const struct tmac_tile *tile);
void avx512_direct(const struct tmac_tile *tile);
void avx512_direct_vnni(const struct tmac_tile *tile);
void avx512_nested(const struct tmac_tile *tile);
void avx512_nested_vnni(const struct tmac_tile *tile);
/* Faster ways for many inputs of some of them. */
bool avx512_nested_scaled_accepts(const struct tmac_spec *spec);
void avx512_nested_scaled_vnni(const struct tmac_tile *tile);
bool avx512_nested_centred_accepts(const struct tmac_spec *spec);
void avx512_nested_centred_vnni(const struct tmac_tile *tile);

#endif
