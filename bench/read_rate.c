/* SPDX-License-Identifier: MIT
 *
 * Prints how many GB a second this machine's cores read from memory of a given size:
 *   read_rate <megabytes> <threads>
 */
#include "roofline.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const long megabytes = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    const long threads = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (megabytes < 1 || megabytes > 1 << 20 || threads < 1 || threads > 4096) {
        fprintf(stderr, "usage: read_rate <megabytes> <threads>\n");
        return 2;
    }
    const double rate = roofline_read_bytes_per_second((size_t)megabytes * 1000000, (int)threads);
    if (rate <= 0) {
        fprintf(stderr, "read_rate: no memory, or no threads\n");
        return 1;
    }
    printf("%.3f\n", rate * 1e-9);
    return 0;
}
