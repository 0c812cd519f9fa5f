/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back. `now` always holds the gradient by the real values of the integers that layer
 * `at` gives; each step turns it into that of the layer it reads.
 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "quant/input_codes.h"
#include "train/execution_priv.h"
#include "train/loss.h"

/* From the logit gradient to that of the last linear layer's real values, in back[0]. */
static void backward_end(LutraExecution *x) {
    const LutraNetwork *network = &x->model->network;
    const uint32_t last = network->layer_count - 1;
    const size_t count = (size_t)network->class_count * x->images;
    memcpy(x->back[0], x->logit_gradient, count * sizeof(float));
    if (network->layers[last].kind == LUTRA_LAYER_TENSOR_NORM) {
        const LutraLayerState *state = &x->layers[last];
        lutra_tensor_norm_backward(x->back[0], x->gradients[last].gamma, x->gradients[last].beta,
                                   x->values, count, state->mean[0], state->inverse_deviation,
                                   x->model->layers[last].gamma[0]);
    }
    if (x->gradients[x->last_weighted].bias != NULL) {
        const LutraChannelBatch batch = {network->class_count, x->images, &x->kernels,
                                         x->settings.threads};
        lutra_channel_totals(x->gradients[x->last_weighted].bias, x->back[0], &batch);
    }
}

/* What the step gradients of all channels make of the threshold's. */
static void set_threshold_gradient(LutraExecution *x, uint32_t layer) {
    const LutraLayer *described = &x->model->network.layers[layer];
    const LutraLayerState *state = &x->layers[layer];
    double total = 0.0;
    for (uint32_t c = 0; c < described->shape.channels; c++) {
        total += state->step_gradients[c];
    }
    x->gradients[layer].threshold[0] =
        state->measuring ? 0.0f : (float)(total / (double)described->coding.divisor);
}

/* In place: gradient of the activation's real values to that of what it reads. */
static void backward_activation(LutraExecution *x, uint32_t layer, float *now) {
    const LutraLayerState *state = &x->layers[layer];
    const LutraChannelBatch batch = lutra_execution_channels(x, layer);
    const bool normed = x->model->network.layers[layer - 1].kind == LUTRA_LAYER_BATCH_NORM;
    LutraLayerGradients *norm = normed ? &x->gradients[layer - 1] : NULL;
    if (state->step_gradients != NULL) {
        lutra_activation_step_gradients(state->step_gradients, now, x->layers[state->source].sums,
                                        state->functions, &batch);
        set_threshold_gradient(x, layer);
    }
    lutra_activation_backward(now, normed ? norm->gamma : NULL, normed ? norm->beta : NULL,
                              x->layers[state->source].sums, state->functions, &batch);
    float *bias = x->gradients[state->source].bias;
    /* a norm takes out whatever is constant in a channel: a bias before one keeps its gradient 0 */
    if (bias != NULL && !normed) {
        lutra_channel_totals(bias, now, &batch);
    }
}

/* The gradient of one channel's input codes by the step. */
typedef struct {
    const LutraInputLayer *input;
    const LutraLayerState *state;
    const float *gradient;
    size_t count;
} InputJob;

static void input_unit(void *user, size_t channel, uint32_t worker) {
    const InputJob *job = user;
    const LutraQuantizer *quantizer = &job->state->quantizer;
    const uint8_t *pixels = job->state->pixels + (channel * job->count);
    const float *gradient = job->gradient + (channel * job->count);
    float lost[256];
    double total = 0.0;
    (void)worker;
    for (uint32_t pixel = 0; pixel < 256; pixel++) {
        const float x = lutra_pixel_value(job->input, (uint32_t)channel, pixel);
        const float code = (float)lutra_quantizer_code(quantizer, x);
        lost[pixel] = lutra_quantizer_passes(quantizer, x) ? code - (x / quantizer->step) : code;
    }
    for (size_t i = 0; i < job->count; i++) {
        total += (double)(gradient[i] * lost[pixels[i]]);
    }
    job->state->step_gradients[channel] = total;
}

static void backward_input(LutraExecution *x, const float *now) {
    const LutraChannelBatch batch = lutra_execution_channels(x, 0);
    InputJob job = {&x->model->network.layers[0].u.input, &x->layers[0], now, batch.count};
    lutra_parallel_for(batch.threads, batch.channels, input_unit, &job);
    set_threshold_gradient(x, 0);
}

/* What one row of weights says about a scale that is the maximum of all. */
typedef struct {
    const float *gradient;
    const float *weights;
    const LutraLayerState *state;
    size_t fan_in;
} PullJob;

static void pull_unit(void *user, size_t row, uint32_t worker) {
    const PullJob *job = user;
    const size_t first = row * job->fan_in;
    double total = 0.0;
    (void)worker;
    for (size_t i = first; i < first + job->fan_in; i++) {
        const float lost =
            job->state->weight_codes[i] - (job->weights[i] / job->state->weight_scale);
        total += (double)(job->gradient[i] * lost);
    }
    job->state->row_pulls[row] = total;
}

/* Adds the gradient of the scale to that of the largest weights, in equal shares. */
static void pull_largest(LutraExecution *x, uint32_t layer) {
    const LutraLayer *described = &x->model->network.layers[layer];
    const float *weights = x->model->layers[layer].weights;
    float *gradient = x->gradients[layer].weights;
    const size_t count = lutra_layer_weight_count(described);
    const size_t rows = described->shape.channels;
    const LutraLayerState *state = &x->layers[layer];
    PullJob job = {gradient, weights, state, count / rows};
    float largest = 0.0f;
    double total = 0.0;
    size_t ties = 0;
    lutra_parallel_for(x->settings.threads, rows, pull_unit, &job);
    for (size_t r = 0; r < rows; r++) {
        total += state->row_pulls[r];
    }
    for (size_t i = 0; i < count; i++) {
        const float magnitude = fabsf(weights[i]);
        ties = magnitude > largest ? 1 : ties + (magnitude == largest ? 1 : 0);
        largest = magnitude > largest ? magnitude : largest;
    }
    if (!(largest > 0.0f)) {
        return; /* the scale is 1 whatever the weights */
    }
    const double share =
        total / (double)described->u.weighted.quantizer.code_max / (double)ties;
    for (size_t i = 0; i < count; i++) {
        if (fabsf(weights[i]) == largest) {
            gradient[i] += (float)(weights[i] > 0.0f ? share : -share);
        }
    }
}

typedef enum { GRADIENT_SINGLE, GRADIENT_HALF, GRADIENT_SMALL } GradientKind;

/* What the products of a layer can be made in. */
static GradientKind gradient_kind(const LutraExecution *x, uint32_t layer,
                                  const LutraConvShape *shape) {
    const LutraLayerState *state = &x->layers[layer];
    const LutraLayerState *source = &x->layers[state->source];
    const LutraLayer *described = &x->model->network.layers[layer];
    if (x->small.fast && source->bytes != NULL && state->weight_codes != NULL &&
        described->u.weighted.quantizer.code_max <= LUTRA_SMALL_LARGEST &&
        described->u.weighted.quantizer.code_min >= -LUTRA_SMALL_LARGEST &&
        lutra_small_sums_fit(shape, x->settings.threads)) {
        return GRADIENT_SMALL;
    }
    /* real numbers have no bound: they are rounded */
    return x->halves.fast && source->bound <= (double)LUTRA_HALF_LARGEST ? GRADIENT_HALF
                                                                         : GRADIENT_SINGLE;
}

static void backward_weighted(LutraExecution *x, uint32_t layer, const float *now, float *next) {
    const LutraLayerState *state = &x->layers[layer];
    const LutraConvShape shape = lutra_execution_conv_shape(x, layer, x->images);
    const LutraConvWorkspace workspace = lutra_execution_workspace(x);
    const LutraConvInput input = lutra_execution_source(x, layer);
    const float *weights = lutra_execution_weights(x, layer);
    const float step = state->pending.step;
    const float scale = state->pending.weight_scale;
    float *gradient = x->gradients[layer].weights;
    const GradientKind kind = gradient_kind(x, layer, &shape);
    uint32_t words[4] = {0};
    if (kind == GRADIENT_SMALL) {
        const LutraRandomKey key = {x->draw_seed, LUTRA_STREAM_GRADIENT_ROUNDING, layer};
        lutra_random_words(words, key, x->draw_step, 0);
        lutra_small_weight_gradient(gradient, &shape, input, now, step,
                                    (LutraGradientDraws){words[0], words[1]}, &x->small,
                                    &workspace);
    } else if (kind == GRADIENT_HALF) {
        lutra_half_weight_gradient(gradient, &shape, input, now, step, &x->halves, &workspace);
    } else {
        lutra_conv_weight_gradient(gradient, &shape, input, now, step, &workspace);
    }
    if (state->row_pulls != NULL) {
        pull_largest(x, layer);
    }
    if (!lutra_execution_goes_back(x, state->source)) {
        return;
    }
    if (kind == GRADIENT_SMALL) {
        lutra_small_input_gradient(next, &shape, weights, now, scale,
                                   (LutraGradientDraws){words[2], words[3]}, &x->small,
                                   &workspace);
    } else if (kind == GRADIENT_HALF) {
        lutra_half_input_gradient(next, &shape, weights, now, scale, &x->halves, &workspace);
    } else {
        lutra_conv_input_gradient(next, &shape, weights, now, scale, &workspace);
    }
}

void lutra_execution_backward(LutraExecution *execution) {
    LUTRA_ASSERT(execution->mode == LUTRA_RUN_TRAINING && execution->images > 0);
    backward_end(execution);
    int now = 0;
    uint32_t i = execution->last_weighted;
    for (; i > 0 && lutra_execution_goes_back(execution, i); i = execution->layers[i].source) {
        float *here = execution->back[now];
        float *next = execution->back[1 - now];
        switch (execution->model->network.layers[i].kind) {
        case LUTRA_LAYER_ACTIVATION:
            backward_activation(execution, i, here);
            break;
        case LUTRA_LAYER_CONV:
        case LUTRA_LAYER_LINEAR:
            backward_weighted(execution, i, here, next);
            now = 1 - now;
            break;
        case LUTRA_LAYER_AVERAGE_POOL:
            if (lutra_execution_goes_back(execution, execution->layers[i].source)) {
                const LutraPoolShape shape =
                    lutra_execution_pool_shape(execution, i, execution->images);
                lutra_pool_backward(next, &shape, here);
            }
            now = 1 - now;
            break;
        case LUTRA_LAYER_MAX_POOL: {
            const LutraPoolShape shape =
                lutra_execution_pool_shape(execution, i, execution->images);
            lutra_max_pool_backward(next, &shape, here,
                                    execution->layers[execution->layers[i].source].bytes);
            now = 1 - now;
            break;
        }
        case LUTRA_LAYER_INPUT:
        case LUTRA_LAYER_BATCH_NORM:
        case LUTRA_LAYER_TENSOR_NORM:
            break;
        }
    }
    if (i == 0 && lutra_execution_goes_back(execution, 0)) {
        backward_input(execution, execution->back[now]);
    }
}

static bool all_finite(const float *values, size_t count) {
    const uint32_t exponent = 0x7F800000u; /* all ones in NaN and infinity only */
    uint32_t bad = 0;
    for (size_t i = 0; values != NULL && i < count; i++) {
        uint32_t bits = 0;
        memcpy(&bits, &values[i], sizeof bits);
        bad |= (bits & exponent) == exponent ? 1u : 0u;
    }
    return bad == 0;
}

int64_t lutra_execution_first_bad_layer(const LutraExecution *execution) {
    const LutraNetwork *network = &execution->model->network;
    for (uint32_t i = network->layer_count; i-- > 0;) {
        const LutraLayer *layer = &network->layers[i];
        const LutraLayerGradients *gradients = &execution->gradients[i];
        const LutraLayerParameters *values = &execution->model->layers[i];
        const size_t weights = lutra_layer_weight_count(layer);
        const size_t norms = lutra_layer_norm_count(layer);
        const size_t channels = layer->shape.channels;
        if (!all_finite(values->weights, weights) || !all_finite(gradients->weights, weights) ||
            !all_finite(values->bias, channels) || !all_finite(gradients->bias, channels) ||
            !all_finite(values->gamma, norms) || !all_finite(gradients->gamma, norms) ||
            !all_finite(values->beta, norms) || !all_finite(gradients->beta, norms) ||
            !all_finite(values->threshold, 1) || !all_finite(gradients->threshold, 1)) {
            return (int64_t)i;
        }
    }
    return -1;
}
