/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/random_circuit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

#define CONV(channels, kernel, padding) {LUTRA_OPERATION_CONV, channels, kernel, 1, padding}
#define POOL(kernel, stride) {LUTRA_OPERATION_SUM_POOL, 0, kernel, stride, 0}
#define LINEAR(features) {LUTRA_OPERATION_LINEAR, features, 1, 1, 0}

static const LutraRandomLayer vgg9_layers[] = {
    CONV(64, 3, 0),  CONV(64, 3, 0),  POOL(2, 2),  CONV(128, 3, 0), CONV(128, 3, 0), POOL(2, 2),
    CONV(256, 3, 0), CONV(256, 3, 0), LINEAR(512), LINEAR(512),     LINEAR(10)};

const LutraRandomNetwork lutra_random_vgg9 = {
    .name = "random-vgg9",
    .input = {3, 32, 32},
    .input_codes = {-128, 127},
    .codes = {-1, 1},
    .largest_weight = 1,
    .layers = vgg9_layers,
    .layer_count = sizeof vgg9_layers / sizeof vgg9_layers[0]};

static const LutraRandomLayer vgg11_layers[] = {
    CONV(64, 3, 1),  POOL(2, 1),      CONV(128, 3, 1), POOL(2, 2), CONV(256, 3, 1),
    CONV(256, 3, 1), POOL(2, 2),      CONV(512, 3, 1), CONV(512, 3, 1), POOL(1, 1),
    CONV(512, 3, 1), CONV(512, 3, 1), POOL(7, 1),      LINEAR(10)};

const LutraRandomNetwork lutra_random_vgg11 = {
    .name = "random-vgg11",
    .input = {3, 32, 32},
    .input_codes = {-16, 15},
    .codes = {0, 31},
    .largest_weight = 15,
    .rounding_bits = 8,
    .layers = vgg11_layers,
    .layer_count = sizeof vgg11_layers / sizeof vgg11_layers[0]};

/* Encodings reach this many standard deviations to both sides. */
static const double REACH = 6.0;

/** Mean and deviation of the sums of one channel. */
typedef struct {
    double mean;
    double deviation;
} Moments;

typedef struct {
    LutraCircuit circuit;
    const LutraRandomNetwork *network;
    LutraRandomKey key;
    uint64_t draws;
    uint32_t source; /* operation that starts the present stretch of equal encodings */
    Moments *moments; /* (channels of the last sum), owned */
    LutraError *error;
} Builder;

static LutraOperation *last_operation(Builder *builder) {
    return &builder->circuit.operations[builder->circuit.operation_count - 1];
}

/** Appends an operation that reads the one before it and takes over shape and encoding. */
static LutraOperation *append(Builder *builder, LutraOperationKind kind) {
    const uint32_t index = builder->circuit.operation_count;
    LutraOperation *const op = &builder->circuit.operations[index];
    if (index > 0) {
        op->inputs[op->input_count++] = index - 1;
        op->shape = op[-1].shape;
        op->encoding = op[-1].encoding;
    }
    op->kind = kind;
    op->observed_range = (LutraRange){.min = 1, .max = 0};
    (void)snprintf(op->name, sizeof op->name, "%s%u", lutra_operation_kind_name(kind), index);
    builder->circuit.operation_count++;
    return op;
}

static void set_static_range(LutraOperation *op) {
    const LutraRange x = op->input_count > 0 ? op[-1].static_range : (LutraRange){0};
    op->static_range = lutra_operation_static_range(
        op, op->input_count > 0 ? op[-1].shape : op->shape, &x);
}

static LutraRange codes_of_source(const Builder *builder) {
    return builder->source == 0 ? builder->network->input_codes : builder->network->codes;
}

static LutraStatus add_input(Builder *builder) {
    const LutraRange codes = builder->network->input_codes;
    LutraOperation *const op = append(builder, LUTRA_OPERATION_INPUT);
    op->shape = builder->network->input;
    op->u.input.scale = 1.0f;
    const size_t count = (size_t)op->shape.channels * 256;
    LUTRA_TRY(lutra_alloc(&op->u.input.code_of_pixel, count, sizeof(int16_t), builder->error));
    for (size_t i = 0; i < count; i++) {
        const int64_t code = codes.min + (int64_t)(i % 256) * (codes.max - codes.min + 1) / 256;
        op->u.input.code_of_pixel[i] = (int16_t)code;
    }
    set_static_range(op);
    return LUTRA_OK;
}

/** One byte of randomness gives one weight: close enough to uniform. */
static LutraStatus draw_weights(Builder *builder, int8_t **weights, size_t count) {
    LUTRA_TRY(lutra_alloc(weights, count, 1, builder->error));
    const int32_t largest = builder->network->largest_weight;
    uint32_t words[4];
    for (size_t i = 0; i < count; i++) {
        if (i % 16 == 0) {
            lutra_random_words(words, builder->key, builder->draws++, 0);
        }
        const uint32_t byte = words[i / 4 % 4] >> (8 * (i % 4)) & 0xFF;
        (*weights)[i] = (int8_t)((int32_t)(byte * (2 * (uint32_t)largest + 1) >> 8) - largest);
    }
    return LUTRA_OK;
}

/** Of one code drawn uniformly. */
static Moments moments_of_code(LutraRange codes) {
    const double count = (double)(codes.max - codes.min + 1);
    return (Moments){.mean = 0.5 * (double)(codes.min + codes.max),
                     .deviation = sqrt((count * count - 1.0) / 12.0)};
}

static LutraStatus note_dot_moments(Builder *builder, const int8_t *weights, uint32_t channels,
                                    size_t fan_in) {
    const Moments code = moments_of_code(codes_of_source(builder));
    LUTRA_TRY(lutra_alloc(&builder->moments, channels, sizeof(Moments), builder->error));
    for (size_t c = 0; c < channels; c++) {
        int64_t sum = 0;
        int64_t squares = 0;
        for (size_t i = 0; i < fan_in; i++) {
            const int64_t w = weights[c * fan_in + i];
            sum += w;
            squares += w * w;
        }
        builder->moments[c] = (Moments){.mean = code.mean * (double)sum,
                                        .deviation = code.deviation * sqrt((double)squares)};
    }
    return LUTRA_OK;
}

static LutraStatus note_pool_moments(Builder *builder, uint32_t channels, uint32_t kernel) {
    const Moments code = moments_of_code(codes_of_source(builder));
    LUTRA_TRY(lutra_alloc(&builder->moments, channels, sizeof(Moments), builder->error));
    for (size_t c = 0; c < channels; c++) {
        builder->moments[c] = (Moments){.mean = code.mean * kernel * kernel,
                                        .deviation = code.deviation * kernel};
    }
    return LUTRA_OK;
}

static LutraStatus add_conv(Builder *builder, const LutraRandomLayer *layer) {
    const LutraShape x = last_operation(builder)->shape;
    LutraOperation *const op = append(builder, LUTRA_OPERATION_CONV);
    op->shape = (LutraShape){
        layer->channels, lutra_window_positions(x.height, layer->kernel, layer->stride,
                                                layer->padding),
        lutra_window_positions(x.width, layer->kernel, layer->stride, layer->padding)};
    op->u.conv = (LutraConvOperation){.in_channels = x.channels,
                                      .kernel = layer->kernel,
                                      .stride = layer->stride,
                                      .padding = layer->padding};
    const size_t fan_in = (size_t)x.channels * layer->kernel * layer->kernel;
    LUTRA_TRY(draw_weights(builder, &op->u.conv.weights, layer->channels * fan_in));
    return note_dot_moments(builder, op->u.conv.weights, layer->channels, fan_in);
}

static LutraStatus add_linear(Builder *builder, const LutraRandomLayer *layer) {
    const size_t fan_in = lutra_shape_elements(last_operation(builder)->shape);
    LutraOperation *const op = append(builder, LUTRA_OPERATION_LINEAR);
    op->shape = (LutraShape){layer->channels, 1, 1};
    op->u.linear.in_features = (uint32_t)fan_in;
    LUTRA_TRY(draw_weights(builder, &op->u.linear.weights, layer->channels * fan_in));
    return note_dot_moments(builder, op->u.linear.weights, layer->channels, fan_in);
}

static LutraStatus add_pool(Builder *builder, const LutraRandomLayer *layer) {
    const LutraShape x = last_operation(builder)->shape;
    LutraOperation *const op = append(builder, LUTRA_OPERATION_SUM_POOL);
    op->shape.height = lutra_window_positions(x.height, layer->kernel, layer->stride, 0);
    op->shape.width = lutra_window_positions(x.width, layer->kernel, layer->stride, 0);
    op->u.sum_pool =
        (LutraSumPoolOperation){.kernel = layer->kernel, .stride = layer->stride};
    return note_pool_moments(builder, x.channels, layer->kernel);
}

/** What calibration would find, joined with the codes that enter. */
static LutraEncoding calibrated_encoding(const Builder *builder, const LutraOperation *op) {
    const LutraRange codes = codes_of_source(builder);
    double low = (double)codes.min;
    double high = (double)codes.max;
    for (uint32_t c = 0; c < op->shape.channels; c++) {
        const Moments *const of = &builder->moments[c];
        low = fmin(low, of->mean - REACH * of->deviation);
        high = fmax(high, of->mean + REACH * of->deviation);
    }
    low = fmax(low, fmin((double)op->static_range.min, (double)codes.min));
    high = fmin(high, fmax((double)op->static_range.max, (double)codes.max));
    return lutra_encoding_of_range((int64_t)floor(low), (int64_t)ceil(high));
}

/** The sum that was just appended, and the operation that its codes come from. */
static void close_sum(Builder *builder) {
    LutraOperation *const op = last_operation(builder);
    set_static_range(op);
    op->encoding = calibrated_encoding(builder, op);
    builder->circuit.operations[builder->source].encoding = op->encoding;
}

static LutraStatus add_sum(Builder *builder, const LutraRandomLayer *layer) {
    lutra_free(&builder->moments);
    if (layer->kind == LUTRA_OPERATION_CONV) {
        LUTRA_TRY(add_conv(builder, layer));
    } else if (layer->kind == LUTRA_OPERATION_LINEAR) {
        LUTRA_TRY(add_linear(builder, layer));
    } else {
        LUTRA_TRY(add_pool(builder, layer));
    }
    close_sum(builder);
    return LUTRA_OK;
}

/** Returns the dropped bits. */
static uint32_t add_round(Builder *builder) {
    const uint32_t bits = last_operation(builder)->encoding.bits;
    const uint32_t kept = builder->network->rounding_bits;
    if (kept == 0 || bits <= kept) {
        return 0;
    }
    LutraOperation *const op = append(builder, LUTRA_OPERATION_ROUND);
    op->encoding.bits = kept;
    op->u.round.dropped_bits = bits - kept;
    op->u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    set_static_range(op);
    return bits - kept;
}

/** Where the sum leaves fraction u of its values below (normal quantile, by the logistic one). */
static double quantile(const Moments *moments, double u) {
    static const double deviation_of_logistic = 1.8137993642342178; /* pi / sqrt(3) */
    return moments->mean + moments->deviation * log(u / (1.0 - u)) / deviation_of_logistic;
}

static LutraStatus add_table(Builder *builder) {
    const uint32_t dropped = add_round(builder);
    const LutraRange codes = builder->network->codes;
    LutraOperation *const op = append(builder, LUTRA_OPERATION_TABLE);
    LutraTableOperation *const table = &op->u.table;
    table->table_count = op->shape.channels;
    table->entry_count = UINT32_C(1) << op->encoding.bits;
    table->first_input = (int32_t)lutra_encoding_min(op->encoding);
    LUTRA_TRY(lutra_alloc(&table->entries, (size_t)table->table_count * table->entry_count,
                          sizeof(int32_t), builder->error));
    LUTRA_TRY(lutra_alloc(&table->table_of_channel, op->shape.channels, sizeof(uint32_t),
                          builder->error));
    int32_t *entry = table->entries;
    for (uint32_t c = 0; c < op->shape.channels; c++) {
        table->table_of_channel[c] = c;
        int64_t code = codes.min;
        for (uint32_t i = 0; i < table->entry_count; i++) {
            const double x = ldexp((double)table->first_input + i, (int)dropped);
            const double all = (double)(codes.max - codes.min + 1);
            while (code < codes.max &&
                   x > quantile(&builder->moments[c], (double)(code - codes.min + 1) / all)) {
                code++;
            }
            *entry++ = (int32_t)code;
        }
    }
    set_static_range(op);
    builder->source = builder->circuit.operation_count - 1;
    return LUTRA_OK;
}

static void add_output(Builder *builder) {
    LutraOperation *const op = append(builder, LUTRA_OPERATION_OUTPUT);
    op->u.output.scale = 1.0f;
    set_static_range(op);
    builder->circuit.class_count = op->shape.channels;
}

static LutraStatus build(Builder *builder) {
    LutraCircuit *const circuit = &builder->circuit;
    const LutraRandomNetwork *const network = builder->network;
    LUTRA_TRY(lutra_string_copy(&circuit->name, network->name, builder->error));
    LUTRA_TRY(lutra_string_copy(&circuit->network_text, "", builder->error));
    LUTRA_TRY(lutra_string_copy(&circuit->provenance, "{}", builder->error));
    LUTRA_TRY(lutra_alloc(&circuit->operations, 3 * (size_t)network->layer_count + 2,
                          sizeof(LutraOperation), builder->error));
    LUTRA_TRY(add_input(builder));
    for (uint32_t i = 0; i < network->layer_count; i++) {
        LUTRA_TRY(add_sum(builder, &network->layers[i]));
        if (i + 1 < network->layer_count) {
            LUTRA_TRY(add_table(builder));
        }
    }
    add_output(builder);
    return lutra_circuit_check(circuit, builder->error);
}

LutraStatus lutra_random_circuit_create(LutraCircuit *circuit, const LutraRandomNetwork *network,
                                        uint64_t seed, LutraError *error) {
    Builder builder = {.network = network,
                       .key = {.seed = seed, .stream = LUTRA_STREAM_CIRCUIT},
                       .error = error};
    const LutraStatus status = build(&builder);
    lutra_free(&builder.moments);
    if (status != LUTRA_OK) {
        lutra_circuit_deinit(&builder.circuit);
        return status;
    }
    *circuit = builder.circuit;
    return LUTRA_OK;
}
