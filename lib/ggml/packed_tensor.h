/* SPDX-License-Identifier: MIT
 * A tensor of weights in libtmac's packed form, in memory that a ggml buffer gave it.
 *
 *   tensor->data:  | slice 0 | slice 1 | ...     one per matrix [ne0, ne1]: experts, heads
 *
 * To ggml it still is a run of ggml blocks: bytes are written to and read from it by their offset in
 * those, and packed and unpacked on the way. Weights that libtmac refuses (a NaN scale, an unused
 * code) are kept as ggml's own blocks instead, which the CPU backend multiplies as ever. */
#ifndef TMAC_GGML_PACKED_TENSOR_H
#define TMAC_GGML_PACKED_TENSOR_H

#include <memory>
#include <vector>

#include "ggml.h"
#include "tmac.h"

namespace plugin
{

/* The one context of the plug-in: one thread, since the host's threads share its work out. Null
 * where it could not be made; status says why. */
const tmac_context *engine(tmac_status *status = nullptr);

/* Can such a tensor be packed? Looks at its type and shape only. */
bool is_packable(const ggml_tensor *tensor);

/* Memory for a tensor: for one that can, room for either form. */
size_t tensor_bytes(const ggml_tensor *tensor);

class packed_tensor
{
  public:
    /* All rows zero or what the memory held. `data` stays the caller's. */
    static std::unique_ptr<packed_tensor> make(const ggml_tensor &tensor, void *data);
    ~packed_tensor();
    packed_tensor(const packed_tensor &) = delete;
    packed_tensor &operator=(const packed_tensor &) = delete;

    /* Bytes [offset, offset + size) of the tensor as ggml blocks. Writing may use several threads.
     * Nothing else may use the tensor while it is written, as with any tensor. */
    void write(const void *bytes, size_t offset, size_t size);
    void fill(uint8_t byte, size_t offset, size_t size);
    void read(void *bytes, size_t offset, size_t size) const;
    /* After the memory was overwritten from outside: all bytes are `byte`. */
    void restart(uint8_t byte);

    bool is_packed() const
    {
        return packed;
    }
    /* The matrices [ne0, ne1], in the order of memory. */
    const tmac_weights *const *matrices() const
    {
        return slices.data();
    }

    /* The same tensor as ggml blocks in memory of its own, for operations other than ours; made when
     * it is first asked for. Not for several threads at once. Null without memory. */
    const ggml_tensor *plain(const ggml_tensor &tensor);

  private:
    packed_tensor(const ggml_tensor &tensor, void *data);
    bool attach();
    void begin_slices();
    tmac_weights_desc describe(const void *blocks) const;
    unsigned char *slice_data(size_t i) const
    {
        return data + i * slice_bytes;
    }
    tmac_status pack(size_t slice, int64_t begin, int64_t end, const void *rows) const;
    tmac_status write_rows(const unsigned char *bytes, size_t offset, size_t size);
    tmac_status write_piece(const unsigned char *bytes, size_t offset, size_t size);
    tmac_status patch(size_t slice, int64_t row, const unsigned char *bytes, size_t offset,
                      size_t size);
    void give_up(tmac_status status);
    void refresh_plain();

    ggml_type type;
    char name[GGML_MAX_NAME];
    int64_t rows, cols;
    size_t count, row_bytes, slice_bytes, nbytes;
    int64_t step;
    unsigned char *data;
    bool packed = true;
    bool written = false;
    std::vector<tmac_weights *> slices;
    std::unique_ptr<unsigned char[]> plain_bytes;
    ggml_tensor plain_tensor;
};

} // namespace plugin

#endif
