/* SPDX-License-Identifier: MIT
 * Half and bfloat16, written from their definitions: the tests must not share the library's. */
#ifndef TEST_HALF_H
#define TEST_HALF_H

#include <stdint.h>

float half_to_float(uint16_t half);
uint16_t half_from_float(float value); /* finite and in range; rounds to nearest */
float bf16_to_float(uint16_t half);
uint16_t bf16_from_float(float value); /* cuts */

#endif
