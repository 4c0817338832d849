/* SPDX-License-Identifier: MIT
 *
 * See progress.h.
 */
#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const char *last_what = "";
static double last_time;
static bool line_shown;

void progress(const char *what, double done)
{
    const bool is_new = strcmp(what, last_what) != 0;
    const double now = seconds_now();

    if (!isatty(STDERR_FILENO)) {
        if (is_new)
            fprintf(stderr, "gguf-report: %s\n", what);
    } else if (is_new || now - last_time > 0.1) {
        fprintf(stderr, "\r\033[K%s: %.0f %%", what, 100 * (done < 1 ? done : 1));
        line_shown = true;
        last_time = now;
    }
    last_what = what;
}

void progress_clear(void)
{
    if (line_shown)
        fputs("\r\033[K", stderr);
    line_shown = false;
}

int complain(const char *path, const char *format, ...)
{
    va_list args;

    progress_clear();
    fprintf(stderr, "gguf-report: %s%s", path ? path : "", path ? ": " : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return -1;
}
