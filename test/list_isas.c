/* SPDX-License-Identifier: MIT
 * Prints the instruction sets that this machine has, one to a line, from scalar to the best. */
#include "support/contexts.h"

#include <stdio.h>

int main(void)
{
    const struct isas isas = isas_available();

    for (int i = 0; i < isas.count; i++)
        puts(isas.name[i]);
    return isas.count == 0;
}
