/* SPDX-License-Identifier: MIT
 * A 64-bit checksum against accidents (truncation, bit rot, a foreign file), not against malice. */
#ifndef TMAC_CHECKSUM_H
#define TMAC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t tmac_checksum(const void *bytes, size_t count);

#endif
