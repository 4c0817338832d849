/* SPDX-License-Identifier: MIT
 * Layout NESTED: the own bytes of groups. 16-bit lanes hold pairs of groups, so that one instruction scales
 * what two of them sum to and adds it up:
 *
 *     lane of row r:   | sum of group b | sum of group a |   x   | sub_b[r] | sub_a[r] |  */
#ifndef TMAC_NESTED_OWN_H
#define TMAC_NESTED_OWN_H

#include "codes.h"
#include "floats.h"

enum own_kind { OWN_U4, OWN_U4_MINIMUM, OWN_I8, OWN_I8_MINIMUM, OWN_KINDS };

static inline enum own_kind own_kind(const struct tmac_tile *tile)
{
    return (enum own_kind)((tile->nested.sub == TMAC_SUB_I8 ? OWN_I8 : OWN_U4) +
                           (tile->minimum != NULL));
}

INLINE bool own_has_minimum(const enum own_kind kind)
{
    return kind == OWN_U4_MINIMUM || kind == OWN_I8_MINIMUM;
}

/* Bytes of a pair of groups. */
INLINE size_t own_pair_bytes(const enum own_kind kind)
{
    return kind == OWN_I8_MINIMUM ? 128 : 64;
}

/* The words that multiply a pair of groups: sub-scales, and what multiplies the sums of activations:
 * sub-minimums, or where weights have a zero the sub-scales again. */
struct own_words {
    vec sub, other;
};

/* Those of row vector v. */
INLINE struct own_words own_words(const uint8_t *own, const enum own_kind kind, const int v)
{
    const uint8_t *at = own + 2 * LANES * v;
    struct own_words words;

    if (kind == OWN_U4 || kind == OWN_U4_MINIMUM) {
        const vec both = vec_widen_u8(at);
        words.sub = vec_and(both, vec_words(15));
        words.other = kind == OWN_U4 ? words.sub : vec_right16(both, 4);
    } else {
        words.sub = vec_widen_i8(at);
        words.other = kind == OWN_I8 ? words.sub : vec_widen_u8(at + 64);
    }
    return words;
}

/* Where those of block `block` of the chunk are. */
static inline const uint8_t *own_of_block(const struct tmac_tile *tile, int block)
{
    const int super = block >> tile->block_shift;
    const int in_super = block - (super << tile->block_shift);
    const int pairs = tile->block_k / tile->nested.group_k / 2;

    return tile->nested.own + (size_t)super * tile->scale_stride +
           (size_t)(in_super * pairs) * own_pair_bytes(own_kind(tile));
}

#endif
