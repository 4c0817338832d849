/* SPDX-License-Identifier: MIT
 * What the rows of tiers and kernels promise of each other (arch/contract.h, arch/tiers.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "subjects.h"
#include "widths.h"

/* ---- kernels --------------------------------------------------------------------------------- */

static void check_tools(const struct tmac_tools *tools)
{
    for (int kind = 0; kind < TMAC_TABLE_KIND_COUNT; kind++)
        assert_true(tools->build[kind] != NULL);
    assert_true(tools->expand && tools->f16_to_f32 && tools->bf16_to_f32);
}

static void check_row(const struct tmac_tier *tier, const struct tmac_kernel *row)
{
    assert_true(row->name && row->multiply);
    assert_true(row->requires & tier->bit);
    assert_true((row->requires & ~(tier->bit | tier->requires)) == 0);
    assert_true(row->widths && (row->widths & ~TMAC_WIDTHS_ALL) == 0);
    assert_true(row->batches && row->batches < 1u << TMAC_BATCH_COUNT);
    for (int w = 0; w < TEST_WIDTHS; w++)
        if (row->widths & TMAC_WIDTH_BIT(test_widths[w]))
            assert_true(scalar_kernel(row->layout, test_widths[w], row->averages) != NULL);
}

/* Names and ranks: a choice by rank must not depend on the order of rows. */
static void check_pair(const struct tmac_kernel *a, const struct tmac_kernel *b)
{
    assert_true(strcmp(a->name, b->name) != 0);
    if (a->rank == b->rank && (a->widths & b->widths) && (a->batches & b->batches))
        fail_msg("%s and %s have the same rank, %d", a->name, b->name, a->rank);
}

static void check_against_all(const struct tmac_kernel *row)
{
    for (int t = 0; t < TMAC_TIER_COUNT; t++)
        for (int k = 0; tmac_tiers[t].set && k < tmac_tiers[t].set->kernel_count; k++)
            if (&tmac_tiers[t].set->kernels[k] != row)
                check_pair(row, &tmac_tiers[t].set->kernels[k]);
}

void test_tables(void **state)
{
    (void)state;
    for (int t = 0; t < TMAC_TIER_COUNT; t++) {
        const struct tmac_set *set = tmac_tiers[t].set;
        if (set && set->tools)
            check_tools(set->tools);
        for (int k = 0; set && k < set->kernel_count; k++) {
            check_row(&tmac_tiers[t], &set->kernels[k]);
            check_against_all(&set->kernels[k]);
        }
    }
}

/* Packed bytes work on every machine: whatever a layout can hold has a scalar kernel, without
 * conditions, for every panel. */
void test_scalar_has_all(void **state)
{
    (void)state;
    assert_true(tmac_set_scalar.tools != NULL);
    for (int layout = 0; layout < TMAC_LAYOUT_COUNT; layout++)
        for (int w = 0; w < TEST_WIDTHS; w++) {
            const tmac_width width = test_widths[w];
            const bool direct = layout == TMAC_LAYOUT_DIRECT;
            const bool nested = tmac_layout_is_nested((enum tmac_layout)layout);
            const bool held =
                direct || (tmac_width_bits(width) <= 4 && (!nested || tmac_width_bits(width) > 1));
            const struct tmac_kernel *row = scalar_kernel((enum tmac_layout)layout, width, false);

            assert_true((row != NULL) == held);
            if (row)
                assert_true(!row->accepts &&
                            (row->batches & TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8)) ==
                                TMAC_BATCHES(TMAC_BATCH_1, TMAC_BATCH_8));
        }
}

/* ---- tiers ----------------------------------------------------------------------------------- */

/* A tier without what it builds on must not take part, and takes nothing else with it. */
static void mask_away(const struct tmac_tier *away, uint32_t all)
{
    const uint32_t left = tmac_tiers_usable(~away->bit);

    for (int t = 1; t < TMAC_TIER_COUNT; t++) {
        const struct tmac_tier *tier = &tmac_tiers[t];
        const bool gone = tier == away || (tier->requires & away->bit);
        assert_true((left & tier->bit) == (gone ? 0 : all & tier->bit));
    }
    assert_true(left & TMAC_ISA_SCALAR);
}

void test_tiers(void **state)
{
    const uint32_t all = tmac_tiers_usable(~UINT32_C(0));
    uint32_t before = 0;

    (void)state;
    assert_true(tmac_tiers[0].bit == TMAC_ISA_SCALAR && tmac_tiers[0].set == &tmac_set_scalar);
    assert_true(tmac_tiers_usable(0) == TMAC_ISA_SCALAR);
    for (int t = 0; t < TMAC_TIER_COUNT; t++) {
        const struct tmac_tier *tier = &tmac_tiers[t];
        assert_true(tier->name && tier->bit && (tier->bit & (tier->bit - 1)) == 0);
        assert_true((before & tier->bit) == 0 && (tier->requires & ~before) == 0);
        before |= tier->bit;
        if (t > 0)
            mask_away(tier, all);
    }
}
