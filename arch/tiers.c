/* SPDX-License-Identifier: MIT
 * One row per tier, and what this machine has of them. */
#include "tiers.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)

#define X86(set) &tmac_set_##set
#define ARM(set) NULL

/* The compiler's run-time checks XGETBV too: a set that the system does not save is not there. F16C and
 * AVX-VNNI, which not every compiler's check knows, come with registers that AVX2's check vouches for. */
static bool has_avx2(void)
{
    unsigned eax, ebx, ecx, edx;

    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2") && __get_cpuid(1, &eax, &ebx, &ecx, &edx) &&
           (ecx & bit_F16C);
}

static bool has_avx_vnni(void)
{
    enum { AVX_VNNI = 1 << 4 }; /* of EAX, leaf 7, sub-leaf 1 */
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & AVX_VNNI);
}

static bool has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx512_vnni(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni");
}

static bool has_avx512_vbmi(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vbmi");
}

#define has_neon NULL
#define has_dotprod NULL

#elif defined(__aarch64__)

#define X86(set) NULL
#define ARM(set) &tmac_set_##set

#define has_avx2 NULL
#define has_avx_vnni NULL
#define has_avx512 NULL
#define has_avx512_vnni NULL
#define has_avx512_vbmi NULL
#define has_neon always

static bool has_dotprod(void)
{
#if defined(__linux__)
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#else
    return false;
#endif
}

#else

#define X86(set) NULL
#define ARM(set) NULL

#define has_avx2 NULL
#define has_avx_vnni NULL
#define has_avx512 NULL
#define has_avx512_vnni NULL
#define has_avx512_vbmi NULL
#define has_neon NULL
#define has_dotprod NULL

#endif

#define AVX2 TMAC_ISA_X86_AVX2
#define AVX512 TMAC_ISA_X86_AVX512
#define VNNI TMAC_ISA_X86_AVX512_VNNI

const struct tmac_tier tmac_tiers[TMAC_TIER_COUNT] = {
    {"scalar", TMAC_ISA_SCALAR, 0, always, &tmac_set_scalar},
    {"x86-avx2", AVX2, 0, has_avx2, X86(avx2)},
    {"x86-avx-vnni", TMAC_ISA_X86_AVX_VNNI, AVX2, has_avx_vnni, X86(avx_vnni)},
    {"x86-avx512", AVX512, AVX2, has_avx512, X86(avx512)},
    {"x86-avx512-vnni", VNNI, AVX2 | AVX512, has_avx512_vnni, X86(avx512_vnni)},
    {"x86-avx512-vbmi", TMAC_ISA_X86_AVX512_VBMI, AVX2 | AVX512 | VNNI, has_avx512_vbmi,
     X86(avx512_vbmi)},
    {"arm64", TMAC_ISA_ARM64, 0, has_neon, ARM(neon)},
    {"arm64-dotprod", TMAC_ISA_ARM64_DOTPROD, TMAC_ISA_ARM64, has_dotprod, ARM(dotprod)},
};

uint32_t tmac_tiers_usable(uint32_t mask)
{
    uint32_t usable = TMAC_ISA_SCALAR;

    for (int i = 1; i < TMAC_TIER_COUNT; i++) { /* what a tier requires comes before it */
        const struct tmac_tier *tier = &tmac_tiers[i];
        if (tier->set && (mask & tier->bit) && (tier->requires & ~usable) == 0 && tier->is_there())
            usable |= tier->bit;
    }
    return usable;
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
