/* SPDX-License-Identifier: MIT
 *
 * See print.h. No line is wider than 110 characters.
 */
#include "print.h"

#include <stdio.h>
#include <string.h>

enum { NAME_WIDTH = 14, LABEL_WIDTH = 13 };

enum { CELL = 24 };

static const char *number(char *cell, const char *format, double value)
{
    snprintf(cell, CELL, format, value);
    return cell;
}

/* With as many decimals as its size needs. */
static const char *figure(char *cell, double value)
{
    return number(cell, value < 0.1 ? "%.4f" : value < 100 ? "%.2f" : "%.1f", value);
}

static const char *megabytes(char *cell, uint64_t bytes)
{
    return figure(cell, (double)bytes * 1e-6);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *plural(int count)
{
    return count == 1 ? "" : "s";
}

static int64_t weights_of(const struct model *model)
{
    int64_t weights = 0;
    for (size_t k = 0; k < model->kind_count; k++)
        weights += model->kinds[k].rows * model->kinds[k].cols * (int64_t)model->kinds[k].count;
    return weights;
}

void print_head(const struct bench *bench)
{
    const struct model *model = bench->model;
    char cell[CELL];

    printf("%-*s%s: %s million weights in %zu low-bit matri%s\n", LABEL_WIDTH, "model",
           base_name(model->path), figure(cell, (double)weights_of(model) * 1e-6),
           model->matrix_count, model->matrix_count == 1 ? "x" : "ces");
    printf("%-*slibtmac %s, instruction set %s, %d thread%s\n", LABEL_WIDTH, "library",
           tmac_version_text(), tmac_context_isa(bench->context), bench->threads,
           plural(bench->threads));
    if (bench->peer)
        printf("%-*sllama.cpp's prebuilt kernels for this CPU (%s), in this process, %d thread%s\n",
               LABEL_WIDTH, "compared to", peer_variant(bench->peer), bench->threads,
               plural(bench->threads));
    if (bench->roof > 0)
        printf("%-*s%.1f GB/s: how fast %d thread%s can read %s MB here, as much as all packed "
               "weights\n",
               LABEL_WIDTH, "memory roof", bench->roof * 1e-9, bench->threads,
               plural(bench->threads), megabytes(cell, model->packed_bytes));
    putchar('\n');
}

/* ---- the table ---- */

/* What one line of the table shows, ready to print: headings and rows in the same widths. */
struct line {
    const char *name, *count, *shape, *type, *bits; /* the kind */
    const char *time, *speed, *read, *roof, *error; /* libtmac, 1 input */
    const char *peer_time, *peer_ratio, *many_speed, *many_ratio;
};

static void print_line(const struct line *line, int has_peer)
{
    printf("%-*s%4s %11s %-5s %6s", NAME_WIDTH, line->name, line->count, line->shape, line->type,
           line->bits);
    printf("  %8s %6s %5s %5s %7s", line->time, line->speed, line->read, line->roof, line->error);
    if (has_peer)
        printf("  %8s %6s  %6s %6s\n", line->peer_time, line->peer_ratio, line->many_speed,
               line->many_ratio);
    else
        printf("  %10s\n", line->many_speed);
}

static void print_headings(int has_peer)
{
    printf("%-43s %35s", "", "-------- libtmac, 1 input --------");
    puts(has_peer ? "  -- llama.cpp --  - 32 inputs -" : "  32 inputs");
    print_line(&(struct line){"", "", "", "", "bits/", "time", "speed", "read", "of", "squared",
                              "time", "times", "speed", "times"},
               has_peer);
    print_line(&(struct line){"matrix", "no.", "rows x cols", "type", "weight", "us", "G/s", "GB/s",
                              "roof", "error", "us", "faster", "G/s", "faster"},
               has_peer);
}

static const char *clipped(char *cell, const char *name)
{
    const int fits = strlen(name) <= NAME_WIDTH;
    snprintf(cell, CELL, "%.*s%s", fits ? NAME_WIDTH : NAME_WIDTH - 1, name, fits ? "" : "~");
    return cell;
}

static const char *ratio(char *cell, const struct timing *timing)
{
    const double times = timing->peer / timing->tmac;
    return number(cell, times < 10 ? "%.2fx" : "%.1fx", times);
}

static void print_kind(const struct bench *bench, const struct kind *kind)
{
    const struct timing *one = &kind->timing[ONE], *many = &kind->timing[MANY];
    const double weights = (double)kind->rows * (double)kind->cols;
    const double bytes = (double)kind->packed_bytes / (double)kind->count;
    const double read = bytes / one->tmac;
    char name[CELL], count[CELL], shape[2 * CELL], type[CELL], cells[10][CELL];

    snprintf(shape, sizeof shape, "%lldx%lld", (long long)kind->rows, (long long)kind->cols);
    const struct line line = {
        .name = clipped(name, kind->name),
        .count = number(count, "%.0f", (double)kind->count),
        .shape = shape,
        .type = type_text(kind->type, type, sizeof type),
        .bits = number(cells[0], "%.2f", 8 * bytes / weights),
        .time = number(cells[1], "%.1f", one->tmac * 1e6),
        .speed = number(cells[2], "%.1f", weights / one->tmac * 1e-9),
        .read = number(cells[3], "%.1f", read * 1e-9),
        .roof = bench->roof > 0 ? number(cells[4], "%.0f%%", 100 * read / bench->roof) : "-",
        .error = number(cells[5], "%.1e", kind->error),
        .peer_time = number(cells[6], "%.1f", one->peer * 1e6),
        .peer_ratio = ratio(cells[7], one),
        .many_speed = number(cells[8], "%.1f", weights * MANY_BATCH / many->tmac * 1e-9),
        .many_ratio = ratio(cells[9], many),
    };
    print_line(&line, bench->peer != NULL);
}

/* What the headings mean. */
static void print_legend(const struct bench *bench)
{
    puts("\ntime: tables and multiplication of a matrix, layers in turn, best of many. "
         "G/s: billions of weights a second.");
    puts("of roof: bytes read, as a share of the memory roof. 32 inputs: as when a prompt is "
         "read.");
    printf("squared error: over the squared result, against double precision, weights unpacked by "
           "%s.\n",
           bench->peer ? "llama.cpp" : "libtmac");
    if (bench->peer)
        puts(
            "llama.cpp: the faster of its plain and its repacked layout, for each kind of matrix.");
    putchar('\n');
}

void print_table(const struct bench *bench)
{
    print_headings(bench->peer != NULL);
    for (size_t k = 0; k < bench->model->kind_count; k++)
        print_kind(bench, &bench->model->kinds[k]);
    print_legend(bench);
}

/* ---- the totals ---- */

static struct timing sum_timing(const struct model *model, int size)
{
    struct timing sum = {0};
    for (size_t k = 0; k < model->kind_count; k++) {
        sum.tmac += model->kinds[k].timing[size].tmac * (double)model->kinds[k].count;
        sum.peer += model->kinds[k].timing[size].peer * (double)model->kinds[k].count;
    }
    return sum;
}

static void print_total(const struct bench *bench, int size, const char *label)
{
    const struct timing sum = sum_timing(bench->model, size);
    char cell[CELL];

    printf("%-*slibtmac %s ms", LABEL_WIDTH, label, figure(cell, sum.tmac * 1e3));
    if (sum.peer > 0)
        printf(", llama.cpp %s ms: %.2f times as fast", figure(cell, sum.peer * 1e3),
               sum.peer / sum.tmac);
    printf(" (all matrices%s)\n", size == ONE ? "" : ", at once");
}

/* The smallest and the largest error of either side. */
static void print_errors(const struct bench *bench)
{
    const struct kind *kinds = bench->model->kinds;
    double low = kinds[0].error, high = low, peer_low = kinds[0].peer_error, peer_high = peer_low;

    for (size_t k = 1; k < bench->model->kind_count; k++) {
        low = kinds[k].error < low ? kinds[k].error : low;
        high = kinds[k].error > high ? kinds[k].error : high;
        peer_low = kinds[k].peer_error < peer_low ? kinds[k].peer_error : peer_low;
        peer_high = kinds[k].peer_error > peer_high ? kinds[k].peer_error : peer_high;
    }
    printf("%-*slibtmac %.1e to %.1e", LABEL_WIDTH, "error", low, high);
    if (bench->peer)
        printf(", llama.cpp %.1e to %.1e", peer_low, peer_high);
    putchar('\n');
}

static int is_new_kernel(const struct model *model, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (!strcmp(model->kinds[i].info.kernel, model->kinds[k].info.kernel))
            return 0;
    return 1;
}

static void print_kernels(const struct model *model)
{
    for (size_t k = 0; k < model->kind_count; k++)
        if (is_new_kernel(model, k))
            printf("%-*s%s\n", LABEL_WIDTH, k ? "" : "kernels", model->kinds[k].info.kernel);
}

void print_totals(const struct bench *bench)
{
    const struct model *model = bench->model;
    char packed[CELL], in_file[CELL];

    print_total(bench, ONE, "per token");
    print_total(bench, MANY, "32 tokens");
    print_errors(bench);
    print_kernels(model);
    printf("%-*s%s MB, in the file %s MB; packing took %.2f s (%.2f GB/s)\n", LABEL_WIDTH, "packed",
           megabytes(packed, model->packed_bytes), megabytes(in_file, model->file_bytes),
           model->pack_seconds, (double)model->file_bytes / model->pack_seconds * 1e-9);
}

/* ---- the rest of the file ---- */

void print_others(const struct model *model)
{
    for (size_t i = 0; i < model->other_count; i++) {
        const struct other *other = &model->others[i];
        char type[CELL], cell[CELL];
        const char *reason = *other->reason ? other->reason : "a type libtmac does not import";

        printf("%-*s%zu x %s", LABEL_WIDTH, i ? "" : "left out", other->count,
               type_text(other->type, type, sizeof type));
        if (other->bytes)
            printf(", %s MB", megabytes(cell, other->bytes));
        printf(": %s\n", reason);
    }
}
