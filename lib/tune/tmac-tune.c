/* SPDX-License-Identifier: MIT
 *
 * Measures which layouts and blockings are fastest on this machine, and keeps them in the file that
 * tuning_file_load reads. */
#include "matrices.h"
#include "tuning_file.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: tmac-tune [option...] MODEL.gguf\n"
    "       tmac-tune [option...] FORMAT ROWSxCOLS...\n"
    "\n"
    "Measures what is fastest for every kind of matrix in a model, or for matrices of a\n"
    "format (Q4_K, w2/g128, ternary/g32, ...), and adds it to the tuning file.\n"
    "\n"
    "  --threads N    to multiply with (all that OpenMP offers)\n"
    "  --isa NAME     the best instruction set to use (the machine's best)\n"
    "  --batch N      that the layout is chosen for (1: generating text)\n"
    "  --seconds S    for each candidate (0.1)\n"
    "  --file PATH    the tuning file ($XDG_CACHE_HOME or ~/.cache, /libtmac/tuning.txt)\n";

struct options {
    tmac_context_options context;
    tmac_tune_options tune;
    const char *file;
};

static int wrong_usage(void)
{
    fputs(usage, stderr);
    return EXIT_USAGE;
}

static int parse_number(const char *text, double low, double high, double *out)
{
    char *end;

    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= low && *out <= high))
        return complain("%s: not a number from %g to %g", text, low, high);
    return 0;
}

/* The code to exit with at once, or -1. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"threads", required_argument, NULL, 't'},
                                          {"isa", required_argument, NULL, 'i'},
                                          {"batch", required_argument, NULL, 'b'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"file", required_argument, NULL, 'f'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    double threads = 0, batch = 1, seconds = 0.1;
    int option, failed = 0;

    while (!failed && (option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if (option == 't')
            failed = parse_number(optarg, 1, 1024, &threads);
        else if (option == 'b')
            failed = parse_number(optarg, 1, 4096, &batch);
        else if (option == 's')
            failed = parse_number(optarg, 0.001, 60, &seconds);
        else if (option == 'i')
            options->context.isa = optarg;
        else if (option == 'f')
            options->file = optarg;
        else
            failed = -1;
    }
    options->context.threads = (int32_t)threads;
    options->tune.batch = (int64_t)batch;
    options->tune.seconds = seconds;
    return failed || optind >= argc ? wrong_usage() : -1;
}

static int find_matrices(int count, char **names, struct matrices *matrices)
{
    if (count == 1)
        return matrices_of_model(matrices, names[0]);
    for (int i = 1; i < count; i++)
        if (matrices_add_named(matrices, names[0], names[i]))
            return -1;
    return 0;
}

/* On a terminal one line that changes; nothing elsewhere. */
static void show_progress(void *name, int32_t done, int32_t count, const char *what)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, done == count ? "\r\033[K" : "\r\033[K%s  %d/%d  %s", (const char *)name,
                (int)done, (int)count, what);
}

/* What a context with this tuning would do. */
static int show_choice(const struct options *options, const tmac_tuning *tuning,
                       const struct matrix *matrix)
{
    tmac_context_options tuned = options->context;
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    tmac_context *context;
    tmac_status status;

    tuned.tuning = tuning;
    if ((status = tmac_context_create(&tuned, &context)))
        return complain("%s", tmac_status_text(status));
    status = tmac_packed_query(context, &matrix->desc, &plan);
    tmac_context_free(context);
    if (status != TMAC_OK)
        return complain("%s: %s", matrix->name, tmac_status_text(status));
    printf("%-28s %-8s %s\n", matrix->name, plan.layout, plan.kernel);
    fflush(stdout);
    return 0;
}

static int tune_all(const struct options *options, const struct matrices *matrices,
                    tmac_tuning *tuning)
{
    tmac_context *context;
    tmac_status status = tmac_context_create(&options->context, &context);
    int failed = 0;

    if (status != TMAC_OK)
        return complain("%s", tmac_status_text(status));
    printf("%s, %d threads\n", tmac_context_isa(context), (int)tmac_context_threads(context));
    for (size_t i = 0; i < matrices->count && !failed; i++) {
        tmac_tune_options tune = options->tune;

        tune.progress = show_progress;
        tune.progress_host = matrices->all[i].name;
        if ((status = tmac_tune(context, tuning, &matrices->all[i].desc, &tune)))
            failed = complain("%s: %s", matrices->all[i].name, tmac_status_text(status));
        else
            failed = show_choice(options, tuning, &matrices->all[i]);
    }
    tmac_context_free(context);
    return failed;
}

/* Adds to what the file holds. One of another machine, or a damaged one, is replaced. */
static int tune_and_save(const struct options *options, const struct matrices *matrices)
{
    tmac_tuning *tuning;
    tmac_status status = tmac_tuning_create(&tuning);
    int failed = 0;

    if (status != TMAC_OK)
        return complain("%s", tmac_status_text(status));
    if (tuning_file_load(tuning, options->file, &status) == TUNING_FILE_REFUSED)
        complain("the old file is replaced: %s", tmac_status_text(status));
    failed = tune_all(options, matrices, tuning);
    if (!failed && tuning_file_save(tuning, options->file, &status) != TUNING_FILE_OK)
        failed = complain("saving: %s", strerror(errno));
    if (!failed)
        printf("%lld choices in %s\n", (long long)tmac_tuning_count(tuning),
               options->file ? options->file : "the user's tuning file");
    tmac_tuning_free(tuning);
    return failed;
}

int main(int argc, char **argv)
{
    struct options options = {.context.struct_size = sizeof options.context,
                              .tune.struct_size = sizeof options.tune};
    struct matrices matrices = {NULL, 0, 0};
    const int code = parse(argc, argv, &options);

    if (code >= 0)
        return code;
    const bool failed = find_matrices(argc - optind, argv + optind, &matrices) ||
                        tune_and_save(&options, &matrices);
    matrices_free(&matrices);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
