/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back. `now` always holds the gradient by the real values of the integers that layer
 * `at` gives; each step turns it into that of the layer it reads.
 */
#include <string.h>

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

/* In place: gradient of the activation's real values to that of what it reads. */
static void backward_activation(LutraExecution *x, uint32_t layer, float *now) {
    const LutraLayerState *state = &x->layers[layer];
    const LutraChannelBatch batch = lutra_execution_channels(x, layer);
    const bool normed = x->model->network.layers[layer - 1].kind == LUTRA_LAYER_BATCH_NORM;
    LutraLayerGradients *norm = normed ? &x->gradients[layer - 1] : NULL;
    lutra_activation_backward(now, normed ? norm->gamma : NULL, normed ? norm->beta : NULL,
                              x->layers[state->source].sums, state->functions, &batch);
    float *bias = x->gradients[state->source].bias;
    /* a norm takes out whatever is constant in a channel: a bias before one keeps its gradient 0 */
    if (bias != NULL && !normed) {
        lutra_channel_totals(bias, now, &batch);
    }
}

/* Weights always fit there; what the layer reads should, too. */
static bool runs_on_halves(const LutraExecution *x, const LutraLayerState *state) {
    const LutraLayerState *source = &x->layers[state->source];
    return x->halves.fast && source->bytes != NULL &&
           source->bound <= (double)LUTRA_HALF_LARGEST;
}

static void backward_weighted(LutraExecution *x, uint32_t layer, const float *now, float *next) {
    const LutraLayerState *state = &x->layers[layer];
    const LutraConvShape shape = lutra_execution_conv_shape(x, layer, x->images);
    const LutraConvWorkspace workspace = lutra_execution_workspace(x);
    if (runs_on_halves(x, state)) {
        lutra_half_weight_gradient(x->gradients[layer].weights, &shape,
                                   lutra_execution_source(x, layer), now, state->pending.step,
                                   &x->halves, &workspace);
        if (state->source > 0) {
            lutra_half_input_gradient(next, &shape, state->weight_codes, now,
                                      state->pending.weight_scale, &x->halves, &workspace);
        }
        return;
    }
    lutra_conv_weight_gradient(x->gradients[layer].weights, &shape,
                               lutra_execution_source(x, layer), now, state->pending.step,
                               &workspace);
    if (state->source > 0) {
        lutra_conv_input_gradient(next, &shape, state->weight_codes, now,
                                  state->pending.weight_scale, &workspace);
    }
}

void lutra_execution_backward(LutraExecution *execution) {
    LUTRA_ASSERT(execution->mode == LUTRA_RUN_TRAINING && execution->images > 0);
    backward_end(execution);
    int now = 0;
    for (uint32_t i = execution->last_weighted; i > 0; i = execution->layers[i].source) {
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
            if (execution->layers[i].source > 0) {
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
            !all_finite(values->beta, norms) || !all_finite(gradients->beta, norms)) {
            return (int64_t)i;
        }
    }
    return -1;
}
