/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/parallel.h"
#include "quant/input_codes.h"
#include "train/execution_priv.h"
#include "train/rounding.h"
#include "train/loss.h"

/* The rows of a weight matrix, as parallel units see them. */
typedef struct {
    const LutraExecution *execution;
    const LutraWeightQuantizer *quantizer;
    const float *weights;
    LutraLayerState *state;
    float scale;
    size_t fan_in;
} RowsJob;

static void row_unit(void *user, size_t index, uint32_t worker) {
    const RowsJob *job = user;
    (void)worker;
    job->state->row_sums[index] = job->execution->kernels.weight_codes(
        job->state->weight_codes + (index * job->fan_in), job->weights + (index * job->fan_in),
        job->fan_in, job->quantizer, job->scale);
}

/* Fills everything about a layer's weights that does not depend on the batch. */
static void quantize_weights(LutraExecution *x, uint32_t layer) {
    const LutraLayer *described = &x->model->network.layers[layer];
    LutraLayerState *state = &x->layers[layer];
    const size_t rows = described->shape.channels;
    if (lutra_layer_is_float(described)) {
        state->weight_scale = 1.0f;
        state->largest_row = 0.0; /* no bound: real numbers */
        return;
    }
    RowsJob job = {.execution = x,
                   .quantizer = &described->u.weighted.quantizer,
                   .weights = x->model->layers[layer].weights,
                   .state = state,
                   .fan_in = lutra_layer_weight_count(described) / rows};
    job.scale = lutra_weight_scale(job.quantizer, job.weights, rows * job.fan_in);
    lutra_parallel_for(x->settings.threads, rows, row_unit, &job);
    state->weight_scale = job.scale;
    state->largest_row = 0.0;
    for (size_t r = 0; r < rows; r++) {
        const double sum = state->row_sums[r];
        state->largest_row = sum > state->largest_row ? sum : state->largest_row;
    }
    if (state->ternary.steps > 0) {
        const LutraConvShape shape = lutra_execution_conv_shape(x, layer, x->images);
        lutra_ternary_weights_pack(&state->ternary, &shape, state->weight_codes,
                                   x->settings.threads);
    }
    state->on_bytes = false;
    if (state->packed.quads > 0 && x->kernels.bytes_are_fast) {
        const LutraConvShape shape =
            lutra_execution_conv_shape(x, layer, x->settings.most_images);
        const int32_t code_min = lutra_execution_source(x, layer).code_min;
        const uint32_t largest_byte = x->layers[state->source].largest_byte;
        state->on_bytes = lutra_byte_sums_fit(&x->kernels, largest_byte, state->largest_row);
        if (state->on_bytes) {
            lutra_byte_weights_pack(&state->packed, &shape, state->weight_codes, code_min,
                                    x->settings.threads);
        }
    }
}

static float pending_scale(LutraPendingScale pending) {
    return lutra_accumulator_scale(pending.step, pending.weight_scale, pending.pooled);
}

static LutraStatus check_bound(const LutraExecution *x, uint32_t layer, LutraError *error) {
    if (x->layers[layer].bound < LUTRA_EXACT_LIMIT) {
        return LUTRA_OK;
    }
    return lutra_error_set(error, LUTRA_EINVAL, "sums of layer '%s' can reach %.0f, but only sums "
                           "below 2^24 = 16777216 are exact; use fewer weight or activation codes",
                           x->model->network.layers[layer].name, x->layers[layer].bound);
}

static LutraStatus forward_weighted(LutraExecution *x, uint32_t layer, LutraError *error) {
    LutraLayerState *state = &x->layers[layer];
    const LutraLayerState *source = &x->layers[state->source];
    if (!x->weights_ready) {
        quantize_weights(x, layer);
    }
    state->pending = (LutraPendingScale){source->scale, state->weight_scale, 1};
    state->scale = pending_scale(state->pending);
    state->bound = state->largest_row * source->bound;
    LUTRA_TRY(check_bound(x, layer, error));
    const LutraConvShape shape = lutra_execution_conv_shape(x, layer, x->images);
    const LutraConvWorkspace workspace = lutra_execution_workspace(x);
    const LutraConvInput input = lutra_execution_source(x, layer);
    if (state->ternary.steps > 0) {
        lutra_ternary_forward(state->sums, &shape, input, &state->ternary, &x->ternary,
                              &workspace);
    } else if (x->halves.fast && x->mode == LUTRA_RUN_TRAINING && source->bytes == NULL &&
               lutra_layer_is_float(&x->model->network.layers[layer])) {
        lutra_half_forward(state->sums, &shape, input.sums, lutra_execution_weights(x, layer),
                           &x->halves, &workspace);
    } else if (state->on_bytes) {
        lutra_byte_forward(state->sums, &shape, input, &state->packed, &workspace);
    } else {
        lutra_conv_forward(state->sums, &shape, input, lutra_execution_weights(x, layer),
                           &workspace);
    }
    return LUTRA_OK;
}

static LutraStatus forward_pool(LutraExecution *x, uint32_t layer, LutraError *error) {
    LutraLayerState *state = &x->layers[layer];
    const LutraLayerState *source = &x->layers[state->source];
    const uint32_t kernel = x->model->network.layers[layer].u.pool.kernel;
    state->pending = source->pending;
    state->pending.pooled *= kernel * kernel;
    state->scale = pending_scale(state->pending);
    state->bound = source->bound * (double)kernel * (double)kernel;
    LUTRA_TRY(check_bound(x, layer, error));
    const LutraPoolShape shape = lutra_execution_pool_shape(x, layer, x->images);
    lutra_pool_forward(state->sums, &shape, lutra_execution_source(x, layer));
    return LUTRA_OK;
}

static void set_code_state(LutraLayerState *state, const LutraLayer *layer) {
    const LutraQuantizer *quantizer = &state->quantizer;
    if (layer->coding.is_float) {
        state->pending = (LutraPendingScale){1.0f, 1.0f, 1};
        state->scale = 1.0f;
        state->bound = 0.0;
        return;
    }
    const int32_t low = -quantizer->code_min;
    state->pending = (LutraPendingScale){quantizer->step, 1.0f, 1};
    state->scale = quantizer->step;
    state->bound = (double)(low > quantizer->code_max ? low : quantizer->code_max);
    state->largest_byte = (uint32_t)(quantizer->code_max - quantizer->code_min);
}

static void forward_max_pool(LutraExecution *x, uint32_t layer) {
    LutraLayerState *state = &x->layers[layer];
    const LutraPoolShape shape = lutra_execution_pool_shape(x, layer, x->images);
    lutra_max_pool_forward(state->bytes, &shape, x->layers[state->source].bytes);
    state->quantizer = x->layers[state->source].quantizer;
    set_code_state(state, &x->model->network.layers[layer]);
}

/* Whether this forward measures the threshold of a learned step; an unmeasured one is refused. */
static LutraStatus begin_quantizer(LutraExecution *x, uint32_t layer, LutraError *error) {
    const LutraLayer *described = &x->model->network.layers[layer];
    const LutraLayerParameters *parameters = &x->model->layers[layer];
    LutraLayerState *state = &x->layers[layer];
    state->measuring =
        described->coding.learned && x->mode == LUTRA_RUN_TRAINING &&
        (double)parameters->threshold_batches[0] < (double)x->settings.threshold_batches;
    if (!state->measuring && lutra_layer_is_unmeasured(described, parameters)) {
        return lutra_error_set(error, LUTRA_EINVAL, "the step of layer '%s' is learned, but not "
                               "measured yet: train the model for at least one step",
                               described->name);
    }
    return LUTRA_OK;
}

/* Puts one more batch into the average, and the step into the state. */
static void end_quantizer(LutraExecution *x, uint32_t layer, float percentile) {
    LutraLayerParameters *parameters = &x->model->layers[layer];
    LutraLayerState *state = &x->layers[layer];
    if (state->measuring) {
        float *threshold = &parameters->threshold[0];
        parameters->threshold_batches[0] += 1.0f;
        *threshold += (percentile - *threshold) / parameters->threshold_batches[0];
        *threshold = *threshold < LUTRA_LEAST_THRESHOLD ? LUTRA_LEAST_THRESHOLD : *threshold;
    }
    state->quantizer = lutra_layer_quantizer(&x->model->network.layers[layer], parameters);
}

typedef struct {
    const LutraLayer *layer;
    LutraLayerState *state;
    size_t count; /* of one channel */
} InputJob;

static void input_unit(void *user, size_t channel, uint32_t worker) {
    const InputJob *job = user;
    const LutraInputLayer *input = &job->layer->u.input;
    const uint8_t *pixels = job->state->pixels + (channel * job->count);
    (void)worker;
    if (job->layer->coding.is_float) {
        float values[256];
        float *to = job->state->sums + (channel * job->count);
        for (uint32_t pixel = 0; pixel < 256; pixel++) {
            values[pixel] = lutra_pixel_value(input, (uint32_t)channel, pixel);
        }
        for (size_t i = 0; i < job->count; i++) {
            to[i] = values[pixels[i]];
        }
        return;
    }
    int16_t codes[256];
    uint8_t bytes[256];
    uint8_t *to = job->state->bytes + (channel * job->count);
    lutra_pixel_codes(codes, input, &job->state->quantizer, (uint32_t)channel);
    for (size_t pixel = 0; pixel < 256; pixel++) {
        bytes[pixel] = (uint8_t)(codes[pixel] - job->state->quantizer.code_min);
    }
    for (size_t i = 0; i < job->count; i++) {
        to[i] = bytes[pixels[i]];
    }
}

static LutraStatus forward_input(LutraExecution *x, LutraError *error) {
    const LutraLayer *layer = &x->model->network.layers[0];
    const LutraChannelBatch batch = lutra_execution_channels(x, 0);
    InputJob job = {layer, &x->layers[0], batch.count};
    LUTRA_TRY(begin_quantizer(x, 0, error));
    const float percentile =
        job.state->measuring
            ? lutra_pixel_percentile(job.state->pixels, &layer->u.input, batch.channels,
                                     batch.count, x->settings.threshold_percentile)
            : 0.0f;
    end_quantizer(x, 0, percentile);
    lutra_parallel_for(x->settings.threads, batch.channels, input_unit, &job);
    set_code_state(job.state, layer);
    return LUTRA_OK;
}

/* Statistics of a batch_norm and its part of the activation's channel functions. */
static void forward_batch_norm(LutraExecution *x, uint32_t norm, LutraChannelFunction *functions,
                               const float *sums) {
    const LutraNormLayer *described = &x->model->network.layers[norm].u.norm;
    LutraLayerParameters *parameters = &x->model->layers[norm];
    LutraLayerState *state = &x->layers[norm];
    const LutraChannelBatch batch = lutra_execution_channels(x, norm);
    if (x->mode == LUTRA_RUN_TRAINING) {
        lutra_norm_statistics(state->mean, state->variance, sums, functions, &batch);
        lutra_norm_update(parameters->running_mean, parameters->running_variance, state->mean,
                          state->variance, batch.channels, batch.count, described->momentum);
    } else {
        memcpy(state->mean, parameters->running_mean, batch.channels * sizeof(float));
        memcpy(state->variance, parameters->running_variance, batch.channels * sizeof(float));
    }
    for (uint32_t c = 0; c < batch.channels; c++) {
        functions[c].normed = true;
        functions[c].mean = state->mean[c];
        functions[c].inverse_deviation =
            lutra_inverse_deviation(state->variance[c], described->epsilon);
        functions[c].weight = parameters->gamma[c];
        functions[c].shift = parameters->beta[c];
    }
}

/* Does to the sums what a circuit and its noise do to them before a table. */
static LutraStatus disturb(LutraExecution *x, uint32_t layer, const LutraChannelBatch *batch,
                           LutraError *error) {
    float *sums = x->layers[x->layers[layer].source].sums;
    const LutraRandomKey key = {x->draw_seed, LUTRA_STREAM_TRAIN_NOISE, layer};
    if (x->mode != LUTRA_RUN_TRAINING ||
        (x->settings.rounding == 0 && x->settings.noise == 0.0)) {
        return LUTRA_OK;
    }
    const uint32_t bits = lutra_dropped_bits(sums, x->settings.rounding, batch);
    if (x->settings.noise > 0.0) {
        LUTRA_TRY(lutra_sum_noise_prepare(&x->noise, bits, error));
        lutra_sum_noise_add(sums, &x->noise, bits, key, x->draw_step, batch);
    }
    lutra_round_to(sums, bits, batch);
    return LUTRA_OK;
}

static LutraStatus forward_activation(LutraExecution *x, uint32_t layer, LutraError *error) {
    const LutraLayer *described = &x->model->network.layers[layer];
    LutraLayerState *state = &x->layers[layer];
    const LutraLayerState *source = &x->layers[state->source];
    const LutraChannelBatch batch = lutra_execution_channels(x, layer);
    const float *bias = lutra_execution_bias(x, layer);
    LUTRA_TRY(begin_quantizer(x, layer, error));
    for (uint32_t c = 0; c < batch.channels; c++) {
        state->functions[c] = (LutraChannelFunction){.scale = source->scale,
                                                     .bias = bias == NULL ? 0.0f : bias[c],
                                                     .relu = described->coding.relu};
    }
    LUTRA_TRY(disturb(x, layer, &batch, error));
    if (x->model->network.layers[layer - 1].kind == LUTRA_LAYER_BATCH_NORM) {
        forward_batch_norm(x, layer - 1, state->functions, source->sums);
    }
    const float percentile =
        state->measuring ? lutra_channel_percentile(source->sums, state->functions, &batch,
                                                    x->settings.threshold_percentile, x->counters)
                         : 0.0f;
    end_quantizer(x, layer, percentile);
    for (uint32_t c = 0; c < batch.channels; c++) {
        state->functions[c].quantizer = state->quantizer;
    }
    if (described->coding.is_float) {
        lutra_activation_values(state->sums, source->sums, state->functions, &batch);
    } else {
        lutra_activation_forward(state->bytes, source->sums, state->functions, &batch);
    }
    set_code_state(state, described);
    return LUTRA_OK;
}

static void forward_tensor_norm(LutraExecution *x, uint32_t layer, size_t count) {
    const LutraNormLayer *described = &x->model->network.layers[layer].u.norm;
    LutraLayerParameters *parameters = &x->model->layers[layer];
    LutraLayerState *state = &x->layers[layer];
    if (x->mode == LUTRA_RUN_TRAINING) {
        lutra_tensor_statistics(state->mean, state->variance, x->values, count);
        lutra_norm_update(parameters->running_mean, parameters->running_variance, state->mean,
                          state->variance, 1, count, described->momentum);
    } else {
        state->mean[0] = parameters->running_mean[0];
        state->variance[0] = parameters->running_variance[0];
    }
    state->inverse_deviation = lutra_inverse_deviation(state->variance[0], described->epsilon);
    for (size_t i = 0; i < count; i++) {
        x->logits[i] =
            lutra_affine_value(x->values[i], state->mean[0], state->inverse_deviation,
                               parameters->gamma[0], parameters->beta[0]);
    }
}

/* From the sums of the last linear layer to logits. */
static void forward_end(LutraExecution *x) {
    const LutraNetwork *network = &x->model->network;
    const LutraLayerState *linear = &x->layers[x->last_weighted];
    const float *bias = x->model->layers[x->last_weighted].bias;
    const size_t images = x->images;
    const size_t count = network->class_count * images;
    for (size_t i = 0; i < count; i++) {
        const float value = linear->sums[i] * linear->scale;
        x->values[i] = bias == NULL ? value : value + bias[i / images];
    }
    const uint32_t last = network->layer_count - 1;
    if (network->layers[last].kind == LUTRA_LAYER_TENSOR_NORM) {
        forward_tensor_norm(x, last, count);
    } else {
        memcpy(x->logits, x->values, count * sizeof(float));
    }
}

LutraStatus lutra_execution_forward(LutraExecution *execution, uint32_t images,
                                    LutraRunMode mode, LutraError *error) {
    LUTRA_ASSERT(images > 0 && images <= execution->settings.most_images);
    LUTRA_ASSERT(mode == LUTRA_RUN_INFERENCE || execution->settings.mode == LUTRA_RUN_TRAINING);
    execution->images = images;
    execution->mode = mode;
    for (uint32_t i = 0; i < execution->model->network.layer_count; i++) {
        const LutraLayer *layer = &execution->model->network.layers[i];
        switch (layer->kind) {
        case LUTRA_LAYER_INPUT:
            LUTRA_TRY(forward_input(execution, error));
            break;
        case LUTRA_LAYER_CONV:
        case LUTRA_LAYER_LINEAR:
            LUTRA_TRY(forward_weighted(execution, i, error));
            break;
        case LUTRA_LAYER_AVERAGE_POOL:
            LUTRA_TRY(forward_pool(execution, i, error));
            break;
        case LUTRA_LAYER_ACTIVATION:
            LUTRA_TRY(forward_activation(execution, i, error));
            break;
        case LUTRA_LAYER_MAX_POOL:
            forward_max_pool(execution, i);
            break;
        case LUTRA_LAYER_BATCH_NORM: /* part of the activation that follows */
        case LUTRA_LAYER_TENSOR_NORM: /* part of the end */
            break;
        }
    }
    execution->weights_ready = execution->settings.mode == LUTRA_RUN_INFERENCE;
    forward_end(execution);
    return LUTRA_OK;
}
