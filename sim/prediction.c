/* SPDX-License-Identifier: Apache-2.0 */
/* What the noise model expects of a circuit; see prediction.h. */
#include "sim/prediction.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/key_layout.h"
#include "sim/operations.h"
#include "sim/torus_rounding.h"

enum { NEIGHBOURS = 5 };

static double square(int8_t weight) {
    return (double)weight * (double)weight;
}

/** One output of a convolution, at row r and column c. */
static double conv_variance_at(const LutraConvOperation *conv, const double *x, LutraShape x_shape,
                               size_t o, size_t r, size_t c) {
    const int8_t *const filter =
        conv->weights + o * conv->in_channels * conv->kernel * conv->kernel;
    double sum = 0.0;
    for (size_t i = 0; i < conv->in_channels; i++) {
        for (size_t a = 0; a < conv->kernel; a++) {
            const int64_t row = (int64_t)(r * conv->stride + a) - conv->padding;
            for (size_t b = 0; b < conv->kernel; b++) {
                const int64_t column = (int64_t)(c * conv->stride + b) - conv->padding;
                if (row >= 0 && row < x_shape.height && column >= 0 && column < x_shape.width) {
                    sum += square(filter[(i * conv->kernel + a) * conv->kernel + b]) *
                           x[(i * x_shape.height + (size_t)row) * x_shape.width + (size_t)column];
                }
            }
        }
    }
    return sum;
}

static bool is_uniform(const double *x, size_t count) {
    size_t i = 1;
    while (i < count && !(x[i] < x[0]) && !(x[i] > x[0])) {
        i++;
    }
    return i >= count;
}

/** Whether a window at `position` has as many taps inside the image, at the same places, as the one
 * before it. */
static bool is_as_before(const LutraConvOperation *conv, size_t position, size_t extent) {
    const int64_t first = (int64_t)(position * conv->stride) - conv->padding;
    const int64_t end = first + conv->kernel;
    return position > 0 && first - (int64_t)conv->stride >= 0 && end <= (int64_t)extent;
}

/** Where all inputs have the same noise, as table results have, windows away from the borders
 * differ in nothing. */
static void conv_variance(double *y, const LutraConvOperation *conv, LutraShape shape,
                          const double *x, LutraShape x_shape) {
    const bool uniform = is_uniform(x, lutra_shape_elements(x_shape));
    for (size_t o = 0; o < shape.channels; o++) {
        for (size_t r = 0; r < shape.height; r++, y += shape.width) {
            if (uniform && is_as_before(conv, r, x_shape.height)) {
                memcpy(y, y - shape.width, shape.width * sizeof *y);
                continue;
            }
            for (size_t c = 0; c < shape.width; c++) {
                y[c] = uniform && is_as_before(conv, c, x_shape.width)
                           ? y[c - 1]
                           : conv_variance_at(conv, x, x_shape, o, r, c);
            }
        }
    }
}

static void linear_variance(double *y, const LutraLinearOperation *linear, uint32_t outputs,
                            const double *x) {
    const LutraConvOperation conv = lutra_linear_as_conv(linear);
    conv_variance(y, &conv, (LutraShape){outputs, 1, 1}, x,
                  (LutraShape){linear->in_features, 1, 1});
}

static void pool_variance(double *y, const LutraOperation *op, const double *x,
                          LutraShape x_shape) {
    const LutraSumPoolOperation *const pool = &op->u.sum_pool;
    size_t at = 0;
    for (size_t c = 0; c < op->shape.channels; c++) {
        for (size_t r = 0; r < op->shape.height; r++) {
            for (size_t s = 0; s < op->shape.width; s++) {
                double sum = 0.0;
                for (size_t a = 0; a < pool->kernel; a++) {
                    const size_t row = c * x_shape.height + r * pool->stride + a;
                    for (size_t b = 0; b < pool->kernel; b++) {
                        sum += x[row * x_shape.width + s * pool->stride + b];
                    }
                }
                y[at++] = sum;
            }
        }
    }
}

static void operation_variance(LutraPrediction *prediction, const LutraCircuit *circuit,
                               uint32_t index) {
    const LutraOperation *const op = &circuit->operations[index];
    const LutraShape x_shape = circuit->operations[op->inputs[0]].shape;
    const double *const x = prediction->var_t2[op->inputs[0]];
    double *const y = prediction->var_t2[index];
    const size_t count = lutra_shape_elements(op->shape);
    switch (op->kind) {
        case LUTRA_OPERATION_LINEAR:
            linear_variance(y, &op->u.linear, op->shape.channels, x);
            break;
        case LUTRA_OPERATION_CONV:
            conv_variance(y, &op->u.conv, op->shape, x, x_shape);
            break;
        case LUTRA_OPERATION_SUM_POOL: pool_variance(y, op, x, x_shape); break;
        case LUTRA_OPERATION_ADD:
            for (size_t i = 0; i < count; i++) {
                y[i] = x[i] + prediction->var_t2[op->inputs[1]][i];
            }
            break;
        case LUTRA_OPERATION_ROUND:
            for (size_t i = 0; i < count; i++) {
                y[i] = x[i];
                if (op->u.round.mode == LUTRA_ROUNDING_EXACT) {
                    y[i] += op->u.round.dropped_bits * prediction->lookups[index].bootstrap_var_t2;
                }
            }
            break;
        case LUTRA_OPERATION_TABLE:
            for (size_t i = 0; i < count; i++) {
                y[i] = prediction->lookups[index].bootstrap_var_t2;
            }
            break;
        case LUTRA_OPERATION_INPUT:
        case LUTRA_OPERATION_OUTPUT: break;
    }
}

/** Allocates the variances of a value that is to be encrypted and fills them with fresh noise. */
static LutraStatus need_variance(LutraPrediction *prediction, const LutraCircuit *circuit,
                                 uint32_t index, double fresh_var_t2, LutraError *error) {
    if (prediction->var_t2[index] != NULL) {
        return LUTRA_OK;
    }
    const size_t count = lutra_shape_elements(circuit->operations[index].shape);
    LUTRA_TRY(lutra_alloc(&prediction->var_t2[index], count, sizeof(double), error));
    for (size_t i = 0; i < count; i++) {
        prediction->var_t2[index][i] = fresh_var_t2;
    }
    return LUTRA_OK;
}

/** Noise of the look-ups of one operation that has some. */
static LutraLookupNoise lookup_noise(const LutraKeyLayout *layout, const LutraCircuit *circuit,
                                     uint32_t index, LutraNoiseModel model) {
    const uint32_t input = circuit->operations[index].inputs[0];
    const LutraCryptoParameters *const from = &circuit->parameters[layout->set_of_result[input]];
    const LutraCryptoParameters *const set =
        &circuit->parameters[lutra_key_layout_lookup_set(layout, circuit, index)];
    return (LutraLookupNoise){
        .bootstrap_var_t2 = lutra_noise_bootstrap_of(set, model),
        .lookup_var_t2 = lutra_noise_of_lookup_from(set, from, model, 0.0, 0).total_var_t2,
        .lookup_bias = set->modulus_switch == LUTRA_MODULUS_SWITCH_STANDARD
                           ? ldexp(0.25, -(int)set->log2_poly)
                           : 0.0};
}

/** Variances of one encrypted operation, and of what it reads if that was not known yet. */
static LutraStatus predict_operation(LutraPrediction *prediction, const LutraKeyLayout *layout,
                                     const LutraCircuit *circuit, uint32_t index,
                                     LutraNoiseModel model, LutraError *error) {
    const LutraOperation *const op = &circuit->operations[index];
    for (uint32_t k = 0; k < op->input_count; k++) {
        const uint32_t set = layout->set_of_result[op->inputs[k]];
        LUTRA_TRY(need_variance(prediction, circuit, op->inputs[k],
                                lutra_noise_fresh(&circuit->parameters[set]), error));
    }
    if (lutra_operation_pbs(op) > 0) {
        prediction->lookups[index] = lookup_noise(layout, circuit, index, model);
    }
    LUTRA_TRY(need_variance(prediction, circuit, index, 0.0, error));
    operation_variance(prediction, circuit, index);
    return LUTRA_OK;
}

LutraStatus lutra_prediction_init(LutraPrediction *prediction, const LutraCircuit *circuit,
                                  LutraNoiseModel model, LutraError *error) {
    const uint32_t count = circuit->operation_count;
    LutraPrediction made = {.operation_count = count};
    LutraKeyLayout layout = {0};
    LutraStatus status = LUTRA_OK;
    memset(prediction, 0, sizeof *prediction);
    LUTRA_ASSERT(circuit->parameter_count > 0);
    LUTRA_TRY_GOTO(status, lutra_key_layout_init(&layout, circuit, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.var_t2, count, sizeof *made.var_t2, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.lookups, count, sizeof *made.lookups, error));
    for (uint32_t i = 0; i < count; i++) {
        if (lutra_operation_is_encrypted(&circuit->operations[i])) {
            LUTRA_TRY_GOTO(status, predict_operation(&made, &layout, circuit, i, model, error));
        }
    }
    *prediction = made;
    made = (LutraPrediction){0};
done:
    lutra_key_layout_deinit(&layout);
    lutra_prediction_deinit(&made);
    return status;
}

void lutra_prediction_deinit(LutraPrediction *prediction) {
    for (uint32_t i = 0; prediction->var_t2 != NULL && i < prediction->operation_count; i++) {
        lutra_free(&prediction->var_t2[i]);
    }
    lutra_free(&prediction->var_t2);
    lutra_free(&prediction->lookups);
    memset(prediction, 0, sizeof *prediction);
}

/** Share of a centred Gaussian between two bounds, without cancellation in the tails. */
static double gaussian_between(double low, double high, double deviation) {
    const double scale = 1.0 / (deviation * sqrt(2.0));
    if (low < 0.0) {
        return 0.5 * (erfc(-high * scale) - erfc(-low * scale));
    }
    return 0.5 * (erfc(low * scale) - erfc(high * scale));
}

int64_t lutra_prediction_entry(const LutraWordTable *table, int64_t index) {
    return lutra_word_look_up(table, lutra_word_encode(index, table->bits), 0).value;
}

LutraPredictedLookup lutra_prediction_lookup(const LutraPrediction *prediction,
                                             const LutraCircuit *circuit, uint32_t table,
                                             uint32_t channel, size_t element, int64_t exact) {
    const LutraOperation *const op = &circuit->operations[table];
    const LutraOperation *const x = &circuit->operations[op->inputs[0]];
    const uint32_t dropped = lutra_operation_bits_left(x);
    const uint32_t bits = x->encoding.bits;
    uint64_t word = lutra_word_encode(exact, bits + dropped);
    if (dropped > 0) { /* the offset is part of `exact` */
        const LutraRoundOperation round = {.dropped_bits = dropped};
        word += lutra_word_round_constant(&round, 0, bits + dropped);
    }
    const int64_t right = lutra_round_half_up(exact, dropped);
    return (LutraPredictedLookup){
        .table = lutra_word_table_of(&op->u.table, channel, x->encoding, op->encoding),
        .index = right,
        .off_centre = lutra_word_deviation(word, right, bits),
        .var_t2 = prediction->var_t2[op->inputs[0]][element] +
                  prediction->lookups[table].lookup_var_t2,
        .bias = prediction->lookups[table].lookup_bias};
}

LutraLookupRisk lutra_prediction_risk(const LutraPredictedLookup *lookup) {
    LutraLookupRisk risk = {0.0, 0.0};
    const double half_cell = ldexp(1.0, -(int)lookup->table.bits - 2);
    const double deviation = sqrt(lookup->var_t2);
    const int64_t right = lutra_prediction_entry(&lookup->table, lookup->index);
    for (int step = -NEIGHBOURS; step <= NEIGHBOURS; step++) {
        if (step == 0) {
            continue;
        }
        const double low = (2.0 * step - 1.0) * half_cell - lookup->bias - lookup->off_centre;
        const double probability = gaussian_between(low, low + 2.0 * half_cell, deviation);
        risk.wrong_box += probability;
        if (lutra_prediction_entry(&lookup->table, lookup->index + step) != right) {
            risk.wrong_value += probability;
        }
    }
    return risk;
}

double lutra_prediction_off_by_one(const LutraPrediction *prediction, const LutraCircuit *circuit,
                                   uint32_t table) {
    const LutraOperation *const op = &circuit->operations[table];
    const uint32_t dropped = lutra_operation_bits_left(&circuit->operations[op->inputs[0]]);
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    const size_t middle = (op->shape.height / 2) * (size_t)op->shape.width + op->shape.width / 2;
    if (dropped == 0) {
        return 0.0;
    }
    /* all places of a bucket, or as many spread evenly */
    const int64_t places = dropped <= 8 ? INT64_C(1) << dropped : 256;
    const int64_t distance = (INT64_C(1) << dropped) / places;
    double sum = 0.0;
    for (uint32_t c = 0; c < op->shape.channels; c++) {
        for (int64_t i = 0; i < places; i++) {
            const LutraPredictedLookup lookup = lutra_prediction_lookup(
                prediction, circuit, table, c, c * plane + middle, i * distance + distance / 2);
            sum += lutra_prediction_risk(&lookup).wrong_box;
        }
    }
    return sum / ((double)op->shape.channels * (double)places);
}

double lutra_prediction_exact_rounding(const LutraLookupNoise *noise, double var_t2,
                                       uint32_t bits, uint32_t dropped_bits) {
    double sum = 0.0;
    for (uint32_t i = 0; i < dropped_bits; i++) {
        /* Bit i is multiplied by 2^(bits - i) into the top place; a sign is a table of no bits. */
        const double total = ldexp(var_t2 + i * noise->bootstrap_var_t2, 2 * (int)(bits - i)) +
                             noise->lookup_var_t2;
        sum += lutra_noise_p_error(total, 0);
    }
    return sum;
}

double lutra_prediction_roundings(const LutraPrediction *prediction, const LutraCircuit *circuit,
                                  uint32_t operation) {
    const LutraOperation *const op = &circuit->operations[operation];
    if (op->kind != LUTRA_OPERATION_ROUND || !lutra_operation_is_encrypted(op) ||
        op->u.round.mode != LUTRA_ROUNDING_EXACT) {
        return 0.0;
    }
    const uint32_t dropped = op->u.round.dropped_bits;
    const size_t elements = lutra_shape_elements(op->shape);
    double sum = 0.0;
    for (size_t i = 0; i < elements; i++) {
        sum += lutra_prediction_exact_rounding(&prediction->lookups[operation],
                                              prediction->var_t2[op->inputs[0]][i],
                                               op->encoding.bits + dropped, dropped);
    }
    return sum;
}

double lutra_prediction_deviation_steps(const LutraPrediction *prediction,
                                        const LutraCircuit *circuit, uint32_t table,
                                        size_t element) {
    const uint32_t input = circuit->operations[table].inputs[0];
    const LutraOperation *const x = &circuit->operations[input];
    const uint32_t dropped =
        x->kind == LUTRA_OPERATION_ROUND ? x->u.round.dropped_bits : 0;
    const double var_t2 =
        prediction->var_t2[input][element] + prediction->lookups[table].lookup_var_t2;
    return ldexp(sqrt(var_t2), (int)(x->encoding.bits + dropped + 1));
}
