/* SPDX-License-Identifier: MIT
 * Instruction sets by name, and their detection. */
#include "context.h"

#include <string.h>

/* From the least to the best of each machine; a name allows all up to it. */
static const struct {
    const char *name;
    uint32_t up_to;
} names[] = {
    {"scalar", TMAC_ISA_SCALAR},
    {"x86-avx2", TMAC_ISA_SCALAR | TMAC_ISA_X86_AVX2},
    {"x86-avx512", TMAC_ISA_SCALAR | TMAC_ISA_X86_AVX2 | TMAC_ISA_X86_AVX512},
    {"x86-avx512-vnni",
     TMAC_ISA_SCALAR | TMAC_ISA_X86_AVX2 | TMAC_ISA_X86_AVX512 | TMAC_ISA_X86_AVX512_VNNI},
    {"x86-avx512-vbmi", TMAC_ISA_SCALAR | TMAC_ISA_X86_AVX2 | TMAC_ISA_X86_AVX512 |
                            TMAC_ISA_X86_AVX512_VNNI | TMAC_ISA_X86_AVX512_VBMI},
    {"arm64", TMAC_ISA_SCALAR | TMAC_ISA_ARM64},
    {"arm64-dotprod", TMAC_ISA_SCALAR | TMAC_ISA_ARM64 | TMAC_ISA_ARM64_DOTPROD},
};

uint32_t tmac_isa_up_to(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].up_to;
    return 0;
}

uint32_t tmac_isa_available(void)
{
    return tmac_cpu_isa();
}

void tmac_kernels_choose(struct tmac_context *context, uint32_t mask)
{
    tmac_kernels_init(&context->kernels, mask);
}
