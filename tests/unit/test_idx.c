/* SPDX-License-Identifier: Apache-2.0 */
/* IDX folders, well and badly made. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "datasets/idx.h"
#include "tests/support/check.h"

enum { TRAIN = 5, TEST = 3, HEIGHT = 2, WIDTH = 3 };

static char folder[256];

static void put(const char *name, const void *data, size_t bytes) {
    LutraError error;
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    check_status(lutra_file_write(path, data, bytes, true, &error), LUTRA_OK, &error);
}

static const uint8_t train_images[] = {0,  0,  8,  3,     0,  0,  0,  TRAIN, 0,  0,  0,  HEIGHT,
                                       0,  0,  0,  WIDTH, 1,  2,  3,  4,     5,  6,  7,  8,
                                       9,  10, 11, 12,    13, 14, 15, 16,    17, 18, 19, 20,
                                       21, 22, 23, 24,    25, 26, 27, 28,    29, 30};
static const uint8_t train_labels[] = {0, 0, 8, 1, 0, 0, 0, TRAIN, 9, 0, 1, 2, 3};
static const uint8_t test_images[] = {0,  0,  8,  3,     0,  0,  0,  TEST, 0,  0,  0,  HEIGHT,
                                      0,  0,  0,  WIDTH, 40, 41, 42, 43,   44, 45, 46, 47,
                                      48, 49, 50, 51,    52, 53, 54, 55,   56, 57};
static const uint8_t test_labels[] = {0, 0, 8, 1, 0, 0, 0, TEST, 4, 5, 6};

static void write_good(void) {
    LutraError error;
    (void)snprintf(folder, sizeof folder, "%s", check_temporary("idx"));
    check_status(lutra_folder_create(folder, &error), LUTRA_OK, &error);
    put("train-images-idx3-ubyte", train_images, sizeof train_images);
    put("train-labels-idx1-ubyte", train_labels, sizeof train_labels);
    put("t10k-images-idx3-ubyte", test_images, sizeof test_images);
    put("t10k-labels-idx1-ubyte", test_labels, sizeof test_labels);
}

static void a_folder_is_read(void **state) {
    (void)state;
    LutraError error;
    LutraDataset dataset = {0};
    write_good();
    check_status(lutra_idx_read(&dataset, folder, NULL, &error), LUTRA_OK, &error);
    assert_string_equal(dataset.name, "idx");
    assert_int_equal(dataset.channels, 1);
    assert_int_equal(dataset.height, HEIGHT);
    assert_int_equal(dataset.width, WIDTH);
    assert_int_equal(dataset.class_count, 10);
    assert_string_equal(dataset.class_names[9], "9");
    assert_int_equal(dataset.splits[0].count, TRAIN);
    assert_int_equal(dataset.splits[1].count, TEST);
    assert_memory_equal(dataset.splits[0].images, train_images + 16, 30);
    assert_memory_equal(dataset.splits[1].images, test_images + 16, 18);
    assert_int_equal(dataset.splits[0].labels[0], 9);
    assert_int_equal(dataset.splits[1].labels[2], 6);
    lutra_dataset_deinit(&dataset);
    check_status(lutra_idx_read(&dataset, folder, "fashion-mnist", &error), LUTRA_OK, &error);
    assert_string_equal(dataset.name, "fashion-mnist");
    assert_string_equal(dataset.class_names[0], "T-shirt/top");
    assert_string_equal(dataset.class_names[9], "Ankle boot");
    lutra_dataset_deinit(&dataset);
}

/* One file replaced by something wrong: expected status and part of the sentence. */
static void check_wrong(const char *name, const void *data, size_t bytes, LutraStatus status,
                        const char *part) {
    LutraError error = {""};
    LutraDataset dataset = {.channels = 99};
    write_good();
    put(name, data, bytes);
    check_status(lutra_idx_read(&dataset, folder, NULL, &error), status, &error);
    if (strstr(error.message, part) == NULL || strstr(error.message, folder) == NULL) {
        fail_msg("the sentence is: %s", error.message);
    }
    assert_int_equal(dataset.channels, 99);
}

static void bad_files_are_refused_by_name(void **state) {
    (void)state;
    uint8_t copy[sizeof train_images + 1];
    const char *const images = "train-images-idx3-ubyte";
    check_wrong(images, "", 0, LUTRA_EDATA, "train-images-idx3-ubyte' is empty");
    for (size_t length = 1; length < sizeof train_images; length++) {
        check_wrong(images, train_images, length, LUTRA_EDATA, length < 4 ? "not an IDX" : "trunc");
    }
    memcpy(copy, train_images, sizeof train_images);
    check_wrong(images, copy, sizeof copy, LUTRA_EDATA, "too long");
    copy[2] = 9;
    check_wrong(images, copy, sizeof train_images, LUTRA_EDATA, "not an IDX file");
    memcpy(copy, train_images, sizeof train_images);
    memset(copy + 4, 0xFF, 12);
    check_wrong(images, copy, sizeof train_images, LUTRA_EDATA, "impossible shape");
    memset(copy + 4, 0, 4);
    check_wrong(images, copy, sizeof train_images, LUTRA_EDATA, "impossible shape");
    check_wrong(images, test_images, sizeof test_images, LUTRA_EDATA, "holds 3 images but");
    check_wrong("t10k-labels-idx1-ubyte", train_labels, sizeof train_labels, LUTRA_EDATA,
                "5 labels");
    memcpy(copy, test_images, sizeof test_images);
    copy[11] = WIDTH;
    copy[15] = HEIGHT;
    check_wrong("t10k-images-idx3-ubyte", copy, sizeof test_images, LUTRA_EDATA,
                "holds images of 3 x 2");
    check_wrong(images, test_labels, sizeof test_labels, LUTRA_EDATA, "with 3 axes");
}

static void missing_files_are_named(void **state) {
    (void)state;
    LutraError error;
    LutraDataset dataset = {0};
    char path[400];
    write_good();
    (void)snprintf(path, sizeof path, "%s/t10k-labels-idx1-ubyte", folder);
    assert_int_equal(remove(path), 0);
    check_status(lutra_idx_read(&dataset, folder, NULL, &error), LUTRA_EIO, &error);
    assert_non_null(strstr(error.message, "has no file 't10k-labels-idx1-ubyte'"));
    check_status(lutra_idx_read(&dataset, path, NULL, &error), LUTRA_EIO, &error);
    check_status(lutra_idx_read(&dataset, "/nowhere", NULL, &error), LUTRA_EIO, &error);
    put("t10k-labels.idx1-ubyte", test_labels, sizeof test_labels);
    check_status(lutra_idx_read(&dataset, folder, NULL, &error), LUTRA_OK, &error);
    lutra_dataset_deinit(&dataset);
}

static void the_packaged_data_set_is_read(void **state) {
    (void)state;
    static const char package[] = "/usr/share/datasets/fashion-mnist/";
    if (!lutra_file_exists(package)) {
        print_message("skipped: package dataset-fashion-mnist is not installed\n");
        skip();
    }
    LutraError error;
    LutraDataset dataset = {0};
    check_status(lutra_idx_read(&dataset, package, NULL, &error), LUTRA_OK, &error);
    assert_string_equal(dataset.name, "fashion-mnist");
    assert_int_equal(dataset.splits[0].count, 60000);
    assert_int_equal(dataset.splits[1].count, 10000);
    assert_int_equal(dataset.height, 28);
    assert_int_equal(dataset.class_count, 10);
    assert_string_equal(dataset.class_names[6], "Shirt");
    uint64_t per_class[10] = {0};
    for (uint64_t i = 0; i < dataset.splits[1].count; i++) {
        per_class[dataset.splits[1].labels[i]]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(per_class[i], 1000);
    }
    lutra_dataset_deinit(&dataset);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_read),
        cmocka_unit_test(bad_files_are_refused_by_name),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(the_packaged_data_set_is_read),
    };
    return cmocka_run_group_tests_name("idx", tests, NULL, NULL);
}
