/* SPDX-License-Identifier: Apache-2.0 */
#include "train/training_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "train/checkpoint.h"

size_t lutra_training_trained_images(const LutraTraining *training) {
    return (size_t)(training->train_images - training->recipe.validation);
}

/* Images of a whole step. */
static uint32_t step_images(const LutraTraining *training) {
    const size_t trained = lutra_training_trained_images(training);
    return training->recipe.batch < trained ? training->recipe.batch : (uint32_t)trained;
}

uint64_t lutra_training_steps_per_epoch(const LutraTraining *training) {
    const uint64_t batch = training->recipe.batch;
    return (lutra_training_trained_images(training) + batch - 1) / batch;
}

LutraStatus lutra_training_init(LutraTraining *training, const LutraModel *model,
                                const LutraRecipe *recipe, uint64_t seed,
                                const LutraDataset *dataset, LutraError *error) {
    LutraTraining made = {.recipe = *recipe, .seed = seed, .last_top1 = (double)NAN,
                          .averaged_top1 = (double)NAN};
    LUTRA_TRY(lutra_recipe_check(recipe, error));
    LUTRA_TRY(lutra_check_data_fits(dataset, &model->network, error));
    made.train_images = dataset->splits[LUTRA_SPLIT_TRAIN].count;
    if (recipe->validation >= made.train_images) {
        return lutra_error_set(error, LUTRA_EINVAL, "cannot hold out %u of %llu training images; "
                               "'validation' should be smaller", recipe->validation,
                               (unsigned long long)made.train_images);
    }
    LUTRA_TRY(lutra_recipe_check_layers(recipe, &model->network, error));
    memcpy(made.data_checksum, dataset->checksum, sizeof made.data_checksum);
    const LutraOptimizerSettings settings = lutra_recipe_optimizer(recipe);
    LUTRA_TRY(lutra_optimizer_init(&made.optimizer, model, &settings, error));
    if (recipe->average_keep > 0.0) {
        const LutraStatus status = lutra_average_init(&made.average, model, error);
        if (status != LUTRA_OK) {
            lutra_optimizer_deinit(&made.optimizer);
            return status;
        }
    }
    *training = made;
    return LUTRA_OK;
}

void lutra_training_set_teacher(LutraTraining *training, const LutraModel *teacher) {
    training->teacher_checksum[0] = '\0';
    if (teacher != NULL) {
        lutra_teacher_checksum(training->teacher_checksum, teacher);
    }
}

void lutra_training_deinit(LutraTraining *training) {
    lutra_optimizer_deinit(&training->optimizer);
    lutra_average_deinit(&training->average);
    *training = (LutraTraining){0};
}

LutraStatus lutra_training_check_same(const LutraTraining *training, const LutraRecipe *recipe,
                                      uint64_t seed, const LutraDataset *dataset,
                                      LutraError *error) {
    const char *key = lutra_recipe_difference(&training->recipe, recipe);
    if (key != NULL) {
        return lutra_error_set(error, LUTRA_EINVAL, "the training to go on with began with another "
                               "'%s'; give the same settings, or start anew from its weights", key);
    }
    if (training->seed != seed) {
        return lutra_error_set(error, LUTRA_EINVAL, "the training to go on with began with seed "
                               "%llu; give the same seed, or start anew from its weights",
                               (unsigned long long)training->seed);
    }
    if (strcmp(training->data_checksum, dataset->checksum) != 0 ||
        training->train_images != dataset->splits[LUTRA_SPLIT_TRAIN].count) {
        return lutra_error_set(error, LUTRA_EINVAL, "the training to go on with began with other "
                               "data: %llu images, checksum %s; give the same dataset, or start "
                               "anew from its weights",
                               (unsigned long long)training->train_images,
                               training->data_checksum);
    }
    return LUTRA_OK;
}

void lutra_training_split(uint32_t *order, const LutraTraining *training) {
    const LutraRandomKey key = {training->seed, LUTRA_STREAM_SPLIT, 0};
    lutra_random_permutation(order, (size_t)training->train_images, key);
}

static LutraStatus start_teacher(LutraTrainingRun *run, LutraError *error) {
    const LutraTraining *training = run->training;
    LutraModel *teacher = run->settings->teacher;
    char checksum[LUTRA_CHECKSUM_BYTES] = "";
    if (teacher != NULL) {
        lutra_teacher_checksum(checksum, teacher);
    }
    if (strcmp(checksum, training->teacher_checksum) != 0) {
        return lutra_error_set(error, LUTRA_EINVAL, "the training to go on with began with another "
                               "teacher (%s, now %s); give the same, or start anew from its "
                               "weights",
                               training->teacher_checksum[0] == '\0' ? "none"
                                                                     : training->teacher_checksum,
                               checksum[0] == '\0' ? "none" : checksum);
    }
    if (teacher == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_check_data_fits(run->dataset, &teacher->network, error));
    const LutraTeacherSettings settings = {
        .most_images = step_images(training),
        .threads = run->settings->threads,
        .cpu_flags = run->settings->cpu_flags,
        .all_images = (uint32_t)training->train_images,
        .views = training->recipe.views,
    };
    LUTRA_TRY(lutra_alloc(&run->teacher_logits,
                          (size_t)run->model->network.class_count * step_images(training),
                          sizeof *run->teacher_logits, error));
    return lutra_teacher_create(&run->teacher, teacher, &settings, error);
}

static LutraStatus start_run(LutraTrainingRun *run, LutraError *error) {
    const LutraTraining *training = run->training;
    const uint32_t batch = training->recipe.batch;
    const size_t trained = lutra_training_trained_images(training);
    LutraExecutionSettings settings = {
        .most_images = step_images(training),
        .threads = run->settings->threads,
        .cpu_flags = run->settings->cpu_flags,
        .mode = LUTRA_RUN_TRAINING,
        .rounding = training->recipe.rounding,
        .gradient_bits = lutra_recipe_gradient_bits(&training->recipe),
        .noise = lutra_recipe_noise(&training->recipe),
        .threshold_batches = training->recipe.threshold_batches,
        .threshold_percentile = training->recipe.threshold_percentile,
    };
    const LutraNetwork *network = &run->model->network;
    while (settings.first_trained < network->layer_count &&
           !lutra_recipe_trains(&training->recipe, &network->layers[settings.first_trained])) {
        settings.first_trained++;
    }
    LUTRA_TRY(lutra_alloc(&run->layer_steps, run->model->network.layer_count,
                          sizeof *run->layer_steps, error));
    LUTRA_TRY(lutra_alloc(&run->split, (size_t)training->train_images, sizeof *run->split, error));
    LUTRA_TRY(lutra_alloc(&run->permutation, trained, sizeof *run->permutation, error));
    LUTRA_TRY(lutra_alloc(&run->batch_order, batch, sizeof *run->batch_order, error));
    LUTRA_TRY(lutra_alloc(&run->batch_labels, batch, sizeof *run->batch_labels, error));
    LUTRA_TRY(lutra_alloc(&run->ranks, batch, sizeof *run->ranks, error));
    LUTRA_TRY(start_teacher(run, error));
    LUTRA_TRY(lutra_execution_create(&run->execution, run->model, &settings, error));
    lutra_train_kernels_init(&run->kernels, run->settings->cpu_flags);
    lutra_recipe_layer_steps(run->layer_steps, &training->recipe, &run->model->network);
    lutra_training_split(run->split, training);
    run->schedule =
        lutra_recipe_schedule(&training->recipe, lutra_training_steps_per_epoch(training));
    return LUTRA_OK;
}

static void end_run(LutraTrainingRun *run) {
    lutra_execution_destroy(&run->execution);
    lutra_teacher_destroy(&run->teacher);
    lutra_free(&run->teacher_logits);
    lutra_free(&run->layer_steps);
    lutra_free(&run->split);
    lutra_free(&run->permutation);
    lutra_free(&run->batch_order);
    lutra_free(&run->batch_labels);
    lutra_free(&run->ranks);
}

static void add_seconds(LutraTrainingRun *run) {
    const double time = lutra_seconds();
    run->training->seconds += time - run->clock;
    run->clock = time;
}

static LutraStatus save(LutraTrainingRun *run, LutraError *error) {
    if (run->settings->path == NULL) {
        return LUTRA_OK;
    }
    add_seconds(run);
    LUTRA_TRY(lutra_checkpoint_write(run->training, run->model, run->settings->path, run->force,
                                     error));
    run->force = true; /* from now on the file is ours */
    run->written = lutra_seconds();
    return LUTRA_OK;
}

void lutra_training_shuffle(LutraTrainingRun *run, uint32_t epoch) {
    const LutraRandomKey key = {run->training->seed, LUTRA_STREAM_SHUFFLE, epoch};
    lutra_random_permutation(run->permutation, lutra_training_trained_images(run->training), key);
}

void lutra_training_load(LutraTrainingRun *run, const uint32_t *order, uint32_t count,
                         const LutraAugmentation *augmentation) {
    const LutraSplit *split = &run->dataset->splits[LUTRA_SPLIT_TRAIN];
    const LutraImageView images = lutra_split_images(run->dataset, LUTRA_SPLIT_TRAIN);
    for (uint32_t i = 0; i < count; i++) {
        run->batch_labels[i] = split->labels[order[i]];
    }
    lutra_batch_fill(lutra_execution_input(run->execution), &images, order, count, augmentation,
                     run->settings->threads);
}

/* The images of one step and what the teacher says of them; *count is how many. */
static LutraStatus load_step(uint32_t *count, LutraTrainingRun *run, uint64_t step,
                             LutraError *error) {
    const LutraTraining *training = run->training;
    const LutraRecipe *recipe = &training->recipe;
    const uint64_t first = step * recipe->batch;
    const uint64_t left = lutra_training_trained_images(training) - first;
    const uint32_t views = recipe->views;
    const LutraAugmentation augmentation = {
        .crop = recipe->crop,
        .flip = recipe->flip,
        .cutout = recipe->cutout,
        .seed = training->seed,
        .epoch = views == 0 ? training->epoch + 1 : (training->epoch % views) + 1};
    *count = left < recipe->batch ? (uint32_t)left : recipe->batch;
    for (uint32_t i = 0; i < *count; i++) {
        run->batch_order[i] = run->split[run->permutation[first + i]];
    }
    lutra_training_load(run, run->batch_order, *count, &augmentation);
    if (run->teacher == NULL) {
        return LUTRA_OK;
    }
    const LutraImageView images = lutra_split_images(run->dataset, LUTRA_SPLIT_TRAIN);
    return lutra_teacher_logits(run->teacher_logits, run->teacher, &images, run->batch_order,
                                *count, &augmentation, error);
}

static LutraStatus check_finite(const LutraTrainingRun *run, double loss, LutraError *error) {
    const int64_t bad = lutra_execution_first_bad_layer(run->execution);
    if (isfinite(loss) && bad < 0) {
        return LUTRA_OK;
    }
    const LutraNetwork *network = &run->model->network;
    const uint32_t layer = bad < 0 ? network->layer_count - 1 : (uint32_t)bad;
    return lutra_error_set(error, LUTRA_EDATA, "training diverged in epoch %u, step %llu: layer "
                           "'%s' is no longer finite; a smaller learning rate may help",
                           run->training->epoch + 1,
                           (unsigned long long)run->training->step + 1,
                           network->layers[layer].name);
}

static LutraStatus one_step(LutraTrainingRun *run, LutraError *error) {
    LutraTraining *training = run->training;
    const LutraRecipe *recipe = &training->recipe;
    const uint64_t step = training->optimizer.steps;
    uint32_t images = 0;
    LUTRA_TRY(load_step(&images, run, training->step, error));
    const size_t classes = run->model->network.class_count;
    lutra_execution_set_draws(run->execution, training->seed, step);
    LUTRA_TRY(lutra_execution_forward(run->execution, images, LUTRA_RUN_TRAINING, error));
    const float *logits = lutra_execution_logits(run->execution);
    const LutraLossTerms terms = {
        .kind = recipe->loss,
        .smoothing = recipe->label_smoothing,
        .teacher = run->teacher == NULL ? NULL : run->teacher_logits,
        .teacher_weight = lutra_recipe_teacher_weight(recipe, step, run->schedule.total_steps),
        .temperature = recipe->teacher_temperature,
    };
    const double loss = lutra_training_loss(lutra_execution_logit_gradient(run->execution), &terms,
                                            logits, run->batch_labels, classes, images);
    lutra_execution_backward(run->execution);
    LUTRA_TRY(check_finite(run, loss, error));
    run->rate = lutra_schedule_rate(&run->schedule, step);
    lutra_weight_penalty_add(lutra_execution_gradients(run->execution), run->model,
                             recipe->weight_penalty);
    lutra_optimizer_step(&training->optimizer, run->model,
                         lutra_execution_gradients(run->execution), run->layer_steps, run->rate,
                         &run->kernels, run->settings->threads);
    if (training->average.values != NULL &&
        (double)step >= recipe->average_from * (double)run->schedule.total_steps) {
        lutra_average_step(&training->average, run->model, recipe->average_keep,
                           run->settings->threads);
    }
    lutra_label_ranks(run->ranks, logits, run->batch_labels, classes, images);
    for (uint32_t i = 0; i < images; i++) {
        training->right += run->ranks[i] == 0 ? 1u : 0u;
    }
    training->loss_sum += loss * (double)images;
    training->seen += images;
    training->step++;
    return LUTRA_OK;
}

static LutraStatus run_steps(LutraTrainingRun *run, LutraError *error) {
    LutraTraining *training = run->training;
    const uint64_t steps = lutra_training_steps_per_epoch(training);
    char stage[64];
    snprintf(stage, sizeof stage, "epoch %u/%u", training->epoch + 1, training->recipe.epochs);
    while (training->step < steps) {
        const double share = training->seen == 0 ? (double)NAN
                                                 : (double)training->right /
                                                       (double)training->seen;
        if (lutra_progress_tick(run->progress, stage, training->step, steps, share)) {
            LUTRA_TRY(save(run, error));
            return lutra_error_set(error, LUTRA_ECANCELLED, "stopped in epoch %u after %llu of "
                                   "%llu steps", training->epoch + 1,
                                   (unsigned long long)training->step, (unsigned long long)steps);
        }
        LUTRA_TRY(one_step(run, error));
        if (run->settings->checkpoint_seconds > 0.0 &&
            lutra_seconds() - run->written > run->settings->checkpoint_seconds) {
            LUTRA_TRY(save(run, error));
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_training_validate(LutraEvaluation *evaluation, LutraTrainingRun *run,
                                    LutraError *error) {
    const LutraTraining *training = run->training;
    const size_t trained = lutra_training_trained_images(training);
    const LutraEvaluateSettings settings = {step_images(training), run->settings->threads,
                                            run->settings->cpu_flags, training->recipe.loss};
    const LutraImageView images = lutra_split_images(run->dataset, LUTRA_SPLIT_TRAIN);
    return lutra_evaluate_images(evaluation, NULL, run->execution, run->model, &images,
                                 run->dataset->splits[LUTRA_SPLIT_TRAIN].labels,
                                 run->split + trained, training->recipe.validation, &settings,
                                 NULL, error);
}

static LutraStatus validate(LutraTrainingRun *run, LutraEpochRecord *record, LutraError *error) {
    LutraEvaluation evaluation;
    record->validation_loss = (double)NAN;
    record->validation_top1 = (double)NAN;
    if (run->training->recipe.validation == 0) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_training_validate(&evaluation, run, error));
    record->validation_loss = evaluation.loss;
    record->validation_top1 = (double)evaluation.right1 / (double)evaluation.images;
    return LUTRA_OK;
}

static LutraStatus append_record(LutraModel *model, const LutraEpochRecord *record,
                                 LutraError *error) {
    LUTRA_TRY(lutra_resize(&model->history, model->history_count,
                           (size_t)model->history_count + 1, sizeof *model->history, error));
    model->history[model->history_count++] = *record;
    return LUTRA_OK;
}

static void note_record(const LutraTrainingRun *run, const LutraEpochRecord *record) {
    char line[256];
    char validation[64] = "";
    if (run->training->recipe.validation > 0) {
        snprintf(validation, sizeof validation, ", validation %.2f %%",
                 100.0 * record->validation_top1);
    }
    const double left = record->seconds * (double)(run->training->recipe.epochs - record->epoch);
    snprintf(line, sizeof line, "epoch %u/%u: loss %.4f, train %.2f %%%s, rate %.3g, %.1f s, %.0f "
             "images/s, %.1f min left", record->epoch, run->training->recipe.epochs,
             record->train_loss, 100.0 * record->train_top1, validation, record->learning_rate,
             record->seconds,
             (double)lutra_training_trained_images(run->training) / record->seconds,
             left / 60.0);
    lutra_progress_note(run->progress, line);
}

static LutraStatus finish_epoch(LutraTrainingRun *run, LutraError *error) {
    LutraTraining *training = run->training;
    LutraEpochRecord record = {
        .epoch = training->epoch + 1,
        .learning_rate = run->rate,
        .train_loss = training->loss_sum / (double)training->seen,
        .train_top1 = (double)training->right / (double)training->seen,
    };
    LUTRA_TRY(validate(run, &record, error));
    add_seconds(run);
    record.seconds = training->seconds;
    LUTRA_TRY(append_record(run->model, &record, error));
    training->epoch++;
    training->step = 0;
    training->seen = 0;
    training->right = 0;
    training->loss_sum = 0.0;
    training->seconds = 0.0;
    note_record(run, &record);
    return save(run, error);
}

static LutraStatus run_epoch(LutraTrainingRun *run, LutraError *error) {
    const LutraTraining *training = run->training;
    lutra_training_shuffle(run, training->epoch + 1);
    run->clock = lutra_seconds();
    /* a training read back behind the last step of an epoch has no step to take the rate from */
    run->rate = lutra_schedule_rate(&run->schedule, training->optimizer.steps == 0
                                                        ? 0
                                                        : training->optimizer.steps - 1);
    LUTRA_TRY(run_steps(run, error));
    return finish_epoch(run, error);
}

LutraStatus lutra_training_run(LutraTraining *training, LutraModel *model,
                               const LutraDataset *dataset, const LutraTrainingSettings *settings,
                               const LutraProgress *progress, LutraError *error) {
    LutraTrainingRun run = {.training = training, .model = model, .dataset = dataset,
                            .settings = settings, .progress = progress,
                            .force = settings->force};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_check_data_fits(dataset, &model->network, error));
    LUTRA_TRY_GOTO(status, start_run(&run, error));
    run.clock = lutra_seconds();
    run.written = run.clock;
    while (training->epoch < training->recipe.epochs) {
        LUTRA_TRY_GOTO(status, run_epoch(&run, error));
    }
    if (!training->finished) {
        LUTRA_TRY_GOTO(status, lutra_training_choose(&run, error));
        if (training->average.steps > 0) {
            LUTRA_TRY_GOTO(status, save(&run, error));
        }
    }
done:
    end_run(&run);
    return status;
}
