/* SPDX-License-Identifier: MIT */
#include "formats/formats.h"

#include "formats/words.h"

/* In the order that public calls list them. */
static const struct tmac_format_list *const lists[] = {&tmac_formats_legacy, &tmac_formats_k,
                                                       &tmac_formats_ternary};

const struct tmac_format *tmac_format_at(int index)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; index -= lists[i++]->count)
        if (index < lists[i]->count)
            return &lists[i]->rows[index];
    return NULL;
}

const struct tmac_format *tmac_format_of_ggml(int32_t type)
{
    const struct tmac_format *format;

    for (int i = 0; (format = tmac_format_at(i)); i++)
        if (format->ggml_type == type)
            break;
    return format;
}

static uint32_t minimum_sign(const struct tmac_format *format)
{
    return format->minimum_minus ? 0x8000 : 0;
}

void tmac_format_read_groups(const struct tmac_format *format, const uint8_t *block, int count,
                             struct tmac_groups *out)
{
    const int groups = format->block_k / format->group;
    const bool minimum = format->zero_kind == TMAC_ZERO_MINIMUM;

    for (int i = 0; i < count; i += groups, block += format->block_bytes) {
        out->scale[i] = load16(block + format->scale_at);
        if (minimum)
            out->minimum[i] = load16(block + format->minimum_at) ^ minimum_sign(format);
        if (format->read_subs)
            format->read_subs(block, i, out);
    }
}

uint8_t *tmac_format_write_groups(const struct tmac_format *format, const struct tmac_groups *in,
                                  int count, uint8_t *block)
{
    const int groups = format->block_k / format->group;

    for (int i = 0; i < count; i += groups, block += format->block_bytes) {
        store16(block + format->scale_at, in->scale[i]);
        if (format->zero_kind == TMAC_ZERO_MINIMUM)
            store16(block + format->minimum_at, in->minimum[i] ^ minimum_sign(format));
        if (format->write_subs)
            format->write_subs(in, i, block);
    }
    return block;
}

void tmac_format_describe(const struct tmac_format *format, int64_t rows, int64_t cols,
                          const void *blocks, tmac_weights_desc *desc)
{
    const size_t struct_size = desc->struct_size;

    *desc = (tmac_weights_desc){
        .struct_size = struct_size,
        .rows = rows,
        .cols = cols,
        .width = format->width,
        .code_format = TMAC_CODES_GGML,
        .codes = blocks,
        .group = format->group,
        .scale_type = format->scale_type,
        .zero_kind = format->zero_kind,
        .zero = format->zero,
        .sub_format = format->sub_format,
        .super_group = format->sub_format == TMAC_SUB_NONE ? 0 : format->block_k,
        .ggml_type = format->ggml_type,
    };
}
