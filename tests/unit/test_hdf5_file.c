/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 files: what is written is read back, and nothing else is. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hdf5_file.h"
#include "base/memory.h"
#include "tests/support/check.h"

enum { ROWS = 3000, COLUMNS = 50 };

static const LutraH5Type all_types[] = {LUTRA_H5_U8,  LUTRA_H5_I8,  LUTRA_H5_I16, LUTRA_H5_U16,
                                        LUTRA_H5_I32, LUTRA_H5_U32, LUTRA_H5_I64, LUTRA_H5_U64,
                                        LUTRA_H5_F32, LUTRA_H5_F64};

static void fill(uint8_t *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        /* The top byte of every element stays below 0x40, so that floats are finite. */
        data[i] = (uint8_t)((i * 31 + i / 97) % 61);
    }
}

/* A file with every kind of content. */
static void write_sample(const char *path) {
    LutraError error;
    LutraH5 *file = NULL;
    check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
    static uint8_t data[ROWS * COLUMNS * 8];
    fill(data, sizeof data);
    const uint64_t dims[2] = {ROWS, COLUMNS};
    for (size_t i = 0; i < sizeof all_types / sizeof all_types[0]; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "deep/group/array%zu", i);
        check_status(lutra_h5_write(file, name, data, all_types[i], 2, dims, &error), LUTRA_OK,
                     &error);
    }
    const int16_t few[4] = {-1, 2, -3, 4};
    check_status(lutra_h5_write(file, "few", few, LUTRA_H5_I16, 1, (uint64_t[]){4}, &error),
                 LUTRA_OK, &error);
    check_status(lutra_h5_write(file, "none", few, LUTRA_H5_I16, 2, (uint64_t[]){0, 4}, &error),
                 LUTRA_OK, &error);
    check_status(lutra_h5_write(file, "scalar", few, LUTRA_H5_I16, 0, NULL, &error), LUTRA_OK,
                 &error);
    check_status(lutra_h5_write_text(file, "", "text", "first", &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_text(file, "", "text", "sch\xc3\xb6n", &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_text(file, "deep/other", "empty", "", &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_i64(file, "few", "number", INT64_MIN, &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_f64(file, "deep", "real", 0.1, &error), LUTRA_OK, &error);
    check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
    assert_null(file);
}

static LutraH5 *open_sample(const char *path) {
    LutraError error;
    LutraH5 *file = NULL;
    check_status(lutra_h5_open(&file, path, &error), LUTRA_OK, &error);
    return file;
}

static void arrays_of_every_type_come_back(void **state) {
    (void)state;
    LutraError error;
    const char *const path = check_temporary("sample.h5");
    write_sample(path);
    LutraH5 *file = open_sample(path);
    assert_string_equal(lutra_h5_path(file), path);
    static uint8_t data[ROWS * COLUMNS * 8];
    static uint8_t read[ROWS * COLUMNS * 8];
    fill(data, sizeof data);
    const uint64_t dims[2] = {ROWS, COLUMNS};
    for (size_t i = 0; i < sizeof all_types / sizeof all_types[0]; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "deep/group/array%zu", i);
        LutraH5Shape shape = {0};
        check_status(lutra_h5_shape(&shape, file, name, &error), LUTRA_OK, &error);
        assert_int_equal(shape.type, all_types[i]);
        assert_int_equal(shape.rank, 2);
        assert_int_equal(shape.dims[0], ROWS);
        assert_int_equal(shape.dims[1], COLUMNS);
        const size_t element = lutra_h5_type_bytes(all_types[i]);
        memset(read, 0xFF, sizeof read);
        check_status(lutra_h5_read(file, name, read, all_types[i], 2, dims, &error), LUTRA_OK,
                     &error);
        assert_memory_equal(read, data, ROWS * COLUMNS * element);
        memset(read, 0xFF, sizeof read);
        check_status(lutra_h5_read_rows(file, name, read, all_types[i], 7, 11, &error), LUTRA_OK,
                     &error);
        assert_memory_equal(read, data + 7 * COLUMNS * element, 11 * COLUMNS * element);
        assert_int_equal(read[11 * COLUMNS * element], 0xFF);
    }
    int16_t few[4] = {0};
    check_status(lutra_h5_read(file, "scalar", few, LUTRA_H5_I16, 0, NULL, &error), LUTRA_OK,
                 &error);
    assert_int_equal(few[0], -1);
    check_status(lutra_h5_read(file, "none", few, LUTRA_H5_I16, 2, (uint64_t[]){0, 4}, &error),
                 LUTRA_OK, &error);
    check_status(lutra_h5_read_rows(file, "few", few, LUTRA_H5_I16, 4, 0, &error), LUTRA_OK,
                 &error);
    lutra_h5_close(&file);
    assert_null(file);
    lutra_h5_close(&file);
}

static void what_does_not_match_is_refused(void **state) {
    (void)state;
    LutraError error;
    const char *const path = check_temporary("sample.h5");
    write_sample(path);
    LutraH5 *file = open_sample(path);
    int16_t few[4] = {9, 9, 9, 9};
    const uint64_t four[1] = {4};
    const uint64_t five[1] = {5};
    const uint64_t square[2] = {2, 2};
    check_status(lutra_h5_read(file, "few", few, LUTRA_H5_U16, 1, four, &error), LUTRA_EDATA,
                 &error);
    check_status(lutra_h5_read(file, "few", few, LUTRA_H5_I16, 1, five, &error), LUTRA_EDATA,
                 &error);
    assert_non_null(strstr(error.message, "is i16 (4) where i16 (5) is needed"));
    check_status(lutra_h5_read(file, "few", few, LUTRA_H5_I16, 2, square, &error), LUTRA_EDATA,
                 &error);
    check_status(lutra_h5_read(file, "fewer", few, LUTRA_H5_I16, 1, four, &error), LUTRA_EDATA,
                 &error);
    check_status(lutra_h5_read(file, "deep/group", few, LUTRA_H5_I16, 1, four, &error), LUTRA_EDATA,
                 &error);
    check_status(lutra_h5_read_rows(file, "few", few, LUTRA_H5_I16, 2, 3, &error), LUTRA_EDATA,
                 &error);
    check_status(lutra_h5_read_rows(file, "few", few, LUTRA_H5_I16, UINT64_MAX, 2, &error),
                 LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "has 4 rows, not 2 from row 18446744073709551615 on"));
    check_status(lutra_h5_read_rows(file, "few", few, LUTRA_H5_I8, 0, 2, &error), LUTRA_EDATA,
                 &error);
    assert_int_equal(few[0], 9);
    assert_true(lutra_h5_has(file, "few"));
    assert_true(lutra_h5_has(file, "deep/group/array3"));
    assert_false(lutra_h5_has(file, "deep/group"));
    assert_false(lutra_h5_has(file, "deep/nothing/array3"));
    assert_false(lutra_h5_has(file, "few/array3"));
    assert_false(lutra_h5_has(file, ""));
    lutra_h5_close(&file);
}

static void attributes_come_back(void **state) {
    (void)state;
    LutraError error;
    const char *const path = check_temporary("sample.h5");
    write_sample(path);
    LutraH5 *file = open_sample(path);
    char *text = NULL;
    check_status(lutra_h5_read_text(&text, file, "", "text", &error), LUTRA_OK, &error);
    assert_string_equal(text, "sch\xc3\xb6n");
    lutra_free(&text);
    check_status(lutra_h5_read_text(&text, file, "deep/other", "empty", &error), LUTRA_OK, &error);
    assert_string_equal(text, "");
    lutra_free(&text);
    int64_t number = 5;
    double real = 5;
    check_status(lutra_h5_read_i64(&number, file, "deep", "real", &error), LUTRA_EDATA, &error);
    check_status(lutra_h5_read_i64(&number, file, "", "text", &error), LUTRA_EDATA, &error);
    check_status(lutra_h5_read_i64(&number, file, "few", "none", &error), LUTRA_EDATA, &error);
    check_status(lutra_h5_read_i64(&number, file, "nowhere", "none", &error), LUTRA_EDATA, &error);
    check_status(lutra_h5_read_text(&text, file, "few", "number", &error), LUTRA_EDATA, &error);
    assert_null(text);
    assert_int_equal(number, 5);
    check_status(lutra_h5_read_i64(&number, file, "few", "number", &error), LUTRA_OK, &error);
    assert_true(number == INT64_MIN);
    check_status(lutra_h5_read_f64(&real, file, "deep", "real", &error), LUTRA_OK, &error);
    assert_true(memcmp(&real, &(double){0.1}, sizeof real) == 0);
    assert_true(lutra_h5_has_attribute(file, "", "text"));
    assert_false(lutra_h5_has_attribute(file, "", "texts"));
    assert_false(lutra_h5_has_attribute(file, "gone", "text"));
    lutra_h5_close(&file);
}

static void long_texts_pass_and_too_long_ones_do_not(void **state) {
    (void)state;
    LutraError error;
    LutraH5 *file = NULL;
    const size_t limit = (size_t)1 << 20;
    char *text = NULL;
    check_status(lutra_alloc(&text, limit + 2, 1, &error), LUTRA_OK, &error);
    memset(text, 'x', limit + 1);
    const char *const path = check_temporary("long.h5");
    check_status(lutra_h5_create(&file, path, false, &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_text(file, "", "long", text, &error), LUTRA_EINVAL, &error);
    text[limit] = '\0';
    check_status(lutra_h5_write_text(file, "", "long", text, &error), LUTRA_OK, &error);
    check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
    file = open_sample(path);
    char *read = NULL;
    check_status(lutra_h5_read_text(&read, file, "", "long", &error), LUTRA_OK, &error);
    assert_string_equal(read, text);
    lutra_h5_close(&file);
    lutra_free(&read);
    lutra_free(&text);
}

static void equal_content_gives_equal_bytes(void **state) {
    (void)state;
    LutraError error;
    LutraBytes first = {0};
    LutraBytes second = {0};
    const char *const path = check_temporary("first.h5");
    write_sample(path);
    check_status(lutra_file_read(&first, path, SIZE_MAX / 4, &error), LUTRA_OK, &error);
    (void)sleep(2); /* times in HDF5 files count seconds */
    const char *const again = check_temporary("second.h5");
    write_sample(again);
    check_status(lutra_file_read(&second, again, SIZE_MAX / 4, &error), LUTRA_OK, &error);
    assert_int_equal(first.bytes, second.bytes);
    assert_memory_equal(first.data, second.data, first.bytes);
    lutra_bytes_deinit(&first);
    lutra_bytes_deinit(&second);
}

static void nothing_has_the_final_name_before_commit(void **state) {
    (void)state;
    LutraError error;
    LutraH5 *file = NULL;
    char *partial = NULL;
    const char *const path = check_temporary("early.h5");
    check_status(lutra_file_partial_name(&partial, path, &error), LUTRA_OK, &error);
    check_status(lutra_h5_create(&file, path, false, &error), LUTRA_OK, &error);
    assert_false(lutra_file_exists(path));
    assert_true(lutra_file_exists(partial));
    lutra_h5_close(&file);
    assert_false(lutra_file_exists(path));
    assert_false(lutra_file_exists(partial));

    check_status(lutra_h5_create(&file, path, false, &error), LUTRA_OK, &error);
    check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
    assert_true(lutra_file_exists(path));
    check_status(lutra_h5_create(&file, path, false, &error), LUTRA_EINVAL, &error);
    assert_null(file);
    assert_non_null(strstr(error.message, "--force"));
    check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
    lutra_h5_close(&file);
    assert_true(lutra_file_exists(path));
    check_status(lutra_h5_create(&file, "/nowhere/x.h5", true, &error), LUTRA_EIO, &error);
    assert_null(file);
    lutra_free(&partial);
}

static void put(const char *path, const void *data, size_t bytes) {
    FILE *const stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

static void foreign_and_cut_files_are_refused(void **state) {
    (void)state;
    LutraError error;
    LutraH5 *file = NULL;
    const char *const path = check_temporary("foreign.h5");
    check_status(lutra_h5_open(&file, path, &error), LUTRA_EIO, &error);
    assert_non_null(strstr(error.message, "No such file"));
    check_status(lutra_h5_open(&file, "/tmp", &error), LUTRA_EIO, &error);
    put(path, "", 0);
    check_status(lutra_h5_open(&file, path, &error), LUTRA_EDATA, &error);
    put(path, "not hdf5 at all", 15);
    check_status(lutra_h5_open(&file, path, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "is not an HDF5 file"));

    write_sample(path);
    LutraBytes whole = {0};
    check_status(lutra_file_read(&whole, path, SIZE_MAX / 4, &error), LUTRA_OK, &error);
    static const size_t parts[] = {8, 100, 1000, 5000};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        put(path, whole.data, parts[i]);
        check_status(lutra_h5_open(&file, path, &error), LUTRA_EDATA, &error);
        assert_null(file);
    }
    put(path, whole.data, whole.bytes - 1);
    check_status(lutra_h5_open(&file, path, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "damaged or truncated"));
    lutra_bytes_deinit(&whole);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_every_type_come_back),
        cmocka_unit_test(what_does_not_match_is_refused),
        cmocka_unit_test(attributes_come_back),
        cmocka_unit_test(long_texts_pass_and_too_long_ones_do_not),
        cmocka_unit_test(equal_content_gives_equal_bytes),
        cmocka_unit_test(nothing_has_the_final_name_before_commit),
        cmocka_unit_test(foreign_and_cut_files_are_refused),
    };
    return cmocka_run_group_tests_name("hdf5_file", tests, NULL, NULL);
}
