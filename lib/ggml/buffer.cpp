/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>

#include <sys/mman.h>

#include "host.h"
#include "mapped_pages.h"

namespace plugin
{
namespace
{

constexpr size_t huge_page = size_t{2} << 20;

/* What a buffer has in its memory, by address: a tensor that is initialized again where another was
 * takes its place. */
struct contents {
    unsigned char *base;
    size_t size;
    std::mutex lock;
    std::map<void *, std::unique_ptr<packed_tensor>> tensors;
};

contents *of(ggml_backend_buffer_t buffer)
{
    return static_cast<contents *>(buffer->context);
}

/* Where byte `offset` of a tensor is within the tensor that it may be a view of. */
size_t from_base(const ggml_tensor *tensor, size_t offset)
{
    return tensor->view_src ? tensor->view_offs + offset : offset;
}

void free_buffer(ggml_backend_buffer_t buffer)
{
    std::free(of(buffer)->base);
    delete of(buffer);
}

void *get_base(ggml_backend_buffer_t buffer)
{
    return of(buffer)->base;
}

/* Packs weights; everything else that lands here (a device's activations) stays as it is. */
ggml_status init_tensor(ggml_backend_buffer_t buffer, ggml_tensor *tensor)
{
    tensor->extra = nullptr;
    if (buffer->usage == GGML_BACKEND_BUFFER_USAGE_COMPUTE || tensor->view_src ||
        !is_packable(tensor))
        return GGML_STATUS_SUCCESS;
    try {
        const std::lock_guard<std::mutex> guard(of(buffer)->lock);
        std::unique_ptr<packed_tensor> &at = of(buffer)->tensors[tensor->data];
        at = packed_tensor::make(*tensor, tensor->data);
        tensor->extra = at.get();
    } catch (const std::bad_alloc &) {
    }
    return tensor->extra ? GGML_STATUS_SUCCESS : GGML_STATUS_ALLOC_FAILED;
}

void memset_tensor(ggml_backend_buffer_t, ggml_tensor *tensor, uint8_t value, size_t offset,
                   size_t size)
{
    packed_tensor *packed = packed_of(tensor);

    if (packed)
        packed->fill(value, from_base(tensor, offset), size);
    else
        memset(static_cast<unsigned char *>(tensor->data) + offset, value, size);
}

void set_tensor(ggml_backend_buffer_t, ggml_tensor *tensor, const void *data, size_t offset,
                size_t size)
{
    packed_tensor *packed = packed_of(tensor);

    if (packed)
        packed->write(data, from_base(tensor, offset), size);
    else
        memcpy(static_cast<unsigned char *>(tensor->data) + offset, data, size);
    let_go_of_pages(data, size);
}

void get_tensor(ggml_backend_buffer_t, const ggml_tensor *tensor, void *data, size_t offset,
                size_t size)
{
    const packed_tensor *packed = packed_of(tensor);

    if (packed)
        packed->read(data, from_base(tensor, offset), size);
    else
        memcpy(data, static_cast<const unsigned char *>(tensor->data) + offset, size);
}

void clear(ggml_backend_buffer_t buffer, uint8_t value)
{
    const std::lock_guard<std::mutex> guard(of(buffer)->lock);

    memset(of(buffer)->base, value, of(buffer)->size);
    for (auto &[at, tensor] : of(buffer)->tensors)
        tensor->restart(value);
}

void reset(ggml_backend_buffer_t buffer)
{
    const std::lock_guard<std::mutex> guard(of(buffer)->lock);

    of(buffer)->tensors.clear();
}

ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size)
{
    ggml_backend_buffer_i calls = {};
    const size_t bytes = (size / huge_page + 1) * huge_page;
    std::unique_ptr<contents> made(new (std::nothrow) contents);

    /* Sizes of 0 come from hosts that only ask what would be supported: no room is needed then. */
    if (!made || !(made->base = static_cast<unsigned char *>(size ? aligned_alloc(huge_page, bytes)
                                                                  : aligned_alloc(128, 128))))
        return nullptr;
    made->size = size;
    if (size)
        madvise(made->base, bytes, MADV_HUGEPAGE);
    calls.free_buffer = free_buffer;
    calls.get_base = get_base;
    calls.init_tensor = init_tensor;
    calls.memset_tensor = memset_tensor;
    calls.set_tensor = set_tensor;
    calls.get_tensor = get_tensor;
    calls.clear = clear;
    calls.reset = reset;
    return ggml.buffer_init(type, calls, made.release(), size);
}

const char *get_name(ggml_backend_buffer_type_t)
{
    return "TMAC";
}

size_t get_alignment(ggml_backend_buffer_type_t)
{
    return 128; /* TMAC_PACKED_ALIGNMENT, and pairs of cache lines */
}

size_t get_alloc_size(ggml_backend_buffer_type_t, const ggml_tensor *tensor)
{
    return tensor_bytes(tensor);
}

} // namespace

packed_tensor *packed_of(const ggml_tensor *tensor)
{
    const ggml_tensor *base = tensor->view_src ? tensor->view_src : tensor;

    if (!is_our_buffer(base->buffer) || !base->extra)
        return nullptr;
    return static_cast<packed_tensor *>(base->extra);
}

/* Not host memory (is_host): what lies in it is not for other eyes. */
ggml_backend_buffer_type buffer_type = {
    {get_name, alloc_buffer, get_alignment, nullptr, get_alloc_size, nullptr}, nullptr, nullptr};

} // namespace plugin
