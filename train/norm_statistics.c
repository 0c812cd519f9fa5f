/* SPDX-License-Identifier: Apache-2.0 */
#include "train/norm_statistics.h"

#include <string.h>

#include "base/memory.h"

LutraStatus lutra_statistics_keep(LutraKeptStatistics *kept, const LutraModel *model,
                                  LutraError *error) {
    LutraKeptStatistics made = {.layer_count = model->network.layer_count};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.values, made.layer_count, sizeof *made.values, error));
    for (uint32_t i = 0; i < made.layer_count; i++) {
        const size_t count = lutra_layer_norm_count(&model->network.layers[i]);
        if (count > 0) {
            LUTRA_TRY_GOTO(status, lutra_alloc(&made.values[i], 2 * count, sizeof(float), error));
            memcpy(made.values[i], model->layers[i].running_mean, count * sizeof(float));
            memcpy(made.values[i] + count, model->layers[i].running_variance,
                   count * sizeof(float));
        }
    }
    *kept = made;
    return LUTRA_OK;
done:
    lutra_statistics_deinit(&made);
    return status;
}

void lutra_statistics_restore(const LutraKeptStatistics *kept, LutraModel *model) {
    for (uint32_t i = 0; i < kept->layer_count; i++) {
        const size_t count = lutra_layer_norm_count(&model->network.layers[i]);
        if (count > 0) {
            memcpy(model->layers[i].running_mean, kept->values[i], count * sizeof(float));
            memcpy(model->layers[i].running_variance, kept->values[i] + count,
                   count * sizeof(float));
        }
    }
}

void lutra_statistics_deinit(LutraKeptStatistics *kept) {
    for (uint32_t i = 0; kept->values != NULL && i < kept->layer_count; i++) {
        lutra_free(&kept->values[i]);
    }
    lutra_free(&kept->values);
    *kept = (LutraKeptStatistics){0};
}

void lutra_statistics_batch(LutraModel *model, float *momentum, uint32_t batch) {
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        LutraLayer *layer = &model->network.layers[i];
        if (lutra_layer_norm_count(layer) > 0) {
            momentum[i] = batch == 0 ? layer->u.norm.momentum : momentum[i];
            layer->u.norm.momentum = 1.0f / (float)(batch + 1);
        }
    }
}

void lutra_statistics_end(LutraModel *model, const float *momentum) {
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        if (lutra_layer_norm_count(&model->network.layers[i]) > 0) {
            model->network.layers[i].u.norm.momentum = momentum[i];
        }
    }
}
