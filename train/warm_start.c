/* SPDX-License-Identifier: Apache-2.0 */
#include "train/warm_start.h"

#include <string.h>

static bool has_numbers(const LutraLayer *layer) {
    return lutra_layer_weight_count(layer) > 0 || lutra_layer_norm_count(layer) > 0;
}

/* Index of the layer of this name, or the layer count. */
static uint32_t find_layer(const LutraNetwork *network, const char *name) {
    uint32_t i = 0;
    while (i < network->layer_count && strcmp(network->layers[i].name, name) != 0) {
        i++;
    }
    return i;
}

static LutraStatus check_layer(const LutraLayer *layer, const LutraLayer *other,
                               LutraError *error) {
    if (layer->kind != other->kind) {
        return lutra_error_set(error, LUTRA_EDATA, "layer '%s' is %s, but %s in the model to begin "
                               "with", layer->name, lutra_layer_kind_name(layer->kind),
                               lutra_layer_kind_name(other->kind));
    }
    const size_t own = lutra_layer_weight_count(layer) + lutra_layer_norm_count(layer);
    const size_t theirs = lutra_layer_weight_count(other) + lutra_layer_norm_count(other);
    if (own != theirs || layer->shape.channels != other->shape.channels) {
        return lutra_error_set(error, LUTRA_EDATA, "layer '%s' has %zu numbers, but %zu in the "
                               "model to begin with", layer->name, own, theirs);
    }
    return LUTRA_OK;
}

static void copy(float *to, const float *from, size_t count) {
    if (to != NULL && from != NULL) {
        memcpy(to, from, count * sizeof *to);
    }
}

static void copy_layer(LutraLayerParameters *to, const LutraLayerParameters *from,
                       const LutraLayer *layer) {
    const size_t norms = lutra_layer_norm_count(layer);
    copy(to->weights, from->weights, lutra_layer_weight_count(layer));
    copy(to->bias, from->bias, layer->shape.channels);
    copy(to->gamma, from->gamma, norms);
    copy(to->beta, from->beta, norms);
    copy(to->running_mean, from->running_mean, norms);
    copy(to->running_variance, from->running_variance, norms);
}

LutraStatus lutra_warm_start(LutraModel *model, const LutraModel *from, uint32_t *copied,
                             uint32_t *kept, LutraError *error) {
    const LutraNetwork *network = &model->network;
    uint32_t found = 0;
    uint32_t missing = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const uint32_t j = find_layer(&from->network, network->layers[i].name);
        if (has_numbers(&network->layers[i]) && j < from->network.layer_count) {
            LUTRA_TRY(check_layer(&network->layers[i], &from->network.layers[j], error));
            found++;
        } else if (has_numbers(&network->layers[i])) {
            missing++;
        }
    }
    if (found == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "network '%s' has no layer of network '%s'",
                               network->name, from->network.name);
    }
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const uint32_t j = find_layer(&from->network, network->layers[i].name);
        if (has_numbers(&network->layers[i]) && j < from->network.layer_count) {
            copy_layer(&model->layers[i], &from->layers[j], &network->layers[i]);
        } else if (j < from->network.layer_count) {
            copy(model->layers[i].threshold, from->layers[j].threshold, 1);
            copy(model->layers[i].threshold_batches, from->layers[j].threshold_batches, 1);
        }
    }
    if (copied != NULL) {
        *copied = found;
    }
    if (kept != NULL) {
        *kept = missing;
    }
    return LUTRA_OK;
}
