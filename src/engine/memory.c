/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* madvise */
#include "engine/context.h"

#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { HUGE_PAGE = 2 << 20 };

void *tmac_default_allocate(void *host, size_t size, size_t align)
{
    void *memory = NULL;

    (void)host;
    /* Packed weights are read from end to end: with 4 KB pages the page walks show. */
    if (size >= 2 * (size_t)HUGE_PAGE && align < HUGE_PAGE)
        align = HUGE_PAGE;
    if (posix_memalign(&memory, align < sizeof(void *) ? sizeof(void *) : align, size))
        return NULL;
#ifdef MADV_HUGEPAGE
    if (align == HUGE_PAGE)
        (void)madvise(memory, size, MADV_HUGEPAGE); /* a wish: its failure costs speed only */
#endif
    return memory;
}

void tmac_default_release(void *host, void *memory)
{
    (void)host;
    free(memory);
}
