/* SPDX-License-Identifier: MIT
 *
 * See log.h.
 */
#include "log.h"

#include <llama.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_verbose;
static char error[1024]; /* the first one, which is the closest to the cause */

/* llama.cpp may log a line in pieces. */
static char line[1024];
static enum ggml_log_level line_level;

/* Lines begin with the name of a function. Of all of a line it would also match paths. */
static bool is_about_tmac(void)
{
    const char *found = strstr(line, "tmac");
    return found && (size_t)(found - line) < strcspn(line, " ");
}

static void end_line(void)
{
    if (line_level == GGML_LOG_LEVEL_ERROR && !*error)
        strcpy(error, line);
    else if (line_level == GGML_LOG_LEVEL_WARN || is_about_tmac() ||
             (is_verbose && line_level != GGML_LOG_LEVEL_DEBUG))
        fprintf(stderr, "%s\n", line);
    *line = 0;
}

static void receive(enum ggml_log_level level, const char *text, void *unused)
{
    (void)unused;
    if (level != GGML_LOG_LEVEL_CONT)
        line_level = level;
    while (*text) {
        const size_t piece = strcspn(text, "\n"), used = strlen(line);
        snprintf(line + used, sizeof line - used, "%.*s", (int)piece, text);
        text += piece;
        if (*text) {
            end_line();
            text++;
        }
    }
}

void log_start(bool verbose)
{
    is_verbose = verbose;
    llama_log_set(receive, NULL);
    ggml_log_set(receive, NULL);
}

bool log_has_error(void)
{
    return *error;
}

int complain(const char *path, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "llama-answer: %s%s", path ? path : "", path ? ": " : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    if (*error)
        fprintf(stderr, " (%s)", error);
    fputc('\n', stderr);
    *error = 0;
    return -1;
}

void log_end(void)
{
    if (*error)
        fprintf(stderr, "%s\n", error);
    *error = 0;
}
