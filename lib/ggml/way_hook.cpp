/* SPDX-License-Identifier: MIT
 * The way by wrapping the CPU device's calls. While a graph is computed, our multiplications in it are
 * custom operations, which call back from ggml's threads; afterwards it is as it was. */
#include "ways.h"

#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "buffer.h"
#include "host.h"
#include "multiply.h"
#include "runner.h"

namespace plugin
{
namespace
{

/* As ggml lays out the op_params of GGML_OP_CUSTOM (ggml-impl.h). */
struct custom_params {
    ggml_custom_op_t function;
    int tasks;
    void *arg;
};

/* One multiplication while it is a custom operation. */
struct rewritten {
    ggml_tensor *op;
    runner *with;
    ggml_op kind;
    int32_t params[GGML_MAX_OP_PARAMS / sizeof(int32_t)];
};

struct state {
    runner with;
    std::vector<rewritten> operations;
    decltype(ggml_backend_i::graph_compute) graph_compute;
    decltype(ggml_backend_i::free) free;
};

ggml_backend_device_i device; /* the host's own calls */
ggml_backend_reg_i host_registry;
std::vector<ggml_backend_buffer_type_t> buffer_types;

/* States by backend: a backend has no place of its own for ours. */
std::mutex states_lock;
std::unordered_map<ggml_backend_t, std::unique_ptr<state>> states;

state *state_of(ggml_backend_t backend)
{
    const std::lock_guard<std::mutex> guard(states_lock);

    return states.at(backend).get();
}

void run_custom(ggml_tensor *op, int index, int size, void *arg)
{
    const rewritten *operation = static_cast<rewritten *>(arg);

    /* The multiplication that it was, for the code that reads it: a copy for this thread. */
    ggml_tensor original = *op;
    original.op = operation->kind;
    operation->with->run(&original, index, size);
}

bool rewrite(state &s, ggml_cgraph *graph)
{
    s.operations.clear();
    for (int i = 0; i < ggml.graph_n_nodes(graph); i++) {
        ggml_tensor *op = ggml.graph_node(graph, i);
        if (!(op->flags & GGML_TENSOR_FLAG_COMPUTE))
            continue;
        if (!is_multiplication_of_packed(op)) {
            if (has_packed_operand(op))
                use_plain_operands(op);
            continue;
        }
        rewritten operation = {op, &s.with, op->op, {}};
        memcpy(operation.params, op->op_params, sizeof operation.params);
        if (!s.with.reserve(op))
            return false;
        s.operations.push_back(operation);
    }
    for (rewritten &operation : s.operations) { /* their addresses are final now */
        const custom_params params = {run_custom, GGML_N_TASKS_MAX, &operation};
        memcpy(operation.op->op_params, &params, sizeof params);
        operation.op->op = GGML_OP_CUSTOM;
    }
    return true;
}

ggml_status graph_compute(ggml_backend_t backend, ggml_cgraph *graph)
{
    state &s = *state_of(backend);
    ggml_status status;

    try {
        if (!rewrite(s, graph))
            return GGML_STATUS_ALLOC_FAILED;
    } catch (const std::bad_alloc &) {
        return GGML_STATUS_ALLOC_FAILED;
    }
    status = s.graph_compute(backend, graph);
    for (const rewritten &operation : s.operations) {
        operation.op->op = operation.kind;
        memcpy(operation.op->op_params, operation.params, sizeof operation.params);
    }
    return status;
}

void free_backend(ggml_backend_t backend)
{
    const auto free = state_of(backend)->free;
    {
        const std::lock_guard<std::mutex> guard(states_lock);
        states.erase(backend);
    }
    free(backend);
}

ggml_backend_t init_backend(ggml_backend_dev_t dev, const char *params)
{
    ggml_backend_t backend = device.init_backend(dev, params);

    if (!backend)
        return nullptr;
    try {
        std::unique_ptr<state> s(new state);
        s->graph_compute = backend->iface.graph_compute;
        s->free = backend->iface.free;
        const std::lock_guard<std::mutex> guard(states_lock);
        states[backend] = std::move(s);
    } catch (const std::bad_alloc &) {
        backend->iface.free(backend);
        return nullptr;
    }
    backend->iface.graph_compute = graph_compute;
    backend->iface.free = free_backend;
    /* Nothing uses plans; a plan would compute our operations without us. */
    backend->iface.graph_plan_create = nullptr;
    return backend;
}

bool supports_op(ggml_backend_dev_t dev, const ggml_tensor *op)
{
    for (const ggml_tensor *src : op->src)
        if (src && is_our_buffer(src->view_src ? src->view_src->buffer : src->buffer))
            return (src == op->src[0] && is_multiplication(op)) || !is_question(op);
    return device.supports_op(dev, op);
}

bool supports_buffer_type(ggml_backend_dev_t dev, ggml_backend_buffer_type_t type)
{
    return type == &buffer_type || device.supports_buft(dev, type);
}

ggml_backend_buffer_type_t *list_buffer_types(ggml_backend_dev_t)
{
    return buffer_types.data();
}

void *proc_address(ggml_backend_reg_t reg, const char *name)
{
    if (!strcmp(name, "ggml_backend_dev_get_extra_bufts"))
        return reinterpret_cast<void *>(list_buffer_types);
    return host_registry.get_proc_address(reg, name);
}

/* Ours first, so that hosts prefer it. */
void make_list()
{
    buffer_types.assign(1, &buffer_type);
    for (ggml_backend_buffer_type_t *type = listed_buffer_types(); type && *type; type++)
        buffer_types.push_back(*type);
    buffer_types.push_back(nullptr);
}

} // namespace

const char *enter_hook()
{
    const char *wrong;

    device = ggml.cpu->iface;
    host_registry = ggml.cpu->reg->iface;
    try {
        make_list();
    } catch (const std::bad_alloc &) {
        return "no memory";
    }
    buffer_type.device = ggml.cpu;
    ggml.cpu->iface.supports_op = supports_op;
    ggml.cpu->iface.supports_buft = supports_buffer_type;
    ggml.cpu->iface.init_backend = init_backend;
    ggml.cpu->reg->iface.get_proc_address = proc_address;
    wrong = prove();
    if (wrong) {
        ggml.cpu->iface = device;
        ggml.cpu->reg->iface = host_registry;
    }
    return wrong;
}

} // namespace plugin
