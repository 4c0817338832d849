/* SPDX-License-Identifier: MIT
 *
 * See chat.h.
 */
#include "chat.h"
#include "log.h"

#include <ggml-backend.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- opening ---- */

static int load_backends(const char *folder)
{
    const char *plug_in = getenv("GGML_BACKEND_PATH");

    if (folder)
        ggml_backend_load_all_from_path(folder);
    else
        ggml_backend_load_all();
    if (plug_in && log_has_error()) /* there is no other sign */
        return complain(plug_in, "cannot be loaded as GGML_BACKEND_PATH");
    if (!ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU))
        return complain(folder, "no backend of llama.cpp for this CPU: name the folder of "
                                "libggml-cpu-*.so with --backends");
    return 0;
}

int chat_open(struct chat *chat, const char *model, const char *backends)
{
    *chat = (struct chat){.path = model};
    if (load_backends(backends))
        return -1;
    chat->model = llama_model_load_from_file(model, llama_model_default_params());
    if (!chat->model)
        return complain(model, "llama.cpp cannot load this model");
    if (!llama_model_has_decoder(chat->model) || llama_model_has_encoder(chat->model))
        return complain(model, "not a model that continues text");
    chat->vocab = llama_model_get_vocab(chat->model);
    return 0;
}

/* Evaluates the tokens, and adds the time that it takes. */
static int evaluate(struct chat *chat, llama_token *tokens, int count, double *seconds)
{
    const int64_t start = llama_time_us();
    const int status = llama_decode(chat->context, llama_batch_get_one(tokens, count));

    if (status)
        return complain(chat->path, "llama_decode returned %d", status);
    llama_synchronize(chat->context);
    *seconds += 1e-6 * (double)(llama_time_us() - start);
    return 0;
}

/* ---- the prompt ---- */

/* The text with the model's chat template around it, on the heap. NULL without memory. A model
 * without a template, or with one that llama.cpp's library does not know, gets the bare text. */
static char *apply_template(const struct chat *chat, const char *text)
{
    const char *template = llama_model_chat_template(chat->model, NULL);
    const struct llama_chat_message message = {.role = "user", .content = text};
    const int length =
        template ? llama_chat_apply_template(template, &message, 1, true, NULL, 0) : -1;

    if (length < 0)
        return strdup(text);
    char *whole = calloc((size_t)length + 1, 1);
    if (whole)
        llama_chat_apply_template(template, &message, 1, true, whole, length + 1);
    return whole;
}

static int tokenize(struct chat *chat, const char *text)
{
    const size_t length = strlen(text);
    if (length > INT_MAX / 2)
        return complain(NULL, "the prompt is too long");
    const int count = -llama_tokenize(chat->vocab, text, (int)length, NULL, 0, true, true);

    if (count <= 0)
        return complain(chat->path, "the prompt has no tokens");
    chat->prompt = malloc((size_t)count * sizeof *chat->prompt);
    if (!chat->prompt)
        return complain(NULL, "out of memory");
    chat->prompt_tokens =
        llama_tokenize(chat->vocab, text, (int)length, chat->prompt, count, true, true);
    return chat->prompt_tokens == count ? 0
                                        : complain(chat->path, "the prompt cannot be tokenized");
}

static int open_context(struct chat *chat, int tokens, int threads)
{
    struct llama_context_params params = llama_context_default_params();

    params.n_ctx = (uint32_t)tokens;
    params.n_batch = (uint32_t)tokens; /* all of the prompt in one call */
    params.n_threads = params.n_threads_batch = threads;
    chat->context = llama_init_from_model(chat->model, params);
    return chat->context ? 0 : complain(chat->path, "llama.cpp has no room for %d tokens", tokens);
}

int chat_prompt(struct chat *chat, const char *text, int answer_tokens, int threads)
{
    char *whole = apply_template(chat, text);
    if (!whole)
        return complain(NULL, "out of memory");
    const int failed = tokenize(chat, whole);
    free(whole);
    if (failed)
        return -1;

    const int limit = llama_model_n_ctx_train(chat->model);
    if (chat->prompt_tokens > limit - answer_tokens)
        return complain(chat->path,
                        "%d tokens of the prompt and %d of the answer: the model remembers %d",
                        chat->prompt_tokens, answer_tokens, limit);
    if (open_context(chat, chat->prompt_tokens + answer_tokens, threads))
        return -1;
    double unused = 0;
    return evaluate(chat, chat->prompt, 1, &unused);
}

/* ---- the answer ---- */

static int likeliest(struct chat *chat, llama_token *token)
{
    const float *logits = llama_get_logits_ith(chat->context, -1);
    const int count = llama_vocab_n_tokens(chat->vocab);
    int best = 0;

    for (int i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    *token = best;
    return isfinite(logits[best]) ? 0 : complain(chat->path, "the results are not numbers");
}

/* A token may be a part of a character: printed as it is, the terminal puts them together. */
static void print_token(const struct chat *chat, llama_token token)
{
    char piece[256];
    const int length = llama_token_to_piece(chat->vocab, token, piece, sizeof piece, 0, false);

    if (length > 0)
        fwrite(piece, 1, (size_t)length, stdout);
    fflush(stdout);
}

int chat_answer(struct chat *chat, int max_tokens, bool print, struct answer *answer)
{
    const int threads = llama_n_threads(chat->context);
    const clock_t start = clock();
    llama_token token;

    *answer = (struct answer){0};
    llama_memory_clear(llama_get_memory(chat->context), true);
    if (evaluate(chat, chat->prompt, chat->prompt_tokens, &answer->prompt_seconds))
        return -1;
    while (answer->tokens < max_tokens) {
        if (likeliest(chat, &token))
            return -1;
        if (llama_vocab_is_eog(chat->vocab, token))
            break;
        if (print)
            print_token(chat, token);
        if (evaluate(chat, &token, 1, &answer->seconds))
            return -1;
        answer->tokens++;
    }
    if (print)
        putchar('\n');
    answer->cpu_share = (double)(clock() - start) / CLOCKS_PER_SEC /
                        (threads * (answer->prompt_seconds + answer->seconds));
    return 0;
}

void chat_close(struct chat *chat)
{
    if (chat->context)
        llama_free(chat->context);
    if (chat->model)
        llama_model_free(chat->model);
    free(chat->prompt);
}
