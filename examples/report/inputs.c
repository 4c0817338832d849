/* SPDX-License-Identifier: MIT
 *
 * See inputs.h.
 */
#include "inputs.h"

#include <math.h>

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* In (0, 1]. */
static double uniform(uint64_t *state)
{
    return (double)((next(state) >> 11) + 1) * 0x1p-53;
}

static double normal(uint64_t *state)
{
    const double radius = sqrt(-2 * log(uniform(state)));
    return radius * cos(6.283185307179586 * uniform(state));
}

void fill_activations(float *x, int64_t cols, int64_t batch, uint64_t seed)
{
    uint64_t state = seed;

    for (int64_t k = 0; k < cols; k++) {
        const double size = uniform(&state) < 1.0 / 128 ? 10 + 20 * uniform(&state) : 1;
        for (int64_t n = 0; n < batch; n++)
            x[n * cols + k] = (float)(size * normal(&state));
    }
}
