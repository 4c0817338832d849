/* SPDX-License-Identifier: MIT
 * Threads for packing while a model is loaded, when the host's own are not at work yet. They live for
 * one tensor: the host's threads never meet any of ours. */
#ifndef TMAC_GGML_PARALLEL_H
#define TMAC_GGML_PARALLEL_H

#include <cstddef>
#include <functional>

#include "tmac.h"

namespace plugin
{

/* Calls task(begin, end) for parts of [0, count), on up to `useful` threads; TMAC_OK or what the
 * first part that failed returned. */
tmac_status parallel(size_t count, size_t useful,
                     const std::function<tmac_status(size_t begin, size_t end)> &task);

} // namespace plugin

#endif
