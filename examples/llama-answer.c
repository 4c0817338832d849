/* SPDX-License-Identifier: MIT
 *
 * Asks a model through llama.cpp's library, streams the answer, and tells how fast it was: to see
 * what libtmac's plug-in does to an unmodified llama.cpp, which loads it when the environment
 * variable GGML_BACKEND_PATH names it. Nothing here knows libtmac. See answer/ for the parts.
 */
#define _POSIX_C_SOURCE 200809L

#include "answer/chat.h"
#include "answer/log.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, MAX_PROMPT_BYTES = 1 << 20 };

struct options {
    const char *model, *backends, *prompt, *file, *times;
    int tokens, threads, repeat;
    bool quiet, verbose;
};

static const char usage[] =
    "usage: llama-answer MODEL.gguf --backends FOLDER (--prompt TEXT | --file FILE) [option...]\n"
    "\n"
    "  --backends FOLDER  where llama.cpp's libggml-cpu-*.so are\n"
    "  --prompt TEXT      what to ask the model\n"
    "  --file FILE        the same, from a file\n"
    "  --tokens N         length of the answer, at most (96)\n"
    "  --threads N        threads (all CPUs)\n"
    "  --repeat N         read the prompt and answer N times; the best times count (1)\n"
    "  --times FILE       append the times to FILE, instead of telling them: tokens of the "
    "prompt,\n"
    "                     seconds, tokens of the answer, seconds, and the share of the threads' "
    "time\n"
    "                     that they had a CPU\n"
    "  --quiet            do not print the answer\n"
    "  --verbose          print llama.cpp's log\n"
    "\n"
    "The answer goes to stdout, everything else to stderr. With libtmac:\n"
    "  GGML_BACKEND_PATH=/path/to/libggml-tmac.so llama-answer ...\n";

static int wrong_usage(void)
{
    fputs(usage, stderr);
    return EXIT_USAGE;
}

static int parse_number(const char *name, const char *text, long high, int *out)
{
    char *end;
    const long number = strtol(text, &end, 10);
    if (end == text || *end || number < 1 || number > high)
        return complain(NULL, "--%s %s: not a number from 1 to %ld", name, text, high);
    *out = (int)number;
    return 0;
}

/* One option's value into its place. */
static int parse_value(int option, struct options *options)
{
    switch (option) {
    case 'n':
        return parse_number("tokens", optarg, 1 << 20, &options->tokens);
    case 't':
        return parse_number("threads", optarg, 512, &options->threads);
    case 'r':
        return parse_number("repeat", optarg, 1000, &options->repeat);
    case 'b':
        options->backends = optarg;
        return 0;
    case 'p':
        options->prompt = optarg;
        return 0;
    case 'f':
        options->file = optarg;
        return 0;
    case 'o':
        options->times = optarg;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    }
    return wrong_usage();
}

/* The code to exit with at once, or -1. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"backends", required_argument, NULL, 'b'},
                                          {"prompt", required_argument, NULL, 'p'},
                                          {"file", required_argument, NULL, 'f'},
                                          {"tokens", required_argument, NULL, 'n'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"repeat", required_argument, NULL, 'r'},
                                          {"times", required_argument, NULL, 'o'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int option;

    *options = (struct options){.tokens = 96, .repeat = 1, .threads = cpus > 0 ? (int)cpus : 1};
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if (parse_value(option, options))
            return EXIT_USAGE;
    }
    if (argc - optind != 1 || !options->prompt == !options->file)
        return wrong_usage();
    options->model = argv[optind];
    return -1;
}

/* The text of a file, without the line ends at its end; on the heap. NULL after a complaint. */
static char *read_prompt(const char *path)
{
    char *text = calloc(MAX_PROMPT_BYTES + 1, 1);
    FILE *file = fopen(path, "r");
    size_t size = 0;

    if (!file)
        complain(path, "%s", strerror(errno));
    else if (!text)
        complain(NULL, "out of memory");
    else if ((size = fread(text, 1, MAX_PROMPT_BYTES + 1, file)) > MAX_PROMPT_BYTES)
        complain(path, "longer than %d bytes", MAX_PROMPT_BYTES);
    else if (ferror(file))
        complain(path, "cannot be read");
    else if (strlen(text) != size)
        complain(path, "not a text");
    else {
        while (size > 0 && text[size - 1] == '\n')
            text[--size] = 0;
        fclose(file);
        return text;
    }
    if (file)
        fclose(file);
    free(text);
    return NULL;
}

static int ask(struct chat *chat, const struct options *options, struct answer *best)
{
    struct answer answer;

    *best = (struct answer){.prompt_seconds = INFINITY, .seconds = INFINITY};
    for (int i = 0; i < options->repeat; i++) {
        if (chat_answer(chat, options->tokens, i == 0 && !options->quiet, &answer))
            return -1;
        best->tokens = answer.tokens;
        best->prompt_seconds = fmin(best->prompt_seconds, answer.prompt_seconds);
        best->seconds = fmin(best->seconds, answer.seconds);
        best->cpu_share = fmax(best->cpu_share, answer.cpu_share);
    }
    return 0;
}

static int tell(const struct chat *chat, const struct answer *best, const char *path)
{
    if (!path) {
        fprintf(stderr, "\nprompt %d tokens, %.1f tokens/s; answer %d tokens, %.1f tokens/s\n",
                chat->prompt_tokens, chat->prompt_tokens / best->prompt_seconds, best->tokens,
                best->tokens ? best->tokens / best->seconds : 0);
        return 0;
    }
    FILE *file = fopen(path, "a");
    if (!file)
        return complain(path, "%s", strerror(errno));
    const bool written =
        fprintf(file, "%d %.6f %d %.6f %.2f\n", chat->prompt_tokens, best->prompt_seconds,
                best->tokens, best->seconds, best->cpu_share) > 0;
    return fclose(file) == 0 && written ? 0 : complain(path, "cannot be written");
}

static int run(const struct options *options, const char *text)
{
    struct chat chat;
    struct answer best;

    int result = chat_open(&chat, options->model, options->backends);
    if (result == 0)
        result = chat_prompt(&chat, text, options->tokens, options->threads);
    if (result == 0)
        result = ask(&chat, options, &best);
    if (result == 0)
        result = tell(&chat, &best, options->times);
    chat_close(&chat);
    return result;
}

int main(int argc, char **argv)
{
    struct options options;
    char *text = NULL;

    const int code = parse(argc, argv, &options);
    if (code >= 0)
        return code;
    if (options.file && !(text = read_prompt(options.file)))
        return EXIT_FAILURE;
    log_start(options.verbose);
    const int result = run(&options, text ? text : options.prompt);
    log_end();
    free(text);
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
