/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "engine/tune.h"

#include <stdlib.h>

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

/* ---- text ------------------------------------------------------------------------------------ */

tmac_status tmac_tuning_read(tmac_tuning *tuning, const char *text, size_t bytes)
{
    char *copy;
    tmac_status status;

    if (!tuning || !text)
        return TMAC_ERROR_NULL;
    if (bytes > TMAC_TUNING_MAX_BYTES || memchr(text, '\0', bytes))
        return TMAC_ERROR_TUNING_DAMAGED;
    copy = malloc(bytes + 1);
    if (!copy)
        return TMAC_ERROR_MEMORY;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    status = tmac_tuning_parse(tuning, copy);
    free(copy);
    return status;
}

tmac_status tmac_tuning_write(const tmac_tuning *tuning, char *text, size_t room, size_t *bytes)
{
    char line[TMAC_TUNING_MAX_LINE];
    size_t all = 0;

    if (!tuning || !bytes || (!text && room))
        return TMAC_ERROR_NULL;
    for (size_t i = 0; i < tmac_tuning_lines(tuning); i++)
        all += tmac_tuning_print(tuning, i, line);
    *bytes = all;
    if (room < all)
        return TMAC_ERROR_BUFFER_SIZE;
    for (size_t i = 0; i < tmac_tuning_lines(tuning); i++) {
        const size_t length = tmac_tuning_print(tuning, i, line);
        memcpy(text, line, length);
        text += length;
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
