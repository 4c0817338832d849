// SPDX-License-Identifier: MIT
//
// libtmac's handles as C++ owns things: freed by themselves, errors thrown.
#ifndef TMAC_BENCH_LIBRARY_H
#define TMAC_BENCH_LIBRARY_H

#include "source.h"

#include <memory>

void check(tmac_status status, const std::string &what);

struct WeightsFree {
    void operator()(tmac_weights *weights) const
    {
        tmac_weights_free(weights);
    }
};
using Weights = std::unique_ptr<tmac_weights, WeightsFree>;

struct TablesFree {
    void operator()(tmac_tables *tables) const
    {
        tmac_tables_free(tables);
    }
};
using Tables = std::unique_ptr<tmac_tables, TablesFree>;

Weights pack(const tmac_context *context, const Source &source);
// The same packed bytes as weights of another context; `weights` must live on.
Weights attach(const tmac_context *context, const tmac_weights *weights);
tmac_weights_info query(const tmac_weights *weights);
tmac_activations batch_of(const std::vector<float> &x, int64_t cols);
Tables tables_for(const tmac_context *context, const tmac_weights *weights, int64_t batch);

#endif
