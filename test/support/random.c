/* SPDX-License-Identifier: MIT */
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t rng_environment_seed(void)
{
    const char *text = getenv("TMAC_TEST_SEED");
    return text && *text ? strtoull(text, NULL, 0) : UINT64_C(20240607);
}

int rng_environment_rounds(int otherwise)
{
    const char *text = getenv("TMAC_TEST_ROUNDS");
    const long rounds = text && *text ? strtol(text, NULL, 0) : otherwise;
    return rounds < 1 ? 1 : rounds > 1000000 ? 1000000 : (int)rounds;
}

/* splitmix64: good bits from any state, so that neighbouring seeds give unrelated streams. */
uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct rng rng_stream(uint64_t seed, uint64_t test, uint64_t index)
{
    struct rng rng = {seed};
    rng.state = rng_next(&rng) ^ test;
    rng.state = rng_next(&rng) ^ index;
    rng.state = rng_next(&rng);
    return rng;
}

int rng_between(struct rng *rng, int low, int high)
{
    const uint64_t range = (uint64_t)(high - low) + 1;
    return low + (int)((rng_next(rng) >> 32) * range >> 32);
}

float rng_unit(struct rng *rng)
{
    return (float)(rng_next(rng) >> 40) * 0x1p-24f;
}

float rng_normal(struct rng *rng)
{
    const float radius = sqrtf(-2.0f * logf(1.0f - rng_unit(rng)));
    return radius * cosf(6.2831853f * rng_unit(rng));
}

void rng_bytes(struct rng *rng, void *to, size_t size)
{
    for (uint8_t *at = to; size;) {
        const uint64_t bits = rng_next(rng);
        const size_t part = size < 8 ? size : 8;
        memcpy(at, &bits, part);
        at += part;
        size -= part;
    }
}
