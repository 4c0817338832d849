/* SPDX-License-Identifier: MIT
 * The ways into ggml, in the order in which they are tried.
 *
 *   extra     a buffer type of the CPU backend's own, as its repacked weights are. One graph, ggml's
 *             threads, ggml's barrier.
 *   hook      where ggml does not let one be added: the CPU device's calls are wrapped, and our
 *             multiplications run as custom operations on ggml's threads.
 *   device    a device beside the CPU, which owns the weights' buffer type and computes in the
 *             host's OpenMP threads. (On demand also in one thread, elsewhere.)
 *   isolated  the same, but that all its tensors lie in buffers of ours: what ggml's own
 *             test-backend-ops tests. Slower, since activations are copied. Only on demand. */
#ifndef TMAC_GGML_WAYS_H
#define TMAC_GGML_WAYS_H

#include "ggml-backend-impl.h"

namespace plugin
{

/* Each takes the way, and proves that results are right. Null, or what stands against it; then nothing
 * of the host is changed. */
const char *enter_extra();
const char *enter_hook();
const char *enter_device(bool asked_for, bool isolated); /* asked_for: even with one thread */

/* The registry that ggml gets: without devices, but for the ways that have one. */
extern ggml_backend_reg registry;

/* Operations that compute nothing. */
bool is_view(const ggml_tensor *op);

/* Does an operation have an operand of ours in a buffer without room? Then a host only asks what
 * would be supported, to decide where to place a tensor. */
bool is_question(const ggml_tensor *op);

/* Operations on packed weights other than our multiplications: has one, and gives it plain copies. */
bool has_packed_operand(const ggml_tensor *op);
void use_plain_operands(ggml_tensor *op);

/* Multiplies small matrices of ours through the CPU backend, and compares with sums made here. Null,
 * or what is wrong. */
const char *prove();

} // namespace plugin

#endif
