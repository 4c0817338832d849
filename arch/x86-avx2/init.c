/* SPDX-License-Identifier: MIT */
#include "kernels.h"

void tmac_avx2_init(struct tmac_kernels *kernels)
{
    (void)kernels;
}
