/* SPDX-License-Identifier: MIT */
#include "work.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "host.h"

namespace plugin {

/* Four pieces a thread, so that a slow one can be helped out, unless they get so small (some 20 us)
 * that taking them costs. */
row_pieces::row_pieces(const crew &crew, const packed_tensor &weights, int64_t rows, int64_t work)
    : rows(rows)
{
    constexpr int64_t worthwhile = 1 << 19;
    const int64_t unit = weights.row_step(), most = crew.size == 1 ? 1 : int64_t{4} * crew.size;
    const int64_t wanted = std::clamp<int64_t>(rows * work / worthwhile, crew.size, most);

    step = (rows + wanted * unit - 1) / (wanted * unit) * unit;
    count = (rows + step - 1) / step;
}

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

size_t tables_bytes(const packed_tensor &weights, int64_t cols, int64_t batch)
{
    size_t bytes = 0;

    tmac_tables_size(weights.table_layout(), cols, batch, &bytes);
    return bytes;
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
