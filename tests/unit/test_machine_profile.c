/* SPDX-License-Identifier: Apache-2.0 */
/* Machine profiles: what is written reads back bit for bit; everything doubtful is refused. */
#include "sim/machine_profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "tests/support/check.h"

static LutraMachineProfile some_profile(void) {
    LutraMachineProfile profile = *lutra_machine_profile_builtin();
    profile.keyswitch = 1.0 / 3e10; /* needs all digits */
    profile.bootstrap[1][3] = nextafter(2e-10, 1.0);
    return profile;
}

static void check_equal(const LutraMachineProfile *a, const LutraMachineProfile *b) {
    assert_string_equal(a->cpu, b->cpu);
    assert_string_equal(a->backend, b->backend);
    assert_string_equal(a->version, b->version);
    assert_string_equal(a->date, b->date);
    const size_t texts = offsetof(LutraMachineProfile, threads);
    assert_memory_equal(&a->threads, &b->threads, sizeof *a - texts);
}

static void the_builtin_profile_is_good(void **state) {
    (void)state;
    LutraError error = {""};
    check_status(lutra_machine_profile_check(lutra_machine_profile_builtin(), &error), LUTRA_OK,
                 &error);
}

static void files_read_back_bit_for_bit(void **state) {
    (void)state;
    LutraError error = {""};
    const LutraMachineProfile profile = some_profile();
    LutraMachineProfile read = {.threads = 0};
    const char *const path = check_temporary("profile.ini");
    check_status(lutra_machine_profile_write(&profile, path, false, &error), LUTRA_OK, &error);
    check_status(lutra_machine_profile_read(&read, path, &error), LUTRA_OK, &error);
    check_equal(&read, &profile);
    check_status(lutra_machine_profile_write(&profile, path, false, &error), LUTRA_EINVAL, &error);
    check_status(lutra_machine_profile_read(&read, check_temporary("none.ini"), &error), LUTRA_EIO,
                 &error);
    check_status(lutra_file_write(path, "[machine]\n\0x", 12, true, &error), LUTRA_OK, &error);
    check_status(lutra_machine_profile_read(&read, path, &error), LUTRA_EDATA, &error);
    check_equal(&read, &profile);
}

/** Replaces the line that starts with `line` by `other`. */
static void change_line(char *changed, size_t bytes, const char *text, const char *line,
                        const char *other) {
    const char *const at = strstr(text, line);
    assert_non_null(at);
    (void)snprintf(changed, bytes, "%.*s%s%s", (int)(at - text), text, other,
                   at + strcspn(at, "\n") + 1);
}

static void bad_text_is_refused_and_changes_nothing(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *other;
        const char *message;
    } cases[] = {
        {"keyswitch = ", "", "p.ini: 'keyswitch' in [core_seconds] should be a number from"},
        {"keyswitch = ", "keyswitch = 1\n", "p.ini: 'keyswitch' in [core_seconds] should be"},
        {"keyswitch = ", "keyswitch = -1e-9\n", "p.ini:9: invalid value '-1e-9' for 'keyswitch'"},
        {"keyswitch = ", "keyswitch = nan\n", "p.ini:9: invalid value 'nan' for 'keyswitch'"},
        {"keyswitch = ", "keyswitch = 1e-9s\n", "p.ini:9: invalid value '1e-9s' for 'keyswitch'"},
        {"keyswitch = ", "keyswitch =\n", "p.ini:9: invalid value '' for 'keyswitch'"},
        {"keyswitch = ", "key = 1e-9\n", "p.ini:9: a machine profile has no 'key' here"},
        {"cpu = ", "cpu =\n", "p.ini: 'cpu' in [machine] should be one line of up to 95"},
        {"threads = ", "threads = 0\n", "p.ini:4: invalid value '0' for 'threads'"},
        {"threads = ", "threads = 1.5\n", "p.ini:4: invalid value '1.5' for 'threads'"},
        {"threads = ", "threads = 1025\n", "p.ini:4: invalid value '1025' for 'threads'"},
        {"linear = ", "linear = 101\n", "p.ini: 'linear' in [alone] should be a number from 0.01"},
        {"log2_poly_8 = ", "", "p.ini: 'log2_poly_8' should be in all three sections"},
        {"log2_poly_8 = ", "log2_poly_7 = 1e-9\n", "a machine profile has no 'log2_poly_7' here"},
        {"log2_poly_8 = ", "log2_poly_8 = 0\n", "invalid value '0' for 'log2_poly_8'"},
        {"[alone]", "", "a machine profile has no 'bootstrap' here"},
    };
    LutraError error = {""};
    const LutraMachineProfile profile = some_profile();
    char *text = NULL;
    check_status(lutra_machine_profile_text(&text, &profile, &error), LUTRA_OK, &error);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char changed[8000];
        LutraMachineProfile read = profile;
        change_line(changed, sizeof changed, text, cases[i].line, cases[i].other);
        check_status(lutra_machine_profile_parse(&read, changed, "p.ini", &error), LUTRA_EDATA,
                     &error);
        if (strstr(error.message, cases[i].message) == NULL) {
            fail_msg("case %zu: '%s' is not in '%s'", i, cases[i].message, error.message);
        }
        check_equal(&read, &profile);
    }
    lutra_free(&text);
}

static void a_profile_needs_a_polynomial_and_plain_texts(void **state) {
    (void)state;
    LutraError error = {""};
    LutraMachineProfile profile = some_profile();
    memset(profile.bootstrap, 0, sizeof profile.bootstrap);
    memset(profile.bootstrap_key, 0, sizeof profile.bootstrap_key);
    check_status(lutra_machine_profile_check(&profile, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "no polynomial size"));
    profile = some_profile();
    profile.bootstrap_key[2] = 0.0;
    check_status(lutra_machine_profile_check(&profile, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "'log2_poly_10' should be in all three"));
    static const char *const texts[] = {"", " a", "a ", "a # b", "a;b", "a\nb", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        profile = some_profile();
        (void)snprintf(profile.cpu, sizeof profile.cpu, "%s", texts[i]);
        check_status(lutra_machine_profile_check(&profile, &error), LUTRA_EDATA, &error);
    }
    profile = some_profile();
    memset(profile.date, 'x', sizeof profile.date); /* no end */
    check_status(lutra_machine_profile_check(&profile, &error), LUTRA_EDATA, &error);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_builtin_profile_is_good),
        cmocka_unit_test(files_read_back_bit_for_bit),
        cmocka_unit_test(bad_text_is_refused_and_changes_nothing),
        cmocka_unit_test(a_profile_needs_a_polynomial_and_plain_texts),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("machine_profile", tests, NULL, NULL);
}
