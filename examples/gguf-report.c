/* SPDX-License-Identifier: MIT
 *
 * What libtmac does with a real model: packs every low-bit matrix of a GGUF file, multiplies each
 * with activations, and tells how fast and how exactly, next to llama.cpp's own kernels in the same
 * process and to the speed of this machine's memory. See report/ for the parts.
 */
#include "report/print.h"
#include "report/progress.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2 };

/* The largest error of a kernel that works: activations rounded to 8 bits cost up to about 1e-3 here,
 * beside outliers. One that does not work is near 1. */
static const double WRONG = 1e-2;

struct options {
    const char *model, *peer, *isa;
    int threads;
    double seconds;
};

static const char usage[] =
    "usage: gguf-report MODEL.gguf [--peer FOLDER] [--threads N] [--isa NAME] [--seconds S]\n"
    "\n"
    "  --peer FOLDER   compare with the llama.cpp in FOLDER (libggml-base.so, libggml-cpu-*.so)\n"
    "  --threads N     threads of libtmac and of llama.cpp (1)\n"
    "  --isa NAME      the best instruction set that libtmac may use: scalar, x86-avx2,\n"
    "                  x86-avx-vnni, x86-avx512, x86-avx512-vnni, x86-avx512-vbmi, arm64,\n"
    "                  arm64-dotprod (the machine's best)\n"
    "  --seconds S     how long to measure (6)\n";

static int parse_number(const char *name, const char *text, double low, double high, double *out)
{
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= low && *out <= high))
        return complain(NULL, "--%s %s: not a number from %g to %g", name, text, low, high);
    return 0;
}

static int wrong_usage(void)
{
    fputs(usage, stderr);
    return EXIT_USAGE;
}

/* The code to exit with at once, or -1. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"peer", required_argument, NULL, 'p'}, {"threads", required_argument, NULL, 't'},
        {"isa", required_argument, NULL, 'i'},  {"seconds", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    double threads = 1;
    int option;

    *options = (struct options){.seconds = 6};
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if ((option == 't' && parse_number("threads", optarg, 1, 1024, &threads)) ||
            (option == 's' && parse_number("seconds", optarg, 0, 3600, &options->seconds)))
            return EXIT_USAGE;
        if (option == 'p')
            options->peer = optarg;
        else if (option == 'i')
            options->isa = optarg;
        else if (option == '?')
            return wrong_usage();
    }
    if (argc - optind != 1)
        return wrong_usage();
    options->threads = (int)threads;
    options->model = argv[optind];
    return -1;
}

static int open_context(const struct options *options, tmac_context **context)
{
    const tmac_context_options wanted = {
        .struct_size = sizeof wanted, .isa = options->isa, .threads = options->threads};
    const tmac_status status = tmac_context_create(&wanted, context);

    if (status == TMAC_OK)
        return 0;
    return options->isa ? complain(NULL, "--isa %s: %s", options->isa, tmac_status_text(status))
                        : complain(NULL, "%s", tmac_status_text(status));
}

/* A report without a comparison is a report. */
static void open_peer(const struct options *options, peer **out)
{
    char err[256];

    if (!options->peer)
        complain(NULL, "no --peer, so no comparison with llama.cpp");
    else if (peer_open(options->peer, NULL, out, err, sizeof err))
        complain(options->peer, "no comparison with llama.cpp: %s", err);
}

static int measure_all(struct bench *bench, double seconds)
{
    const int layouts = bench->peer ? 2 : 1; /* of the peer: plain, repacked */

    for (int size = ONE; size < SIZES; size++)
        for (int repacked = 0; repacked < layouts; repacked++)
            if (measure(bench, size, repacked, seconds / (SIZES * layouts)))
                return -1;
    return measure_errors(bench);
}

static void print_report(const struct bench *bench)
{
    progress_clear();
    print_head(bench);
    print_table(bench);
    print_totals(bench);
    print_others(bench->model);
}

static int complain_wrong(const struct model *model)
{
    int result = model->refused ? -1 : 0;

    for (size_t k = 0; k < model->kind_count; k++)
        if (!(model->kinds[k].error < WRONG))
            result = complain(model->path, "%s: the results are wrong", model->kinds[k].name);
    return result;
}

/* With the model open and the context made. */
static int report(const struct options *options, struct model *model, const tmac_context *context)
{
    struct bench bench = {0};
    peer *peer = NULL;

    if (model_pack(model, context))
        return -1;
    if (model->kind_count == 0) {
        print_others(model);
        return complain(model->path, "no low-bit matrices of a type that libtmac imports");
    }
    open_peer(options, &peer);
    int result = bench_open(&bench, model, context, peer);
    if (result == 0)
        result = measure_all(&bench, options->seconds);
    if (result == 0) {
        print_report(&bench);
        result = complain_wrong(model);
    }
    bench_close(&bench);
    peer_close(peer);
    return result;
}

int main(int argc, char **argv)
{
    struct options options;
    struct model model = {0};
    tmac_context *context = NULL;

    const int code = parse(argc, argv, &options);
    if (code >= 0)
        return code;
    int result = open_context(&options, &context);
    if (result == 0)
        result = model_open(&model, options.model);
    if (result == 0)
        result = report(&options, &model, context);
    progress_clear();
    model_close(&model);
    tmac_context_free(context);
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
