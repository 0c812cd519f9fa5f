/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a training: the last numbers or their average, quantized and with statistics of their
 * own, whichever the images held out like better. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "train/norm_statistics.h"
#include "train/training_priv.h"

/* Measures the running statistics on training images, moved as in an epoch that never was. */
static LutraStatus measure_statistics(LutraTrainingRun *run, LutraError *error) {
    const LutraTraining *training = run->training;
    const LutraRecipe *recipe = &training->recipe;
    const uint32_t epoch = training->epoch + 1;
    const LutraAugmentation augmentation = {.crop = recipe->crop,
                                            .flip = recipe->flip,
                                            .cutout = recipe->cutout,
                                            .seed = training->seed,
                                            .epoch = epoch};
    const size_t trained = lutra_training_trained_images(training);
    const size_t images = recipe->average_images < trained ? recipe->average_images : trained;
    float *momentum = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_alloc(&momentum, run->model->network.layer_count, sizeof *momentum, error));
    lutra_training_shuffle(run, epoch);
    uint32_t batch = 0;
    for (size_t first = 0; status == LUTRA_OK && first < images; first += recipe->batch) {
        const size_t left = images - first;
        const uint32_t count = left < recipe->batch ? (uint32_t)left : recipe->batch;
        for (uint32_t i = 0; i < count; i++) {
            run->batch_order[i] = run->split[run->permutation[first + i]];
        }
        lutra_training_load(run, run->batch_order, count, &augmentation);
        /* draws that no step has had */
        lutra_execution_set_draws(run->execution, training->seed,
                                  run->schedule.total_steps + batch);
        lutra_statistics_batch(run->model, momentum, batch++);
        status = lutra_execution_forward(run->execution, count, LUTRA_RUN_TRAINING, error);
    }
    lutra_statistics_end(run->model, momentum);
    lutra_free(&momentum);
    return status;
}

static void note_choice(const LutraTrainingRun *run, bool averaged, double last, double average) {
    char line[160];
    if (isnan(average)) {
        snprintf(line, sizeof line, "kept the %s weights, as the recipe says",
                 averaged ? "averaged" : "last");
    } else {
        snprintf(line, sizeof line,
                 "kept the %s weights: validation %.2f %% for the last, %.2f %% "
                 "for the average",
                 averaged ? "averaged" : "last", 100.0 * last, 100.0 * average);
    }
    lutra_progress_note(run->progress, line);
}

LutraStatus lutra_training_choose(LutraTrainingRun *run, LutraError *error) {
    LutraTraining *training = run->training;
    const LutraRecipe *recipe = &training->recipe;
    LutraKeptStatistics kept = {0};
    LutraEvaluation evaluation;
    if (training->average.steps == 0 || recipe->average_choice == LUTRA_AVERAGE_NEVER) {
        training->finished = true;
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_statistics_keep(&kept, run->model, error));
    lutra_average_exchange(&training->average, run->model);
    LutraStatus status = measure_statistics(run, error);
    double last = (double)NAN;
    double average = (double)NAN;
    if (status == LUTRA_OK && recipe->validation > 0) {
        last = run->model->history[run->model->history_count - 1].validation_top1;
        status = lutra_training_validate(&evaluation, run, error);
        average = status == LUTRA_OK ? (double)evaluation.right1 / (double)evaluation.images
                                     : (double)NAN;
    }
    const bool averaged =
        status == LUTRA_OK && (recipe->average_choice == LUTRA_AVERAGE_ALWAYS || average > last);
    if (!averaged) {
        lutra_average_exchange(&training->average, run->model);
        lutra_statistics_restore(&kept, run->model);
    }
    lutra_statistics_deinit(&kept);
    if (status == LUTRA_OK) {
        training->last_top1 = last;
        training->averaged_top1 = average;
        training->averaged = averaged;
        training->finished = true;
        note_choice(run, averaged, last, average);
    }
    return status;
}
