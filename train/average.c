/* SPDX-License-Identifier: Apache-2.0 */
#include "train/average.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum { UNIT_ELEMENTS = 16384 };

LutraStatus lutra_average_init(LutraAverage *average, const LutraModel *model, LutraError *error) {
    LutraAverage made = {.layer_count = model->network.layer_count};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.values, made.layer_count, sizeof *made.values, error));
    for (uint32_t i = 0; i < made.layer_count; i++) {
        LUTRA_TRY_GOTO(status, lutra_layer_gradients_init(&made.values[i], model, i, error));
    }
    *average = made;
    return LUTRA_OK;
done:
    lutra_average_deinit(&made);
    return status;
}

void lutra_average_deinit(LutraAverage *average) {
    for (uint32_t i = 0; average->values != NULL && i < average->layer_count; i++) {
        lutra_layer_gradients_deinit(&average->values[i]);
    }
    lutra_free(&average->values);
    *average = (LutraAverage){0};
}

typedef struct {
    float *average;
    const float *values;
    size_t count;
    float keep;
    float take;
} Job;

static void unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t from = index * UNIT_ELEMENTS;
    const size_t end = from + UNIT_ELEMENTS < job->count ? from + UNIT_ELEMENTS : job->count;
    (void)worker;
    for (size_t i = from; i < end; i++) {
        job->average[i] = (job->keep * job->average[i]) + (job->take * job->values[i]);
    }
}

static void step_array(float *average, const float *values, size_t count, double keep, bool first,
                       uint32_t threads) {
    if (average == NULL || values == NULL) {
        return;
    }
    if (first) {
        memcpy(average, values, count * sizeof *average);
        return;
    }
    Job job = {average, values, count, (float)keep, (float)(1.0 - keep)};
    lutra_parallel_for(threads, (count + UNIT_ELEMENTS - 1) / UNIT_ELEMENTS, unit, &job);
}

void lutra_average_step(LutraAverage *average, const LutraModel *model, double keep,
                        uint32_t threads) {
    const bool first = average->steps == 0;
    for (uint32_t i = 0; i < average->layer_count; i++) {
        const LutraLayer *layer = &model->network.layers[i];
        const LutraLayerParameters *values = &model->layers[i];
        const LutraLayerGradients *mean = &average->values[i];
        const size_t norms = lutra_layer_norm_count(layer);
        step_array(mean->weights, values->weights, lutra_layer_weight_count(layer), keep, first,
                   threads);
        step_array(mean->bias, values->bias, layer->shape.channels, keep, first, threads);
        step_array(mean->gamma, values->gamma, norms, keep, first, threads);
        step_array(mean->beta, values->beta, norms, keep, first, threads);
        step_array(mean->threshold, values->threshold, 1, keep, first, threads);
    }
    average->steps++;
}

static void exchange(float **a, float **b) {
    float *kept = *a;
    *a = *b;
    *b = kept;
}

void lutra_average_exchange(LutraAverage *average, LutraModel *model) {
    for (uint32_t i = 0; i < average->layer_count; i++) {
        exchange(&average->values[i].weights, &model->layers[i].weights);
        exchange(&average->values[i].bias, &model->layers[i].bias);
        exchange(&average->values[i].gamma, &model->layers[i].gamma);
        exchange(&average->values[i].beta, &model->layers[i].beta);
        exchange(&average->values[i].threshold, &model->layers[i].threshold);
    }
}
