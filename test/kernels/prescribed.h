/* SPDX-License-Identifier: MIT
 * What arch/contract.h prescribes of tables and scales, in plain C, one number after the other: every
 * tier's must equal it, scalar's too. */
#ifndef TEST_KERNELS_PRESCRIBED_H
#define TEST_KERNELS_PRESCRIBED_H

#include "contract.h"

void prescribed_build(const struct tmac_build *build, enum tmac_table_kind kind);
void prescribed_expand(const struct tmac_expand *expand);

#endif
