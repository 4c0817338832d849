/* SPDX-License-Identifier: MIT
 *
 * A weight is s (q - z) + m, its code q the middle code c plus the sum over planes of 1/2 2^p times +-1
 * (ternary: two planes of 1/2). u = 2^-24. Activations that share one table scale are a block.
 *
 * Lookup. Only sums of 4 signed activations are rounded, in steps of lambda = max / 127, max the
 * block's greatest sum of 4 magnitudes. Plane p of a group of 4 contributes 2^p s lambda / 2 times its
 * entry. The sum of x that meets c - z is not rounded.
 *
 * Nested lookup (NESTED_ROWS32). A block has several groups, each with its own s, and its sum of x is
 * rounded. With I8 sub-scales to 1/16 of lambda / 2, and what the middle code makes of it to whole
 * ones. With U4 to steps of mu = most / 127, most the block's greatest |sum of x|.
 *
 * Direct. Activations are rounded in steps of max / 127, max the block's greatest magnitude, and the
 * sum that meets the zero or the minimum is the sum of what they became.
 *
 * The float stage. The product x * (127 / max) is off by 4 roundings of a number up to 127: 2^-15 of a
 * step. The rest rounds a few times per block, each time by at most u of the magnitudes that meet
 * there: (2 blocks + 40) u * sum over k of (|s| (top code + |z|) + |m|) |x|.
 *
 * A block whose max is below 1e-25 counts as zero: at most 1e-25 * sum |w|. */
#include "rounding.h"

#include "check.h"
#include "layouts/shape.h"

#include <math.h>

/* What is quantized in whole steps is off by up to half a step, and a little by what floats do. */
static void add_steps(struct rounding *r, double step)
{
    r->most += fabs(step) / 2 * (1 + 0x1p-14);
    r->square += step * step / 12;
}

static double magnitude(const struct product *p, int64_t k)
{
    const struct matrix_numbers *n = &p->numbers[k];
    return fabs((double)n->scale) * (matrix_top_code(p->width) + fabs((double)n->zero)) +
           fabs((double)n->minimum);
}

/* ---- direct ---------------------------------------------------------------------------------- */

static void add_direct(struct rounding *r, const struct product *p, int64_t begin, int64_t end)
{
    float most = 0; /* gcc 12 for arm64 crashes where this is a double */

    for (int64_t k = begin; k < end; k++)
        most = fmaxf(most, fabsf(p->x[k]));
    for (int64_t k = begin; k < end; k++) {
        const struct matrix_numbers *n = &p->numbers[k];
        const double weight =
            (double)n->scale * (p->codes[k] - (double)n->zero) + (double)n->minimum;
        add_steps(r, weight * (double)most / 127);
    }
}

/* ---- lookup ---------------------------------------------------------------------------------- */

static int plane_bit(const struct product *p, int64_t k, int plane)
{
    if (k >= p->cols)
        return 0;
    return p->width == TMAC_WIDTH_TERNARY ? p->codes[k] > plane : p->codes[k] >> plane & 1;
}

/* The lookups of 4 activations, each of which weighs 2^plane `unit` / 2. Planes with the same bits, or with
 * opposite ones, look up the same number, whose error then comes several times or cancels. */
static void add_lookups(struct rounding *r, const struct product *p, int64_t k, double unit)
{
    const bool ternary = p->width == TMAC_WIDTH_TERNARY;
    double weights[8] = {0};

    for (int plane = 0; plane < matrix_bits(p->width); plane++) {
        const double weight = ternary ? 1 : 1 << plane;
        int entry = 0;
        for (int i = 0; i < 4; i++)
            entry |= plane_bit(p, k + i, plane) << i;
        weights[entry < 8 ? entry : 15 - entry] += entry < 8 ? weight : -weight;
        r->most += fabs(weight * unit) / 4 * (1 + 0x1p-14);
    }
    for (int entry = 0; entry < 8; entry++)
        r->square += pow(weights[entry] * unit / 2, 2) / 12;
}

static double group_sum(const struct product *p, int64_t k, int64_t group_k)
{
    double sum = 0;

    for (int64_t i = k; i < k + group_k; i++)
        sum += (double)p->x[i];
    return fabs(sum);
}

/* Nested: of a block's groups, whose sums of x are rounded as well. */
static void add_group_sums(struct rounding *r, const struct product *p, int64_t begin, int64_t end,
                           int64_t group_k, double lambda)
{
    double most = 0;

    for (int64_t k = begin; k < end; k += group_k)
        most = fmax(most, group_sum(p, k, group_k));
    for (int64_t k = begin; k < end; k += group_k) {
        const struct matrix_numbers *n = &p->numbers[k];
        const double scale = (double)n->scale, minimum = (double)n->minimum;
        const double offset = matrix_top_code(p->width) / 2.0 - (double)n->zero;
        if (p->sub == TMAC_SUB_U4) {
            add_steps(r, (scale * offset + minimum) * most / 127);
        } else { /* twice, one after the other; minimums see the first only */
            add_steps(r, (fabs(scale * offset) + fabs(minimum)) * lambda / 2 / 16);
            add_steps(r, scale * lambda / 2);
        }
    }
}

static void add_lookup(struct rounding *r, const struct product *p, int64_t begin, int64_t end,
                       int64_t group_k)
{
    double most = 0, four = 0;

    for (int64_t k = begin; k < end; k++) {
        four = (k % 4 ? four : 0) + fabs((double)p->x[k]);
        most = fmax(most, four);
    }
    for (int64_t k = begin; k < end; k += 4)
        add_lookups(r, p, k, (double)p->numbers[k].scale * most / 127);
    if (group_k)
        add_group_sums(r, p, begin, end, group_k, most / 127);
}

struct rounding rounding_of(const struct product *p)
{
    struct rounding r = {0, 0};
    enum tmac_table_kind kind;
    int block_k, group_k;

    CHECK_OK(tmac_table_layout_split(p->table_layout, &kind, &block_k, &group_k));
    const double floats = (2 * (double)(p->cols / block_k + 1) + 40) * 0x1p-24;
    for (int64_t k = 0; k < p->cols; k += block_k) {
        const int64_t end = k + block_k < p->cols ? k + block_k : p->cols;
        if (p->family == TMAC_FAMILY_DIRECT)
            add_direct(&r, p, k, end);
        else
            add_lookup(&r, p, k, end, group_k);
        for (int64_t i = k; i < end; i++)
            r.most += (floats * fabs((double)p->x[i]) + 1e-25) * magnitude(p, i);
    }
    return r;
}

/* ---- many ------------------------------------------------------------------------------------ */

void tally_add(struct tally *tally, double got, double expected)
{
    tally->got += got;
    tally->expected += expected;
    tally->squares += expected * expected;
    tally->greatest = fmax(tally->greatest, expected);
}

/* Inputs are rounded independently of each other. The rows of one do not: they share its tables, and where they are
 * alike their errors are one. So at worst an input's sum, expected to be e, is e times the square of one normal number. Of
 * such sums the total exceeds
 *     sum e + 2 sqrt(t sum e^2) + 2 t max e
 * with a probability below exp(-t) (Laurent and Massart 2000, lemma 1). Sums of roundings, which
 * are bounded, have thinner tails still. */
double tally_limit(const struct tally *tally)
{
    const double t = 16; /* exp(-16) = 1.1e-7 */

    return tally->expected + 2 * sqrt(t * tally->squares) + 2 * t * tally->greatest;
}
