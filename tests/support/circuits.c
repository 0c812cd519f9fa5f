/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/circuits.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sim/key_layout.h"
#include "tests/support/check.h"

enum { BUILDER_OPERATIONS = 64 };

static void must(LutraStatus status, const LutraError *error) {
    check_status(status, LUTRA_OK, error);
}

static void *take(size_t count, size_t element_bytes) {
    void *block = NULL;
    must(lutra_alloc(&block, count, element_bytes, NULL), NULL);
    return block;
}

static char *text(const char *source) {
    char *copy = NULL;
    must(lutra_string_copy(&copy, source, NULL), NULL);
    return copy;
}

void builder_start(CircuitBuilder *builder, LutraRandomKey key, CircuitStyle style) {
    *builder = (CircuitBuilder){.key = key, .style = style};
    builder->circuit.name = text("random");
    builder->circuit.network_text = text("");
    builder->circuit.provenance = text("{}");
    builder->circuit.operations = take(BUILDER_OPERATIONS, sizeof(LutraOperation));
}

int64_t builder_draw(CircuitBuilder *builder, int64_t min, int64_t max) {
    const uint64_t span = (uint64_t)(max - min) + 1;
    return min + (int64_t)lutra_random_below(builder->key, builder->draws++, span);
}

static LutraOperation *append(CircuitBuilder *builder, LutraOperationKind kind, LutraShape shape) {
    LutraCircuit *const circuit = &builder->circuit;
    LUTRA_ASSERT(circuit->operation_count < BUILDER_OPERATIONS);
    const uint32_t index = circuit->operation_count++;
    LutraOperation *const op = &circuit->operations[index];
    op->kind = kind;
    op->shape = shape;
    op->observed_range = (LutraRange){.min = 1, .max = 0};
    (void)snprintf(op->name, sizeof op->name, "%s%u", lutra_operation_kind_name(kind), index);
    return op;
}

static const LutraOperation *connect(CircuitBuilder *builder, LutraOperation *op, uint32_t x) {
    op->inputs[op->input_count++] = x;
    op->encoding = builder->circuit.operations[x].encoding;
    return &builder->circuit.operations[x];
}

/** Fills the proved range; sometimes states a wider one, sometimes a narrow observed one. */
static uint32_t close_operation(CircuitBuilder *builder, LutraOperation *op) {
    LutraRange inputs[LUTRA_MAX_OPERATION_INPUTS] = {{0}};
    const LutraShape none = {0};
    for (uint32_t i = 0; i < op->input_count; i++) {
        inputs[i] = builder->circuit.operations[op->inputs[i]].static_range;
    }
    const LutraShape x_shape =
        op->input_count == 0 ? none : builder->circuit.operations[op->inputs[0]].shape;
    op->static_range = lutra_operation_static_range(op, x_shape, inputs);
    const int64_t draw = builder_draw(builder, 0, 3);
    if (draw == 0) {
        op->observed_range = op->static_range;
    } else if (draw == 1) {
        op->observed_range.min = op->static_range.min / 2;
        op->observed_range.max = op->static_range.max / 2;
    }
    return builder->circuit.operation_count - 1;
}

uint32_t builder_input(CircuitBuilder *builder, LutraShape shape, LutraEncoding encoding,
                       int64_t code_min, int64_t code_max) {
    LutraOperation *const op = append(builder, LUTRA_OPERATION_INPUT, shape);
    op->encoding = encoding;
    op->u.input.scale = 0.0078125f;
    op->u.input.code_of_pixel = take((size_t)shape.channels * 256, sizeof(int16_t));
    for (size_t i = 0; i < (size_t)shape.channels * 256; i++) {
        op->u.input.code_of_pixel[i] = (int16_t)builder_draw(builder, code_min, code_max);
    }
    return close_operation(builder, op);
}

static int8_t *draw_weights(CircuitBuilder *builder, size_t count) {
    int8_t *const weights = take(count, 1);
    const int64_t limit = builder->style == CIRCUIT_TERNARY ? 1
                          : builder->style == CIRCUIT_SMALL ? 15
                                                            : 127;
    const int64_t low = builder->style == CIRCUIT_WIDE ? -128 : -limit;
    for (size_t i = 0; i < count; i++) {
        weights[i] = (int8_t)builder_draw(builder, low, limit);
    }
    return weights;
}

uint32_t builder_conv(CircuitBuilder *builder, uint32_t x, uint32_t channels, uint32_t kernel,
                      uint32_t stride, uint32_t padding) {
    const LutraShape in = builder->circuit.operations[x].shape;
    const LutraShape shape = {.channels = channels,
                              .height = (in.height + 2 * padding - kernel) / stride + 1,
                              .width = (in.width + 2 * padding - kernel) / stride + 1};
    LutraOperation *const op = append(builder, LUTRA_OPERATION_CONV, shape);
    (void)connect(builder, op, x);
    op->u.conv = (LutraConvOperation){
        .in_channels = in.channels, .kernel = kernel, .stride = stride, .padding = padding};
    op->u.conv.weights = draw_weights(builder, (size_t)channels * in.channels * kernel * kernel);
    return close_operation(builder, op);
}

uint32_t builder_linear(CircuitBuilder *builder, uint32_t x, uint32_t outputs) {
    const LutraShape shape = {.channels = outputs, .height = 1, .width = 1};
    LutraOperation *const op = append(builder, LUTRA_OPERATION_LINEAR, shape);
    const LutraOperation *const in = connect(builder, op, x);
    op->u.linear.in_features = (uint32_t)lutra_shape_elements(in->shape);
    op->u.linear.weights = draw_weights(builder, (size_t)outputs * op->u.linear.in_features);
    return close_operation(builder, op);
}

uint32_t builder_sum_pool(CircuitBuilder *builder, uint32_t x, uint32_t kernel, uint32_t stride) {
    const LutraShape in = builder->circuit.operations[x].shape;
    const LutraShape shape = {.channels = in.channels,
                              .height = (in.height - kernel) / stride + 1,
                              .width = (in.width - kernel) / stride + 1};
    LutraOperation *const op = append(builder, LUTRA_OPERATION_SUM_POOL, shape);
    (void)connect(builder, op, x);
    op->u.sum_pool = (LutraSumPoolOperation){.kernel = kernel, .stride = stride};
    return close_operation(builder, op);
}

uint32_t builder_add(CircuitBuilder *builder, uint32_t x0, uint32_t x1) {
    LutraOperation *const op =
        append(builder, LUTRA_OPERATION_ADD, builder->circuit.operations[x0].shape);
    (void)connect(builder, op, x0);
    (void)connect(builder, op, x1);
    return close_operation(builder, op);
}

uint32_t builder_round(CircuitBuilder *builder, uint32_t x, uint32_t dropped_bits, bool offsets) {
    LutraOperation *const op =
        append(builder, LUTRA_OPERATION_ROUND, builder->circuit.operations[x].shape);
    (void)connect(builder, op, x);
    op->encoding.bits -= dropped_bits;
    op->u.round.dropped_bits = dropped_bits;
    op->u.round.mode = (LutraRoundingMode)builder_draw(builder, 0, 1);
    if (offsets) {
        const int64_t reach = INT64_C(1) << dropped_bits;
        op->u.round.offsets = take(op->shape.channels, sizeof(int32_t));
        for (uint32_t c = 0; c < op->shape.channels; c++) {
            op->u.round.offsets[c] = (int32_t)builder_draw(builder, -reach, reach);
        }
    }
    return close_operation(builder, op);
}

/** One monotone row: a sorted set of random places where the value moves one or more steps. */
static void draw_steps(CircuitBuilder *builder, int32_t *row, const LutraTableOperation *table,
                       LutraRange x, LutraRange entries) {
    const int64_t last = (int64_t)table->first_input + table->entry_count - 1;
    const int64_t from = x.min < table->first_input ? table->first_input : x.min;
    const int64_t to = x.max > last ? last : x.max;
    const bool falling = builder_draw(builder, 0, 1) == 1;
    const int64_t span = entries.max - entries.min;
    for (uint32_t i = 0; i < table->entry_count; i++) {
        row[i] = 0;
    }
    for (int64_t level = 0; level < span && from <= to; level++) {
        row[builder_draw(builder, from, to) - table->first_input]++;
    }
    int64_t reached = builder_draw(builder, 0, 7) == 0 ? span : 0; /* sometimes constant */
    for (uint32_t i = 0; i < table->entry_count; i++) {
        reached = reached + row[i] > span ? span : reached + row[i];
        row[i] = (int32_t)(falling ? entries.max - reached : entries.min + reached);
    }
}

uint32_t builder_table(CircuitBuilder *builder, uint32_t x, LutraEncoding encoding, int64_t min,
                       int64_t max, bool steps) {
    LutraOperation *const op =
        append(builder, LUTRA_OPERATION_TABLE, builder->circuit.operations[x].shape);
    const LutraOperation *const in = connect(builder, op, x);
    LutraTableOperation *const table = &op->u.table;
    op->encoding = encoding;
    table->entry_count = UINT32_C(1) << in->encoding.bits;
    table->first_input = (int32_t)lutra_encoding_min(in->encoding);
    table->table_count = (uint32_t)builder_draw(builder, 1, op->shape.channels);
    table->entries = take((size_t)table->table_count * table->entry_count, sizeof(int32_t));
    table->table_of_channel = take(op->shape.channels, sizeof(uint32_t));
    for (uint32_t t = 0; t < table->table_count; t++) {
        int32_t *const row = table->entries + (size_t)t * table->entry_count;
        if (steps) {
            draw_steps(builder, row, table, in->static_range, (LutraRange){min, max});
            continue;
        }
        for (uint32_t i = 0; i < table->entry_count; i++) {
            row[i] = (int32_t)builder_draw(builder, min, max);
        }
    }
    for (uint32_t c = 0; c < op->shape.channels; c++) {
        table->table_of_channel[c] = (uint32_t)builder_draw(builder, 0, table->table_count - 1);
    }
    return close_operation(builder, op);
}

uint32_t builder_output(CircuitBuilder *builder, uint32_t x, uint32_t step_count) {
    const LutraShape shape = builder->circuit.operations[x].shape;
    LutraOperation *const op = append(builder, LUTRA_OPERATION_OUTPUT, shape);
    (void)connect(builder, op, x);
    op->u.output.scale = 0.125f;
    op->u.output.step_count = step_count;
    for (uint32_t s = 0; s < step_count; s++) {
        LutraAffineStep *const step = &op->u.output.steps[s];
        float **const arrays[4] = {&step->mean, &step->inverse_deviation, &step->weight,
                                   &step->bias};
        for (size_t a = 0; a < 4; a++) {
            *arrays[a] = take(shape.channels, sizeof(float));
            for (uint32_t c = 0; c < shape.channels; c++) {
                (*arrays[a])[c] = (float)builder_draw(builder, -1000, 1000) * 0.0037f;
            }
        }
    }
    builder->circuit.class_count = shape.channels;
    return close_operation(builder, op);
}

void builder_finish(CircuitBuilder *builder, LutraCircuit *circuit) {
    LutraError error = {""};
    must(lutra_circuit_check(&builder->circuit, &error), &error);
    *circuit = builder->circuit;
    memset(builder, 0, sizeof *builder);
}

/** Encoding of the next stretch of linear operations, holding the codes it starts from. */
static LutraEncoding next_encoding(CircuitBuilder *builder, LutraRange *codes) {
    const int64_t most = builder->style == CIRCUIT_TERNARY ? 1
                         : builder->style == CIRCUIT_SMALL ? 15
                                                           : 511;
    codes->min = -builder_draw(builder, 0, most);
    codes->max = builder_draw(builder, codes->min == 0 ? 1 : 0, most);
    const LutraEncoding fits = lutra_encoding_of_range(codes->min, codes->max);
    LutraEncoding encoding = fits;
    const int64_t more = builder->style == CIRCUIT_WIDE ? 2 : 10;
    encoding.bits = fits.bits + (uint32_t)builder_draw(builder, 0, more);
    encoding.bits = encoding.bits > 13 ? 13 : encoding.bits;
    return encoding;
}

static uint32_t draw_channels(CircuitBuilder *builder) {
    static const uint32_t channels[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65};
    return channels[builder_draw(builder, 0, 13)];
}

/** A convolution or pool that fits, sometimes with a residual branch. */
static uint32_t random_linear_part(CircuitBuilder *builder, uint32_t x) {
    const LutraShape in = builder->circuit.operations[x].shape;
    const uint32_t smallest = in.height < in.width ? in.height : in.width;
    const int64_t draw = builder_draw(builder, 0, 9);
    const uint32_t most = smallest < 4 ? smallest : 4;
    const uint32_t kernel = (uint32_t)builder_draw(builder, 1, most);
    const uint32_t stride = (uint32_t)builder_draw(builder, 1, 2);
    if (draw == 0) {
        return builder_sum_pool(builder, x, kernel, stride);
    }
    if (draw == 1) {
        const uint32_t branch = builder_conv(builder, x, in.channels, 3, 1, 1);
        return builder_add(builder, branch, x);
    }
    if (draw == 2) {
        return builder_linear(builder, x, draw_channels(builder));
    }
    if (draw == 3) {
        return x;
    }
    const uint32_t padding = (uint32_t)builder_draw(builder, 0, kernel / 2);
    return builder_conv(builder, x, draw_channels(builder), kernel, stride, padding);
}

static uint32_t random_table_part(CircuitBuilder *builder, uint32_t x) {
    LutraRange codes = {0};
    const LutraEncoding encoding = next_encoding(builder, &codes);
    const uint32_t bits = builder->circuit.operations[x].encoding.bits;
    const bool steps =
        builder->style == CIRCUIT_TERNARY || builder_draw(builder, 0, 1) == 1;
    uint32_t y = x;
    if (bits > 1 && builder_draw(builder, 0, 2) > 0) {
        const uint32_t dropped = (uint32_t)builder_draw(builder, 0, bits - 1);
        y = builder_round(builder, x, dropped, builder_draw(builder, 0, 1) == 1);
    }
    const uint32_t first = builder_table(builder, y, encoding, codes.min, codes.max, steps);
    if (builder_draw(builder, 0, 7) > 0) {
        return first;
    }
    const uint32_t second = builder_table(builder, x, encoding, codes.min, codes.max, false);
    return builder_add(builder, first, second);
}

void circuit_random(LutraCircuit *circuit, LutraRandomKey key, CircuitStyle style) {
    CircuitBuilder builder;
    builder_start(&builder, key, style);
    LutraRange codes = {0};
    LutraEncoding encoding = next_encoding(&builder, &codes);
    if (builder_draw(&builder, 0, 1) == 1) {
        codes = (LutraRange){-128, 127};
        encoding = (LutraEncoding){.bits = 13, .is_signed = true};
    }
    const LutraShape shape = {.channels = (uint32_t)builder_draw(&builder, 1, 5),
                              .height = (uint32_t)builder_draw(&builder, 1, 10),
                              .width = (uint32_t)builder_draw(&builder, 1, 10)};
    uint32_t x = builder_input(&builder, shape, encoding, codes.min, codes.max);
    const int64_t depth = builder_draw(&builder, 0, 4);
    for (int64_t i = 0; i < depth; i++) {
        x = random_linear_part(&builder, x);
        x = random_table_part(&builder, x);
    }
    x = builder_linear(&builder, x, (uint32_t)builder_draw(&builder, 1, 20));
    (void)builder_output(&builder, x, (uint32_t)builder_draw(&builder, 0, 2));
    builder_finish(&builder, circuit);
}

/** Rounding (if asked for and useful) and a ternary step table. */
static uint32_t vgg9_activation(CircuitBuilder *builder, uint32_t x, uint32_t next_bits,
                                uint32_t dropped) {
    const LutraEncoding next = {.bits = next_bits, .is_signed = true};
    const uint32_t y = dropped == 0 ? x : builder_round(builder, x, dropped, true);
    return builder_table(builder, y, next, -1, 1, true);
}

void circuit_vgg9(LutraCircuit *circuit, LutraRandomKey key, bool rounded) {
    static const struct {
        uint32_t channels;
        uint32_t bits;
        bool pool;
    } convs[] = {{64, 13, false}, {64, 11, true},   {128, 11, false},
                 {128, 12, true}, {256, 12, false}, {256, 13, false}};
    static const uint32_t next_bits[] = {11, 4, 12, 4, 13, 10};
    CircuitBuilder builder;
    builder_start(&builder, key, CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){3, 32, 32}, (LutraEncoding){13, true}, -128,
                               127);
    for (size_t i = 0; i < 6; i++) {
        x = builder_conv(&builder, x, convs[i].channels, 3, 1, 0);
        x = vgg9_activation(&builder, x, next_bits[i], rounded ? convs[i].bits - 6 : 0);
        if (convs[i].pool) {
            x = builder_sum_pool(&builder, x, 2, 2);
            x = vgg9_activation(&builder, x, convs[i + 1].bits, 0);
        }
    }
    x = builder_linear(&builder, x, 512);
    x = vgg9_activation(&builder, x, 11, rounded ? 4 : 0);
    x = builder_linear(&builder, x, 512);
    x = vgg9_activation(&builder, x, 11, rounded ? 5 : 0);
    x = builder_linear(&builder, x, 10);
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
}

void circuit_make_hybrid(LutraCircuit *circuit, LutraRandomKey key) {
    LutraError error = {""};
    const uint32_t inner = circuit->operation_count - 2;
    const uint32_t cut = 1 + (uint32_t)lutra_random_below(key, 0, inner + 1);
    const bool prefix = lutra_random_below(key, 1, 2) == 0;
    for (uint32_t i = 1; i <= inner; i++) {
        circuit->operations[i].in_clear = prefix ? i < cut : i >= cut;
    }
    check_status(lutra_circuit_check(circuit, &error), LUTRA_OK, &error);
}

void circuit_make_thin(LutraCircuit *circuit, LutraRandomKey key) {
    LutraError error = {""};
    uint64_t draws = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        LutraOperation *const op = &circuit->operations[i];
        const bool linear = op->kind == LUTRA_OPERATION_LINEAR;
        LutraRange inputs[LUTRA_MAX_OPERATION_INPUTS] = {{0}};
        if (linear || op->kind == LUTRA_OPERATION_CONV) {
            const LutraConvOperation *const conv = &op->u.conv;
            const size_t row = linear ? op->u.linear.in_features
                                      : (size_t)conv->in_channels * conv->kernel * conv->kernel;
            int8_t *const weights = linear ? op->u.linear.weights : conv->weights;
            memset(weights, 0, op->shape.channels * row);
            for (size_t o = 0; o < op->shape.channels; o++) {
                weights[o * row + lutra_random_below(key, draws++, row)] = 1;
            }
        }
        for (uint32_t k = 0; k < op->input_count; k++) {
            inputs[k] = circuit->operations[op->inputs[k]].static_range;
        }
        const LutraShape x_shape = circuit->operations[i == 0 ? 0 : op->inputs[0]].shape;
        op->static_range = lutra_operation_static_range(op, x_shape, inputs);
    }
    check_status(lutra_circuit_check(circuit, &error), LUTRA_OK, &error);
}

LutraCryptoParameters circuit_toy_set(uint32_t log2_poly) {
    return (LutraCryptoParameters){.lwe_dim = 600,
                                   .glwe_dim = 1,
                                   .log2_poly = log2_poly,
                                   .pbs_level = 2,
                                   .pbs_base_log = 15,
                                   .ks_level = 5,
                                   .ks_base_log = 4,
                                   .modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD,
                                   .lwe_std = 1e-9,
                                   .glwe_std = 1e-14};
}

void circuit_give_parameters(LutraCircuit *circuit, LutraCryptoParameters set) {
    circuit_give_sets(circuit, &set, 1);
}

void circuit_give_sets(LutraCircuit *circuit, const LutraCryptoParameters *sets, uint32_t count) {
    uint32_t *groups = take(circuit->operation_count, sizeof *groups);
    lutra_key_groups(groups, circuit);
    circuit->parameters = take(count, sizeof *sets);
    memcpy(circuit->parameters, sets, count * sizeof *sets);
    circuit->parameter_count = count;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (circuit->operations[i].kind == LUTRA_OPERATION_TABLE) {
            circuit->operations[i].u.table.parameter_index = (groups[i] * 7 + 1) % count;
        }
    }
    lutra_free(&groups);
    check_status(lutra_circuit_check(circuit, NULL), LUTRA_OK, NULL);
}

uint8_t *circuit_random_pixels(const LutraCircuit *circuit, LutraRandomKey key, size_t count) {
    const size_t bytes = count * lutra_shape_elements(circuit->operations[0].shape);
    uint8_t *const pixels = take(bytes, 1);
    for (size_t i = 0; i < bytes; i++) {
        pixels[i] = (uint8_t)lutra_random_u64(key, i);
    }
    return pixels;
}
