/* SPDX-License-Identifier: Apache-2.0 */
/* Which layer may follow which, and what comes out of it. */
#include <stdarg.h>
#include <stdio.h>

#include "quant/network_priv.h"
#include "quant/window_codes.h"

LutraStatus lutra_network_fail(LutraError *error, const char *name, int line, const char *format,
                               ...) {
    char sentence[LUTRA_ERROR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return lutra_error_set(error, LUTRA_EDATA, "%s:%d: %s", name, line, sentence);
}

/* Where the walk over the layers stands. */
typedef enum {
    PLACE_START,   /* nothing yet */
    PLACE_CODES,   /* what the next layer reads are codes */
    PLACE_SUMS,    /* what it reads are integer sums */
    PLACE_NORMED,  /* sums that a batch_norm was put on */
    PLACE_END      /* after tensor_norm */
} Place;

static const char *allowed_at(Place place, bool after_linear, bool after_activation) {
    switch (place) {
    case PLACE_START:
        return "input";
    case PLACE_CODES:
        return after_activation ? "conv, linear, average_pool, max_pool"
                                : "conv, linear, average_pool";
    case PLACE_SUMS:
        return after_linear ? "conv, linear, average_pool, batch_norm, activation; at the end "
                              "tensor_norm"
                            : "conv, linear, average_pool, batch_norm, activation";
    case PLACE_NORMED:
        return "activation";
    case PLACE_END:
        break;
    }
    return "nothing, tensor_norm ends the network";
}

/* Moves *place over a layer; false if the layer may not stand there. */
static bool step_place(Place *place, LutraLayerKind kind, bool after_linear,
                       bool after_activation) {
    switch (kind) {
    case LUTRA_LAYER_INPUT:
        if (*place != PLACE_START) {
            return false;
        }
        *place = PLACE_CODES;
        return true;
    case LUTRA_LAYER_CONV:
    case LUTRA_LAYER_LINEAR:
    case LUTRA_LAYER_AVERAGE_POOL:
        if (*place != PLACE_CODES && *place != PLACE_SUMS) {
            return false;
        }
        *place = PLACE_SUMS;
        return true;
    case LUTRA_LAYER_MAX_POOL:
        return after_activation;
    case LUTRA_LAYER_BATCH_NORM:
        if (*place != PLACE_SUMS) {
            return false;
        }
        *place = PLACE_NORMED;
        return true;
    case LUTRA_LAYER_ACTIVATION:
        if (*place != PLACE_SUMS && *place != PLACE_NORMED) {
            return false;
        }
        *place = PLACE_CODES;
        return true;
    case LUTRA_LAYER_TENSOR_NORM:
        if (*place != PLACE_SUMS || !after_linear) {
            return false;
        }
        *place = PLACE_END;
        return true;
    }
    return false;
}

static bool has_weights(const LutraLayer *layer) {
    return layer->kind == LUTRA_LAYER_CONV || layer->kind == LUTRA_LAYER_LINEAR;
}

static LutraStatus check_order(const LutraNetwork *network, const char *name, LutraError *error) {
    Place place = PLACE_START;
    const LutraLayer *before = NULL;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const LutraLayer *layer = &network->layers[i];
        const bool after_linear = before != NULL && before->kind == LUTRA_LAYER_LINEAR;
        const bool after_activation = before != NULL && before->kind == LUTRA_LAYER_ACTIVATION;
        const Place here = place;
        if (!step_place(&place, layer->kind, after_linear, after_activation)) {
            return lutra_network_fail(
                error, name, layer->line, "layer '%s' of type '%s' cannot stand %s%s%s; allowed "
                "here: %s", layer->name, lutra_layer_kind_name(layer->kind),
                before == NULL ? "first" : "after '", before == NULL ? "" : before->name,
                before == NULL ? "" : "'", allowed_at(here, after_linear, after_activation));
        }
        const bool summed_on = has_weights(layer) || layer->kind == LUTRA_LAYER_AVERAGE_POOL;
        if (summed_on && before != NULL && has_weights(before) && before->u.weighted.bias) {
            return lutra_network_fail(
                error, name, before->line, "layer '%s' cannot have a bias: '%s' sums its results "
                "as integers; a bias may stand right before batch_norm, activation, tensor_norm or "
                "the end", before->name, layer->name);
        }
        before = layer;
    }
    const LutraLayer *last = &network->layers[network->layer_count - 1];
    if (last->kind != LUTRA_LAYER_LINEAR && last->kind != LUTRA_LAYER_TENSOR_NORM) {
        return lutra_network_fail(error, name, last->line, "the network ends with '%s' of type "
                                  "'%s'; it should end with linear, or linear and tensor_norm",
                                  last->name, lutra_layer_kind_name(last->kind));
    }
    return LUTRA_OK;
}

static LutraStatus set_windows(LutraLayer *layer, LutraShape in, uint32_t kernel, uint32_t stride,
                               uint32_t padding, const char *name, LutraError *error) {
    if (padding >= kernel && padding > 0) {
        return lutra_network_fail(error, name, layer->line, "padding %u of layer '%s' should be "
                                  "smaller than its kernel %u", padding, layer->name, kernel);
    }
    layer->shape.height = lutra_window_positions(in.height, kernel, stride, padding);
    layer->shape.width = lutra_window_positions(in.width, kernel, stride, padding);
    if (layer->shape.height == 0 || layer->shape.width == 0) {
        const uint32_t shorter = in.height < in.width ? in.height : in.width;
        return lutra_network_fail(
            error, name, layer->line, "kernel %u of layer '%s' is larger than its input of "
            "%ux%ux%u; at most %u fits", kernel, layer->name, in.channels, in.height, in.width,
            shorter + (2 * padding));
    }
    return LUTRA_OK;
}

static LutraStatus check_statistics(const LutraLayer *layer, uint32_t count, const char *key,
                                    const char *name, LutraError *error) {
    if (count <= 1 || count == layer->shape.channels) {
        return LUTRA_OK;
    }
    return lutra_network_fail(error, name, layer->line, "'%s' of layer '%s' has %u numbers; it "
                              "should have 1 or one for each of the %u channels", key, layer->name,
                              count, layer->shape.channels);
}

static LutraStatus set_shape(LutraLayer *layer, LutraShape in, const char *name,
                             LutraError *error) {
    const uint64_t features = (uint64_t)in.channels * in.height * in.width;
    switch (layer->kind) {
    case LUTRA_LAYER_INPUT:
        LUTRA_TRY(check_statistics(layer, layer->u.input.mean_count, "mean", name, error));
        LUTRA_TRY(check_statistics(layer, layer->u.input.deviation_count, "deviation", name,
                                   error));
        break;
    case LUTRA_LAYER_CONV:
        layer->u.weighted.in_channels = in.channels;
        layer->shape.channels = layer->u.weighted.out_channels;
        LUTRA_TRY(set_windows(layer, in, layer->u.weighted.kernel, layer->u.weighted.stride,
                              layer->u.weighted.padding, name, error));
        break;
    case LUTRA_LAYER_LINEAR:
        if (features > LUTRA_MAX_LAYER_WEIGHTS) {
            return lutra_network_fail(error, name, layer->line, "layer '%s' reads %llu values; at "
                                      "most %d are allowed", layer->name,
                                      (unsigned long long)features, LUTRA_MAX_LAYER_WEIGHTS);
        }
        layer->u.weighted.in_channels = (uint32_t)features;
        layer->shape = (LutraShape){layer->u.weighted.out_channels, 1, 1};
        break;
    case LUTRA_LAYER_AVERAGE_POOL:
    case LUTRA_LAYER_MAX_POOL:
        if (layer->u.pool.stride == 0) { /* not given */
            layer->u.pool.stride = layer->u.pool.kernel;
        }
        layer->shape.channels = in.channels;
        LUTRA_TRY(set_windows(layer, in, layer->u.pool.kernel, layer->u.pool.stride, 0, name,
                              error));
        break;
    case LUTRA_LAYER_BATCH_NORM:
    case LUTRA_LAYER_ACTIVATION:
    case LUTRA_LAYER_TENSOR_NORM:
        layer->shape = in;
        break;
    }
    const uint64_t out =
        (uint64_t)layer->shape.channels * layer->shape.height * layer->shape.width;
    if (out > LUTRA_MAX_CIRCUIT_ELEMENTS) {
        return lutra_network_fail(error, name, layer->line, "layer '%s' gives %llu values; at most "
                                  "%d are allowed", layer->name, (unsigned long long)out,
                                  LUTRA_MAX_CIRCUIT_ELEMENTS);
    }
    return LUTRA_OK;
}

/* A max_pool takes over the codes of the activation before it; see window_codes.h. */
static LutraStatus set_pool_codes(LutraLayer *layer, const LutraLayer *activation,
                                  const char *name, LutraError *error) {
    if (activation->coding.is_float) {
        return lutra_network_fail(error, name, layer->line, "layer '%s' cannot take the maximum of "
                                  "what is not quantized; use average_pool, or give codes in '%s'",
                                  layer->name, activation->name);
    }
    const LutraQuantizer codes = activation->u.activation;
    const uint32_t highest = (uint32_t)(codes.code_max - codes.code_min);
    const uint32_t elements = layer->u.pool.kernel * layer->u.pool.kernel;
    int64_t largest = elements; /* sum of a window with one level above the lowest */
    for (uint32_t level = 1; level < highest && largest <= LUTRA_MAX_WINDOW_SUM; level++) {
        largest *= (int64_t)elements + 1;
    }
    if (largest > LUTRA_MAX_WINDOW_SUM) {
        return lutra_network_fail(error, name, layer->line, "layer '%s' cannot take the maximum of "
                                  "%u elements with %u levels: their sums would pass %d; use fewer "
                                  "levels in '%s' (three are exact in 2x2 windows), or "
                                  "average_pool", layer->name, elements, highest + 1,
                                  LUTRA_MAX_WINDOW_SUM, activation->name);
    }
    layer->u.pool.codes = codes;
    return LUTRA_OK;
}

static LutraStatus check_weight_count(const LutraLayer *layer, const char *name,
                                      LutraError *error) {
    if (!has_weights(layer)) {
        return LUTRA_OK;
    }
    /* At most 2^14 * 2^14 * 2^12 (conv) or 2^16 * 2^28 (linear): fits in 64 bits. */
    const LutraWeightLayer *weighted = &layer->u.weighted;
    const uint64_t count = (uint64_t)weighted->out_channels * weighted->in_channels *
                           weighted->kernel * weighted->kernel;
    if (count > LUTRA_MAX_LAYER_WEIGHTS) {
        return lutra_network_fail(error, name, layer->line, "layer '%s' has %llu weights; at most "
                                  "%d are allowed", layer->name, (unsigned long long)count,
                                  LUTRA_MAX_LAYER_WEIGHTS);
    }
    return LUTRA_OK;
}

LutraStatus lutra_network_shapes(LutraNetwork *network, const char *name, LutraError *error) {
    LUTRA_TRY(check_order(network, name, error));
    LutraShape in = {0, 0, 0};
    for (uint32_t i = 0; i < network->layer_count; i++) {
        LutraLayer *layer = &network->layers[i];
        LUTRA_TRY(set_shape(layer, in, name, error));
        LUTRA_TRY(check_weight_count(layer, name, error));
        if (layer->kind == LUTRA_LAYER_MAX_POOL) {
            LUTRA_TRY(set_pool_codes(layer, layer - 1, name, error));
        }
        in = layer->shape;
    }
    const LutraLayer *last = &network->layers[network->layer_count - 1];
    const LutraLayer *linear =
        last->kind == LUTRA_LAYER_LINEAR ? last : &network->layers[network->layer_count - 2];
    if (linear->shape.channels != network->class_count) {
        return lutra_network_fail(error, name, linear->line, "last layer '%s' has %u features; it "
                                  "should have one for each of the %u classes", linear->name,
                                  linear->shape.channels, network->class_count);
    }
    return LUTRA_OK;
}
