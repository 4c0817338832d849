/* SPDX-License-Identifier: MIT
 *
 * The file of a tuning (lib/tune/tuning_file.h): where it is, what is wrong with one, and that it is replaced
 * as a whole. What its text may hold is test_tuning's subject. */
#define _POSIX_C_SOURCE 200809L

#include "support/check.h"

#include "tuning_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_TEXT = 4096, MAX_PATH = 512 };

static char folder[] = "/tmp/tmac-tuning-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[MAX_PATH];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "wb");

    CHECK(file != NULL, "%s", path);
    CHECK(fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0, "%s", path);
}

/* -1 where there is none. */
static long read_file(const char *path, char text[MAX_TEXT])
{
    FILE *file = fopen(path, "rb");
    long bytes = -1;

    if (file) {
        bytes = (long)fread(text, 1, MAX_TEXT, file);
        fclose(file);
    }
    return bytes;
}

/* A tuning of this machine with one choice, which nobody measured. */
static tmac_tuning *tuning_new(void)
{
    char text[MAX_TEXT];
    tmac_tuning *tuning;
    size_t bytes;

    CHECK_OK(tmac_tuning_create(&tuning));
    CHECK_OK(tmac_tuning_write(tuning, text, sizeof text, &bytes));
    bytes += (size_t)snprintf(text + bytes, sizeof text - bytes,
                              "isa 0x1 threads 1 rows 64 cols 64 width 2 group 32 super 32 scale 0 "
                              "zero 0 sub 0 layout direct batch 8 tiles 1 steps 8\n");
    CHECK_OK(tmac_tuning_read(tuning, text, bytes));
    return tuning;
}

static int64_t count_of(const char *path)
{
    tmac_status status = TMAC_OK;
    tmac_tuning *tuning;
    int64_t count;

    CHECK_OK(tmac_tuning_create(&tuning));
    CHECK(tuning_file_load(tuning, path, &status) == TUNING_FILE_OK, "%s: %s", path ? path : "own",
          tmac_status_text(status));
    count = tmac_tuning_count(tuning);
    tmac_tuning_free(tuning);
    return count;
}

static int files_in(const char *path)
{
    DIR *entries = opendir(path);
    int count = 0;

    CHECK(entries != NULL, "%s", path);
    for (struct dirent *entry; (entry = readdir(entries));)
        count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

static void test_saved_and_loaded(void **state)
{
    char given[MAX_TEXT], text[MAX_TEXT];
    const char *path = in_folder("tuning.txt");
    tmac_tuning *tuning = tuning_new();
    tmac_status status;
    size_t bytes;

    (void)state;
    CHECK(tuning_file_save(tuning, path, &status) == TUNING_FILE_OK, "%s", path);
    CHECK(count_of(path) == 1, "one choice");
    CHECK_OK(tmac_tuning_write(tuning, given, sizeof given, &bytes));
    CHECK(read_file(path, text) == (long)bytes && memcmp(text, given, bytes) == 0,
          "the file is the text");
    tmac_tuning_free(tuning);
}

static void test_refused(void **state)
{
    static char long_text[(1 << 20) + 1];
    const char *path = in_folder("refused.txt");
    tmac_tuning *tuning = tuning_new();
    tmac_status status = TMAC_OK;

    (void)state;
    write_file(path, "damaged", 7);
    CHECK(tuning_file_load(tuning, path, &status) == TUNING_FILE_REFUSED, "damaged");
    CHECK(status == TMAC_ERROR_TUNING_DAMAGED, "status %d", (int)status);
    write_file(path, "libtmac tuning 1\nversion 0.0.0\n", 31);
    CHECK(tuning_file_load(tuning, path, &status) == TUNING_FILE_REFUSED, "foreign");
    CHECK(status == TMAC_ERROR_TUNING_FOREIGN, "status %d", (int)status);
    write_file(path, long_text, sizeof long_text);
    CHECK(tuning_file_load(tuning, path, &status) == TUNING_FILE_REFUSED, "too long");
    CHECK(status == TMAC_ERROR_TUNING_DAMAGED, "status %d", (int)status);
    write_file(path, "", 0);
    CHECK(tuning_file_load(tuning, path, &status) == TUNING_FILE_REFUSED, "empty");
    CHECK(tmac_tuning_count(tuning) == 1, "as it was");
    tmac_tuning_free(tuning);
}

static void test_no_file(void **state)
{
    char missing[MAX_PATH];
    tmac_tuning *tuning = tuning_new();
    tmac_status status;

    (void)state;
    snprintf(missing, sizeof missing, "%s/none/tuning.txt", folder);
    CHECK(tuning_file_load(tuning, missing, &status) == TUNING_FILE_ERROR, "missing");
    CHECK(tuning_file_save(tuning, missing, &status) == TUNING_FILE_ERROR, "no folder");
    CHECK(tuning_file_load(tuning, folder, &status) == TUNING_FILE_ERROR, "a folder");
    CHECK(tuning_file_save(tuning, folder, &status) == TUNING_FILE_ERROR, "a folder");
    CHECK(tuning_file_load(tuning, "", &status) == TUNING_FILE_ERROR, "an empty name");
    CHECK(tuning_file_save(tuning, "", &status) == TUNING_FILE_ERROR, "an empty name");
    tmac_tuning_free(tuning);
}

/* The user's own: below $XDG_CACHE_HOME where that is a whole path, or ~/.cache, in folders that are made. */
static void test_users_file(void **state)
{
    tmac_tuning *tuning = tuning_new();
    tmac_status status;
    char text[MAX_TEXT];

    (void)state;
    setenv("HOME", in_folder("home"), 1);
    setenv("XDG_CACHE_HOME", in_folder("a/b"), 1);
    CHECK(tuning_file_load(tuning, NULL, &status) == TUNING_FILE_ERROR, "not there yet");
    CHECK(tuning_file_save(tuning, NULL, &status) == TUNING_FILE_OK, "own");
    CHECK(count_of(NULL) == 1 && read_file(in_folder("a/b/libtmac/tuning.txt"), text) > 0, "saved");

    static const char *const no_cache[] = {"", "relative"};
    for (size_t i = 0; i < COUNT(no_cache); i++) {
        setenv("XDG_CACHE_HOME", no_cache[i], 1);
        CHECK(tuning_file_save(tuning, NULL, &status) == TUNING_FILE_OK, "home");
        CHECK(read_file(in_folder("home/.cache/libtmac/tuning.txt"), text) > 0, "saved");
        CHECK(unlink(in_folder("home/.cache/libtmac/tuning.txt")) == 0, "there");
    }
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    CHECK(tuning_file_load(tuning, NULL, &status) == TUNING_FILE_ERROR, "no home");
    CHECK(tuning_file_save(tuning, NULL, &status) == TUNING_FILE_ERROR, "no home");
    tmac_tuning_free(tuning);
}

/* Who has the old file open still reads all of it; nothing is left beside the new one, also where
 * it could not be put in its place. */
static void test_replaced_as_a_whole(void **state)
{
    char path[MAX_PATH], text[MAX_TEXT];
    tmac_tuning *tuning = tuning_new();
    tmac_status status;
    FILE *reader;

    (void)state;
    CHECK(mkdir(in_folder("whole"), 0777) == 0, "folder");
    snprintf(path, sizeof path, "%s/whole/tuning.txt", folder);
    write_file(path, "the old text", 12);
    reader = fopen(path, "rb");
    CHECK(reader != NULL, "%s", path);
    CHECK(tuning_file_save(tuning, path, &status) == TUNING_FILE_OK, "replaced");
    CHECK(fread(text, 1, sizeof text, reader) == 12 && memcmp(text, "the old text", 12) == 0,
          "old");
    fclose(reader);
    CHECK(count_of(path) == 1, "new");
    CHECK(files_in(in_folder("whole")) == 1, "a file was left");

    CHECK(unlink(path) == 0 && mkdir(path, 0777) == 0, "a folder in its place");
    CHECK(tuning_file_save(tuning, path, &status) == TUNING_FILE_ERROR, "a folder");
    CHECK(files_in(in_folder("whole")) == 1 && files_in(path) == 0, "a file was left");
    tmac_tuning_free(tuning);
}

static void remove_all(void)
{
    char command[MAX_PATH];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)!system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved_and_loaded),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_users_file),
        cmocka_unit_test(test_replaced_as_a_whole),
    };

    if (!mkdtemp(folder))
        return 1;
    const int failures = cmocka_run_group_tests_name("tuning file", tests, NULL, NULL);
    remove_all();
    return failures;
}
