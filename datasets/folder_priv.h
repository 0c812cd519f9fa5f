/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers for folders of source files. */
#ifndef LUTRA_DATASETS_FOLDER_PRIV_H
#define LUTRA_DATASETS_FOLDER_PRIV_H

#include <stddef.h>

#include "base/status.h"

/** "folder/name"; heap, free with lutra_free. */
LUTRA_MUST_CHECK LutraStatus lutra_path_join(char **path, const char *folder, const char *name,
                                             LutraError *error);

/** Last component of a path without trailing slashes; heap, "dataset" if there is none. */
LUTRA_MUST_CHECK LutraStatus lutra_path_last(char **name, const char *path, LutraError *error);

/** LUTRA_EIO unless `path` is a folder. */
LUTRA_MUST_CHECK LutraStatus lutra_folder_check(const char *path, LutraError *error);

/**
 * Names in a folder in strcmp order, without those that start with '.'; free with
 * lutra_folder_free. LUTRA_EDATA with more than 2^24 of them.
 */
LUTRA_MUST_CHECK LutraStatus lutra_folder_list(char ***names, size_t *count, const char *folder,
                                               LutraError *error);
void lutra_folder_free(char ***names, size_t count);

#endif
