/* SPDX-License-Identifier: MIT
 * What the templates of this folder are written in: always-inline functions whose `const` parameters are
 * constants where they are called, so that widths, sizes of batches and the like decide at compile time
 * how many registers there are. Each is instantiated as a function that is not inlined, one per set of
 * constants, and tables of these are what a call chooses by. */
#ifndef TMAC_INLINE_H
#define TMAC_INLINE_H

#ifndef INLINE
#ifdef __OPTIMIZE__
#define INLINE static inline __attribute__((always_inline))
#else /* nothing is decided then, and inlining would only take minutes */
#define INLINE static inline
#endif
#endif

/* A function for one set of constants. */
#define INSTANCE static __attribute__((noinline))

/* Before a loop whose bounds are such constants. */
#ifndef UNROLL
#ifdef __clang__
/* Where an unrolled loop ends an outer one, clang gives its mark to that too, and then warns. */
#pragma clang diagnostic ignored "-Wpass-failed"
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#endif

/* Before one that stays a loop, though its bounds may be constants. */
#ifdef __clang__
#define ROLLED _Pragma("clang loop unroll(disable)")
#else
#define ROLLED _Pragma("GCC unroll 1")
#endif

/* `sum` after an instruction that adds to it. With intrinsics gcc 12 copies every sum at each turn of gemv's
 * loop: a quarter more to decode. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(TMAC_EMULATED)
#define ADD_IN_PLACE(instruction, intrinsic, sum, a, b)                                            \
    ({                                                                                             \
        __typeof__(sum) in_place = sum;                                                            \
        __asm__(instruction " %2, %1, %0" : "+v"(in_place) : "v"(a), "v"(b));                      \
        in_place;                                                                                  \
    })
#else
#define ADD_IN_PLACE(instruction, intrinsic, sum, a, b) intrinsic(sum, a, b)
#endif

#endif
