// SPDX-License-Identifier: MIT
#include "library.h"

#include <stdexcept>

void check(tmac_status status, const std::string &what)
{
    if (status != TMAC_OK)
        throw std::runtime_error(what + ": " + tmac_status_text(status));
}

Weights pack(const tmac_context *context, const Source &source)
{
    tmac_weights *weights = nullptr;
    check(tmac_weights_pack(context, &source.desc, &weights), "packing");
    return Weights(weights);
}

tmac_weights_info query(const tmac_weights *weights)
{
    tmac_weights_info info = {};
    info.struct_size = sizeof info;
    check(tmac_weights_query(weights, &info), "query");
    return info;
}

Weights attach(const tmac_context *context, const tmac_weights *weights)
{
    const tmac_weights_info info = query(weights);
    tmac_weights *attached = nullptr;
    check(tmac_weights_attach(context, info.packed, info.packed_bytes, TMAC_ATTACH_NO_CHECKSUM,
                              &attached),
          "attaching");
    return Weights(attached);
}

tmac_activations batch_of(const std::vector<float> &x, int64_t cols)
{
    tmac_activations activations = {};
    activations.struct_size = sizeof activations;
    activations.type = TMAC_ACTIVATION_F32;
    activations.cols = cols;
    activations.batch = static_cast<int64_t>(x.size()) / cols;
    activations.data = x.data();
    return activations;
}

Tables tables_for(const tmac_context *context, const tmac_weights *weights, int64_t batch)
{
    tmac_tables *tables = nullptr;
    check(tmac_tables_create(context, weights, batch, &tables), "tables");
    return Tables(tables);
}
