/* SPDX-License-Identifier: MIT
 * The integer stage of lookup: exact sums of bytes, in bytes.
 *
 * A lookup gives every row one unsigned byte (entry + 128), and n of them are to be added.
 * Widening them takes more instructions than looking them up, so two byte vectors are kept instead:
 *     sum    the sum modulo 256                  (vpaddb, one per entry)
 *     mean   the mean, from a tree of averages   (vpavgb, one per entry)
 * vpavgb rounds up by 0 or 1/2 each time, so n * mean exceeds the sum by an excess that is bounded
 * by the shape of the tree; while the bound is below 256 the sum modulo 256 tells the excess:
 *     excess = (n * mean - sum) mod 256
 *     total  = n * mean - excess                 (one vpmaddubsw of mean and excess, interleaved)
 * One level of the tree can add n/2 to the excess, whatever its depth: 12 for 8 entries.
 *
 * Planes of different weight join the same pair: their sums by doubling, their means by an average
 * with the next lower planes, which halves these:
 *     x0 = avg(mean0, 0), x1 = avg(x0, mean1), ...: n 2^planes x = n (mean0 + 2 mean1 + ...)
 *
 * Greatest excess per reduction (8 entries per plane and step of 32):
 *     1 bit   4 steps  32 * 5/2                                   =  80
 *     ternary 4 steps  64 * 6/2                                   = 192
 *     2 bits  2 steps  2 * (3 * 12 + (32 + 16)/2) + 64/2          = 152
 *     3 bits  1 step   7 * 12 + (64 + 32 + 16)/2                  = 140
 *     4 bits  would be 15 * 12 + (128 + 64 + 32 + 16)/2 = 300: taken as two digits of 2 bits.
 */
#ifndef TMAC_FAMILY_LOOKUP_SUMS_H
#define TMAC_FAMILY_LOOKUP_SUMS_H

struct sum8 {
    vec sum, mean;
};

/* Totals: of each 16 rows, low has the first 8 and high the others. */
struct sum16 {
    vec low, high;
};

INLINE struct sum8 sum8_join(struct sum8 a, struct sum8 b)
{
    return (struct sum8){vec_here(vec_add8(a.sum, b.sum)), vec_avg8(a.mean, b.mean)};
}

/* Puts a plane of twice the weight above: see the picture at the top. */
INLINE struct sum8 sum8_above(struct sum8 low, struct sum8 high)
{
    const vec twice = vec_add8(high.sum, high.sum);

    return (struct sum8){vec_add8(low.sum, twice), vec_avg8(low.mean, high.mean)};
}

/* Planes make room for their weights: log2 of 2 (ternary), 4 or 8. */
INLINE int sum8_planes_log2(const int width)
{
    return width == TMAC_WIDTH_1         ? 0
           : width == TMAC_WIDTH_TERNARY ? 1
           : width == TMAC_WIDTH_3       ? 3
                                         : 2;
}

INLINE struct sum8 sum8_lowest(struct sum8 plane)
{
    return (struct sum8){plane.sum, vec_avg8(plane.mean, vec_bytes(0))};
}

/* total = mean * 2^shift - excess; shift <= 6 keeps the multiplier in an int8. */
INLINE vec sum8_excess(struct sum8 s, const int shift)
{
    const vec kept = vec_bytes((char)(0xff << shift));

    return vec_sub8(vec_and(vec_left16(s.mean, shift), kept), s.sum);
}

INLINE struct sum16 sum8_total(struct sum8 s, const int shift)
{
    const vec multiplier = vec_words((short)(0xff00 | 1 << shift));
    const vec excess = sum8_excess(s, shift);

    return (struct sum16){
        vec_maddubs(vec_unpack_low8(s.mean, excess), multiplier),
        vec_maddubs(vec_unpack_high8(s.mean, excess), multiplier),
    };
}

INLINE struct sum16 sum16_add(struct sum16 a, struct sum16 b)
{
    return (struct sum16){vec_add16(a.low, b.low), vec_add16(a.high, b.high)};
}

INLINE struct sum16 sum16_times4(struct sum16 a)
{
    return (struct sum16){vec_left16(a.low, 2), vec_left16(a.high, 2)};
}

#endif
