/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models as HDF5.
 *
 *   attributes of the root   format = "lutra.model/1", network = the INI text, provenance = JSON
 *   layers/NN_NAME/...       weights (O,I,K,K) or (O,I), bias (O), gamma, beta, running_mean,
 *                            running_variance (C) or (1), threshold and threshold_batches (1);
 *                            f32; NN counts all layers from 00
 *                            in place of weights: weight_codes i8 of the same shape, and with
 *                            weight_scale max weight_largest f32 (1); see weight_packing.h
 *   history/...              epoch u32, learning_rate, train_loss, train_top1, validation_loss,
 *                            validation_top1, seconds f64, all (epochs); absent before training
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "quant/model.h"
#include "quant/weight_packing.h"

static const char *const FORMAT = "lutra.model/1";

enum {
    MAX_EPOCHS = 1 << 20,
    LAYER_ARRAYS = 6,
    HISTORY_COLUMNS = 6,
    PATH_BYTES = 160
};

/* One array of a layer and the place of its pointer. */
typedef struct {
    char path[PATH_BYTES];
    char codes_path[PATH_BYTES];   /* weights only: where their codes may stand instead */
    char largest_path[PATH_BYTES];
    const LutraWeightQuantizer *quantizer; /* NULL: no codes */
    float **values;
    LutraH5Shape shape;
    size_t count;
    bool negative; /* values may be below 0 */
} LayerArray;

static void add_array(LayerArray *arrays, size_t *used, const char *group, const char *name,
                      float **values, const uint64_t *dims, uint32_t rank) {
    LayerArray *array = &arrays[(*used)++];
    *array = (LayerArray){.values = values, .count = 1};
    snprintf(array->path, sizeof array->path, "%s/%s", group, name);
    array->shape.rank = rank;
    array->shape.type = LUTRA_H5_F32;
    for (uint32_t i = 0; i < rank; i++) {
        array->shape.dims[i] = dims[i];
        array->count *= (size_t)dims[i];
    }
    array->negative = strcmp(name, "running_variance") != 0 &&
                      strncmp(name, "threshold", strlen("threshold")) != 0;
}

/* Which arrays a layer has, with their shapes; `parameters` may hold NULLs. */
static size_t list_arrays(LayerArray arrays[LAYER_ARRAYS], const LutraLayer *layer, uint32_t index,
                          LutraLayerParameters *parameters) {
    char group[PATH_BYTES / 2];
    size_t used = 0;
    snprintf(group, sizeof group, "layers/%02u_%.47s", index, layer->name);
    if (lutra_layer_weight_count(layer) > 0) {
        const LutraWeightLayer *weighted = &layer->u.weighted;
        const uint64_t dims[4] = {weighted->out_channels, weighted->in_channels, weighted->kernel,
                                  weighted->kernel};
        add_array(arrays, &used, group, "weights", &parameters->weights, dims,
                  layer->kind == LUTRA_LAYER_CONV ? 4 : 2);
        snprintf(arrays[0].codes_path, PATH_BYTES, "%s/weight_codes", group);
        snprintf(arrays[0].largest_path, PATH_BYTES, "%s/weight_largest", group);
        if (!lutra_layer_is_float(layer)) {
            arrays[0].quantizer = &weighted->quantizer;
        }
        if (weighted->bias) {
            add_array(arrays, &used, group, "bias", &parameters->bias, dims, 1);
        }
    }
    if (lutra_layer_norm_count(layer) > 0) {
        const uint64_t dims[1] = {lutra_layer_norm_count(layer)};
        add_array(arrays, &used, group, "gamma", &parameters->gamma, dims, 1);
        add_array(arrays, &used, group, "beta", &parameters->beta, dims, 1);
        add_array(arrays, &used, group, "running_mean", &parameters->running_mean, dims, 1);
        add_array(arrays, &used, group, "running_variance", &parameters->running_variance, dims,
                  1);
    }
    if (layer->coding.learned) {
        const uint64_t dims[1] = {1};
        add_array(arrays, &used, group, "threshold", &parameters->threshold, dims, 1);
        add_array(arrays, &used, group, "threshold_batches", &parameters->threshold_batches, dims,
                  1);
    }
    return used;
}

/* ---- history: one array per column ---- */

static const struct {
    const char *path;
    size_t offset;
} COLUMNS[HISTORY_COLUMNS] = {
    {"history/learning_rate", offsetof(LutraEpochRecord, learning_rate)},
    {"history/train_loss", offsetof(LutraEpochRecord, train_loss)},
    {"history/train_top1", offsetof(LutraEpochRecord, train_top1)},
    {"history/validation_loss", offsetof(LutraEpochRecord, validation_loss)},
    {"history/validation_top1", offsetof(LutraEpochRecord, validation_top1)},
    {"history/seconds", offsetof(LutraEpochRecord, seconds)},
};

static double *column_value(LutraEpochRecord *record, size_t column) {
    return (double *)(void *)((unsigned char *)record + COLUMNS[column].offset);
}

static LutraStatus write_history(const LutraModel *model, LutraH5 *file, LutraError *error) {
    const uint64_t dims[1] = {model->history_count};
    uint32_t *epochs = NULL;
    double *values = NULL;
    LutraStatus status = LUTRA_OK;
    if (model->history_count == 0) {
        return LUTRA_OK;
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&epochs, model->history_count, sizeof *epochs, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&values, model->history_count, sizeof *values, error));
    for (uint32_t i = 0; i < model->history_count; i++) {
        epochs[i] = model->history[i].epoch;
    }
    LUTRA_TRY_GOTO(status,
                   lutra_h5_write(file, "history/epoch", epochs, LUTRA_H5_U32, 1, dims, error));
    for (size_t column = 0; column < HISTORY_COLUMNS; column++) {
        for (uint32_t i = 0; i < model->history_count; i++) {
            LutraEpochRecord record = model->history[i];
            values[i] = *column_value(&record, column);
        }
        LUTRA_TRY_GOTO(status, lutra_h5_write(file, COLUMNS[column].path, values, LUTRA_H5_F64, 1,
                                              dims, error));
    }
done:
    lutra_free(&values);
    lutra_free(&epochs);
    return status;
}

static LutraStatus read_history(LutraModel *model, LutraH5 *file, LutraError *error) {
    LutraH5Shape shape = {0};
    uint32_t *epochs = NULL;
    double *values = NULL;
    LutraStatus status = LUTRA_OK;
    if (!lutra_h5_has(file, "history/epoch")) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_h5_shape(&shape, file, "history/epoch", error));
    if (shape.rank != 1 || shape.dims[0] < 1 || shape.dims[0] > MAX_EPOCHS) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': 'history/epoch' should have 1 to %d "
                               "entries", lutra_h5_path(file), MAX_EPOCHS);
    }
    const uint32_t count = (uint32_t)shape.dims[0];
    LUTRA_TRY_GOTO(status, lutra_alloc(&epochs, count, sizeof *epochs, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&values, count, sizeof *values, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&model->history, count, sizeof *model->history, error));
    LUTRA_TRY_GOTO(status, lutra_h5_read(file, "history/epoch", epochs, LUTRA_H5_U32, 1,
                                         shape.dims, error));
    for (size_t column = 0; column < HISTORY_COLUMNS; column++) {
        LUTRA_TRY_GOTO(status, lutra_h5_read(file, COLUMNS[column].path, values, LUTRA_H5_F64, 1,
                                             shape.dims, error));
        for (uint32_t i = 0; i < count; i++) {
            model->history[i].epoch = epochs[i];
            *column_value(&model->history[i], column) = values[i];
        }
    }
    model->history_count = count;
done:
    lutra_free(&values);
    lutra_free(&epochs);
    return status;
}

/* ---- whole models ---- */

static LutraStatus write_codes(bool *exact, const LayerArray *array, LutraH5 *file,
                               LutraError *error) {
    const uint64_t one = 1;
    int8_t *codes = NULL;
    float largest = 0.0f;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_alloc(&codes, array->count, sizeof *codes, error));
    *exact = lutra_weights_pack(codes, &largest, array->quantizer, *array->values, array->count);
    if (*exact && array->quantizer->scale == LUTRA_WEIGHT_SCALE_MAX) {
        LUTRA_TRY_GOTO(status, lutra_h5_write(file, array->largest_path, &largest, LUTRA_H5_F32, 1,
                                              &one, error));
    }
    if (*exact) {
        LUTRA_TRY_GOTO(status, lutra_h5_write(file, array->codes_path, codes, LUTRA_H5_I8,
                                              array->shape.rank, array->shape.dims, error));
    }
done:
    lutra_free(&codes);
    return status;
}

/* @param kept  NULL: no codes */
static LutraStatus write_groups(const LutraModel *model, uint32_t *kept, LutraH5 *file,
                                LutraError *error) {
    LUTRA_TRY(lutra_h5_write_text(file, "", "format", FORMAT, error));
    LUTRA_TRY(lutra_h5_write_text(file, "", "network", model->network.text, error));
    LUTRA_TRY(lutra_h5_write_text(file, "", "provenance", model->provenance, error));
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        LayerArray arrays[LAYER_ARRAYS];
        LutraLayerParameters parameters = model->layers[i];
        const size_t count = list_arrays(arrays, &model->network.layers[i], i, &parameters);
        for (size_t a = 0; a < count; a++) {
            bool exact = false;
            if (kept != NULL && arrays[a].quantizer != NULL) {
                LUTRA_TRY(write_codes(&exact, &arrays[a], file, error));
                *kept += exact ? 0u : 1u;
            }
            if (exact) {
                continue;
            }
            LUTRA_TRY(lutra_h5_write(file, arrays[a].path, *arrays[a].values, LUTRA_H5_F32,
                                     arrays[a].shape.rank, arrays[a].shape.dims, error));
        }
    }
    return write_history(model, file, error);
}

LutraStatus lutra_model_write_groups(const LutraModel *model, LutraH5 *file, LutraError *error) {
    return write_groups(model, NULL, file, error);
}

/* Whether the file holds codes in place of the array itself. */
static bool is_packed(const LayerArray *array, const LutraH5 *file) {
    return array->quantizer != NULL && !lutra_h5_has(file, array->path) &&
           lutra_h5_has(file, array->codes_path);
}

/* All arrays are there in the shapes that the network asks for: before anything is allocated. */
static LutraStatus check_shapes(const LutraNetwork *network, LutraH5 *file, LutraError *error) {
    for (uint32_t i = 0; i < network->layer_count; i++) {
        LayerArray arrays[LAYER_ARRAYS];
        LutraLayerParameters none = {0};
        const size_t count = list_arrays(arrays, &network->layers[i], i, &none);
        for (size_t a = 0; a < count; a++) {
            const LutraH5Shape *wanted = &arrays[a].shape;
            LutraH5Shape shape = {0};
            const bool packed = is_packed(&arrays[a], file);
            const char *path = packed ? arrays[a].codes_path : arrays[a].path;
            LUTRA_TRY(lutra_h5_shape(&shape, file, path, error));
            bool equal = shape.rank == wanted->rank &&
                         shape.type == (packed ? LUTRA_H5_I8 : wanted->type);
            for (uint32_t r = 0; equal && r < wanted->rank; r++) {
                equal = shape.dims[r] == wanted->dims[r];
            }
            if (!equal) {
                return lutra_error_set(error, LUTRA_EDATA, "'%s': array '%s' has not the shape "
                                       "that its network asks for", lutra_h5_path(file), path);
            }
        }
    }
    return LUTRA_OK;
}

static LutraStatus read_codes(const LayerArray *array, LutraH5 *file, LutraError *error) {
    const LutraWeightQuantizer *quantizer = array->quantizer;
    const uint64_t one = 1;
    int8_t *codes = NULL;
    float largest = 0.0f;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_alloc(&codes, array->count, sizeof *codes, error));
    LUTRA_TRY_GOTO(status, lutra_h5_read(file, array->codes_path, codes, LUTRA_H5_I8,
                                         array->shape.rank, array->shape.dims, error));
    if (quantizer->scale == LUTRA_WEIGHT_SCALE_MAX) {
        LUTRA_TRY_GOTO(status, lutra_h5_read(file, array->largest_path, &largest, LUTRA_H5_F32, 1,
                                             &one, error));
    }
    if (!isfinite(largest) || largest < 0.0f) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s': '%s' should be finite and not negative",
                                 lutra_h5_path(file), array->largest_path);
        goto done;
    }
    for (size_t i = 0; i < array->count; i++) {
        if (codes[i] < quantizer->code_min || codes[i] > quantizer->code_max) {
            status = lutra_error_set(error, LUTRA_EDATA, "'%s': array '%s' holds %d at index %zu; "
                                     "its network has codes %d .. %d", lutra_h5_path(file),
                                     array->codes_path, codes[i], i, quantizer->code_min,
                                     quantizer->code_max);
            goto done;
        }
    }
    lutra_weights_unpack(*array->values, quantizer, codes, array->count, largest);
done:
    lutra_free(&codes);
    return status;
}

static LutraStatus read_array(const LayerArray *array, LutraH5 *file, LutraError *error) {
    if (is_packed(array, file)) {
        return read_codes(array, file, error);
    }
    float *values = *array->values;
    LUTRA_TRY(lutra_h5_read(file, array->path, values, LUTRA_H5_F32, array->shape.rank,
                            array->shape.dims, error));
    for (size_t i = 0; i < array->count; i++) {
        if (!isfinite(values[i]) || (!array->negative && values[i] < 0.0f)) {
            return lutra_error_set(error, LUTRA_EDATA, "'%s': array '%s' holds %s at index %zu",
                                   lutra_h5_path(file), array->path,
                                   isfinite(values[i]) ? "a negative value"
                                                       : "a value that is not finite", i);
        }
    }
    return LUTRA_OK;
}

static LutraStatus read_arrays(LutraModel *model, LutraH5 *file, LutraError *error) {
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        LayerArray arrays[LAYER_ARRAYS];
        const size_t count = list_arrays(arrays, &model->network.layers[i], i, &model->layers[i]);
        for (size_t a = 0; a < count; a++) {
            LUTRA_TRY(read_array(&arrays[a], file, error));
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_model_read_groups(LutraModel *model, LutraH5 *file, LutraError *error) {
    LutraModel built = {0};
    LutraNetwork network = {0};
    char *format = NULL;
    char *text = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_h5_read_text(&format, file, "", "format", error));
    if (strcmp(format, FORMAT) != 0) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s' is not a model: its format is '%.60s', "
                                 "not '%s'", lutra_h5_path(file), format, FORMAT);
        goto done;
    }
    LUTRA_TRY_GOTO(status, lutra_h5_read_text(&text, file, "", "network", error));
    LUTRA_TRY_GOTO(status, lutra_network_parse(&network, text, lutra_h5_path(file), error));
    LUTRA_TRY_GOTO(status, check_shapes(&network, file, error));
    LUTRA_TRY_GOTO(status, lutra_model_create(&built, &network, 0, error));
    lutra_free(&built.provenance);
    LUTRA_TRY_GOTO(status, lutra_h5_read_text(&built.provenance, file, "", "provenance", error));
    LUTRA_TRY_GOTO(status, read_arrays(&built, file, error));
    LUTRA_TRY_GOTO(status, read_history(&built, file, error));
    *model = built;
    built = (LutraModel){0};
done:
    lutra_network_deinit(&network);
    lutra_model_deinit(&built);
    lutra_free(&text);
    lutra_free(&format);
    return status;
}

static LutraStatus write_file(const LutraModel *model, const char *path, bool force,
                              uint32_t *kept, LutraError *error) {
    LutraH5 *file = NULL;
    LUTRA_TRY(lutra_h5_create(&file, path, force, error));
    const LutraStatus status = write_groups(model, kept, file, error);
    if (status != LUTRA_OK) {
        lutra_h5_close(&file);
        return status;
    }
    return lutra_h5_commit(&file, error);
}

LutraStatus lutra_model_write(const LutraModel *model, const char *path, bool force,
                              LutraError *error) {
    return write_file(model, path, force, NULL, error);
}

LutraStatus lutra_model_write_packed(const LutraModel *model, const char *path, bool force,
                                     uint32_t *kept, LutraError *error) {
    uint32_t count = 0;
    LUTRA_TRY(write_file(model, path, force, &count, error));
    *kept = count;
    return LUTRA_OK;
}

LutraStatus lutra_model_read(LutraModel *model, const char *path, LutraError *error) {
    LutraH5 *file = NULL;
    LUTRA_TRY(lutra_h5_open(&file, path, error));
    const LutraStatus status = lutra_model_read_groups(model, file, error);
    lutra_h5_close(&file);
    return status;
}
