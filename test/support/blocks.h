/* SPDX-License-Identifier: MIT
 * ggml blocks to test with. Which there are, and how large, the library lists; where their half floats
 * are is written down here once more, as random bytes are numbers but for those. */
#ifndef TEST_BLOCKS_H
#define TEST_BLOCKS_H

#include "random.h"
#include "tmac.h"

#include <stddef.h>
#include <stdint.h>

enum { MAX_BLOCK_TYPES = 32, MAX_HALVES = 2 };

struct block_type {
    tmac_format_info info;
    int halves[MAX_HALVES]; /* bytes from the block's start; -1: it has no more */
};

struct block_types {
    struct block_type all[MAX_BLOCK_TYPES];
    size_t count;
};

/* The same ones in every call. */
const struct block_types *block_types(void);
const struct block_type *block_type_named(const char *name);

/* Any finite half float; every other one of those at the ends of what there are. */
uint16_t random_half(struct rng *rng);

/* Any block that can be packed. */
void random_block(const struct block_type *type, struct rng *rng, uint8_t *block);

#endif
