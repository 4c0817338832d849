/* SPDX-License-Identifier: MIT
 * Shared by the AVX2 files only. */
#ifndef TMAC_AVX2_H
#define TMAC_AVX2_H

#include "contract.h"

#include <immintrin.h>
#include <string.h>

/* Kernels are functions of constants that must meet their callers' constants: width, inputs and
 * the like decide at compile time how many registers there are. */
#ifdef __OPTIMIZE__
#define AVX2_TEMPLATE static inline __attribute__((always_inline))
#else /* nothing is decided then, and inlining would only take minutes */
#define AVX2_TEMPLATE static inline
#endif

#if defined(__clang__)
#define AVX2_UNROLL _Pragma("clang loop unroll(full)")
#else
#define AVX2_UNROLL _Pragma("GCC unroll 16")
#endif

/* Layouts ROWS32, DIRECT, and of 2 bits and more NESTED and NESTED_ROWS32. */
void avx2_lookup(const struct tmac_tile *tile);
void avx2_lookup_fast(const struct tmac_tile *tile);
void avx2_direct(const struct tmac_tile *tile);
void avx2_nested(const struct tmac_tile *tile);
void avx2_nested_lookup(const struct tmac_tile *tile);

/* Several inputs of layout DIRECT, and panels of 8 of NESTED. */
void avx2_direct_panels(const struct tmac_tile *tile, int width);
void avx2_nested_panels(const struct tmac_tile *tile, int width);

extern const struct tmac_tools avx2_tools;

AVX2_TEMPLATE __m256i avx2_load(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

AVX2_TEMPLATE void avx2_store(uint8_t *to, __m256i bytes)
{
    _mm256_storeu_si256((__m256i *)to, bytes);
}

/* The same pointer, which the compiler cannot tell. */
AVX2_TEMPLATE uint8_t *avx2_opaque(const uint8_t *pointer)
{
    __asm__("" : "+r"(pointer));
    return (uint8_t *)pointer;
}

/* The value, computed here and now. Without this, gcc turns a chain of integer additions into a tree,
 * and keeps so many terms waiting for it that they spill. */
AVX2_TEMPLATE __m256i avx2_here(__m256i value)
{
    __asm__("" : "+x"(value));
    return value;
}

enum { AVX2_AHEAD = 4096, AVX2_LINES = 128 }; /* bytes */

/* The codes of a gemv are read once: fetch some KB ahead, past what the hardware prefetcher (which
 * stops at every page) has seen. How many hardly matters: 1, 2, 4 and 6 KB are within 4 % of each
 * other, but for 4 bits, where 4 and more are up to 7 % faster than 1 (Cascade Lake). Lines come in pairs. A prefetch never faults. */
AVX2_TEMPLATE void avx2_prefetch(const uint8_t *codes, const size_t bytes)
{
    AVX2_UNROLL
    for (size_t line = 0; line < bytes; line += AVX2_LINES)
        _mm_prefetch((const char *)codes + AVX2_AHEAD + line, _MM_HINT_T0);
}

/* What a gemv of small groups spends a good part of its time on are the scales: f16 are read where
 * they are packed (a stream of their own, prefetched as the codes are), others come expanded. */
enum { AVX2_AHEAD_SCALES = 512 };

AVX2_TEMPLATE __m256 avx2_scales(const uint8_t *scales, int row, const bool half)
{
    if (half)
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(scales + 2 * row)));
    return _mm256_loadu_ps((const float *)(const void *)scales + row);
}

#endif
