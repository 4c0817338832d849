/* SPDX-License-Identifier: MIT
 * A whole model in llama.cpp, with its weights in the plug-in's buffers against the same weights in the
 * CPU backend's own (use_extra_bufts off), in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include <cmocka.h>

#include "ggml-backend.h"
#include "gguf.h"
#include "llama.h"

#include "session.h"

enum { TOKENS = 16, STEPS = 2 }; /* a prompt, then tokens one by one */

/* Relative squared error of logits. Either side's products are off by up to about 1e-4 (docs/numerics.md,
 * "Measured"). What a layer adds to the residual stream has passed two or three of them, the logits one
 * more; errors of different layers are independent, so their sum is relatively no worse than each. That
 * makes 2 * 4 * 1e-4. The tokens are fixed: there is no chance in it. Wrong weights give about 1. */
static const double bound = 1e-3;

static struct llama_model *ours, *plain;

static struct llama_model *load(bool extra, enum llama_load_mode mode, bool no_alloc)
{
    struct llama_model_params params = llama_model_default_params();

    params.use_extra_bufts = extra;
    params.load_mode = mode;
    params.no_alloc = no_alloc;
    return llama_model_load_from_file(getenv("TMAC_MODEL"), params);
}

struct run {
    struct llama_model *model;
    enum llama_flash_attn_type flash;
    int threads;
    int batch; /* tokens of the prompt at once */
    struct llama_adapter_lora *adapter;
    int vocab;
    float *logits; /* [TOKENS + STEPS][vocab] */
};

static void evaluate(struct llama_context *context, struct run *r, const llama_token *tokens,
                     int first, int count)
{
    struct llama_batch batch = llama_batch_init(count, 0, 1);

    batch.n_tokens = count;
    for (int i = 0; i < count; i++) {
        batch.token[i] = tokens[first + i];
        batch.pos[i] = first + i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = true;
    }
    assert_int_equal(llama_decode(context, batch), 0);
    for (int i = 0; i < count; i++)
        memcpy(r->logits + (size_t)(first + i) * (size_t)r->vocab, llama_get_logits_ith(context, i),
               (size_t)r->vocab * sizeof(float));
    llama_batch_free(batch);
}

/* Fixed tokens, so that every run sees the same whatever its logits say. */
static void run_model(struct run *r)
{
    struct llama_context_params params = llama_context_default_params();
    struct llama_context *context;
    llama_token tokens[TOKENS + STEPS];
    float scale = 1.0f;

    params.n_ctx = 64;
    params.n_batch = params.n_ubatch = TOKENS;
    params.n_threads = params.n_threads_batch = r->threads;
    params.flash_attn_type = r->flash;
    context = llama_init_from_model(r->model, params);
    assert_non_null(context);
    if (r->adapter)
        assert_int_equal(llama_set_adapters_lora(context, &r->adapter, 1, &scale), 0);
    r->vocab = llama_vocab_n_tokens(llama_model_get_vocab(r->model));
    r->logits = malloc((size_t)(TOKENS + STEPS) * (size_t)r->vocab * sizeof *r->logits);
    for (int i = 0; i < TOKENS + STEPS; i++)
        tokens[i] = (llama_token)((1000 + 7919 * i) % r->vocab);
    for (int i = 0; i < TOKENS; i += r->batch)
        evaluate(context, r, tokens, i, r->batch);
    for (int i = TOKENS; i < TOKENS + STEPS; i++)
        evaluate(context, r, tokens, i, 1);
    llama_free(context);
}

static double error_between(const struct run *got, const struct run *right)
{
    double error = 0.0, all = 0.0;

    for (size_t i = 0; i < (size_t)(TOKENS + STEPS) * (size_t)right->vocab; i++) {
        const double off = (double)got->logits[i] - (double)right->logits[i];
        error += off * off;
        all += (double)right->logits[i] * (double)right->logits[i];
    }
    return error / all;
}

/* Both round activations; their errors add up. */
static void check_against_plain(struct run ours_run, struct run plain_run, const char *what)
{
    double error;

    run_model(&ours_run);
    run_model(&plain_run);
    error = error_between(&ours_run, &plain_run);
    print_message("%s: relative squared error of logits %.2e\n", what, error);
    assert_true(error > 0.0); /* or the plug-in was not at work */
    assert_true(error <= bound);
    free(ours_run.logits);
    free(plain_run.logits);
}

static void test_logits(void **unused)
{
    static const enum llama_flash_attn_type flash[] = {LLAMA_FLASH_ATTN_TYPE_DISABLED,
                                                       LLAMA_FLASH_ATTN_TYPE_ENABLED};

    (void)unused;
    for (int f = 0; f < 2; f++) {
        struct run a = {.model = ours, .flash = flash[f], .threads = 1 + f, .batch = TOKENS};
        struct run b = {.model = plain, .flash = flash[f], .threads = 1 + f, .batch = TOKENS};
        check_against_plain(a, b, f ? "flash attention, 2 threads" : "attention, 1 thread");
    }
}

static void test_one_by_one(void **unused)
{
    struct run a = {.model = ours, .threads = 1, .batch = 1};
    struct run b = {.model = plain, .threads = 1, .batch = 1};

    (void)unused;
    check_against_plain(a, b, "token by token");
}

/* Read instead of mapped: the same bytes, the same results. */
static void test_no_mmap(void **unused)
{
    struct llama_model *read = load(true, LLAMA_LOAD_MODE_NONE, false);
    struct run a = {.model = ours, .threads = 2, .batch = TOKENS};
    struct run b = {.model = read, .threads = 2, .batch = TOKENS};

    (void)unused;
    assert_non_null(read);
    run_model(&a);
    run_model(&b);
    assert_true(error_between(&a, &b) == 0.0);
    free(a.logits);
    free(b.logits);
    llama_model_free(read);
}

/* What llama.cpp does to find out how much memory a model takes. */
static void test_no_alloc(void **unused)
{
    struct llama_model *none = load(true, LLAMA_LOAD_MODE_NONE, true);

    (void)unused;
    assert_non_null(none);
    llama_model_free(none);
}

static int run_in_thread(void *arg)
{
    run_model(arg);
    return 0;
}

static void test_two_contexts(void **unused)
{
    struct run runs[3];
    thrd_t threads[2];

    (void)unused;
    for (int i = 0; i < 3; i++)
        runs[i] = (struct run){.model = ours, .threads = 1, .batch = TOKENS};
    run_model(&runs[2]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(thrd_create(&threads[i], run_in_thread, &runs[i]), thrd_success);
    for (int i = 0; i < 2; i++)
        thrd_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        assert_true(error_between(&runs[i], &runs[2]) == 0.0);
    for (int i = 0; i < 3; i++)
        free(runs[i].logits);
}

/* An adapter of rank 4 on two matrices of the first layer. */
static void write_adapter(const char *path, int64_t embedding)
{
    const struct ggml_init_params params = {1 << 20, NULL, false};
    struct ggml_context *context = ggml_init(params);
    struct gguf_context *file = gguf_init_empty();
    struct rng rng = rng_stream(1, 2, 3);
    static const char *const names[] = {"blk.0.attn_q.weight", "blk.0.attn_output.weight"};

    gguf_set_val_str(file, "general.type", "adapter");
    gguf_set_val_str(file, "general.architecture", "llama");
    gguf_set_val_str(file, "adapter.type", "lora");
    gguf_set_val_f32(file, "adapter.lora.alpha", 4.0f);
    for (int i = 0; i < 2; i++) {
        struct ggml_tensor *a = ggml_new_tensor_2d(context, GGML_TYPE_F32, embedding, 4);
        struct ggml_tensor *b = ggml_new_tensor_2d(context, GGML_TYPE_F32, 4, embedding);
        ggml_format_name(a, "%s.lora_a", names[i]);
        ggml_format_name(b, "%s.lora_b", names[i]);
        for (int64_t k = 0; k < 4 * embedding; k++) {
            ((float *)a->data)[k] = 0.15f * rng_normal(&rng);
            ((float *)b->data)[k] = 0.15f * rng_normal(&rng);
        }
        gguf_add_tensor(file, a);
        gguf_add_tensor(file, b);
    }
    assert_true(gguf_write_to_file(file, path, false));
    gguf_free(file);
    ggml_free(context);
}

static void test_adapter(void **unused)
{
    const char *path = getenv("TMAC_TEST_ADAPTER");
    struct run a = {.model = ours, .threads = 2, .batch = TOKENS};
    struct run b = {.model = plain, .threads = 2, .batch = TOKENS};
    struct run without = b;

    (void)unused;
    write_adapter(path, llama_model_n_embd(ours));
    a.adapter = llama_adapter_lora_init(ours, path);
    b.adapter = llama_adapter_lora_init(plain, path);
    assert_non_null(a.adapter);
    assert_non_null(b.adapter);
    check_against_plain(a, b, "adapter");
    run_model(&b);
    run_model(&without);
    assert_true(error_between(&b, &without) > bound); /* the adapter does something */
    free(b.logits);
    free(without.logits);
    remove(path);
}

static void quiet(enum ggml_log_level level, const char *text, void *data)
{
    (void)data;
    if (level >= GGML_LOG_LEVEL_WARN || strstr(text, "tmac") || strstr(text, "load_tensors"))
        fputs(text, stderr);
}

static int load_models(void **unused)
{
    (void)unused;
    ours = load(true, LLAMA_LOAD_MODE_MMAP, false);
    plain = load(false, LLAMA_LOAD_MODE_MMAP, false);
    return !ours || !plain;
}

static int free_models(void **unused)
{
    (void)unused;
    llama_model_free(ours);
    llama_model_free(plain);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logits),       cmocka_unit_test(test_one_by_one),
        cmocka_unit_test(test_no_mmap),      cmocka_unit_test(test_no_alloc),
        cmocka_unit_test(test_two_contexts), cmocka_unit_test(test_adapter),
    };

    if (!getenv("TMAC_MODEL")) {
        print_message("TMAC_MODEL names no model\n");
        return 77; /* skipped, to Meson */
    }
    llama_log_set(quiet, NULL);
    if (!session_load())
        return 1;
    return cmocka_run_group_tests(tests, load_models, free_models);
}
