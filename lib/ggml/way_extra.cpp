/* SPDX-License-Identifier: MIT
 * The way by an extra buffer type of the CPU backend. */
#include "ways.h"

#include <algorithm>
#include <new>

#include "ggml-cpu/traits.h"

#include "buffer.h"
#include "host.h"
#include "multiply.h"

/* The base classes' destructors, and so their tables of virtual functions, come from here: that they
 * be ggml's own is not needed, only that they look the same. Weak, for programs that have both linked
 * in. */
namespace ggml::cpu
{
__attribute__((weak)) tensor_traits::~tensor_traits()
{
}
__attribute__((weak)) extra_buffer_type::~extra_buffer_type()
{
}
} // namespace ggml::cpu

namespace plugin
{
namespace
{

void wait(void *threads)
{
    ggml.barrier(static_cast<ggml_threadpool *>(threads));
}

/* Our multiplications. */
class multiplication : public ggml::cpu::tensor_traits
{
    bool work_size(int, const ggml_tensor *op, size_t &size) override
    {
        size = multiply_scratch(op);
        return true;
    }

    bool compute_forward(ggml_compute_params *params, ggml_tensor *op) override
    {
        multiply({params->ith, params->nth, params->wdata, wait, params->threadpool}, op);
        return true;
    }
};

/* All other operations on our weights: gives them plain operands, and leaves them to the CPU
 * backend. All threads come here, since none can have changed the operands before all are here. */
class other_operation : public ggml::cpu::tensor_traits
{
    bool work_size(int, const ggml_tensor *, size_t &) override
    {
        return false;
    }

    bool compute_forward(ggml_compute_params *params, ggml_tensor *op) override
    {
        ggml.barrier(params->threadpool);
        if (params->ith == 0)
            use_plain_operands(op);
        ggml.barrier(params->threadpool);
        return false;
    }
};

class buffer_traits : public ggml::cpu::extra_buffer_type
{
    bool supports_op(ggml_backend_dev_t, const ggml_tensor *op) override
    {
        const ggml_tensor *x = op->src[1];

        if (x && x->buffer && !ggml.buft_is_host(x->buffer->buft))
            return false;
        if (op->src[0] && is_our_buffer(op->src[0]->buffer) && is_multiplication(op))
            return true;
        return !is_question(op); /* nobody else could: the weights are here already */
    }

    ggml::cpu::tensor_traits *get_tensor_traits(const ggml_tensor *op) override
    {
        if (is_multiplication_of_packed(op))
            return &ours;
        return has_packed_operand(op) ? &others : nullptr;
    }

    multiplication ours;
    other_operation others;
};

/* Never destroyed: the host may use it until the very end. */
buffer_traits *traits()
{
    static buffer_traits *const made = new buffer_traits;
    return made;
}

/* The list that hosts ask for is a copy, made once: if it was made before us, it is without us. */
bool is_listed()
{
    for (ggml_backend_buffer_type_t *type = listed_buffer_types(); type && *type; type++)
        if (*type == &buffer_type)
            return true;
    return false;
}

} // namespace

/* The proof comes before the question for the list, since asking is what makes the host copy it. */
const char *enter_extra()
{
    const char *wrong;

    if (!ggml.extra_buffer_types || !ggml.barrier)
        return "the CPU backend does not export its list of buffer types";
    buffer_type.device = ggml.cpu;
    buffer_type.context = traits();
    auto &types = ggml.extra_buffer_types();
    try {
        types.insert(types.begin(), &buffer_type);
    } catch (const std::bad_alloc &) {
        return "no memory";
    }
    wrong = prove();
    if (!wrong && !is_listed())
        wrong = "the host has made its list of buffer types already";
    if (wrong)
        types.erase(std::remove(types.begin(), types.end(), &buffer_type), types.end());
    return wrong;
}

} // namespace plugin
