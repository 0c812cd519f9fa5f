/* SPDX-License-Identifier: Apache-2.0 */
/* Path and folder helpers of the dataset readers. */
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/folder_priv.h"
#include "tests/support/check.h"

static void paths_join_with_one_slash(void **state) {
    (void)state;
    static const char *const cases[][3] = {{"a", "b", "a/b"},       {"a/", "b", "a/b"},
                                           {"a//", "b", "a/b"},     {"/", "b", "/b"},
                                           {"/x/y", "b", "/x/y/b"}, {"", "b", "b"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LutraError error;
        char *path = NULL;
        check_status(lutra_path_join(&path, cases[i][0], cases[i][1], &error), LUTRA_OK, &error);
        assert_string_equal(path, cases[i][2]);
        lutra_free(&path);
    }
}

static void the_last_component_is_found(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"a/b", "b"},     {"a/b//", "b"},    {"b", "b"},
                                           {"/", "dataset"}, {".", "dataset"},  {"a/..", "dataset"},
                                           {"", "dataset"},  {"/usr/.x/", ".x"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LutraError error;
        char *name = NULL;
        check_status(lutra_path_last(&name, cases[i][0], &error), LUTRA_OK, &error);
        assert_string_equal(name, cases[i][1]);
        lutra_free(&name);
    }
}

static void folders_are_listed_in_order(void **state) {
    (void)state;
    LutraError error;
    char path[400];
    char **names = NULL;
    size_t count = 0;
    const char *const folder = check_temporary("list");
    check_status(lutra_folder_create(folder, &error), LUTRA_OK, &error);
    check_status(lutra_folder_list(&names, &count, folder, &error), LUTRA_OK, &error);
    assert_int_equal(count, 0);
    lutra_folder_free(&names, count);
    for (int i = 199; i >= 0; i--) {
        (void)snprintf(path, sizeof path, "%s/%s%03d", folder, i % 50 == 7 ? "." : "f", i);
        check_status(lutra_file_write(path, "", 0, false, &error), LUTRA_OK, &error);
    }
    check_status(lutra_folder_list(&names, &count, folder, &error), LUTRA_OK, &error);
    assert_int_equal(count, 196);
    assert_string_equal(names[0], "f000");
    assert_string_equal(names[7], "f008");
    assert_string_equal(names[195], "f199");
    lutra_folder_free(&names, count);
    assert_null(names);
    check_status(lutra_folder_list(&names, &count, path, &error), LUTRA_EIO, &error);
    check_status(lutra_folder_check(path, &error), LUTRA_EIO, &error);
    check_status(lutra_folder_check(folder, &error), LUTRA_OK, &error);
    check_status(lutra_folder_check("/nowhere", &error), LUTRA_EIO, &error);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_join_with_one_slash),
        cmocka_unit_test(the_last_component_is_found),
        cmocka_unit_test(folders_are_listed_in_order),
    };
    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
