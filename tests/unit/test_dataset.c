/* SPDX-License-Identifier: Apache-2.0 */
/* The dataset store. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hdf5_file.h"
#include "base/memory.h"
#include "datasets/dataset.h"
#include "tests/support/check.h"

enum { BOTH = 1 << LUTRA_SPLIT_TRAIN | 1 << LUTRA_SPLIT_TEST, TRAIN = 70, TEST = 30 };

static const char *const names[] = {"cat", "dog", "no\xc3\xabl"};

static void make(LutraDataset *dataset) {
    LutraError error;
    *dataset = (LutraDataset){.channels = 3, .height = 5, .width = 7};
    check_status(lutra_dataset_set_origin(dataset, "pets", "made by a test", &error), LUTRA_OK,
                 &error);
    check_status(lutra_dataset_set_classes(dataset, names, 3, &error), LUTRA_OK, &error);
    check_status(lutra_dataset_allocate_split(dataset, LUTRA_SPLIT_TRAIN, TRAIN, &error), LUTRA_OK,
                 &error);
    check_status(lutra_dataset_allocate_split(dataset, LUTRA_SPLIT_TEST, TEST, &error), LUTRA_OK,
                 &error);
    for (int s = 0; s < 2; s++) {
        LutraSplit *const split = &dataset->splits[s];
        for (size_t i = 0; i < split->count * 105; i++) {
            split->images[i] = (uint8_t)(i * 7 + (size_t)s * 13 + i / 31);
        }
        for (size_t i = 0; i < split->count; i++) {
            split->labels[i] = (uint16_t)((i + (size_t)s) % 3);
        }
    }
}

static void datasets_come_back(void **state) {
    (void)state;
    LutraError error;
    LutraDataset made;
    LutraDataset read = {0};
    make(&made);
    const char *const path = check_temporary("pets.h5");
    check_status(lutra_dataset_write(&made, path, false, &error), LUTRA_OK, &error);
    check_status(lutra_dataset_write(&made, path, false, &error), LUTRA_EINVAL, &error);
    check_status(lutra_dataset_read(&read, path, BOTH, 0, &error), LUTRA_OK, &error);
    assert_string_equal(read.name, "pets");
    assert_string_equal(read.source, "made by a test");
    assert_int_equal(read.channels, 3);
    assert_int_equal(read.height, 5);
    assert_int_equal(read.width, 7);
    assert_int_equal(read.class_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(read.class_names[i], names[i]);
    }
    assert_int_equal(strlen(read.checksum), 16);
    for (int s = 0; s < 2; s++) {
        const uint64_t count = s == 0 ? TRAIN : TEST;
        assert_int_equal(read.splits[s].count, count);
        assert_int_equal(read.stored_counts[s], count);
        assert_memory_equal(read.splits[s].images, made.splits[s].images, count * 105);
        assert_memory_equal(read.splits[s].labels, made.splits[s].labels, count * 2);
    }
    lutra_dataset_deinit(&read);
    assert_null(read.name);
    lutra_dataset_deinit(&made);
}

static void only_what_was_asked_for_is_loaded(void **state) {
    (void)state;
    LutraError error;
    LutraDataset made;
    LutraDataset read = {0};
    make(&made);
    const char *const path = check_temporary("pets.h5");
    check_status(lutra_dataset_write(&made, path, true, &error), LUTRA_OK, &error);
    check_status(lutra_dataset_read(&read, path, 1 << LUTRA_SPLIT_TEST, 11, &error), LUTRA_OK,
                 &error);
    assert_int_equal(read.splits[LUTRA_SPLIT_TRAIN].count, 0);
    assert_null(read.splits[LUTRA_SPLIT_TRAIN].images);
    assert_int_equal(read.splits[LUTRA_SPLIT_TEST].count, 11);
    assert_int_equal(read.stored_counts[LUTRA_SPLIT_TRAIN], TRAIN);
    assert_int_equal(read.stored_counts[LUTRA_SPLIT_TEST], TEST);
    assert_memory_equal(read.splits[1].images, made.splits[1].images, 11 * 105);
    lutra_dataset_deinit(&read);
    check_status(lutra_dataset_read(&read, path, BOTH, 50, &error), LUTRA_OK, &error);
    assert_int_equal(read.splits[0].count, 50);
    assert_int_equal(read.splits[1].count, TEST);
    lutra_dataset_deinit(&read);
    lutra_dataset_deinit(&made);
}

static void the_checksum_follows_the_content(void **state) {
    (void)state;
    LutraError error;
    char seen[5][17];
    const char *const path = check_temporary("sums.h5");
    for (int change = 0; change < 5; change++) {
        LutraDataset made;
        LutraDataset read = {0};
        make(&made);
        made.splits[0].images[TRAIN * 105 - 1] ^= change == 1;
        made.splits[1].images[0] ^= change == 2;
        made.splits[0].labels[TRAIN - 1] = change == 3 ? 1 : made.splits[0].labels[TRAIN - 1];
        if (change == 4) {
            made.height = 7;
            made.width = 5;
        }
        check_status(lutra_dataset_write(&made, path, true, &error), LUTRA_OK, &error);
        check_status(lutra_dataset_read(&read, path, 0, 0, &error), LUTRA_OK, &error);
        memcpy(seen[change], read.checksum, 17);
        for (int earlier = 0; earlier < change; earlier++) {
            assert_string_not_equal(seen[earlier], seen[change]);
        }
        lutra_dataset_deinit(&read);
        lutra_dataset_deinit(&made);
    }
}

static void one_split_is_enough_and_none_is_not(void **state) {
    (void)state;
    LutraError error;
    LutraDataset made;
    LutraDataset read = {0};
    make(&made);
    made.splits[0].count = 0;
    const char *const path = check_temporary("single.h5");
    check_status(lutra_dataset_write(&made, path, false, &error), LUTRA_OK, &error);
    check_status(lutra_dataset_read(&read, path, BOTH, 0, &error), LUTRA_OK, &error);
    assert_int_equal(read.stored_counts[0], 0);
    assert_int_equal(read.splits[1].count, TEST);
    lutra_dataset_deinit(&read);
    made.splits[1].count = 0;
    check_status(lutra_dataset_write(&made, path, true, &error), LUTRA_EDATA, &error);
    lutra_dataset_deinit(&made);
}

static void impossible_datasets_are_refused(void **state) {
    (void)state;
    LutraError error;
    LutraDataset made;
    const char *const path = check_temporary("refused.h5");
    make(&made);
    made.splits[1].labels[4] = 3;
    check_status(lutra_dataset_write(&made, path, false, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "test image 4 has label 3, but there are 3 classes"));
    assert_false(lutra_file_exists(path));
    static const char *const bad[] = {"a", "b\nc"};
    static const char *const empty[] = {"a", ""};
    check_status(lutra_dataset_set_classes(&made, bad, 2, &error), LUTRA_EDATA, &error);
    check_status(lutra_dataset_set_classes(&made, empty, 2, &error), LUTRA_EDATA, &error);
    check_status(lutra_dataset_set_classes(&made, names, 0, &error), LUTRA_EDATA, &error);
    check_status(lutra_dataset_set_classes(&made, NULL, 1001, &error), LUTRA_EDATA, &error);
    assert_int_equal(made.class_count, 3);
    check_status(lutra_dataset_set_classes(&made, NULL, 12, &error), LUTRA_OK, &error);
    assert_string_equal(made.class_names[11], "11");
    check_status(lutra_dataset_allocate_split(&made, LUTRA_SPLIT_TEST, UINT64_MAX / 2, &error),
                 LUTRA_EDATA, &error);
    assert_int_equal(made.splits[1].count, TEST);
    lutra_dataset_deinit(&made);
}

/* Writes the sample with one thing wrong. */
static void write_wrong(const char *path, int what) {
    LutraError error;
    LutraH5 *file = NULL;
    LutraDataset made;
    make(&made);
    const uint64_t train[4] = {what == 1 ? TRAIN - 1 : TRAIN, 3, 5, 7};
    const uint64_t test[4] = {TEST, 3, what == 2 ? 7 : 5, what == 2 ? 5 : 7};
    made.splits[1].labels[2] = what == 3 ? 3 : made.splits[1].labels[2];
    check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
    const char *const format = what == 4 ? "lutra.model/1" : "lutra.dataset/1";
    if (what != 5) {
        check_status(lutra_h5_write_text(file, "", "format", format, &error), LUTRA_OK, &error);
    }
    check_status(lutra_h5_write_text(file, "", "name", "n", &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_text(file, "", "source", "s", &error), LUTRA_OK, &error);
    check_status(
        lutra_h5_write_text(file, "", "checksum", what == 6 ? "0" : "0123456789abcdef", &error),
        LUTRA_OK, &error);
    check_status(
        lutra_h5_write_text(file, "", "class_names", what == 7 ? "a\n\nc" : "a\nb\nc", &error),
        LUTRA_OK, &error);
    if (what != 8) {
        check_status(lutra_h5_write(file, "train/images", made.splits[0].images,
                                    what == 9 ? LUTRA_H5_I8 : LUTRA_H5_U8, 4, train, &error),
                     LUTRA_OK, &error);
    }
    check_status(lutra_h5_write(file, "train/labels", made.splits[0].labels, LUTRA_H5_U16, 1,
                                (uint64_t[]){TRAIN}, &error),
                 LUTRA_OK, &error);
    check_status(
        lutra_h5_write(file, "test/images", made.splits[1].images, LUTRA_H5_U8, 4, test, &error),
        LUTRA_OK, &error);
    check_status(lutra_h5_write(file, "test/labels", made.splits[1].labels, LUTRA_H5_U16, 1,
                                (uint64_t[]){TEST}, &error),
                 LUTRA_OK, &error);
    check_status(lutra_h5_write_text(file, "test", "checksum", "0123456789abcdef", &error),
                 LUTRA_OK, &error);
    check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
    lutra_dataset_deinit(&made);
}

static void wrong_files_are_refused_by_name(void **state) {
    (void)state;
    static const char *const parts[] = {
        "is damaged: the checksum of its test images",
        "has 69 train images but 70 labels",
        "training and test images of different shapes",
        "test image 2 has label 3",
        "is a 'lutra.model/1' file",
        "is not a lutra dataset",
        "malformed checksum",
        "a class name has 0 bytes",
        "has no array 'train/images'",
        "must be bytes (N,C,H,W)",
    };
    const char *const path = check_temporary("wrong.h5");
    for (int what = 0; what < 10; what++) {
        LutraError error = {""};
        LutraDataset read = {.channels = 99};
        write_wrong(path, what);
        /* A limit keeps the checksum out of the way of the other checks. */
        check_status(
            lutra_dataset_read(&read, path, 1 << LUTRA_SPLIT_TEST, what == 0 ? 0 : 9, &error),
            LUTRA_EDATA, &error);
        assert_int_equal(read.channels, 99);
        if (strstr(error.message, parts[what]) == NULL || strstr(error.message, path) == NULL) {
            fail_msg("case %d says: %s", what, error.message);
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datasets_come_back),
        cmocka_unit_test(only_what_was_asked_for_is_loaded),
        cmocka_unit_test(the_checksum_follows_the_content),
        cmocka_unit_test(one_split_is_enough_and_none_is_not),
        cmocka_unit_test(impossible_datasets_are_refused),
        cmocka_unit_test(wrong_files_are_refused_by_name),
    };
    return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
