/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks that fill up: the file size limit of the process stands in for a full disk. Whatever the
 * point at which writing fails, the status is LUTRA_EIO, the old file stays and nothing is left.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hdf5_file.h"
#include "base/memory.h"
#include "base/png_image.h"
#include "datasets/dataset.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"

enum { IMAGES = 400, SIDE = 16 };

static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static uint8_t noise(size_t i) {
    return (uint8_t)(lutra_random_u64(check_key(1), i / 8) >> (i % 8 * 8));
}

static LutraStatus write_plain(const char *path, LutraError *error) {
    static uint8_t data[70000];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = noise(i);
    }
    return lutra_file_write(path, data, sizeof data, true, error);
}

static LutraStatus write_png(const char *path, LutraError *error) {
    static uint8_t pixels[128 * 128 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = noise(i);
    }
    const LutraImage image = {.width = 128, .height = 128, .channels = 3, .pixels = pixels};
    return lutra_png_write(&image, path, true, error);
}

static LutraStatus write_dataset(const char *path, LutraError *error) {
    LutraDataset made = {.channels = 1, .height = SIDE, .width = SIDE};
    check_status(lutra_dataset_set_origin(&made, "n", "s", error), LUTRA_OK, error);
    check_status(lutra_dataset_set_classes(&made, NULL, 10, error), LUTRA_OK, error);
    check_status(lutra_dataset_allocate_split(&made, LUTRA_SPLIT_TEST, IMAGES, error), LUTRA_OK,
                 error);
    for (size_t i = 0; i < (size_t)IMAGES * SIDE * SIDE; i++) {
        made.splits[1].images[i] = noise(i);
    }
    const LutraStatus status = lutra_dataset_write(&made, path, true, error);
    lutra_dataset_deinit(&made);
    return status;
}

/* Attributes stay in memory until the file is closed: only lutra_h5_commit writes them. */
static LutraStatus write_attributes(const char *path, LutraError *error) {
    LutraH5 *file = NULL;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    LUTRA_TRY(lutra_h5_create(&file, path, true, error));
    for (int i = 0; i < 100; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "group%d", i);
        const LutraStatus status = lutra_h5_write_text(file, name, "text", text, error);
        if (status != LUTRA_OK) {
            lutra_h5_close(&file);
            return status;
        }
    }
    return lutra_h5_commit(&file, error);
}

/* Writes with the limit at many points below the needed size. */
static void fill_up(LutraStatus (*write_it)(const char *path, LutraError *error)) {
    LutraError error = {""};
    struct stat info;
    char *partial = NULL;
    const char *const path = check_temporary("full");
    check_status(lutra_file_partial_name(&partial, path, &error), LUTRA_OK, &error);
    check_status(write_it(path, &error), LUTRA_OK, &error);
    assert_int_equal(stat(path, &info), 0);
    const size_t needed = (size_t)info.st_size;
    check_status(lutra_file_write(path, "old", 3, true, &error), LUTRA_OK, &error);
    /* Points all over the file, and close to its end, where only closing writes. */
    for (size_t point = 0; point < 48; point++) {
        const size_t limit = point < 8    ? point * 256
                             : point < 32 ? needed / 32 * point
                                          : needed - 1 - (point - 32) * 64;
        limit_file_size(limit);
        const LutraStatus status = write_it(path, &error);
        limit_file_size(RLIM_INFINITY);
        check_status(status, LUTRA_EIO, &error);
        assert_non_null(strstr(error.message, path));
        assert_false(lutra_file_exists(partial));
        LutraBytes bytes = {0};
        check_status(lutra_file_read(&bytes, path, 100, &error), LUTRA_OK, &error);
        assert_string_equal((const char *)bytes.data, "old");
        lutra_bytes_deinit(&bytes);
    }
    check_status(write_it(path, &error), LUTRA_OK, &error);
    lutra_free(&partial);
}

static void plain_files(void **state) {
    (void)state;
    fill_up(write_plain);
}

static void png_files(void **state) {
    (void)state;
    fill_up(write_png);
}

static void dataset_files(void **state) {
    (void)state;
    fill_up(write_dataset);
}

static void attribute_files(void **state) {
    (void)state;
    fill_up(write_attributes);
}

/* A handle that failed once still closes, and the next file is not disturbed. */
static void a_failed_file_is_dropped_by_close(void **state) {
    (void)state;
    LutraError error;
    LutraH5 *file = NULL;
    static uint8_t data[200000];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = noise(i);
    }
    const char *const path = check_temporary("dropped.h5");
    check_status(lutra_h5_create(&file, path, false, &error), LUTRA_OK, &error);
    limit_file_size(1000);
    const LutraStatus status =
        lutra_h5_write(file, "x", data, LUTRA_H5_U8, 1, (uint64_t[]){sizeof data}, &error);
    check_status(status, LUTRA_EIO, &error);
    lutra_h5_close(&file);
    limit_file_size(RLIM_INFINITY);
    assert_null(file);
    assert_false(lutra_file_exists(path));
    check_status(write_dataset(path, &error), LUTRA_OK, &error);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    /* Beyond the limit, write() then fails with EFBIG instead of ending the process. */
    (void)signal(SIGXFSZ, SIG_IGN);
    allocfail_after(UINT64_MAX);
    (void)allocfail_stop();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_files),
        cmocka_unit_test(png_files),
        cmocka_unit_test(dataset_files),
        cmocka_unit_test(attribute_files),
        cmocka_unit_test(a_failed_file_is_dropped_by_close),
    };
    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
