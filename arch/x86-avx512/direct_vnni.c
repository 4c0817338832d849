/* SPDX-License-Identifier: MIT
 * Layout DIRECT with VNNI: vpdpbusd multiplies unsigned codes by int8 activations and adds four
 * neighbouring products into the row's 32-bit lane. Exact at any block: 128 * 15 * 128 < 2^24. */
#include "direct.h"
#include "vnni.h"

/* gemv masks codes where they stand in their byte, and sums each position on its own: a field, of
 * weight 2^bit. To shift a vector of codes down first makes fewer fields, which pays as long as a
 * block is too short for more of them: one step. */
struct place {
    int down;  /* shift of the codes before they are masked */
    int bit;   /* where they stand then */
    int field; /* 0..3: which sum */
};

/* Bits from one field to the next. */
INLINE int field_stride(const enum tmac_w width)
{
    return width == TMAC_W1 ? 1 : width == TMAC_W2 ? 2 : 4;
}

INLINE int field_count(const enum tmac_w width, const enum block_size size)
{
    return size == SEVERAL_STEPS && width <= TMAC_W2 ? 4 : 2;
}

INLINE struct place place_of(const enum tmac_w width, const enum block_size size, const int group)
{
    const int stride = field_stride(width), fields = field_count(width, size);
    const int bit = direct_bit(width, group);
    struct place place;

    place.bit = bit % (stride * fields);
    place.down = bit - place.bit;
    place.field = place.bit / stride;
    /* Odd and even groups apart: two chains of vpdpbusd per half, 5 cycles per link, would not fill
     * two ports. The shifts of the other widths are work enough beside theirs. */
    if (width == TMAC_W4)
        place.field = 2 * place.field + group % 2;
    return place;
}

INLINE void add_in_place(__m512i sum[4], const struct span span, const struct sources sources,
                         const int group, __m512i x)
{
    const struct place place = place_of(span.width, span.size, group);
    const char mask = (char)(((1 << tmac_width_bits(span.width)) - 1) << place.bit);
    __m512i codes = sources.v[group % 4];

    if (place.down)
        codes = _mm512_srli_epi16(codes, place.down);
    codes = _mm512_and_si512(codes, _mm512_set1_epi8(mask));
    sum[place.field] = dot(sum[place.field], codes, x);
}

INLINE __m512i join_two(__m512i high, __m512i low, const int stride)
{
    return _mm512_add_epi32(_mm512_srai_epi32(high, stride), low);
}

/* The weights of the fields leave by shifts that are exact: what is shifted is always a multiple of
 * 2^stride. */
INLINE __m512i join_fields(const __m512i sum[4], const struct span span)
{
    const int stride = field_stride(span.width);

    if (span.width == TMAC_W4)
        return join_two(_mm512_add_epi32(sum[2], sum[3]), _mm512_add_epi32(sum[0], sum[1]), stride);
    if (field_count(span.width, span.size) == 2)
        return join_two(sum[1], sum[0], stride);
    return join_two(join_two(join_two(sum[3], sum[2], stride), sum[1], stride), sum[0], stride);
}

INLINE void gemv_sums(__m512i sum[2], const struct span span)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, span.width);
    __m512i field[2][4];

    UNROLL
    for (int f = 0; f < 4; f++)
        field[0][f] = field[1][f] = _mm512_setzero_si512();
    for (int step = 0; step < span.steps; step++) {
        const uint8_t *cell = span.codes + (size_t)step * cell_bytes;
        const uint8_t *x = span.tables + (size_t)step * TMAC_STEP_K;
        const struct sources sources0 = direct_sources(cell, span.width, 0);
        const struct sources sources1 = direct_sources(cell, span.width, 1);

        prefetch_ahead(cell, cell_bytes);
        UNROLL
        for (int g = span.group; g < span.group_end; g++) {
            const __m512i x4 = broadcast_4_bytes(x + 4 * g);
            add_in_place(field[0], span, sources0, g, x4);
            add_in_place(field[1], span, sources1, g, x4);
        }
    }
    sum[0] = join_fields(field[0], span);
    sum[1] = join_fields(field[1], span);
}

/* 2 x 8 sums, and an activation that two of them share, keep both ports busy without waiting for
 * loads. */
INLINE void panel_sums(struct panel_sum *to, const struct span span, const int columns,
                       const int panel)
{
    const size_t cell_bytes = tmac_cell_bytes(TMAC_LAYOUT_DIRECT, span.width);
    const size_t group_bytes = 4 * (size_t)panel;
    struct unpacked unpacked;
    __m512i sum[2][TMAC_MAX_PANEL];

    UNROLL
    for (int n = 0; n < columns; n++)
        sum[0][n] = sum[1][n] = _mm512_setzero_si512();
    for (int step = 0; step < span.steps; step++) {
        const uint8_t *x = span.tables + (size_t)(8 * step + span.group) * group_bytes;

        direct_unpack(&unpacked, span.codes + (size_t)step * cell_bytes, span.width, span.group,
                      span.group_end);
        for (int g = span.group; g < span.group_end; g++, x += group_bytes) {
            const __m512i codes0 = load_bytes(unpacked.codes[g][0]);
            const __m512i codes1 = load_bytes(unpacked.codes[g][1]);
            UNROLL
            for (int n = 0; n < columns; n++) {
                const __m512i x4 = broadcast_4_bytes(x + 4 * n);
                sum[0][n] = _mm512_dpbusd_epi32(sum[0][n], codes0, x4);
                sum[1][n] = _mm512_dpbusd_epi32(sum[1][n], codes1, x4);
            }
        }
    }
    panel_sum_store(to, sum, columns);
}

static void panel_2(const struct tmac_tile *tile)
{
    panel(tile, panel_sums, TMAC_LAYOUT_DIRECT, 0, 2, 2);
}

static void panel_4(const struct tmac_tile *tile)
{
    panel(tile, panel_sums, TMAC_LAYOUT_DIRECT, 0, 4, 4);
}

static void panel_8(const struct tmac_tile *tile)
{
    panel(tile, panel_sums, TMAC_LAYOUT_DIRECT, 0, 8, 8);
}

INLINE void multiply(const struct tmac_tile *tile, const enum tmac_w width)
{
    if (tile->columns == 1)
        gemv(tile, gemv_sums, TMAC_LAYOUT_DIRECT, width);
    else
        (tile->columns == 2 ? panel_2 : tile->columns == 4 ? panel_4 : panel_8)(tile);
}

#define KERNEL(function, width)                                                                    \
    static void function(const struct tmac_tile *tile)                                             \
    {                                                                                              \
        multiply(tile, width);                                                                     \
    }
KERNEL(direct_w1, TMAC_W1)
KERNEL(direct_w2, TMAC_W2)
KERNEL(direct_w3, TMAC_W3)
KERNEL(direct_w4, TMAC_W4)

/* Ternary codes are stored and multiplied as 2 bits. */
const struct tmac_kernel avx512_direct_vnni[TMAC_W_COUNT] = {
    {"direct_w1_m32_avx512_vnni", direct_w1, true}, {"direct_w2_m32_avx512_vnni", direct_w2, true},
    {"direct_w3_m32_avx512_vnni", direct_w3, true}, {"direct_w4_m32_avx512_vnni", direct_w4, true},
    {"direct_wt_m32_avx512_vnni", direct_w2, true},
};
