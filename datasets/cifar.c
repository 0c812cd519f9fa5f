/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary layout: one record an image, first the label (CIFAR-100: coarse, then fine label), then
 * 3,072 bytes: red, green and blue plane of 32 x 32 pixels, row by row. Python layout: a dict with
 * the same pixels as array "data" and the labels as list.
 */
#include "datasets/cifar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/folder_priv.h"
#include "datasets/pickle_priv.h"

enum { SIDE = 32, PIXEL_BYTES = 3 * SIDE * SIDE, MAX_BATCHES = 5, MAX_NAMES_BYTES = 1 << 16 };

static const size_t max_batch_bytes = (size_t)1 << 30;

static const char *const cifar10_names[10] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};

/* What one archive looks like. */
typedef struct {
    LutraCifarKind kind;
    bool pickled;
    const char *train[MAX_BATCHES];
    uint32_t train_count;
    const char *test;
    const char *names;     /* file with the class names */
    const char *label_key; /* pickled */
    const char *names_key; /* pickled */
    size_t label_bytes;    /* binary: bytes before the pixels, the last one is the label */
    const char *subfolder; /* what the archive unpacks to */
} Layout;

static const Layout layouts[] = {
    {LUTRA_CIFAR_10,
     false,
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin"},
     5,
     "test_batch.bin",
     "batches.meta.txt",
     NULL,
     NULL,
     1,
     "cifar-10-batches-bin"},
    {LUTRA_CIFAR_10,
     true,
     {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"},
     5,
     "test_batch",
     "batches.meta",
     "labels",
     "label_names",
     0,
     "cifar-10-batches-py"},
    {LUTRA_CIFAR_100,
     false,
     {"train.bin"},
     1,
     "test.bin",
     "fine_label_names.txt",
     NULL,
     NULL,
     2,
     "cifar-100-binary"},
    {LUTRA_CIFAR_100,
     true,
     {"train"},
     1,
     "test",
     "meta",
     "fine_labels",
     "fine_label_names",
     0,
     "cifar-100-python"},
};

/* Pixels and labels of one file, pointing into its bytes. */
typedef struct {
    char *path;
    LutraBytes bytes;
    LutraPickle *pickle;
    const uint8_t *pixels; /* first image */
    size_t stride;         /* bytes from image to image */
    int64_t *labels;
    uint64_t count;
} Batch;

static void batch_deinit(Batch *batch) {
    lutra_pickle_destroy(&batch->pickle);
    lutra_free(&batch->labels);
    lutra_bytes_deinit(&batch->bytes);
    lutra_free(&batch->path);
}

static LutraStatus open_binary(Batch *batch, const Layout *layout, LutraError *error) {
    const size_t record = layout->label_bytes + PIXEL_BYTES;
    if (batch->bytes.bytes % record != 0) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' is truncated or foreign: %zu bytes are no whole number of "
                               "records of %zu bytes",
                               batch->path, batch->bytes.bytes, record);
    }
    batch->count = batch->bytes.bytes / record;
    batch->stride = record;
    batch->pixels = batch->bytes.data + layout->label_bytes;
    LUTRA_TRY(lutra_alloc(&batch->labels, (size_t)batch->count, sizeof *batch->labels, error));
    for (uint64_t i = 0; i < batch->count; i++) {
        batch->labels[i] = batch->bytes.data[i * record + layout->label_bytes - 1];
    }
    return LUTRA_OK;
}

static LutraStatus open_pickled(Batch *batch, const Layout *layout, LutraError *error) {
    uint64_t columns = 0;
    LUTRA_TRY(lutra_pickle_parse(&batch->pickle, batch->bytes.data, batch->bytes.bytes, batch->path,
                                 error));
    LUTRA_TRY(
        lutra_pickle_array(&batch->pixels, &batch->count, &columns, batch->pickle, "data", error));
    if (columns != PIXEL_BYTES) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has rows of %" PRIu64 " bytes, not %d",
                               batch->path, columns, PIXEL_BYTES);
    }
    batch->stride = PIXEL_BYTES;
    LUTRA_TRY(lutra_alloc(&batch->labels, (size_t)batch->count, sizeof *batch->labels, error));
    return lutra_pickle_integers(batch->labels, (size_t)batch->count, batch->pickle,
                                 layout->label_key, error);
}

static LutraStatus open_batch(Batch *batch, const Layout *layout, const char *folder,
                              const char *file, LutraError *error) {
    LUTRA_TRY(lutra_path_join(&batch->path, folder, file, error));
    LUTRA_TRY(lutra_file_read(&batch->bytes, batch->path, max_batch_bytes, error));
    if (batch->bytes.bytes == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is empty", batch->path);
    }
    LUTRA_TRY(layout->pickled ? open_pickled(batch, layout, error)
                              : open_binary(batch, layout, error));
    for (uint64_t i = 0; i < batch->count; i++) {
        if (batch->labels[i] < 0 || batch->labels[i] >= (int64_t)layout->kind) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "'%s': image %" PRIu64 " has label %" PRId64
                                   ", labels go from 0 to %d",
                                   batch->path, i, batch->labels[i], (int)layout->kind - 1);
        }
    }
    return LUTRA_OK;
}

/* Reads the files of one split; every one must hold *per_file images (0: as many as the first). */
static LutraStatus read_split(LutraDataset *dataset, LutraSplitKind kind, const Layout *layout,
                              const char *folder, uint64_t *per_file, LutraError *error) {
    const uint32_t files = kind == LUTRA_SPLIT_TRAIN ? layout->train_count : 1;
    LutraStatus status = LUTRA_OK;
    for (uint32_t f = 0; f < files && status == LUTRA_OK; f++) {
        const char *const file = kind == LUTRA_SPLIT_TRAIN ? layout->train[f] : layout->test;
        Batch batch = {0};
        status = open_batch(&batch, layout, folder, file, error);
        if (status == LUTRA_OK && *per_file == 0) {
            *per_file = batch.count;
        }
        if (status == LUTRA_OK && batch.count != *per_file) {
            status = lutra_error_set(error, LUTRA_EDATA,
                                     "'%s' holds %" PRIu64 " images, the batch before it %" PRIu64,
                                     batch.path, batch.count, *per_file);
        }
        if (status == LUTRA_OK && f == 0) {
            status = lutra_dataset_allocate_split(dataset, kind, *per_file * files, error);
        }
        for (uint64_t i = 0; i < batch.count && status == LUTRA_OK; i++) {
            LutraSplit *const split = &dataset->splits[kind];
            const uint64_t image = f * *per_file + i;
            memcpy(split->images + image * PIXEL_BYTES, batch.pixels + i * batch.stride,
                   PIXEL_BYTES);
            split->labels[image] = (uint16_t)batch.labels[i];
        }
        batch_deinit(&batch);
    }
    return status;
}

/* ---- class names ---- */

/* Splits text into exactly `count` lines; blank lines do not count. */
static LutraStatus split_lines(const char **names, uint32_t count, char *text, const char *path,
                               LutraError *error) {
    uint32_t found = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        if (found < count) {
            names[found] = line;
        }
        found++;
    }
    return found == count
               ? LUTRA_OK
               : lutra_error_set(error, LUTRA_EDATA, "'%s' names %" PRIu32 " classes, not %" PRIu32,
                                 path, found, count);
}

static LutraStatus set_pickled_names(LutraDataset *dataset, const Layout *layout,
                                     const LutraBytes *bytes, const char *path, LutraError *error) {
    char *names[LUTRA_CIFAR_100] = {NULL};
    const char *views[LUTRA_CIFAR_100] = {NULL};
    LutraPickle *pickle = NULL;
    LUTRA_TRY(lutra_pickle_parse(&pickle, bytes->data, bytes->bytes, path, error));
    const uint32_t count = (uint32_t)layout->kind;
    LutraStatus status = lutra_pickle_texts(names, count, pickle, layout->names_key, error);
    for (uint32_t i = 0; i < count; i++) {
        views[i] = names[i];
    }
    if (status == LUTRA_OK) {
        status = lutra_dataset_set_classes(dataset, views, count, error);
        for (uint32_t i = 0; i < count; i++) {
            lutra_free(&names[i]);
        }
    }
    lutra_pickle_destroy(&pickle);
    return status;
}

/* Class names from their file; without one, CIFAR-10 gets its well-known names. */
static LutraStatus set_names(LutraDataset *dataset, const Layout *layout, const char *folder,
                             LutraError *error) {
    char *path = NULL;
    LutraBytes bytes = {0};
    const uint32_t count = (uint32_t)layout->kind;
    LUTRA_TRY(lutra_path_join(&path, folder, layout->names, error));
    LutraStatus status = LUTRA_OK;
    if (!lutra_file_exists(path)) {
        status = lutra_dataset_set_classes(
            dataset, layout->kind == LUTRA_CIFAR_10 ? cifar10_names : NULL, count, error);
        goto done;
    }
    LUTRA_TRY_GOTO(status, lutra_file_read(&bytes, path, MAX_NAMES_BYTES, error));
    if (layout->pickled) {
        status = set_pickled_names(dataset, layout, &bytes, path, error);
    } else {
        const char *names[LUTRA_CIFAR_100] = {NULL};
        LUTRA_TRY_GOTO(status, split_lines(names, count, (char *)bytes.data, path, error));
        status = lutra_dataset_set_classes(dataset, names, count, error);
    }

done:
    lutra_bytes_deinit(&bytes);
    lutra_free(&path);
    return status;
}

/* ---- the whole ---- */

/* Whether a folder holds the first training file of a layout. */
static LutraStatus has_layout(bool *found, const char *folder, const Layout *layout,
                              LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_path_join(&path, folder, layout->train[0], error));
    /* CIFAR-100's pickles are called "train" and "test"; folders of that name are something else.
     */
    *found = lutra_file_exists(path) && lutra_folder_check(path, NULL) != LUTRA_OK;
    lutra_free(&path);
    return LUTRA_OK;
}

/* Finds which layout lies in `folder` or in the folder below it that the archive makes. */
static LutraStatus find_layout(const Layout **layout, char **where, LutraCifarKind kind,
                               const char *folder, LutraError *error) {
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (layouts[i].kind != kind) {
            continue;
        }
        bool found = false;
        char *below = NULL;
        LUTRA_TRY(has_layout(&found, folder, &layouts[i], error));
        if (found) {
            *layout = &layouts[i];
            return lutra_string_copy(where, folder, error);
        }
        LUTRA_TRY(lutra_path_join(&below, folder, layouts[i].subfolder, error));
        const LutraStatus status = has_layout(&found, below, &layouts[i], error);
        if (status == LUTRA_OK && found) {
            *layout = &layouts[i];
            *where = below;
            return LUTRA_OK;
        }
        lutra_free(&below);
        LUTRA_TRY(status);
    }
    return lutra_error_set(error, LUTRA_EIO,
                           kind == LUTRA_CIFAR_10
                               ? "'%s' holds neither 'data_batch_1.bin' nor 'data_batch_1'"
                               : "'%s' holds neither 'train.bin' nor 'train'",
                           folder);
}

LutraStatus lutra_cifar_read(LutraDataset *dataset, LutraCifarKind kind, const char *folder,
                             const char *name, LutraError *error) {
    const Layout *layout = NULL;
    char *where = NULL;
    char source[300];
    LutraDataset made = {.channels = 3, .height = SIDE, .width = SIDE};
    uint64_t per_file = 0;
    LUTRA_TRY(lutra_folder_check(folder, error));
    LUTRA_TRY(find_layout(&layout, &where, kind, folder, error));
    (void)snprintf(source, sizeof source, "CIFAR-%d %s files in %s", (int)kind,
                   layout->pickled ? "Python" : "binary", folder);
    const char *const known_name = kind == LUTRA_CIFAR_10 ? "cifar-10" : "cifar-100";
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(
        status, lutra_dataset_set_origin(&made, name == NULL ? known_name : name, source, error));
    LUTRA_TRY_GOTO(status, set_names(&made, layout, where, error));
    LUTRA_TRY_GOTO(status, read_split(&made, LUTRA_SPLIT_TRAIN, layout, where, &per_file, error));
    if (kind == LUTRA_CIFAR_100) {
        per_file = 0; /* its one training file is longer than the test file */
    }
    LUTRA_TRY_GOTO(status, read_split(&made, LUTRA_SPLIT_TEST, layout, where, &per_file, error));

done:
    lutra_free(&where);
    if (status != LUTRA_OK) {
        lutra_dataset_deinit(&made);
        return status;
    }
    *dataset = made;
    return LUTRA_OK;
}
