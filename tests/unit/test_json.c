/* SPDX-License-Identifier: Apache-2.0 */
/* JSON texts, compared whole. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "tests/support/check.h"

static void check_text(const LutraJson *json, const char *expected) {
    LutraError error;
    char *text = NULL;
    check_status(lutra_json_text(&text, json, &error), LUTRA_OK, &error);
    assert_string_equal(text, expected);
    lutra_free(&text);
}

static void numbers_keep_all_digits(void **state) {
    (void)state;
    LutraJson *json = lutra_json_create("lutra.test/1");
    lutra_json_set_i64(json, "small", INT64_MIN);
    lutra_json_set_i64(json, "large", INT64_MAX);
    lutra_json_set_f64(json, "tenth", 0.1);
    lutra_json_set_f64(json, "whole", 3);
    lutra_json_set_f64(json, "nan", NAN);
    lutra_json_set_f64(json, "infinite", INFINITY);
    lutra_json_set_bool(json, "yes", true);
    lutra_json_set_null(json, "nothing");
    check_text(json,
               "{\n"
               "\t\"schema\":\t\"lutra.test/1\",\n"
               "\t\"small\":\t-9223372036854775808,\n"
               "\t\"large\":\t9223372036854775807,\n"
               "\t\"tenth\":\t0.10000000000000001,\n"
               "\t\"whole\":\t3,\n"
               "\t\"nan\":\tnull,\n"
               "\t\"infinite\":\tnull,\n"
               "\t\"yes\":\ttrue,\n"
               "\t\"nothing\":\tnull\n"
               "}\n");
    lutra_json_destroy(&json);
    assert_null(json);
    lutra_json_destroy(&json);
}

static void children_nest(void **state) {
    (void)state;
    LutraJson *json = lutra_json_create("s");
    LutraJson *const array = lutra_json_set_array(json, "list");
    lutra_json_add_i64(array, 1);
    lutra_json_add_f64(array, 0.5);
    lutra_json_add_text(array, "a\"b\n\xc3\xb6");
    lutra_json_set_text(lutra_json_add_object(array), "k", "v");
    lutra_json_add_i64(lutra_json_add_array(array), 7);
    lutra_json_set_i64(lutra_json_set_object(json, "object"), "n", 1);
    check_text(json,
               "{\n"
               "\t\"schema\":\t\"s\",\n"
               "\t\"list\":\t[1, 0.5, \"a\\\"b\\n\xc3\xb6\", {\n"
               "\t\t\t\"k\":\t\"v\"\n"
               "\t\t}, [7]],\n"
               "\t\"object\":\t{\n"
               "\t\t\"n\":\t1\n"
               "\t}\n"
               "}\n");
    lutra_json_destroy(&json);
}

static void a_key_has_one_value_and_text_is_utf8(void **state) {
    (void)state;
    LutraJson *json = lutra_json_create("s");
    lutra_json_set_i64(json, "k", 1);
    lutra_json_set_i64(json, "k", 2);
    lutra_json_set_text(json, "bad", "a\xff\xc3-\xed\xa0\x80\xc0\x80z\xf0\x9f\x98\x80\xe2");
    lutra_json_set_text(json, "none", NULL);
    check_text(json,
               "{\n"
               "\t\"schema\":\t\"s\",\n"
               "\t\"k\":\t2,\n"
               "\t\"bad\":\t\"a\?\?-\?\?\?\?\?z\xf0\x9f\x98\x80?\",\n"
               "\t\"none\":\tnull\n"
               "}\n");
    lutra_json_destroy(&json);
}

static void missing_memory_is_reported_at_the_end(void **state) {
    (void)state;
    LutraError error;
    char *text = NULL;
    lutra_json_set_i64(NULL, "k", 1);
    assert_null(lutra_json_set_object(NULL, "k"));
    assert_null(lutra_json_add_array(NULL));
    check_status(lutra_json_text(&text, NULL, &error), LUTRA_ENOMEM, &error);
    assert_null(text);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_all_digits),
        cmocka_unit_test(children_nest),
        cmocka_unit_test(a_key_has_one_value_and_text_is_utf8),
        cmocka_unit_test(missing_memory_is_reported_at_the_end),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
