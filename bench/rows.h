// SPDX-License-Identifier: MIT
//
// The rows: which measurements there are, and their names.
#ifndef TMAC_BENCH_ROWS_H
#define TMAC_BENCH_ROWS_H

#include "measure.h"
#include "peer.h"

#include <memory>

// Thread counts, shapes and numbers of inputs of all multiplications, libtmac's and the peer's.
const std::vector<int> &thread_counts();
std::vector<Shape> shapes_of(const Format &format); // those with whole groups, or blocks
const std::vector<int64_t> &input_counts();
// A matrix of about 16 KB with so many rows.
Shape l1_shape(const Format &format, int64_t rows);

// An instruction set and family of libtmac: "x86-avx2", TMAC_FAMILY_AUTO.
struct Engine {
    std::string isa;
    tmac_family family;
    tmac_mode mode;
    bool best;                                  // the best instruction set of this machine
    std::vector<const tmac_context *> contexts; // one for each of thread_counts()
};

// From scalar up; then the best with either family forced; then the other modes.
const std::vector<Engine> &all_engines();

struct PeerCloser {
    void operator()(peer *p) const
    {
        peer_close(p);
    }
};
using Peer = std::unique_ptr<peer, PeerCloser>;

// gemv/ gemm/ pack/ l1/ and tables/ of one format.
void add_tmac_rows(const Format &format);
// peer/<variant>/gemv/ and gemm/ of one format, where llama.cpp has it.
void add_peer_rows(peer *p, const Format &format);
// baseline/<loops>/gemv/, gemm/ and l1/ of one format, where there are loops for it.
void add_baseline_rows(const Format &format);
// roof/read/<bytes>, roof/dot and roof/lookup.
void add_roof_rows();

// Frees the weights that the last row left for the next.
void forget_tmac_weights();
void forget_peer_matrix();
void forget_baseline_matrix();

#endif
