/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop as a whole on a small network: resuming anywhere and any number of threads give the same
 * bits; stopping, diverging and wrong resumes say what happened.
 */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "tests/support/check.h"
#include "tests/support/toy_training.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/warm_start.h"

enum { IMAGES = 47, PLANE = 8 * 8, CLASSES = 3 };

static const char text[] =
    "[network]\nname = small\nclasses = 3\n"
    "[training]\nepochs = 3\nbatch = 10\nlearning_rate = 0.05\ncrop = 1\nflip = random\n"
    "validation = 9\n"
    "[input]\ntype = input\nshape = 1x8x8\nrange = -1..1\ncodes = -128..127\nstep = 1/128\n"
    "[conv]\ntype = conv\nchannels = 4\nkernel = 3\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[pool]\ntype = average_pool\nkernel = 2\n"
    "[norm]\ntype = batch_norm\n"
    "[act]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[fc]\ntype = linear\nfeatures = 3\nbias = yes\nweight_codes = -3..3\nweight_scale = max\n"
    "[logits]\ntype = tensor_norm\n";

static const ToyImages toy = {
    .channels = 1, .side = 8, .classes = CLASSES, .images = IMAGES, .noise = 120, .step = 60};

/* A dataset, a model and a training over them. */
typedef struct {
    LutraDataset data;
    uint8_t images[IMAGES * PLANE];
    uint16_t labels[IMAGES];
    char name[8];
    LutraModel model;
    LutraRecipe recipe;
    LutraTraining training;
} Setup;

static void setup_init(Setup *setup) {
    LutraError error = {""};
    LutraNetwork network;
    toy_dataset(&setup->data, setup->name, setup->images, setup->labels, &toy);
    check_status(lutra_network_parse(&network, text, "small.ini", &error), LUTRA_OK, &error);
    check_status(lutra_recipe_parse(&setup->recipe, text, "small.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&setup->model, &network, 8, &error), LUTRA_OK, &error);
    check_status(lutra_training_init(&setup->training, &setup->model, &setup->recipe, 4,
                                     &setup->data, &error),
                 LUTRA_OK, &error);
}

static void setup_deinit(Setup *setup) {
    lutra_training_deinit(&setup->training);
    lutra_model_deinit(&setup->model);
}

/* Asks to stop at the n-th tick. */
typedef struct {
    int left;
    int notes;
} Stopper;

static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    Stopper *stopper = user;
    assert_non_null(strstr(stage, "epoch"));
    assert_true(done < total && (isnan(figure) || (figure >= 0.0 && figure <= 1.0)));
    return stopper->left-- == 0;
}

static void note(void *user, const char *line) {
    Stopper *stopper = user;
    assert_non_null(strstr(line, "validation"));
    stopper->notes++;
}

static LutraStatus run(Setup *setup, uint32_t threads, const char *path, Stopper *stopper,
                       LutraError *error) {
    const LutraTrainingSettings settings = {threads, lutra_cpu_detect(), path, true, 0.0, NULL};
    const LutraProgress progress = {tick, note, stopper};
    return lutra_training_run(&setup->training, &setup->model, &setup->data, &settings,
                              stopper == NULL ? NULL : &progress, error);
}

static void check_same(const Setup *a, const Setup *b) {
    const LutraOptimizer *const x = &a->training.optimizer;
    const LutraOptimizer *const y = &b->training.optimizer;
    check_same_layers(&a->model, &b->model);
    check_same_gradients(x->first, y->first, &a->model.network);
    check_same_gradients(x->second, y->second, &a->model.network);
    check_same_history(&a->model, &b->model);
}

/* A training of 3 epochs with the recipe's text changed by lines "key = value". */
static void train_with(Setup *setup, const char *const (*changes)[2], size_t count) {
    LutraError error = {""};
    setup_init(setup);
    lutra_training_deinit(&setup->training);
    for (size_t i = 0; i < count; i++) {
        check_status(lutra_recipe_set(&setup->recipe, changes[i][0], changes[i][1], &error),
                     LUTRA_OK, &error);
    }
    check_status(lutra_training_init(&setup->training, &setup->model, &setup->recipe, 4,
                                     &setup->data, &error),
                 LUTRA_OK, &error);
    check_status(run(setup, 1, NULL, NULL, &error), LUTRA_OK, &error);
}

/* Squares over the images are seen by the training, and by the statistics of an average: those are
 * measured last, and with weights that stand still nothing else tells the two trainings apart. */
static void test_cutout(void **state) {
    (void)state;
    for (int still = 0; still < 2; still++) {
        Setup setups[2];
        for (int side = 0; side < 2; side++) {
            const char *const changes[5][2] = {{"cutout", side == 0 ? "0" : "4"},
                                               {"learning_rate", "1e-30"},
                                               {"average_keep", "0.5"},
                                               {"average_from", "0"},
                                               {"average_choice", "average"}};
            train_with(&setups[side], changes, still == 0 ? 1 : 5);
            assert_true(setups[side].training.averaged == (still == 1));
        }
        const LutraLayerParameters *const a = setups[0].model.layers;
        const LutraLayerParameters *const b = setups[1].model.layers;
        const size_t weights = 4 * 9 * sizeof(float);
        if (still == 0) {
            assert_memory_not_equal(a[1].weights, b[1].weights, weights);
        } else {
            assert_memory_equal(a[1].weights, b[1].weights, weights);
            assert_memory_not_equal(a[3].running_mean, b[3].running_mean, 4 * sizeof(float));
        }
        setup_deinit(&setups[0]);
        setup_deinit(&setups[1]);
    }
}

static void test_learns(void **state) {
    (void)state;
    Setup setup;
    Stopper stopper = {-1, 0};
    LutraError error = {""};
    setup_init(&setup);
    check_status(run(&setup, 1, NULL, &stopper, &error), LUTRA_OK, &error);
    assert_int_equal(setup.model.history_count, 3);
    assert_int_equal(setup.training.epoch, 3);
    assert_int_equal(stopper.notes, 3);
    assert_int_equal(setup.training.optimizer.steps, 12); /* 38 images in batches of 10 */
    assert_true(setup.model.history[2].train_loss < setup.model.history[0].train_loss);
    assert_true(setup.model.history[2].validation_top1 > 0.6);
    setup_deinit(&setup);
}

static void test_threads(void **state) {
    (void)state;
    LutraError error = {""};
    Setup one;
    Setup three;
    setup_init(&one);
    setup_init(&three);
    check_status(run(&one, 1, NULL, NULL, &error), LUTRA_OK, &error);
    check_status(run(&three, 3, NULL, NULL, &error), LUTRA_OK, &error);
    check_same(&one, &three);
    setup_deinit(&one);
    setup_deinit(&three);
}

/* Stops at every step once, reads the file back and goes on. */
static void test_resume(void **state) {
    (void)state;
    LutraError error = {""};
    Setup whole;
    setup_init(&whole);
    check_status(run(&whole, 1, NULL, NULL, &error), LUTRA_OK, &error);
    for (int stop = 0; stop < 12; stop++) {
        const char *path = check_temporary("resume.h5");
        Setup first;
        Setup second = {0};
        Stopper stopper = {stop, 0};
        setup_init(&first);
        check_status(run(&first, 1, path, &stopper, &error), LUTRA_ECANCELLED, &error);
        setup_deinit(&first);
        toy_dataset(&second.data, second.name, second.images, second.labels, &toy);
        check_status(lutra_checkpoint_read(&second.training, &second.model, path, &error),
                     LUTRA_OK, &error);
        assert_int_equal(second.training.epoch, stop / 4);
        assert_int_equal(second.training.step, stop % 4);
        check_status(lutra_training_check_same(&second.training, &whole.recipe, 4, &second.data,
                                               &error),
                     LUTRA_OK, &error);
        check_status(run(&second, 2, path, NULL, &error), LUTRA_OK, &error);
        check_same(&whole, &second);
        setup_deinit(&second);
    }
    setup_deinit(&whole);
}

static void test_finished_file(void **state) {
    (void)state;
    const char *path = check_temporary("finished.h5");
    LutraError error = {""};
    Setup setup;
    Setup again = {0};
    LutraModel model = {0};
    setup_init(&setup);
    check_status(run(&setup, 1, path, NULL, &error), LUTRA_OK, &error);
    toy_dataset(&again.data, again.name, again.images, again.labels, &toy);
    check_status(lutra_checkpoint_read(&again.training, &again.model, path, &error), LUTRA_OK,
                 &error);
    check_same(&setup, &again);
    check_status(run(&again, 1, path, NULL, &error), LUTRA_OK, &error); /* nothing left to do */
    check_same(&setup, &again);
    check_status(lutra_model_read(&model, path, &error), LUTRA_OK, &error); /* also a model file */
    lutra_model_deinit(&model);
    setup_deinit(&setup);
    setup_deinit(&again);
}

static void test_wrong_resume(void **state) {
    (void)state;
    LutraError error = {""};
    Setup setup;
    setup_init(&setup);
    LutraRecipe recipe = setup.recipe;
    recipe.batch = 11;
    check_status(lutra_training_check_same(&setup.training, &recipe, 4, &setup.data, &error),
                 LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "'batch'"));
    check_status(lutra_training_check_same(&setup.training, &setup.recipe, 5, &setup.data, &error),
                 LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "seed 4"));
    setup.data.checksum[3] = 'x';
    check_status(lutra_training_check_same(&setup.training, &setup.recipe, 4, &setup.data, &error),
                 LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "other data"));
    setup_deinit(&setup);
}

static void test_no_state(void **state) {
    (void)state;
    const char *path = check_temporary("plain.h5");
    LutraError error = {""};
    Setup setup;
    LutraTraining training = {.epoch = 99};
    LutraModel model = {0};
    setup_init(&setup);
    check_status(lutra_model_write(&setup.model, path, true, &error), LUTRA_OK, &error);
    check_status(lutra_checkpoint_read(&training, &model, path, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "no training state"));
    assert_int_equal(training.epoch, 99);
    assert_null(model.layers);
    check_status(lutra_checkpoint_read(&training, &model, check_temporary("none.h5"), &error),
                 LUTRA_EIO, &error);
    setup_deinit(&setup);
}

static void test_divergence(void **state) {
    (void)state;
    static const struct {
        uint32_t layer;
        const char *sentence;
    } cases[] = {{1, "layer 'conv'"}, {3, "layer 'norm'"}, {6, "layer 'logits'"}};
    for (size_t i = 0; i < 3; i++) {
        const char *path = check_temporary("diverged.h5");
        LutraError error = {""};
        Setup setup;
        setup_init(&setup);
        LutraLayerParameters *layer = &setup.model.layers[cases[i].layer];
        (layer->weights != NULL ? layer->weights : layer->gamma)[0] = NAN;
        check_status(run(&setup, 1, path, NULL, &error), LUTRA_EDATA, &error);
        assert_non_null(strstr(error.message, "epoch 1, step 1"));
        if (strstr(error.message, cases[i].sentence) == NULL) {
            fail_msg("%s", error.message);
        }
        assert_false(lutra_file_exists(path));
        setup_deinit(&setup);
    }
}

static void test_misfits(void **state) {
    (void)state;
    LutraError error = {""};
    LutraTraining training = {.epoch = 99};
    Setup setup;
    setup_init(&setup);
    setup.recipe.validation = IMAGES;
    check_status(lutra_training_init(&training, &setup.model, &setup.recipe, 1, &setup.data,
                                     &error),
                 LUTRA_EINVAL, &error);
    setup.recipe.validation = 0;
    setup.data.height = 9;
    check_status(lutra_training_init(&training, &setup.model, &setup.recipe, 1, &setup.data,
                                     &error),
                 LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "1x9x8"));
    setup.data.height = 8;
    setup.data.class_count = 4;
    check_status(lutra_training_init(&training, &setup.model, &setup.recipe, 1, &setup.data,
                                     &error),
                 LUTRA_EDATA, &error);
    assert_int_equal(training.epoch, 99);
    setup_deinit(&setup);
}

static void test_split(void **state) {
    (void)state;
    Setup setup;
    uint32_t order[IMAGES];
    int seen[IMAGES] = {0};
    setup_init(&setup);
    lutra_training_split(order, &setup.training);
    for (int i = 0; i < IMAGES; i++) {
        seen[order[i]]++;
    }
    for (int i = 0; i < IMAGES; i++) {
        assert_int_equal(seen[i], 1);
    }
    assert_int_equal(lutra_training_steps_per_epoch(&setup.training), 4);
    setup_deinit(&setup);
}

/* Batch size, threads and instruction sets do not change one bit of a logit. */
static void test_evaluate(void **state) {
    (void)state;
    LutraError error = {""};
    Setup setup;
    LutraEvaluation one;
    LutraEvaluation other;
    float first[IMAGES * CLASSES];
    float second[IMAGES * CLASSES];
    setup_init(&setup);
    check_status(run(&setup, 1, NULL, NULL, &error), LUTRA_OK, &error);
    const LutraEvaluateSettings settings = {7, 2, lutra_cpu_detect(), LUTRA_LOSS_CROSS_ENTROPY};
    const LutraEvaluateSettings plain = {IMAGES, 1, 0, LUTRA_LOSS_CROSS_ENTROPY};
    check_status(lutra_evaluate(&one, first, &setup.model, &setup.data, LUTRA_SPLIT_TRAIN,
                                &settings, NULL, &error),
                 LUTRA_OK, &error);
    check_status(lutra_evaluate(&other, second, &setup.model, &setup.data, LUTRA_SPLIT_TRAIN,
                                &plain, NULL, &error),
                 LUTRA_OK, &error);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(one.images, IMAGES);
    assert_int_equal(one.right1, other.right1);
    assert_int_equal(one.right5, IMAGES); /* three classes */
    check_close(one.loss, other.loss, 1e-12);
    uint64_t right = 0;
    for (size_t n = 0; n < IMAGES; n++) {
        const float *logits = first + (n * CLASSES);
        const float own = logits[setup.labels[n]];
        right += own >= logits[0] && own >= logits[1] && own >= logits[2] ? 1u : 0u;
    }
    assert_int_equal(right, one.right1);
    setup_deinit(&setup);
}

static void test_inexact_sums(void **state) {
    (void)state;
    static const char wide[] =
        "[network]\nname = wide\nclasses = 2\n"
        "[input]\ntype = input\nshape = 1x40x40\nrange = 0..1\ncodes = 0..255\nstep = 1/255\n"
        "[fc]\ntype = linear\nfeatures = 2\nweight_codes = -127..127\nweight_scale = max\n";
    LutraError error = {""};
    LutraNetwork network;
    LutraModel model;
    LutraExecution *execution = NULL;
    const LutraExecutionSettings settings = {.most_images = 1, .threads = 1};
    check_status(lutra_network_parse(&network, wide, "wide.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&model, &network, 1, &error), LUTRA_OK, &error);
    check_status(lutra_execution_create(&execution, &model, &settings, &error), LUTRA_OK, &error);
    check_status(lutra_execution_forward(execution, 1, LUTRA_RUN_INFERENCE, &error), LUTRA_EINVAL,
                 &error);
    assert_non_null(strstr(error.message, "layer 'fc'"));
    lutra_execution_destroy(&execution);
    lutra_model_deinit(&model);
}

/* Sums of bytes beyond sixteen bits take the other way through the layer. */
static void test_wide_sums(void **state) {
    (void)state;
    static const char wide[] =
        "[network]\nname = wide\nclasses = 2\n"
        "[input]\ntype = input\nshape = 1x20x20\nrange = -128..127\ncodes = -128..127\nstep = 1\n"
        "[fc]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n";
    LutraError error = {""};
    LutraNetwork network;
    LutraModel model;
    LutraExecution *execution = NULL;
    const LutraExecutionSettings settings = {
        .most_images = 1, .threads = 1, .cpu_flags = lutra_cpu_detect()};
    check_status(lutra_network_parse(&network, wide, "wide.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&model, &network, 1, &error), LUTRA_OK, &error);
    for (int i = 0; i < 800; i++) {
        model.layers[1].weights[i] = i < 400 ? 1.0f : -1.0f;
    }
    check_status(lutra_execution_create(&execution, &model, &settings, &error), LUTRA_OK, &error);
    memset(lutra_execution_input(execution), 255, 400);
    check_status(lutra_execution_forward(execution, 1, LUTRA_RUN_INFERENCE, &error), LUTRA_OK,
                 &error);
    assert_true(lutra_execution_logits(execution)[0] == 127.0f * 400.0f);
    assert_true(lutra_execution_logits(execution)[1] == -127.0f * 400.0f);
    lutra_execution_destroy(&execution);
    lutra_model_deinit(&model);
}

static void test_warm_start(void **state) {
    (void)state;
    static const char longer[] =
        "[network]\nname = longer\nclasses = 3\n"
        "[input]\ntype = input\nshape = 1x8x8\nrange = -1..1\ncodes = -128..127\nstep = 1/128\n"
        "[conv]\ntype = conv\nchannels = 4\nkernel = 3\nweight_codes = -3..3\n"
        "weight_scale = fixed\n"
        "[norm]\ntype = batch_norm\n"
        "[act]\ntype = activation\ncodes = -1..1\nstep = 1\n"
        "[head]\ntype = linear\nfeatures = 3\nweight_codes = -1..1\nweight_scale = fixed\n";
    LutraError error = {""};
    LutraNetwork network;
    LutraModel model;
    Setup setup;
    uint32_t copied = 0;
    uint32_t kept = 0;
    setup_init(&setup);
    setup.model.layers[3].running_mean[2] = 5.5f;
    check_status(lutra_network_parse(&network, longer, "longer.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&model, &network, 9, &error), LUTRA_OK, &error);
    const float head = model.layers[4].weights[0];
    check_status(lutra_warm_start(&model, &setup.model, &copied, &kept, &error), LUTRA_OK, &error);
    assert_int_equal(copied, 2);
    assert_int_equal(kept, 1);
    assert_memory_equal(model.layers[1].weights, setup.model.layers[1].weights, 36 * sizeof(float));
    assert_true(model.layers[2].running_mean[2] == 5.5f);
    assert_true(model.layers[4].weights[0] == head);
    memcpy(model.network.layers[4].name, "fc", 3); /* same name, other size */
    model.layers[1].weights[0] = 0.125f;
    check_status(lutra_warm_start(&model, &setup.model, NULL, NULL, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "layer 'fc'"));
    assert_true(model.layers[1].weights[0] == 0.125f);
    lutra_model_deinit(&model);
    setup_deinit(&setup);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),       cmocka_unit_test(test_cutout),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_resume),       cmocka_unit_test(test_finished_file),
        cmocka_unit_test(test_wrong_resume), cmocka_unit_test(test_no_state),
        cmocka_unit_test(test_divergence),   cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_split),        cmocka_unit_test(test_evaluate),
        cmocka_unit_test(test_inexact_sums), cmocka_unit_test(test_wide_sums),
        cmocka_unit_test(test_warm_start),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("training", tests, NULL, NULL);
}
