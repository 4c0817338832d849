/* SPDX-License-Identifier: MIT
 * Prints the instruction sets that this machine has and TMAC_ISA allows, one to a line, from scalar to the
 * best; with --missing those of its architecture that it lacks. */
#include "tiers.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    const uint32_t usable = tmac_tiers_usable(UINT32_MAX);

    (void)argv;
    for (int t = 0; t < TMAC_TIER_COUNT; t++)
        if (tmac_tiers[t].set && ((usable & tmac_tiers[t].bit) != 0) == (argc == 1))
            puts(tmac_tiers[t].name);
    return 0;
}
