/* SPDX-License-Identifier: MIT
 * Shared by the files of the C API: the checks of structs that carry their size. */
#ifndef TMAC_LIB_CHECK_H
#define TMAC_LIB_CHECK_H

#include "engine/handles.h"
#include "engine/inputs.h"
#include "layouts/packed.h"
#include "tmac.h"

#include <string.h>

enum { TMAC_MAX_THREADS = 1024 }; /* of a context, and of a team */

/* Copies a caller's struct of `given` bytes, which may come from an older or newer header, into one
 * of `size` bytes: what an older caller does not know is zero, what a newer one knows must be. */
static inline tmac_status tmac_struct_read(void *to, size_t size, size_t oldest, const void *from)
{
    size_t given;

    if (!from)
        return TMAC_ERROR_NULL;
    memcpy(&given, from, sizeof given);
    if (given < oldest || given > 4096)
        return TMAC_ERROR_STRUCT_SIZE;
    for (size_t i = size; i < given; i++)
        if (((const uint8_t *)from)[i] != 0)
            return TMAC_ERROR_STRUCT_SIZE;
    memset(to, 0, size);
    memcpy(to, from, given < size ? given : size);
    memcpy(to, &size, sizeof size);
    return TMAC_OK;
}

/* Writes a struct out to a caller's, as much of it as the caller knows; struct_size stays. */
static inline tmac_status tmac_struct_write(void *to, const void *from, size_t size, size_t oldest)
{
    size_t given;

    if (!to)
        return TMAC_ERROR_NULL;
    memcpy(&given, to, sizeof given);
    if (given < oldest || given > 4096)
        return TMAC_ERROR_STRUCT_SIZE;
    memcpy((uint8_t *)to + sizeof given, (const uint8_t *)from + sizeof given,
           (given < size ? given : size) - sizeof given);
    return TMAC_OK;
}

static inline bool tmac_is_aligned(const void *memory, size_t align)
{
    return (uintptr_t)memory % align == 0;
}

/* Reads and checks a description, and works out how this context would pack it. */
tmac_status tmac_plan(const tmac_context *context, const tmac_weights_desc *given, bool with_data,
                      tmac_weights_desc *desc, struct tmac_source *source,
                      struct tmac_shape *shape);

#endif
