/* SPDX-License-Identifier: MIT
 * Prefetching by kernels of many panels. The cells of the next steps are wanted when all panels are done
 * with these: every panel fetches its part of them, for all at once would wait for each other. */
#ifndef TMAC_AHEAD_H
#define TMAC_AHEAD_H

#include <stddef.h>
#include <stdint.h>

struct ahead {
    const char *at, *end;
    size_t part;
};

/* `bytes` from `next` on, for so many panels; one alone leaves them to the hardware. */
static inline struct ahead ahead_of(const uint8_t *next, size_t bytes, int panels)
{
    const char *at = (const char *)next;

    return (struct ahead){at, panels > 1 ? at + bytes : at, bytes / (size_t)panels + 64};
}

static inline void ahead_prefetch_part(struct ahead *ahead)
{
    const char *at = ahead->at;
    const char *end = at + ahead->part < ahead->end ? at + ahead->part : ahead->end;

    for (; at < end; at += 64)
        __builtin_prefetch(at, 0, 2); /* into the second level */
    ahead->at = at;
}

#endif
