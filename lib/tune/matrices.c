/* SPDX-License-Identifier: MIT */
#include "matrices.h"

#include "gguf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("tmac-tune: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return -1;
}

void matrices_free(struct matrices *matrices)
{
    free(matrices->all);
}

/* Adds a matrix unless there is one of its name. */
static int add(struct matrices *matrices, const struct matrix *matrix)
{
    for (size_t i = 0; i < matrices->count; i++)
        if (strcmp(matrices->all[i].name, matrix->name) == 0)
            return 0;
    if (matrices->count == matrices->room) {
        const size_t room = matrices->room ? 2 * matrices->room : 16;
        struct matrix *more = realloc(matrices->all, room * sizeof *more);
        if (!more)
            return complain("out of memory");
        matrices->all = more;
        matrices->room = room;
    }
    matrices->all[matrices->count++] = *matrix;
    return 0;
}

static int add_named(struct matrices *matrices, struct matrix *matrix, const char *format)
{
    snprintf(matrix->name, sizeof matrix->name, "%s %lldx%lld", format,
             (long long)matrix->desc.rows, (long long)matrix->desc.cols);
    return add(matrices, matrix);
}

/* 0 as well where libtmac has no such format or shape: that is no matrix to tune. */
static int add_ggml(struct matrices *matrices, int32_t type, int64_t rows, int64_t cols,
                    tmac_status *status)
{
    struct matrix matrix = {.desc.struct_size = sizeof matrix.desc};
    tmac_format_info info = {.struct_size = sizeof info};

    *status = tmac_weights_desc_ggml(&matrix.desc, type, rows, cols, NULL);
    if (*status == TMAC_OK)
        *status = tmac_format_query(tmac_format_find_ggml_type(type), &info);
    return *status == TMAC_OK ? add_named(matrices, &matrix, info.name) : 0;
}

int matrices_of_model(struct matrices *matrices, const char *path)
{
    char reason[256];
    gguf *file;
    int failed = 0;

    if (gguf_open(path, &file, reason, sizeof reason))
        return complain("%s: %s", path, reason);
    for (size_t i = 0; i < gguf_count(file) && !failed; i++) {
        const struct gguf_tensor *tensor = gguf_tensor(file, i);
        tmac_status status;

        if (tensor->n_dims == 2)
            failed = add_ggml(matrices, (int32_t)tensor->type, (int64_t)tensor->dims[1],
                              (int64_t)tensor->dims[0], &status);
    }
    gguf_close(file);
    if (!failed && matrices->count == 0)
        failed = complain("%s: no matrices that libtmac multiplies", path);
    return failed;
}

/* "w4/g128", "ternary/g32": codes of a width, symmetric, with f16 scales. */
static int add_plain(struct matrices *matrices, const char *format, int64_t rows, int64_t cols)
{
    struct matrix matrix = {.desc = {.struct_size = sizeof matrix.desc,
                                     .rows = rows,
                                     .cols = cols,
                                     .scale_type = TMAC_SCALE_F16}};
    tmac_format_info info = {.struct_size = sizeof info};
    char width[8];
    int group, end = -1;

    if (sscanf(format, "%7[^/]/g%3d%n", width, &group, &end) != 2 || format[end] ||
        tmac_format_query(tmac_format_find(width), &info) || info.ggml_type >= 0)
        return complain("%s: not a format (Q4_K, w4/g128, ternary/g32, ...)", format);
    matrix.desc.width = info.width;
    matrix.desc.group = group;
    return add_named(matrices, &matrix, format);
}

int matrices_add_named(struct matrices *matrices, const char *format, const char *shape)
{
    tmac_format_info info = {.struct_size = sizeof info};
    tmac_status status;
    long long rows, cols;
    int end = -1;

    if (sscanf(shape, "%9lldx%9lld%n", &rows, &cols, &end) != 2 || shape[end])
        return complain("%s: not a shape (rows x inputs: 4096x11008)", shape);
    if (tmac_format_query(tmac_format_find(format), &info) || info.ggml_type < 0)
        return add_plain(matrices, format, rows, cols);
    if (add_ggml(matrices, info.ggml_type, rows, cols, &status))
        return -1;
    return status == TMAC_OK ? 0 : complain("%s %s: %s", format, shape, tmac_status_text(status));
}
