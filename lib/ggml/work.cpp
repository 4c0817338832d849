/* SPDX-License-Identifier: MIT */
#include "work.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "host.h"

namespace plugin
{

static tmac_activation_type activation_type(ggml_type type)
{
    if (type == GGML_TYPE_F16)
        return TMAC_ACTIVATION_F16;
    return type == GGML_TYPE_BF16 ? TMAC_ACTIVATION_BF16 : TMAC_ACTIVATION_F32;
}

tmac_activations activations(ggml_type type, int64_t cols, int64_t batch, const void *data,
                             size_t stride_bytes)
{
    tmac_activations x = {};

    x.struct_size = sizeof x;
    x.type = activation_type(type);
    x.cols = cols;
    x.batch = batch;
    x.data = data;
    x.stride = static_cast<int64_t>(stride_bytes / element_size(type));
    return x;
}

bool is_readable(const ggml_tensor *x)
{
    const size_t size = element_size(x->type);

    return x->nb[0] == size && reinterpret_cast<uintptr_t>(x->data) % size == 0 &&
           x->nb[1] % size == 0 && x->nb[2] % size == 0 && x->nb[3] % size == 0 &&
           x->nb[1] >= size * static_cast<size_t>(x->ne[0]);
}

size_t workspace_bytes(const tmac_multiply_args &args)
{
    constexpr int32_t any = 1024; /* threads; fewer never need more */
    tmac_multiply_args asked = args;
    tmac_team team = {};
    size_t bytes = 0;

    team.struct_size = sizeof team;
    team.count = any;
    asked.team = &team;
    check(tmac_multiply_workspace(engine(), &asked, &bytes), nullptr, 0);
    return bytes;
}

void multiply_together(const crew &crew, tmac_multiply_args &args, int64_t outputs, int64_t rows)
{
    tmac_team team = {};

    team.struct_size = sizeof team;
    team.index = crew.index;
    team.count = crew.size;
    team.barrier = crew.wait;
    team.barrier_host = crew.wait_arg;
    args.team = &team;
    const tmac_status status = tmac_multiply(engine(), &args);
    if (status != TMAC_OK && crew.index == 0)
        for (int64_t n = 0; n < outputs; n++)
            check(status, static_cast<float *>(args.y) + n * args.stride, rows);
}

void gather_input(const ggml_tensor *x, const char *input, char *out)
{
    const size_t size = element_size(x->type), cols = static_cast<size_t>(x->ne[0]);

    if (x->nb[0] == size)
        memcpy(out, input, cols * size);
    else
        for (size_t k = 0; k < cols; k++)
            memcpy(out + k * size, input + k * x->nb[0], size);
}

void check(tmac_status status, float *y, int64_t rows)
{
    static std::atomic<bool> said{false};

    if (status == TMAC_OK)
        return;
    if (!said.exchange(true))
        log(GGML_LOG_LEVEL_ERROR, "a multiplication failed: %s", tmac_status_text(status));
    std::fill(y, y + rows, NAN);
}

} // namespace plugin
