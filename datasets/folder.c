/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "datasets/folder_priv.h"

enum { MAX_NAMES = 1 << 24 };

LutraStatus lutra_path_join(char **path, const char *folder, const char *name, LutraError *error) {
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') {
        length--;
    }
    char *joined = NULL;
    LUTRA_TRY(lutra_alloc(&joined, length + strlen(name) + 2, 1, error));
    memcpy(joined, folder, length);
    const bool slash = length > 0 && joined[length - 1] != '/';
    joined[length] = slash ? '/' : '\0';
    memcpy(joined + length + (slash ? 1 : 0), name, strlen(name));
    *path = joined;
    return LUTRA_OK;
}

LutraStatus lutra_path_last(char **name, const char *path, LutraError *error) {
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    const size_t length = end - start;
    const bool dots = (length == 1 && path[start] == '.') ||
                      (length == 2 && path[start] == '.' && path[start + 1] == '.');
    if (length == 0 || dots) {
        return lutra_string_copy(name, "dataset", error);
    }
    char *made = NULL;
    LUTRA_TRY(lutra_alloc(&made, length + 1, 1, error));
    memcpy(made, path + start, length);
    *name = made;
    return LUTRA_OK;
}

LutraStatus lutra_folder_check(const char *path, LutraError *error) {
    struct stat info;
    if (stat(path, &info) != 0) {
        return lutra_error_set(error, LUTRA_EIO, "cannot open '%s': %s", path, strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        return lutra_error_set(error, LUTRA_EIO, "cannot open '%s': it is not a folder", path);
    }
    return LUTRA_OK;
}

static int compare_names(const void *left, const void *right) {
    const char *const *const a = left;
    const char *const *const b = right;
    return strcmp(*a, *b);
}

void lutra_folder_free(char ***names, size_t count) {
    for (size_t i = 0; i < count && *names != NULL; i++) {
        lutra_free(&(*names)[i]);
    }
    lutra_free(names);
}

/* Appends one name, doubling the list when it is full. */
static LutraStatus append(char ***names, size_t *count, size_t *capacity, const char *name,
                          LutraError *error) {
    if (*count == *capacity) {
        const size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
        LUTRA_TRY(lutra_resize(names, *count, wanted, sizeof **names, error));
        *capacity = wanted;
    }
    LUTRA_TRY(lutra_string_copy(&(*names)[*count], name, error));
    (*count)++;
    return LUTRA_OK;
}

LutraStatus lutra_folder_list(char ***names, size_t *count, const char *folder, LutraError *error) {
    DIR *const stream = opendir(folder);
    if (stream == NULL) {
        return lutra_error_set(error, LUTRA_EIO, "cannot open '%s': %s", folder, strerror(errno));
    }
    char **found = NULL;
    size_t found_count = 0;
    size_t capacity = 0;
    LutraStatus status = LUTRA_OK;
    while (status == LUTRA_OK) {
        errno = 0;
        const struct dirent *const entry = readdir(stream);
        if (entry == NULL) {
            if (errno != 0) {
                status = lutra_error_set(error, LUTRA_EIO, "cannot read '%s': %s", folder,
                                         strerror(errno));
            }
            break;
        }
        if (entry->d_name[0] == '.') {
            continue;
        }
        status = found_count < MAX_NAMES
                     ? append(&found, &found_count, &capacity, entry->d_name, error)
                     : lutra_error_set(error, LUTRA_EDATA, "'%s' holds too many files", folder);
    }
    (void)closedir(stream);
    if (status != LUTRA_OK) {
        lutra_folder_free(&found, found_count);
        return status;
    }
    if (found_count > 1) {
        qsort(found, found_count, sizeof *found, compare_names);
    }
    *names = found;
    *count = found_count;
    return LUTRA_OK;
}
