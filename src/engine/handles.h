/* SPDX-License-Identifier: MIT
 * What stands behind the handles tmac_weights and tmac_tables; tmac_context is in context.h. */
#ifndef TMAC_HANDLES_H
#define TMAC_HANDLES_H

#include "engine/choose.h"

struct tmac_weights {
    const struct tmac_context *context;
    struct tmac_shape shape;
    struct tmac_choice kernels;
    struct tmac_blocking blocking;
    const void *packed;
    void *owned; /* packed, where the context's allocator gave it; NULL where it is the caller's */
};

struct tmac_tables {
    const struct tmac_context *context;
    uint32_t layout;
    int64_t cols;
    int64_t max_batch;
    int64_t batch; /* built; -1: none */
    size_t bytes;
    uint8_t *memory;
};

#endif
