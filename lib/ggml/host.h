/* SPDX-License-Identifier: MIT
 * The ggml that loaded this plug-in. No symbol of it is linked: one file is to work with every build
 * of ggml, also where ggml's libraries were loaded privately (RTLD_LOCAL), so all are looked up in
 * the libraries that the caller and the CPU backend lie in. */
#ifndef TMAC_GGML_HOST_H
#define TMAC_GGML_HOST_H

#include <cstdint>
#include <vector>

#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

extern "C" void ggml_log_internal(enum ggml_log_level level, const char *format, ...);

struct ggml_threadpool;

namespace plugin
{

struct host {
    /* libggml-base */
    decltype(&ggml_version) version;
    decltype(&ggml_log_internal) log;
    decltype(&ggml_type_name) type_name;
    decltype(&ggml_type_size) type_size;
    decltype(&ggml_blck_size) block_size;
    decltype(&ggml_row_size) row_size;
    decltype(&ggml_nbytes) nbytes;
    decltype(&ggml_op_name) op_name;
    decltype(&ggml_is_contiguous) is_contiguous;
    decltype(&ggml_tensor_overhead) tensor_overhead;
    decltype(&ggml_graph_overhead) graph_overhead;
    decltype(&ggml_init) init;
    decltype(&ggml_free) free;
    decltype(&ggml_new_tensor) new_tensor;
    decltype(&ggml_mul_mat) mul_mat;
    decltype(&ggml_mul_mat_id) mul_mat_id;
    decltype(&ggml_new_graph) new_graph;
    decltype(&ggml_build_forward_expand) build_forward_expand;
    decltype(&ggml_graph_n_nodes) graph_n_nodes;
    decltype(&ggml_graph_node) graph_node;
    decltype(&ggml_backend_buffer_init) buffer_init;
    decltype(&ggml_backend_buffer_free) buffer_free;
    decltype(&ggml_backend_cpu_buffer_type) cpu_buffer_type;
    decltype(&ggml_backend_buft_is_host) buft_is_host;
    decltype(&ggml_backend_alloc_ctx_tensors_from_buft) alloc_tensors;
    decltype(&ggml_backend_tensor_set) tensor_set;
    decltype(&ggml_backend_tensor_get) tensor_get;
    decltype(&ggml_backend_graph_compute) graph_compute;
    decltype(&ggml_backend_free) backend_free;
    /* libggml */
    decltype(&ggml_backend_dev_by_type) dev_by_type;
    decltype(&ggml_backend_reg_by_name) reg_by_name;
    /* the CPU backend; the last two are null where it does not export them */
    ggml_backend_dev_t cpu;
    void (*set_threads)(ggml_backend_t backend, int threads);
    void (*barrier)(struct ggml_threadpool *);
    std::vector<ggml_backend_buffer_type_t> &(*extra_buffer_types)();
    /* OpenMP of the host, or null where it uses threads of its own */
    void (*omp_parallel)(void (*task)(void *), void *arg, unsigned threads, unsigned flags);
    int (*omp_thread)();
    int (*omp_threads)();
};

/* Set once, by find_host. */
extern host ggml;

/* Looks everything up. `caller` is an address in the code that called ggml_backend_init. On failure
 * says what is missing. */
bool find_host(const void *caller, const char **missing);

/* Does the host lay out and number things as the headers did that this was built with? On failure
 * says what differs. */
bool check_host(const char **difference);

/* Was `caller` the code that find_host found its ggml by? */
bool is_same_host(const void *caller);

/* A function of the CPU backend by name, as ggml_backend_reg_get_proc_address. */
void *cpu_function(const char *name);

/* The CPU backend's own buffer types as hosts see them, up to a null; or null. The CPU backend makes
 * that list when it is first asked for. */
ggml_backend_buffer_type_t *listed_buffer_types();

/* Whether the CPU backend runs its threads by OpenMP. */
bool host_uses_openmp();

/* To the host's log, after "tmac: ". Works (on stderr) before a host was found. */
__attribute__((format(printf, 2, 3))) void log(ggml_log_level level, const char *format, ...);

} // namespace plugin

#endif
