/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* mkstemp */
#include "tuning_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 4096, MAX_BYTES = 1 << 20 };

/* The given path, or the user's own. */
static enum tuning_file_result find_path(const char *given, char path[MAX_PATH])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length;

    if (given)
        length = snprintf(path, MAX_PATH, "%s", given);
    else if (cache && *cache == '/')
        length = snprintf(path, MAX_PATH, "%s/libtmac/tuning.txt", cache);
    else if (home && *home)
        length = snprintf(path, MAX_PATH, "%s/.cache/libtmac/tuning.txt", home);
    else
        return TUNING_FILE_ERROR;
    return length > 0 && length < MAX_PATH ? TUNING_FILE_OK : TUNING_FILE_ERROR;
}

/* One byte more than a tuning may have tells one that is too long. */
static enum tuning_file_result read_text(tmac_tuning *tuning, FILE *file, tmac_status *status)
{
    char *text = malloc(MAX_BYTES + 1);
    enum tuning_file_result result = TUNING_FILE_ERROR;

    if (text) {
        const size_t bytes = fread(text, 1, MAX_BYTES + 1, file);
        if (!ferror(file)) {
            *status = tmac_tuning_read(tuning, text, bytes);
            result = *status == TMAC_OK ? TUNING_FILE_OK : TUNING_FILE_REFUSED;
        }
    }
    free(text);
    return result;
}

enum tuning_file_result tuning_file_load(tmac_tuning *tuning, const char *given,
                                         tmac_status *status)
{
    char path[MAX_PATH];
    FILE *file;

    if (find_path(given, path) != TUNING_FILE_OK || !(file = fopen(path, "rb")))
        return TUNING_FILE_ERROR;
    const enum tuning_file_result result = read_text(tuning, file, status);
    fclose(file);
    return result;
}

static enum tuning_file_result write_text(const tmac_tuning *tuning, FILE *file,
                                          tmac_status *status)
{
    size_t bytes = 0;
    enum tuning_file_result result = TUNING_FILE_ERROR;

    (void)tmac_tuning_write(tuning, NULL, 0, &bytes);
    char *text = malloc(bytes);
    if (text) {
        *status = tmac_tuning_write(tuning, text, bytes, &bytes);
        if (*status != TMAC_OK)
            result = TUNING_FILE_REFUSED;
        else if (fwrite(text, 1, bytes, file) == bytes)
            result = TUNING_FILE_OK;
    }
    free(text);
    return result;
}

/* Makes the folders that the user's own path lies in. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0777); /* one that is missing after all is found when the file is made */
        *slash = '/';
    }
}

/* Written aside and renamed: who reads at the same time finds the old file or the new. */
enum tuning_file_result tuning_file_save(const tmac_tuning *tuning, const char *given,
                                         tmac_status *status)
{
    char path[MAX_PATH], aside[MAX_PATH + 8];

    if (find_path(given, path) != TUNING_FILE_OK)
        return TUNING_FILE_ERROR;
    if (!given)
        make_folders(path);
    snprintf(aside, sizeof aside, "%s.XXXXXX", path);
    const int number = mkstemp(aside);
    FILE *file = number < 0 ? NULL : fdopen(number, "wb");
    if (!file)
        return TUNING_FILE_ERROR;
    enum tuning_file_result result = write_text(tuning, file, status);
    if (fclose(file) && result == TUNING_FILE_OK)
        result = TUNING_FILE_ERROR;
    if (result == TUNING_FILE_OK && rename(aside, path) == 0)
        return TUNING_FILE_OK;
    (void)unlink(aside);
    return result == TUNING_FILE_REFUSED ? result : TUNING_FILE_ERROR;
}
