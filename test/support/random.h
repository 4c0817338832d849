/* SPDX-License-Identifier: MIT
 * Replayable random numbers. Every case draws from its own stream, so that it is the same case
 * whatever ran before it and however many rounds there are. */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

/* TMAC_TEST_SEED, or a fixed default. */
uint64_t rng_environment_seed(void);
/* TMAC_TEST_ROUNDS, or `otherwise`: how often tests repeat their random cases. */
int rng_environment_rounds(int otherwise);

struct rng rng_stream(uint64_t seed, uint64_t test, uint64_t index);
uint64_t rng_next(struct rng *rng);
int rng_between(struct rng *rng, int low, int high); /* both included */
float rng_unit(struct rng *rng);                     /* [0, 1) */
float rng_normal(struct rng *rng);
void rng_bytes(struct rng *rng, void *to, size_t size);

#endif
