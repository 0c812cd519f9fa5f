/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 from outside. */
#include "base/memory.h"
#include "base/utf8.h"
#include "tests/support/check.h"

static void sequences_are_measured(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xc3\xb6", 2},
        {"\xe0\xa0\x80", 3},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},             /* continuation alone */
        {"\xc3", 0},             /* cut */
        {"\xe2\x82", 0},         /* cut */
        {"\xc1\xbf", 0},         /* over-long */
        {"\xe0\x9f\xbf", 0},     /* over-long */
        {"\xed\xa0\x80", 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"\xf8\x88\x80\x80\x80", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(lutra_utf8_sequence(cases[i].text), cases[i].length);
    }
}

static void foreign_bytes_become_question_marks(void **state) {
    (void)state;
    LutraError error;
    char *copy = NULL;
    check_status(lutra_utf8_copy(&copy, "a\xff\xc3-\xe2\x82z\xc3\xb6", &error), LUTRA_OK, &error);
    assert_string_equal(copy, "a\?\?-\?\?z\xc3\xb6");
    lutra_free(&copy);
    check_status(lutra_utf8_copy(&copy, "", &error), LUTRA_OK, &error);
    assert_string_equal(copy, "");
    lutra_free(&copy);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_are_measured),
        cmocka_unit_test(foreign_bytes_become_question_marks),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
