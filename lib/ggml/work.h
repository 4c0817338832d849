/* SPDX-License-Identifier: MIT
 * What the two multiplications share: scratch memory, and work that threads take piece by piece. */
#ifndef TMAC_GGML_WORK_H
#define TMAC_GGML_WORK_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "ggml.h"
#include "multiply.h"
#include "packed_tensor.h"

namespace plugin {

/* Lays out scratch memory: the same calls give the size (without memory) and the addresses. */
class arena {
  public:
    explicit arena(void *memory = nullptr) : base((reinterpret_cast<uintptr_t>(memory) + 63) / 64 * 64)
    {
    }

    template <typename item> item *take(size_t count)
    {
        const size_t at = used;
        used += (count * sizeof(item) + 63) / 64 * 64;
        return reinterpret_cast<item *>(base + at);
    }
    size_t bytes() const { return used + 64; }

  private:
    uintptr_t base;
    size_t used = 0;
};

using counter = std::atomic<int64_t>;

/* Pieces of work: every thread starts with the piece of its own number, and then takes the next that
 * nobody has. A core that other programs slow down takes fewer. */
class pieces {
  public:
    pieces(const crew &crew, counter *next, int64_t count)
        : next(next), current(crew.index), end(count)
    {
    }
    static void start(const crew &crew, counter *next)
    {
        if (crew.index == 0)
            new (next) counter(crew.size);
    }
    bool more() const { return current < end; }
    int64_t take()
    {
        const int64_t taken = current;
        current = next->fetch_add(1, std::memory_order_relaxed);
        return taken;
    }

  private:
    counter *next;
    int64_t current, end;
};

/* Rows of a matrix in pieces that start at row steps. */
struct row_pieces {
    int64_t rows, step; /* rows of a piece */
    int64_t count;

    /* `work`: products for one row. */
    row_pieces(const crew &crew, const packed_tensor &weights, int64_t rows, int64_t work);
    int64_t begin(int64_t piece) const { return piece * step; }
    int64_t end(int64_t piece) const { return piece + 1 < count ? (piece + 1) * step : rows; }
};

inline size_t element_size(ggml_type type)
{
    return type == GGML_TYPE_F32 ? 4 : 2;
}

/* Activations as libtmac takes them; `type` is one that is_multiplication let pass. */
tmac_activations activations(ggml_type type, int64_t cols, int64_t batch, const void *data,
                             size_t stride_bytes);

/* Bytes of tables. */
size_t tables_bytes(const packed_tensor &weights, int64_t cols, int64_t batch);

/* Copies the elements of one input, of any stride, to where they follow each other. */
void gather_input(const ggml_tensor *x, const char *input, char *out);

/* Nothing that a call into libtmac could refuse gets this far. If it did all the same: says so once,
 * and gives NaN rather than a wrong result. */
void check(tmac_status status, float *y, int64_t rows);

} // namespace plugin

#endif
