/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tmac.h"

bool tmac_type(int index, enum ggml_type *type)
{
    tmac_format_info info = {.struct_size = sizeof info};

    if (tmac_format_query(index, &info) || info.ggml_type < 0)
        return false;
    *type = (enum ggml_type)info.ggml_type;
    return true;
}

ggml_backend_buffer_type_t tmac_buffer_type(void)
{
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_dev_t own = ggml_backend_dev_by_name("TMAC");
    ggml_backend_dev_get_extra_bufts_t list =
        (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(cpu), "ggml_backend_dev_get_extra_bufts");

    if (own)
        return ggml_backend_dev_buffer_type(own);
    for (ggml_backend_buffer_type_t *type = list(cpu); *type; type++)
        if (!strcmp(ggml_backend_buft_name(*type), "TMAC"))
            return *type;
    return NULL;
}

bool session_load(void)
{
    ggml_backend_load_all_from_path(getenv("TMAC_TEST_LLAMA"));
    if (!tmac_buffer_type())
        print_error("the plug-in was not loaded\n");
    return tmac_buffer_type() != NULL;
}

void weights_new(struct weights *w, enum ggml_type type, const int64_t ne[4], bool set,
                 struct rng *rng)
{
    const struct ggml_init_params params = {4 * ggml_tensor_overhead(), NULL, true};
    const int64_t rows = ne[1] * ne[2] * ne[3], count = ne[0] * rows;

    w->context = ggml_init(params);
    w->tensor = ggml_new_tensor(w->context, type, 4, ne);
    w->buffer = ggml_backend_alloc_ctx_tensors_from_buft(w->context, tmac_buffer_type());
    assert_non_null(w->buffer);
    ggml_backend_buffer_set_usage(w->buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    w->bytes = ggml_nbytes(w->tensor);
    w->blocks = malloc(w->bytes);
    w->floats = malloc((size_t)count * sizeof *w->floats);
    for (int64_t i = 0; i < count; i++)
        w->floats[i] = rng_normal(rng);
    assert_int_equal(ggml_quantize_chunk(type, w->floats, w->blocks, 0, rows, ne[0], NULL),
                     w->bytes);
    ggml_get_type_traits(type)->to_float(w->blocks, w->floats, count);
    if (set)
        ggml_backend_tensor_set(w->tensor, w->blocks, 0, w->bytes);
}

void weights_free(struct weights *w)
{
    ggml_backend_buffer_free(w->buffer);
    ggml_free(w->context);
    free(w->blocks);
    free(w->floats);
}

/* The CPU comes last, as the scheduler wants it. */
void session_new(struct session *s, int threads)
{
    const struct ggml_init_params params = {64 * ggml_tensor_overhead() + ggml_graph_overhead(),
                                            NULL, true};
    ggml_backend_dev_t own = ggml_backend_dev_by_name("TMAC");

    memset(s, 0, sizeof *s);
    if (own)
        s->backends[s->count++] = ggml_backend_dev_init(own, NULL);
    s->backends[s->count++] = ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, NULL);
    for (int i = 0; i < s->count; i++) {
        ggml_backend_dev_t dev = ggml_backend_get_device(s->backends[i]);
        ggml_backend_set_n_threads_t set =
            (ggml_backend_set_n_threads_t)ggml_backend_reg_get_proc_address(
                ggml_backend_dev_backend_reg(dev), "ggml_backend_set_n_threads");
        set(s->backends[i], threads);
    }
    s->sched = ggml_backend_sched_new(s->backends, NULL, s->count, 64, false, false);
    s->context = ggml_init(params);
    s->graph = ggml_new_graph_custom(s->context, 64, false);
}

void session_free(struct session *s)
{
    ggml_backend_sched_free(s->sched);
    for (int i = 0; i < s->count; i++)
        ggml_backend_free(s->backends[i]);
    ggml_free(s->context);
}

float *session_compute(struct session *s, struct ggml_tensor *y, void (*fill)(void *arg), void *arg)
{
    float *out = malloc(ggml_nbytes(y));

    ggml_build_forward_expand(s->graph, y);
    assert_true(ggml_backend_sched_alloc_graph(s->sched, s->graph));
    fill(arg);
    assert_int_equal(ggml_backend_sched_graph_compute(s->sched, s->graph), GGML_STATUS_SUCCESS);
    ggml_backend_tensor_get(y, out, 0, ggml_nbytes(y));
    return out;
}

double squared_error(const float *y, const double *right, int64_t count)
{
    double error = 0.0;

    for (int64_t i = 0; i < count; i++)
        error += (right[i] - (double)y[i]) * (right[i] - (double)y[i]);
    return error;
}
