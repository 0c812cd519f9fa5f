/* SPDX-License-Identifier: Apache-2.0 */
/* N = images, C = channels, H, W = height and width. */
#include "datasets/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hdf5_file.h"
#include "base/memory.h"

enum { MAX_CHANNELS = 16, MAX_SIDE = 4096, MAX_CLASS_NAME_BYTES = 100 };

static const char format_name[] = "lutra.dataset/1";
static const uint64_t max_image_bytes = (uint64_t)1 << 36;

const char *lutra_split_name(LutraSplitKind split) {
    return split == LUTRA_SPLIT_TRAIN ? "train" : "test";
}

static void free_classes(LutraDataset *dataset) {
    for (uint32_t i = 0; i < dataset->class_count && dataset->class_names != NULL; i++) {
        lutra_free(&dataset->class_names[i]);
    }
    lutra_free(&dataset->class_names);
    dataset->class_count = 0;
}

void lutra_dataset_deinit(LutraDataset *dataset) {
    if (dataset == NULL) {
        return;
    }
    free_classes(dataset);
    for (int i = 0; i < 2; i++) {
        lutra_free(&dataset->splits[i].images);
        lutra_free(&dataset->splits[i].labels);
    }
    lutra_free(&dataset->name);
    lutra_free(&dataset->source);
    *dataset = (LutraDataset){0};
}

/* ---- building ---- */

LutraStatus lutra_dataset_set_origin(LutraDataset *dataset, const char *name, const char *source,
                                     LutraError *error) {
    char *name_copy = NULL;
    char *source_copy = NULL;
    LUTRA_TRY(lutra_string_copy(&name_copy, name, error));
    const LutraStatus status = lutra_string_copy(&source_copy, source, error);
    if (status != LUTRA_OK) {
        lutra_free(&name_copy);
        return status;
    }
    lutra_free(&dataset->name);
    lutra_free(&dataset->source);
    dataset->name = name_copy;
    dataset->source = source_copy;
    return LUTRA_OK;
}

static LutraStatus check_class_name(const char *name, LutraError *error) {
    const size_t length = strlen(name);
    if (length == 0 || length > MAX_CLASS_NAME_BYTES) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "a class name has %zu bytes; 1 to %d are allowed", length,
                               MAX_CLASS_NAME_BYTES);
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F) {
            return lutra_error_set(error, LUTRA_EDATA, "a class name holds a control character");
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_dataset_set_classes(LutraDataset *dataset, const char *const *names,
                                      uint32_t count, LutraError *error) {
    if (count == 0 || count > LUTRA_MAX_CLASSES) {
        return lutra_error_set(error, LUTRA_EDATA, "%" PRIu32 " classes; 1 to %d are allowed",
                               count, LUTRA_MAX_CLASSES);
    }
    LutraDataset made = {0};
    LUTRA_TRY(lutra_alloc(&made.class_names, count, sizeof *made.class_names, error));
    made.class_count = count;
    LutraStatus status = LUTRA_OK;
    for (uint32_t i = 0; i < count && status == LUTRA_OK; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%" PRIu32, i);
        const char *const name = names == NULL ? number : names[i];
        status = check_class_name(name, error);
        if (status == LUTRA_OK) {
            status = lutra_string_copy(&made.class_names[i], name, error);
        }
    }
    if (status != LUTRA_OK) {
        free_classes(&made);
        return status;
    }
    free_classes(dataset);
    dataset->class_names = made.class_names;
    dataset->class_count = count;
    return LUTRA_OK;
}

static uint64_t image_bytes(const LutraDataset *dataset) {
    return (uint64_t)dataset->channels * dataset->height * dataset->width;
}

static LutraStatus check_shape(uint64_t channels, uint64_t height, uint64_t width, uint64_t count,
                               LutraError *error) {
    if (channels == 0 || channels > MAX_CHANNELS || height == 0 || height > MAX_SIDE ||
        width == 0 || width > MAX_SIDE || count > max_image_bytes / (channels * height * width)) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "%" PRIu64 " images of %" PRIu64 " x %" PRIu64 " x %" PRIu64
                               " cannot be a dataset",
                               count, channels, height, width);
    }
    return LUTRA_OK;
}

LutraStatus lutra_dataset_allocate_split(LutraDataset *dataset, LutraSplitKind split,
                                         uint64_t count, LutraError *error) {
    LUTRA_TRY(check_shape(dataset->channels, dataset->height, dataset->width, count, error));
    LutraSplit made = {.count = count};
    LUTRA_TRY(lutra_alloc(&made.images, (size_t)count, (size_t)image_bytes(dataset), error));
    const LutraStatus status = lutra_alloc(&made.labels, (size_t)count, sizeof *made.labels, error);
    if (status != LUTRA_OK) {
        lutra_free(&made.images);
        return status;
    }
    lutra_free(&dataset->splits[split].images);
    lutra_free(&dataset->splits[split].labels);
    dataset->splits[split] = made;
    dataset->stored_counts[split] = count;
    return LUTRA_OK;
}

LutraStatus lutra_dataset_check_labels(const LutraDataset *dataset, const char *path,
                                       LutraError *error) {
    for (int s = 0; s < 2; s++) {
        const LutraSplit *const split = &dataset->splits[s];
        for (uint64_t i = 0; i < split->count; i++) {
            if (split->labels[i] >= dataset->class_count) {
                return lutra_error_set(error, LUTRA_EDATA,
                                       "'%s': %s image %" PRIu64
                                       " has label %u, but there are "
                                       "%" PRIu32 " classes",
                                       path, lutra_split_name((LutraSplitKind)s), i,
                                       (unsigned)split->labels[i], dataset->class_count);
            }
        }
    }
    return LUTRA_OK;
}

/* ---- checksums ---- */

/* One step of a multiplicative 64-bit hash; it finds accidents, not attacks. */
static uint64_t mix(uint64_t hash, uint64_t word) {
    const uint64_t product = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return product ^ product >> 29;
}

static uint64_t split_checksum(const LutraDataset *dataset, LutraSplitKind kind) {
    const LutraSplit *const split = &dataset->splits[kind];
    uint64_t hash = mix(1, split->count);
    hash = mix(hash, (uint64_t)dataset->channels << 32 | dataset->height);
    hash = mix(hash, (uint64_t)dataset->width << 32 | dataset->class_count);
    const uint64_t bytes = split->count * image_bytes(dataset);
    uint64_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t word = 0;
        for (int k = 0; k < 8; k++) {
            word |= (uint64_t)split->images[i + (uint64_t)k] << 8 * k;
        }
        hash = mix(hash, word);
    }
    for (; i < bytes; i++) {
        hash = mix(hash, split->images[i]);
    }
    for (uint64_t n = 0; n < split->count; n++) {
        hash = mix(hash, split->labels[n]);
    }
    return hash;
}

static void checksum_text(char text[LUTRA_CHECKSUM_BYTES], uint64_t checksum) {
    (void)snprintf(text, LUTRA_CHECKSUM_BYTES, "%016" PRIx64, checksum);
}

void lutra_dataset_checksum(char text[LUTRA_CHECKSUM_BYTES], const LutraDataset *dataset) {
    uint64_t total = 0;
    for (int s = 0; s < 2; s++) {
        total = mix(total, split_checksum(dataset, (LutraSplitKind)s));
    }
    checksum_text(text, total);
}

/* ---- writing ---- */

static LutraStatus write_split(LutraH5 *file, const LutraDataset *dataset, LutraSplitKind kind,
                               uint64_t checksum, LutraError *error) {
    const LutraSplit *const split = &dataset->splits[kind];
    char name[32];
    char text[LUTRA_CHECKSUM_BYTES];
    const uint64_t dims[4] = {split->count, dataset->channels, dataset->height, dataset->width};
    (void)snprintf(name, sizeof name, "%s/images", lutra_split_name(kind));
    LUTRA_TRY(lutra_h5_write(file, name, split->images, LUTRA_H5_U8, 4, dims, error));
    (void)snprintf(name, sizeof name, "%s/labels", lutra_split_name(kind));
    LUTRA_TRY(lutra_h5_write(file, name, split->labels, LUTRA_H5_U16, 1, dims, error));
    checksum_text(text, checksum);
    return lutra_h5_write_text(file, lutra_split_name(kind), "checksum", text, error);
}

/* Class names, one a line. */
static LutraStatus join_names(char **joined, const LutraDataset *dataset, LutraError *error) {
    size_t bytes = 1;
    for (uint32_t i = 0; i < dataset->class_count; i++) {
        bytes += strlen(dataset->class_names[i]) + 1;
    }
    LUTRA_TRY(lutra_alloc(joined, bytes, 1, error));
    size_t used = 0;
    for (uint32_t i = 0; i < dataset->class_count; i++) {
        const size_t length = strlen(dataset->class_names[i]);
        memcpy(*joined + used, dataset->class_names[i], length);
        used += length;
        if (i + 1 < dataset->class_count) {
            (*joined)[used++] = '\n';
        }
    }
    return LUTRA_OK;
}

static LutraStatus write_content(LutraH5 *file, const LutraDataset *dataset, const char *joined,
                                 LutraError *error) {
    char text[LUTRA_CHECKSUM_BYTES];
    LUTRA_TRY(lutra_h5_write_text(file, "", "format", format_name, error));
    LUTRA_TRY(lutra_h5_write_text(file, "", "name", dataset->name, error));
    LUTRA_TRY(lutra_h5_write_text(file, "", "source", dataset->source, error));
    LUTRA_TRY(lutra_h5_write_text(file, "", "class_names", joined, error));
    for (int s = 0; s < 2; s++) {
        const uint64_t checksum = split_checksum(dataset, (LutraSplitKind)s);
        if (dataset->splits[s].count > 0) {
            LUTRA_TRY(write_split(file, dataset, (LutraSplitKind)s, checksum, error));
        }
    }
    lutra_dataset_checksum(text, dataset);
    return lutra_h5_write_text(file, "", "checksum", text, error);
}

LutraStatus lutra_dataset_write(const LutraDataset *dataset, const char *path, bool force,
                                LutraError *error) {
    if (dataset->splits[0].count == 0 && dataset->splits[1].count == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "a dataset without images cannot be written");
    }
    LUTRA_ASSERT(dataset->name != NULL && dataset->source != NULL);
    LUTRA_TRY(check_shape(dataset->channels, dataset->height, dataset->width, 1, error));
    LUTRA_TRY(lutra_dataset_check_labels(dataset, path, error));
    LutraH5 *file = NULL;
    char *joined = NULL;
    LUTRA_TRY(join_names(&joined, dataset, error));
    LutraStatus status = lutra_h5_create(&file, path, force, error);
    if (status == LUTRA_OK) {
        status = write_content(file, dataset, joined, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_h5_commit(&file, error);
    }
    lutra_h5_close(&file);
    lutra_free(&joined);
    return status;
}

/* ---- reading ---- */

static LutraStatus read_classes(LutraDataset *dataset, LutraH5 *file, LutraError *error) {
    char *joined = NULL;
    const char **names = NULL;
    LUTRA_TRY(lutra_h5_read_text(&joined, file, "", "class_names", error));
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&names, LUTRA_MAX_CLASSES + 1, sizeof *names, error));
    uint32_t count = 0;
    for (char *next = joined; next != NULL && count <= LUTRA_MAX_CLASSES;) {
        names[count++] = next;
        char *const newline = strchr(next, '\n');
        if (newline != NULL) {
            *newline = '\0';
        }
        next = newline == NULL ? NULL : newline + 1;
    }
    status = lutra_dataset_set_classes(dataset, names, count, error);
    if (status != LUTRA_OK) {
        status = lutra_error_prefix(error, status, lutra_h5_path(file));
    }

done:
    lutra_free(&names);
    lutra_free(&joined);
    return status;
}

/* Takes over the image shape of one stored split, or compares it with the other split's. */
static LutraStatus read_shape(LutraDataset *dataset, LutraH5 *file, LutraSplitKind kind,
                              LutraError *error) {
    char images[32];
    char labels[32];
    (void)snprintf(images, sizeof images, "%s/images", lutra_split_name(kind));
    (void)snprintf(labels, sizeof labels, "%s/labels", lutra_split_name(kind));
    if (!lutra_h5_has(file, images) && !lutra_h5_has(file, labels)) {
        return LUTRA_OK;
    }
    LutraH5Shape shape = {0};
    LutraH5Shape label_shape = {0};
    LUTRA_TRY(lutra_h5_shape(&shape, file, images, error));
    LUTRA_TRY(lutra_h5_shape(&label_shape, file, labels, error));
    if (shape.type != LUTRA_H5_U8 || shape.rank != 4 || label_shape.type != LUTRA_H5_U16 ||
        label_shape.rank != 1) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s': '%s' must be bytes (N,C,H,W) and '%s' 16-bit numbers (N)",
                               lutra_h5_path(file), images, labels);
    }
    if (shape.dims[0] != label_shape.dims[0]) {
        return lutra_error_set(
            error, LUTRA_EDATA, "'%s' has %" PRIu64 " %s images but %" PRIu64 " labels",
            lutra_h5_path(file), shape.dims[0], lutra_split_name(kind), label_shape.dims[0]);
    }
    const LutraStatus status =
        check_shape(shape.dims[1], shape.dims[2], shape.dims[3], shape.dims[0], error);
    if (status != LUTRA_OK) {
        return lutra_error_prefix(error, status, lutra_h5_path(file));
    }
    if (dataset->channels != 0 &&
        (dataset->channels != shape.dims[1] || dataset->height != shape.dims[2] ||
         dataset->width != shape.dims[3])) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' has training and test images of different shapes",
                               lutra_h5_path(file));
    }
    dataset->channels = (uint32_t)shape.dims[1];
    dataset->height = (uint32_t)shape.dims[2];
    dataset->width = (uint32_t)shape.dims[3];
    dataset->stored_counts[kind] = shape.dims[0];
    return LUTRA_OK;
}

static LutraStatus read_split(LutraDataset *dataset, LutraH5 *file, LutraSplitKind kind,
                              uint64_t limit, LutraError *error) {
    const uint64_t stored = dataset->stored_counts[kind];
    const uint64_t count = limit != 0 && limit < stored ? limit : stored;
    if (count == 0) {
        return LUTRA_OK;
    }
    char name[32];
    LUTRA_TRY(lutra_dataset_allocate_split(dataset, kind, count, error));
    dataset->stored_counts[kind] = stored;
    (void)snprintf(name, sizeof name, "%s/images", lutra_split_name(kind));
    LUTRA_TRY(
        lutra_h5_read_rows(file, name, dataset->splits[kind].images, LUTRA_H5_U8, 0, count, error));
    (void)snprintf(name, sizeof name, "%s/labels", lutra_split_name(kind));
    LUTRA_TRY(lutra_h5_read_rows(file, name, dataset->splits[kind].labels, LUTRA_H5_U16, 0, count,
                                 error));
    if (count < stored) {
        return LUTRA_OK;
    }
    char *expected = NULL;
    char actual[LUTRA_CHECKSUM_BYTES];
    LUTRA_TRY(lutra_h5_read_text(&expected, file, lutra_split_name(kind), "checksum", error));
    checksum_text(actual, split_checksum(dataset, kind));
    const bool same = strcmp(expected, actual) == 0;
    lutra_free(&expected);
    return same ? LUTRA_OK
                : lutra_error_set(error, LUTRA_EDATA,
                                  "'%s' is damaged: the checksum of its %s images does not match; "
                                  "import it again",
                                  lutra_h5_path(file), lutra_split_name(kind));
}

static LutraStatus read_header(LutraDataset *dataset, LutraH5 *file, LutraError *error) {
    char *text = NULL;
    if (!lutra_h5_has_attribute(file, "", "format")) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' is not a lutra dataset; 'lutra dataset import' makes one",
                               lutra_h5_path(file));
    }
    LUTRA_TRY(lutra_h5_read_text(&text, file, "", "format", error));
    const bool known = strcmp(text, format_name) == 0;
    if (!known) {
        const LutraStatus status =
            lutra_error_set(error, LUTRA_EDATA, "'%s' is a '%.40s' file, not a '%s' file",
                            lutra_h5_path(file), text, format_name);
        lutra_free(&text);
        return status;
    }
    lutra_free(&text);
    LUTRA_TRY(lutra_h5_read_text(&dataset->name, file, "", "name", error));
    LUTRA_TRY(lutra_h5_read_text(&dataset->source, file, "", "source", error));
    LUTRA_TRY(lutra_h5_read_text(&text, file, "", "checksum", error));
    const size_t length = strlen(text);
    if (length == LUTRA_CHECKSUM_BYTES - 1 && strspn(text, "0123456789abcdef") == length) {
        memcpy(dataset->checksum, text, LUTRA_CHECKSUM_BYTES);
    }
    lutra_free(&text);
    if (dataset->checksum[0] == '\0') {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has a malformed checksum",
                               lutra_h5_path(file));
    }
    LUTRA_TRY(read_classes(dataset, file, error));
    LUTRA_TRY(read_shape(dataset, file, LUTRA_SPLIT_TRAIN, error));
    LUTRA_TRY(read_shape(dataset, file, LUTRA_SPLIT_TEST, error));
    if (dataset->stored_counts[0] == 0 && dataset->stored_counts[1] == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' holds no images", lutra_h5_path(file));
    }
    return LUTRA_OK;
}

LutraStatus lutra_dataset_read(LutraDataset *dataset, const char *path, uint32_t split_mask,
                               uint64_t limit, LutraError *error) {
    LutraH5 *file = NULL;
    LutraDataset made = {0};
    LUTRA_TRY(lutra_h5_open(&file, path, error));
    LutraStatus status = read_header(&made, file, error);
    for (int s = 0; s < 2 && status == LUTRA_OK; s++) {
        if ((split_mask >> s & 1u) != 0) {
            status = read_split(&made, file, (LutraSplitKind)s, limit, error);
        }
    }
    lutra_h5_close(&file);
    if (status == LUTRA_OK) {
        status = lutra_dataset_check_labels(&made, path, error);
    }
    if (status != LUTRA_OK) {
        lutra_dataset_deinit(&made);
        return status;
    }
    *dataset = made;
    return LUTRA_OK;
}
