/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"

enum { CHUNK_BYTES = 1 << 18 };

void lutra_bytes_deinit(LutraBytes *bytes) {
    if (bytes != NULL) {
        lutra_free(&bytes->data);
        bytes->bytes = 0;
    }
}

/* Doubles the block, keeping `used` bytes; the new size never exceeds max_bytes + 1. */
static LutraStatus grow(uint8_t **data, size_t *capacity, size_t used, size_t max_bytes,
                        LutraError *error) {
    const size_t limit = max_bytes + 1;
    const size_t wanted = *capacity > limit / 2 ? limit : *capacity * 2;
    /* One more byte for the closing zero. */
    LUTRA_TRY(lutra_resize(data, used, wanted + 1, 1, error));
    *capacity = wanted;
    return LUTRA_OK;
}

static LutraStatus read_error(gzFile stream, int read_errno, const char *path, LutraError *error) {
    int code = Z_OK;
    (void)gzerror(stream, &code);
    if (code == Z_ERRNO) {
        return lutra_error_set(error, LUTRA_EIO, "cannot read '%s': %s", path,
                               strerror(read_errno));
    }
    if (code == Z_MEM_ERROR) {
        return lutra_error_set(error, LUTRA_ENOMEM, "cannot read '%s': out of memory", path);
    }
    return lutra_error_set(error, LUTRA_EDATA, "'%s' is a damaged or truncated gzip file", path);
}

/* Reads up to max_bytes + 1 bytes, so that the caller sees when there are too many. */
static LutraStatus read_stream(uint8_t **data, size_t *used, gzFile stream, size_t first_capacity,
                               const char *path, size_t max_bytes, LutraError *error) {
    size_t capacity = first_capacity;
    LUTRA_TRY(lutra_alloc(data, capacity + 1, 1, error));
    for (;;) {
        if (*used == capacity) {
            if (capacity > max_bytes) {
                return LUTRA_OK;
            }
            LUTRA_TRY(grow(data, &capacity, *used, max_bytes, error));
        }
        const size_t room = capacity - *used;
        errno = 0;
        const int got =
            gzread(stream, *data + *used, (unsigned)(room < CHUNK_BYTES ? room : CHUNK_BYTES));
        if (got < 0) {
            return read_error(stream, errno, path, error);
        }
        if (got == 0) {
            return LUTRA_OK; /* a gzip stream that stops early is reported by gzclose_r */
        }
        *used += (size_t)got;
    }
}

LutraStatus lutra_file_read(LutraBytes *bytes, const char *path, size_t max_bytes,
                            LutraError *error) {
    LUTRA_ASSERT(max_bytes < SIZE_MAX - 1);
    struct stat info;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &info) != 0) {
        const int open_errno = errno;
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        return lutra_error_set(error, LUTRA_EIO, "cannot open '%s': %s", path,
                               strerror(open_errno));
    }
    if (S_ISDIR(info.st_mode)) {
        (void)close(descriptor);
        return lutra_error_set(error, LUTRA_EIO, "cannot read '%s': it is a folder", path);
    }
    gzFile stream = gzdopen(descriptor, "rb");
    if (stream == NULL) {
        (void)close(descriptor);
        return lutra_error_set(error, LUTRA_ENOMEM, "cannot read '%s': out of memory", path);
    }
    uint8_t *data = NULL;
    size_t used = 0;
    const size_t file_bytes = info.st_size > 0 ? (size_t)info.st_size : 0;
    const size_t first = (file_bytes < max_bytes ? file_bytes : max_bytes) + 1;
    LutraStatus status = read_stream(&data, &used, stream, first, path, max_bytes, error);
    /* The checksum of the last gzip member is verified by then; a truncated one shows up here. */
    const int closed = gzclose_r(stream);
    if (status == LUTRA_OK && used > max_bytes) {
        status =
            lutra_error_set(error, LUTRA_EDATA, "'%s' holds more than %zu bytes", path, max_bytes);
    }
    if (status == LUTRA_OK && closed != Z_OK) {
        status =
            lutra_error_set(error, LUTRA_EDATA, "'%s' is a damaged or truncated gzip file", path);
    }
    if (status != LUTRA_OK) {
        lutra_free(&data);
        return status;
    }
    data[used] = 0;
    *bytes = (LutraBytes){.data = data, .bytes = used};
    return LUTRA_OK;
}

LutraStatus lutra_file_path_in(char **path, const char *folder, const char *name,
                               LutraError *error) {
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    LUTRA_TRY(lutra_alloc(path, bytes, 1, error));
    (void)snprintf(*path, bytes, "%s/%s", folder, name);
    return LUTRA_OK;
}

bool lutra_file_exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

/* Heap copy of the folder part of `path`: "." if there is none. */
static LutraStatus folder_of(char **folder, const char *path, LutraError *error) {
    LUTRA_TRY(lutra_string_copy(folder, path[0] == '\0' ? "." : path, error));
    char *slash = strrchr(*folder, '/');
    if (slash == NULL) {
        lutra_free(folder);
        return lutra_string_copy(folder, ".", error);
    }
    if (slash == *folder) {
        slash[1] = '\0';
    } else {
        *slash = '\0';
    }
    return LUTRA_OK;
}

LutraStatus lutra_file_check_output(const char *path, bool force, LutraError *error) {
    struct stat info;
    const size_t length = strlen(path);
    if (length == 0) {
        return lutra_error_set(error, LUTRA_EINVAL, "the output path is empty");
    }
    const bool found = stat(path, &info) == 0;
    if (found && S_ISDIR(info.st_mode)) {
        return lutra_error_set(error, LUTRA_EINVAL, "cannot write '%s': it is a folder", path);
    }
    if (path[length - 1] == '/') {
        return lutra_error_set(error, LUTRA_EINVAL, "cannot write '%s': it names a folder", path);
    }
    /* Renaming over a device would replace the device. */
    if (found && !S_ISREG(info.st_mode)) {
        return lutra_error_set(error, LUTRA_EINVAL, "cannot write '%s': it is not a regular file",
                               path);
    }
    if (!force && lutra_file_exists(path)) {
        return lutra_error_set(error, LUTRA_EINVAL, "'%s' exists; give --force to replace it",
                               path);
    }
    char *folder = NULL;
    LUTRA_TRY(folder_of(&folder, path, error));
    LutraStatus status = LUTRA_OK;
    if (stat(folder, &info) != 0) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot write '%s': folder '%s': %s", path,
                                 folder, strerror(errno));
    } else if (!S_ISDIR(info.st_mode)) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot write '%s': '%s' is not a folder", path,
                                 folder);
    } else if (access(folder, W_OK | X_OK) != 0) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot write '%s': folder '%s': %s", path,
                                 folder, strerror(errno));
    }
    lutra_free(&folder);
    return status;
}

LutraStatus lutra_file_partial_name(char **partial, const char *path, LutraError *error) {
    static const char suffix[] = ".partial";
    const size_t length = strlen(path);
    char *name = NULL;
    LUTRA_TRY(lutra_alloc(&name, length + sizeof suffix, 1, error));
    memcpy(name, path, length);
    memcpy(name + length, suffix, sizeof suffix);
    *partial = name;
    return LUTRA_OK;
}

LutraStatus lutra_file_publish(const char *partial, const char *path, bool force,
                               LutraError *error) {
    const int descriptor = open(partial, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) != 0) {
        const int sync_errno = errno;
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        (void)unlink(partial);
        return lutra_error_set(error, LUTRA_EIO, "cannot write '%s': %s", path,
                               strerror(sync_errno));
    }
    (void)close(descriptor);
    /* The work may have taken hours: look again whether the name is still free. */
    LutraStatus status = lutra_file_check_output(path, force, error);
    if (status == LUTRA_OK && rename(partial, path) != 0) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot rename '%s' to '%s': %s", partial, path,
                                 strerror(errno));
    }
    if (status != LUTRA_OK) {
        (void)unlink(partial);
    }
    return status;
}

LutraStatus lutra_file_write(const char *path, const void *data, size_t bytes, bool force,
                             LutraError *error) {
    LUTRA_TRY(lutra_file_check_output(path, force, error));
    char *partial = NULL;
    LUTRA_TRY(lutra_file_partial_name(&partial, path, error));
    LutraStatus status = LUTRA_OK;
    FILE *stream = fopen(partial, "wb");
    if (stream == NULL) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot write '%s': %s", path, strerror(errno));
        goto done;
    }
    const bool written = bytes == 0 || fwrite(data, 1, bytes, stream) == bytes;
    const int write_errno = errno;
    if (fclose(stream) != 0 || !written) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot write '%s': %s", path,
                                 strerror(written ? errno : write_errno));
        (void)unlink(partial);
        goto done;
    }
    status = lutra_file_publish(partial, path, force, error);

done:
    lutra_free(&partial);
    return status;
}

LutraStatus lutra_folder_create(const char *path, LutraError *error) {
    char *copy = NULL;
    LUTRA_TRY(lutra_string_copy(&copy, path, error));
    LutraStatus status = LUTRA_OK;
    const size_t length = strlen(copy);
    for (size_t i = 1; i <= length && status == LUTRA_OK; i++) {
        if (copy[i] != '/' && copy[i] != '\0') {
            continue;
        }
        copy[i] = '\0';
        struct stat info;
        if (mkdir(copy, 0777) != 0) {
            const int make_errno = errno;
            /* An existing folder that may not be written to also lands here, with EEXIST or
             * EROFS: only what is missing or no folder is an error. */
            if (stat(copy, &info) != 0) {
                status = lutra_error_set(error, LUTRA_EIO, "cannot create folder '%s': %s", path,
                                         strerror(make_errno));
            } else if (!S_ISDIR(info.st_mode)) {
                status =
                    lutra_error_set(error, LUTRA_EIO,
                                    "cannot create folder '%s': '%s' is not a folder", path, copy);
            }
        }
        if (i < length) {
            copy[i] = '/';
        }
    }
    lutra_free(&copy);
    return status;
}
