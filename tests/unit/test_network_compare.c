/* SPDX-License-Identifier: Apache-2.0 */
/* Every setting of every layer tells two networks apart; comments and recipes do not. */
#include "quant/network_compare.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"

static const char text[] =
    "[network]\nname = a\nclasses = 2\n"
    "[in]\ntype = input\nshape = 1x8x8\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
    "[conv]\ntype = conv\nchannels = 3\nkernel = 3\nstride = 1\npadding = 1\n"
    "weight_codes = -1..1\nweight_scale = fixed\n"
    "[pool]\ntype = average_pool\nkernel = 2\nstride = 2\n"
    "[norm]\ntype = batch_norm\nepsilon = 0.0001\nmomentum = 0.1\n"
    "[act]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[fc]\ntype = linear\nfeatures = 2\nweight_codes = -3..3\nweight_scale = max\n"
    "[logits]\ntype = tensor_norm\nepsilon = 0.001\n";

/* The text with its first `from` replaced by `to`. */
static LutraNetwork parsed(const char *from, const char *to) {
    char changed[2048];
    LutraError error = {""};
    LutraNetwork network = {0};
    const char *const at = strstr(text, from);
    assert_non_null(at);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                   at + strlen(from));
    check_status(lutra_network_parse(&network, changed, "net.ini", &error), LUTRA_OK, &error);
    return network;
}

static bool same_as_changed(const char *from, const char *to) {
    LutraNetwork plain = parsed("", "");
    LutraNetwork changed = parsed(from, to);
    const bool same = lutra_network_same(&plain, &changed);
    assert_int_equal(lutra_network_same(&changed, &plain), same);
    lutra_network_deinit(&plain);
    lutra_network_deinit(&changed);
    return same;
}

static void what_does_not_compute_may_differ(void **state) {
    (void)state;
    assert_true(same_as_changed("", ""));
    assert_true(same_as_changed("name = a", "name = b"));
    assert_true(same_as_changed("[in]", "# a remark\n[training]\nepochs = 3\n[in]"));
    assert_true(same_as_changed("stride = 2\n", "")); /* the default */
}

static void every_setting_counts(void **state) {
    (void)state;
    static const char *const changes[][2] = {
        {"[act]", "[act1]"},
        {"range = 0..1", "range = -1..1"},
        {"range = 0..1", "range = 0..2"},
        {"codes = 0..15", "codes = -1..15"},
        {"codes = 0..15", "codes = 0..14"},
        {"step = 1/15", "step = 1/16"},
        {"shape = 1x8x8", "shape = 2x8x8"},
        {"channels = 3", "channels = 4"},
        {"kernel = 3\nstride = 1\npadding = 1", "kernel = 1\nstride = 1\npadding = 0"},
        {"kernel = 3\nstride = 1\npadding = 1", "kernel = 5\nstride = 1\npadding = 2"},
        {"weight_codes = -1..1", "weight_codes = -2..2"},
        {"weight_scale = fixed", "weight_scale = max"},
        {"kernel = 2\nstride = 2", "kernel = 1\nstride = 2"},
        {"epsilon = 0.0001", "epsilon = 0.0002"},
        {"momentum = 0.1", "momentum = 0.2"},
        {"[norm]\ntype = batch_norm\nepsilon = 0.0001\nmomentum = 0.1\n", ""},
        {"codes = -1..1\nstep = 1", "codes = -2..2\nstep = 1"},
        {"codes = -1..1\nstep = 1", "codes = -1..1\nstep = 1/2"},
        {"features = 2\nweight", "features = 2\nbias = yes\nweight"},
        {"weight_codes = -3..3", "weight_codes = -2..3"},
        {"epsilon = 0.001", "epsilon = 0.002"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (same_as_changed(changes[i][0], changes[i][1])) {
            fail_msg("'%s' for '%s' went unnoticed", changes[i][1], changes[i][0]);
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_compute_may_differ),
        cmocka_unit_test(every_setting_counts),
    };
    return cmocka_run_group_tests_name("network_compare", tests, NULL, NULL);
}
