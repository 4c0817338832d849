/* SPDX-License-Identifier: MIT
 *
 * See model.h.
 */
#include "model.h"
#include "progress.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *type_text(uint32_t type, char *text, size_t size)
{
    struct gguf_type known;

    if (gguf_type_of(type, &known))
        snprintf(text, size, "type %u", type);
    else
        snprintf(text, size, "%s", known.name);
    return text;
}

/* ---- sorting ---- */

static void kind_name(const char *tensor, char *name, size_t size)
{
    static const char prefix[] = "blk.", suffix[] = ".weight";

    if (!strncmp(tensor, prefix, sizeof prefix - 1)) {
        const char *after = tensor + sizeof prefix - 1;
        while (isdigit((unsigned char)*after))
            after++;
        if (*after == '.' && after[1])
            tensor = after + 1;
    }
    snprintf(name, size, "%s", tensor);
    const size_t length = strlen(name);
    if (length >= sizeof suffix && !strcmp(name + length - (sizeof suffix - 1), suffix))
        name[length - (sizeof suffix - 1)] = '\0';
}

static tmac_status describe(const struct gguf_tensor *t, tmac_weights_desc *desc)
{
    *desc = (tmac_weights_desc){.struct_size = sizeof *desc};
    return tmac_weights_desc_ggml(desc, (int32_t)t->type, (int64_t)t->dims[1], (int64_t)t->dims[0],
                                  t->data);
}

/* Why a matrix is left alone, or NULL. */
static const char *reason_to_leave(const struct model *model, const struct gguf_tensor *t)
{
    tmac_weights_desc desc;
    const tmac_status status = describe(t, &desc);

    if (status == TMAC_ERROR_GGML_TYPE)
        return "";
    if (status != TMAC_OK)
        return tmac_status_text(status);
    if (t->dims[2] > 1 || t->dims[3] > 1)
        return "the matrices of all experts in one";
    if (!strcmp(t->name, "token_embd.weight") && gguf_find(model->file, "output.weight"))
        return "looked up, not multiplied";
    return NULL;
}

static void add_other(struct model *model, const struct gguf_tensor *t, const char *reason)
{
    struct other *other = model->others;
    const struct other *end = other + model->other_count;

    while (other < end && (other->type != t->type || strcmp(other->reason, reason)))
        other++;
    if (other == end) {
        *other = (struct other){.type = t->type, .reason = reason};
        model->other_count++;
    }
    other->count++;
    other->bytes += t->bytes;
}

static void add_matrix(struct model *model, const struct gguf_tensor *t)
{
    struct kind wanted = {.type = t->type,
                          .rows = (int64_t)t->dims[1],
                          .cols = (int64_t)t->dims[0],
                          .peer_error = -1};
    struct kind *kind = model->kinds;
    const struct kind *end = kind + model->kind_count;

    kind_name(t->name, wanted.name, sizeof wanted.name);
    while (kind < end && (strcmp(kind->name, wanted.name) || kind->type != wanted.type ||
                          kind->rows != wanted.rows || kind->cols != wanted.cols))
        kind++;
    if (kind == end) {
        *kind = wanted;
        model->kind_count++;
    }
    model->matrices[model->matrix_count++] =
        (struct matrix){.tensor = t, .kind = (size_t)(kind - model->kinds)};
}

int model_open(struct model *model, const char *path)
{
    char err[256];

    *model = (struct model){.path = path};
    if (gguf_open(path, &model->file, err, sizeof err))
        return complain(path, "%s", err);
    const size_t count = gguf_count(model->file);
    model->matrices = calloc(count + 1, sizeof *model->matrices);
    model->kinds = calloc(count + 1, sizeof *model->kinds);
    model->others = calloc(count + 1, sizeof *model->others);
    if (!model->matrices || !model->kinds || !model->others)
        return complain(path, "out of memory");

    for (size_t i = 0; i < count; i++) {
        const struct gguf_tensor *t = gguf_tensor(model->file, i);
        if (t->n_dims < 2)
            continue; /* norms and biases: vectors */
        const char *reason = reason_to_leave(model, t);
        if (reason)
            add_other(model, t, reason);
        else
            add_matrix(model, t);
    }
    return 0;
}

/* ---- packing ---- */

/* Reads the blocks once, so that packing is timed and not the disk. */
static void touch(const struct gguf_tensor *t)
{
    static volatile unsigned char sink;
    const unsigned char *data = t->data;

    for (uint64_t at = 0; at < t->bytes; at += 4096)
        sink = data[at];
    (void)sink;
}

static void count_matrix(struct model *model, struct matrix *matrix)
{
    struct kind *kind = &model->kinds[matrix->kind];
    tmac_weights_info info = {.struct_size = sizeof info};

    tmac_weights_query(matrix->weights, &info);
    if (kind->count == 0)
        kind->info = info;
    matrix->layer = kind->count++;
    kind->file_bytes += matrix->tensor->bytes;
    kind->packed_bytes += info.packed_bytes;
    model->file_bytes += matrix->tensor->bytes;
    model->packed_bytes += info.packed_bytes;
}

/* A kind whose matrices were all refused. */
static void remove_kind(struct model *model, size_t kind)
{
    model->kind_count--;
    for (size_t i = kind; i < model->kind_count; i++)
        model->kinds[i] = model->kinds[i + 1];
    for (size_t i = 0; i < model->matrix_count; i++)
        model->matrices[i].kind -= model->matrices[i].kind > kind;
}

int model_pack(struct model *model, const tmac_context *context)
{
    size_t kept = 0;
    int result = 0;

    for (size_t i = 0; i < model->matrix_count && result == 0; i++) {
        struct matrix matrix = model->matrices[i];
        tmac_weights_desc desc;

        progress("packing", (double)i / (double)model->matrix_count);
        touch(matrix.tensor);
        const double start = seconds_now();
        tmac_status status = describe(matrix.tensor, &desc);
        if (status == TMAC_OK)
            status = tmac_weights_pack(context, &desc, &matrix.weights);
        model->pack_seconds += seconds_now() - start;
        if (status != TMAC_OK) {
            complain(model->path, "%s: %s", matrix.tensor->name, tmac_status_text(status));
            model->refused++;
            result = status == TMAC_ERROR_MEMORY ? -1 : 0;
            continue;
        }
        count_matrix(model, &matrix);
        model->matrices[kept++] = matrix;
    }
    model->matrix_count = kept;
    for (size_t k = model->kind_count; k-- > 0;)
        if (model->kinds[k].count == 0)
            remove_kind(model, k);
    return result;
}

void model_close(struct model *model)
{
    for (size_t i = 0; i < model->matrix_count; i++)
        tmac_weights_free(model->matrices[i].weights);
    free(model->matrices);
    free(model->kinds);
    free(model->others);
    gguf_close(model->file);
}
