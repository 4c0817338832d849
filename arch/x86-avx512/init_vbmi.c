/* SPDX-License-Identifier: MIT */
#include "kernels.h"

void tmac_avx512_vbmi_init(struct tmac_kernels *kernels)
{
    (void)kernels;
}
