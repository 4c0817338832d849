/* SPDX-License-Identifier: MIT
 * Layout NESTED, many panels, for dot products in 32 bits: codes that stay bytes when they are multiplied by
 * their sub-scales. That is done once for all inputs; what is left per input is one sum per block, as if there
 * were one level of scales.
 *     2 bits, U4 sub-scales (Q2_K)             q * sub = 0 .. 3 * 15 = 45
 *     3 bits, zero 4, sub-scales -32..31 (Q3_K)  (q - 4) * sub = -4 * 31 .. -4 * -32 = -124 .. 128;
 *         BIAS = 124 makes it a byte without a sign, and leaves again with the sum of activations */
#ifndef TMAC_NESTED_SCALED_H
#define TMAC_NESTED_SCALED_H

#include "nested_panels.h"

enum { ZERO_W3 = 4, SUB_BITS = 6 };

/* What LANES rows of a group multiply their codes with: a table of 4 bytes for each, of 4 rows in each 128-bit
 * lane; and what bit 2 of a code adds. */
struct products {
    vec table, upper;
};

/* `sub` is a byte in the lowest byte of each lane, others are ignored. */
INLINE struct products products_of(vec sub, const tmac_width width)
{
    const vec one = vec_mul32(vec_and(sub, vec_lanes(0xff)), vec_lanes(0x01010101));
    const vec two = vec_add8(one, one), four = vec_add8(two, two);
    const vec odd = vec_and(one, vec_lanes((int32_t)0xff00ff00));
    const vec high = vec_and(two, vec_lanes((int32_t)0xffff0000));
    struct products products = {vec_add8(odd, high), four};

    if (width == TMAC_WIDTH_3)
        products.table = vec_add8(products.table, vec_sub8(vec_bytes(BIAS), four));
    return products;
}

INLINE vec scaled_codes(vec codes, const struct products products, const tmac_width width)
{
    const vec low = width == TMAC_WIDTH_3 ? vec_and(codes, vec_bytes(3)) : codes;
    const vec product = vec_look_up(products.table, vec_add8(low, vec_lane_rows()));

    return width == TMAC_WIDTH_3 ? vec_add8_where(codes, 4, product, products.upper) : product;
}

/* Groups of 4 activations [begin, end) of a step, which are in one group. */
INLINE void scale_groups(struct unpacked *codes, int begin, int end,
                         const struct products products[ROW_VECTORS], const tmac_width width)
{
    for (int g = begin; g < end; g++) {
        UNROLL
        for (int v = 0; v < ROW_VECTORS; v++)
            vec_store(codes->codes[g][v],
                      scaled_codes(vec_load(codes->codes[g][v]), products[v], width));
    }
}

/* Scales the codes of `groups` groups of 16, or `wide` of 32, whose sub-scales are in the lowest bytes of the
 * lanes of `sub`. */
INLINE void scale_codes(struct unpacked *codes, uint8_t (*sub)[ROW_VECTORS][VEC_BYTES], int groups,
                        bool wide, const tmac_width width)
{
    for (int i = 0; i < groups; i++) {
        struct products products[ROW_VECTORS];

        UNROLL
        for (int v = 0; v < ROW_VECTORS; v++)
            products[v] = products_of(vec_load(sub[i][v]), width);
        if (wide)
            scale_groups(codes + i, 0, GROUPS, products, width);
        else
            scale_groups(codes + i / 2, i % 2 * (GROUPS / 2), (i % 2 + 1) * (GROUPS / 2), products,
                         width);
    }
}

#endif
