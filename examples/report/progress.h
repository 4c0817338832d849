/* SPDX-License-Identifier: MIT
 *
 * What the report says on stderr while it works, and when something is wrong.
 */
#ifndef REPORT_PROGRESS_H
#define REPORT_PROGRESS_H

/* Seconds on a clock that only runs forward. */
double seconds_now(void);

/* "measuring: 40 %": one line that updates itself on a terminal; elsewhere a line for each new
 * `what`. `done` is 0..1. */
void progress(const char *what, double done);
/* Wipes that line away, so that something else can be printed. */
void progress_clear(void);

/* "gguf-report: path: ...", and returns -1. `path` may be NULL. */
__attribute__((format(printf, 2, 3))) int complain(const char *path, const char *format, ...);

#endif
