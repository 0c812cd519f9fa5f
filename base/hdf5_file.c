/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HDF5 files. What a file claims is checked before anything is allocated or followed: only hard
 * links, only data stored in the file itself, and no array that claims more bytes than deflate
 * could have packed into the stored ones.
 */
#include "base/hdf5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hdf5.h>

#include "base/file.h"
#include "base/memory.h"

enum {
    DEFLATE_LEVEL = 4,
    DEFLATE_FROM_BYTES = 4096,
    CHUNK_BYTES = 1 << 20,
    MAX_READ_CHUNK_BYTES = 1 << 28, /* a chunk is unpacked in one piece */
    MAX_DEFLATE_RATIO = 1040,       /* deflate packs at most 1032 : 1 */
    MAX_TEXT_BYTES = 1 << 20,
    MAX_NAME_BYTES = 256,
    MAX_ROOT_NAMES = 65536
};

struct LutraH5 {
    hid_t id;
    char *path;
    char *partial; /* NULL when reading */
    bool force;
};

/* To be called before any other HDF5 function. HDF5 prints its own error stack unless told not to;
 * every entry point reports by status. And a file that could not be closed (disk full) is tried
 * again by HDF5's exit handler, which then crashes. */
static void prepare_library(void) {
    (void)H5dont_atexit();
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

size_t lutra_h5_type_bytes(LutraH5Type type) {
    switch (type) {
        case LUTRA_H5_U8:
        case LUTRA_H5_I8: return 1;
        case LUTRA_H5_I16:
        case LUTRA_H5_U16: return 2;
        case LUTRA_H5_I32:
        case LUTRA_H5_U32:
        case LUTRA_H5_F32: return 4;
        case LUTRA_H5_I64:
        case LUTRA_H5_U64:
        case LUTRA_H5_F64: return 8;
    }
    LUTRA_ASSERT(!"unknown element type");
    return 0;
}

static hid_t memory_type(LutraH5Type type) {
    switch (type) {
        case LUTRA_H5_U8: return H5T_NATIVE_UINT8;
        case LUTRA_H5_I8: return H5T_NATIVE_INT8;
        case LUTRA_H5_I16: return H5T_NATIVE_INT16;
        case LUTRA_H5_U16: return H5T_NATIVE_UINT16;
        case LUTRA_H5_I32: return H5T_NATIVE_INT32;
        case LUTRA_H5_U32: return H5T_NATIVE_UINT32;
        case LUTRA_H5_I64: return H5T_NATIVE_INT64;
        case LUTRA_H5_U64: return H5T_NATIVE_UINT64;
        case LUTRA_H5_F32: return H5T_NATIVE_FLOAT;
        case LUTRA_H5_F64: return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}

/* What lies in the file is little-endian everywhere. */
static hid_t stored_type(LutraH5Type type) {
    switch (type) {
        case LUTRA_H5_U8: return H5T_STD_U8LE;
        case LUTRA_H5_I8: return H5T_STD_I8LE;
        case LUTRA_H5_I16: return H5T_STD_I16LE;
        case LUTRA_H5_U16: return H5T_STD_U16LE;
        case LUTRA_H5_I32: return H5T_STD_I32LE;
        case LUTRA_H5_U32: return H5T_STD_U32LE;
        case LUTRA_H5_I64: return H5T_STD_I64LE;
        case LUTRA_H5_U64: return H5T_STD_U64LE;
        case LUTRA_H5_F32: return H5T_IEEE_F32LE;
        case LUTRA_H5_F64: return H5T_IEEE_F64LE;
    }
    return H5I_INVALID_HID;
}

static const char *type_name(LutraH5Type type) {
    static const char *const names[] = {"?",   "u8",  "i8",  "i16", "u16", "i32",
                                        "u32", "i64", "u64", "f32", "f64"};
    return names[type];
}

/* ---- opening and closing ---- */

static LutraStatus handle_create(LutraH5 **file, const char *path, bool writing, bool force,
                                 LutraError *error) {
    LutraH5 *made = NULL;
    LUTRA_TRY(lutra_alloc(&made, 1, sizeof *made, error));
    made->id = H5I_INVALID_HID;
    made->force = force;
    LutraStatus status = lutra_string_copy(&made->path, path, error);
    if (status == LUTRA_OK && writing) {
        status = lutra_file_partial_name(&made->partial, path, error);
    }
    if (status != LUTRA_OK) {
        lutra_free(&made->path);
        lutra_free(&made);
        return status;
    }
    *file = made;
    return LUTRA_OK;
}

static void handle_destroy(LutraH5 **file) {
    lutra_free(&(*file)->partial);
    lutra_free(&(*file)->path);
    lutra_free(file);
}

/* Settings under which equal content gives equal bytes, and attributes may pass 64 KiB. */
static hid_t create_by_settings(const char *partial) {
    hid_t id = H5I_INVALID_HID;
    const hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
    const hid_t create_list = H5Pcreate(H5P_FILE_CREATE);
    if (access_list >= 0 && create_list >= 0 &&
        H5Pset_libver_bounds(access_list, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0 &&
        H5Pset_fclose_degree(access_list, H5F_CLOSE_STRONG) >= 0 &&
        H5Pset_obj_track_times(create_list, false) >= 0) {
        id = H5Fcreate(partial, H5F_ACC_TRUNC, create_list, access_list);
    }
    if (create_list >= 0) {
        (void)H5Pclose(create_list);
    }
    if (access_list >= 0) {
        (void)H5Pclose(access_list);
    }
    return id;
}

LutraStatus lutra_h5_create(LutraH5 **file, const char *path, bool force, LutraError *error) {
    prepare_library();
    *file = NULL;
    LUTRA_TRY(lutra_file_check_output(path, force, error));
    LutraH5 *made = NULL;
    LUTRA_TRY(handle_create(&made, path, true, force, error));
    /* HDF5 does not say why a file cannot be created; the system does. */
    const int descriptor = open(made->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        const int open_errno = errno;
        handle_destroy(&made);
        return lutra_error_set(error, LUTRA_EIO, "cannot write '%s': %s", path,
                               strerror(open_errno));
    }
    (void)close(descriptor);
    made->id = create_by_settings(made->partial);
    if (made->id < 0) {
        (void)unlink(made->partial);
        handle_destroy(&made);
        return lutra_error_set(error, LUTRA_EIO, "cannot write '%s': HDF5 refuses to create it",
                               path);
    }
    *file = made;
    return LUTRA_OK;
}

LutraStatus lutra_h5_commit(LutraH5 **file, LutraError *error) {
    LutraH5 *closing = *file;
    LUTRA_ASSERT(closing != NULL && closing->partial != NULL);
    *file = NULL;
    const bool flushed = H5Fflush(closing->id, H5F_SCOPE_GLOBAL) >= 0;
    const int flush_errno = errno;
    const bool closed = H5Fclose(closing->id) >= 0;
    LutraStatus status = LUTRA_OK;
    if (!flushed || !closed) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot write '%s': %s", closing->path,
                                 flushed ? "closing failed" : strerror(flush_errno));
        (void)unlink(closing->partial);
    } else {
        status = lutra_file_publish(closing->partial, closing->path, closing->force, error);
    }
    handle_destroy(&closing);
    return status;
}

void lutra_h5_close(LutraH5 **file) {
    if (file == NULL || *file == NULL) {
        return;
    }
    (void)H5Fclose((*file)->id);
    if ((*file)->partial != NULL) {
        (void)unlink((*file)->partial);
    }
    handle_destroy(file);
}

static LutraStatus check_readable(const char *path, LutraError *error) {
    struct stat info;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return lutra_error_set(error, LUTRA_EIO, "cannot open '%s': %s", path, strerror(errno));
    }
    const bool known = fstat(descriptor, &info) == 0;
    (void)close(descriptor);
    if (!known || !S_ISREG(info.st_mode)) {
        return lutra_error_set(error, LUTRA_EIO, "cannot open '%s': it is not a regular file",
                               path);
    }
    if (info.st_size == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is empty", path);
    }
    return LUTRA_OK;
}

LutraStatus lutra_h5_open(LutraH5 **file, const char *path, LutraError *error) {
    prepare_library();
    *file = NULL;
    LUTRA_TRY(check_readable(path, error));
    if (H5Fis_hdf5(path) <= 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is not an HDF5 file", path);
    }
    LutraH5 *made = NULL;
    LUTRA_TRY(handle_create(&made, path, false, false, error));
    const hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
    if (access_list >= 0) {
        (void)H5Pset_fclose_degree(access_list, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
        /* Finished files are never written again, and some file systems know no locks. */
        (void)H5Pset_file_locking(access_list, false, true);
#endif
        made->id = H5Fopen(path, H5F_ACC_RDONLY, access_list);
        (void)H5Pclose(access_list);
    }
    if (made->id < 0) {
        handle_destroy(&made);
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is a damaged or truncated HDF5 file",
                               path);
    }
    *file = made;
    return LUTRA_OK;
}

const char *lutra_h5_path(const LutraH5 *file) {
    return file->path;
}

/* ---- names ---- */

/* Whether every component of `name` is a hard link; "" is the root. Soft and external links could
 * lead into other files. */
static bool name_resolves(hid_t file, const char *name) {
    char prefix[MAX_NAME_BYTES];
    const size_t length = strlen(name);
    if (length == 0) {
        return true;
    }
    if (length >= sizeof prefix || name[0] == '/') {
        return false;
    }
    for (size_t i = 1; i <= length; i++) {
        if (name[i] != '/' && name[i] != '\0') {
            continue;
        }
        memcpy(prefix, name, i);
        prefix[i] = '\0';
        H5L_info_t info;
        if (H5Lexists(file, prefix, H5P_DEFAULT) <= 0 ||
            H5Lget_info(file, prefix, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD) {
            return false;
        }
    }
    return true;
}

/* Opens a group or array (H5I_INVALID_HID if there is none); close with H5Oclose. */
static hid_t open_object(const LutraH5 *file, const char *name) {
    if (!name_resolves(file->id, name)) {
        return H5I_INVALID_HID;
    }
    return H5Oopen(file->id, name[0] == '\0' ? "/" : name, H5P_DEFAULT);
}

/* Opens an array, or says that there is none. */
static LutraStatus open_array(hid_t *array, const LutraH5 *file, const char *name,
                              LutraError *error) {
    hid_t object = open_object(file, name);
    if (object >= 0 && H5Iget_type(object) != H5I_DATASET) {
        (void)H5Oclose(object);
        object = H5I_INVALID_HID;
    }
    if (object < 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no array '%s'", file->path, name);
    }
    *array = object;
    return LUTRA_OK;
}

bool lutra_h5_has(const LutraH5 *file, const char *name) {
    hid_t array = H5I_INVALID_HID;
    if (open_array(&array, file, name, NULL) != LUTRA_OK) {
        return false;
    }
    (void)H5Oclose(array);
    return true;
}

void lutra_h5_free_names(char ***names, size_t count) {
    for (size_t i = 0; *names != NULL && i < count; i++) {
        lutra_free(&(*names)[i]);
    }
    lutra_free(names);
}

LutraStatus lutra_h5_names(char ***names, size_t *count, LutraH5 *file, LutraError *error) {
    H5G_info_t about;
    char **list = NULL;
    char name[MAX_NAME_BYTES];
    LutraStatus status = LUTRA_OK;
    if (H5Gget_info(file->id, &about) < 0 || about.nlinks > MAX_ROOT_NAMES) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' should have at most %d names in its root",
                               file->path, MAX_ROOT_NAMES);
    }
    const size_t links = (size_t)about.nlinks;
    LUTRA_TRY(lutra_alloc(&list, links == 0 ? 1 : links, sizeof *list, error));
    for (size_t i = 0; i < links; i++) {
        const ssize_t length = H5Lget_name_by_idx(file->id, ".", H5_INDEX_NAME, H5_ITER_INC, i,
                                                  name, sizeof name, H5P_DEFAULT);
        if (length <= 0 || (size_t)length >= sizeof name) {
            status = lutra_error_set(error, LUTRA_EDATA, "'%s': name %zu of its root cannot be "
                                     "read or is too long", file->path, i);
            goto done;
        }
        LUTRA_TRY_GOTO(status, lutra_string_copy(&list[i], name, error));
    }
    *names = list;
    *count = links;
    list = NULL;
done:
    lutra_h5_free_names(&list, links);
    return status;
}

/* Creates the group `name` and its parents, all without times. */
static LutraStatus create_groups(LutraH5 *file, const char *name, LutraError *error) {
    char prefix[MAX_NAME_BYTES];
    const size_t length = strlen(name);
    LUTRA_ASSERT(length < sizeof prefix);
    const hid_t settings = H5Pcreate(H5P_GROUP_CREATE);
    bool good = settings >= 0 && H5Pset_obj_track_times(settings, false) >= 0;
    for (size_t i = 1; i <= length && good; i++) {
        if (name[i] != '/' && name[i] != '\0') {
            continue;
        }
        memcpy(prefix, name, i);
        prefix[i] = '\0';
        if (H5Lexists(file->id, prefix, H5P_DEFAULT) > 0) {
            continue;
        }
        const hid_t group = H5Gcreate2(file->id, prefix, H5P_DEFAULT, settings, H5P_DEFAULT);
        good = group >= 0 && H5Gclose(group) >= 0;
    }
    if (settings >= 0) {
        (void)H5Pclose(settings);
    }
    return good ? LUTRA_OK
                : lutra_error_set(error, LUTRA_EIO, "cannot write '%s': group '%s' failed",
                                  file->path, name);
}

/* ---- shapes ---- */

/* Product of extents and element size; false if it does not fit. */
static bool array_bytes(uint64_t *bytes, const LutraH5Shape *shape) {
    uint64_t product = lutra_h5_type_bytes(shape->type);
    for (uint32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] != 0 && product > (uint64_t)(SIZE_MAX / 2) / shape->dims[i]) {
            return false;
        }
        product *= shape->dims[i];
    }
    *bytes = product;
    return true;
}

static bool read_extent(LutraH5Shape *shape, hid_t array) {
    const hid_t space = H5Dget_space(array);
    bool good = space >= 0 && H5Sget_simple_extent_type(space) != H5S_NULL;
    if (good) {
        const int rank = H5Sget_simple_extent_ndims(space);
        hsize_t dims[LUTRA_H5_MAX_RANK] = {0};
        good = rank >= 0 && rank <= LUTRA_H5_MAX_RANK &&
               (rank == 0 || H5Sget_simple_extent_dims(space, dims, NULL) == rank);
        if (good) {
            shape->rank = (uint32_t)rank;
            for (uint32_t i = 0; i < shape->rank; i++) {
                shape->dims[i] = dims[i];
            }
        }
    }
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    return good;
}

static bool read_type(LutraH5Type *type, hid_t array) {
    const hid_t stored = H5Dget_type(array);
    bool found = false;
    for (int i = LUTRA_H5_U8; stored >= 0 && i <= LUTRA_H5_F64 && !found; i++) {
        if (H5Tequal(stored, stored_type((LutraH5Type)i)) > 0) {
            *type = (LutraH5Type)i;
            found = true;
        }
    }
    if (stored >= 0) {
        (void)H5Tclose(stored);
    }
    return found;
}

/* Whether the stored bytes can hold the claimed ones, in this file and in bounded chunks. */
static bool storage_plausible(const LutraH5 *file, hid_t array, const LutraH5Shape *shape) {
    uint64_t bytes = 0;
    hsize_t file_bytes = 0;
    if (!array_bytes(&bytes, shape) || H5Fget_filesize(file->id, &file_bytes) < 0) {
        return false;
    }
    if (bytes == 0) {
        return true;
    }
    const hid_t settings = H5Dget_create_plist(array);
    if (settings < 0) {
        return false;
    }
    bool good = H5Pget_external_count(settings) == 0;
    const H5D_layout_t layout = H5Pget_layout(settings);
    const hsize_t stored = H5Dget_storage_size(array);
    if (layout == H5D_CHUNKED) {
        hsize_t chunk[LUTRA_H5_MAX_RANK] = {0};
        uint64_t chunk_bytes = lutra_h5_type_bytes(shape->type);
        good = good && H5Pget_chunk(settings, (int)shape->rank, chunk) == (int)shape->rank;
        for (uint32_t i = 0; i < shape->rank && good; i++) {
            good = chunk[i] != 0 && chunk_bytes <= (uint64_t)MAX_READ_CHUNK_BYTES / chunk[i];
            chunk_bytes *= chunk[i];
        }
        good = good && stored <= file_bytes && bytes / MAX_DEFLATE_RATIO <= stored && stored != 0;
    } else {
        good = good && (layout == H5D_CONTIGUOUS || layout == H5D_COMPACT) && stored == bytes &&
               stored <= file_bytes;
    }
    (void)H5Pclose(settings);
    return good;
}

static LutraStatus shape_of(LutraH5Shape *shape, const LutraH5 *file, hid_t array, const char *name,
                            LutraError *error) {
    LutraH5Shape found = {0};
    if (!read_type(&found.type, array)) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "array '%s' of '%s' has an element type that lutra does not read",
                               name, file->path);
    }
    if (!read_extent(&found, array)) {
        return lutra_error_set(error, LUTRA_EDATA, "array '%s' of '%s' has no usable shape", name,
                               file->path);
    }
    if (!storage_plausible(file, array, &found)) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "array '%s' of '%s' claims more data than the file holds", name,
                               file->path);
    }
    *shape = found;
    return LUTRA_OK;
}

LutraStatus lutra_h5_shape(LutraH5Shape *shape, LutraH5 *file, const char *name,
                           LutraError *error) {
    hid_t array = H5I_INVALID_HID;
    LUTRA_TRY(open_array(&array, file, name, error));
    const LutraStatus status = shape_of(shape, file, array, name, error);
    (void)H5Oclose(array);
    return status;
}

/* ---- whole arrays and rows ---- */

/* Storage settings: chunks of at most CHUNK_BYTES that keep the last axes whole, deflated. */
static hid_t array_settings(const LutraH5Shape *shape, uint64_t bytes) {
    const hid_t settings = H5Pcreate(H5P_DATASET_CREATE);
    if (settings < 0) {
        return settings;
    }
    bool good = H5Pset_obj_track_times(settings, false) >= 0;
    if (good && bytes >= DEFLATE_FROM_BYTES) {
        hsize_t chunk[LUTRA_H5_MAX_RANK];
        uint64_t chunk_bytes = bytes;
        for (uint32_t i = 0; i < shape->rank; i++) {
            chunk[i] = shape->dims[i];
        }
        for (uint32_t i = 0; i < shape->rank; i++) {
            if (chunk_bytes > CHUNK_BYTES) {
                const uint64_t row_bytes = chunk_bytes / chunk[i];
                chunk[i] = row_bytes >= CHUNK_BYTES ? 1 : CHUNK_BYTES / row_bytes;
                chunk_bytes = row_bytes * chunk[i];
            }
        }
        good = H5Pset_chunk(settings, (int)shape->rank, chunk) >= 0 &&
               (lutra_h5_type_bytes(shape->type) == 1 || H5Pset_shuffle(settings) >= 0) &&
               H5Pset_deflate(settings, DEFLATE_LEVEL) >= 0;
    }
    if (!good) {
        (void)H5Pclose(settings);
        return H5I_INVALID_HID;
    }
    return settings;
}

static LutraStatus create_parents(LutraH5 *file, const char *name, LutraError *error) {
    const char *slash = strrchr(name, '/');
    if (slash == NULL) {
        return LUTRA_OK;
    }
    char parent[MAX_NAME_BYTES];
    const size_t length = (size_t)(slash - name);
    memcpy(parent, name, length);
    parent[length] = '\0';
    return create_groups(file, parent, error);
}

LutraStatus lutra_h5_write(LutraH5 *file, const char *name, const void *data, LutraH5Type type,
                           uint32_t rank, const uint64_t *dims, LutraError *error) {
    LUTRA_ASSERT(file->partial != NULL && rank <= LUTRA_H5_MAX_RANK);
    LUTRA_ASSERT(name[0] != '\0' && strlen(name) < MAX_NAME_BYTES);
    LutraH5Shape shape = {.rank = rank, .type = type};
    hsize_t extent[LUTRA_H5_MAX_RANK] = {0};
    for (uint32_t i = 0; i < rank; i++) {
        shape.dims[i] = dims[i];
        extent[i] = dims[i];
    }
    uint64_t bytes = 0;
    LUTRA_ASSERT(array_bytes(&bytes, &shape));
    LUTRA_TRY(create_parents(file, name, error));

    errno = 0;
    bool good = false;
    const hid_t settings = array_settings(&shape, bytes);
    const hid_t space =
        rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple((int)rank, extent, NULL);
    if (settings >= 0 && space >= 0) {
        const hid_t array = H5Dcreate2(file->id, name, stored_type(type), space, H5P_DEFAULT,
                                       settings, H5P_DEFAULT);
        if (array >= 0) {
            good = bytes == 0 ||
                   H5Dwrite(array, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
            good = H5Dclose(array) >= 0 && good;
        }
    }
    const int write_errno = errno;
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    if (settings >= 0) {
        (void)H5Pclose(settings);
    }
    return good ? LUTRA_OK
                : lutra_error_set(error, LUTRA_EIO, "cannot write array '%s' of '%s': %s", name,
                                  file->path,
                                  write_errno != 0 ? strerror(write_errno) : "HDF5 refuses");
}

/* "(3,32,32)" into text. */
static void shape_text(char *text, size_t bytes, uint32_t rank, const uint64_t *dims) {
    size_t used = 0;
    (void)snprintf(text, bytes, "()");
    for (uint32_t i = 0; i < rank && used < bytes; i++) {
        const int length = snprintf(text + used, bytes - used, "%c%llu%s", i == 0 ? '(' : ',',
                                    (unsigned long long)dims[i], i + 1 == rank ? ")" : "");
        used += length < 0 ? 0 : (size_t)length;
    }
}

LutraStatus lutra_h5_read(LutraH5 *file, const char *name, void *data, LutraH5Type type,
                          uint32_t rank, const uint64_t *dims, LutraError *error) {
    LUTRA_ASSERT(rank <= LUTRA_H5_MAX_RANK);
    hid_t array = H5I_INVALID_HID;
    LUTRA_TRY(open_array(&array, file, name, error));
    LutraH5Shape found = {0};
    LutraStatus status = shape_of(&found, file, array, name, error);
    if (status != LUTRA_OK) {
        goto done;
    }
    bool same = found.type == type && found.rank == rank;
    for (uint32_t i = 0; i < rank && same; i++) {
        same = found.dims[i] == dims[i];
    }
    if (!same) {
        char stored[128];
        char wanted[128];
        shape_text(stored, sizeof stored, found.rank, found.dims);
        shape_text(wanted, sizeof wanted, rank, dims);
        status = lutra_error_set(
            error, LUTRA_EDATA, "array '%s' of '%s' is %s %s where %s %s is needed", name,
            file->path, type_name(found.type), stored, type_name(type), wanted);
        goto done;
    }
    uint64_t bytes = 0;
    LUTRA_ASSERT(array_bytes(&bytes, &found));
    if (bytes != 0 && H5Dread(array, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
        status =
            lutra_error_set(error, LUTRA_EDATA, "array '%s' of '%s' is damaged", name, file->path);
    }

done:
    (void)H5Oclose(array);
    return status;
}

/* Reads the selected rows; the shape is checked. */
static bool read_selection(hid_t array, void *data, const LutraH5Shape *shape, uint64_t first,
                           uint64_t count) {
    hsize_t start[LUTRA_H5_MAX_RANK] = {0};
    hsize_t extent[LUTRA_H5_MAX_RANK] = {0};
    for (uint32_t i = 0; i < shape->rank; i++) {
        extent[i] = shape->dims[i];
    }
    start[0] = first;
    extent[0] = count;
    const hid_t stored = H5Dget_space(array);
    const hid_t wanted = H5Screate_simple((int)shape->rank, extent, NULL);
    const bool good =
        stored >= 0 && wanted >= 0 &&
        H5Sselect_hyperslab(stored, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0 &&
        H5Dread(array, memory_type(shape->type), wanted, stored, H5P_DEFAULT, data) >= 0;
    if (wanted >= 0) {
        (void)H5Sclose(wanted);
    }
    if (stored >= 0) {
        (void)H5Sclose(stored);
    }
    return good;
}

LutraStatus lutra_h5_read_rows(LutraH5 *file, const char *name, void *data, LutraH5Type type,
                               uint64_t first, uint64_t count, LutraError *error) {
    hid_t array = H5I_INVALID_HID;
    LUTRA_TRY(open_array(&array, file, name, error));
    LutraH5Shape found = {0};
    LutraStatus status = shape_of(&found, file, array, name, error);
    if (status != LUTRA_OK) {
        goto done;
    }
    if (found.type != type || found.rank == 0) {
        status = lutra_error_set(error, LUTRA_EDATA,
                                 "array '%s' of '%s' has elements %s where rows of %s are needed",
                                 name, file->path, type_name(found.type), type_name(type));
        goto done;
    }
    if (first > found.dims[0] || count > found.dims[0] - first) {
        status = lutra_error_set(error, LUTRA_EDATA,
                                 "array '%s' of '%s' has %llu rows, not %llu from row %llu on",
                                 name, file->path, (unsigned long long)found.dims[0],
                                 (unsigned long long)count, (unsigned long long)first);
        goto done;
    }
    uint64_t bytes = 0;
    LUTRA_ASSERT(array_bytes(&bytes, &found));
    if (bytes != 0 && count != 0 && !read_selection(array, data, &found, first, count)) {
        status =
            lutra_error_set(error, LUTRA_EDATA, "array '%s' of '%s' is damaged", name, file->path);
    }

done:
    (void)H5Oclose(array);
    return status;
}

/* ---- attributes ---- */

/* Writes one value as a fresh attribute, replacing an older one. `type` may serve both the file and
 * memory (texts) or differ (numbers). */
static LutraStatus write_attribute(LutraH5 *file, const char *object, const char *key,
                                   hid_t file_type, hid_t memory, const void *value,
                                   LutraError *error) {
    LUTRA_ASSERT(file->partial != NULL && strlen(object) < MAX_NAME_BYTES);
    if (!name_resolves(file->id, object)) {
        LUTRA_TRY(create_groups(file, object, error));
    }
    errno = 0;
    bool good = false;
    const hid_t owner = open_object(file, object);
    const hid_t space = H5Screate(H5S_SCALAR);
    if (owner >= 0 && space >= 0 && (H5Aexists(owner, key) <= 0 || H5Adelete(owner, key) >= 0)) {
        const hid_t attribute = H5Acreate2(owner, key, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
        if (attribute >= 0) {
            good = H5Awrite(attribute, memory, value) >= 0;
            good = H5Aclose(attribute) >= 0 && good;
        }
    }
    const int write_errno = errno;
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    if (owner >= 0) {
        (void)H5Oclose(owner);
    }
    return good ? LUTRA_OK
                : lutra_error_set(error, LUTRA_EIO, "cannot write attribute '%s' of '%s': %s", key,
                                  file->path,
                                  write_errno != 0 ? strerror(write_errno) : "HDF5 refuses");
}

/* Opens a scalar attribute and its type. */
static LutraStatus open_attribute(hid_t *attribute, hid_t *type, const LutraH5 *file,
                                  const char *object, const char *key, LutraError *error) {
    hid_t found = H5I_INVALID_HID;
    const hid_t owner = open_object(file, object);
    if (owner >= 0) {
        if (H5Aexists(owner, key) > 0) {
            found = H5Aopen(owner, key, H5P_DEFAULT);
        }
        (void)H5Oclose(owner);
    }
    if (found < 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no attribute '%s' on '/%s'",
                               file->path, key, object);
    }
    const hid_t space = H5Aget_space(found);
    const bool scalar = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR;
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    const hid_t found_type = scalar ? H5Aget_type(found) : H5I_INVALID_HID;
    if (found_type < 0) {
        (void)H5Aclose(found);
        return lutra_error_set(error, LUTRA_EDATA, "attribute '%s' of '%s' is not one value", key,
                               file->path);
    }
    *attribute = found;
    *type = found_type;
    return LUTRA_OK;
}

LutraStatus lutra_h5_write_text(LutraH5 *file, const char *object, const char *key,
                                const char *text, LutraError *error) {
    const size_t length = strlen(text);
    if (length > MAX_TEXT_BYTES) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "cannot write attribute '%s' of '%s': %zu bytes of text, at most %d",
                               key, file->path, length, MAX_TEXT_BYTES);
    }
    const hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0 || H5Tset_size(type, length == 0 ? 1 : length) < 0 ||
        H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
        if (type >= 0) {
            (void)H5Tclose(type);
        }
        return lutra_error_set(error, LUTRA_ENOMEM, "cannot write attribute '%s' of '%s'", key,
                               file->path);
    }
    const LutraStatus status = write_attribute(file, object, key, type, type, text, error);
    (void)H5Tclose(type);
    return status;
}

LutraStatus lutra_h5_read_text(char **text, LutraH5 *file, const char *object, const char *key,
                               LutraError *error) {
    hid_t attribute = H5I_INVALID_HID;
    hid_t type = H5I_INVALID_HID;
    char *read = NULL;
    LUTRA_TRY(open_attribute(&attribute, &type, file, object, key, error));
    LutraStatus status = LUTRA_OK;
    const size_t bytes = H5Tget_size(type);
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || bytes == 0 ||
        bytes > MAX_TEXT_BYTES) {
        status = lutra_error_set(error, LUTRA_EDATA,
                                 "attribute '%s' of '%s' is not a text of fixed length below 1 MiB",
                                 key, file->path);
        goto done;
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&read, bytes + 1, 1, error));
    if (H5Aread(attribute, type, read) < 0) {
        status = lutra_error_set(error, LUTRA_EDATA, "attribute '%s' of '%s' is damaged", key,
                                 file->path);
    }

done:
    (void)H5Tclose(type);
    (void)H5Aclose(attribute);
    if (status != LUTRA_OK) {
        lutra_free(&read);
        return status;
    }
    *text = read;
    return LUTRA_OK;
}

LutraStatus lutra_h5_write_i64(LutraH5 *file, const char *object, const char *key, int64_t value,
                               LutraError *error) {
    return write_attribute(file, object, key, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, error);
}

LutraStatus lutra_h5_write_f64(LutraH5 *file, const char *object, const char *key, double value,
                               LutraError *error) {
    return write_attribute(file, object, key, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, error);
}

/* Reads a number stored as `stored`, and nothing else, so that no conversion can round. */
static LutraStatus read_number(LutraH5 *file, const char *object, const char *key, hid_t stored,
                               hid_t memory, void *value, LutraError *error) {
    hid_t attribute = H5I_INVALID_HID;
    hid_t type = H5I_INVALID_HID;
    LUTRA_TRY(open_attribute(&attribute, &type, file, object, key, error));
    LutraStatus status = LUTRA_OK;
    if (H5Tequal(type, stored) <= 0) {
        status = lutra_error_set(error, LUTRA_EDATA, "attribute '%s' of '%s' has a foreign type",
                                 key, file->path);
    } else if (H5Aread(attribute, memory, value) < 0) {
        status = lutra_error_set(error, LUTRA_EDATA, "attribute '%s' of '%s' is damaged", key,
                                 file->path);
    }
    (void)H5Tclose(type);
    (void)H5Aclose(attribute);
    return status;
}

LutraStatus lutra_h5_read_i64(int64_t *value, LutraH5 *file, const char *object, const char *key,
                              LutraError *error) {
    return read_number(file, object, key, H5T_STD_I64LE, H5T_NATIVE_INT64, value, error);
}

LutraStatus lutra_h5_read_f64(double *value, LutraH5 *file, const char *object, const char *key,
                              LutraError *error) {
    return read_number(file, object, key, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, value, error);
}

bool lutra_h5_has_attribute(const LutraH5 *file, const char *object, const char *key) {
    const hid_t owner = open_object(file, object);
    if (owner < 0) {
        return false;
    }
    const bool found = H5Aexists(owner, key) > 0;
    (void)H5Oclose(owner);
    return found;
}
