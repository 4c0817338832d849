/* SPDX-License-Identifier: MIT
 * How a multiplication is cut into blocks, and what they may take of the stack. */
#ifndef TMAC_BLOCKING_H
#define TMAC_BLOCKING_H

#include "layouts/shape.h"

/* How a multiplication walks, where that was measured: see choose_blocking in multiply.c. */
struct tmac_blocking {
    int batch; /* many inputs are cut into so many, a multiple of 8; 0: the library's own choice
                  of these three */
    int tiles; /* whose sums are kept aside */
    int steps; /* in a chunk; a multiple of 8, so that chunks start at super-groups of 256 */
};

/* On the stack: floats of sums that are kept aside, and of the scales of a chunk. One panel (gemv) has few
 * sums, and takes longer chunks. */
enum {
    TMAC_GEMM_ASIDE = 8192, /* 512 rows x 16 inputs, 2 tiles x 32 rows x 128 inputs */
    TMAC_GEMM_GROUPS = 16,  /* of scales in a chunk: 8 steps with groups of 16 */
    TMAC_GEMM_SCALES = TMAC_GEMM_GROUPS * TMAC_MAX_TILE_ROWS,
    TMAC_GEMV_ASIDE = TMAC_MAX_PANEL * TMAC_MAX_TILE_ROWS,
    TMAC_GEMV_GROUPS = 32,
    TMAC_GEMV_SCALES = TMAC_GEMV_GROUPS * TMAC_MAX_TILE_ROWS,
    TMAC_MULTIPLY_ROOM = TMAC_GEMM_ASIDE + 2 * TMAC_GEMM_SCALES
};
_Static_assert(TMAC_GEMV_ASIDE + 2 * TMAC_GEMV_SCALES <= TMAC_MULTIPLY_ROOM,
               "the room of a gemm does for a gemv");

/* Whether the multiplication has room for it. */
static inline bool tmac_blocking_fits(const struct tmac_blocking *blocking,
                                      const struct tmac_shape *shape)
{
    const int64_t floats = (int64_t)blocking->batch * blocking->tiles * shape->tile_rows;

    return blocking->batch > 0 && blocking->batch % TMAC_MAX_PANEL == 0 &&
           blocking->batch <= TMAC_GEMM_ASIDE && blocking->tiles > 0 &&
           blocking->tiles <= TMAC_GEMM_ASIDE && floats <= TMAC_GEMM_ASIDE && blocking->steps > 0 &&
           blocking->steps % 8 == 0 &&
           (shape->spec.whole_row ||
            blocking->steps <= TMAC_GEMM_GROUPS * shape->spec.group / TMAC_STEP_K);
}

#endif
