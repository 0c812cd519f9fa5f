/* SPDX-License-Identifier: Apache-2.0 */
/* Plain files: whole reads (gzip or not) and writes that appear under their name all at once. */
#ifndef LUTRA_BASE_FILE_H
#define LUTRA_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** A block of bytes; `data` has one extra zero byte after `bytes`, so text can be used as a string.
 */
typedef struct {
    uint8_t *data;
    size_t bytes;
} LutraBytes;

void lutra_bytes_deinit(LutraBytes *bytes);

/**
 * Reads a whole file, decompressing it if it starts with the gzip magic number.
 *
 * @param max_bytes  refuse more than this (after decompression): LUTRA_EDATA
 * @errors LUTRA_EIO cannot open or read; LUTRA_EDATA damaged or truncated gzip
 */
LUTRA_MUST_CHECK LutraStatus lutra_file_read(LutraBytes *bytes, const char *path, size_t max_bytes,
                                             LutraError *error);

/** Writes under "PATH.partial", syncs, renames. Existing `path` without `force`: LUTRA_EINVAL. */
LUTRA_MUST_CHECK LutraStatus lutra_file_write(const char *path, const void *data, size_t bytes,
                                              bool force, LutraError *error);

/** "PATH.partial", where output lies until it is complete. Heap, free with lutra_free. */
LUTRA_MUST_CHECK LutraStatus lutra_file_partial_name(char **partial, const char *path,
                                                     LutraError *error);

/**
 * Gives the finished file `partial` its real name: syncs it, checks `path` again, renames. On error
 * `partial` is deleted and `path` is as it was.
 */
LUTRA_MUST_CHECK LutraStatus lutra_file_publish(const char *partial, const char *path, bool force,
                                                LutraError *error);

/** "FOLDER/NAME". Heap, free with lutra_free. */
LUTRA_MUST_CHECK LutraStatus lutra_file_path_in(char **path, const char *folder, const char *name,
                                                LutraError *error);

/** Whether something exists at `path`. */
bool lutra_file_exists(const char *path);

/** Creates a folder and its parents if missing. LUTRA_EIO on failure. */
LUTRA_MUST_CHECK LutraStatus lutra_folder_create(const char *path, LutraError *error);

/**
 * Checks that output `path` can be written before long work starts: its folder exists and is
 * writable, and the path is free or `force` is set. Creates nothing.
 *
 * @errors LUTRA_EINVAL the path exists without `force`, or is no regular file; LUTRA_EIO the folder
 *         is missing or not writable
 */
LUTRA_MUST_CHECK LutraStatus lutra_file_check_output(const char *path, bool force,
                                                     LutraError *error);

#endif
