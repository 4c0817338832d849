/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_say(const char *file, int line, const char *what, const char *format, ...)
{
    va_list arguments;

    printf("%s:%d: %s\n    ", file, line, what);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

size_t check_floats(const float *a, const float *b, size_t count)
{
    size_t i = 0;

    if (count == 0 || memcmp(a, b, count * sizeof *a) == 0)
        return count;
    while (i < count && (a[i] == b[i] || (a[i] != a[i] && b[i] != b[i])))
        i++;
    return i;
}

__attribute__((noinline)) void check_spoil_stack(void)
{
    volatile unsigned char spoiled[96 * 1024];

    for (size_t i = 0; i < sizeof spoiled; i++)
        spoiled[i] = 0xff;
}

int check_share(int n)
{
    const char *text = getenv("TMAC_TEST_SHARE");
    const long share = text && *text ? strtol(text, NULL, 0) : 1;
    return n * (int)(share < 1 ? 1 : share > 10000 ? 10000 : share);
}
