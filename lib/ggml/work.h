/* SPDX-License-Identifier: MIT
 * What the two multiplications share: scratch memory, operands, and the call of libtmac. */
#ifndef TMAC_GGML_WORK_H
#define TMAC_GGML_WORK_H

#include <cstddef>
#include <cstdint>

#include "crew.h"
#include "ggml.h"
#include "packed_tensor.h"

namespace plugin
{

/* Lays out scratch memory: the same calls give the size (without memory) and the addresses. */
class arena
{
  public:
    explicit arena(void *memory = nullptr)
        : base((reinterpret_cast<uintptr_t>(memory) + 63) / 64 * 64)
    {
    }

    template <typename item>
    item *take(size_t count)
    {
        const size_t at = used;
        used += (count * sizeof(item) + 63) / 64 * 64;
        return reinterpret_cast<item *>(base + at);
    }
    size_t bytes() const
    {
        return used + 64;
    }

  private:
    uintptr_t base;
    size_t used = 0;
};

inline size_t element_size(ggml_type type)
{
    return type == GGML_TYPE_F32 ? 4 : 2;
}

/* Activations as libtmac takes them; `type` is one that is_multiplication let pass. */
tmac_activations activations(ggml_type type, int64_t cols, int64_t batch, const void *data,
                             size_t stride_bytes);

/* Can libtmac read the inputs where they are? */
bool is_readable(const ggml_tensor *x);

/* Workspace that libtmac needs for a multiplication, whatever the size of the crew. */
size_t workspace_bytes(const tmac_multiply_args &args);

/* Multiplies, by all threads of the crew. Should it fail, all `outputs` outputs of `rows` rows are NaN. */
void multiply_together(const crew &crew, tmac_multiply_args &args, int64_t outputs, int64_t rows);

/* Copies the elements of one input, of any stride, to where they follow each other. */
void gather_input(const ggml_tensor *x, const char *input, char *out);

/* Nothing that a call into libtmac could refuse gets this far. If it did all the same: says so once,
 * and gives NaN rather than a wrong result. */
void check(tmac_status status, float *y, int64_t rows);

} // namespace plugin

#endif
