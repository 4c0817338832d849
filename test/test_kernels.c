/* SPDX-License-Identifier: MIT
 *
 * Every kernel of every instruction set that this machine has against the scalar one, to the bit
 * (arch/contract.h), and the scalar multiply kernels against a model written from the layouts'
 * description. The tests are in test/kernels/. Environment:
 *   TMAC_TEST_SEED    replays a run
 *   TMAC_TEST_ROUNDS  repeats the random cases so often
 *   TMAC_TEST_ONLY    only kernels whose name contains this
 *
 * test_kernels --bench [NAME] tests nothing: it times the kernels whose name contains NAME.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/subjects.h"

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),      cmocka_unit_test(test_scalar_has_all),
        cmocka_unit_test(test_tiers),       cmocka_unit_test(test_model),
        cmocka_unit_test(test_multiply),    cmocka_unit_test(test_build),
        cmocka_unit_test(test_half_floats), cmocka_unit_test(test_half_floats_expanded),
        cmocka_unit_test(test_expand),
    };

    subjects_init();
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench_kernels(argv[2]);
        return 0;
    }
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
