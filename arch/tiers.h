/* SPDX-License-Identifier: MIT
 * The tiers: what a CPU may have, and the kernels that there are for it. Tiers are no ladder: Cascade Lake
 * has AVX-512 and no AVX-VNNI, Alder Lake the reverse. docs/adding-a-tier.md says how to add one. */
#ifndef TMAC_TIERS_H
#define TMAC_TIERS_H

#include "contract.h"

struct tmac_tier {
    const char *name;  /* public: context option, TMAC_ISA, what a context answers */
    uint32_t bit;      /* TMAC_ISA_*, public */
    uint32_t requires; /* the bits of tiers that it builds on */
    bool (*is_there)(void);
    const struct tmac_set *set; /* NULL on other architectures */
};

/* All tiers of all architectures, scalar first. Of those in use the last one gives the context its name,
 * and the last one that has tools builds tables and expands scales. */
enum { TMAC_TIER_COUNT = 8 };
extern const struct tmac_tier tmac_tiers[TMAC_TIER_COUNT];

/* Of the tiers in `mask` the bits of those that this machine has, with all that they require; scalar
 * always is among them. */
uint32_t tmac_tiers_usable(uint32_t mask);

/* The processor's name, as exactly as it tells: measured choices are good for one kind only. */
enum { TMAC_CPU_NAME_BYTES = 96 };
void tmac_cpu_name(char name[TMAC_CPU_NAME_BYTES]);

/* One per tier with kernels, in its own folder. */
extern const struct tmac_set tmac_set_scalar;
extern const struct tmac_set tmac_set_avx2;
extern const struct tmac_set tmac_set_avx_vnni;
extern const struct tmac_set tmac_set_avx512;
extern const struct tmac_set tmac_set_avx512_vnni;
extern const struct tmac_set tmac_set_avx512_vbmi;
extern const struct tmac_set tmac_set_neon;
extern const struct tmac_set tmac_set_dotprod;

#endif
