/* SPDX-License-Identifier: MIT
 * A mixture of experts. Every token (t) uses some experts; use u of token t is position t * uses + u. An
 * input of x serves all uses of its token, or one of them: then every position is an input of its own. */
#include <cstring>

#include "buffer.h"
#include "mul_mat.h"
#include "work.h"

namespace plugin
{
namespace
{

struct plan {
    const ggml_tensor *w, *x, *ids, *y;
    int64_t uses, tokens;
    bool shared;   /* one input for all uses of a token */
    bool gather;   /* inputs are copied first, for every position one unless they are shared */
    int64_t batch; /* inputs */
    size_t x_stride;
    tmac_activations activations;
    tmac_multiply_args args;
    char *gathered;
    int32_t *id; /* [positions] */
    size_t scratch;
};

const char *input_at(const ggml_tensor *x, int64_t token, int64_t use)
{
    return static_cast<const char *>(x->data) + static_cast<size_t>(use % x->ne[1]) * x->nb[1] +
           static_cast<size_t>(token) * x->nb[2];
}

float *result_at(const plan &p, int64_t position)
{
    return reinterpret_cast<float *>(static_cast<char *>(p.y->data) +
                                     static_cast<size_t>(position % p.uses) * p.y->nb[1] +
                                     static_cast<size_t>(position / p.uses) * p.y->nb[2]);
}

/* Do inputs lie at one stride, as libtmac wants them? */
bool is_one_stride(const plan &p)
{
    return is_readable(p.x) &&
           (p.shared || p.tokens == 1 || p.x->nb[2] == p.x->nb[1] * static_cast<size_t>(p.uses)) &&
           (p.shared || p.x->ne[1] == p.uses);
}

plan make_plan(const ggml_tensor *op, void *scratch)
{
    plan p = {};
    arena arena(scratch);

    p.w = op->src[0];
    p.x = op->src[1];
    p.ids = op->src[2];
    p.y = op;
    p.uses = p.ids->ne[0];
    p.tokens = p.ids->ne[1];
    p.shared = p.x->ne[1] == 1;
    p.gather = !is_one_stride(p);
    p.batch = p.shared ? p.tokens : p.tokens * p.uses;
    p.x_stride = p.gather ? static_cast<size_t>(p.x->ne[0]) * element_size(p.x->type)
                          : p.x->nb[p.shared ? 2 : 1];
    p.id = arena.take<int32_t>(static_cast<size_t>(p.tokens * p.uses));
    p.gathered = arena.take<char>(p.gather ? static_cast<size_t>(p.batch) * p.x_stride : 0);
    p.activations =
        activations(p.x->type, p.x->ne[0], p.batch,
                    p.gather ? p.gathered : static_cast<const char *>(p.x->data), p.x_stride);
    p.args.struct_size = sizeof p.args;
    p.args.experts = packed_of(p.w)->matrices();
    p.args.expert_count = p.w->ne[2];
    p.args.y = p.y->data;
    p.args.stride = static_cast<int64_t>(p.y->nb[1] / sizeof(float));
    p.args.ids = p.id;
    p.args.uses = p.shared ? p.uses : 1;
    if (p.batch) {
        p.args.activations = &p.activations;
        p.args.workspace_bytes = workspace_bytes(p.args);
    }
    p.args.workspace = arena.take<char>(p.args.workspace_bytes);
    p.scratch = arena.bytes();
    return p;
}

/* Copies the ids; a host that asks for an expert that there is not gets NaN. */
void copy_ids(const plan &p)
{
    for (int64_t position = 0; position < p.tokens * p.uses; position++) {
        const char *at = static_cast<const char *>(p.ids->data) +
                         static_cast<size_t>(position % p.uses) * p.ids->nb[0] +
                         static_cast<size_t>(position / p.uses) * p.ids->nb[1];
        memcpy(&p.id[position], at, sizeof *p.id);
        if (p.id[position] < 0 || p.id[position] >= p.w->ne[2]) {
            p.id[position] = -1;
            check(TMAC_ERROR_EXPERT, result_at(p, position), p.w->ne[1]);
        }
    }
}

void gather(const crew &crew, const plan &p)
{
    const int64_t uses = p.shared ? 1 : p.uses;

    for (int64_t n = crew.index; n < p.batch; n += crew.size)
        gather_input(p.x, input_at(p.x, n / uses, n % uses),
                     p.gathered + static_cast<size_t>(n) * p.x_stride);
    crew.barrier();
}

} // namespace

size_t mul_mat_id_scratch(const ggml_tensor *op)
{
    return make_plan(op, nullptr).scratch;
}

void mul_mat_id(const crew &crew, const ggml_tensor *op)
{
    plan p = make_plan(op, crew.scratch);

    if (p.batch == 0)
        return;
    p.args.activations = &p.activations; /* of this copy of the plan */
    if (crew.index == 0) /* before the barrier behind which libtmac's other threads read them */
        copy_ids(p);
    if (p.gather)
        gather(crew, p);
    multiply_together(crew, p.args, p.tokens * p.uses, p.w->ne[1]);
}

} // namespace plugin
