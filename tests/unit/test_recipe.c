/* SPDX-License-Identifier: Apache-2.0 */
/* The [training] section: every key, and sentences that say what is allowed. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "train/recipe.h"

static void test_parse(void **state) {
    (void)state;
    LutraRecipe recipe;
    LutraError error = {""};
    const char text[] = "[network]\nname = x\n[training]\nepochs = 7\nbatch = 3\noptimizer = sgd\n"
                        "learning_rate = 0.5\nschedule = step\nwarmup = 0.25\nperiod = 2\n"
                        "factor = 0.1\nloss = squared_hinge\ncrop = 4\nflip = alternating\n"
                        "cutout = 8\n"
                        "validation = 10\nweight_decay = 1e-4\nmomentum = 0.8\n"
                        "layer_steps = glorot\nscaled_weight_steps = 0.1\nnorm_steps = 0.5\n"
                        "logit_steps = 10\nlabel_smoothing = 0.1\nviews = 6\n"
                        "teacher_weight = 0.5\nteacher_temperature = 4\nteacher_fade = 0.25\n"
                        "average_keep = 0.99\naverage_from = 0.5\naverage_choice = last\n"
                        "threshold_batches = 9\nthreshold_percentile = 99.5\n"
                        "threshold_steps = 0.25\n"
                        "train_layers = a, b\n"
                        "average_images = 77\ngradient_bits = 16\nnoise = 0.25\n"
                        "weight_penalty = 1e-6\n[other]\n"
                        "type = input\n";
    check_status(lutra_recipe_parse(&recipe, text, "x.ini", &error), LUTRA_OK, &error);
    assert_int_equal(recipe.epochs, 7);
    assert_int_equal(recipe.batch, 3);
    assert_int_equal(recipe.optimizer, LUTRA_OPTIMIZER_SGD);
    check_close(recipe.learning_rate, 0.5, 0.0);
    assert_int_equal(recipe.schedule, LUTRA_SCHEDULE_STEP);
    check_close(recipe.warmup, 0.25, 0.0);
    assert_int_equal(recipe.period, 2);
    check_close(recipe.factor, 0.1, 0.0);
    assert_int_equal(recipe.loss, LUTRA_LOSS_SQUARED_HINGE);
    assert_int_equal(recipe.crop, 4);
    assert_int_equal(recipe.flip, LUTRA_FLIP_ALTERNATING);
    assert_int_equal(recipe.cutout, 8);
    assert_int_equal(recipe.validation, 10);
    check_close(recipe.weight_decay, 1e-4, 0.0);
    check_close(recipe.momentum, 0.8, 0.0);
    assert_int_equal(recipe.layer_steps, LUTRA_LAYER_STEPS_GLOROT);
    check_close(recipe.scaled_weight_steps, 0.1, 0.0);
    check_close(recipe.norm_steps, 0.5, 0.0);
    check_close(recipe.logit_steps, 10.0, 0.0);
    check_close(recipe.label_smoothing, 0.1, 0.0);
    assert_int_equal(recipe.views, 6);
    check_close(recipe.teacher_temperature, 4.0, 0.0);
    check_close(recipe.average_keep, 0.99, 0.0);
    check_close(recipe.average_from, 0.5, 0.0);
    assert_int_equal(recipe.average_choice, LUTRA_AVERAGE_NEVER);
    assert_int_equal(recipe.average_images, 77);
    assert_int_equal(recipe.threshold_batches, 9);
    check_close(recipe.threshold_percentile, 99.5, 0.0);
    check_close(recipe.threshold_steps, 0.25, 0.0);
    assert_string_equal(recipe.train_layers, "a, b");
    check_close(recipe.noise, 0.25, 0.0);
    check_close(lutra_recipe_noise(&recipe), 0.25, 0.0);
    assert_int_equal(lutra_recipe_gradient_bits(&recipe), 16);
    check_close(recipe.weight_penalty, 1e-6, 0.0);
    /* of 100 steps the last 25 fade */
    check_close(lutra_recipe_teacher_weight(&recipe, 74, 100), 0.5, 0.0);
    check_close(lutra_recipe_teacher_weight(&recipe, 80, 100), 0.4, 1e-12);
    check_close(lutra_recipe_teacher_weight(&recipe, 99, 100), 0.02, 1e-12);
    const LutraSchedule schedule = lutra_recipe_schedule(&recipe, 10);
    assert_int_equal(schedule.total_steps, 70);
    assert_int_equal(schedule.warmup_steps, 17);
    assert_int_equal(schedule.period, 20);
}

static void test_no_section(void **state) {
    (void)state;
    LutraRecipe recipe;
    LutraRecipe defaults;
    LutraError error = {""};
    lutra_recipe_default(&defaults);
    check_status(lutra_recipe_parse(&recipe, "[network]\nname = x\n", "x.ini", &error), LUTRA_OK,
                 &error);
    assert_null(lutra_recipe_difference(&recipe, &defaults));
    assert_int_equal(lutra_recipe_gradient_bits(&recipe), 8);
}

static void test_text_comes_back(void **state) {
    (void)state;
    LutraRecipe recipe;
    LutraRecipe again;
    LutraError error = {""};
    char text[LUTRA_RECIPE_TEXT_BYTES];
    char whole[LUTRA_RECIPE_TEXT_BYTES + 16];
    lutra_recipe_default(&recipe);
    recipe.learning_rate = 0.1 + 0.2;
    recipe.flip = LUTRA_FLIP_RANDOM;
    lutra_recipe_text(text, &recipe);
    snprintf(whole, sizeof whole, "[training]\n%s", text);
    check_status(lutra_recipe_parse(&again, whole, "x.ini", &error), LUTRA_OK, &error);
    assert_null(lutra_recipe_difference(&recipe, &again));
    again.epochs++;
    assert_string_equal(lutra_recipe_difference(&recipe, &again), "epochs");
}

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *sentence; /* part of it */
    } cases[] = {
        {"epochs = 0", "x.ini:3: invalid value '0' for 'epochs'; should be an integer from 1 to"},
        {"epochs = 1x", "invalid value '1x' for 'epochs'"},
        {"epochs = -1", "invalid value '-1' for 'epochs'"},
        {"batch = 99999999999999999999999", "should be an integer from 1 to 65536"},
        {"gradient_bits = 4", "should be one of 8, 16, 32"},
        {"p_error = 1", "should be a number of at least 0 and at most 0.9"},
        {"batch = 65537", "should be an integer from 1 to 65536"},
        {"learning_rate = 0", "should be a number above 0 and at most 1000"},
        {"learning_rate = nan", "invalid value 'nan' for 'learning_rate'"},
        {"warmup = 1.5", "should be a number of at least 0 and at most 1"},
        {"warmup =", "invalid value '' for 'warmup'"},
        {"loss = hinge", "should be one of cross_entropy, squared_hinge"},
        {"flip = yes", "should be one of none, random, alternating"},
        {"epoch = 3", "unknown training key 'epoch'; did you mean 'epochs'?"},
        {"zzzzzz = 3", "unknown training key 'zzzzzz'; allowed: epochs, batch, optimizer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LutraRecipe recipe = {.epochs = 77};
        LutraError error = {""};
        char text[128];
        snprintf(text, sizeof text, "\n[training]\n%s\n", cases[i].line);
        check_status(lutra_recipe_parse(&recipe, text, "x.ini", &error), LUTRA_EDATA, &error);
        if (strstr(error.message, cases[i].sentence) == NULL ||
            strncmp(error.message, "x.ini:3: ", 9) != 0) {
            fail_msg("'%s' gave: %s", cases[i].line, error.message);
        }
        assert_int_equal(recipe.epochs, 77);
    }
}

/* Noise is said in one way, and p_error means the deviation of sum_noise.h. */
static void test_noise(void **state) {
    (void)state;
    LutraRecipe recipe;
    LutraError error = {""};
    lutra_recipe_default(&recipe);
    check_close(lutra_recipe_noise(&recipe), 0.0, 0.0);
    check_status(lutra_recipe_set(&recipe, "p_error", "0.01", &error), LUTRA_OK, &error);
    check_close(lutra_recipe_noise(&recipe), 0.5 / 2.5758293035, 1e-9);
    check_status(lutra_recipe_check(&recipe, &error), LUTRA_OK, &error);
    check_status(lutra_recipe_set(&recipe, "noise", "0.2", &error), LUTRA_OK, &error);
    check_status(lutra_recipe_check(&recipe, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "'noise' and 'p_error'"));
}

static void test_layer_steps(void **state) {
    (void)state;
    static const char text[] =
        "[network]\nname = t\nclasses = 2\n"
        "[input]\ntype = input\nshape = 1x2x2\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
        "[fc]\ntype = linear\nfeatures = 2\nweight_codes = -7..7\nweight_scale = max\n"
        "[act]\ntype = activation\ncodes = -1..1\nstep = 1\n"
        "[out]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n"
        "[logits]\ntype = tensor_norm\n";
    LutraNetwork network;
    LutraRecipe recipe;
    LutraLayerSteps steps[5];
    LutraError error = {""};
    check_status(lutra_network_parse(&network, text, "t.ini", &error), LUTRA_OK, &error);
    lutra_recipe_default(&recipe);
    recipe.logit_steps = 10.0;
    recipe.norm_steps = 0.5;
    lutra_recipe_layer_steps(steps, &recipe, &network);
    check_close(steps[1].weights, 0.05, 0.0);
    check_close(steps[3].weights, 1.0, 0.0);
    check_close(steps[3].others, 0.5, 0.0);
    check_close(steps[4].others, 10.0, 0.0);
    recipe.layer_steps = LUTRA_LAYER_STEPS_GLOROT;
    lutra_recipe_layer_steps(steps, &recipe, &network);
    check_close(steps[1].weights / 0.05 + steps[3].weights, 2.0, 1e-12);
    lutra_network_deinit(&network);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),  cmocka_unit_test(test_no_section),
        cmocka_unit_test(test_text_comes_back), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_layer_steps), cmocka_unit_test(test_noise),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
