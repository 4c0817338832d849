/* SPDX-License-Identifier: MIT */
#include "baseline_list.h"

#include <pthread.h>

static struct baseline usable[2 * BASELINE_MOST];
static int usable_count;

static void list_usable(void)
{
    struct baseline_entry entries[2 * BASELINE_MOST];
    int count = baseline_list_fma(entries);

    count += baseline_list_mask(entries + count);
    for (int i = 0; i < count; i++)
        if (entries[i].usable)
            usable[usable_count++] = entries[i].loops;
}

int baseline_count(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, list_usable);
    return usable_count;
}

const struct baseline *baseline_at(int index)
{
    return &usable[index];
}
