/* SPDX-License-Identifier: MIT
 *
 * Activations as they are in LLMs, from a fixed seed.
 */
#ifndef REPORT_INPUTS_H
#define REPORT_INPUTS_H

#include <stdint.h>

/* Normally distributed, and about one channel in 128 some 10 to 30 times as large as the rest, the
 * same channels in every input. */
void fill_activations(float *x, int64_t cols, int64_t batch, uint64_t seed);

#endif
