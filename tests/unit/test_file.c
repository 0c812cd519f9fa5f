/* SPDX-License-Identifier: Apache-2.0 */
/* Whole-file reads and writes. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "tests/support/check.h"

/* gzip of "hello, hello, hello\n" */
static const uint8_t gzip_hello[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff,
                                     0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa2,
                                     0xb8, 0x00, 0xe7, 0x42, 0x6e, 0x52, 0x14, 0x00, 0x00, 0x00};

static void put(const char *path, const void *data, size_t bytes) {
    FILE *const stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    LutraError error;
    LutraBytes bytes = {0};
    static const size_t sizes[] = {0, 1, 5, 4096, 300000};
    static uint8_t data[300000];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *const path = check_temporary("plain");
        check_status(lutra_file_write(path, data, sizes[i], false, &error), LUTRA_OK, &error);
        check_status(lutra_file_read(&bytes, path, sizes[i], &error), LUTRA_OK, &error);
        assert_int_equal(bytes.bytes, sizes[i]);
        assert_memory_equal(bytes.data, data, sizes[i]);
        assert_int_equal(bytes.data[sizes[i]], 0);
        lutra_bytes_deinit(&bytes);
        assert_null(bytes.data);
        if (sizes[i] > 0) {
            check_status(lutra_file_read(&bytes, path, sizes[i] - 1, &error), LUTRA_EDATA, &error);
            assert_non_null(strstr(error.message, path));
            assert_null(bytes.data);
        }
    }
}

static void gzip_is_unpacked_and_bounded(void **state) {
    (void)state;
    LutraError error;
    LutraBytes bytes = {0};
    const char *const path = check_temporary("hello.gz");
    put(path, gzip_hello, sizeof gzip_hello);
    check_status(lutra_file_read(&bytes, path, 20, &error), LUTRA_OK, &error);
    assert_string_equal((const char *)bytes.data, "hello, hello, hello\n");
    assert_int_equal(bytes.bytes, 20);
    lutra_bytes_deinit(&bytes);
    check_status(lutra_file_read(&bytes, path, 19, &error), LUTRA_EDATA, &error);
}

static void every_truncation_of_gzip_is_refused(void **state) {
    (void)state;
    LutraError error;
    LutraBytes bytes = {0};
    for (size_t length = 2; length < sizeof gzip_hello; length++) {
        const char *const path = check_temporary("cut.gz");
        put(path, gzip_hello, length);
        check_status(lutra_file_read(&bytes, path, 1000, &error), LUTRA_EDATA, &error);
        assert_null(bytes.data);
    }
    uint8_t wrong[sizeof gzip_hello];
    memcpy(wrong, gzip_hello, sizeof wrong);
    wrong[sizeof wrong - 7] ^= 1; /* inside the checksum */
    const char *const path = check_temporary("wrong.gz");
    put(path, wrong, sizeof wrong);
    check_status(lutra_file_read(&bytes, path, 1000, &error), LUTRA_EDATA, &error);
}

static void missing_files_and_folders_are_file_errors(void **state) {
    (void)state;
    LutraError error;
    LutraBytes bytes = {0};
    check_status(lutra_file_read(&bytes, "/nowhere/x", 10, &error), LUTRA_EIO, &error);
    assert_string_equal(error.message, "cannot open '/nowhere/x': No such file or directory");
    check_status(lutra_file_read(&bytes, "/", 10, &error), LUTRA_EIO, &error);
    check_status(lutra_file_write("/nowhere/x", "a", 1, true, &error), LUTRA_EIO, &error);
    check_status(lutra_file_write("", "a", 1, true, &error), LUTRA_EINVAL, &error);
    check_status(lutra_file_write("/dev/null", "a", 1, true, &error), LUTRA_EINVAL, &error);
    const char *const there = check_temporary("folder");
    check_status(lutra_folder_create(there, &error), LUTRA_OK, &error);
    check_status(lutra_file_write(there, "a", 1, true, &error), LUTRA_EINVAL, &error);
    char folder[300];
    (void)snprintf(folder, sizeof folder, "%s/", check_temporary("no-such-folder"));
    check_status(lutra_file_write(folder, "a", 1, true, &error), LUTRA_EINVAL, &error);
}

static void an_existing_output_needs_force(void **state) {
    (void)state;
    LutraError error;
    LutraBytes bytes = {0};
    const char *const path = check_temporary("kept");
    check_status(lutra_file_write(path, "old", 3, false, &error), LUTRA_OK, &error);
    check_status(lutra_file_write(path, "new", 3, false, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "--force"));
    check_status(lutra_file_read(&bytes, path, 9, &error), LUTRA_OK, &error);
    assert_string_equal((const char *)bytes.data, "old");
    lutra_bytes_deinit(&bytes);
    check_status(lutra_file_write(path, "new", 3, true, &error), LUTRA_OK, &error);
    check_status(lutra_file_read(&bytes, path, 9, &error), LUTRA_OK, &error);
    assert_string_equal((const char *)bytes.data, "new");
    lutra_bytes_deinit(&bytes);

    char *partial = NULL;
    check_status(lutra_file_partial_name(&partial, path, &error), LUTRA_OK, &error);
    assert_false(lutra_file_exists(partial));
    put(partial, "x", 1);
    check_status(lutra_file_publish(partial, path, false, &error), LUTRA_EINVAL, &error);
    assert_false(lutra_file_exists(partial));
    lutra_free(&partial);
}

static void folders_are_created_with_their_parents(void **state) {
    (void)state;
    LutraError error;
    char path[300];
    const char *const root = check_temporary("tree");
    (void)snprintf(path, sizeof path, "%s/a//b/c/", root);
    check_status(lutra_folder_create(path, &error), LUTRA_OK, &error);
    check_status(lutra_folder_create(path, &error), LUTRA_OK, &error);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    (void)snprintf(path, sizeof path, "%s/file", root);
    put(path, "x", 1);
    (void)snprintf(path, sizeof path, "%s/file/below", root);
    check_status(lutra_folder_create(path, &error), LUTRA_EIO, &error);
    check_status(lutra_file_check_output(path, false, &error), LUTRA_EIO, &error);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(gzip_is_unpacked_and_bounded),
        cmocka_unit_test(every_truncation_of_gzip_is_refused),
        cmocka_unit_test(missing_files_and_folders_are_file_errors),
        cmocka_unit_test(an_existing_output_needs_force),
        cmocka_unit_test(folders_are_created_with_their_parents),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
