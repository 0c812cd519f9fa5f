/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and bookkeeping of an execution; the passes stand in execution_forward.c and
 * execution_backward.c. */
#include "base/memory.h"
#include "train/execution_priv.h"
#include "train/gemm.h"

LutraConvShape lutra_execution_conv_shape(const LutraExecution *execution, uint32_t layer,
                                          uint32_t images) {
    const LutraLayer *described = &execution->model->network.layers[layer];
    const LutraShape in = execution->layers[layer].in_shape;
    const bool linear = described->kind == LUTRA_LAYER_LINEAR;
    return (LutraConvShape){
        .images = images,
        .in_channels = in.channels,
        .in_height = in.height,
        .in_width = in.width,
        .out_channels = described->shape.channels,
        .out_height = described->shape.height,
        .out_width = described->shape.width,
        .kernel_height = linear ? in.height : described->u.weighted.kernel,
        .kernel_width = linear ? in.width : described->u.weighted.kernel,
        .stride = linear ? 1 : described->u.weighted.stride,
        .padding = linear ? 0 : described->u.weighted.padding,
    };
}

LutraPoolShape lutra_execution_pool_shape(const LutraExecution *execution, uint32_t layer,
                                          uint32_t images) {
    const LutraLayer *described = &execution->model->network.layers[layer];
    const LutraShape in = execution->layers[layer].in_shape;
    return (LutraPoolShape){
        .planes = (size_t)in.channels * images,
        .in_height = in.height,
        .in_width = in.width,
        .out_height = described->shape.height,
        .out_width = described->shape.width,
        .kernel = described->u.pool.kernel,
        .stride = described->u.pool.stride,
        .threads = execution->settings.threads,
    };
}

LutraConvWorkspace lutra_execution_workspace(const LutraExecution *execution) {
    return (LutraConvWorkspace){&execution->kernels, execution->settings.threads,
                                execution->scratch};
}

LutraConvInput lutra_execution_source(const LutraExecution *execution, uint32_t layer) {
    const uint32_t source = execution->layers[layer].source;
    const LutraLayer *described = &execution->model->network.layers[source];
    const LutraLayerState *state = &execution->layers[source];
    const int32_t code_min = state->bytes == NULL ? 0
                             : described->kind == LUTRA_LAYER_INPUT
                                 ? described->u.input.quantizer.code_min
                             : described->kind == LUTRA_LAYER_ACTIVATION
                                 ? described->u.activation.code_min
                                 : described->u.pool.codes.code_min;
    return (LutraConvInput){state->bytes, state->sums, code_min};
}

const float *lutra_execution_weights(const LutraExecution *execution, uint32_t layer) {
    return lutra_layer_is_float(&execution->model->network.layers[layer])
               ? execution->model->layers[layer].weights
               : execution->layers[layer].weight_codes;
}

bool lutra_execution_goes_back(const LutraExecution *execution, uint32_t layer) {
    if (layer == 0) {
        return execution->model->network.layers[0].coding.learned &&
               execution->settings.first_trained == 0;
    }
    return layer >= execution->settings.first_trained;
}

LutraChannelBatch lutra_execution_channels(const LutraExecution *execution, uint32_t layer) {
    const LutraShape shape = execution->model->network.layers[layer].shape;
    return (LutraChannelBatch){
        .channels = shape.channels,
        .count = (size_t)execution->images * shape.height * shape.width,
        .kernels = &execution->kernels,
        .threads = execution->settings.threads,
    };
}

const float *lutra_execution_bias(const LutraExecution *execution, uint32_t layer) {
    return execution->model->layers[execution->layers[layer].source].bias;
}

static LutraStatus alloc_like(float **copy, const float *array, size_t count, LutraError *error) {
    return array == NULL ? LUTRA_OK : lutra_alloc(copy, count, sizeof(float), error);
}

LutraStatus lutra_layer_gradients_init(LutraLayerGradients *gradients, const LutraModel *model,
                                       uint32_t layer, LutraError *error) {
    const LutraLayer *described = &model->network.layers[layer];
    const LutraLayerParameters *values = &model->layers[layer];
    const size_t norms = lutra_layer_norm_count(described);
    LUTRA_TRY(alloc_like(&gradients->weights, values->weights, lutra_layer_weight_count(described),
                         error));
    LUTRA_TRY(alloc_like(&gradients->bias, values->bias, described->shape.channels, error));
    LUTRA_TRY(alloc_like(&gradients->gamma, values->gamma, norms, error));
    LUTRA_TRY(alloc_like(&gradients->threshold, values->threshold, 1, error));
    return alloc_like(&gradients->beta, values->beta, norms, error);
}

void lutra_layer_gradients_deinit(LutraLayerGradients *gradients) {
    lutra_free(&gradients->weights);
    lutra_free(&gradients->bias);
    lutra_free(&gradients->gamma);
    lutra_free(&gradients->beta);
    lutra_free(&gradients->threshold);
}

static LutraStatus alloc_layer(LutraExecution *x, uint32_t layer, size_t *scratch_floats,
                               size_t *back_floats, LutraError *error) {
    const LutraLayer *described = &x->model->network.layers[layer];
    LutraLayerState *state = &x->layers[layer];
    size_t elements = 0;
    if (lutra_size_mul(&elements, lutra_shape_elements(described->shape),
                       x->settings.most_images) != LUTRA_OK || elements > INT32_MAX) {
        return lutra_error_set(error, LUTRA_EINVAL, "a batch of %u images is too large for layer "
                               "'%s'; at most %zu fit", x->settings.most_images, described->name,
                               (size_t)INT32_MAX / lutra_shape_elements(described->shape));
    }
    const size_t norms = lutra_layer_norm_count(described);
    const bool coded = described->kind == LUTRA_LAYER_INPUT ||
                       described->kind == LUTRA_LAYER_ACTIVATION ||
                       described->kind == LUTRA_LAYER_MAX_POOL;
    if (coded && described->coding.is_float) {
        LUTRA_TRY(lutra_alloc(&state->sums, elements, sizeof(float), error));
    } else if (coded) {
        LUTRA_TRY(lutra_alloc(&state->bytes, elements, 1, error));
    }
    if (described->coding.learned && x->settings.mode == LUTRA_RUN_TRAINING) {
        LUTRA_TRY(lutra_alloc(&state->step_gradients, described->shape.channels, sizeof(double),
                              error));
        if (x->counters == NULL) {
            LUTRA_TRY(lutra_alloc(&x->counters, lutra_percentile_counters(x->settings.threads),
                                  sizeof *x->counters, error));
        }
    }
    if (described->kind == LUTRA_LAYER_INPUT) {
        LUTRA_TRY(lutra_alloc(&state->pixels, elements, 1, error));
    } else if (described->kind == LUTRA_LAYER_ACTIVATION) {
        LUTRA_TRY(lutra_alloc(&state->functions, described->shape.channels,
                              sizeof *state->functions, error));
    } else if (norms == 0) {
        LUTRA_TRY(lutra_alloc(&state->sums, elements, sizeof(float), error));
    } else {
        LUTRA_TRY(lutra_alloc(&state->mean, norms, sizeof(float), error));
        LUTRA_TRY(lutra_alloc(&state->variance, norms, sizeof(float), error));
    }
    const size_t weights = lutra_layer_weight_count(described);
    if (weights > 0) {
        const bool quantized = !lutra_layer_is_float(described);
        if (quantized) {
            LUTRA_TRY(lutra_alloc(&state->weight_codes, weights, sizeof(float), error));
            LUTRA_TRY(lutra_alloc(&state->row_sums, described->shape.channels, sizeof(double),
                                  error));
        }
        if (described->u.weighted.quantizer.scale == LUTRA_WEIGHT_SCALE_MAX &&
            x->settings.mode == LUTRA_RUN_TRAINING) {
            LUTRA_TRY(lutra_alloc(&state->row_pulls, described->shape.channels, sizeof(double),
                                  error));
        }
        const LutraConvShape largest =
            lutra_execution_conv_shape(x, layer, x->settings.most_images);
        const bool ternary =
            x->ternary.fast && lutra_ternary_fits(&largest,
                                                  &x->model->network.layers[state->source],
                                                  described);
        if (ternary) {
            LUTRA_TRY(lutra_ternary_weights_init(&state->ternary, &largest, error));
        } else if (quantized && x->layers[state->source].bytes != NULL) {
            LUTRA_TRY(lutra_byte_weights_init(&state->packed, &largest, error));
        }
        /* each batch size is cut in its own way */
        for (uint32_t images = 1; images <= x->settings.most_images; images++) {
            const LutraConvShape shape = lutra_execution_conv_shape(x, layer, images);
            const size_t floats = lutra_conv_scratch_floats(&shape, x->settings.threads);
            const size_t bytes = lutra_byte_scratch_floats(&shape, x->settings.threads);
            *scratch_floats = floats > *scratch_floats ? floats : *scratch_floats;
            *scratch_floats = bytes > *scratch_floats ? bytes : *scratch_floats;
            if (ternary) {
                const size_t words = lutra_ternary_scratch_floats(&shape, x->settings.threads);
                *scratch_floats = words > *scratch_floats ? words : *scratch_floats;
            }
            if (x->small.fast && x->settings.mode == LUTRA_RUN_TRAINING) {
                const size_t small = lutra_small_scratch_floats(&shape, x->settings.threads);
                *scratch_floats = small > *scratch_floats ? small : *scratch_floats;
            }
            if (x->halves.fast && x->settings.mode == LUTRA_RUN_TRAINING) {
                const size_t halves = lutra_half_scratch_floats(&shape, x->settings.threads);
                *scratch_floats = halves > *scratch_floats ? halves : *scratch_floats;
            }
        }
    }
    if (described->kind != LUTRA_LAYER_INPUT || described->coding.learned) {
        *back_floats = elements > *back_floats ? elements : *back_floats;
    }
    return LUTRA_OK;
}

/* Which layer's integers each layer reads, and the shape of what it reads. */
static void link_layers(LutraExecution *x) {
    uint32_t source = 0;
    for (uint32_t i = 0; i < x->model->network.layer_count; i++) {
        const LutraLayer *described = &x->model->network.layers[i];
        x->layers[i].source = source;
        x->layers[i].in_shape = x->model->network.layers[source].shape;
        if (described->kind != LUTRA_LAYER_BATCH_NORM &&
            described->kind != LUTRA_LAYER_TENSOR_NORM) {
            source = i;
        }
        if (lutra_layer_weight_count(described) > 0) {
            x->last_weighted = i;
        }
    }
}

static LutraStatus alloc_all(LutraExecution *x, LutraError *error) {
    const uint32_t count = x->model->network.layer_count;
    const bool training = x->settings.mode == LUTRA_RUN_TRAINING;
    LUTRA_TRY(lutra_alloc(&x->layers, count, sizeof *x->layers, error));
    LUTRA_TRY(lutra_alloc(&x->gradients, count, sizeof *x->gradients, error));
    link_layers(x);
    size_t scratch_floats = 1;
    size_t back_floats = 1;
    for (uint32_t i = 0; i < count; i++) {
        LUTRA_TRY(alloc_layer(x, i, &scratch_floats, &back_floats, error));
        if (training) {
            LUTRA_TRY(lutra_layer_gradients_init(&x->gradients[i], x->model, i, error));
        }
    }
    const size_t logits = (size_t)x->model->network.class_count * x->settings.most_images;
    LUTRA_TRY(lutra_alloc(&x->scratch, scratch_floats, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&x->values, logits, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&x->logits, logits, sizeof(float), error));
    if (training) {
        LUTRA_TRY(lutra_alloc(&x->back[0], back_floats, sizeof(float), error));
        LUTRA_TRY(lutra_alloc(&x->back[1], back_floats, sizeof(float), error));
        LUTRA_TRY(lutra_alloc(&x->logit_gradient, logits, sizeof(float), error));
    }
    return LUTRA_OK;
}

/* Sums before an activation are rounded as integers. */
static LutraStatus check_rounding(const LutraModel *model, const LutraExecutionSettings *settings,
                                  LutraError *error) {
    for (uint32_t i = 0; settings->rounding > 0 && i < model->network.layer_count; i++) {
        if (lutra_layer_is_float(&model->network.layers[i])) {
            return lutra_error_set(error, LUTRA_EINVAL, "layer '%s' is not quantized, so its "
                                   "results cannot be rounded to %u bits; leave out 'rounding'",
                                   model->network.layers[i].name, settings->rounding);
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_execution_create(LutraExecution **execution, LutraModel *model,
                                   const LutraExecutionSettings *settings, LutraError *error) {
    *execution = NULL;
    LUTRA_ASSERT(settings->most_images > 0 && settings->threads > 0);
    LUTRA_TRY(check_rounding(model, settings, error));
    LutraExecution *x = NULL;
    LUTRA_TRY(lutra_alloc(&x, 1, sizeof *x, error));
    x->model = model;
    x->settings = *settings;
    x->noise.deviation = settings->noise;
    lutra_train_kernels_init(&x->kernels, settings->cpu_flags);
    lutra_half_kernels_init(&x->halves, settings->cpu_flags);
    lutra_small_kernels_init(&x->small, settings->cpu_flags);
    lutra_ternary_kernels_init(&x->ternary, settings->cpu_flags);
    x->small.fast = x->small.fast && settings->gradient_bits == 8;
    x->halves.fast = x->halves.fast && settings->gradient_bits != 32;
    lutra_gemm_prepare();
    const LutraStatus status = alloc_all(x, error);
    if (status != LUTRA_OK) {
        lutra_execution_destroy(&x);
        return status;
    }
    *execution = x;
    return LUTRA_OK;
}

static void free_layer(LutraLayerState *state) {
    lutra_free(&state->pixels);
    lutra_free(&state->bytes);
    lutra_free(&state->sums);
    lutra_free(&state->weight_codes);
    lutra_free(&state->row_sums);
    lutra_free(&state->row_pulls);
    lutra_free(&state->step_gradients);
    lutra_byte_weights_deinit(&state->packed);
    lutra_ternary_weights_deinit(&state->ternary);
    lutra_free(&state->functions);
    lutra_free(&state->mean);
    lutra_free(&state->variance);
}

void lutra_execution_destroy(LutraExecution **execution) {
    if (execution == NULL || *execution == NULL) {
        return;
    }
    LutraExecution *x = *execution;
    for (uint32_t i = 0; x->layers != NULL && i < x->model->network.layer_count; i++) {
        free_layer(&x->layers[i]);
    }
    for (uint32_t i = 0; x->gradients != NULL && i < x->model->network.layer_count; i++) {
        lutra_layer_gradients_deinit(&x->gradients[i]);
    }
    lutra_sum_noise_deinit(&x->noise);
    lutra_free(&x->layers);
    lutra_free(&x->gradients);
    lutra_free(&x->scratch);
    lutra_free(&x->counters);
    lutra_free(&x->back[0]);
    lutra_free(&x->back[1]);
    lutra_free(&x->values);
    lutra_free(&x->logits);
    lutra_free(&x->logit_gradient);
    lutra_free(execution);
}

uint8_t *lutra_execution_input(LutraExecution *execution) {
    return execution->layers[0].pixels;
}

void lutra_execution_set_draws(LutraExecution *execution, uint64_t seed, uint64_t step) {
    LUTRA_ASSERT(step <= UINT32_MAX);
    execution->draw_seed = seed;
    execution->draw_step = step;
}

const float *lutra_execution_logits(const LutraExecution *execution) {
    return execution->logits;
}

float *lutra_execution_logit_gradient(LutraExecution *execution) {
    return execution->logit_gradient;
}

LutraLayerGradients *lutra_execution_gradients(LutraExecution *execution) {
    return execution->gradients;
}

const uint8_t *lutra_execution_layer_bytes(const LutraExecution *execution, uint32_t layer) {
    return execution->layers[layer].bytes;
}
