/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/png_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/png_image.h"
#include "datasets/folder_priv.h"

/* The PNG files of one class in one split. */
typedef struct {
    char *path; /* of the folder */
    char **files;
    size_t count;
} ClassFolder;

/* One split before its images are read. */
typedef struct {
    ClassFolder *classes; /* (class_count), in the dataset's class order */
    uint32_t class_count;
    uint64_t images;
    size_t longest; /* most files in a class */
} SplitFolder;

static void split_deinit(SplitFolder *split) {
    for (uint32_t i = 0; i < split->class_count && split->classes != NULL; i++) {
        lutra_folder_free(&split->classes[i].files, split->classes[i].count);
        lutra_free(&split->classes[i].path);
    }
    lutra_free(&split->classes);
}

static bool is_png_name(const char *name) {
    const size_t length = strlen(name);
    return length > 4 && strcasecmp(name + length - 4, ".png") == 0;
}

/* Lists the PNG files of one class folder; other files are passed over. */
static LutraStatus list_class(ClassFolder *class_folder, SplitFolder *split, LutraError *error) {
    LUTRA_TRY(
        lutra_folder_list(&class_folder->files, &class_folder->count, class_folder->path, error));
    size_t kept = 0;
    for (size_t i = 0; i < class_folder->count; i++) {
        char *const name = class_folder->files[i];
        class_folder->files[i] = NULL;
        if (is_png_name(name)) {
            class_folder->files[kept++] = name;
        } else {
            char *dropped = name;
            lutra_free(&dropped);
        }
    }
    class_folder->count = kept;
    split->images += kept;
    split->longest = kept > split->longest ? kept : split->longest;
    return LUTRA_OK;
}

/* Sets the dataset's classes from the folders below `folder`. */
static LutraStatus find_classes(LutraDataset *dataset, const char *folder, LutraError *error) {
    char **names = NULL;
    const char **classes = NULL;
    size_t count = 0;
    LUTRA_TRY(lutra_folder_list(&names, &count, folder, error));
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&classes, count, sizeof *classes, error));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        char *path = NULL;
        LUTRA_TRY_GOTO(status, lutra_path_join(&path, folder, names[i], error));
        if (lutra_folder_check(path, NULL) == LUTRA_OK) {
            classes[kept++] = names[i];
        }
        lutra_free(&path);
    }
    if (kept == 0 || kept > LUTRA_MAX_CLASSES) {
        status = lutra_error_set(error, LUTRA_EDATA,
                                 "'%s' holds %zu folders, one a class; 1 to %d are allowed", folder,
                                 kept, LUTRA_MAX_CLASSES);
        goto done;
    }
    status = lutra_dataset_set_classes(dataset, classes, (uint32_t)kept, error);
    if (status != LUTRA_OK) {
        status = lutra_error_prefix(error, status, folder);
    }

done:
    lutra_free(&classes);
    lutra_folder_free(&names, count);
    return status;
}

/* A test folder that train does not have would be a class that nobody can learn. */
static LutraStatus check_known(const LutraDataset *dataset, const char *folder, LutraError *error) {
    LutraDataset other = {0};
    LUTRA_TRY(find_classes(&other, folder, error));
    LutraStatus status = LUTRA_OK;
    for (uint32_t i = 0; i < other.class_count && status == LUTRA_OK; i++) {
        bool known = false;
        for (uint32_t k = 0; k < dataset->class_count && !known; k++) {
            known = strcmp(other.class_names[i], dataset->class_names[k]) == 0;
        }
        if (!known) {
            status = lutra_error_set(error, LUTRA_EDATA,
                                     "'%s' has class '%s', the training images do not", folder,
                                     other.class_names[i]);
        }
    }
    lutra_dataset_deinit(&other);
    return status;
}

/* Lists all files of a split. */
static LutraStatus list_split(SplitFolder *split, const LutraDataset *dataset, const char *folder,
                              LutraError *error) {
    LUTRA_TRY(lutra_alloc(&split->classes, dataset->class_count, sizeof *split->classes, error));
    split->class_count = dataset->class_count;
    for (uint32_t i = 0; i < dataset->class_count; i++) {
        ClassFolder *const class_folder = &split->classes[i];
        LUTRA_TRY(lutra_path_join(&class_folder->path, folder, dataset->class_names[i], error));
        if (lutra_file_exists(class_folder->path)) {
            LUTRA_TRY(list_class(class_folder, split, error));
        }
    }
    return split->images > 0
               ? LUTRA_OK
               : lutra_error_set(error, LUTRA_EDATA, "'%s' holds no PNG images", folder);
}

/* Reads one image as (3,H,W) into its place; the first image of all fixes the size. */
static LutraStatus read_image(LutraDataset *dataset, LutraSplitKind kind, uint64_t index,
                              const char *path, uint64_t images, LutraError *error) {
    LutraImage image = {0};
    LUTRA_TRY(lutra_png_read(&image, path, 3, error));
    LutraStatus status = LUTRA_OK;
    if (dataset->channels == 0) {
        dataset->channels = 3;
        dataset->height = image.height;
        dataset->width = image.width;
    }
    if (image.height != dataset->height || image.width != dataset->width) {
        status = lutra_error_set(error, LUTRA_EDATA,
                                 "'%s' is %" PRIu32 " x %" PRIu32
                                 " pixels, the images before it "
                                 "are %" PRIu32 " x %" PRIu32,
                                 path, image.width, image.height, dataset->width, dataset->height);
    }
    if (status == LUTRA_OK && dataset->splits[kind].count == 0) {
        status = lutra_dataset_allocate_split(dataset, kind, images, error);
    }
    if (status == LUTRA_OK) {
        const size_t plane = (size_t)image.height * image.width;
        uint8_t *const target = dataset->splits[kind].images + index * 3 * plane;
        for (size_t i = 0; i < plane; i++) {
            for (size_t c = 0; c < 3; c++) {
                target[c * plane + i] = image.pixels[3 * i + c];
            }
        }
    }
    lutra_image_deinit(&image);
    return status;
}

/* Reads the listed images in turns of classes. */
static LutraStatus read_images(LutraDataset *dataset, LutraSplitKind kind, const SplitFolder *split,
                               LutraError *error) {
    uint64_t index = 0;
    for (size_t turn = 0; turn < split->longest; turn++) {
        for (uint32_t c = 0; c < split->class_count; c++) {
            const ClassFolder *const class_folder = &split->classes[c];
            if (turn >= class_folder->count) {
                continue;
            }
            char *path = NULL;
            LUTRA_TRY(lutra_path_join(&path, class_folder->path, class_folder->files[turn], error));
            const LutraStatus status = read_image(dataset, kind, index, path, split->images, error);
            lutra_free(&path);
            LUTRA_TRY(status);
            dataset->splits[kind].labels[index++] = (uint16_t)c;
        }
    }
    return LUTRA_OK;
}

static LutraStatus read_split(LutraDataset *dataset, LutraSplitKind kind, const char *folder,
                              LutraError *error) {
    SplitFolder split = {0};
    LutraStatus status = list_split(&split, dataset, folder, error);
    if (status == LUTRA_OK) {
        status = read_images(dataset, kind, &split, error);
    }
    split_deinit(&split);
    return status;
}

static bool is_grey(const LutraDataset *dataset) {
    const size_t plane = (size_t)dataset->height * dataset->width;
    for (int s = 0; s < 2; s++) {
        const LutraSplit *const split = &dataset->splits[s];
        for (uint64_t n = 0; n < split->count; n++) {
            const uint8_t *const image = split->images + n * 3 * plane;
            if (memcmp(image, image + plane, plane) != 0 ||
                memcmp(image, image + 2 * plane, plane) != 0) {
                return false;
            }
        }
    }
    return true;
}

/* Keeps the first of three equal planes. */
static void drop_colours(LutraDataset *dataset) {
    const size_t plane = (size_t)dataset->height * dataset->width;
    for (int s = 0; s < 2; s++) {
        LutraSplit *const split = &dataset->splits[s];
        for (uint64_t n = 1; n < split->count; n++) {
            memmove(split->images + n * plane, split->images + n * 3 * plane, plane);
        }
    }
    dataset->channels = 1;
}

LutraStatus lutra_png_folder_read(LutraDataset *dataset, const char *folder, const char *name,
                                  LutraError *error) {
    LutraDataset made = {0};
    char *folder_name = NULL;
    char *train = NULL;
    char *test = NULL;
    char source[300];
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_folder_check(folder, error));
    (void)snprintf(source, sizeof source, "PNG images in %s", folder);
    LUTRA_TRY_GOTO(status, lutra_path_last(&folder_name, folder, error));
    LUTRA_TRY_GOTO(
        status, lutra_dataset_set_origin(&made, name == NULL ? folder_name : name, source, error));
    LUTRA_TRY_GOTO(status, lutra_path_join(&train, folder, "train", error));
    LUTRA_TRY_GOTO(status, lutra_path_join(&test, folder, "test", error));
    LUTRA_TRY_GOTO(status, find_classes(&made, train, error));
    LUTRA_TRY_GOTO(status, read_split(&made, LUTRA_SPLIT_TRAIN, train, error));
    if (lutra_file_exists(test)) {
        LUTRA_TRY_GOTO(status, check_known(&made, test, error));
        LUTRA_TRY_GOTO(status, read_split(&made, LUTRA_SPLIT_TEST, test, error));
    }
    if (is_grey(&made)) {
        drop_colours(&made);
    }

done:
    lutra_free(&test);
    lutra_free(&train);
    lutra_free(&folder_name);
    if (status != LUTRA_OK) {
        lutra_dataset_deinit(&made);
        return status;
    }
    *dataset = made;
    return LUTRA_OK;
}
