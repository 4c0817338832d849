/* SPDX-License-Identifier: MIT
 *
 * What llama-answer says on stderr: its complaints, and what is worth reading of llama.cpp's log.
 */
#ifndef ANSWER_LOG_H
#define ANSWER_LOG_H

#include <stdbool.h>

/* From now on, of llama.cpp's log, warnings and lines about libtmac go to stderr; all but what is for
 * its developers if verbose. An error is held back: it is the reason in the complaint to come. */
void log_start(bool verbose);

bool log_has_error(void);

/* "llama-answer: path: ...", with the reason that llama.cpp gave, if any. Returns -1. `path` may be
 * NULL. */
__attribute__((format(printf, 2, 3))) int complain(const char *path, const char *format, ...);

/* Prints the error of which nobody complained, if any. */
void log_end(void);

#endif
