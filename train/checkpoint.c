/* SPDX-License-Identifier: Apache-2.0 */
#include "train/checkpoint.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/hdf5_file.h"
#include "base/memory.h"

enum { PATH_BYTES = 192, ARRAYS = 5 };

/* One array of a layer's moments. */
typedef struct {
    const char *name;
    float *data;
    size_t count;
} Array;

static void list_arrays(Array arrays[ARRAYS], const LutraLayer *layer,
                        const LutraLayerGradients *moments) {
    const size_t norms = lutra_layer_norm_count(layer);
    arrays[0] = (Array){"weights", moments->weights, lutra_layer_weight_count(layer)};
    arrays[1] = (Array){"bias", moments->bias, layer->shape.channels};
    arrays[2] = (Array){"gamma", moments->gamma, norms};
    arrays[3] = (Array){"beta", moments->beta, norms};
    arrays[4] = (Array){"threshold", moments->threshold, 1};
}

/* Writes the arrays of one group of moments, or reads them into the memory that is there. */
static LutraStatus visit_moments(LutraH5 *file, bool writing, const char *group,
                                 const LutraNetwork *network, const LutraLayerGradients *moments,
                                 LutraError *error) {
    for (uint32_t i = 0; i < network->layer_count; i++) {
        Array arrays[ARRAYS];
        list_arrays(arrays, &network->layers[i], &moments[i]);
        for (int a = 0; a < ARRAYS; a++) {
            const Array *array = &arrays[a];
            if (array->data == NULL) {
                continue;
            }
            char path[PATH_BYTES];
            const uint64_t count = array->count;
            snprintf(path, sizeof path, "training/%s/%s/%s", group, network->layers[i].name,
                     array->name);
            LUTRA_TRY(writing
                          ? lutra_h5_write(file, path, array->data, LUTRA_H5_F32, 1, &count, error)
                          : lutra_h5_read(file, path, array->data, LUTRA_H5_F32, 1, &count, error));
        }
    }
    return LUTRA_OK;
}

static LutraStatus visit_optimizer(LutraH5 *file, bool writing, const LutraNetwork *network,
                                   const LutraOptimizer *optimizer, LutraError *error) {
    LUTRA_TRY(visit_moments(file, writing, "first", network, optimizer->first, error));
    return visit_moments(file, writing, "second", network, optimizer->second, error);
}

static LutraStatus write_i64(LutraH5 *file, const char *key, uint64_t value, LutraError *error) {
    return lutra_h5_write_i64(file, "training", key, (int64_t)value, error);
}

/* What only some trainings have. */
static LutraStatus write_extras(const LutraTraining *training, const LutraNetwork *network,
                                LutraH5 *file, LutraError *error) {
    if (training->teacher_checksum[0] != '\0') {
        LUTRA_TRY(lutra_h5_write_text(file, "training", "teacher_checksum",
                                      training->teacher_checksum, error));
    }
    if (training->average.values == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(write_i64(file, "average_steps", training->average.steps, error));
    LUTRA_TRY(write_i64(file, "finished", training->finished, error));
    LUTRA_TRY(write_i64(file, "averaged", training->averaged, error));
    LUTRA_TRY(lutra_h5_write_f64(file, "training", "last_top1", training->last_top1, error));
    LUTRA_TRY(lutra_h5_write_f64(file, "training", "averaged_top1", training->averaged_top1,
                                 error));
    return visit_moments(file, true, "average", network, training->average.values, error);
}

static LutraStatus write_training(const LutraTraining *training, const LutraNetwork *network,
                                  LutraH5 *file, LutraError *error) {
    char text[LUTRA_RECIPE_TEXT_BYTES];
    lutra_recipe_text(text, &training->recipe);
    LUTRA_TRY(lutra_h5_write_text(file, "training", "recipe", text, error));
    LUTRA_TRY(lutra_h5_write_text(file, "training", "data_checksum", training->data_checksum,
                                  error));
    LUTRA_TRY(write_i64(file, "seed", training->seed, error));
    LUTRA_TRY(write_i64(file, "train_images", training->train_images, error));
    LUTRA_TRY(write_i64(file, "epoch", training->epoch, error));
    LUTRA_TRY(write_i64(file, "step", training->step, error));
    LUTRA_TRY(write_i64(file, "seen", training->seen, error));
    LUTRA_TRY(write_i64(file, "right", training->right, error));
    LUTRA_TRY(write_i64(file, "optimizer_steps", training->optimizer.steps, error));
    LUTRA_TRY(write_extras(training, network, file, error));
    LUTRA_TRY(lutra_h5_write_f64(file, "training", "loss_sum", training->loss_sum, error));
    LUTRA_TRY(lutra_h5_write_f64(file, "training", "seconds", training->seconds, error));
    return visit_optimizer(file, true, network, &training->optimizer, error);
}

LutraStatus lutra_checkpoint_write(const LutraTraining *training, const LutraModel *model,
                                   const char *path, bool force, LutraError *error) {
    LutraH5 *file = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_h5_create(&file, path, force, error));
    LUTRA_TRY_GOTO(status, lutra_model_write_groups(model, file, error));
    LUTRA_TRY_GOTO(status, write_training(training, &model->network, file, error));
    LUTRA_TRY_GOTO(status, lutra_h5_commit(&file, error));
done:
    lutra_h5_close(&file);
    return status;
}

/* A count stored as i64; refuses negative ones. */
static LutraStatus read_count(uint64_t *value, LutraH5 *file, const char *key, uint64_t most,
                              LutraError *error) {
    int64_t stored = 0;
    LUTRA_TRY(lutra_h5_read_i64(&stored, file, "training", key, error));
    if (stored < 0 || (uint64_t)stored > most) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': training state '%s' is %lld; should be "
                               "from 0 to %llu", lutra_h5_path(file), key, (long long)stored,
                               (unsigned long long)most);
    }
    *value = (uint64_t)stored;
    return LUTRA_OK;
}

static LutraStatus read_recipe(LutraRecipe *recipe, LutraH5 *file, LutraError *error) {
    char *text = NULL;
    char whole[LUTRA_RECIPE_TEXT_BYTES + 16];
    LUTRA_TRY(lutra_h5_read_text(&text, file, "training", "recipe", error));
    snprintf(whole, sizeof whole, "[training]\n%.*s", LUTRA_RECIPE_TEXT_BYTES, text);
    lutra_free(&text);
    return lutra_recipe_parse(recipe, whole, lutra_h5_path(file), error);
}

static LutraStatus read_checksum(char checksum[LUTRA_CHECKSUM_BYTES], LutraH5 *file,
                                 const char *key, LutraError *error) {
    char *text = NULL;
    LUTRA_TRY(lutra_h5_read_text(&text, file, "training", key, error));
    snprintf(checksum, LUTRA_CHECKSUM_BYTES, "%.*s", LUTRA_CHECKSUM_BYTES - 1, text);
    lutra_free(&text);
    return LUTRA_OK;
}

static LutraStatus read_extras(LutraTraining *training, const LutraModel *model, LutraH5 *file,
                               LutraError *error) {
    uint64_t finished = 0;
    uint64_t averaged = 0;
    training->last_top1 = (double)NAN;
    training->averaged_top1 = (double)NAN;
    if (lutra_h5_has_attribute(file, "training", "teacher_checksum")) {
        LUTRA_TRY(read_checksum(training->teacher_checksum, file, "teacher_checksum", error));
    }
    if (training->recipe.average_keep == 0.0) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_average_init(&training->average, model, error));
    LUTRA_TRY(read_count(&training->average.steps, file, "average_steps", (uint64_t)1 << 48,
                         error));
    LUTRA_TRY(read_count(&finished, file, "finished", 1, error));
    LUTRA_TRY(read_count(&averaged, file, "averaged", finished, error));
    LUTRA_TRY(lutra_h5_read_f64(&training->last_top1, file, "training", "last_top1", error));
    LUTRA_TRY(lutra_h5_read_f64(&training->averaged_top1, file, "training", "averaged_top1",
                                error));
    if (finished > 0 && training->epoch < training->recipe.epochs) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': training state contradicts itself",
                               lutra_h5_path(file));
    }
    training->finished = finished > 0;
    training->averaged = averaged > 0;
    return visit_moments(file, false, "average", &model->network, training->average.values, error);
}

static LutraStatus read_scalars(LutraTraining *training, uint64_t *optimizer_steps, LutraH5 *file,
                                LutraError *error) {
    const uint64_t most = (uint64_t)1 << 48;
    uint64_t epoch = 0;
    int64_t seed = 0;
    LUTRA_TRY(read_recipe(&training->recipe, file, error));
    LUTRA_TRY(read_checksum(training->data_checksum, file, "data_checksum", error));
    LUTRA_TRY(lutra_h5_read_i64(&seed, file, "training", "seed", error));
    LUTRA_TRY(read_count(&training->train_images, file, "train_images", UINT32_MAX, error));
    LUTRA_TRY(read_count(&epoch, file, "epoch", training->recipe.epochs, error));
    LUTRA_TRY(read_count(&training->step, file, "step", most, error));
    LUTRA_TRY(read_count(&training->seen, file, "seen", training->train_images, error));
    LUTRA_TRY(read_count(&training->right, file, "right", training->seen, error));
    LUTRA_TRY(read_count(optimizer_steps, file, "optimizer_steps", most, error));
    LUTRA_TRY(lutra_h5_read_f64(&training->loss_sum, file, "training", "loss_sum", error));
    LUTRA_TRY(lutra_h5_read_f64(&training->seconds, file, "training", "seconds", error));
    training->seed = (uint64_t)seed;
    training->epoch = (uint32_t)epoch;
    if (training->recipe.validation >= training->train_images ||
        training->step > lutra_training_steps_per_epoch(training)) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': training state contradicts itself",
                               lutra_h5_path(file));
    }
    return LUTRA_OK;
}

LutraStatus lutra_checkpoint_read(LutraTraining *training, LutraModel *model, const char *path,
                                  LutraError *error) {
    LutraH5 *file = NULL;
    LutraModel read_model = {0};
    LutraTraining read = {0};
    uint64_t optimizer_steps = 0;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_h5_open(&file, path, error));
    if (!lutra_h5_has_attribute(file, "training", "recipe")) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s' has no training state to go on from; "
                                 "start anew from its weights", path);
        goto done;
    }
    LUTRA_TRY_GOTO(status, lutra_model_read_groups(&read_model, file, error));
    LUTRA_TRY_GOTO(status, read_scalars(&read, &optimizer_steps, file, error));
    const LutraOptimizerSettings settings = lutra_recipe_optimizer(&read.recipe);
    LUTRA_TRY_GOTO(status, lutra_optimizer_init(&read.optimizer, &read_model, &settings, error));
    read.optimizer.steps = optimizer_steps;
    LUTRA_TRY_GOTO(status, visit_optimizer(file, false, &read_model.network, &read.optimizer,
                                           error));
    LUTRA_TRY_GOTO(status, read_extras(&read, &read_model, file, error));
    *training = read;
    *model = read_model;
    read = (LutraTraining){0};
    read_model = (LutraModel){0};
done:
    lutra_training_deinit(&read);
    lutra_model_deinit(&read_model);
    lutra_h5_close(&file);
    return status;
}
