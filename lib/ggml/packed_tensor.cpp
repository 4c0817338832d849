/* SPDX-License-Identifier: MIT */
#include "packed_tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "host.h"
#include "parallel.h"
#include "tuning_file.h"

namespace plugin
{
namespace
{

/* Tuned choices of the user's own, where there are any. */
tmac_context *make_engine(tmac_status *status)
{
    tmac_context_options options = {};
    tmac_context *context = nullptr;
    tmac_tuning *tuning = nullptr;

    options.struct_size = sizeof options;
    options.threads = 1;
    if (tmac_tuning_create(&tuning) == TMAC_OK &&
        tuning_file_load(tuning, nullptr, status) == TUNING_FILE_OK)
        options.tuning = tuning;
    *status = tmac_context_create(&options, &context);
    tmac_tuning_free(tuning);
    return context;
}

tmac_weights_desc describe_matrix(ggml_type type, int64_t rows, int64_t cols, const void *blocks)
{
    tmac_weights_desc desc = {};

    desc.struct_size = sizeof desc;
    tmac_weights_desc_ggml(&desc, type, rows, cols, blocks);
    return desc;
}

bool query(const ggml_tensor *tensor, tmac_packed_plan *plan)
{
    const tmac_weights_desc desc =
        describe_matrix(tensor->type, tensor->ne[1], tensor->ne[0], nullptr);

    *plan = {};
    plan->struct_size = sizeof *plan;
    return tmac_packed_query(engine(), &desc, plan) == TMAC_OK;
}

bool can_pack(const ggml_tensor *tensor, tmac_packed_plan *plan)
{
    return tmac_format_find_ggml_type(tensor->type) >= 0 && !tensor->view_src &&
           ggml.is_contiguous(tensor) && tensor->ne[1] > 0 && tensor->ne[2] > 0 &&
           tensor->ne[3] > 0 && query(tensor, plan);
}

size_t align(size_t bytes)
{
    return (bytes + TMAC_PACKED_ALIGNMENT - 1) / TMAC_PACKED_ALIGNMENT * TMAC_PACKED_ALIGNMENT;
}

} // namespace

const tmac_context *engine(tmac_status *status)
{
    static tmac_status made_with = TMAC_OK;
    static const tmac_context *const context = make_engine(&made_with);

    if (status)
        *status = made_with;
    return context;
}

bool is_packable(const ggml_tensor *tensor)
{
    tmac_packed_plan plan;

    return can_pack(tensor, &plan);
}

size_t tensor_bytes(const ggml_tensor *tensor)
{
    tmac_packed_plan plan;

    if (!can_pack(tensor, &plan))
        return ggml.nbytes(tensor);
    return std::max(align(plan.bytes) * static_cast<size_t>(tensor->ne[2] * tensor->ne[3]),
                    ggml.nbytes(tensor));
}

packed_tensor::packed_tensor(const ggml_tensor &tensor, void *memory)
    : type(tensor.type), rows(tensor.ne[1]), cols(tensor.ne[0]),
      count(static_cast<size_t>(tensor.ne[2] * tensor.ne[3])),
      row_bytes(ggml.row_size(tensor.type, tensor.ne[0])), nbytes(ggml.nbytes(&tensor)),
      data(static_cast<unsigned char *>(memory))
{
    tmac_packed_plan plan;

    query(&tensor, &plan);
    slice_bytes = align(plan.bytes);
    step = plan.row_step;
    memcpy(name, tensor.name, sizeof name);
    name[sizeof name - 1] = 0;
}

packed_tensor::~packed_tensor()
{
    for (tmac_weights *weights : slices)
        tmac_weights_free(weights);
}

std::unique_ptr<packed_tensor> packed_tensor::make(const ggml_tensor &tensor, void *data)
{
    std::unique_ptr<packed_tensor> made(new (std::nothrow) packed_tensor(tensor, data));

    if (made) {
        made->begin_slices();
        if (!made->attach())
            made.reset();
    }
    return made;
}

tmac_weights_desc packed_tensor::describe(const void *blocks) const
{
    return describe_matrix(type, rows, cols, blocks);
}

void packed_tensor::begin_slices()
{
    const tmac_weights_desc desc = describe(nullptr);

    for (size_t i = 0; i < count; i++)
        tmac_packed_begin(engine(), &desc, slice_data(i), slice_bytes);
}

bool packed_tensor::attach()
{
    try {
        slices.resize(count);
    } catch (const std::bad_alloc &) {
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (tmac_weights_attach(engine(), slice_data(i), slice_bytes, TMAC_ATTACH_NO_CHECKSUM,
                                &slices[i]) != TMAC_OK)
            return false;
    return true;
}

/* Rows [begin, end) of a slice, which `blocks` starts with. */
tmac_status packed_tensor::pack(size_t slice, int64_t begin, int64_t end, const void *blocks) const
{
    tmac_weights_desc desc = describe(blocks);

    desc.first_row = begin;
    return tmac_packed_rows(engine(), &desc, begin, end, slice_data(slice), slice_bytes);
}

/* Bytes within one row step of a slice: unpack, change, pack. If they are refused the rows are as
 * they were. */
tmac_status packed_tensor::patch(size_t slice, int64_t row, const unsigned char *bytes,
                                 size_t offset, size_t size)
{
    const int64_t end = std::min(row + step, rows);
    const size_t all = static_cast<size_t>(end - row) * row_bytes;
    std::unique_ptr<unsigned char[]> blocks(new (std::nothrow) unsigned char[2 * all]);
    unsigned char *before = blocks.get(), *after = before + all;

    if (!blocks)
        return TMAC_ERROR_MEMORY;
    tmac_weights_unpack_ggml(slices[slice], type, row, end, before, 0);
    memcpy(after, before, all);
    memcpy(after + offset, bytes, size);
    const tmac_status status = pack(slice, row, end, after);
    if (status != TMAC_OK)
        pack(slice, row, end, before);
    return status;
}

/* Bytes that lie in one slice: a row step in part, whole ones, another in part. */
tmac_status packed_tensor::write_piece(const unsigned char *bytes, size_t offset, size_t size)
{
    const size_t whole = static_cast<size_t>(rows) * row_bytes;
    const size_t step_bytes = static_cast<size_t>(step) * row_bytes;
    const size_t slice = offset / whole;

    for (size_t at = offset % whole, end = at + size; at < end;) {
        const size_t first = at / step_bytes * step_bytes;
        const size_t last = end == whole ? end : end / step_bytes * step_bytes;
        const int64_t row = static_cast<int64_t>(first / row_bytes);
        tmac_status status;
        size_t next;

        if (at == first && last > first) {
            next = last;
            status = pack(slice, row, static_cast<int64_t>(last / row_bytes), bytes);
        } else {
            next = std::min({first + step_bytes, end, whole});
            status = patch(slice, row, bytes, at - first, next - at);
        }
        if (status != TMAC_OK)
            return status;
        bytes += next - at;
        at = next;
    }
    return TMAC_OK;
}

/* Shared out to threads by row steps, so that no two threads touch one. */
tmac_status packed_tensor::write_rows(const unsigned char *bytes, size_t offset, size_t size)
{
    const size_t whole = static_cast<size_t>(rows) * row_bytes;
    const size_t step_bytes = static_cast<size_t>(step) * row_bytes;
    const size_t enough = size_t{1} << 18; /* bytes that are worth a thread */

    for (size_t end = offset + size; offset < end;) {
        const size_t slice_end = std::min(end, (offset / whole + 1) * whole);
        const size_t base = offset / whole * whole, first = (offset - base) / step_bytes;
        const size_t steps = (slice_end - base + step_bytes - 1) / step_bytes - first;
        const tmac_status status =
            parallel(steps, (slice_end - offset) / enough, [&](size_t begin, size_t stop) {
                const size_t from = std::max(offset, base + (first + begin) * step_bytes);
                const size_t to = std::min(slice_end, base + (first + stop) * step_bytes);
                return write_piece(bytes + (from - offset), from, to - from);
            });
        if (status != TMAC_OK)
            return status;
        bytes += slice_end - offset;
        offset = slice_end;
    }
    return TMAC_OK;
}

/* Keeps ggml's own blocks from here on: what was packed so far goes back. */
void packed_tensor::give_up(tmac_status status)
{
    std::unique_ptr<unsigned char[]> blocks(new (std::nothrow) unsigned char[nbytes]);

    if (!blocks) {
        log(GGML_LOG_LEVEL_ERROR, "%s: no memory to take packed weights back", name);
        return;
    }
    log(GGML_LOG_LEVEL_WARN, "%s stays with the CPU backend: %s", name, tmac_status_text(status));
    read(blocks.get(), 0, nbytes);
    packed = false;
    memcpy(data, blocks.get(), nbytes);
}

void packed_tensor::write(const void *bytes, size_t offset, size_t size)
{
    tmac_status status;

    if (packed && !written && size < nbytes) { /* what is not written yet must be valid */
        memset(data, 0, count * slice_bytes);
        begin_slices();
    }
    written = true;
    if (packed &&
        (status = write_rows(static_cast<const unsigned char *>(bytes), offset, size)) != TMAC_OK)
        give_up(status);
    if (!packed)
        memcpy(data + offset, bytes, size);
    refresh_plain();
}

void packed_tensor::fill(uint8_t byte, size_t offset, size_t size)
{
    const size_t piece = std::min(size, size_t{1} << 20);
    std::unique_ptr<unsigned char[]> bytes(new (std::nothrow) unsigned char[piece]);

    if (!bytes) {
        log(GGML_LOG_LEVEL_ERROR, "%s: no memory to fill it", name);
        return;
    }
    memset(bytes.get(), byte, piece);
    for (size_t end = offset + size; offset < end; offset += piece)
        write(bytes.get(), offset, std::min(end - offset, piece));
}

void packed_tensor::restart(uint8_t byte)
{
    packed = true;
    written = false;
    begin_slices();
    fill(byte, 0, nbytes);
}

void packed_tensor::read(void *bytes, size_t offset, size_t size) const
{
    const size_t whole = static_cast<size_t>(rows) * row_bytes;
    unsigned char *out = static_cast<unsigned char *>(bytes);

    if (!packed) {
        memcpy(bytes, data + offset, size);
        return;
    }
    std::unique_ptr<unsigned char[]> row(new (std::nothrow) unsigned char[row_bytes]);
    for (size_t end = offset + size; offset < end;) {
        const size_t slice = offset / whole, at = offset % whole, skip = at % row_bytes;
        const int64_t first = static_cast<int64_t>(at / row_bytes);
        size_t part = std::min(end - offset, whole - at) / row_bytes * row_bytes;
        if (!skip && part) { /* whole rows */
            tmac_weights_unpack_ggml(slices[slice], type, first,
                                     first + static_cast<int64_t>(part / row_bytes), out, 0);
        } else if (row) {
            part = std::min(end - offset, row_bytes - skip);
            tmac_weights_unpack_ggml(slices[slice], type, first, first + 1, row.get(), 0);
            memcpy(out, row.get() + skip, part);
        } else {
            log(GGML_LOG_LEVEL_ERROR, "%s: no memory to unpack a row", name);
            return;
        }
        out += part;
        offset += part;
    }
}

const ggml_tensor *packed_tensor::plain(const ggml_tensor &tensor)
{
    if (!plain_bytes) {
        plain_bytes.reset(new (std::nothrow) unsigned char[nbytes]);
        if (!plain_bytes)
            return nullptr;
        log(GGML_LOG_LEVEL_INFO, "%s: a plain copy for an operation that is not a multiplication",
            name);
        plain_tensor = tensor;
        plain_tensor.buffer = nullptr;
        plain_tensor.extra = nullptr;
        plain_tensor.data = plain_bytes.get();
        refresh_plain();
    }
    return &plain_tensor;
}

void packed_tensor::refresh_plain()
{
    if (plain_bytes)
        read(plain_bytes.get(), 0, nbytes);
}

} // namespace plugin
