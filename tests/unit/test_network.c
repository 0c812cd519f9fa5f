/* SPDX-License-Identifier: Apache-2.0 */
/* Network files: what is read, and what every mistake is answered with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest_word.h"
#include "quant/network.h"
#include "quant/network_values.h"
#include "tests/support/check.h"

#define HEAD "[network]\nname = tiny\nclasses = 2\n"
#define INPUT "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
#define CONV(extra) \
    "[c]\ntype = conv\nchannels = 3\nkernel = 3\nweight_codes = -1..1\nweight_scale = fixed\n" extra
#define NORM "[n]\ntype = batch_norm\n"
#define ACT "[a]\ntype = activation\ncodes = -1..1\nstep = 1\n"
#define LAST "[fc]\ntype = linear\nfeatures = 2\nweight_codes = -7..7\nweight_scale = max\n"
#define TENSOR "[logits]\ntype = tensor_norm\n"

static void a_small_network_is_read(void **state) {
    (void)state;
    LutraNetwork network = {0};
    LutraError error = {""};
    const char *text = HEAD "[training]\nepochs = 3\n" INPUT
        CONV("padding = 1\nstride = 2\nbias = yes\n") NORM ACT LAST TENSOR;
    check_status(lutra_network_parse(&network, text, "t.ini", &error), LUTRA_OK, &error);
    assert_string_equal(network.name, "tiny");
    assert_string_equal(network.text, text);
    assert_int_equal(network.class_count, 2);
    assert_int_equal(network.layer_count, 6);
    const LutraLayer *layers = network.layers;
    assert_int_equal(layers[0].u.input.quantizer.code_max, 15);
    assert_true(layers[0].u.input.quantizer.step == 1.0f / 15.0f);
    assert_string_equal(layers[1].name, "c");
    assert_int_equal(layers[1].kind, LUTRA_LAYER_CONV);
    assert_int_equal(layers[1].line, 13);
    assert_int_equal(layers[1].shape.channels, 3);
    assert_int_equal(layers[1].shape.height, 2);
    assert_int_equal(layers[1].u.weighted.in_channels, 1);
    assert_true(layers[1].u.weighted.bias);
    assert_int_equal(lutra_layer_weight_count(&layers[1]), 27);
    assert_true(layers[2].u.norm.epsilon == 1e-4f && layers[2].u.norm.momentum == 0.1f);
    assert_int_equal(layers[4].u.weighted.in_channels, 12);
    assert_false(layers[4].u.weighted.bias);
    assert_int_equal(layers[4].u.weighted.quantizer.scale, LUTRA_WEIGHT_SCALE_MAX);
    assert_int_equal(lutra_layer_weight_count(&layers[4]), 24);
    assert_int_equal(layers[5].shape.channels, 2);
    lutra_network_deinit(&network);
    assert_null(network.layers);
}

static void codings_are_read(void **state) {
    (void)state;
    LutraNetwork network = {0};
    LutraError error = {""};
    check_status(lutra_network_parse(
                     &network,
                     HEAD "[in]\ntype = input\nshape = 2x4x4\nrange = 0..1\nmean = 0.5 , -1\n"
                     "deviation = 0.25\ncodes = -16..15\nstep = learned\n"
                     CONV("") "[r]\ntype = activation\ncodes = -16..15\nstep = learned\n"
                     "function = relu\n"
                     "[p]\ntype = average_pool\nkernel = 1\n"
                     "[u]\ntype = activation\ncodes = 0..31\nstep = learned\n"
                     "[l]\ntype = linear\nfeatures = 3\nweight_codes = float\n"
                     "[f]\ntype = activation\ncodes = float\nfunction = none\n" LAST,
                     "t", &error), LUTRA_OK, &error);
    const LutraLayer *layers = network.layers;
    assert_int_equal(layers[0].u.input.mean_count, 2);
    assert_int_equal(layers[0].u.input.deviation_count, 1);
    assert_true(layers[0].u.input.mean[1] == -1.0f);
    assert_true(layers[0].coding.learned && !layers[0].coding.relu);
    assert_true(layers[0].coding.divisor == 16.0f);
    assert_int_equal(layers[0].u.input.quantizer.code_min, -16);
    assert_true(layers[2].coding.relu && layers[2].coding.divisor == 16.0f);
    assert_int_equal(layers[2].u.activation.code_min, 0);
    assert_int_equal(layers[2].u.activation.code_max, 15);
    assert_true(layers[4].coding.divisor == 31.0f && !layers[4].coding.relu);
    assert_true(lutra_layer_is_float(&layers[5]) && lutra_layer_is_float(&layers[6]));
    assert_false(lutra_layer_is_float(&layers[0]) || lutra_layer_is_float(&layers[1]) ||
                 lutra_layer_is_float(&layers[3]) || lutra_layer_is_float(&layers[7]));
    assert_int_equal(layers[5].u.weighted.quantizer.scale, LUTRA_WEIGHT_SCALE_NONE);
    lutra_network_deinit(&network);
}

static void pools_step_by_their_kernel(void **state) {
    (void)state;
    LutraNetwork network = {0};
    LutraError error = {""};
    check_status(lutra_network_parse(&network, HEAD INPUT "[p]\ntype = average_pool\nkernel = 2\n"
                                     "[q]\ntype = average_pool\nkernel = 2\nstride = 1\n" ACT LAST,
                                     "t", &error), LUTRA_OK, &error);
    assert_int_equal(network.layers[1].u.pool.stride, 2);
    assert_int_equal(network.layers[1].shape.width, 2);
    assert_int_equal(network.layers[2].shape.width, 1);
    lutra_network_deinit(&network);
}

/* Every row: a text and what the error must contain. */
static const struct {
    const char *text;
    const char *sentence;
} MISTAKES[] = {
    {"", "t:1: no section [network]"},
    {"x = 1\n", "t:1: key 'x' stands before the first section"},
    {HEAD, "t:1: no layers"},
    {"[network]\nname = a\n" INPUT LAST, "t:2: section 'network' has no 'classes'"},
    {"[network]\nname = a b\nclasses = 2\n" INPUT LAST, "t:2: network name 'a b' should be"},
    {"[network]\nname = a\nclasses = 1\n" INPUT LAST, "t:3: value '1' of 'classes' should be an"},
    {"[network]\nnam = a\nclasses = 2\n" INPUT, "did you mean 'name'?"},
    {HEAD "[in]\nshape = 1x4x4\n", "t:5: section 'in' has no type; it should be input, conv"},
    {HEAD "[trainning]\nepochs = 1\n", "did you mean 'training'?"},
    {HEAD "[in]\ntype = inptu\n", "t:5: unknown type 'inptu' of layer 'in'; allowed: input, conv"},
    {HEAD "[in]\ntype = inptu\n", "did you mean 'input'?"},
    {HEAD INPUT "[in]\ntype = input\n", "t:10: "},
    {HEAD INPUT "[gap]\n" LAST, "t:10: section 'gap' is empty"},
    {HEAD INPUT LAST "kernel = 2\n", "t:15: unknown key 'kernel' in section 'fc'; allowed: type, "
                                     "features, bias, weight_codes, weight_scale"},
    {HEAD INPUT CONV("stirde = 2\n"), "did you mean 'stride'?"},
    {HEAD INPUT CONV("kernel = 2\n"), "t:16: 'kernel' is already set in line 13"},
    {HEAD INPUT "[c]\ntype = conv\nkernel = 3\n",
     "t:11: layer 'c' of type 'conv' has no 'channels'; it should be an integer from 1 to 16384"},
    {HEAD INPUT CONV("stride = 0\n"), "t:16: value '0' of 'stride' in layer 'c' should be an "
                                      "integer from 1 to 64"},
    {HEAD INPUT CONV("padding = -1\n"), "should be an integer from 0 to 63"},
    {HEAD INPUT CONV("bias = true\n"), "value 'true' of 'bias' in layer 'c' should be yes or no"},
    {HEAD INPUT CONV("padding = 3\n") ACT LAST, "t:11: padding 3 of layer 'c' should be smaller "
                                                "than its kernel 3"},
    {HEAD INPUT "[p]\ntype = average_pool\nkernel = 5\n" ACT LAST,
     "t:11: kernel 5 of layer 'p' is larger than its input of 1x4x4; at most 4 fits"},
    {HEAD INPUT NORM ACT LAST, "layer 'n' of type 'batch_norm' cannot stand after 'in'; allowed "
                               "here: conv, linear, average_pool"},
    {HEAD CONV("") ACT LAST, "layer 'c' of type 'conv' cannot stand first; allowed here: input"},
    {HEAD INPUT CONV("") NORM LAST, "t:19: layer 'fc' of type 'linear' cannot stand after 'n'; "
                                    "allowed here: activation"},
    {HEAD INPUT CONV("") TENSOR, "layer 'logits' of type 'tensor_norm' cannot stand after 'c'"},
    {HEAD INPUT LAST TENSOR ACT, "nothing, tensor_norm ends the network"},
    {HEAD INPUT LAST ACT, "t:16: the network ends with 'a' of type 'activation'; it should end"},
    {HEAD INPUT "[c]\ntype = linear\nfeatures = 3\nweight_codes = -1..1\nweight_scale = fixed\n",
     "last layer 'c' has 3 features; it should have one for each of the 2 classes"},
    {HEAD INPUT CONV("bias = yes\n") "[p]\ntype = average_pool\nkernel = 2\n" ACT LAST,
     "layer 'c' cannot have a bias: 'p' sums its results"},
    {HEAD "[in]\ntype = input\nshape = 3x4x4\nrange = 0..1\nmean = 1, 2\ncodes = 0..15\nstep = 1\n"
     LAST, "t:5: 'mean' of layer 'in' has 2 numbers; it should have 1 or one for each of the 3"},
    {HEAD "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\ndeviation = 0\ncodes = 0..15\n",
     "value '0' of 'deviation' in layer 'in' should be a positive number, or one for each"},
    {HEAD "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\nmean = 1,\ncodes = 0..15\n",
     "value '1,' of 'mean' in layer 'in' should be a number, or one for each channel"},
    {HEAD "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\ncodes = 0..15\n",
     "layer 'in' of type 'input' has no 'step'; it should be a positive number such as 1/128 or "
     "0.25, or learned"},
    {HEAD "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\ncodes = float\nstep = 1\n",
     "t:9: layer 'in' has codes = float and so no 'step'; leave it out"},
    {HEAD INPUT "[fc]\ntype = linear\nfeatures = 2\nweight_codes = float\nweight_scale = max\n",
     "t:14: layer 'fc' has weight_codes = float and so no 'weight_scale'; leave it out"},
    {HEAD INPUT "[fc]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\n",
     "layer 'fc' of type 'linear' has no 'weight_scale'; it should be fixed or max"},
    {HEAD INPUT CONV("") "[a]\ntype = activation\ncodes = 0..1\nstep = 1\nfunction = tanh\n",
     "value 'tanh' of 'function' in layer 'a' should be none or relu"},
    {HEAD INPUT CONV("") "[a]\ntype = activation\ncodes = float\n[m]\ntype = max_pool\nkernel = 2\n"
     LAST, "layer 'm' cannot take the maximum of what is not quantized"},
    {HEAD "[a/b]\ntype = input\n", "layer name 'a/b' should be 1 to 47 letters"},
};

static void every_mistake_has_its_line_and_answer(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof MISTAKES / sizeof MISTAKES[0]; i++) {
        LutraNetwork network = {0};
        LutraError error = {""};
        const LutraStatus status = lutra_network_parse(&network, MISTAKES[i].text, "t", &error);
        check_status(status, LUTRA_EDATA, &error);
        if (strstr(error.message, MISTAKES[i].sentence) == NULL) {
            fail_msg("mistake %zu: '%s' does not contain '%s'", i, error.message,
                     MISTAKES[i].sentence);
        }
        assert_null(network.layers);
        assert_null(network.name);
    }
}

/* Values of single keys, put into a network that is right otherwise. */
static const struct {
    const char *key;
    const char *good;
    const char *bad[8];
} VALUES[] = {
    {"shape", "1x4x4", {"1x4", "0x4x4", "1x4x4x1", "1x4x", "x4x4", "5000x1x1", "1 x4x4", ""}},
    {"range", "-0.5..1.5", {"1..0", "0..0", "0..", "..1", "0..inf", "0..nan", "0x0..1", "0-1"}},
    {"codes", "-128..127",
     {"-128..128", "-1..255", "0..256", "1..3", "-3..0", "-3..-1", "3", "0..1x"}},
    {"step", "0.25", {"0", "-1", "1/0", "0/3", "1/", "/3", "1.5/3", "inf"}},
};

static void values_are_read_whole_or_refused(void **state) {
    (void)state;
    const char *keys[4] = {"shape", "range", "codes", "step"};
    const char *usual[4] = {"1x4x4", "0..1", "0..15", "1/15"};
    for (size_t v = 0; v < 4; v++) {
        for (size_t b = 0; b < 9; b++) {
            char text[1024] = HEAD "[in]\ntype = input\n";
            for (size_t k = 0; k < 4; k++) {
                const bool changed = strcmp(keys[k], VALUES[v].key) == 0;
                const char *value = b == 0 ? VALUES[v].good : VALUES[v].bad[b - 1];
                const size_t used = strlen(text);
                snprintf(text + used, sizeof text - used, "%s = %s\n", keys[k],
                         changed ? value : usual[k]);
            }
            strcat(text, LAST);
            LutraNetwork network = {0};
            LutraError error = {""};
            const LutraStatus status = lutra_network_parse(&network, text, "t", &error);
            if ((status == LUTRA_OK) != (b == 0)) {
                fail_msg("%s, value %zu: %s %s", VALUES[v].key, b, lutra_status_name(status),
                         error.message);
            }
            lutra_network_deinit(&network);
        }
    }
}

static void weight_codes_are_bounded(void **state) {
    (void)state;
    static const char *const texts[] = {"-1..1", "-127..127", "-2..3", "-128..127", "-3..2",
                                        "0..1", "-1..0", "-1..128"};
    for (size_t i = 0; i < 8; i++) {
        char text[1024];
        LutraNetwork network = {0};
        snprintf(text, sizeof text, "%s[fc]\ntype = linear\nfeatures = 2\nweight_scale = max\n"
                 "weight_codes = %s\n", HEAD INPUT, texts[i]);
        const LutraStatus status = lutra_network_parse(&network, text, "t", NULL);
        assert_int_equal(status, i < 3 ? LUTRA_OK : LUTRA_EDATA);
        lutra_network_deinit(&network);
    }
}

static void steps_divide_in_single_precision(void **state) {
    (void)state;
    float step = -1.0f;
    assert_true(lutra_value_step(&step, "1/3"));
    assert_true(step == 1.0f / 3.0f);
    assert_false(lutra_value_step(&step, "16777217/3"));
    assert_true(step == 1.0f / 3.0f); /* unchanged on failure */
    assert_true(lutra_value_step(&step, "7.8125e-3"));
    assert_true(step == 1.0f / 128.0f);
}

static void too_many_weights_are_refused(void **state) {
    (void)state;
    const char *text = HEAD "[in]\ntype = input\nshape = 4096x64x64\nrange = 0..1\ncodes = 0..1\n"
                            "step = 1\n" LAST;
    LutraError error = {""};
    LutraNetwork network = {0};
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_OK, &error);
    lutra_network_deinit(&network);
    const char *more = HEAD "[in]\ntype = input\nshape = 4096x64x64\nrange = 0..1\ncodes = 0..1\n"
                            "step = 1\n[l]\ntype = linear\nfeatures = 17\nweight_codes = -1..1\n"
                            "weight_scale = fixed\n" ACT LAST;
    check_status(lutra_network_parse(&network, more, "t", &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "layer 'l' has 285212672 weights; at most 268435456"));
}

static void near_words_are_found_and_far_ones_not(void **state) {
    (void)state;
    const char *const words[3] = {"conv", "linear", "average_pool"};
    assert_string_equal(lutra_nearest_word("convolution", words, 3), "conv");
    assert_string_equal(lutra_nearest_word("lienar", words, 3), "linear");
    assert_string_equal(lutra_nearest_word("avg_pool", words, 3), "average_pool");
    assert_string_equal(lutra_nearest_word("cnv", words, 3), "conv");
    assert_null(lutra_nearest_word("dropout", words, 3));
    assert_null(lutra_nearest_word("", words, 3));
}

/* A network file of the experiments folder, found from the repository's root. */
static void read_experiment(LutraNetwork *network, const char *path) {
    LutraError error = {""};
    check_status(lutra_network_read(network, path, &error), LUTRA_OK, &error);
}

/* What the header comments of the network files say. */
static void check_counts(const char *path, size_t expected_lookups, size_t expected_macs,
                         size_t expected_weights) {
    LutraNetwork network = {0};
    read_experiment(&network, path);
    size_t weights = 0;
    size_t lookups = 0;
    size_t macs = 0;
    for (uint32_t i = 0; i < network.layer_count; i++) {
        const LutraLayer *layer = &network.layers[i];
        const size_t positions = (size_t)layer->shape.height * layer->shape.width;
        weights += lutra_layer_weight_count(layer);
        macs += lutra_layer_weight_count(layer) * positions;
        if (layer->kind == LUTRA_LAYER_ACTIVATION || layer->kind == LUTRA_LAYER_MAX_POOL) {
            lookups += layer->shape.channels * positions;
        }
    }
    if (weights != expected_weights || lookups != expected_lookups || macs != expected_macs) {
        fail_msg("%s: %zu weights, %zu look-ups, %zu multiply-adds", path, weights, lookups, macs);
    }
    lutra_network_deinit(&network);
}

static void network_files_have_their_counts(void **state) {
    (void)state;
    check_counts("experiments/networks/vgg9.ini", 158336, 59461376, 1542848);
    check_counts("experiments/networks/vgg9-max.ini", 158336, 59461376, 1542848);
    check_counts("experiments/networks/vgg9-pool-first.ini", 95360, 59461376, 1542848);
    check_counts("experiments/networks/lean.ini", 24640, 20758528, 1490944);
    check_counts("experiments/networks/lean2.ini", 34656, 40480256, 2289152);
    check_counts("experiments/networks/lean-relu.ini", 24640, 20758528, 1490944);
    check_counts("experiments/networks/lean2-relu.ini", 34656, 40480256, 2289152);
    check_counts("experiments/networks/lean3.ini", 57344, 92214272, 3782144);
    check_counts("experiments/networks/teacher-cifar10.ini", 185600, 72108544, 757264);
}

static void max_pools_are_checked(void **state) {
    (void)state;
    static const char *const parts[3] = {
        HEAD "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\ncodes = 0..1\nstep = 1\n"
             "[l]\ntype = conv\nchannels = 2\nkernel = 1\nweight_codes = -1..1\n"
             "weight_scale = fixed\n",
        "[a]\ntype = activation\nstep = 1\ncodes = ", "[m]\ntype = max_pool\nkernel = 2\n"};
    char text[1024];
    LutraNetwork network = {0};
    LutraError error = {""};
    snprintf(text, sizeof text, "%s%s-1..1\n%s%s", parts[0], parts[1], parts[2], LAST);
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_OK, &error);
    assert_int_equal(network.layers[3].shape.height, 2);
    assert_int_equal(network.layers[3].u.pool.stride, 2);
    assert_int_equal(network.layers[3].u.pool.codes.code_min, -1);
    lutra_network_deinit(&network);
    snprintf(text, sizeof text, "%s%s0..3\n%s%s", parts[0], parts[1], parts[2], LAST);
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_OK, &error);
    lutra_network_deinit(&network);
    snprintf(text, sizeof text, "%s%s-2..2\n%s%s", parts[0], parts[1], parts[2], LAST);
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "layer 'm' cannot take the maximum of 4 elements with 5 "
                                          "levels"));
    snprintf(text, sizeof text, "%s%s%s-1..1\n%s", parts[0], parts[2], parts[1], LAST);
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "layer 'm' of type 'max_pool' cannot stand after 'l'"));
}

static void missing_files_are_named(void **state) {
    (void)state;
    LutraNetwork network = {0};
    LutraError error = {""};
    check_status(lutra_network_read(&network, "no/such.ini", &error), LUTRA_EIO, &error);
    assert_non_null(strstr(error.message, "no/such.ini"));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_network_is_read),
        cmocka_unit_test(codings_are_read),
        cmocka_unit_test(pools_step_by_their_kernel),
        cmocka_unit_test(every_mistake_has_its_line_and_answer),
        cmocka_unit_test(values_are_read_whole_or_refused),
        cmocka_unit_test(weight_codes_are_bounded),
        cmocka_unit_test(steps_divide_in_single_precision),
        cmocka_unit_test(too_many_weights_are_refused),
        cmocka_unit_test(near_words_are_found_and_far_ones_not),
        cmocka_unit_test(network_files_have_their_counts),
        cmocka_unit_test(max_pools_are_checked),
        cmocka_unit_test(missing_files_are_named),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
