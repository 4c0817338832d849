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
 * Multiplications per second (each with its addition, 32-bit sums) of signed with unsigned bytes, by
 * the best instruction here: vpdpbusd, or vpmaddubsw and vpmaddwd. From registers: nothing is
 * loaded. 0 when no loop is written for this architecture.
 */
double roofline_dot_per_second(int threads);

/*
 * 1-bit weights per second by lookup: vpermb in 64-byte tables that each serve 4 weights a byte, and
 * vpdpbusd to sum up. 0 without AVX-512 VBMI and VNNI.
 */
double roofline_lookup_per_second(int threads);

/* The instruction that roofline_dot_per_second(1) is best with: "vpdpbusd zmm", or "none". Measures
 * again. Static storage. */
const char *roofline_dot_instruction(void);

#ifdef __cplusplus
}
#endif

#endif
