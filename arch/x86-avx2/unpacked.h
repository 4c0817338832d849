/* SPDX-License-Identifier: MIT
 * Layouts DIRECT and NESTED, several columns: the codes of a few steps are unpacked once, one per byte,
 * for all columns of all panels. */
#ifndef TMAC_AVX2_UNPACKED_H
#define TMAC_AVX2_UNPACKED_H

#include "direct_codes.h"

/* Steps that are unpacked at a time: 8 KB, a quarter of the first-level cache. */
enum { EIGHTHS = 4, STEP_CODES = GROUPS * ROWS * 4, UNPACKED_STEPS = 8 };

/* [step][group of 4 activations][eighth][32 bytes] */
struct unpacked {
    _Alignas(32) uint8_t codes[UNPACKED_STEPS * STEP_CODES];
};

AVX2_TEMPLATE void unpack_steps(const uint8_t *cell, int steps, const int width, uint8_t *codes)
{
    for (int s = 0; s < steps; s++, cell += cell_bytes(width), codes += STEP_CODES) {
        AVX2_UNROLL
        for (int g = 0; g < GROUPS; g++)
            for (int e = 0; e < EIGHTHS; e++)
                avx2_store(codes + (g * EIGHTHS + e) * 32, code(cell, g, e, width));
    }
}

/* The cells of the next steps are wanted when all panels are done with these: every panel fetches its
 * part of them, for all at once would wait for each other. */
struct ahead {
    const char *at, *end;
    size_t part;
};

AVX2_TEMPLATE struct ahead ahead_of(const uint8_t *cells, const int width, int panels)
{
    const size_t bytes = UNPACKED_STEPS * cell_bytes(width);
    const char *next = (const char *)cells + bytes;

    return (struct ahead){next, next + bytes, bytes / (size_t)panels + 64};
}

AVX2_TEMPLATE void ahead_prefetch_part(struct ahead *ahead)
{
    const char *end = ahead->at + ahead->part < ahead->end ? ahead->at + ahead->part : ahead->end;

    for (; ahead->at < end; ahead->at += 64)
        _mm_prefetch(ahead->at, _MM_HINT_T1);
}

#endif
