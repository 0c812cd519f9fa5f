/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed files: what went in comes out, anything else is refused; and their checksum. */
#include "base/sealed_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/entropy.h"
#include "base/file.h"
#include "base/memory.h"
#include "tests/support/check.h"

static const char *const PATH = "sealed.test";
static const LutraSealedKind KIND = {"testfile", 3, "test file"};

static void write_numbers(size_t count) {
    LutraSealedWriter writer;
    LutraError error = {""};
    (void)unlink(PATH);
    check_status(lutra_sealed_create(&writer, PATH, &KIND, false, &error), LUTRA_OK, &error);
    check_status(lutra_sealed_put(&writer, "abc", 3, &error), LUTRA_OK, &error);
    for (size_t i = 0; i < count; i++) {
        const uint64_t number = lutra_random_u64(check_key(1), i);
        check_status(lutra_sealed_put_u64(&writer, &number, 1, &error), LUTRA_OK, &error);
    }
    assert_false(lutra_file_exists(PATH));
    check_status(lutra_sealed_commit(&writer, &error), LUTRA_OK, &error);
}

/* Around the size of a piece: 64 KiB. */
static void contents_come_back(void **state) {
    static const size_t counts[] = {0, 1, 8191, 8192, 8193, 20000};
    (void)state;
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        LutraSealedReader reader;
        LutraError error = {""};
        struct stat info;
        char text[4] = "";
        uint64_t *numbers = NULL;
        write_numbers(counts[n]);
        assert_int_equal(stat(PATH, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
        assert_int_equal(info.st_size, 16 + 3 + 8 * counts[n] + 16);
        check_status(lutra_sealed_open(&reader, PATH, &KIND, &error), LUTRA_OK, &error);
        check_status(lutra_sealed_take(&reader, text, 3, &error), LUTRA_OK, &error);
        assert_string_equal(text, "abc");
        check_status(lutra_alloc(&numbers, counts[n] + 1, 8, &error), LUTRA_OK, &error);
        assert_int_equal(lutra_sealed_take_u64(&reader, numbers, counts[n] + 1, &error),
                         LUTRA_EDATA);
        if (counts[n] > 0) {
            assert_int_equal(lutra_sealed_end(&reader, &error), LUTRA_EDATA);
        }
        check_status(lutra_sealed_take_u64(&reader, numbers, counts[n], &error), LUTRA_OK, &error);
        check_status(lutra_sealed_end(&reader, &error), LUTRA_OK, &error);
        for (size_t i = 0; i < counts[n]; i++) {
            assert_true(numbers[i] == lutra_random_u64(check_key(1), i));
        }
        lutra_sealed_close(&reader);
        lutra_free(&numbers);
    }
    (void)unlink(PATH);
}

static LutraStatus open_as(const LutraSealedKind *kind) {
    LutraSealedReader reader;
    LutraError error = {""};
    const LutraStatus status = lutra_sealed_open(&reader, PATH, kind, &error);
    assert_true(status == LUTRA_OK || error.message[0] != '\0');
    assert_true((status == LUTRA_OK) == (reader.stream != NULL));
    lutra_sealed_close(&reader);
    return status;
}

/* Every bit of a small file, and every length that is shorter. */
static void anything_else_is_refused(void **state) {
    static const LutraSealedKind other = {"otherfil", 3, "test file"};
    static const LutraSealedKind later = {"testfile", 4, "test file"};
    LutraBytes file = {0};
    LutraError error = {""};
    (void)state;
    write_numbers(2);
    assert_int_equal(open_as(&KIND), LUTRA_OK);
    assert_int_equal(open_as(&other), LUTRA_EDATA);
    assert_int_equal(open_as(&later), LUTRA_EDATA);
    check_status(lutra_file_read(&file, PATH, 1000, &error), LUTRA_OK, &error);
    for (size_t bit = 0; bit < 8 * file.bytes; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        FILE *const stream = fopen(PATH, "wb");
        assert_int_equal(fwrite(file.data, 1, file.bytes, stream), file.bytes);
        assert_int_equal(fclose(stream), 0);
        assert_int_equal(open_as(&KIND), LUTRA_EDATA);
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t kept = 0; kept < file.bytes; kept++) {
        assert_int_equal(truncate(PATH, (off_t)kept), 0);
        assert_int_equal(open_as(&KIND), LUTRA_EDATA);
        FILE *const stream = fopen(PATH, "wb");
        assert_int_equal(fwrite(file.data, 1, file.bytes, stream), file.bytes);
        assert_int_equal(fclose(stream), 0);
    }
    assert_int_equal(open_as(&KIND), LUTRA_OK);
    (void)unlink(PATH);
    assert_int_equal(open_as(&KIND), LUTRA_EIO);
    lutra_bytes_deinit(&file);
}

static void a_file_that_is_given_up_leaves_the_old_one(void **state) {
    LutraSealedWriter writer;
    LutraError error = {""};
    (void)state;
    write_numbers(1);
    assert_int_equal(lutra_sealed_create(&writer, PATH, &KIND, false, &error), LUTRA_EINVAL);
    check_status(lutra_sealed_create(&writer, PATH, &KIND, true, &error), LUTRA_OK, &error);
    check_status(lutra_sealed_put(&writer, "x", 1, &error), LUTRA_OK, &error);
    lutra_sealed_abandon(&writer);
    assert_int_equal(open_as(&KIND), LUTRA_OK);
    assert_false(lutra_file_exists("sealed.test.partial"));
    assert_int_equal(lutra_sealed_create(&writer, "no/such/folder", &KIND, true, &error),
                     LUTRA_EIO);
    lutra_sealed_abandon(&writer);
    (void)unlink(PATH);
}

/* Golden values: computed in Python from the definition. */
static void checksums_are_pinned_and_do_not_see_pieces(void **state) {
    uint8_t bytes[64];
    LutraChecksum whole;
    (void)state;
    lutra_checksum_start(&whole);
    assert_true(lutra_checksum_value(&whole) == UINT64_C(0xd8a77e549d1ceda4));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37 + 11);
    }
    lutra_checksum_bytes(&whole, bytes, 61);
    assert_true(lutra_checksum_value(&whole) == UINT64_C(0x79e13326d51f3b28));
    for (size_t cut = 0; cut <= 61; cut++) {
        LutraChecksum parts;
        lutra_checksum_start(&parts);
        lutra_checksum_bytes(&parts, bytes, cut);
        lutra_checksum_bytes(&parts, bytes + cut, 61 - cut);
        assert_true(lutra_checksum_value(&parts) == lutra_checksum_value(&whole));
    }
    LutraChecksum number;
    LutraChecksum same;
    lutra_checksum_start(&number);
    lutra_checksum_start(&same);
    lutra_checksum_u64(&number, UINT64_C(0x0807060504030201));
    lutra_checksum_bytes(&same, (const uint8_t[]){1, 2, 3, 4, 5, 6, 7, 8}, 8);
    assert_true(lutra_checksum_value(&number) == lutra_checksum_value(&same));
}

/* 256 bits that repeat, or are not wiped, would be a miracle. */
static void entropy_is_drawn_and_wiped(void **state) {
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    const uint8_t zeros[32] = {0};
    LutraError error = {""};
    (void)state;
    check_status(lutra_entropy(a, sizeof a, &error), LUTRA_OK, &error);
    check_status(lutra_entropy(b, sizeof b, &error), LUTRA_OK, &error);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, zeros, sizeof a);
    lutra_wipe(a, sizeof a);
    assert_memory_equal(a, zeros, sizeof a);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_come_back),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_file_that_is_given_up_leaves_the_old_one),
        cmocka_unit_test(checksums_are_pinned_and_do_not_see_pieces),
        cmocka_unit_test(entropy_is_drawn_and_wiped),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("base/sealed_file", tests, NULL, NULL);
}
