/* SPDX-License-Identifier: MIT
 *
 * 1 bit without tables: bits select the activations that are added. With weights +s and -s,
 *
 *     y = sum over groups of s (2 * (sum of the selected x) - (sum of all x))
 *
 * Every loop takes the rows of a block side by side in the lanes of `vectors` vectors, so that they
 * share each load of activations. What a lane holds, and how it is selected:
 *
 *   f32   a float                             AVX2: blend by the top bit; AVX-512: masked addition
 *   i16   a word, 9 bits, summed as words     masked addition: nothing to widen within a group
 *   sad   8 bytes for 8 neighbours along K    blend, vpsadbw
 *   dot   4 bytes for 4 neighbours along K    zeroing move, vpdpbusd with ones
 *
 * AVX2 has no masks: there a bit is the top one of its byte or word for one step, then the rest
 * move up.
 */
#include "baseline_list.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,fma,f16c")))
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline))

/* Sums stay in the registers they are in: gcc would copy them to and fro, at the cost of a third of
 * the time. */
AVX512 INLINE __m512i here(__m512i sum)
{
    __asm__("" : "+v"(sum));
    return sum;
}

AVX512 INLINE __m512i add_chosen(__m512i sum, __mmask32 mask, __m512i all)
{
    __asm__("vpaddw %2, %0, %0%{%1%}" : "+v"(sum) : "Yk"(mask), "v"(all));
    return sum;
}

enum { MOST_ROWS = 128, MIDDLE = 128 };

enum activations { F32, I16, U8, I8 };

struct form {
    enum activations activations;
    int vectors;    /* in a block */
    int rows;       /* of a vector */
    int neighbours; /* along K in a row's lane */
    int element;    /* bits that are selected from in turn, the top one first; 1: masks */
    int paired;     /* vectors 2p and 2p + 1 have their rows in turn */
    /* Sums of a group's selected activations, of all rows of a block in order; floats for F32. */
    void (*sums)(const void *bits, const void *x, int32_t *sums);
    /* y = fma(scale, unit * sum - all, y) for all rows of a block. */
    void (*scale)(const struct form *form, const int32_t *sums, const uint16_t *scales, float unit,
                  float all, float *y);
};

static int block_rows(const struct form *form)
{
    return form->vectors * form->rows;
}

/* ---- AVX2 ---- */

AVX2 static void sums_f32_avx2(const void *bits, const void *x, int32_t *sums)
{
    const __m256 *v = bits;
    const float *xk = x;
    __m256 sum[4] = {{0}}, top[4];

    for (int word = 0; word < BASELINE_GROUP / 32; word++, v += 4) {
        for (int t = 0; t < 4; t++)
            top[t] = v[t];
        for (int j = 0; j < 32; j++, xk++) {
            const __m256 all = _mm256_broadcast_ss(xk);
            UNROLL
            for (int t = 0; t < 4; t++) {
                const __m256i next = _mm256_slli_epi32(_mm256_castps_si256(top[t]), 1);
                sum[t] = _mm256_add_ps(sum[t], _mm256_blendv_ps(_mm256_setzero_ps(), all, top[t]));
                top[t] = _mm256_castsi256_ps(next);
            }
        }
    }
    UNROLL
    for (int t = 0; t < 4; t++)
        _mm256_storeu_ps((float *)sums + 8 * t, sum[t]);
}

AVX2 static void sums_sad_avx2(const void *bits, const void *x, int32_t *sums)
{
    const __m256i *v = bits, middle = _mm256_set1_epi8((char)MIDDLE);
    const int64_t *xk = x;
    __m256i sum[4] = {{0}}, top[4];

    for (int byte = 0; byte < BASELINE_GROUP / 64; byte++, v += 4) {
        for (int t = 0; t < 4; t++)
            top[t] = v[t];
        for (int j = 0; j < 8; j++, xk++) {
            const __m256i all = _mm256_set1_epi64x(*xk);
            UNROLL
            for (int t = 0; t < 4; t++) {
                const __m256i chosen = _mm256_blendv_epi8(middle, all, top[t]);
                sum[t] = _mm256_add_epi32(sum[t], _mm256_sad_epu8(chosen, _mm256_setzero_si256()));
                top[t] = _mm256_add_epi8(top[t], top[t]);
            }
        }
    }
    for (int t = 0; t < 4; t += 2) {
        const __m256i odd = _mm256_slli_epi64(sum[t + 1], 32);
        _mm256_storeu_si256((__m256i *)(sums + 4 * t), _mm256_blend_epi32(sum[t], odd, 0xaa));
    }
}

AVX2 static void scale_avx2(const struct form *form, const int32_t *sums, const uint16_t *scales,
                            float unit, float all, float *y)
{
    for (int r = 0; r < block_rows(form); r += 8) {
        const __m256i bytes = _mm256_loadu_si256((const __m256i *)(sums + r));
        const __m256 sum =
            form->activations == F32 ? _mm256_castsi256_ps(bytes) : _mm256_cvtepi32_ps(bytes);
        const __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(scales + r)));
        const __m256 group = _mm256_fmsub_ps(_mm256_set1_ps(unit), sum, _mm256_set1_ps(all));
        _mm256_storeu_ps(y + r, _mm256_fmadd_ps(scale, group, _mm256_loadu_ps(y + r)));
    }
}

/* ---- AVX-512 ---- */

AVX512 static void sums_f32_avx512(const void *bits, const void *x, int32_t *sums)
{
    const __mmask16 *mask = bits;
    const float *xk = x;
    __m512 sum[8] = {{0}};

    for (int k = 0; k < BASELINE_GROUP; k++, mask += 8) {
        const __m512 all = _mm512_set1_ps(xk[k]);
        UNROLL
        for (int t = 0; t < 8; t++) {
            sum[t] = _mm512_mask_add_ps(sum[t], mask[t], sum[t], all);
        }
    }
    for (int t = 0; t < 8; t++)
        _mm512_storeu_ps(sums + 16 * t, sum[t]);
}

AVX512 static void sums_i16_avx512(const void *bits, const void *x, int32_t *sums)
{
    const __mmask32 *mask = bits;
    const int16_t *xk = x;
    __m512i sum[4] = {{0}};

    for (int k = 0; k < BASELINE_GROUP; k++, mask += 4) {
        const __m512i all = _mm512_set1_epi16(xk[k]);
        UNROLL
        for (int t = 0; t < 4; t++)
            sum[t] = add_chosen(sum[t], mask[t], all);
    }
    for (int t = 0; t < 4; t++) {
        const __m256i low = _mm512_castsi512_si256(sum[t]);
        const __m256i high = _mm512_extracti64x4_epi64(sum[t], 1);
        _mm512_storeu_si512(sums + 32 * t, _mm512_cvtepi16_epi32(low));
        _mm512_storeu_si512(sums + 32 * t + 16, _mm512_cvtepi16_epi32(high));
    }
}

AVX512 static void sums_sad_avx512(const void *bits, const void *x, int32_t *sums)
{
    const __mmask64 *mask = bits;
    const __m512i middle = _mm512_set1_epi8((char)MIDDLE);
    const int64_t *xk = x;
    __m512i sum[8] = {{0}};

    for (int k = 0; k < BASELINE_GROUP / 8; k++, mask += 8) {
        const __m512i all = _mm512_set1_epi64(xk[k]);
        UNROLL
        for (int t = 0; t < 8; t++) {
            const __m512i chosen = _mm512_mask_blend_epi8(mask[t], middle, all);
            sum[t] = _mm512_add_epi32(sum[t], _mm512_sad_epu8(chosen, _mm512_setzero_si512()));
        }
    }
    for (int t = 0; t < 8; t += 2) {
        const __m512i odd = _mm512_slli_epi64(sum[t + 1], 32);
        _mm512_storeu_si512(sums + 8 * t, _mm512_mask_blend_epi32(0xaaaa, sum[t], odd));
    }
}

VNNI static void sums_dot_vnni(const void *bits, const void *x, int32_t *sums)
{
    const __mmask64 *mask = bits;
    const int32_t *xk = x;
    __m512i sum[8] = {{0}};

    for (int k = 0; k < BASELINE_GROUP / 4; k++, mask += 8) {
        const __m512i all = _mm512_set1_epi32(xk[k]);
        UNROLL
        for (int t = 0; t < 8; t++) {
            const __m512i chosen = _mm512_maskz_mov_epi8(mask[t], all);
            sum[t] = here(_mm512_dpbusd_epi32(sum[t], _mm512_set1_epi8(1), chosen));
        }
    }
    for (int t = 0; t < 8; t++)
        _mm512_storeu_si512(sums + 16 * t, sum[t]);
}

AVX512 static void scale_avx512(const struct form *form, const int32_t *sums,
                                const uint16_t *scales, float unit, float all, float *y)
{
    for (int r = 0; r < block_rows(form); r += 16) {
        const __m512i bytes = _mm512_loadu_si512(sums + r);
        const __m512 sum =
            form->activations == F32 ? _mm512_castsi512_ps(bytes) : _mm512_cvtepi32_ps(bytes);
        const __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(scales + r)));
        const __m512 group = _mm512_fmsub_ps(_mm512_set1_ps(unit), sum, _mm512_set1_ps(all));
        _mm512_storeu_ps(y + r, _mm512_fmadd_ps(scale, group, _mm512_loadu_ps(y + r)));
    }
}

/* ---- packing ---- */

static size_t packed_bytes(const struct baseline *b, struct baseline_shape shape)
{
    (void)b;
    return (size_t)shape.rows * ((size_t)shape.cols / 8 + baseline_groups(shape) * 2);
}

static uint16_t *scales_of(struct baseline_shape shape, const void *packed)
{
    return (uint16_t *)packed + shape.rows * shape.cols / 16;
}

/* The bit of row r of a block and weight k of a group. */
static int bit_of(const struct form *form, int r, int k)
{
    const int pair = form->rows * 2;
    const int vector = form->paired ? r / pair * 2 + r % 2 : r / form->rows;
    const int row = form->paired ? r % pair / 2 : r % form->rows;
    const int unit = k / (form->neighbours * form->element);
    const int turn = k / form->neighbours % form->element;
    const int element = row * form->neighbours + k % form->neighbours;
    const int elements = form->rows * form->neighbours;

    return ((unit * form->vectors + vector) * elements + element) * form->element + form->element -
           1 - turn;
}

/* Bits: [block][group], as the form says. Scales: [block][group][row]. */
static void pack(const struct baseline *b, const struct baseline_source *source, void *packed)
{
    const struct form *form = b->form;
    const struct baseline_shape shape = {1, source->rows, source->cols};
    const int64_t groups = shape.cols / BASELINE_GROUP, rows = block_rows(form);
    uint8_t *bits = packed;
    uint16_t *scales = scales_of(shape, packed);

    memset(packed, 0, packed_bytes(b, shape));
    for (int64_t m = 0; m < shape.rows; m++)
        for (int64_t g = 0; g < groups; g++) {
            const int64_t group = m / rows * groups + g;
            const uint8_t *codes = source->codes + m * shape.cols + g * BASELINE_GROUP;
            uint8_t *at = bits + group * rows * (BASELINE_GROUP / 8);
            for (int k = 0; k < BASELINE_GROUP; k++) {
                const int bit = bit_of(form, (int)(m % rows), k);
                at[bit / 8] |= (uint8_t)(codes[k] << bit % 8);
            }
            scales[group * rows + m % rows] = source->scales[m * groups + g];
        }
}

/* ---- activations ---- */

/* [group]: twice an integer's worth, and what a group's sums of them are to be lessened by. Then
 * the activations. */
struct group {
    float unit, all;
};

static int bytes_of(enum activations type)
{
    return type == F32 ? 4 : type == I16 ? 2 : 1;
}

static size_t prepared_bytes(const struct baseline *b, struct baseline_shape shape, int batch)
{
    const struct form *form = b->form;

    return ((size_t)shape.cols * (size_t)bytes_of(form->activations) +
            baseline_groups(shape) * sizeof(struct group)) *
           (size_t)batch;
}

AVX2 static float greatest(const float *x)
{
    __m256 most = _mm256_set1_ps(1e-25f);
    float lane[8];

    for (int k = 0; k < BASELINE_GROUP; k += 8)
        most = _mm256_max_ps(most, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_loadu_ps(x + k)));
    _mm256_storeu_ps(lane, most);
    for (int i = 1; i < 8; i++)
        lane[0] = lane[i] > lane[0] ? lane[i] : lane[0];
    return lane[0];
}

/* Rounds x / unit, and tells the sum. */
AVX2 static int round_all(const float *x, float unit, int32_t *rounded)
{
    const __m256 inverse = _mm256_set1_ps(1 / unit);
    int sum = 0;

    for (int k = 0; k < BASELINE_GROUP; k += 8)
        _mm256_storeu_si256((__m256i *)(rounded + k),
                            _mm256_cvtps_epi32(_mm256_mul_ps(inverse, _mm256_loadu_ps(x + k))));
    for (int k = 0; k < BASELINE_GROUP; k++)
        sum += rounded[k];
    return sum;
}

/* One group, rounded to the form's integers. */
AVX2 static struct group round_group(enum activations type, const float *x, void *out)
{
    /* 128 words of 255 are 32640: still a word. */
    const float unit = greatest(x) / (type == I16 ? 255 : 127);
    const int middle = type == U8 ? MIDDLE : 0;
    int32_t rounded[BASELINE_GROUP];
    const int sum = round_all(x, unit, rounded);

    if (type == I16)
        for (int k = 0; k < BASELINE_GROUP; k++)
            ((int16_t *)out)[k] = (int16_t)rounded[k];
    else
        for (int k = 0; k < BASELINE_GROUP; k++)
            ((uint8_t *)out)[k] = (uint8_t)(rounded[k] + middle);
    /* Selected or not, U8 adds the middle for every weight. */
    return (struct group){2 * unit, unit * (float)(sum + 2 * middle * BASELINE_GROUP)};
}

static struct group copy_group(const float *x, void *out)
{
    float sum = 0;

    for (int k = 0; k < BASELINE_GROUP; k++)
        sum += x[k];
    memcpy(out, x, BASELINE_GROUP * sizeof *x);
    return (struct group){2, sum};
}

static void prepare(const struct baseline *b, struct baseline_shape shape, const float *x,
                    int batch, void *prepared)
{
    const enum activations type = ((const struct form *)b->form)->activations;
    const int64_t groups = shape.cols / BASELINE_GROUP;
    struct group *group = prepared;
    uint8_t *out = (uint8_t *)(group + groups);

    (void)batch;
    for (int64_t g = 0; g < groups; g++, x += BASELINE_GROUP) {
        group[g] = type == F32 ? copy_group(x, out) : round_group(type, x, out);
        out += BASELINE_GROUP * bytes_of(type);
    }
}

static void multiply(const struct baseline *b, struct baseline_shape shape, const void *packed,
                     const void *prepared, int batch, float *y)
{
    const struct form *form = b->form;
    const int64_t groups = shape.cols / BASELINE_GROUP;
    const int rows = block_rows(form), x_bytes = BASELINE_GROUP * bytes_of(form->activations);
    const struct group *group = prepared;
    const uint8_t *x = (const uint8_t *)(group + groups), *bits = packed;
    const uint16_t *scales = scales_of(shape, packed);
    _Alignas(64) int32_t sums[MOST_ROWS];

    (void)batch;
    memset(y, 0, (size_t)shape.rows * sizeof *y);
    for (int64_t m = 0; m < shape.rows; m += rows)
        for (int64_t g = 0; g < groups; g++) {
            form->sums(bits, x + g * x_bytes, sums);
            form->scale(form, sums, scales, group[g].unit, group[g].all, y + m);
            bits += rows * (BASELINE_GROUP / 8);
            scales += rows;
        }
}

/* ---- list ---- */

static struct baseline loops(const char *name, const struct form *form)
{
    return (struct baseline){.name = name,
                             .most_bits = 1,
                             .most_batch = 1,
                             .row_step = block_rows(form),
                             .k_step = BASELINE_GROUP,
                             .form = form,
                             .packed_bytes = packed_bytes,
                             .pack = pack,
                             .prepared_bytes = prepared_bytes,
                             .prepare = prepare,
                             .multiply = multiply};
}

int baseline_list_mask(struct baseline_entry *entries)
{
    static const struct form forms[] = {
        {F32, 4, 8, 1, 32, 0, sums_f32_avx2, scale_avx2},
        {U8, 4, 4, 8, 8, 1, sums_sad_avx2, scale_avx2},
        {F32, 8, 16, 1, 1, 0, sums_f32_avx512, scale_avx512},
        {I16, 4, 32, 1, 1, 0, sums_i16_avx512, scale_avx512},
        {U8, 8, 8, 8, 1, 1, sums_sad_avx512, scale_avx512},
        {I8, 8, 16, 4, 1, 0, sums_dot_vnni, scale_avx512},
    };
    static const char *const names[] = {
        "mask-add-avx2-f32",   "mask-add-avx2-sad",   "mask-add-avx512-f32",
        "mask-add-avx512-i16", "mask-add-avx512-sad", "mask-add-vnni-dot",
    };
    const int count = (int)(sizeof forms / sizeof forms[0]);

    __builtin_cpu_init();
    for (int i = 0; i < count; i++) {
        const int usable =
            i < 2   ? __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
            : i < 5 ? __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
                    : __builtin_cpu_supports("avx512vnni");
        entries[i] = (struct baseline_entry){loops(names[i], &forms[i]), usable != 0};
    }
    return count;
}

#else

int baseline_list_mask(struct baseline_entry *entries)
{
    (void)entries;
    return 0;
}

#endif
