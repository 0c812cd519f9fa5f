/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/model.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"

void lutra_model_deinit(LutraModel *model) {
    if (model->layers != NULL) {
        for (uint32_t i = 0; i < model->network.layer_count; i++) {
            LutraLayerParameters *layer = &model->layers[i];
            lutra_free(&layer->weights);
            lutra_free(&layer->bias);
            lutra_free(&layer->gamma);
            lutra_free(&layer->beta);
            lutra_free(&layer->running_mean);
            lutra_free(&layer->running_variance);
            lutra_free(&layer->threshold);
            lutra_free(&layer->threshold_batches);
        }
    }
    lutra_free(&model->layers);
    lutra_free(&model->history);
    lutra_free(&model->provenance);
    lutra_network_deinit(&model->network);
    *model = (LutraModel){0};
}

size_t lutra_layer_norm_count(const LutraLayer *layer) {
    switch (layer->kind) {
    case LUTRA_LAYER_BATCH_NORM:
        return layer->shape.channels;
    case LUTRA_LAYER_TENSOR_NORM:
        return 1;
    default:
        return 0;
    }
}

LutraQuantizer lutra_layer_quantizer(const LutraLayer *layer,
                                     const LutraLayerParameters *parameters) {
    LutraQuantizer quantizer = layer->kind == LUTRA_LAYER_INPUT ? layer->u.input.quantizer
                                                                : layer->u.activation;
    if (layer->coding.learned) {
        quantizer.step = parameters->threshold[0] / layer->coding.divisor;
    }
    return quantizer;
}

bool lutra_layer_is_unmeasured(const LutraLayer *layer, const LutraLayerParameters *parameters) {
    return layer->coding.learned && !(parameters->threshold[0] > 0.0f);
}

static void fill(float *values, size_t count, float value) {
    for (size_t i = 0; i < count; i++) {
        values[i] = value;
    }
}

static void fill_uniform(float *values, size_t count, float bound, LutraRandomKey key) {
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)((2.0 * lutra_random_uniform(key, i)) - 1.0) * bound;
    }
}

static float initial_bound(const LutraWeightLayer *layer) {
    if (layer->quantizer.scale == LUTRA_WEIGHT_SCALE_FIXED) {
        return 1.0f;
    }
    const float fan_in = (float)layer->in_channels * (float)(layer->kernel * layer->kernel);
    return sqrtf(6.0f / fan_in);
}

static LutraStatus create_layer(LutraLayerParameters *parameters, const LutraLayer *layer,
                                LutraRandomKey key, LutraError *error) {
    const size_t weights = lutra_layer_weight_count(layer);
    const size_t norms = lutra_layer_norm_count(layer);
    if (weights > 0) {
        LUTRA_TRY(lutra_alloc(&parameters->weights, weights, sizeof(float), error));
        fill_uniform(parameters->weights, weights, initial_bound(&layer->u.weighted), key);
        if (layer->u.weighted.bias) {
            LUTRA_TRY(lutra_alloc(&parameters->bias, layer->u.weighted.out_channels, sizeof(float),
                                  error));
        }
    }
    if (norms > 0) {
        LUTRA_TRY(lutra_alloc(&parameters->gamma, norms, sizeof(float), error));
        LUTRA_TRY(lutra_alloc(&parameters->beta, norms, sizeof(float), error));
        LUTRA_TRY(lutra_alloc(&parameters->running_mean, norms, sizeof(float), error));
        LUTRA_TRY(lutra_alloc(&parameters->running_variance, norms, sizeof(float), error));
        fill(parameters->gamma, norms, 1.0f);
        fill(parameters->running_variance, norms, 1.0f);
    }
    if (layer->coding.learned) {
        LUTRA_TRY(lutra_alloc(&parameters->threshold, 1, sizeof(float), error));
        LUTRA_TRY(lutra_alloc(&parameters->threshold_batches, 1, sizeof(float), error));
    }
    return LUTRA_OK;
}

LutraStatus lutra_model_create(LutraModel *model, LutraNetwork *network, uint64_t seed,
                               LutraError *error) {
    LutraModel built = {0};
    LutraStatus status = LUTRA_OK;
    built.network.layer_count = network->layer_count; /* so that deinit finds the layers */
    LUTRA_TRY_GOTO(status, lutra_alloc(&built.layers, network->layer_count,
                                       sizeof(LutraLayerParameters), error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&built.provenance, "{}", error));
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const LutraRandomKey key = {seed, LUTRA_STREAM_INIT, i};
        LUTRA_TRY_GOTO(status, create_layer(&built.layers[i], &network->layers[i], key, error));
    }
    built.network = *network;
    *network = (LutraNetwork){0};
    *model = built;
    built = (LutraModel){0};
done:
    lutra_model_deinit(&built);
    return status;
}
