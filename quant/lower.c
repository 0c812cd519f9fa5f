/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over the layers: which operations each of them becomes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "quant/input_codes.h"
#include "quant/lowering_priv.h"

enum { EXACT_FLOAT_BITS = 24 };

void lutra_lower_default(LutraLowerSettings *settings) {
    *settings = (LutraLowerSettings){.mode = LUTRA_ROUNDING_APPROXIMATE};
}

uint32_t lutra_network_table_count(const LutraNetwork *network) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const LutraLayerKind kind = network->layers[i].kind;
        count += kind == LUTRA_LAYER_ACTIVATION || kind == LUTRA_LAYER_MAX_POOL;
    }
    return count;
}

/* ---- scales ---- */

/* Codes, or what weights are about to read, with one unit worth `step`. */
static void restart_scale(LutraLowering *builder, float step, float weight_scale) {
    builder->step = step;
    builder->weight_scale = weight_scale;
    builder->pooled_elements = 1;
    builder->pending.scale = lutra_accumulator_scale(step, weight_scale, 1);
}

static void pool_scale(LutraLowering *builder, uint32_t elements) {
    builder->pooled_elements *= elements;
    builder->pending.scale = lutra_accumulator_scale(builder->step, builder->weight_scale,
                                                     builder->pooled_elements);
}

/* ---- operations ---- */

static bool name_is_taken(const LutraLowering *builder, const char *name) {
    const LutraNetwork *network = &builder->model->network;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        if (strcmp(network->layers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A name that no layer has: roundings, sums of a max_pool and an output without tensor_norm are no
 * layers. */
static void free_name(char name[LUTRA_NAME_BYTES], const LutraLowering *builder, const char *base,
                      const char *suffix) {
    snprintf(name, LUTRA_NAME_BYTES, "%.47s%s", base, suffix);
    for (unsigned number = 2; name_is_taken(builder, name); number++) {
        snprintf(name, LUTRA_NAME_BYTES, "%.47s%s%u", base, suffix, number);
    }
}

/* Appends an operation that reads the one before it. */
static LutraOperation *append(LutraLowering *builder, LutraOperationKind kind, const char *name,
                              LutraShape shape) {
    const uint32_t index = builder->circuit.operation_count++;
    LutraOperation *operation = &builder->circuit.operations[index];
    *operation = (LutraOperation){.kind = kind, .shape = shape, .observed_range = {1, 0}};
    snprintf(operation->name, sizeof operation->name, "%.63s", name);
    if (index > 0) {
        operation->input_count = 1;
        operation->inputs[0] = index - 1;
    }
    if (kind != LUTRA_OPERATION_ROUND) {
        if (builder->plan->ranges != NULL && kind != LUTRA_OPERATION_OUTPUT) {
            LUTRA_ASSERT(builder->plain < builder->plan->range_count);
            operation->observed_range = builder->plan->ranges[builder->plain];
        }
        builder->plain++;
    }
    return operation;
}

/* States the range that the new operation's results are proved to lie in. */
static void prove_range(const LutraLowering *builder, LutraOperation *operation) {
    const LutraOperation *x = &builder->circuit.operations[operation->inputs[0]];
    operation->static_range =
        lutra_operation_static_range(operation, x->shape, &x->static_range);
}

static LutraStatus check_finite(const LutraLowering *builder, const LutraLayer *layer,
                                const float *values, size_t count) {
    for (size_t i = 0; values != NULL && i < count; i++) {
        if (!isfinite(values[i])) {
            return lutra_error_set(builder->error, LUTRA_EDATA, "layer '%s' has a parameter that "
                                   "is not finite: train it again, with a smaller learning rate",
                                   layer->name);
        }
    }
    return LUTRA_OK;
}

/* Every weight and code is quantized, with a known step. */
static LutraStatus check_quantized(const LutraLowering *builder, const LutraLayer *layer,
                                   const LutraLayerParameters *parameters) {
    if (lutra_layer_is_float(layer)) {
        return lutra_error_set(builder->error, LUTRA_EDATA, "layer '%s' is not quantized, so there "
                               "is no circuit: train a network with codes in place of 'float' from "
                               "this model (lutra train --init)", layer->name);
    }
    if (lutra_layer_is_unmeasured(layer, parameters)) {
        return lutra_error_set(builder->error, LUTRA_EDATA, "the step of layer '%s' is learned, "
                               "but not measured yet: train the model", layer->name);
    }
    return check_finite(builder, layer, parameters->threshold, 1);
}

static LutraStatus add_input(LutraLowering *builder, const LutraLayer *layer,
                             const LutraLayerParameters *parameters) {
    const LutraQuantizer quantizer = lutra_layer_quantizer(layer, parameters);
    LutraOperation *input = append(builder, LUTRA_OPERATION_INPUT, layer->name, layer->shape);
    LutraInputOperation *client = &input->u.input;
    client->scale = quantizer.step;
    LUTRA_TRY(lutra_alloc(&client->code_of_pixel, (size_t)layer->shape.channels * 256,
                          sizeof *client->code_of_pixel, builder->error));
    for (uint32_t c = 0; c < layer->shape.channels; c++) {
        lutra_pixel_codes(client->code_of_pixel + ((size_t)c * 256), &layer->u.input, &quantizer,
                          c);
    }
    prove_range(builder, input);
    restart_scale(builder, client->scale, 1.0f);
    return LUTRA_OK;
}

/* Sums that single precision training could not have added exactly are refused. */
static LutraStatus check_exact(const LutraLowering *builder, const LutraOperation *operation) {
    const int64_t limit = (int64_t)1 << EXACT_FLOAT_BITS;
    const LutraRange range = operation->static_range;
    if (range.min < -limit || range.max > limit) {
        return lutra_error_set(builder->error, LUTRA_EDATA, "sums of layer '%s' can reach %lld .. "
                               "%lld; single precision is exact up to 2^%d: use fewer inputs or "
                               "narrower codes", operation->name, (long long)range.min,
                               (long long)range.max, EXACT_FLOAT_BITS);
    }
    return LUTRA_OK;
}

static LutraStatus add_weighted(LutraLowering *builder, const LutraLayer *layer,
                                const LutraLayerParameters *parameters) {
    const LutraWeightLayer *weighted = &layer->u.weighted;
    const bool is_conv = layer->kind == LUTRA_LAYER_CONV;
    const size_t count = lutra_layer_weight_count(layer);
    LUTRA_TRY(check_finite(builder, layer, parameters->weights, count));
    LUTRA_TRY(check_finite(builder, layer, parameters->bias, weighted->out_channels));
    int8_t *weights = NULL;
    LUTRA_TRY(lutra_alloc(&weights, count, sizeof *weights, builder->error));
    const float scale = lutra_weight_scale(&weighted->quantizer, parameters->weights, count);
    lutra_weight_codes(weights, &weighted->quantizer, parameters->weights, count, scale);

    LutraOperation *operation = append(
        builder, is_conv ? LUTRA_OPERATION_CONV : LUTRA_OPERATION_LINEAR, layer->name,
        layer->shape);
    if (is_conv) {
        operation->u.conv = (LutraConvOperation){weighted->in_channels, weighted->kernel,
                                                 weighted->stride, weighted->padding, weights};
    } else {
        operation->u.linear = (LutraLinearOperation){weighted->in_channels, weights};
    }
    prove_range(builder, operation);
    restart_scale(builder, builder->pending.scale, scale);
    builder->pending.bias = parameters->bias;
    return check_exact(builder, operation);
}

static LutraStatus add_pool(LutraLowering *builder, const LutraLayer *layer) {
    const uint32_t kernel = layer->u.pool.kernel;
    LutraOperation *pool = append(builder, LUTRA_OPERATION_SUM_POOL, layer->name, layer->shape);
    pool->u.sum_pool = (LutraSumPoolOperation){kernel, layer->u.pool.stride};
    prove_range(builder, pool);
    pool_scale(builder, kernel * kernel);
    return check_exact(builder, pool);
}

/* ---- tables ---- */

static void add_round(LutraLowering *builder, const LutraLayer *layer, LutraBorder *border) {
    char name[LUTRA_NAME_BYTES];
    free_name(name, builder, layer->name, "_round");
    const LutraOperation *sum = lutra_lowering_last(builder);
    const LutraRange seen = sum->observed_range;
    const bool observed = lutra_lowering_is_observed(sum);
    LutraOperation *round = append(builder, LUTRA_OPERATION_ROUND, name, layer->shape);
    round->u.round = (LutraRoundOperation){border->dropped_bits, builder->plan->settings.mode,
                                           border->offsets};
    border->offsets = NULL;
    round->encoding = border->encoding;
    round->encoding.bits -= border->dropped_bits;
    prove_range(builder, round);
    if (observed) {
        round->observed_range = lutra_operation_static_range(round, layer->shape, &seen);
    }
}

static LutraStatus check_table_width(const LutraLowering *builder, const LutraLayer *layer,
                                     LutraEncoding encoding) {
    if (encoding.bits <= LUTRA_MAX_TABLE_BITS) {
        return LUTRA_OK;
    }
    return lutra_error_set(builder->error, LUTRA_EINFEASIBLE, "the table of layer '%s' would read "
                           "%u bits; at most %d are possible: round to fewer bits", layer->name,
                           encoding.bits, LUTRA_MAX_TABLE_BITS);
}

/* The table of an activation or max_pool; what it computes is pending. */
static LutraStatus add_table(LutraLowering *builder, const LutraLayer *layer,
                             const LutraQuantizer *quantizer) {
    LutraBorder border = {0};
    LutraStatus status = LUTRA_OK;
    builder->pending.quantizer = *quantizer;
    LUTRA_TRY_GOTO(status, lutra_lowering_border(&border, builder));
    lutra_lowering_set_encoding(builder, border.encoding);
    LutraTableDomain domain = {layer->shape.channels, border.encoding, border.dropped_bits,
                               border.offsets};
    domain.encoding.bits -= border.dropped_bits;
    LUTRA_TRY_GOTO(status, check_table_width(builder, layer, domain.encoding));
    if (border.dropped_bits > 0 || border.offsets != NULL) {
        add_round(builder, layer, &border);
        domain.offsets = lutra_lowering_last(builder)->u.round.offsets;
    }
    LutraTableOperation built = {0};
    LUTRA_TRY_GOTO(status, lutra_table_build(&built, &builder->pending, &domain, builder->error));
    LutraOperation *table = append(builder, LUTRA_OPERATION_TABLE, layer->name, layer->shape);
    table->u.table = built;
    prove_range(builder, table);
    builder->group_start = builder->circuit.operation_count - 1;
    builder->tables++;
    const float step = quantizer->step;
    builder->pending = (LutraPending){0};
    restart_scale(builder, step, 1.0f);
done:
    lutra_free(&border.offsets);
    return status;
}

static LutraStatus add_activation(LutraLowering *builder, const LutraLayer *layer,
                                  const LutraLayerParameters *parameters, bool is_last) {
    const LutraQuantizer quantizer = lutra_layer_quantizer(layer, parameters);
    if (!is_last && layer[1].kind == LUTRA_LAYER_MAX_POOL) {
        builder->pending.writes_window = layer[1].u.pool.kernel * layer[1].u.pool.kernel;
    }
    return add_table(builder, layer, &quantizer);
}

static LutraStatus add_max_pool(LutraLowering *builder, const LutraLayer *layer) {
    char name[LUTRA_NAME_BYTES];
    const uint32_t kernel = layer->u.pool.kernel;
    free_name(name, builder, layer->name, "_sum");
    LutraOperation *pool = append(builder, LUTRA_OPERATION_SUM_POOL, name, layer->shape);
    pool->u.sum_pool = (LutraSumPoolOperation){kernel, layer->u.pool.stride};
    prove_range(builder, pool);
    builder->pending = (LutraPending){.reads_window = kernel * kernel};
    LutraQuantizer quantizer = layer->u.pool.codes;
    quantizer.step = builder->step; /* of the activation, which may be learned */
    return add_table(builder, layer, &quantizer);
}

/* ---- the client's end ---- */

static LutraStatus alloc_step(LutraAffineStep *step, uint32_t channels, LutraError *error) {
    LUTRA_TRY(lutra_alloc(&step->mean, channels, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&step->inverse_deviation, channels, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&step->weight, channels, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&step->bias, channels, sizeof(float), error));
    for (uint32_t c = 0; c < channels; c++) {
        step->inverse_deviation[c] = 1.0f;
        step->weight[c] = 1.0f;
    }
    return LUTRA_OK;
}

static LutraStatus add_output(LutraLowering *builder, const LutraLayer *last,
                              const LutraLayerParameters *norm) {
    char name[LUTRA_NAME_BYTES];
    const bool has_norm = last->kind == LUTRA_LAYER_TENSOR_NORM;
    if (has_norm) {
        snprintf(name, sizeof name, "%s", last->name);
    } else {
        free_name(name, builder, "output", "");
    }
    const LutraEncoding encoding = lutra_lowering_encoding(builder);
    lutra_lowering_set_encoding(builder, encoding);
    LutraOperation *operation = append(builder, LUTRA_OPERATION_OUTPUT, name, last->shape);
    LutraOutputOperation *output = &operation->u.output;
    operation->encoding = encoding;
    prove_range(builder, operation);
    output->scale = builder->pending.scale;
    if (builder->pending.bias != NULL) {
        LutraAffineStep *step = &output->steps[output->step_count++];
        LUTRA_TRY(alloc_step(step, last->shape.channels, builder->error));
        for (uint32_t c = 0; c < last->shape.channels; c++) {
            step->bias[c] = builder->pending.bias[c];
        }
    }
    if (has_norm) {
        LutraAffineStep *step = &output->steps[output->step_count++];
        LUTRA_TRY(alloc_step(step, last->shape.channels, builder->error));
        for (uint32_t c = 0; c < last->shape.channels; c++) {
            step->mean[c] = norm->running_mean[0];
            step->inverse_deviation[c] =
                lutra_inverse_deviation(norm->running_variance[0], last->u.norm.epsilon);
            step->weight[c] = norm->gamma[0];
            step->bias[c] = norm->beta[0];
        }
    }
    return LUTRA_OK;
}

static LutraStatus check_norm(const LutraLowering *builder, const LutraLayer *layer,
                              const LutraLayerParameters *norm) {
    const size_t count = lutra_layer_norm_count(layer);
    LUTRA_TRY(check_finite(builder, layer, norm->gamma, count));
    LUTRA_TRY(check_finite(builder, layer, norm->beta, count));
    LUTRA_TRY(check_finite(builder, layer, norm->running_mean, count));
    return check_finite(builder, layer, norm->running_variance, count);
}

static LutraStatus add_layer(LutraLowering *builder, uint32_t index) {
    const LutraLayer *layer = &builder->model->network.layers[index];
    const LutraLayerParameters *parameters = &builder->model->layers[index];
    LUTRA_TRY(check_quantized(builder, layer, parameters));
    switch (layer->kind) {
    case LUTRA_LAYER_INPUT:
        return add_input(builder, layer, parameters);
    case LUTRA_LAYER_CONV:
    case LUTRA_LAYER_LINEAR:
        return add_weighted(builder, layer, parameters);
    case LUTRA_LAYER_AVERAGE_POOL:
        return add_pool(builder, layer);
    case LUTRA_LAYER_BATCH_NORM:
        LUTRA_TRY(check_norm(builder, layer, parameters));
        builder->pending.norm = parameters;
        builder->pending.epsilon = layer->u.norm.epsilon;
        return LUTRA_OK;
    case LUTRA_LAYER_ACTIVATION:
        return add_activation(builder, layer, parameters,
                              index + 1 == builder->model->network.layer_count);
    case LUTRA_LAYER_MAX_POOL:
        return add_max_pool(builder, layer);
    case LUTRA_LAYER_TENSOR_NORM:
        return check_norm(builder, layer, parameters);
    }
    return LUTRA_EBUG;
}

static LutraStatus check_settings(const LutraModel *model, const LutraLowerSettings *settings,
                                  LutraError *error) {
    const uint32_t tables = lutra_network_table_count(&model->network);
    if (settings->rounding_count > 1 && settings->rounding_count != tables) {
        return lutra_error_set(error, LUTRA_EINVAL, "%u rounding widths for the %u tables of "
                               "network '%s'; give one for all or one for each",
                               settings->rounding_count, tables, model->network.name);
    }
    for (uint32_t i = 0; i < settings->rounding_count; i++) {
        if (settings->rounding[i] > LUTRA_MAX_ROUNDING) {
            return lutra_error_set(error, LUTRA_EINVAL, "rounding to %u bits; should be none or 1 "
                                   "to %d", settings->rounding[i], LUTRA_MAX_ROUNDING);
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_lower_planned(LutraCircuit *circuit, const LutraModel *model,
                                const LutraLowerPlan *plan, LutraError *error) {
    const LutraNetwork *network = &model->network;
    const uint32_t last = network->layer_count - 1;
    LutraLowering builder = {.model = model, .plan = plan, .error = error};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(check_settings(model, &plan->settings, error));
    /* At most three operations a layer, and the output. */
    LUTRA_TRY_GOTO(status, lutra_alloc(&builder.circuit.operations,
                                       (3 * (size_t)network->layer_count) + 1,
                                       sizeof(LutraOperation), error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&builder.circuit.name, network->name, error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&builder.circuit.network_text, network->text, error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&builder.circuit.provenance, "{}", error));
    builder.circuit.class_count = network->class_count;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        LUTRA_TRY_GOTO(status, add_layer(&builder, i));
    }
    LUTRA_TRY_GOTO(status, add_output(&builder, &network->layers[last], &model->layers[last]));
    LUTRA_TRY_GOTO(status, lutra_circuit_check(&builder.circuit, error));
    *circuit = builder.circuit;
    builder.circuit = (LutraCircuit){0};
done:
    lutra_circuit_deinit(&builder.circuit);
    return status;
}

LutraStatus lutra_lower(LutraCircuit *circuit, const LutraModel *model,
                        const LutraCalibration *calibration, const LutraLowerSettings *settings,
                        LutraError *error) {
    LutraLowerPlan plan = {.settings = *settings};
    if (calibration != NULL) {
        uint32_t plain = 1 + lutra_network_table_count(&model->network) + 1; /* input .. output */
        for (uint32_t i = 0; i < model->network.layer_count; i++) {
            const LutraLayerKind kind = model->network.layers[i].kind;
            plain += kind == LUTRA_LAYER_CONV || kind == LUTRA_LAYER_LINEAR ||
                     kind == LUTRA_LAYER_AVERAGE_POOL || kind == LUTRA_LAYER_MAX_POOL;
        }
        if (calibration->count != plain) {
            return lutra_error_set(error, LUTRA_EINVAL, "the calibration has %u ranges; network "
                                   "'%s' has %u operations", calibration->count,
                                   model->network.name, plain);
        }
        plan.ranges = calibration->ranges;
        plan.centred = calibration->centred;
        plan.densities = calibration->densities;
        plan.range_count = calibration->count;
    }
    return lutra_lower_planned(circuit, model, &plan, error);
}
