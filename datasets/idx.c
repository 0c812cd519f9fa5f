/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IDX: two zero bytes, a type byte (8 = unsigned bytes), the rank, then one big-endian 32-bit
 * extent per axis, then the elements.
 */
#include "datasets/idx.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/folder_priv.h"

enum { TYPE_U8 = 8, HEADER_BYTES = 4, AXIS_BYTES = 4 };

static const size_t max_file_bytes = (size_t)1 << 32;

static const char *const fashion_names[10] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                              "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                              "Bag",         "Ankle boot"};

/* A whole IDX file; the elements start at `first`. */
typedef struct {
    char *path;
    LutraBytes bytes;
    uint64_t dims[3];
    size_t first;
} IdxFile;

static void idx_deinit(IdxFile *file) {
    lutra_bytes_deinit(&file->bytes);
    lutra_free(&file->path);
}

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

static LutraStatus check_idx(IdxFile *file, uint32_t rank, LutraError *error) {
    const uint8_t *const data = file->bytes.data;
    if (file->bytes.bytes == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is empty", file->path);
    }
    file->first = HEADER_BYTES + (size_t)rank * AXIS_BYTES;
    if (file->bytes.bytes < HEADER_BYTES || data[0] != 0 || data[1] != 0 || data[2] != TYPE_U8 ||
        data[3] != rank) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' is not an IDX file of bytes with %" PRIu32 " axes", file->path,
                               rank);
    }
    if (file->bytes.bytes < file->first) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is truncated", file->path);
    }
    const uint64_t held = file->bytes.bytes - file->first;
    uint64_t claimed = 1;
    for (uint32_t i = 0; i < rank; i++) {
        file->dims[i] = big_endian(data + HEADER_BYTES + (size_t)i * AXIS_BYTES);
        /* The product stays below 2^32 * 2^32: the file is no longer than max_file_bytes. */
        if (file->dims[i] == 0 || claimed > max_file_bytes) {
            return lutra_error_set(error, LUTRA_EDATA, "'%s' claims an impossible shape",
                                   file->path);
        }
        claimed *= file->dims[i];
    }
    if (claimed != held) {
        return lutra_error_set(
            error, LUTRA_EDATA,
            "'%s' is %s: its header promises %" PRIu64 " bytes, it holds %" PRIu64, file->path,
            held < claimed ? "truncated" : "too long", claimed, held);
    }
    return LUTRA_OK;
}

/* Opens FOLDER/SPLIT-CONTENT-idxR-ubyte, with or without ".gz", also spelled ".idxR". */
static LutraStatus open_idx(IdxFile *file, const char *folder, const char *split,
                            const char *content, uint32_t rank, LutraError *error) {
    for (int spelling = 0; spelling < 4; spelling++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s-%s%cidx%" PRIu32 "-ubyte%s", split, content,
                       spelling < 2 ? '-' : '.', rank, spelling % 2 == 0 ? "" : ".gz");
        lutra_free(&file->path);
        LUTRA_TRY(lutra_path_join(&file->path, folder, name, error));
        if (lutra_file_exists(file->path)) {
            LUTRA_TRY(lutra_file_read(&file->bytes, file->path, max_file_bytes, error));
            return check_idx(file, rank, error);
        }
    }
    return lutra_error_set(error, LUTRA_EIO,
                           "'%s' has no file '%s-%s-idx%" PRIu32 "-ubyte', plain or with '.gz'",
                           folder, split, content, rank);
}

/* Reads one split into the dataset; the first one also fixes the image size. */
static LutraStatus read_split(LutraDataset *dataset, LutraSplitKind kind, const char *folder,
                              LutraError *error) {
    const char *const prefix = kind == LUTRA_SPLIT_TRAIN ? "train" : "t10k";
    IdxFile images = {0};
    IdxFile labels = {0};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, open_idx(&images, folder, prefix, "images", 3, error));
    LUTRA_TRY_GOTO(status, open_idx(&labels, folder, prefix, "labels", 1, error));
    if (images.dims[0] != labels.dims[0]) {
        status = lutra_error_set(error, LUTRA_EDATA,
                                 "'%s' holds %" PRIu64 " images but '%s' %" PRIu64 " labels",
                                 images.path, images.dims[0], labels.path, labels.dims[0]);
        goto done;
    }
    if (dataset->channels != 0 &&
        (images.dims[1] != dataset->height || images.dims[2] != dataset->width)) {
        status = lutra_error_set(error, LUTRA_EDATA,
                                 "'%s' holds images of %" PRIu64 " x %" PRIu64
                                 ", the training "
                                 "images are %" PRIu32 " x %" PRIu32,
                                 images.path, images.dims[1], images.dims[2], dataset->height,
                                 dataset->width);
        goto done;
    }
    dataset->channels = 1;
    dataset->height = (uint32_t)images.dims[1];
    dataset->width = (uint32_t)images.dims[2];
    status = lutra_dataset_allocate_split(dataset, kind, images.dims[0], error);
    if (status != LUTRA_OK) {
        status = lutra_error_prefix(error, status, images.path);
        goto done;
    }
    memcpy(dataset->splits[kind].images, images.bytes.data + images.first,
           images.bytes.bytes - images.first);
    for (uint64_t i = 0; i < labels.dims[0]; i++) {
        dataset->splits[kind].labels[i] = labels.bytes.data[labels.first + i];
    }

done:
    idx_deinit(&labels);
    idx_deinit(&images);
    return status;
}

static uint32_t count_classes(const LutraDataset *dataset) {
    uint32_t largest = 0;
    for (int s = 0; s < 2; s++) {
        for (uint64_t i = 0; i < dataset->splits[s].count; i++) {
            const uint32_t label = dataset->splits[s].labels[i];
            largest = label > largest ? label : largest;
        }
    }
    return largest + 1;
}

LutraStatus lutra_idx_read(LutraDataset *dataset, const char *folder, const char *name,
                           LutraError *error) {
    LutraDataset made = {0};
    char *folder_name = NULL;
    char source[300];
    LUTRA_TRY(lutra_folder_check(folder, error));
    LUTRA_TRY(lutra_path_last(&folder_name, folder, error));
    const char *const used_name = name == NULL ? folder_name : name;
    (void)snprintf(source, sizeof source, "IDX files in %s", folder);
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_dataset_set_origin(&made, used_name, source, error));
    LUTRA_TRY_GOTO(status, read_split(&made, LUTRA_SPLIT_TRAIN, folder, error));
    LUTRA_TRY_GOTO(status, read_split(&made, LUTRA_SPLIT_TEST, folder, error));
    const uint32_t classes = count_classes(&made);
    const bool fashion = classes == 10 && (strcmp(used_name, "fashion-mnist") == 0 ||
                                           strcmp(folder_name, "fashion-mnist") == 0);
    status = lutra_dataset_set_classes(&made, fashion ? fashion_names : NULL, classes, error);

done:
    lutra_free(&folder_name);
    if (status != LUTRA_OK) {
        lutra_dataset_deinit(&made);
        return status;
    }
    *dataset = made;
    return LUTRA_OK;
}
