/* SPDX-License-Identifier: MIT
 *
 * The report itself, on stdout.
 */
#ifndef REPORT_PRINT_H
#define REPORT_PRINT_H

#include "bench.h"

/* The machine and the model. */
void print_head(const struct bench *bench);
/* A row for each kind, and what the inputs mean. */
void print_table(const struct bench *bench);
/* The whole model. */
void print_totals(const struct bench *bench);
/* What is left alone, in a line for each reason. Prints nothing when there is nothing. */
void print_others(const struct model *model);

#endif
