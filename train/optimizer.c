/* SPDX-License-Identifier: Apache-2.0 */
#include "train/optimizer.h"

#include <math.h>

#include "base/memory.h"
#include "base/parallel.h"

enum { UNIT_ELEMENTS = 16384 };

LutraStatus lutra_optimizer_init(LutraOptimizer *optimizer, const LutraModel *model,
                                 const LutraOptimizerSettings *settings, LutraError *error) {
    LutraOptimizer made = {.settings = *settings, .layer_count = model->network.layer_count};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.first, made.layer_count, sizeof *made.first, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.second, made.layer_count, sizeof *made.second, error));
    for (uint32_t i = 0; i < made.layer_count; i++) {
        LUTRA_TRY_GOTO(status, lutra_layer_gradients_init(&made.first[i], model, i, error));
        if (settings->kind != LUTRA_OPTIMIZER_SGD) {
            LUTRA_TRY_GOTO(status, lutra_layer_gradients_init(&made.second[i], model, i, error));
        }
    }
    *optimizer = made;
    return LUTRA_OK;
done:
    lutra_optimizer_deinit(&made);
    return status;
}

static void free_moments(LutraLayerGradients **moments, uint32_t layers) {
    for (uint32_t i = 0; *moments != NULL && i < layers; i++) {
        lutra_layer_gradients_deinit(&(*moments)[i]);
    }
    lutra_free(moments);
}

void lutra_optimizer_deinit(LutraOptimizer *optimizer) {
    free_moments(&optimizer->first, optimizer->layer_count);
    free_moments(&optimizer->second, optimizer->layer_count);
    *optimizer = (LutraOptimizer){0};
}

/* One array and its moments. */
typedef struct {
    float *values;
    const float *gradient;
    float *first;
    float *second;
    size_t count;
    const LutraTrainKernels *kernels;
    LutraAdamStep step;
    bool adam;
} Job;

static void descend(float *values, float *first, const float *gradient, size_t count,
                    const LutraAdamStep *step) {
    for (size_t i = 0; i < count; i++) {
        const float g = gradient[i] + (values[i] * step->decay);
        first[i] = (first[i] * step->first_keep) + g;
        const float value = values[i] - (step->rate * first[i]);
        values[i] = value < -step->limit ? -step->limit : value > step->limit ? step->limit : value;
    }
}

static void unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t from = index * UNIT_ELEMENTS;
    const size_t left = job->count - from;
    const size_t count = left < UNIT_ELEMENTS ? left : UNIT_ELEMENTS;
    (void)worker;
    if (job->adam) {
        job->kernels->adam(job->values + from, job->first + from, job->second + from,
                           job->gradient + from, count, &job->step);
    } else {
        descend(job->values + from, job->first + from, job->gradient + from, count, &job->step);
    }
}

static void update(Job job, float *values, const float *gradient, float *first, float *second,
                   size_t count, uint32_t threads) {
    if (values == NULL || gradient == NULL || !(job.step.rate > 0.0f)) {
        return;
    }
    job.values = values;
    job.gradient = gradient;
    job.first = first;
    job.second = second;
    job.count = count;
    lutra_parallel_for(threads, (count + UNIT_ELEMENTS - 1) / UNIT_ELEMENTS, unit, &job);
}

static LutraAdamStep step_of(const LutraOptimizer *optimizer, double rate) {
    const LutraOptimizerSettings *settings = &optimizer->settings;
    const double steps = (double)optimizer->steps;
    if (settings->kind == LUTRA_OPTIMIZER_SGD) {
        return (LutraAdamStep){
            .first_keep = (float)settings->momentum, .rate = (float)rate, .limit = HUGE_VALF};
    }
    return (LutraAdamStep){
        .first_keep = (float)settings->first_decay,
        .first_take = (float)(1.0 - settings->first_decay),
        .second_keep = (float)settings->second_decay,
        .second_take = (float)(1.0 - settings->second_decay),
        .second_correction = (float)sqrt(1.0 - pow(settings->second_decay, steps)),
        .epsilon = (float)settings->epsilon,
        .shrink = 1.0f,
        .rate = (float)(rate / (1.0 - pow(settings->first_decay, steps))),
        .limit = HUGE_VALF,
    };
}

void lutra_optimizer_step(LutraOptimizer *optimizer, LutraModel *model,
                          const LutraLayerGradients *gradients, const LutraLayerSteps *layer_steps,
                          double rate, const LutraTrainKernels *kernels, uint32_t threads) {
    optimizer->steps++;
    for (uint32_t i = 0; i < optimizer->layer_count; i++) {
        const LutraLayer *layer = &model->network.layers[i];
        LutraLayerParameters *values = &model->layers[i];
        const LutraLayerGradients *first = &optimizer->first[i];
        const LutraLayerGradients *second = &optimizer->second[i];
        const size_t weights = lutra_layer_weight_count(layer);
        const size_t norms = lutra_layer_norm_count(layer);
        Job job = {.kernels = kernels, .adam = optimizer->settings.kind != LUTRA_OPTIMIZER_SGD};
        const double weight_rate = rate * layer_steps[i].weights;
        const double decay = optimizer->settings.weight_decay;
        job.step = step_of(optimizer, weight_rate);
        if (optimizer->settings.kind == LUTRA_OPTIMIZER_ADAMW) {
            job.step.shrink = (float)(1.0 - (weight_rate * decay));
        } else {
            job.step.decay = (float)decay;
        }
        if (weights > 0 && layer->u.weighted.quantizer.scale == LUTRA_WEIGHT_SCALE_FIXED) {
            job.step.limit = 1.0f;
        }
        update(job, values->weights, gradients[i].weights, first->weights, second->weights, weights,
               threads);
        job.step = step_of(optimizer, rate * layer_steps[i].others);
        update(job, values->bias, gradients[i].bias, first->bias, second->bias,
               layer->shape.channels, threads);
        update(job, values->gamma, gradients[i].gamma, first->gamma, second->gamma, norms, threads);
        update(job, values->beta, gradients[i].beta, first->beta, second->beta, norms, threads);
        update(job, values->threshold, gradients[i].threshold, first->threshold, second->threshold,
               1, threads);
        if (values->threshold != NULL && layer_steps[i].others > 0.0 &&
            values->threshold[0] < LUTRA_LEAST_THRESHOLD) { /* a NaN stays visible */
            values->threshold[0] = LUTRA_LEAST_THRESHOLD;
        }
    }
}

/* Not divided by the mean; 0 for a layer without weights. */
static double raw_glorot(const LutraLayer *layer) {
    if (lutra_layer_weight_count(layer) == 0) {
        return 0.0;
    }
    const LutraWeightLayer *weights = &layer->u.weighted;
    const double taps = (double)weights->kernel * (double)weights->kernel;
    return sqrt(((double)weights->in_channels + (double)weights->out_channels) * taps / 1.5);
}

double lutra_glorot_factor(const LutraNetwork *network, uint32_t layer) {
    const double own = raw_glorot(&network->layers[layer]);
    double total = 0.0;
    double count = 0.0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const double factor = raw_glorot(&network->layers[i]);
        total += factor;
        count += factor > 0.0 ? 1.0 : 0.0;
    }
    return own > 0.0 ? own * count / total : 1.0;
}

void lutra_weight_penalty_add(LutraLayerGradients *gradients, const LutraModel *model,
                              double lambda) {
    const float push = (float)lambda;
    for (uint32_t i = 0; push > 0.0f && i < model->network.layer_count; i++) {
        const float *weights = model->layers[i].weights;
        const size_t count = lutra_layer_weight_count(&model->network.layers[i]);
        for (size_t k = 0; k < count; k++) {
            const float sign = (float)((weights[k] > 0.0f) - (weights[k] < 0.0f));
            gradients[i].weights[k] += push * sign;
        }
    }
}
