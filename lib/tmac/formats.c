/* SPDX-License-Identifier: MIT */
#include "check.h"

static tmac_format_info info_of_blocks(const struct tmac_format *format)
{
    return (tmac_format_info){
        .name = format->name,
        .ggml_type = format->ggml_type,
        .block = format->block_k,
        .block_bytes = format->block_bytes,
        .width = format->width,
        .group = format->group,
        .super_group = format->sub_format == TMAC_SUB_NONE ? 0 : format->block_k,
        .scale_type = format->scale_type,
        .zero_kind = format->zero_kind,
        .zero = format->zero,
        .sub_format = format->sub_format,
        .sub_bits = format->sub_bits,
    };
}

/* false past the last one. */
static bool info_at(int32_t index, tmac_format_info *info)
{
    int count = 0;
    const struct tmac_format *format = NULL;
    const struct tmac_plain *plain = NULL;

    while (count <= index && (format = tmac_format_at(count)))
        count++;
    if (!format && !(plain = tmac_plain_at(index - count)))
        return false;
    *info = format
                ? info_of_blocks(format)
                : (tmac_format_info){.name = plain->name, .ggml_type = -1, .width = plain->width};
    if (tmac_width_bits(info->width) <= 4)
        info->flags = TMAC_FORMAT_LOOKUP;
    return true;
}

int32_t tmac_format_count(void)
{
    tmac_format_info info;
    int32_t count = 0;

    while (info_at(count, &info))
        count++;
    return count;
}

tmac_status tmac_format_query(int32_t index, tmac_format_info *out)
{
    tmac_format_info info;

    if (index < 0 || !info_at(index, &info))
        return TMAC_ERROR_SHAPE;
    return tmac_struct_write(out, &info, sizeof info, sizeof info);
}

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool same_name(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

int32_t tmac_format_find(const char *name)
{
    tmac_format_info info;

    for (int32_t i = 0; name && info_at(i, &info); i++)
        if (same_name(info.name, name))
            return i;
    return -1;
}

int32_t tmac_format_find_ggml_type(int32_t type)
{
    tmac_format_info info;

    for (int32_t i = 0; type >= 0 && info_at(i, &info); i++)
        if (info.ggml_type == type)
            return i;
    return -1;
}
