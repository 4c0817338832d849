/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE

#include "guard.h"

#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CANARY = 0xa5 };

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

enum guard_place guard_random_place(struct rng *rng)
{
    static const enum guard_place places[8] = {GUARD_END, GUARD_END, GUARD_END, GUARD_END,
                                               GUARD_ODD, GUARD_ODD, GUARD_ODD, GUARD_START};
    return places[rng_between(rng, 0, 7)];
}

static uint8_t *place_in(const struct guard *guard, size_t align, enum guard_place place)
{
    uint8_t *at = guard->last - guard->size;

    if (place == GUARD_START)
        return guard->first;
    at -= (uintptr_t)at % align;
    if (place == GUARD_ODD && (uintptr_t)at / align % 2 == 0)
        at -= align;
    return at;
}

void *guard_new(struct guard *guard, size_t size, size_t align, enum guard_place place)
{
    const size_t page = page_size();
    const size_t room = (size + 2 * align + page - 1) / page * page;
    uint8_t *map = mmap(NULL, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED || mprotect(map + page, room, PROT_READ | PROT_WRITE)) {
        perror("guard_new");
        abort();
    }
    guard->size = size;
    guard->first = map + page;
    guard->last = guard->first + room;
    memset(guard->first, CANARY, room);
    guard->at = place_in(guard, align, place);
    return guard->at;
}

void guard_seal(const struct guard *guard)
{
    if (guard->at && mprotect(guard->first, (size_t)(guard->last - guard->first), PROT_READ)) {
        perror("guard_seal");
        abort();
    }
}

static bool all_canary(const uint8_t *from, const uint8_t *to)
{
    while (from < to && *from == CANARY)
        from++;
    return from == to;
}

bool guard_intact(const struct guard *guard)
{
    const uint8_t *at = guard->at;
    return !at || (all_canary(guard->first, at) && all_canary(at + guard->size, guard->last));
}

void guard_free(struct guard *guard)
{
    if (guard->at) {
        const size_t page = page_size();
        munmap(guard->first - page, (size_t)(guard->last - guard->first) + 2 * page);
    }
    memset(guard, 0, sizeof *guard);
}
