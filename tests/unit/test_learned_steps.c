/* SPDX-License-Identifier: Apache-2.0 */
/* Learned steps, layers without quantizers and frozen layers, from the first batch to the circuit:
 * what is measured, what is trained, what goes on after an interruption, what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "quant/lower.h"
#include "tests/support/check.h"
#include "tests/support/run_circuit.h"
#include "tests/support/toy_training.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/percentile.h"
#include "train/warm_start.h"

enum { IMAGES = 48, PLANE = 2 * 8 * 8, CLASSES = 3, FC = 7, RELU = 2 };

#define NETWORK_TEXT                                                                          \
    "[network]\nname = small\nclasses = 3\n"                                                  \
    "[training]\nepochs = 3\nbatch = 12\nlearning_rate = 0.01\ncrop = 1\nvalidation = 12\n"   \
    "scaled_weight_steps = 1\nthreshold_batches = 5\nthreshold_percentile = 99\n"

static const char learned_text[] = NETWORK_TEXT
    "[input]\ntype = input\nshape = 2x8x8\nrange = 0..1\nmean = 0.5, 0.4\ndeviation = 0.25\n"
    "codes = -16..15\nstep = learned\n"
    "[conv]\ntype = conv\nchannels = 4\nkernel = 3\npadding = 1\nbias = yes\n"
    "weight_codes = -15..15\nweight_scale = max\n"
    "[relu]\ntype = activation\nfunction = relu\ncodes = -16..15\nstep = learned\n"
    "[pool]\ntype = average_pool\nkernel = 2\nstride = 1\n"
    "[pool_act]\ntype = activation\ncodes = 0..31\nstep = learned\n"
    "[end]\ntype = average_pool\nkernel = 7\n"
    "[end_act]\ntype = activation\ncodes = 0..31\nstep = learned\n"
    "[fc]\ntype = linear\nfeatures = 3\nbias = yes\nweight_codes = -15..15\nweight_scale = max\n";

static const char float_text[] = NETWORK_TEXT
    "[input]\ntype = input\nshape = 2x8x8\nrange = 0..1\nmean = 0.5, 0.4\ndeviation = 0.25\n"
    "codes = float\n"
    "[conv]\ntype = conv\nchannels = 4\nkernel = 3\npadding = 1\nbias = yes\n"
    "weight_codes = float\n"
    "[relu]\ntype = activation\nfunction = relu\ncodes = float\n"
    "[pool]\ntype = average_pool\nkernel = 2\nstride = 1\n"
    "[end]\ntype = average_pool\nkernel = 7\n"
    "[fc]\ntype = linear\nfeatures = 3\nbias = yes\nweight_codes = float\n";

static const ToyImages toy = {
    .channels = 2, .side = 8, .classes = CLASSES, .images = IMAGES, .noise = 100, .step = 70};

typedef struct {
    LutraDataset data;
    uint8_t images[IMAGES * PLANE];
    uint16_t labels[IMAGES];
    char name[8];
    LutraModel model;
    LutraRecipe recipe;
    LutraTraining training;
} Setup;

static void setup_init(Setup *setup, const char *text, const char *train_layers) {
    LutraError error = {""};
    LutraNetwork network;
    toy_dataset(&setup->data, setup->name, setup->images, setup->labels, &toy);
    check_status(lutra_network_parse(&network, text, "small.ini", &error), LUTRA_OK, &error);
    check_status(lutra_recipe_parse(&setup->recipe, text, "small.ini", &error), LUTRA_OK, &error);
    check_status(lutra_recipe_set(&setup->recipe, "train_layers", train_layers, &error), LUTRA_OK,
                 &error);
    check_status(lutra_model_create(&setup->model, &network, 3, &error), LUTRA_OK, &error);
    check_status(lutra_training_init(&setup->training, &setup->model, &setup->recipe, 3,
                                     &setup->data, &error),
                 LUTRA_OK, &error);
}

static void setup_deinit(Setup *setup) {
    lutra_training_deinit(&setup->training);
    lutra_model_deinit(&setup->model);
}

static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    int *left = user;
    (void)stage;
    (void)done;
    (void)total;
    (void)figure;
    return (*left)-- == 0;
}

/* @param stop  at this tick; -1: never */
static LutraStatus run(Setup *setup, uint32_t threads, const char *path, int stop,
                       LutraError *error) {
    const LutraTrainingSettings settings = {
        .threads = threads, .cpu_flags = lutra_cpu_detect(), .path = path, .force = true};
    const LutraProgress progress = {tick, NULL, &stop};
    return lutra_training_run(&setup->training, &setup->model, &setup->data, &settings,
                              stop < 0 ? NULL : &progress, error);
}

static void check_same(const Setup *a, const Setup *b) {
    check_same_layers(&a->model, &b->model);
    check_same_gradients(a->training.optimizer.second, b->training.optimizer.second,
                         &a->model.network);
}

/* Every layer with a learned step has a threshold that was measured, then trained. */
static void thresholds_are_measured_then_trained(void **state) {
    (void)state;
    LutraError error = {""};
    Setup measured;
    Setup trained;
    setup_init(&measured, learned_text, "all");
    setup_init(&trained, learned_text, "all");
    check_status(run(&measured, 1, NULL, 5, &error), LUTRA_ECANCELLED, &error);
    check_status(run(&trained, 1, NULL, -1, &error), LUTRA_OK, &error);
    for (uint32_t i = 0; i < trained.model.network.layer_count; i++) {
        const LutraLayerParameters *before = &measured.model.layers[i];
        const LutraLayerParameters *after = &trained.model.layers[i];
        if (trained.model.network.layers[i].coding.learned) {
            assert_true(before->threshold_batches[0] == 5.0f);
            assert_true(after->threshold_batches[0] == 5.0f);
            assert_true(before->threshold[0] > 0.01f && before->threshold[0] < 100.0f);
            assert_true(before->threshold[0] != after->threshold[0]);
            assert_true(measured.training.optimizer.second[i].threshold[0] == 0.0f);
            assert_true(trained.training.optimizer.second[i].threshold[0] > 0.0f);
        } else {
            assert_null(after->threshold);
        }
    }
    assert_true(trained.model.history[2].train_loss < trained.model.history[0].train_loss);
    setup_deinit(&measured);
    setup_deinit(&trained);
}

static void interrupted_and_whole_trainings_are_equal(void **state) {
    (void)state;
    LutraError error = {""};
    Setup whole;
    setup_init(&whole, learned_text, "all");
    check_status(run(&whole, 1, NULL, -1, &error), LUTRA_OK, &error);
    for (int stop = 2; stop < 9; stop += 3) {
        const char *path = check_temporary("learned.h5");
        Setup first;
        Setup second = {0};
        setup_init(&first, learned_text, "all");
        check_status(run(&first, 2, path, stop, &error), LUTRA_ECANCELLED, &error);
        setup_deinit(&first);
        toy_dataset(&second.data, second.name, second.images, second.labels, &toy);
        check_status(lutra_checkpoint_read(&second.training, &second.model, path, &error),
                     LUTRA_OK, &error);
        check_status(run(&second, 2, path, -1, &error), LUTRA_OK, &error);
        check_same(&whole, &second);
        setup_deinit(&second);
    }
    setup_deinit(&whole);
}

/* What evaluation says of an image is what the circuit gives, logit for logit. */
static void circuits_give_the_logits_of_evaluation(void **state) {
    (void)state;
    LutraError error = {""};
    LutraCircuit circuit = {0};
    LutraLowerSettings lowering;
    LutraEvaluation evaluation;
    Setup setup;
    float logits[IMAGES * CLASSES];
    setup_init(&setup, learned_text, "all");
    check_status(run(&setup, 2, NULL, -1, &error), LUTRA_OK, &error);
    const LutraEvaluateSettings settings = {7, 2, lutra_cpu_detect(), LUTRA_LOSS_CROSS_ENTROPY};
    check_status(lutra_evaluate(&evaluation, logits, &setup.model, &setup.data, LUTRA_SPLIT_TRAIN,
                                &settings, NULL, &error),
                 LUTRA_OK, &error);
    lutra_lower_default(&lowering);
    check_status(lutra_lower(&circuit, &setup.model, NULL, &lowering, &error), LUTRA_OK, &error);
    for (size_t n = 0; n < IMAGES; n++) {
        float own[CLASSES];
        int32_t **values = run_circuit(&circuit, setup.images + (n * PLANE), own);
        run_circuit_free(values, &circuit);
        assert_memory_equal(own, logits + (n * CLASSES), sizeof own);
    }
    lutra_circuit_deinit(&circuit);
    setup_deinit(&setup);
}

static void only_named_layers_are_trained(void **state) {
    (void)state;
    LutraError error = {""};
    Setup start;
    Setup head;
    setup_init(&start, learned_text, "all");
    setup_init(&head, learned_text, "fc");
    check_status(run(&head, 1, NULL, -1, &error), LUTRA_OK, &error);
    const LutraLayerParameters *conv[2] = {&start.model.layers[1], &head.model.layers[1]};
    check_same_array(conv[0]->weights, conv[1]->weights, 2 * 9 * 4);
    check_same_array(conv[0]->bias, conv[1]->bias, 4);
    assert_memory_not_equal(start.model.layers[FC].weights, head.model.layers[FC].weights, 48);
    assert_memory_not_equal(start.model.layers[FC].bias, head.model.layers[FC].bias, 12);
    assert_true(head.model.layers[RELU].threshold_batches[0] == 5.0f);
    assert_true(head.training.optimizer.second[RELU].threshold[0] == 0.0f);
    assert_true(head.model.history[2].train_loss < head.model.history[0].train_loss);
    setup_deinit(&head);
    /* a frozen layer above a trained one has gradients, but takes no steps */
    setup_init(&head, learned_text, "conv");
    check_status(run(&head, 1, NULL, -1, &error), LUTRA_OK, &error);
    check_same_array(start.model.layers[FC].weights, head.model.layers[FC].weights, 12);
    check_same_array(start.model.layers[FC].bias, head.model.layers[FC].bias, 3);
    assert_memory_not_equal(start.model.layers[1].weights, head.model.layers[1].weights, 72);
    setup_deinit(&head);
    memcpy(head.recipe.train_layers, "fx", 3);
    check_status(lutra_training_init(&head.training, &start.model, &head.recipe, 3, &head.data,
                                     &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "'train_layers' names 'fx'"));
    setup_deinit(&start);
}

/* The way back ends at the first trained layer, with the gradients of a whole one. */
static void gradients_stop_at_the_first_trained_layer(void **state) {
    (void)state;
    LutraError error = {""};
    Setup setup;
    float bias[2][CLASSES];
    setup_init(&setup, learned_text, "all");
    check_status(run(&setup, 1, NULL, -1, &error), LUTRA_OK, &error);
    for (uint32_t side = 0; side < 2; side++) {
        LutraExecution *execution = NULL;
        const LutraExecutionSettings settings = {.most_images = 4,
                                                 .threads = 1,
                                                 .mode = LUTRA_RUN_TRAINING,
                                                 .first_trained = side * FC};
        check_status(lutra_execution_create(&execution, &setup.model, &settings, &error), LUTRA_OK,
                     &error);
        memcpy(lutra_execution_input(execution), setup.images, (size_t)4 * PLANE);
        check_status(lutra_execution_forward(execution, 4, LUTRA_RUN_TRAINING, &error), LUTRA_OK,
                     &error);
        for (int i = 0; i < 4 * CLASSES; i++) {
            lutra_execution_logit_gradient(execution)[i] = (float)(i % 5) - 1.5f;
        }
        lutra_execution_backward(execution);
        memcpy(bias[side], lutra_execution_gradients(execution)[FC].bias, sizeof bias[side]);
        assert_true((lutra_execution_gradients(execution)[1].weights[0] == 0.0f) == (side == 1));
        assert_true((lutra_execution_gradients(execution)[0].threshold[0] == 0.0f) == (side == 1));
        lutra_execution_destroy(&execution);
    }
    assert_memory_equal(bias[0], bias[1], sizeof bias[0]);
    setup_deinit(&setup);
}

static void floats_train_and_give_their_weights(void **state) {
    (void)state;
    LutraError error = {""};
    LutraCircuit circuit = {0};
    LutraLowerSettings lowering;
    LutraEvaluation evaluation;
    Setup first;
    Setup second;
    uint32_t copied = 0;
    uint32_t kept = 0;
    setup_init(&first, float_text, "all");
    check_status(run(&first, 2, NULL, -1, &error), LUTRA_OK, &error);
    assert_true(first.model.history[2].train_loss < first.model.history[0].train_loss);
    const LutraEvaluateSettings settings = {7, 2, lutra_cpu_detect(), LUTRA_LOSS_CROSS_ENTROPY};
    check_status(lutra_evaluate(&evaluation, NULL, &first.model, &first.data, LUTRA_SPLIT_TRAIN,
                                &settings, NULL, &error),
                 LUTRA_OK, &error);
    assert_true(isfinite(evaluation.loss));
    lutra_lower_default(&lowering);
    check_status(lutra_lower(&circuit, &first.model, NULL, &lowering, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "layer 'input' is not quantized"));

    setup_init(&second, learned_text, "all");
    check_status(lutra_warm_start(&second.model, &first.model, &copied, &kept, &error), LUTRA_OK,
                 &error);
    assert_int_equal(copied, 2);
    assert_int_equal(kept, 0);
    check_same_array(second.model.layers[FC].weights, first.model.layers[5].weights, 12);
    assert_true(second.model.layers[RELU].threshold_batches[0] == 0.0f);
    check_status(lutra_lower(&circuit, &second.model, NULL, &lowering, &error), LUTRA_EDATA,
                 &error);
    assert_non_null(strstr(error.message, "layer 'input' is learned, but not measured"));
    check_status(lutra_evaluate(&evaluation, NULL, &second.model, &second.data, LUTRA_SPLIT_TRAIN,
                                &settings, NULL, &error),
                 LUTRA_EINVAL, &error);
    /* a learned model gives its thresholds on */
    check_status(run(&second, 1, NULL, -1, &error), LUTRA_OK, &error);
    LutraModel third = {0};
    LutraNetwork network;
    check_status(lutra_network_parse(&network, learned_text, "t", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&third, &network, 1, &error), LUTRA_OK, &error);
    check_status(lutra_warm_start(&third, &second.model, NULL, NULL, &error), LUTRA_OK, &error);
    check_same_array(third.layers[RELU].threshold, second.model.layers[RELU].threshold, 1);
    assert_true(third.layers[RELU].threshold_batches[0] == 5.0f);
    lutra_model_deinit(&third);
    setup_deinit(&first);
    setup_deinit(&second);
}

static void floats_cannot_be_rounded(void **state) {
    (void)state;
    LutraError error = {""};
    Setup setup;
    setup_init(&setup, float_text, "all");
    setup.training.recipe.rounding = 6;
    check_status(run(&setup, 1, NULL, -1, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "layer 'input' is not quantized"));
    setup_deinit(&setup);
}

/* ---- order statistics ---- */

static int compare(const void *a, const void *b) {
    const float x = *(const float *)a;
    const float y = *(const float *)b;
    return (x > y) - (x < y);
}

static void percentiles_are_those_of_sorted_values(void **state) {
    (void)state;
    enum { CHANNELS = 3, COUNT = 1000, TOTAL = CHANNELS * COUNT };
    static const double percents[] = {0.001, 1.0, 50.0, 99.0, 99.97, 100.0};
    static float sums[TOTAL];
    static float values[TOTAL];
    LutraTrainKernels kernels;
    LutraChannelFunction functions[CHANNELS];
    lutra_train_kernels_init(&kernels, 0);
    for (uint32_t c = 0; c < CHANNELS; c++) {
        functions[c] = (LutraChannelFunction){
            .scale = 0.01f, .bias = (float)c - 1.0f, .relu = c == 1};
        for (size_t i = 0; i < COUNT; i++) {
            const size_t at = (c * COUNT) + i;
            sums[at] = (float)lutra_random_below(check_key(4), at, 900) - 450.0f;
            const float y = (sums[at] * 0.01f) + functions[c].bias;
            values[at] = c == 1 && y < 0.0f ? 0.0f : fabsf(y);
        }
    }
    qsort(values, TOTAL, sizeof *values, compare);
    for (uint32_t threads = 1; threads <= 2; threads++) {
        const LutraChannelBatch batch = {CHANNELS, COUNT, &kernels, threads};
        uint32_t *counters = calloc(lutra_percentile_counters(threads), sizeof *counters);
        assert_non_null(counters);
        for (size_t p = 0; p < sizeof percents / sizeof percents[0]; p++) {
            size_t rank = (size_t)floor((percents[p] / 100.0 * TOTAL) + 0.5);
            rank = rank == 0 ? 1 : rank;
            assert_true(lutra_channel_percentile(sums, functions, &batch, percents[p], counters) ==
                        values[rank - 1]);
        }
        free(counters);
    }
}

static void percentiles_of_pixels_too(void **state) {
    (void)state;
    enum { COUNT = 500, TOTAL = 2 * COUNT };
    static uint8_t pixels[TOTAL];
    static float values[TOTAL];
    LutraInputLayer input = {.range_min = 0.0f,
                             .range_max = 1.0f,
                             .mean_count = 2,
                             .mean = {0.25f, 0.75f},
                             .deviation_count = 1,
                             .deviation = {0.5f}};
    for (size_t i = 0; i < TOTAL; i++) {
        pixels[i] = (uint8_t)lutra_random_below(check_key(5), i, 256);
        const float value = (float)pixels[i] / 255.0f;
        values[i] = fabsf((value - (i < COUNT ? 0.25f : 0.75f)) / 0.5f);
    }
    qsort(values, TOTAL, sizeof *values, compare);
    assert_true(lutra_pixel_percentile(pixels, &input, 2, COUNT, 99.0) == values[989]);
    assert_true(lutra_pixel_percentile(pixels, &input, 2, COUNT, 0.01) == values[0]);
    assert_true(lutra_pixel_percentile(pixels, &input, 2, COUNT, 100.0) == values[TOTAL - 1]);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_are_measured_then_trained),
        cmocka_unit_test(interrupted_and_whole_trainings_are_equal),
        cmocka_unit_test(circuits_give_the_logits_of_evaluation),
        cmocka_unit_test(only_named_layers_are_trained),
        cmocka_unit_test(gradients_stop_at_the_first_trained_layer),
        cmocka_unit_test(floats_train_and_give_their_weights),
        cmocka_unit_test(floats_cannot_be_rounded),
        cmocka_unit_test(percentiles_are_those_of_sorted_values),
        cmocka_unit_test(percentiles_of_pixels_too),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("learned_steps", tests, NULL, NULL);
}
