/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Teachers and averages in the training loop: logits that do not depend on what was asked before,
 * averages by plain arithmetic, statistics by hand, and training that goes on to the same bits.
 */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "tests/support/check.h"
#include "tests/support/toy_training.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/norm_statistics.h"
#include "train/teacher.h"

enum { IMAGES = 31, PLANE = 6 * 6, CLASSES = 3, STEPS = 9 };

#define HEAD(training)                                                                           \
    "[network]\nname = small\nclasses = 3\n[training]\nepochs = 3\nbatch = 10\ncrop = 1\n"       \
    "flip = alternating\nvalidation = 6\nlearning_rate = 0.05\n" training                        \
    "[input]\ntype = input\nshape = 1x6x6\nrange = -1..1\ncodes = -128..127\nstep = 1/128\n"     \
    "[conv]\ntype = conv\nchannels = 4\nkernel = 3\nweight_codes = -1..1\nweight_scale = fixed\n" \
    "[norm]\ntype = batch_norm\n"                                                                \
    "[act]\ntype = activation\ncodes = -1..1\nstep = 1\n"                                        \
    "[pool]\ntype = max_pool\nkernel = 2\n"
#define TAIL                                                                                     \
    "[fc]\ntype = linear\nfeatures = 3\nbias = yes\nweight_codes = -3..3\nweight_scale = max\n"  \
    "[logits]\ntype = tensor_norm\n"

static const char student_text[] = HEAD("average_keep = 0.75\naverage_from = 0.4\nviews = 2\n"
                                        "teacher_weight = 0.8\naverage_images = 17\n"
                                        "rounding = 4\nnoise = 0.3\nweight_penalty = 1e-3\n") TAIL;
/* another input quantizer */
static const char teacher_text[] =
    "[network]\nname = teacher\nclasses = 3\n"
    "[in]\ntype = input\nshape = 1x6x6\nrange = 0..1\ncodes = 0..255\nstep = 1/255\n"
    "[fc]\ntype = linear\nfeatures = 3\nweight_codes = -127..127\nweight_scale = max\n"
    "[logits]\ntype = tensor_norm\n";

static const ToyImages toy = {
    .channels = 1, .side = 6, .classes = CLASSES, .images = IMAGES, .noise = 120, .step = 60};

typedef struct {
    LutraDataset data;
    uint8_t images[IMAGES * PLANE];
    uint16_t labels[IMAGES];
    char name[8];
    LutraModel model;
    LutraModel teacher;
    LutraTraining training;
} Setup;

static void make_model(LutraModel *model, const char *text, uint64_t seed) {
    LutraError error = {""};
    LutraNetwork network;
    check_status(lutra_network_parse(&network, text, "n.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(model, &network, seed, &error), LUTRA_OK, &error);
}

static void setup_init(Setup *setup, const char *text, bool taught) {
    LutraError error = {""};
    LutraRecipe recipe;
    *setup = (Setup){0};
    toy_dataset(&setup->data, setup->name, setup->images, setup->labels, &toy);
    make_model(&setup->model, text, 4);
    make_model(&setup->teacher, teacher_text, 9);
    check_status(lutra_recipe_parse(&recipe, text, "n.ini", &error), LUTRA_OK, &error);
    check_status(lutra_training_init(&setup->training, &setup->model, &recipe, 4, &setup->data,
                                     &error),
                 LUTRA_OK, &error);
    lutra_training_set_teacher(&setup->training, taught ? &setup->teacher : NULL);
}

static void setup_deinit(Setup *setup) {
    lutra_training_deinit(&setup->training);
    lutra_model_deinit(&setup->model);
    lutra_model_deinit(&setup->teacher);
}

/* Asks to stop at the n-th tick. */
static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    (void)stage;
    (void)done;
    (void)total;
    (void)figure;
    return (*(int *)user)-- == 0;
}

static void note(void *user, const char *line) {
    (void)user;
    (void)line;
}

static LutraStatus run(Setup *setup, bool taught, uint32_t threads, const char *path, int stop,
                       LutraError *error) {
    const LutraTrainingSettings settings = {threads, lutra_cpu_detect(), path, true, 0.0,
                                            taught ? &setup->teacher : NULL};
    const LutraProgress progress = {tick, note, &stop};
    return lutra_training_run(&setup->training, &setup->model, &setup->data, &settings, &progress,
                              error);
}

static void check_same(const Setup *a, const Setup *b) {
    assert_true(a->training.averaged == b->training.averaged);
    assert_true(a->training.finished && b->training.finished);
    check_same_layers(&a->model, &b->model);
    check_same_gradients(a->training.average.values, b->training.average.values,
                         &a->model.network);
}

/* Stops at every step once, reads the file back and goes on, on other numbers of threads. */
static void test_resume(void **state) {
    (void)state;
    LutraError error = {""};
    Setup whole;
    setup_init(&whole, student_text, true);
    check_status(run(&whole, true, 1, NULL, -1, &error), LUTRA_OK, &error);
    assert_int_equal(whole.training.optimizer.steps, STEPS);
    assert_int_equal(whole.training.average.steps, 5); /* of steps 0 .. 8 those from 3.6 on */
    for (int stop = 0; stop < STEPS; stop++) {
        const char *path = check_temporary("resume.h5");
        Setup first;
        Setup second = {0};
        setup_init(&first, student_text, true);
        check_status(run(&first, true, 1, path, stop, &error), LUTRA_ECANCELLED, &error);
        setup_deinit(&first);
        toy_dataset(&second.data, second.name, second.images, second.labels, &toy);
        make_model(&second.teacher, teacher_text, 9);
        check_status(lutra_checkpoint_read(&second.training, &second.model, path, &error),
                     LUTRA_OK, &error);
        check_status(run(&second, true, 2, path, -1, &error), LUTRA_OK, &error);
        check_same(&whole, &second);
        lutra_training_deinit(&second.training); /* and once more when nothing is left to do */
        lutra_model_deinit(&second.model);
        check_status(lutra_checkpoint_read(&second.training, &second.model, path, &error),
                     LUTRA_OK, &error);
        check_status(run(&second, true, 2, path, -1, &error), LUTRA_OK, &error);
        check_same(&whole, &second);
        setup_deinit(&second);
    }
    setup_deinit(&whole);
}

static void test_other_teachers_are_refused(void **state) {
    (void)state;
    LutraError error = {""};
    Setup setup;
    setup_init(&setup, student_text, true);
    check_status(run(&setup, false, 1, NULL, -1, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "another teacher"));
    assert_non_null(strstr(error.message, "now none"));
    setup.teacher.layers[1].weights[5] += 0.5f;
    check_status(run(&setup, true, 1, NULL, -1, &error), LUTRA_EINVAL, &error);
    assert_int_equal(setup.training.optimizer.steps, 0);
    lutra_training_set_teacher(&setup.training, NULL);
    check_status(run(&setup, true, 1, NULL, -1, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "(none, now "));
    setup_deinit(&setup);
}

/* The teacher changes what is learned, and more weight on it brings the student nearer to it. */
static double distance_to_teacher(const char *text) {
    LutraError error = {""};
    Setup setup;
    float own[IMAGES * CLASSES];
    float theirs[IMAGES * CLASSES];
    LutraEvaluation evaluation;
    const LutraEvaluateSettings settings = {IMAGES, 1, 0, LUTRA_LOSS_CROSS_ENTROPY};
    double total = 0.0;
    setup_init(&setup, text, true);
    check_status(run(&setup, true, 1, NULL, -1, &error), LUTRA_OK, &error);
    check_status(lutra_evaluate(&evaluation, own, &setup.model, &setup.data, LUTRA_SPLIT_TRAIN,
                                &settings, NULL, &error),
                 LUTRA_OK, &error);
    check_status(lutra_evaluate(&evaluation, theirs, &setup.teacher, &setup.data,
                                LUTRA_SPLIT_TRAIN, &settings, NULL, &error),
                 LUTRA_OK, &error);
    for (size_t n = 0; n < IMAGES; n++) {
        float mean[2] = {0.0f, 0.0f};
        for (size_t c = 0; c < CLASSES; c++) {
            mean[0] += own[(n * CLASSES) + c] / CLASSES;
            mean[1] += theirs[(n * CLASSES) + c] / CLASSES;
        }
        for (size_t c = 0; c < CLASSES; c++) {
            const size_t i = (n * CLASSES) + c;
            total += fabs((double)(own[i] - mean[0] - theirs[i] + mean[1]));
        }
    }
    setup_deinit(&setup);
    return total;
}

static void test_teachers_teach(void **state) {
    (void)state;
    static const char taught[] = HEAD("teacher_weight = 1\nteacher_fade = 0\n"
                                      "teacher_temperature = 2\nepochs_ = 1\n") TAIL;
    char text[2][sizeof taught + 16];
    /* the same but for the weight; more epochs than three */
    for (int i = 0; i < 2; i++) {
        memcpy(text[i], taught, sizeof taught);
        char *extra = strstr(text[i], "epochs_ = 1\n");
        memcpy(extra, "           \n", 12);
        char *epochs = strstr(text[i], "epochs = 3");
        memcpy(epochs, "epochs =60", 10);
    }
    *(strstr(text[1], "teacher_weight = 1") + 17) = '0';
    const double with = distance_to_teacher(text[0]);
    const double without = distance_to_teacher(text[1]);
    if (!(with < 0.6 * without)) {
        fail_msg("distance %.3f with the teacher, %.3f without", with, without);
    }
}

/* Logits of (image, view) are those of the teacher's own evaluation of the moved image. */
static void test_kept_logits(void **state) {
    (void)state;
    LutraError error = {""};
    Setup setup;
    LutraTeacher *plain = NULL;
    LutraTeacher *keeping = NULL;
    setup_init(&setup, student_text, true);
    const LutraImageView images = lutra_split_images(&setup.data, LUTRA_SPLIT_TRAIN);
    LutraTeacherSettings settings = {8, 1, 0, IMAGES, 0};
    check_status(lutra_teacher_create(&plain, &setup.teacher, &settings, &error), LUTRA_OK,
                 &error);
    settings.views = 3;
    settings.cpu_flags = lutra_cpu_detect();
    check_status(lutra_teacher_create(&keeping, &setup.teacher, &settings, &error), LUTRA_OK,
                 &error);
    for (uint32_t turn = 0; turn < 60; turn++) {
        uint32_t order[8];
        float one[8 * CLASSES];
        float other[8 * CLASSES];
        const uint32_t count = 1 + (turn % 8);
        const LutraAugmentation augmentation = {
            .crop = 1, .flip = LUTRA_FLIP_RANDOM, .cutout = 3, .seed = 5, .epoch = 1 + (turn % 3)};
        for (uint32_t i = 0; i < count; i++) {
            order[i] = (uint32_t)lutra_random_below(check_key(2), (turn * 8) + i, IMAGES);
        }
        check_status(lutra_teacher_logits(one, plain, &images, order, count, &augmentation,
                                          &error),
                     LUTRA_OK, &error);
        check_status(lutra_teacher_logits(other, keeping, &images, order, count, &augmentation,
                                          &error),
                     LUTRA_OK, &error);
        assert_memory_equal(one, other, count * CLASSES * sizeof(float));
    }
    lutra_teacher_destroy(&plain);
    lutra_teacher_destroy(&keeping);
    setup_deinit(&setup);
}

static void test_average_by_hand(void **state) {
    (void)state;
    LutraError error = {""};
    Setup setup;
    LutraAverage average = {0};
    setup_init(&setup, student_text, false);
    float *weights = setup.model.layers[1].weights;
    float *beta = setup.model.layers[2].beta;
    check_status(lutra_average_init(&average, &setup.model, &error), LUTRA_OK, &error);
    weights[7] = 1.0f;
    beta[1] = -2.0f;
    lutra_average_step(&average, &setup.model, 0.75, 1);
    weights[7] = 0.5f;
    beta[1] = 6.0f;
    lutra_average_step(&average, &setup.model, 0.75, 2);
    assert_true(average.values[1].weights[7] == 0.875f);
    assert_true(average.values[2].beta[1] == 0.0f);
    lutra_average_exchange(&average, &setup.model);
    assert_true(setup.model.layers[1].weights[7] == 0.875f);
    assert_true(average.values[1].weights[7] == 0.5f);
    lutra_average_deinit(&average);
    setup_deinit(&setup);
}

/* The finished model is the one that the images held out like better, and "always" is obeyed. */
static void test_choice(void **state) {
    (void)state;
    LutraError error = {""};
    static const char *const choices[3] = {
        HEAD("average_keep = 0.9\naverage_choice = validation\n") TAIL,
        HEAD("average_keep = 0.9\naverage_choice = average\n") TAIL,
        HEAD("average_keep = 0.9\naverage_choice = last\n") TAIL};
    for (int i = 0; i < 3; i++) {
        Setup setup;
        setup_init(&setup, choices[i], false);
        check_status(run(&setup, false, 1, NULL, -1, &error), LUTRA_OK, &error);
        const LutraTraining *training = &setup.training;
        assert_true(training->finished);
        if (i == 0) {
            assert_true(training->averaged == (training->averaged_top1 > training->last_top1));
            assert_true(training->last_top1 == setup.model.history[2].validation_top1);
        } else {
            assert_true(training->averaged == (i == 1));
        }
        assert_true(setup.model.network.layers[2].u.norm.momentum == 0.1f); /* its own again */
        setup_deinit(&setup);
    }
    LutraRecipe recipe;
    lutra_recipe_default(&recipe);
    recipe.average_keep = 0.9;
    check_status(lutra_recipe_check(&recipe, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "'validation'"));
    recipe.average_choice = LUTRA_AVERAGE_ALWAYS;
    check_status(lutra_recipe_check(&recipe, &error), LUTRA_OK, &error);
    recipe.label_smoothing = 0.1;
    recipe.loss = LUTRA_LOSS_SQUARED_HINGE;
    check_status(lutra_recipe_check(&recipe, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "'label_smoothing'"));
}

/* Weights that stand still: the statistics are the means over batches of those of each batch. */
static void test_statistics(void **state) {
    (void)state;
    LutraError error = {""};
    Setup setup;
    LutraExecution *execution = NULL;
    LutraKeptStatistics kept = {0};
    float momentum[8] = {0};
    double mean = 0.0;
    double variance = 0.0;
    setup_init(&setup, student_text, false);
    const LutraExecutionSettings settings = {
        .most_images = 10, .threads = 1, .mode = LUTRA_RUN_TRAINING};
    check_status(lutra_execution_create(&execution, &setup.model, &settings, &error), LUTRA_OK,
                 &error);
    LutraLayerParameters *norm = &setup.model.layers[2];
    norm->running_mean[1] = 123.0f;
    check_status(lutra_statistics_keep(&kept, &setup.model, &error), LUTRA_OK, &error);
    for (uint32_t batch = 0; batch < 3; batch++) {
        for (size_t i = 0; i < 10 * PLANE; i++) {
            lutra_execution_input(execution)[i] = setup.images[(batch * 10 * PLANE) + i];
        }
        /* one batch alone: momentum 1 leaves nothing but its statistics */
        lutra_statistics_batch(&setup.model, momentum, 0);
        if (batch == 0) {
            assert_true(momentum[2] == 0.1f);
        }
        check_status(lutra_execution_forward(execution, 10, LUTRA_RUN_TRAINING, &error), LUTRA_OK,
                     &error);
        mean += (double)norm->running_mean[1] / 3.0;
        variance += (double)norm->running_variance[1] / 3.0;
    }
    for (uint32_t batch = 0; batch < 3; batch++) {
        for (size_t i = 0; i < 10 * PLANE; i++) {
            lutra_execution_input(execution)[i] = setup.images[(batch * 10 * PLANE) + i];
        }
        lutra_statistics_batch(&setup.model, momentum, batch);
        check_status(lutra_execution_forward(execution, 10, LUTRA_RUN_TRAINING, &error), LUTRA_OK,
                     &error);
    }
    check_close((double)norm->running_mean[1], mean, 1e-5 * (1.0 + fabs(mean)));
    check_close((double)norm->running_variance[1], variance, 1e-5 * variance);
    lutra_statistics_restore(&kept, &setup.model);
    assert_true(norm->running_mean[1] == 123.0f);
    lutra_statistics_deinit(&kept);
    lutra_execution_destroy(&execution);
    setup_deinit(&setup);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),          cmocka_unit_test(test_other_teachers_are_refused),
        cmocka_unit_test(test_teachers_teach),  cmocka_unit_test(test_kept_logits),
        cmocka_unit_test(test_average_by_hand), cmocka_unit_test(test_choice),
        cmocka_unit_test(test_statistics),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("distillation", tests, NULL, NULL);
}
