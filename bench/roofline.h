/* SPDX-License-Identifier: MIT
 *
 * The roofs of this machine, measured: how fast its cores can read, and how fast they can multiply.
 *
 * A rate says little without the most that was possible where and when it was measured, on shared
 * machines above all. So these are measured in the same process, right beside what is compared with
 * them. Every function tries all loops that this CPU can run, several times, and returns the best;
 * it takes about a fiftieth of a second for each loop.
 *
 * Plain C with pthreads, one source file, and no compiler flag for any instruction set: the loops
 * carry their own and are chosen at run time. Safe to call from any thread, but not from two at
 * once, which would only measure each other.
 */
#ifndef TMAC_BENCH_ROOFLINE_H
#define TMAC_BENCH_ROOFLINE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The size in bytes that stays in the first-level data cache of every CPU this is used on. */
#define ROOFLINE_L1_BYTES 16384

/*
 * Bytes per second that `threads` threads together read from `footprint` bytes of memory, each its
 * own share of them, over and over: so from the smallest cache that holds its share. Small
 * footprints are rounded up to 2 KB per thread. The memory has huge pages where the system gives
 * them, as libtmac's own weights do. 0 when memory or threads are not to be had.
 *
 * ROOFLINE_L1_BYTES * threads as the footprint gives the rate of the first-level caches.
 */
double roofline_read_bytes_per_second(size_t footprint, int threads);

/*
 * Multiplications per second (each with its addition, 32-bit sums) of signed with unsigned bytes,
 * by the best instruction here: vpdpbusd, or vpmaddubsw and vpmaddwd. From registers: nothing is
 * loaded. 0 when no loop is written for this architecture.
 */
double roofline_dot_per_second(int threads);

/*
 * 1-bit weights per second by lookup, 4 a byte, from registers, with the least that can be done
 * with what is found: vpshufb and one addition of bytes, which widens nothing; or with VBMI and
 * VNNI vpermb and vpdpbusd, which does. 0 when no loop is written for this architecture.
 */
double roofline_lookup_per_second(int threads);

/* The instructions that roofline_dot_per_second(1) and roofline_lookup_per_second(1) are best with:
 * "vpdpbusd zmm", "vpshufb ymm", or "none". They measure again. Static storage. */
const char *roofline_dot_instruction(void);
const char *roofline_lookup_instruction(void);

/* Memory as all that is measured has: on huge pages where it is large and the system gives them, as
 * libtmac's own weights are. To be freed with free(); null when there is none. */
void *roofline_allocate(size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
