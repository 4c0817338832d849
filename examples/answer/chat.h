/* SPDX-License-Identifier: MIT
 *
 * A model, a prompt in it, and what the model answers. Every function that can fail returns 0, or -1
 * after it has complained.
 */
#ifndef ANSWER_CHAT_H
#define ANSWER_CHAT_H

#include <llama.h>

#include <stdbool.h>

struct chat {
    const char *path;
    struct llama_model *model;
    const struct llama_vocab *vocab;
    struct llama_context *context;
    llama_token *prompt;
    int prompt_tokens;
};

/* How long one answer took; the tokens of an answer are those that were evaluated. */
struct answer {
    int tokens;
    double prompt_seconds, seconds;
    double
        cpu_share; /* of the threads' time; far below 1 on a machine that is busy with other work */
};

/* Loads the model, and llama.cpp's backends from a folder (NULL: where llama.cpp finds them), which
 * also loads the plug-in that GGML_BACKEND_PATH names. */
int chat_open(struct chat *chat, const char *model, const char *backends);
/* Puts the model's chat template around the text, makes room for an answer after it, and multiplies
 * with all weights once, so that they are in memory. */
int chat_prompt(struct chat *chat, const char *text, int answer_tokens, int threads);
/* Forgets everything, reads the prompt, and always goes on with the likeliest token. Prints the
 * answer as it comes if `print`. */
int chat_answer(struct chat *chat, int max_tokens, bool print, struct answer *answer);
void chat_close(struct chat *chat);

#endif
