/* SPDX-License-Identifier: MIT
 * NESTED, for dot products whose sums are scaled one group at a time by a multiplication of 32-bit lanes: any
 * group fits. The part of a dot_<how>.h that nested_gemv.h and nested_panels.h ask for.
 * Parameters: vec_madd16(). */
#ifndef TMAC_NESTED_LANES_H
#define TMAC_NESTED_LANES_H

#include "codes.h"

/* sum + a.low * b.low + a.high * b.high, of signed words */
INLINE vec scale_pairs(vec sum, vec a, vec b)
{
    return vec_add32(sum, vec_madd16(a, b));
}

/* The sub-scale of group `which` of a pair. */
INLINE vec group_sub(vec pair, const int which)
{
    return vec_right32(which ? pair : vec_left32(pair, 16), 16);
}

INLINE vec scale_group(vec sum, dot_sum group, vec sub)
{
    return vec_add32(sum, vec_mul32(dot_rows(group, TMAC_WIDTH_4), sub));
}

/* Sums that a group of 32 activations takes. */
INLINE int group_parts(const bool centred)
{
    (void)centred;
    return 1;
}

/* Adds a step of one input, for row vectors from v on, scaled by the pair of words in `sub`: each half by its
 * own, or `wide` both by word `which`. */
INLINE void nested_step(vec sum[], const uint8_t *cell, const uint8_t *x, const tmac_width width,
                        const int v, const int vectors, const vec sub[], const bool wide,
                        const int which)
{
    const int bits = field_bits(width), in_byte = GROUPS / bits;
    dot_sum half[2][ROW_VECTORS];

    UNROLL
    for (int i = 0; i < vectors; i++)
        half[0][i] = half[1][i] = dot_zero();
    UNROLL
    for (int z = 0; z < bits; z++) {
        vec fields[ROW_VECTORS];

        vec_in_order();
        UNROLL
        for (int i = 0; i < vectors; i++)
            fields[i] = field_vector(cell, width, z, v + i);
        UNROLL
        for (int j = 0; j < in_byte; j++) {
            const int group = z + bits * j;
            dot_sum *to = half[wide ? 0 : group / 4];

            UNROLL
            for (int i = 0; i < vectors; i++)
                to[i] = dot(to[i], field_codes(fields[i], width, j), x, group, width);
        }
    }
    UNROLL
    for (int i = 0; i < vectors; i++) {
        sum[i] = scale_group(sum[i], half[0][i], group_sub(sub[i], wide ? which : 0));
        if (!wide)
            sum[i] = scale_group(sum[i], half[1][i], group_sub(sub[i], 1));
    }
}

#endif
