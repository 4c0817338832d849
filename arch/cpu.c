/* SPDX-License-Identifier: MIT
 * What this machine can run, and the ladder that fills struct tmac_kernels. */
#include "kernels.h"

#include "tmac.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#if defined(__x86_64__)
static bool has_f16c(void) /* clang's __builtin_cpu_supports does not know it */
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}
#endif

uint32_t tmac_cpu_isa(void)
{
    uint32_t isa = TMAC_ISA_SCALAR;
#if defined(__x86_64__)
    /* The compiler's run-time checks XGETBV too: a set that the kernel does not save is not there.
     */
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2") && has_f16c())
        isa |= TMAC_ISA_X86_AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        isa |= TMAC_ISA_X86_AVX512;
    if (__builtin_cpu_supports("avx512vnni"))
        isa |= TMAC_ISA_X86_AVX512_VNNI;
    if (__builtin_cpu_supports("avx512vbmi"))
        isa |= TMAC_ISA_X86_AVX512_VBMI;
#elif defined(__aarch64__)
    isa |= TMAC_ISA_ARM64;
#if defined(__linux__)
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP)
        isa |= TMAC_ISA_ARM64_DOTPROD;
#endif
#endif
    return isa;
}

#if defined(__x86_64__)
/* The brand alone is shared by several kinds; family, model and stepping are in the signature. */
void tmac_cpu_name(char name[TMAC_CPU_NAME_BYTES])
{
    unsigned signature = 0, most = 0, ebx, ecx, edx;
    char brand[3 * 16 + 1] = "x86-64";

    (void)__get_cpuid(0x80000000u, &most, &ebx, &ecx, &edx);
    for (unsigned i = 0; most >= 0x80000004u && i < 3; i++) {
        unsigned part[4];
        (void)__get_cpuid(0x80000002u + i, &part[0], &part[1], &part[2], &part[3]);
        memcpy(brand + (size_t)16 * i, part, sizeof part);
    }
    (void)__get_cpuid(1, &signature, &ebx, &ecx, &edx);
    snprintf(name, TMAC_CPU_NAME_BYTES, "%s %x", brand + strspn(brand, " "), signature);
}
#elif defined(__aarch64__) && defined(__linux__)
void tmac_cpu_name(char name[TMAC_CPU_NAME_BYTES])
{
    unsigned long midr = 0;

    if (getauxval(AT_HWCAP) & HWCAP_CPUID) /* Linux lets programs read this register then */
        __asm__("mrs %0, MIDR_EL1" : "=r"(midr));
    snprintf(name, TMAC_CPU_NAME_BYTES, "arm64 %lx", midr);
}
#else
void tmac_cpu_name(char name[TMAC_CPU_NAME_BYTES])
{
    snprintf(name, TMAC_CPU_NAME_BYTES, "unknown");
}
#endif

struct rung {
    uint32_t isa;
    const char *name;
    void (*init)(struct tmac_kernels *kernels);
};

/* Each set builds on the one before it. */
static const struct rung ladder[] = {
#if defined(__x86_64__)
    {TMAC_ISA_X86_AVX2, "x86-avx2", tmac_avx2_init},
    {TMAC_ISA_X86_AVX512, "x86-avx512", tmac_avx512_init},
    {TMAC_ISA_X86_AVX512_VNNI, "x86-avx512-vnni", tmac_avx512_vnni_init},
    {TMAC_ISA_X86_AVX512_VBMI, "x86-avx512-vbmi", tmac_avx512_vbmi_init},
#elif defined(__aarch64__)
    {TMAC_ISA_ARM64, "arm64", tmac_neon_init},
    {TMAC_ISA_ARM64_DOTPROD, "arm64-dotprod", tmac_dotprod_init},
#endif
    {0, "", NULL},
};

void tmac_kernels_init(struct tmac_kernels *kernels, uint32_t mask)
{
    const uint32_t allowed = mask & tmac_cpu_isa();

    tmac_scalar_init(kernels);
    kernels->isa = "scalar";
    kernels->isa_mask = TMAC_ISA_SCALAR;
    for (const struct rung *r = ladder; r->init && (allowed & r->isa); r++) {
        r->init(kernels);
        kernels->isa = r->name;
        kernels->isa_mask |= r->isa;
    }
}
