/* SPDX-License-Identifier: Apache-2.0 */
/* The pickle reader: CIFAR's own sequence of opcodes, and everything else refused. */
#include <string.h>

#include "base/memory.h"
#include "datasets/pickle_priv.h"
#include "tests/support/check.h"

/* A batch of two images of three bytes, as Python 2 wrote the CIFAR files. */
static const char batch[] =
    "\x80\x02}q\x01(U\x0b"
    "batch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05(K\x06K\x09"
    "eU\x04"
    "dataq\x06"
    "cnumpy.core.multiarray\n_reconstruct\nq\x07"
    "cnumpy\nndarray\nq\x08K\x00\x85U\x01"
    "b\x87Rq\x09(K\x01M\x02\x00K\x03\x86"
    "cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff"
    "\xffK\x00tb\x89T\x06\x00\x00\x00\x01\x02\x03\xfe\xff\x00tbU\tfilenamesq\x0c]r\x0d\x00\x00\x00"
    "(U\x01xU\x01yeu.";

static LutraPickle *parse(const void *data, size_t bytes) {
    LutraError error;
    LutraPickle *pickle = NULL;
    check_status(lutra_pickle_parse(&pickle, data, bytes, "p", &error), LUTRA_OK, &error);
    return pickle;
}

static void a_batch_is_read(void **state) {
    (void)state;
    LutraError error;
    LutraPickle *pickle = parse(batch, sizeof batch - 1);
    const uint8_t *elements = NULL;
    uint64_t rows = 0;
    uint64_t columns = 0;
    int64_t labels[2] = {0};
    char *names[2] = {NULL};
    size_t count = 0;
    check_status(lutra_pickle_array(&elements, &rows, &columns, pickle, "data", &error), LUTRA_OK,
                 &error);
    assert_int_equal(rows, 2);
    assert_int_equal(columns, 3);
    assert_memory_equal(elements, "\x01\x02\x03\xfe\xff\x00", 6);
    check_status(lutra_pickle_list_count(&count, pickle, "labels", &error), LUTRA_OK, &error);
    assert_int_equal(count, 2);
    check_status(lutra_pickle_integers(labels, 2, pickle, "labels", &error), LUTRA_OK, &error);
    assert_int_equal(labels[0], 6);
    assert_int_equal(labels[1], 9);
    check_status(lutra_pickle_texts(names, 2, pickle, "filenames", &error), LUTRA_OK, &error);
    assert_string_equal(names[1], "y");
    lutra_free(&names[0]);
    lutra_free(&names[1]);

    check_status(lutra_pickle_integers(labels, 3, pickle, "labels", &error), LUTRA_EDATA, &error);
    check_status(lutra_pickle_integers(labels, 2, pickle, "filenames", &error), LUTRA_EDATA,
                 &error);
    check_status(lutra_pickle_texts(names, 2, pickle, "labels", &error), LUTRA_EDATA, &error);
    assert_null(names[0]);
    check_status(lutra_pickle_array(&elements, &rows, &columns, pickle, "labels", &error),
                 LUTRA_EDATA, &error);
    check_status(lutra_pickle_list_count(&count, pickle, "fine_labels", &error), LUTRA_EDATA,
                 &error);
    assert_string_equal(error.message, "'p' has no list 'fine_labels'");
    lutra_pickle_destroy(&pickle);
    assert_null(pickle);
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    for (size_t length = 0; length < sizeof batch - 1; length++) {
        LutraError error;
        LutraPickle *pickle = NULL;
        /* A block of its own, so that a sanitizer sees reads past the end. */
        uint8_t *copy = NULL;
        check_status(lutra_alloc(&copy, length, 1, &error), LUTRA_OK, &error);
        memcpy(copy, batch, length);
        check_status(lutra_pickle_parse(&pickle, copy, length, "p", &error), LUTRA_EDATA, &error);
        assert_null(pickle);
        lutra_free(&copy);
    }
}

static void small_forms_work(void **state) {
    (void)state;
    LutraError error;
    static const char text[] =
        "\x80\x03}(X\x01\x00\x00\x00"
        "a](\x88\x89J\xfe\xff\xff\xffM\x01\x01"
        "eC\x01"
        "b]q\x00K\x05"
        "as"
        "h\x00K\x07"
        "a0.";
    /* '0' (POP) is no opcode of CIFAR's files. */
    LutraPickle *pickle = NULL;
    check_status(lutra_pickle_parse(&pickle, (const uint8_t *)text, sizeof text - 1, "p", &error),
                 LUTRA_EDATA, &error);
    static const char good[] =
        "\x80\x03}(X\x01\x00\x00\x00"
        "a](\x88\x89J\xfe\xff\xff\xffM\x01\x01"
        "euC\x01"
        "b]q\x00K\x05"
        "as.";
    pickle = parse(good, sizeof good - 1);
    int64_t values[4] = {0};
    check_status(lutra_pickle_integers(values, 4, pickle, "a", &error), LUTRA_OK, &error);
    assert_int_equal(values[0], 1);
    assert_int_equal(values[1], 0);
    assert_int_equal(values[2], -2);
    assert_int_equal(values[3], 257);
    check_status(lutra_pickle_integers(values, 1, pickle, "b", &error), LUTRA_OK, &error);
    assert_int_equal(values[0], 5);
    lutra_pickle_destroy(&pickle);
}

static void programs_are_refused(void **state) {
    (void)state;
#define CASE(text) \
    { text, sizeof text - 1 }
    static const struct {
        const char *text;
        size_t bytes;
    } cases[] = {
        CASE("\x80\x02"
             "cos\nsystem\nU\x04true\x85R."),
        CASE("\x80\x02"
             "c__builtin__\neval\n."),
        CASE("\x80\x02"
             "cnumpy\nload\n."),
        CASE("\x80\x02"
             "cnumpy\nndarray\nK\x00\x85R."), /* called instead of named */
        CASE("\x80\x02"
             "cnumpy\ndtype\nU\x02O8\x85R."), /* objects */
        CASE("\x80\x02"
             "cnumpy.core.multiarray\n_reconstruct\nK\x00\x85R."),
        CASE("\x80\x02"
             "ios\nsystem\n."),    /* INST */
        CASE("\x80\x02\x82\x01."), /* EXT1 */
        CASE("\x80\x04\x95."),     /* FRAME */
        CASE("\x80\x02]."),        /* no dict */
        CASE("\x80\x02}}."),       /* two values */
        CASE("\x80\x02."),
        CASE("\x80\x02}a."),       /* append to a dict */
        CASE("\x80\x02](K\x01u."), /* odd items */
        CASE("\x80\x02}(K\x01u."),
        CASE("\x80\x02"
             "e."),
        CASE("\x80\x02"
             "t."),
        CASE("\x80\x02"
             "\x87."),
        CASE("\x80\x02(\x85."),
        CASE("\x80\x02(q\x00."), /* a mark in the memo */
        CASE("\x80\x02h\x00."),
        CASE("\x80\x02}r\xff\xff\xff\xff."),
        CASE("\x80\x02}}b."),
        CASE("(dp0\n."), /* protocol 0 */
    };
#undef CASE
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LutraError error;
        LutraPickle *pickle = NULL;
        check_status(lutra_pickle_parse(&pickle, (const uint8_t *)cases[i].text, cases[i].bytes,
                                        "p", &error),
                     LUTRA_EDATA, &error);
    }
}

/* The batch with one byte of the array's description changed. */
static void check_changed(const char *from, const char *to, size_t bytes) {
    LutraError error;
    LutraPickle *pickle = NULL;
    char copy[sizeof batch];
    memcpy(copy, batch, sizeof batch);
    size_t at = 0;
    while (memcmp(copy + at, from, bytes) != 0) {
        at++;
        assert_true(at + bytes < sizeof batch);
    }
    memcpy(copy + at, to, bytes);
    check_status(lutra_pickle_parse(&pickle, (const uint8_t *)copy, sizeof batch - 1, "p", &error),
                 LUTRA_EDATA, &error);
}

static void odd_arrays_are_refused(void **state) {
    (void)state;
    check_changed("M\x02\x00K\x03", "M\x03\x00K\x03", 5); /* more rows than bytes */
    check_changed("M\x02\x00K\x03", "M\x02\x00K\x00", 5); /* no columns */
    check_changed("M\x02\x00K\x03", "M\x02\x00NNN", 5);
    check_changed("u1", "i1", 2);
    check_changed("b\x89T", "b\x88T", 3); /* Fortran order */
    check_changed("ndarray", "ndarras", 7);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_read),        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(small_forms_work),       cmocka_unit_test(programs_are_refused),
        cmocka_unit_test(odd_arrays_are_refused),
    };
    return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
