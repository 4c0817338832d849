/* SPDX-License-Identifier: MIT
 * What a weight matrix is, whatever it is packed in: struct tmac_spec, from a description or a file. */
#ifndef TMAC_SPEC_H
#define TMAC_SPEC_H

#include "contract.h"

/* What a description says of itself; spec->layout is DIRECT, which holds everything. Its groups are
 * checked by tmac_spec_check(). */
tmac_status tmac_spec_of(struct tmac_spec *spec, const tmac_weights_desc *desc);

/* Checks all but the layout. Sizes are then so small that adding a tile or a step, or multiplying by
 * the bits of a code, cannot overflow. */
tmac_status tmac_spec_check(const struct tmac_spec *spec);

/* Whether packed bytes of both are read the same way. */
bool tmac_spec_equal(const struct tmac_spec *a, const struct tmac_spec *b);

static inline bool tmac_is_power_of_two(int64_t n, int64_t least, int64_t most)
{
    return n >= least && n <= most && (n & (n - 1)) == 0;
}

static inline int64_t tmac_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t tmac_clamp(int64_t n, int64_t least, int64_t most)
{
    return n < least ? least : tmac_least(n, most);
}

/* false where the product or sum does not fit. */
static inline bool tmac_size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool tmac_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif
