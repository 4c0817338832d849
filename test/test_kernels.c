/* SPDX-License-Identifier: MIT
 *
 * Every kernel of every instruction set that this machine has against the scalar one, to the bit
 * (arch/kernels.h), and the scalar multiply kernels against a model written from the layouts'
 * description. The tests are in test/kernels/. Environment:
 *   TMAC_TEST_SEED    replays a run
 *   TMAC_TEST_ROUNDS  repeats the random cases so often
 *   TMAC_TEST_ONLY    only kernels whose name contains this
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/rungs.h"
#include "tmac.h"

static void test_struct_is_complete(void **state)
{
    (void)state;
    for (int i = 0; i < rung_count; i++) {
        const struct tmac_kernels *k = &rungs[i].kernels;
        for (int l = 0; l < TMAC_LAYOUT_COUNT; l++)
            for (int w = 0; w < TMAC_W_COUNT; w++)
                assert_true(k->kernel[l][w].name && k->kernel[l][w].multiply);
        for (int kind = 0; kind < TMAC_TABLE_KIND_COUNT; kind++)
            assert_true(k->build[kind] != NULL);
        assert_true(k->expand && k->f16_to_f32 && k->bf16_to_f32);
        for (int w = 0; w < TMAC_W_COUNT; w++) {
            assert_true(k->lookup_layout[w] < TMAC_LAYOUT_DIRECT);
            assert_true(k->best_layout[w] < TMAC_LAYOUT_COUNT);
        }
    }
}

/* A set whose predecessor is masked away must not take part. */
static void test_ladder_has_no_gaps(void **state)
{
    struct tmac_kernels kernels;

    (void)state;
    tmac_kernels_init(&kernels, ~(TMAC_ISA_X86_AVX2 | TMAC_ISA_ARM64));
    assert_true(kernels.isa_mask == TMAC_ISA_SCALAR);
    tmac_kernels_init(&kernels, 0);
    assert_true(kernels.isa_mask == TMAC_ISA_SCALAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_struct_is_complete),
        cmocka_unit_test(test_ladder_has_no_gaps),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_multiply),
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_half_floats),
        cmocka_unit_test(test_half_floats_expanded),
        cmocka_unit_test(test_expand),
    };

    rungs_init();
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
