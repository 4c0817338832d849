/* SPDX-License-Identifier: MIT
 * The way by a device of our own beside the CPU. It touches nothing of the host's, but every
 * multiplication is a graph of its own then, and the host's threads wait while it is computed: so only
 * with OpenMP, whose threads are the same ones, or with one thread. */
#include "ways.h"

#include <cstring>
#include <memory>
#include <new>

#include "buffer.h"
#include "host.h"
#include "multiply.h"
#include "runner.h"

namespace plugin
{
namespace
{

/* Hosts place weights by the first device's buffer type. Backends say they are of the second, whose
 * buffer type is the CPU's: so activations are where the CPU has them, and are not copied. */
ggml_backend_device weights_device, compute_device;
bool isolated;

struct state {
    runner with;
    int threads = 1;
};

struct job {
    runner *with;
    ggml_cgraph *graph;
};

bool is_ours(const ggml_tensor *op)
{
    return is_multiplication_of_packed(op) && (op->flags & GGML_TENSOR_FLAG_COMPUTE);
}

/* One thread's part of a whole graph. */
void run_graph(const job &j, int index, int threads)
{
    for (int i = 0; i < ggml.graph_n_nodes(j.graph); i++) {
        const ggml_tensor *op = ggml.graph_node(j.graph, i);
        if (!is_ours(op))
            continue;
        j.with->run(op, index, threads);
        j.with->wait_for_all(threads);
    }
}

/* OpenMP may give fewer threads than were asked for: nobody may wait for the others. */
void omp_task(void *arg)
{
    run_graph(*static_cast<const job *>(arg), ggml.omp_thread(), ggml.omp_threads());
}

ggml_status graph_compute(ggml_backend_t backend, ggml_cgraph *graph)
{
    state &s = *static_cast<state *>(backend->context);
    job j = {&s.with, graph};

    for (int i = 0; i < ggml.graph_n_nodes(graph); i++)
        if (is_ours(ggml.graph_node(graph, i)) && !s.with.reserve(ggml.graph_node(graph, i)))
            return GGML_STATUS_ALLOC_FAILED;
    if (s.threads > 1)
        ggml.omp_parallel(omp_task, &j, static_cast<unsigned>(s.threads), 0);
    else
        run_graph(j, 0, 1);
    return GGML_STATUS_SUCCESS;
}

const char *get_name(ggml_backend_t)
{
    return "TMAC";
}

void free_backend(ggml_backend_t backend)
{
    delete static_cast<state *>(backend->context);
    delete backend;
}

ggml_guid_t guid()
{
    static ggml_guid bytes = {'l', 'i', 'b', 't', 'm', 'a', 'c', 0, 'g', 'g', 'm', 'l', 0, 0, 0, 1};
    return &bytes;
}

ggml_backend_t init_backend(ggml_backend_dev_t, const char *)
{
    std::unique_ptr<state> s(new (std::nothrow) state);
    std::unique_ptr<ggml_backend> backend(new (std::nothrow) ggml_backend());

    if (!s || !backend)
        return nullptr;
    backend->guid = guid();
    backend->iface.get_name = get_name;
    backend->iface.free = free_backend;
    backend->iface.graph_compute = graph_compute;
    backend->device = isolated ? &weights_device : &compute_device;
    backend->context = s.release();
    return backend.release();
}

bool has_openmp()
{
    return ggml.omp_parallel && ggml.omp_thread && ggml.omp_threads && host_uses_openmp();
}

/* Only OpenMP's threads are ours to use. */
void set_threads(ggml_backend_t backend, int threads)
{
    static_cast<state *>(backend->context)->threads = has_openmp() && threads > 0 ? threads : 1;
}

const char *device_name(ggml_backend_dev_t)
{
    return "TMAC";
}

const char *device_description(ggml_backend_dev_t)
{
    return "libtmac";
}

/* The CPU's memory, which the CPU device counts. */
void device_memory(ggml_backend_dev_t, size_t *free, size_t *total)
{
    *free = *total = 0;
}

enum ggml_backend_dev_type device_type(ggml_backend_dev_t)
{
    return GGML_BACKEND_DEVICE_TYPE_ACCEL;
}

void device_props(ggml_backend_dev_t, ggml_backend_dev_props *props)
{
    *props = {};
    props->name = "TMAC";
    props->description = "libtmac";
    props->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
}

ggml_backend_buffer_type_t device_buffer_type(ggml_backend_dev_t device)
{
    return device == &weights_device ? &buffer_type : ggml.cpu_buffer_type();
}

bool supports_op(ggml_backend_dev_t, const ggml_tensor *op)
{
    const ggml_tensor *w = op->src[0];

    if (is_view(op))
        return true;
    /* Isolated tensors without a buffer would get one of ours. */
    return w && (is_our_buffer(w->buffer) || (isolated && !w->buffer)) && is_multiplication(op);
}

bool supports_buffer_type(ggml_backend_dev_t, ggml_backend_buffer_type_t type)
{
    return type == &buffer_type || (!isolated && ggml.buft_is_host(type));
}

void *proc_address(ggml_backend_reg_t, const char *name)
{
    return strcmp(name, "ggml_backend_set_n_threads") ? nullptr
                                                      : reinterpret_cast<void *>(set_threads);
}

size_t device_count(ggml_backend_reg_t)
{
    return 1;
}

ggml_backend_dev_t get_device(ggml_backend_reg_t, size_t)
{
    return &weights_device;
}

} // namespace

const char *enter_device(bool asked_for, bool is_isolated)
{
    ggml_backend_device_i calls = {};

    if (!asked_for && !has_openmp())
        return "a device of its own would have one thread";
    isolated = is_isolated;
    calls.get_name = device_name;
    calls.get_description = device_description;
    calls.get_memory = device_memory;
    calls.get_type = device_type;
    calls.get_props = device_props;
    calls.init_backend = init_backend;
    calls.get_buffer_type = device_buffer_type;
    calls.supports_op = supports_op;
    calls.supports_buft = supports_buffer_type;
    weights_device = {calls, &registry, nullptr};
    compute_device = weights_device;
    buffer_type.device = &weights_device;
    registry.iface.get_device_count = device_count;
    registry.iface.get_device = get_device;
    registry.iface.get_proc_address = proc_address;
    return nullptr;
}

} // namespace plugin
