/* SPDX-License-Identifier: Apache-2.0 */
/* Model files (HDF5), with and without training state: read twice alike; what is read is finite,
 * fits its network, and can be written and read back equal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "quant/model.h"
#include "tests/support/fuzz.h"
#include "train/checkpoint.h"

enum { LARGEST_FILE = 1 << 28, ARRAYS = 6 };

/* The six arrays of a layer, NULL or with as many floats. */
static void list_arrays(const float *arrays[ARRAYS], size_t counts[ARRAYS],
                        const LutraLayer *layer, const LutraLayerParameters *parameters) {
    const size_t norms = lutra_layer_norm_count(layer);
    const size_t all[ARRAYS] = {lutra_layer_weight_count(layer), layer->shape.channels, norms,
                                norms, norms, norms};
    const float *const pointers[ARRAYS] = {parameters->weights,      parameters->bias,
                                           parameters->gamma,        parameters->beta,
                                           parameters->running_mean, parameters->running_variance};
    memcpy(counts, all, sizeof all);
    memcpy(arrays, pointers, sizeof pointers);
}

static void check_sound(const LutraModel *model) {
    FUZZ_CHECK(model->network.text != NULL && model->provenance != NULL);
    FUZZ_CHECK((model->history == NULL) == (model->history_count == 0));
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        const LutraLayer *const layer = &model->network.layers[i];
        const float *arrays[ARRAYS];
        size_t counts[ARRAYS];
        list_arrays(arrays, counts, layer, &model->layers[i]);
        FUZZ_CHECK((arrays[0] == NULL) == (counts[0] == 0));
        FUZZ_CHECK((arrays[2] == NULL) == (counts[2] == 0));
        for (size_t a = 0; a < ARRAYS; a++) {
            for (size_t k = 0; arrays[a] != NULL && k < counts[a]; k++) {
                FUZZ_CHECK(isfinite(arrays[a][k]));
            }
        }
    }
}

static void check_equal(const LutraModel *a, const LutraModel *b) {
    FUZZ_CHECK(strcmp(a->network.text, b->network.text) == 0);
    FUZZ_CHECK(strcmp(a->provenance, b->provenance) == 0);
    FUZZ_CHECK(a->network.layer_count == b->network.layer_count);
    FUZZ_CHECK(a->history_count == b->history_count);
    for (uint32_t i = 0; i < a->network.layer_count; i++) {
        const float *left[ARRAYS];
        const float *right[ARRAYS];
        size_t counts[ARRAYS];
        list_arrays(right, counts, &b->network.layers[i], &b->layers[i]);
        list_arrays(left, counts, &a->network.layers[i], &a->layers[i]);
        for (size_t k = 0; k < ARRAYS; k++) {
            FUZZ_CHECK((left[k] == NULL) == (right[k] == NULL));
            FUZZ_CHECK(left[k] == NULL ||
                       memcmp(left[k], right[k], counts[k] * sizeof(float)) == 0);
        }
    }
    for (uint32_t i = 0; i < a->history_count; i++) {
        const LutraEpochRecord *const x = &a->history[i];
        const LutraEpochRecord *const y = &b->history[i];
        FUZZ_CHECK(x->epoch == y->epoch);
        FUZZ_CHECK(memcmp(&x->learning_rate, &y->learning_rate, sizeof(double)) == 0);
        FUZZ_CHECK(memcmp(&x->train_loss, &y->train_loss, sizeof(double)) == 0);
        FUZZ_CHECK(memcmp(&x->train_top1, &y->train_top1, sizeof(double)) == 0);
        FUZZ_CHECK(memcmp(&x->validation_loss, &y->validation_loss, sizeof(double)) == 0);
        FUZZ_CHECK(memcmp(&x->validation_top1, &y->validation_top1, sizeof(double)) == 0);
        FUZZ_CHECK(memcmp(&x->seconds, &y->seconds, sizeof(double)) == 0);
    }
}

/* Written twice with a reading between, a model gives the same bytes. */
static void check_round_trip(const LutraModel *model, const char *path) {
    LutraError error = {""};
    LutraModel again = {0};
    LutraBytes bytes[2] = {{0}};
    FUZZ_CHECK(lutra_model_write(model, path, true, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_file_read(&bytes[0], path, LARGEST_FILE, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_model_read(&again, path, &error) == LUTRA_OK);
    check_equal(model, &again);
    FUZZ_CHECK(lutra_model_write(&again, path, true, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_file_read(&bytes[1], path, LARGEST_FILE, &error) == LUTRA_OK);
    FUZZ_CHECK(bytes[0].bytes == bytes[1].bytes);
    FUZZ_CHECK(memcmp(bytes[0].data, bytes[1].data, bytes[0].bytes) == 0);
    lutra_bytes_deinit(&bytes[0]);
    lutra_bytes_deinit(&bytes[1]);
    lutra_model_deinit(&again);
}

/* A training state stands inside its bounds, and comes back from a file to the same bytes. */
static void check_training(const char *path) {
    LutraError error = {""};
    LutraTraining training[2] = {{.epoch = 0}};
    LutraModel model[2] = {{.layers = NULL}};
    LutraBytes bytes[2] = {{0}};
    const LutraStatus status = lutra_checkpoint_read(&training[0], &model[0], path, &error);
    if (status != LUTRA_OK) {
        FUZZ_CHECK(status == LUTRA_EDATA || status == LUTRA_ENOMEM);
        FUZZ_CHECK(error.message[0] != '\0' && model[0].layers == NULL);
        return;
    }
    const LutraTraining *const read = &training[0];
    FUZZ_CHECK(read->recipe.batch > 0 && read->recipe.validation < read->train_images);
    FUZZ_CHECK(read->step <= lutra_training_steps_per_epoch(read));
    FUZZ_CHECK(read->epoch <= read->recipe.epochs);
    FUZZ_CHECK(read->right <= read->seen && read->seen <= read->train_images);
    for (size_t i = 0; i < 2; i++) {
        FUZZ_CHECK(lutra_checkpoint_write(&training[i], &model[i], path, true, &error) == LUTRA_OK);
        FUZZ_CHECK(lutra_file_read(&bytes[i], path, LARGEST_FILE, &error) == LUTRA_OK);
        if (i == 0) {
            FUZZ_CHECK(lutra_checkpoint_read(&training[1], &model[1], path, &error) == LUTRA_OK);
        }
    }
    FUZZ_CHECK(bytes[0].bytes == bytes[1].bytes);
    FUZZ_CHECK(memcmp(bytes[0].data, bytes[1].data, bytes[0].bytes) == 0);
    for (size_t i = 0; i < 2; i++) {
        lutra_bytes_deinit(&bytes[i]);
        lutra_training_deinit(&training[i]);
        lutra_model_deinit(&model[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraError error = {""};
    LutraError second_error = {""};
    LutraModel model = {0};
    LutraModel second = {0};
    const char *const path = fuzz_file("model.h5", data, bytes);
    const LutraStatus status = lutra_model_read(&model, path, &error);
    FUZZ_CHECK(lutra_model_read(&second, path, &second_error) == status);
    FUZZ_CHECK(strcmp(error.message, second_error.message) == 0);
    if (status != LUTRA_OK) {
        FUZZ_CHECK(status == LUTRA_EDATA || status == LUTRA_ENOMEM);
        FUZZ_CHECK(error.message[0] != '\0' && model.layers == NULL);
    } else {
        check_sound(&model);
        check_equal(&model, &second);
        check_training(path);
        check_round_trip(&model, path);
    }
    lutra_model_deinit(&second);
    lutra_model_deinit(&model);
    (void)remove(path);
    return 0;
}
