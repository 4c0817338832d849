/* SPDX-License-Identifier: MIT
 * The file that choices measured on this machine are kept in: by tmac-tune, and for the plug-in. */
#ifndef TMAC_TUNING_FILE_H
#define TMAC_TUNING_FILE_H

#include "tmac.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tuning_file_result {
    TUNING_FILE_OK,
    TUNING_FILE_ERROR,  /* the file cannot be opened, read or written: errno */
    TUNING_FILE_REFUSED /* tmac_tuning_read() or _write() failed: *status */
};

/* Adds the choices in a file. `path` NULL: the user's own, $XDG_CACHE_HOME/libtmac/tuning.txt or
 * $HOME/.cache/libtmac/tuning.txt. On anything but OK the tuning is as it was. */
enum tuning_file_result tuning_file_load(tmac_tuning *tuning, const char *path,
                                         tmac_status *status);
/* Writes all choices, in place of what the file held; the folders of the user's own are made. */
enum tuning_file_result tuning_file_save(const tmac_tuning *tuning, const char *path,
                                         tmac_status *status);

#ifdef __cplusplus
}
#endif

#endif
