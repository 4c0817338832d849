/* SPDX-License-Identifier: MIT */
#include "blocks.h"

#include "check.h"

#include <string.h>

static const struct {
    const char *name;
    int halves[MAX_HALVES];
} known[] = {
    {"Q4_0", {0, -1}},   {"Q4_1", {0, 2}},    {"Q8_0", {0, -1}},   {"Q1_0", {0, -1}},
    {"Q2_0", {0, -1}},   {"Q2_K", {80, 82}},  {"Q3_K", {108, -1}}, {"Q4_K", {0, 2}},
    {"TQ1_0", {52, -1}}, {"TQ2_0", {64, -1}},
};

static void add_type(struct block_types *types, const tmac_format_info *info)
{
    struct block_type *type = &types->all[types->count++];
    size_t k = 0;

    while (k < COUNT(known) && strcmp(known[k].name, info->name) != 0)
        k++;
    CHECK(k < COUNT(known), "%s: test/support/blocks.c does not know where its half floats are",
          info->name);
    CHECK(types->count <= MAX_BLOCK_TYPES, "too many types");
    type->info = *info;
    memcpy(type->halves, known[k].halves, sizeof type->halves);
}

const struct block_types *block_types(void)
{
    static struct block_types types;

    for (int32_t i = 0, done = types.count > 0; !done && i < tmac_format_count(); i++) {
        tmac_format_info info = {.struct_size = sizeof info};
        CHECK_OK(tmac_format_query(i, &info));
        if (info.ggml_type >= 0)
            add_type(&types, &info);
    }
    return &types;
}

const struct block_type *block_type_named(const char *name)
{
    const struct block_types *types = block_types();
    size_t t = 0;

    while (strcmp(types->all[t].info.name, name) != 0)
        t++;
    return &types->all[t];
}

uint16_t random_half(struct rng *rng)
{
    static const uint16_t extremes[] = {0x0000, 0x8000, 0x0001, 0x8001, 0x03ff,
                                        0x83ff, 0x0400, 0x8400, 0x7bff, 0xfbff};
    const uint16_t any = (uint16_t)rng_next(rng);

    if (rng_between(rng, 0, 1))
        return extremes[rng_between(rng, 0, COUNT(extremes) - 1)];
    return (any & 0x7c00) == 0x7c00 ? any & 0xbfff : any;
}

void random_block(const struct block_type *type, struct rng *rng, uint8_t *block)
{
    rng_bytes(rng, block, (size_t)type->info.block_bytes);
    for (int i = 0; strcmp(type->info.name, "TQ2_0") == 0 && i < 64; i++) /* no code 3 */
        block[i] &= (uint8_t) ~(block[i] & block[i] >> 1 & 0x55);
    for (int i = 0; i < MAX_HALVES && type->halves[i] >= 0; i++) {
        const uint16_t half = random_half(rng);
        memcpy(block + type->halves[i], &half, sizeof half);
    }
}
