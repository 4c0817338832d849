/* SPDX-License-Identifier: MIT
 * Is the host the ggml that this was built for? ggml's structs and numbers change between versions,
 * and its only guard is the number of the backend interface. So everything that the plug-in relies on
 * is looked at where the host has it, before anything of the host is changed. */
#include "host.h"
#include "tmac.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <strings.h>

namespace plugin
{
namespace
{

/* "0.25.1" and "0.25.7" are one version here: a patch changes no layout. */
bool same_version()
{
    int major = -1, minor = -1;

    if (sscanf(ggml.version(), "%d.%d", &major, &minor) != 2)
        return false;
    return major == TMAC_GGML_MAJOR && minor == TMAC_GGML_MINOR;
}

/* ggml writes "q4_K", libtmac "Q4_K"; numbers are what they agree on. */
bool same_type(const tmac_format_info &format)
{
    const auto type = static_cast<ggml_type>(format.ggml_type);
    const char *name = ggml.type_name(type);

    return name && !strcasecmp(name, format.name) && ggml.block_size(type) == format.block &&
           ggml.type_size(type) == static_cast<size_t>(format.block_bytes);
}

bool same_types()
{
    for (int32_t i = 0; i < tmac_format_count(); i++) {
        tmac_format_info format = {};
        format.struct_size = sizeof format;
        if (tmac_format_query(i, &format) || (format.ggml_type >= 0 && !same_type(format)))
            return false;
    }
    return ggml.type_size(GGML_TYPE_F32) == 4 && ggml.type_size(GGML_TYPE_F16) == 2 &&
           ggml.type_size(GGML_TYPE_BF16) == 2 && ggml.type_size(GGML_TYPE_I32) == 4;
}

bool same_operations()
{
    static const struct {
        ggml_op op;
        const char *name;
    } operations[] = {
        {GGML_OP_NONE, "NONE"},           {GGML_OP_MUL_MAT, "MUL_MAT"},
        {GGML_OP_VIEW, "VIEW"},           {GGML_OP_MUL_MAT_ID, "MUL_MAT_ID"},
        {GGML_OP_RESHAPE, "RESHAPE"},     {GGML_OP_PERMUTE, "PERMUTE"},
        {GGML_OP_TRANSPOSE, "TRANSPOSE"}, {GGML_OP_CUSTOM, "CUSTOM"},
    };

    for (const auto &operation : operations)
        if (strcmp(ggml.op_name(operation.op), operation.name))
            return false;
    return true;
}

/* What ggml puts before a tensor in a context. */
constexpr size_t object_bytes = 32;

/* A tensor that the host made, read with this plug-in's struct. */
bool same_tensor(ggml_context *context)
{
    const int64_t ne[4] = {96, 5, 3, 2};
    ggml_tensor *a = ggml.new_tensor(context, GGML_TYPE_F32, 4, ne);
    ggml_tensor *b = ggml.new_tensor(context, GGML_TYPE_F32, 4, ne);
    ggml_tensor *y = ggml.mul_mat(context, a, b);

    return a->type == GGML_TYPE_F32 && !memcmp(a->ne, ne, sizeof ne) && a->nb[0] == 4 &&
           a->nb[1] == 384 && a->nb[2] == 1920 && a->nb[3] == 5760 && a->op == GGML_OP_NONE &&
           !a->buffer && !a->extra && !a->data && !a->view_src && y->op == GGML_OP_MUL_MAT &&
           y->src[0] == a && y->src[1] == b && !y->src[2] && y->ne[0] == 5 && y->ne[1] == 5;
}

bool same_tensors()
{
    const ggml_init_params params = {4 * ggml.tensor_overhead(), nullptr, true};
    ggml_context *context;
    bool same;

    /* Also the size of the whole struct, which tests nothing in the middle of it. */
    if (ggml.tensor_overhead() != object_bytes + sizeof(ggml_tensor) ||
        !(context = ggml.init(params)))
        return false;
    same = same_tensor(context);
    ggml.free(context);
    return same;
}

/* The CPU backend's own objects, and a buffer of it. */
bool same_backend()
{
    const ggml_backend_buffer_type_t type = ggml.cpu_buffer_type();
    ggml_backend_device_i &device = ggml.cpu->iface;
    bool same = type && type->iface.get_name && !strcmp(type->iface.get_name(type), "CPU") &&
                type->iface.is_host && type->iface.is_host(type) && device.get_type &&
                device.get_type(ggml.cpu) == GGML_BACKEND_DEVICE_TYPE_CPU &&
                device.get_buffer_type && device.get_buffer_type(ggml.cpu) == type &&
                ggml.cpu->reg->iface.get_device_count(ggml.cpu->reg) == 1 &&
                ggml.cpu->reg->iface.get_device(ggml.cpu->reg, 0) == ggml.cpu;

    if (!same)
        return false;
    const ggml_backend_buffer_t buffer = type->iface.alloc_buffer(type, 4096);
    if (!buffer)
        return false;
    same = buffer->buft == type && buffer->size == 4096 && buffer->iface.get_base(buffer) &&
           buffer->usage == GGML_BACKEND_BUFFER_USAGE_ANY;
    ggml.buffer_free(buffer);
    return same;
}

} // namespace

bool check_host(const char **difference)
{
    if (ggml.cpu->reg->api_version != GGML_BACKEND_API_VERSION)
        *difference = "the version of the backend interface";
    else if (!same_version() && !getenv("GGML_TMAC_ANY_VERSION"))
        *difference = "the version (GGML_TMAC_ANY_VERSION=1 tries all the same)";
    else if (!same_types())
        *difference = "types of weights";
    else if (!same_operations())
        *difference = "the numbers of operations";
    else if (!same_tensors())
        *difference = "the layout of tensors";
    else if (!same_backend())
        *difference = "the layout of the CPU backend";
    else
        return true;
    return false;
}

} // namespace plugin
