/* SPDX-License-Identifier: MIT */
#include "engine/tuning.h"

#include "tiers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tmac_tuned_key tmac_tuned_key(const struct tmac_spec *spec, uint32_t isa_mask, int threads)
{
    return (struct tmac_tuned_key){
        .isa_mask = isa_mask,
        .threads = threads,
        .rows = spec->rows,
        .cols = spec->cols,
        .width = spec->width,
        .group = spec->group,
        .super_group = spec->super_group,
        .scale_type = spec->scale_type,
        .zero_kind = spec->zero_kind,
        .sub_format = spec->sub_format,
    };
}

const struct tmac_tuned *tmac_tuned_find(const struct tmac_tuned *tuned, size_t count,
                                         const struct tmac_tuned_key *key)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&tuned[i].key, key, sizeof *key) == 0) /* all int64_t: no padding */
            return &tuned[i];
    return NULL;
}

/* Room for `count` choices in all. */
static tmac_status reserve(struct tmac_tuning *tuning, size_t count)
{
    const size_t twice = 2 * tuning->room, room = count > twice ? count : twice;
    struct tmac_tuned *more;

    if (count <= tuning->room)
        return TMAC_OK;
    more = realloc(tuning->tuned, room * sizeof *more);
    if (!more)
        return TMAC_ERROR_MEMORY;
    tuning->tuned = more;
    tuning->room = room;
    return TMAC_OK;
}

tmac_status tmac_tuning_set(struct tmac_tuning *tuning, const struct tmac_tuned *tuned)
{
    const struct tmac_tuned *old = tmac_tuned_find(tuning->tuned, tuning->count, &tuned->key);

    if (old) {
        tuning->tuned[old - tuning->tuned] = *tuned;
        return TMAC_OK;
    }
    if (reserve(tuning, tuning->count + 1))
        return TMAC_ERROR_MEMORY;
    tuning->tuned[tuning->count++] = *tuned;
    return TMAC_OK;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* The lines that must be there, in order, before the first choice. */
static void print_header(size_t line, char text[TMAC_TUNING_MAX_LINE])
{
    char cpu[TMAC_CPU_NAME_BYTES];

    if (line == 0) {
        snprintf(text, TMAC_TUNING_MAX_LINE, "libtmac tuning 1");
    } else if (line == 1) {
        snprintf(text, TMAC_TUNING_MAX_LINE, "version %d.%d.%d", TMAC_VERSION_MAJOR,
                 TMAC_VERSION_MINOR, TMAC_VERSION_PATCH);
    } else {
        tmac_cpu_name(cpu);
        snprintf(text, TMAC_TUNING_MAX_LINE, "cpu %s", cpu);
    }
}

enum { HEADER_LINES = 3 };

static void print_choice(const struct tmac_tuned *tuned, char text[TMAC_TUNING_MAX_LINE])
{
    const struct tmac_tuned_key *key = &tuned->key;
    const struct tmac_blocking *blocking = &tuned->blocking;

    snprintf(text, TMAC_TUNING_MAX_LINE,
             "isa 0x%" PRIx64 " threads %" PRId64 " rows %" PRId64 " cols %" PRId64
             " width %" PRId64 " group %" PRId64 " super %" PRId64 " scale %" PRId64
             " zero %" PRId64 " sub %" PRId64 " layout %s batch %d tiles %d steps %d",
             (uint64_t)key->isa_mask, key->threads, key->rows, key->cols, key->width, key->group,
             key->super_group, key->scale_type, key->zero_kind, key->sub_format,
             tmac_layout_name(tuned->layout), blocking->batch, blocking->tiles, blocking->steps);
}

size_t tmac_tuning_lines(const struct tmac_tuning *tuning)
{
    return HEADER_LINES + tuning->count;
}

size_t tmac_tuning_print(const struct tmac_tuning *tuning, size_t line,
                         char text[TMAC_TUNING_MAX_LINE])
{
    size_t length;

    if (line < HEADER_LINES)
        print_header(line, text);
    else
        print_choice(&tuning->tuned[line - HEADER_LINES], text);
    length = strlen(text);
    text[length++] = '\n';
    return length;
}

/* What is in a line of a choice, not whether it makes sense: what no weights have is never found, and
 * a blocking that does not fit is not used. The fields' widths keep numbers from overflowing. */
static bool scan_choice(const char *line, struct tmac_tuned *tuned)
{
    struct tmac_tuned_key *key = &tuned->key;
    struct tmac_blocking *blocking = &tuned->blocking;
    char isa_mask[9], layout[16];
    int end = -1;

    if (sscanf(line,
               "isa 0x%8[0-9a-f] threads %18" SCNd64 " rows %18" SCNd64 " cols %18" SCNd64
               " width %18" SCNd64 " group %18" SCNd64 " super %18" SCNd64 " scale %18" SCNd64
               " zero %18" SCNd64 " sub %18" SCNd64 " layout %15s batch %8d tiles %8d steps %8d%n",
               isa_mask, &key->threads, &key->rows, &key->cols, &key->width, &key->group,
               &key->super_group, &key->scale_type, &key->zero_kind, &key->sub_format, layout,
               &blocking->batch, &blocking->tiles, &blocking->steps, &end) != 14 ||
        end < 0 || line[end])
        return false;
    key->isa_mask = (int64_t)strtoull(isa_mask, NULL, 16);
    tuned->layout = tmac_layout_named(layout);
    return tuned->layout != TMAC_LAYOUT_COUNT;
}

/* Cuts off the first line of *text; NULL at the end, or where a line has no end. */
static char *next_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');

    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

static tmac_status parse_header(char **text)
{
    for (size_t i = 0; i < HEADER_LINES; i++) {
        char wanted[TMAC_TUNING_MAX_LINE], *line = next_line(text);

        print_header(i, wanted);
        if (!line || (i == 0 && strcmp(line, wanted)))
            return TMAC_ERROR_TUNING_DAMAGED;
        if (strcmp(line, wanted))
            return TMAC_ERROR_TUNING_FOREIGN;
    }
    return TMAC_OK;
}

static tmac_status parse_choices(struct tmac_tuning *tuning, char *text)
{
    tmac_status status = TMAC_OK;

    while (status == TMAC_OK && *text) {
        struct tmac_tuned tuned = {0};
        const char *line = next_line(&text);

        status = line && scan_choice(line, &tuned) ? tmac_tuning_set(tuning, &tuned)
                                                   : TMAC_ERROR_TUNING_DAMAGED;
    }
    return status;
}

tmac_status tmac_tuning_parse(struct tmac_tuning *tuning, char *text)
{
    struct tmac_tuning read = {0};
    tmac_status status;

    if (!(status = parse_header(&text)))
        status = parse_choices(&read, text);
    if (status == TMAC_OK) /* all or nothing */
        status = reserve(tuning, tuning->count + read.count);
    for (size_t i = 0; i < read.count && status == TMAC_OK; i++)
        status = tmac_tuning_set(tuning, &read.tuned[i]);
    free(read.tuned);
    return status;
}
