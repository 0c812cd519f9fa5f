/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HDF5 files: the only header through which the project touches HDF5.
 *
 * A file that is written gets a temporary name ("PATH.partial") and its real name only in
 * lutra_h5_commit, so no reader ever sees half a file. Object times are switched off: equal
 * content gives byte-identical files.
 *
 * HDF5 may be used from one thread at a time. Its error printing and its exit handler are switched
 * off for the whole process.
 */
#ifndef LUTRA_BASE_HDF5_FILE_H
#define LUTRA_BASE_HDF5_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct LutraH5 LutraH5;

typedef enum {
    LUTRA_H5_U8 = 1,
    LUTRA_H5_I8,
    LUTRA_H5_I16,
    LUTRA_H5_U16,
    LUTRA_H5_I32,
    LUTRA_H5_U32,
    LUTRA_H5_I64,
    LUTRA_H5_U64,
    LUTRA_H5_F32,
    LUTRA_H5_F64
} LutraH5Type;

enum { LUTRA_H5_MAX_RANK = 8 };

/** Rank, extent and element type of a stored array. */
typedef struct {
    uint32_t rank;
    uint64_t dims[LUTRA_H5_MAX_RANK];
    LutraH5Type type;
} LutraH5Shape;

/** Bytes of one element. */
size_t lutra_h5_type_bytes(LutraH5Type type);

/**
 * Starts a new file. If `path` exists and `force` is false: LUTRA_EINVAL, naming --force.
 * Finish with lutra_h5_commit, or drop it with lutra_h5_close.
 */
LUTRA_MUST_CHECK LutraStatus lutra_h5_create(LutraH5 **file, const char *path, bool force,
                                             LutraError *error);

/** Flushes, closes and renames to the real name. *file is NULL afterwards, also on error. */
LUTRA_MUST_CHECK LutraStatus lutra_h5_commit(LutraH5 **file, LutraError *error);

/** Opens for reading. LUTRA_EIO if it cannot be opened, LUTRA_EDATA if it is not HDF5. */
LUTRA_MUST_CHECK LutraStatus lutra_h5_open(LutraH5 **file, const char *path, LutraError *error);

/** Closes; an uncommitted new file is deleted. NULL and *file == NULL are allowed. */
void lutra_h5_close(LutraH5 **file);

/** The path that errors name. */
const char *lutra_h5_path(const LutraH5 *file);

/** Whether an array exists. `name` is a path such as "train/images" everywhere below. */
bool lutra_h5_has(const LutraH5 *file, const char *name);

/**
 * Names of all links of the root group, in their order; arrays and groups alike.
 *
 * @param[out] names  (count), each and the list itself on the heap: free with lutra_h5_free_names
 * @errors LUTRA_EDATA more than 65536, or a name of 256 bytes or more; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_h5_names(char ***names, size_t *count, LutraH5 *file,
                                            LutraError *error);
void lutra_h5_free_names(char ***names, size_t count);

/** Shape of an array; LUTRA_EDATA if it is missing or of a foreign type. */
LUTRA_MUST_CHECK LutraStatus lutra_h5_shape(LutraH5Shape *shape, LutraH5 *file, const char *name,
                                            LutraError *error);

/** Writes a whole array (row-major, creating groups on the way), deflated when it is worth it. */
LUTRA_MUST_CHECK LutraStatus lutra_h5_write(LutraH5 *file, const char *name, const void *data,
                                            LutraH5Type type, uint32_t rank, const uint64_t *dims,
                                            LutraError *error);

/**
 * Reads a whole array whose rank, extent and element type must be exactly those given
 * (LUTRA_EDATA otherwise; `data` unchanged).
 */
LUTRA_MUST_CHECK LutraStatus lutra_h5_read(LutraH5 *file, const char *name, void *data,
                                           LutraH5Type type, uint32_t rank, const uint64_t *dims,
                                           LutraError *error);

/** Reads rows [first, first + count) along the first axis of an array of element type `type`. */
LUTRA_MUST_CHECK LutraStatus lutra_h5_read_rows(LutraH5 *file, const char *name, void *data,
                                                LutraH5Type type, uint64_t first, uint64_t count,
                                                LutraError *error);

/**
 * Attributes. `object` is "" for the file's root or the path of a group or array; a group is
 * created on writing. Text is UTF-8; reading returns a heap copy to free with lutra_free and
 * refuses more than 1 MiB.
 */
LUTRA_MUST_CHECK LutraStatus lutra_h5_write_text(LutraH5 *file, const char *object, const char *key,
                                                 const char *text, LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_h5_read_text(char **text, LutraH5 *file, const char *object,
                                                const char *key, LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_h5_write_i64(LutraH5 *file, const char *object, const char *key,
                                                int64_t value, LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_h5_read_i64(int64_t *value, LutraH5 *file, const char *object,
                                               const char *key, LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_h5_write_f64(LutraH5 *file, const char *object, const char *key,
                                                double value, LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_h5_read_f64(double *value, LutraH5 *file, const char *object,
                                               const char *key, LutraError *error);
bool lutra_h5_has_attribute(const LutraH5 *file, const char *object, const char *key);

#endif
