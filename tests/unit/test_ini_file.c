/* SPDX-License-Identifier: Apache-2.0 */
/* INI text: entries in order, with their lines; everything doubtful refused. */
#include <stdio.h>
#include <string.h>

#include "base/ini_file.h"
#include "base/memory.h"
#include "tests/support/check.h"

static void entries_keep_order_and_lines(void **state) {
    (void)state;
    LutraError error;
    LutraIni ini = {0};
    const char *const text =
        "\xef\xbb\xbftop = 1\r\n"
        "; comment\n"
        "# comment\n"
        "[one]  ; about one\n"
        "  indented = a b  c  # comment\n"
        "  not = joined to the line above ; comment\n"
        "\n"
        "\t# comment\n"
        "empty =\n"
        "colour: #123 = 5\n"
        "[two] # about two\n"
        "indented=value#whole\n"
        "[three]";
    check_status(lutra_ini_parse(&ini, text, "n.ini", &error), LUTRA_OK, &error);
    static const LutraIniEntry expected[] = {
        {"", "top", "1", 1},
        {"one", "indented", "a b  c", 5},
        {"one", "not", "joined to the line above", 6},
        {"one", "empty", "", 9},
        {"one", "colour", "", 10},
        {"two", "indented", "value#whole", 12},
    };
    assert_int_equal(ini.entry_count, 6);
    for (size_t i = 0; i < ini.entry_count; i++) {
        assert_string_equal(ini.entries[i].section, expected[i].section);
        assert_string_equal(ini.entries[i].key, expected[i].key);
        assert_string_equal(ini.entries[i].value, expected[i].value);
        assert_int_equal(ini.entries[i].line, expected[i].line);
    }
    lutra_ini_deinit(&ini);
    assert_null(ini.entries);
    assert_int_equal(ini.entry_count, 0);
    check_status(lutra_ini_parse(&ini, "", "n.ini", &error), LUTRA_OK, &error);
    assert_int_equal(ini.entry_count, 0);
    lutra_ini_deinit(&ini);
}

static void mistakes_are_named_with_their_line(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[a]\nnonsense\n", "n.ini:2: neither a [section] nor a 'key = value' line"},
        {"[a\nk=1\n", "n.ini:1: a section name without ']'"},
        {"[a] b\nk=1\n", "n.ini:1: text after ']'"},
        {"[a]\nk=1\n[b]\n\n[a]\n", "n.ini:5: section 'a' is already open since line 1"},
        {"[a]\nk=1\nl=2\nk=1\n", "n.ini:4: 'k' is already set in line 2"},
        {"\n= 1\n", "n.ini:2: a value without a key"},
        {"[]\n", "n.ini:1: a section name must have 1 to 48 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LutraError error = {""};
        LutraIni ini = {0};
        check_status(lutra_ini_parse(&ini, cases[i].text, "n.ini", &error), LUTRA_EDATA, &error);
        assert_string_equal(error.message, cases[i].message);
        assert_null(ini.entries);
    }
}

static void lines_are_never_cut(void **state) {
    (void)state;
    for (size_t length = 150; length < 450; length++) {
        char text[500] = "[s]\nk=";
        memset(text + 6, 'x', length - 2);
        memcpy(text + 4 + length, "\nl=2\n", 6);
        LutraError error = {""};
        LutraIni ini = {0};
        const LutraStatus status = lutra_ini_parse(&ini, text, "n.ini", &error);
        if (length <= 198) {
            check_status(status, LUTRA_OK, &error);
            assert_int_equal(ini.entry_count, 2);
            assert_int_equal(strlen(ini.entries[0].value), length - 2);
            assert_string_equal(ini.entries[1].value, "2");
            assert_int_equal(ini.entries[1].line, 3);
            lutra_ini_deinit(&ini);
        } else {
            check_status(status, LUTRA_EDATA, &error);
            assert_string_equal(error.message, "n.ini:2: the line is too long");
        }
    }
    char text[100] = "[";
    memset(text + 1, 's', 48);
    (void)snprintf(text + 49, sizeof text - 49, "]\nk=1\n");
    LutraError error;
    LutraIni ini = {0};
    check_status(lutra_ini_parse(&ini, text, "n.ini", &error), LUTRA_OK, &error);
    assert_int_equal(strlen(ini.entries[0].section), 48);
    lutra_ini_deinit(&ini);
    (void)snprintf(text + 49, sizeof text - 49, "s]\nk=1\n");
    check_status(lutra_ini_parse(&ini, text, "n.ini", &error), LUTRA_EDATA, &error);
}

static void very_long_texts_are_refused(void **state) {
    (void)state;
    LutraError error;
    LutraIni ini = {0};
    char *text = NULL;
    check_status(lutra_alloc(&text, (1 << 20) + 2, 1, &error), LUTRA_OK, &error);
    memset(text, '\n', (1 << 20) + 1);
    check_status(lutra_ini_parse(&ini, text, "n.ini", &error), LUTRA_EDATA, &error);
    text[1 << 20] = '\0';
    check_status(lutra_ini_parse(&ini, text, "n.ini", &error), LUTRA_OK, &error);
    lutra_ini_deinit(&ini);
    lutra_free(&text);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_keep_order_and_lines),
        cmocka_unit_test(mistakes_are_named_with_their_line),
        cmocka_unit_test(lines_are_never_cut),
        cmocka_unit_test(very_long_texts_are_refused),
    };
    return cmocka_run_group_tests_name("ini_file", tests, NULL, NULL);
}
