/* SPDX-License-Identifier: Apache-2.0 */
/* Adam and descent against the formulas in double, clamping, step sizes and schedules. */
#include <math.h>

#include "base/cpu.h"
#include "tests/support/check.h"
#include "train/optimizer.h"
#include "train/schedule.h"

static const char text[] =
    "[network]\nname = tiny\nclasses = 2\n"
    "[input]\ntype = input\nshape = 1x3x3\nrange = -1..1\ncodes = -8..7\nstep = 1/8\n"
    "[conv]\ntype = conv\nchannels = 2\nkernel = 2\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[norm]\ntype = batch_norm\n"
    "[act]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[out]\ntype = linear\nfeatures = 2\nbias = yes\nweight_codes = -7..7\nweight_scale = max\n";

static void make(LutraModel *model) {
    LutraError error = {""};
    LutraNetwork network;
    check_status(lutra_network_parse(&network, text, "tiny.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(model, &network, 1, &error), LUTRA_OK, &error);
}

/* Gradients with the same arrays as the model: as an optimizer allocates them. */
static void run(LutraModel *model, LutraOptimizer *optimizer,
                const LutraOptimizerSettings *settings, int steps, double rate,
                const LutraLayerSteps *layer_steps) {
    LutraError error = {""};
    LutraOptimizer gradients;
    LutraTrainKernels kernels;
    lutra_train_kernels_init(&kernels, lutra_cpu_detect());
    check_status(lutra_optimizer_init(optimizer, model, settings, &error), LUTRA_OK, &error);
    check_status(lutra_optimizer_init(&gradients, model, settings, &error), LUTRA_OK, &error);
    for (int step = 1; step <= steps; step++) {
        for (int i = 0; i < 8; i++) {
            gradients.first[1].weights[i] = (float)(step * (i - 3)) * 0.01f;
        }
        gradients.first[2].gamma[1] = 0.5f;
        gradients.first[4].bias[0] = -2.0f;
        lutra_optimizer_step(optimizer, model, gradients.first, layer_steps, rate, &kernels, 2);
    }
    lutra_optimizer_deinit(&gradients);
}

/* lambda times the sign, on weights alone. */
static void test_weight_penalty(void **state) {
    (void)state;
    LutraError error = {""};
    LutraModel model;
    LutraOptimizer gradients;
    const LutraOptimizerSettings settings = {LUTRA_OPTIMIZER_SGD, 0.0, 0.9, 0.999, 1e-8, 0.0};
    make(&model);
    check_status(lutra_optimizer_init(&gradients, &model, &settings, &error), LUTRA_OK, &error);
    float *weights = model.layers[1].weights;
    weights[0] = 0.25f;
    weights[1] = -0.5f;
    weights[2] = 0.0f;
    gradients.first[1].weights[1] = 1.0f;
    lutra_weight_penalty_add(gradients.first, &model, 0.125);
    assert_true(gradients.first[1].weights[0] == 0.125f);
    assert_true(gradients.first[1].weights[1] == 0.875f);
    assert_true(gradients.first[1].weights[2] == 0.0f);
    assert_true(gradients.first[2].gamma[0] == 0.0f && gradients.first[4].bias[0] == 0.0f);
    lutra_optimizer_deinit(&gradients);
    lutra_model_deinit(&model);
}

static const LutraLayerSteps equal_steps[5] = {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};

/* Weight i of layer 1 after `steps` steps of `run`, by the formulas; `decoupled`: AdamW. */
static double adam_by_hand(double value, int i, int steps, double rate, double decay,
                           bool decoupled) {
    double m = 0.0;
    double v = 0.0;
    for (int step = 1; step <= steps; step++) {
        const double g = ((double)(step * (i - 3)) * 0.01) + (decoupled ? 0.0 : decay * value);
        m = (0.9 * m) + (0.1 * g);
        v = (0.999 * v) + (0.001 * g * g);
        value -= decoupled ? rate * decay * value : 0.0;
        value -= rate / (1.0 - pow(0.9, step)) * m /
                 ((sqrt(v) / sqrt(1.0 - pow(0.999, step))) + 1e-8);
        value = fmin(1.0, fmax(-1.0, value));
    }
    return value;
}

/* Five steps of rate 0.05, half of it for the weights of layer 1. */
static void check_adam(LutraOptimizerKind kind, double decay) {
    const LutraOptimizerSettings settings = {kind, 0.0, 0.9, 0.999, 1e-8, decay};
    const LutraLayerSteps halves[5] = {{1, 1}, {0.5, 1}, {1, 1}, {1, 1}, {1, 1}};
    LutraModel model;
    LutraOptimizer optimizer;
    double expected[8];
    make(&model);
    for (int i = 0; i < 8; i++) {
        expected[i] = adam_by_hand((double)model.layers[1].weights[i], i, 5, 0.05 * 0.5, decay,
                                   kind == LUTRA_OPTIMIZER_ADAMW);
    }
    run(&model, &optimizer, &settings, 5, 0.05, halves);
    assert_int_equal(optimizer.steps, 5);
    for (int i = 0; i < 8; i++) {
        check_close((double)model.layers[1].weights[i], expected[i], 2e-5);
    }
    check_close((double)model.layers[2].gamma[0], 1.0, 0.0);         /* no gradient, no decay */
    check_close((double)model.layers[2].gamma[1], 1.0 - 0.25, 1e-5); /* 5 steps of full size */
    check_close((double)model.layers[4].bias[0], 0.25, 1e-5);
    lutra_optimizer_deinit(&optimizer);
    lutra_model_deinit(&model);
}

static void test_adam(void **state) {
    (void)state;
    check_adam(LUTRA_OPTIMIZER_ADAM, 0.1);
}

static void test_adamw(void **state) {
    (void)state;
    check_adam(LUTRA_OPTIMIZER_ADAMW, 0.5);
}

static void test_clamp(void **state) {
    (void)state;
    const LutraOptimizerSettings settings = {LUTRA_OPTIMIZER_ADAM, 0.0, 0.9, 0.999, 1e-8, 0.0};
    LutraModel model;
    LutraOptimizer optimizer;
    make(&model);
    run(&model, &optimizer, &settings, 60, 0.1, equal_steps);
    assert_true(model.layers[1].weights[0] == 1.0f);  /* negative gradient */
    assert_true(model.layers[1].weights[7] == -1.0f);
    assert_true(model.layers[4].bias[0] > 5.0f); /* only latents of a fixed scale are clamped */
    lutra_optimizer_deinit(&optimizer);
    lutra_model_deinit(&model);
}

static void test_sgd(void **state) {
    (void)state;
    const LutraOptimizerSettings settings = {LUTRA_OPTIMIZER_SGD, 0.5, 0.0, 0.0, 0.0, 0.0};
    const LutraLayerSteps halves[5] = {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 0.5}};
    LutraModel model;
    LutraOptimizer optimizer;
    make(&model);
    run(&model, &optimizer, &settings, 3, 0.1, halves);
    /* momentum 0.5 on a constant gradient g: 1, 1.5 and 1.75 times g */
    check_close((double)model.layers[2].gamma[1], 1.0 - (0.1 * 0.5 * 4.25), 1e-6);
    check_close((double)model.layers[4].bias[0], 0.05 * 2.0 * 4.25, 1e-6);
    assert_null(optimizer.second[1].weights);
    lutra_optimizer_deinit(&optimizer);
    lutra_model_deinit(&model);
}

static void test_glorot(void **state) {
    (void)state;
    LutraModel model;
    make(&model);
    const double conv = sqrt((4.0 + 8.0) / 1.5);
    const double linear = sqrt((8.0 + 2.0) / 1.5);
    check_close(lutra_glorot_factor(&model.network, 1), 2.0 * conv / (conv + linear), 1e-12);
    check_close(lutra_glorot_factor(&model.network, 4), 2.0 * linear / (conv + linear), 1e-12);
    check_close(lutra_glorot_factor(&model.network, 2), 1.0, 0.0);
    lutra_model_deinit(&model);
}

static void test_schedules(void **state) {
    (void)state;
    LutraSchedule schedule = {LUTRA_SCHEDULE_COSINE, 2.0, 100, 20, 30, 0.5};
    check_close(lutra_schedule_rate(&schedule, 0), 0.1, 1e-12);
    check_close(lutra_schedule_rate(&schedule, 19), 2.0, 1e-12);
    check_close(lutra_schedule_rate(&schedule, 20), 2.0, 1e-12);
    check_close(lutra_schedule_rate(&schedule, 60), 1.0, 1e-12);
    check_close(lutra_schedule_rate(&schedule, 99), 1.0 + cos(3.14159265358979 * 79.0 / 80.0),
                1e-9);
    check_close(lutra_schedule_rate(&schedule, 5000), lutra_schedule_rate(&schedule, 99), 0.0);
    schedule.kind = LUTRA_SCHEDULE_LINEAR;
    check_close(lutra_schedule_rate(&schedule, 60), 1.0, 1e-12);
    schedule.kind = LUTRA_SCHEDULE_CONSTANT;
    check_close(lutra_schedule_rate(&schedule, 99), 2.0, 0.0);
    schedule.kind = LUTRA_SCHEDULE_STEP;
    check_close(lutra_schedule_rate(&schedule, 29), 2.0, 0.0);
    check_close(lutra_schedule_rate(&schedule, 30), 1.0, 1e-12);
    check_close(lutra_schedule_rate(&schedule, 90), 0.25, 1e-12);
    schedule = (LutraSchedule){LUTRA_SCHEDULE_COSINE, 2.0, 1, 1, 1, 0.5};
    check_close(lutra_schedule_rate(&schedule, 0), 2.0, 0.0); /* all warm-up */
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weight_penalty),
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_clamp),
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_glorot), cmocka_unit_test(test_schedules),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("optimizer", tests, NULL, NULL);
}
