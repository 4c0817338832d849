/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* mkstemp */
#include "check.h"
#include "engine/tune.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 4096 };

tmac_status tmac_tuning_create(tmac_tuning **out)
{
    if (!out)
        return TMAC_ERROR_NULL;
    tmac_tuning *tuning = calloc(1, sizeof *tuning);
    if (!tuning)
        return TMAC_ERROR_MEMORY;
    *out = tuning;
    return TMAC_OK;
}

void tmac_tuning_free(tmac_tuning *tuning)
{
    if (tuning) {
        free(tuning->tuned);
        free(tuning);
    }
}

int64_t tmac_tuning_count(const tmac_tuning *tuning)
{
    return tuning ? (int64_t)tuning->count : 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The given path, or the user's own. */
static tmac_status find_path(const char *given, char path[MAX_PATH])
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
        return TMAC_ERROR_FILE;
    return length > 0 && length < MAX_PATH ? TMAC_OK : TMAC_ERROR_FILE;
}

/* All of a file, with a 0 behind it. */
static tmac_status read_file(const char *path, char **text, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    tmac_status status = TMAC_OK;

    if (!file)
        return TMAC_ERROR_FILE;
    *text = malloc(TMAC_TUNING_MAX_BYTES + 1);
    if (!*text) {
        status = TMAC_ERROR_MEMORY;
    } else {
        *bytes = fread(*text, 1, TMAC_TUNING_MAX_BYTES, file);
        (*text)[*bytes] = '\0';
        if (ferror(file))
            status = TMAC_ERROR_FILE;
        else if (fgetc(file) != EOF)
            status = TMAC_ERROR_TUNING_DAMAGED;
    }
    fclose(file);
    return status;
}

tmac_status tmac_tuning_load(tmac_tuning *tuning, const char *given)
{
    char path[MAX_PATH], *text = NULL;
    size_t bytes = 0;
    tmac_status status;

    if (!tuning)
        return TMAC_ERROR_NULL;
    if (!(status = find_path(given, path)) && !(status = read_file(path, &text, &bytes)))
        status = tmac_tuning_parse(tuning, text, bytes);
    free(text);
    return status;
}

static tmac_status write_lines(const tmac_tuning *tuning, FILE *file)
{
    char line[TMAC_TUNING_MAX_LINE];
    bool good = true;

    for (size_t i = 0; i < tmac_tuning_lines(tuning) && good; i++) {
        tmac_tuning_print(tuning, i, line);
        good = fprintf(file, "%s\n", line) > 0;
    }
    return good ? TMAC_OK : TMAC_ERROR_FILE;
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
tmac_status tmac_tuning_save(const tmac_tuning *tuning, const char *given)
{
    char path[MAX_PATH], aside[MAX_PATH + 8];
    tmac_status status;

    if (!tuning)
        return TMAC_ERROR_NULL;
    if ((status = find_path(given, path)))
        return status;
    if (!given)
        make_folders(path);
    snprintf(aside, sizeof aside, "%s.XXXXXX", path);
    const int number = mkstemp(aside);
    FILE *file = number < 0 ? NULL : fdopen(number, "wb");
    if (!file)
        return TMAC_ERROR_FILE;
    status = write_lines(tuning, file);
    if (fclose(file) || status || rename(aside, path)) {
        (void)unlink(aside);
        return TMAC_ERROR_FILE;
    }
    return TMAC_OK;
}

/* ---- measuring ------------------------------------------------------------------------------- */

tmac_status tmac_tune(const tmac_context *context, tmac_tuning *tuning,
                      const tmac_weights_desc *given, const tmac_tune_options *given_options)
{
    tmac_tune_options options = {.struct_size = sizeof options};
    tmac_weights_desc desc;
    struct tmac_source source;
    struct tmac_shape shape;
    struct tmac_tuned best = {0};
    tmac_status status;

    if (!context || !tuning)
        return TMAC_ERROR_NULL;
    if ((given_options &&
         (status = tmac_struct_read(&options, sizeof options, sizeof options, given_options))) ||
        (status = tmac_plan(context, given, false, &desc, &source, &shape)))
        return status;
    if (options.batch < 0 || !(options.seconds >= 0 && options.seconds <= 60))
        return TMAC_ERROR_SHAPE;

    const struct tmac_tuner tuner = {
        .context = context,
        .spec = source.spec,
        .batch = options.batch ? options.batch : 1,
        .seconds = options.seconds > 0 ? options.seconds : 0.1,
        .progress = options.progress,
        .progress_host = options.progress_host,
    };
    if ((status = tmac_tune_measure(&tuner, &best)))
        return status;
    return tmac_tuning_set(tuning, &best);
}
