/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>

namespace plugin
{

host ggml;

void log(ggml_log_level level, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (ggml.log)
        ggml.log(level, "tmac: %s\n", text);
    else
        fprintf(stderr, "tmac: %s\n", text);
}

namespace
{

/* The library that an address lies in, or what the program itself offers. */
void *library_of(const void *address)
{
    Dl_info info;
    void *library = nullptr;

    if (dladdr(address, &info) && info.dli_fname)
        library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    return library ? library : dlopen(nullptr, RTLD_LAZY);
}

/* Looks symbols up in one library and those it needs; remembers the first that is missing. */
struct finder {
    void *library;
    const char *missing;

    template <typename function>
    void operator()(function &out, const char *name)
    {
        out = reinterpret_cast<function>(dlsym(library, name));
        if (!out && !missing)
            missing = name;
    }
};

bool find_base(const void *caller, const char **missing)
{
    finder find = {library_of(caller), nullptr};

    find(ggml.log, "ggml_log_internal");
    find(ggml.version, "ggml_version");
    find(ggml.type_name, "ggml_type_name");
    find(ggml.type_size, "ggml_type_size");
    find(ggml.block_size, "ggml_blck_size");
    find(ggml.row_size, "ggml_row_size");
    find(ggml.nbytes, "ggml_nbytes");
    find(ggml.op_name, "ggml_op_name");
    find(ggml.is_contiguous, "ggml_is_contiguous");
    find(ggml.tensor_overhead, "ggml_tensor_overhead");
    find(ggml.graph_overhead, "ggml_graph_overhead");
    find(ggml.init, "ggml_init");
    find(ggml.free, "ggml_free");
    find(ggml.new_tensor, "ggml_new_tensor");
    find(ggml.mul_mat, "ggml_mul_mat");
    find(ggml.mul_mat_id, "ggml_mul_mat_id");
    find(ggml.new_graph, "ggml_new_graph");
    find(ggml.build_forward_expand, "ggml_build_forward_expand");
    find(ggml.graph_n_nodes, "ggml_graph_n_nodes");
    find(ggml.graph_node, "ggml_graph_node");
    find(ggml.buffer_init, "ggml_backend_buffer_init");
    find(ggml.buffer_free, "ggml_backend_buffer_free");
    find(ggml.cpu_buffer_type, "ggml_backend_cpu_buffer_type");
    find(ggml.buft_is_host, "ggml_backend_buft_is_host");
    find(ggml.alloc_tensors, "ggml_backend_alloc_ctx_tensors_from_buft");
    find(ggml.tensor_set, "ggml_backend_tensor_set");
    find(ggml.tensor_get, "ggml_backend_tensor_get");
    find(ggml.graph_compute, "ggml_backend_graph_compute");
    find(ggml.backend_free, "ggml_backend_free");
    find(ggml.dev_by_type, "ggml_backend_dev_by_type");
    find(ggml.reg_by_name, "ggml_backend_reg_by_name");
    *missing = find.missing;
    return !find.missing;
}

bool find_cpu(const char **missing)
{
    ggml.cpu = ggml.dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (!ggml.cpu || !ggml.cpu->reg || !ggml.cpu->reg->iface.get_proc_address) {
        *missing = "the CPU backend (it must be loaded first)";
        return false;
    }
    finder find = {library_of(reinterpret_cast<void *>(ggml.cpu->reg->iface.get_proc_address)),
                   nullptr};
    /* These may be missing: other ways in need less. */
    find(ggml.barrier, "ggml_barrier");
    find(ggml.extra_buffer_types, "_Z39ggml_backend_cpu_get_extra_buffer_typesv");
    find(ggml.omp_parallel, "GOMP_parallel");
    find(ggml.omp_thread, "omp_get_thread_num");
    find(ggml.omp_threads, "omp_get_num_threads");
    find.missing = nullptr;
    ggml.set_threads =
        reinterpret_cast<decltype(ggml.set_threads)>(cpu_function("ggml_backend_set_n_threads"));
    *missing = "ggml_backend_set_n_threads";
    return ggml.set_threads != nullptr;
}

} // namespace

bool find_host(const void *caller, const char **missing)
{
    return find_base(caller, missing) && find_cpu(missing);
}

bool is_same_host(const void *caller)
{
    return dlsym(library_of(caller), "ggml_version") == reinterpret_cast<void *>(ggml.version);
}

void *cpu_function(const char *name)
{
    return ggml.cpu->reg->iface.get_proc_address(ggml.cpu->reg, name);
}

ggml_backend_buffer_type_t *listed_buffer_types()
{
    const auto list = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
        cpu_function("ggml_backend_dev_get_extra_bufts"));

    return list ? list(ggml.cpu) : nullptr;
}

bool host_uses_openmp()
{
    const auto features =
        reinterpret_cast<ggml_backend_get_features_t>(cpu_function("ggml_backend_get_features"));

    if (features)
        for (const ggml_backend_feature *f = features(ggml.cpu->reg); f->name; f++)
            if (!strcmp(f->name, "OPENMP"))
                return true;
    return false;
}

} // namespace plugin
