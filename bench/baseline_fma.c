/* SPDX-License-Identifier: MIT
 *
 * Dequantize to float, then fused multiply-add.
 *
 * A vector's lanes are neighbours along K. In memory every lane has a stream of codes of its own,
 * 32 of them in `bits` words of 32 bits; so one shift or one mask gives a code in every lane:
 *
 *     mask, convert to float, fma     three instructions for a vector of weights, at any width
 *
 * A masked code keeps its place in the word, and is then too great by a power of two: gemv takes
 * that from the activations beforehand, which is exact. Only 3-bit codes ever cross a word's end.
 */
#include "baseline_list.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum {
    ROWS = 4,      /* at a time: they share the activations' loads */
    TILE_ROWS = 8, /* gemm: rows of floats that are made at once, */
    TILE_K = 512,  /* and how long they are: 16 KB */
    MOST_BATCH = 256,
};

/* The weight is factor * code - zero, times the scale. */
static inline float factor_of(int bits)
{
    return bits == 1 ? 2 : 1;
}

static inline float zero_of(int bits)
{
    return bits == 1 ? 1 : (float)(1 << (bits - 1));
}

/* How far a masked code lies above bit 0. Those at a word's end are shifted down, not masked. */
static inline __attribute__((always_inline)) int place_of(int bits, int i)
{
    const int offset = i * bits % 32;

    return offset + bits < 32 ? offset : 0;
}

/* Where a word's codes are. From memory they reach a register in one instruction; as the constants
 * that they are, it takes gcc three. */
static __attribute__((noinline)) void place_masks(int bits, uint32_t masks[32])
{
    for (int i = 0; i < 32; i++)
        masks[i] = ((1u << bits) - 1) << place_of(bits, i);
}

static size_t packed_bytes(const struct baseline *b, struct baseline_shape shape)
{
    (void)b;
    return (size_t)shape.rows *
           ((size_t)(shape.cols * shape.bits / 8) + baseline_groups(shape) * sizeof(uint16_t));
}

static const uint16_t *scales_of(struct baseline_shape shape, const void *packed)
{
    return (const uint16_t *)packed + shape.rows * shape.cols * shape.bits / 16;
}

/* Words: [row / ROWS][unit of 32 * lanes weights][row % ROWS][word][lane]. Scales: [row / ROWS]
 * [group][row % ROWS]. */
static void pack(const struct baseline *b, const struct baseline_source *source, void *packed)
{
    const struct baseline_shape shape = {source->bits, source->rows, source->cols};
    const int64_t lanes = b->k_step / 32, units = shape.cols / b->k_step;
    const int64_t groups = shape.cols / BASELINE_GROUP;
    const int bits = shape.bits;
    uint32_t *words = packed;
    uint16_t *scales = (uint16_t *)scales_of(shape, packed);

    memset(packed, 0, packed_bytes(b, shape));
    for (int64_t m = 0; m < shape.rows; m++) {
        for (int64_t k = 0; k < shape.cols; k++) {
            const int64_t unit = (m / ROWS * units + k / b->k_step) * ROWS + m % ROWS;
            const int at = (int)(k % b->k_step / lanes) * bits;
            const uint64_t code = (uint64_t)source->codes[m * shape.cols + k] << at % 32;
            uint32_t *word = words + (unit * bits + at / 32) * lanes + k % lanes;
            word[0] |= (uint32_t)code;
            if (code >> 32)
                word[lanes] |= (uint32_t)(code >> 32);
        }
        for (int64_t g = 0; g < groups; g++)
            scales[(m / ROWS * groups + g) * ROWS + m % ROWS] = source->scales[m * groups + g];
    }
}

/* One input: the zeros' part of every group and lane, then the activations, divided by what the
 * codes are too great. More: TILE_K of every input, then the next: inputs a power of two apart
 * would push each other out of the cache. */
static size_t prepared_bytes(const struct baseline *b, struct baseline_shape shape, int batch)
{
    const size_t cols = (size_t)shape.cols;

    if (batch > 1)
        return (size_t)batch * cols * sizeof(float);
    return (cols + baseline_groups(shape) * (size_t)b->k_step / 32) * sizeof(float);
}

static int tile_length(int64_t cols, int64_t k)
{
    return (int)(cols - k < TILE_K ? cols - k : TILE_K);
}

static void cut_inputs(int64_t cols, const float *x, int batch, float *out)
{
    for (int64_t k = 0; k < cols; k += TILE_K)
        for (int n = 0; n < batch; n++, out += tile_length(cols, k))
            memcpy(out, x + n * cols + k, (size_t)tile_length(cols, k) * sizeof *x);
}

static void prepare(const struct baseline *b, struct baseline_shape shape, const float *x,
                    int batch, void *prepared)
{
    const int64_t lanes = b->k_step / 32;
    float *zeros = prepared, *scaled = zeros + (int64_t)baseline_groups(shape) * lanes;
    float factor[32];

    if (batch > 1) {
        cut_inputs(shape.cols, x, batch, prepared);
        return;
    }
    for (int i = 0; i < 32; i++)
        factor[i] = factor_of(shape.bits) / (float)(1u << place_of(shape.bits, i));
    memset(zeros, 0, (size_t)(scaled - zeros) * sizeof *zeros);
    for (int64_t k = 0, i = 0; k < shape.cols; k += lanes, i = (i + 1) % 32) {
        float *zero = zeros + k / BASELINE_GROUP * lanes;
        for (int64_t lane = 0; lane < lanes; lane++) {
            zero[lane] -= zero_of(shape.bits) * x[k + lane];
            scaled[k + lane] = factor[i] * x[k + lane];
        }
    }
}

#define LOOPS(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define LANES 8
#define GEMM_BATCH 2
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define HALF(scale) _mm256_cvtph_ps(_mm_set1_epi16((short)(scale)))
#include "baseline_fma_loops.h"

#define LOOPS(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx2,fma,f16c")))
#define LANES 16
#define GEMM_BATCH 4
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define HALF(scale) _mm512_cvtph_ps(_mm256_set1_epi16((short)(scale)))
#include "baseline_fma_loops.h"

static struct baseline loops(const char *name, int lanes,
                             void (*multiply)(const struct baseline *, struct baseline_shape,
                                              const void *, const void *, int, float *))
{
    return (struct baseline){.name = name,
                             .most_bits = 4,
                             .most_batch = MOST_BATCH,
                             .row_step = TILE_ROWS,
                             .k_step = 32 * lanes,
                             .packed_bytes = packed_bytes,
                             .pack = pack,
                             .prepared_bytes = prepared_bytes,
                             .prepare = prepare,
                             .multiply = multiply};
}

int baseline_list_fma(struct baseline_entry *entries)
{
    __builtin_cpu_init();
    entries[0] = (struct baseline_entry){
        loops("fma-avx2", 8, multiply_avx2),
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
    };
    entries[1] = (struct baseline_entry){loops("fma-avx512", 16, multiply_avx512),
                                         __builtin_cpu_supports("avx512f")};
    return 2;
}

#else

int baseline_list_fma(struct baseline_entry *entries)
{
    (void)entries;
    return 0;
}

#endif
