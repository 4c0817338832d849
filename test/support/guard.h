/* SPDX-License-Identifier: MIT
 * Memory between two pages that nobody may touch. One byte read or written past the end of such a
 * page faults at once, under any compiler; what remains of the buffer's own pages is filled with
 * canaries, which catch writes. */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng;

enum guard_place {
    GUARD_END,   /* ends at the guard page (or less than an alignment before it) */
    GUARD_START, /* starts at the guard page */
    GUARD_ODD    /* aligned as asked and no better: an odd multiple */
};

struct guard {
    void *at;
    size_t size;
    uint8_t *first, *last; /* the pages in use */
};

/* Most often END, which finds most. */
enum guard_place guard_random_place(struct rng *rng);

/* `align`: a power of two up to the page size. Aborts where there is no memory. */
void *guard_new(struct guard *guard, size_t size, size_t align, enum guard_place place);
/* From here on writing to it faults. */
void guard_seal(const struct guard *guard);
bool guard_intact(const struct guard *guard);
/* Nothing to do for a guard that is all zero. */
void guard_free(struct guard *guard);

#endif
