/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/operations.h"

static int32_t narrow(int64_t value) {
    LUTRA_ASSERT(value >= INT32_MIN && value <= INT32_MAX);
    return (int32_t)value;
}

int64_t lutra_round_half_up(int64_t x, uint32_t dropped_bits) {
    LUTRA_ASSERT(dropped_bits <= 60);
    if (dropped_bits == 0) {
        return x;
    }
    const int64_t shifted = x + (INT64_C(1) << (dropped_bits - 1));
    /* floor for both signs, without shifting a negative number */
    return shifted >= 0 ? shifted >> dropped_bits : ~(~shifted >> dropped_bits);
}

void lutra_operation_input(int32_t *codes, const LutraInputOperation *input, LutraShape shape,
                           const uint8_t *pixels) {
    const size_t plane = (size_t)shape.height * shape.width;
    for (size_t c = 0; c < shape.channels; c++) {
        for (size_t i = 0; i < plane; i++) {
            codes[c * plane + i] = input->code_of_pixel[c * 256 + pixels[c * plane + i]];
        }
    }
}

void lutra_operation_linear(int32_t *y, const LutraLinearOperation *linear, uint32_t outputs,
                            const int32_t *x) {
    for (size_t o = 0; o < outputs; o++) {
        const int8_t *const row = linear->weights + o * linear->in_features;
        int64_t sum = 0;
        for (size_t i = 0; i < linear->in_features; i++) {
            sum += (int64_t)row[i] * x[i];
        }
        y[o] = narrow(sum);
    }
}

LutraConvOperation lutra_linear_as_conv(const LutraLinearOperation *linear) {
    return (LutraConvOperation){.in_channels = linear->in_features,
                                .kernel = 1,
                                .stride = 1,
                                .padding = 0,
                                .weights = linear->weights};
}

/** One output of a convolution: channel o, row r, column c. */
static int64_t conv_at(const LutraConvOperation *conv, const int32_t *x, LutraShape x_shape,
                       size_t o, size_t r, size_t c) {
    const int8_t *const filter =
        conv->weights + o * conv->in_channels * conv->kernel * conv->kernel;
    int64_t sum = 0;
    for (size_t i = 0; i < conv->in_channels; i++) {
        for (size_t a = 0; a < conv->kernel; a++) {
            const int64_t row = (int64_t)(r * conv->stride + a) - conv->padding;
            for (size_t b = 0; b < conv->kernel; b++) {
                const int64_t column = (int64_t)(c * conv->stride + b) - conv->padding;
                if (row < 0 || row >= x_shape.height || column < 0 || column >= x_shape.width) {
                    continue;
                }
                const size_t at = (i * x_shape.height + (size_t)row) * x_shape.width +
                                  (size_t)column;
                sum += (int64_t)filter[(i * conv->kernel + a) * conv->kernel + b] * x[at];
            }
        }
    }
    return sum;
}

void lutra_operation_conv(int32_t *y, const LutraConvOperation *conv, LutraShape shape,
                          const int32_t *x, LutraShape x_shape) {
    size_t at = 0;
    for (size_t o = 0; o < shape.channels; o++) {
        for (size_t r = 0; r < shape.height; r++) {
            for (size_t c = 0; c < shape.width; c++) {
                y[at++] = narrow(conv_at(conv, x, x_shape, o, r, c));
            }
        }
    }
}

void lutra_operation_sum_pool(int32_t *y, const LutraSumPoolOperation *pool, LutraShape shape,
                              const int32_t *x, LutraShape x_shape) {
    size_t at = 0;
    for (size_t c = 0; c < shape.channels; c++) {
        for (size_t r = 0; r < shape.height; r++) {
            for (size_t s = 0; s < shape.width; s++) {
                int64_t sum = 0;
                for (size_t a = 0; a < pool->kernel; a++) {
                    const size_t row = c * x_shape.height + r * pool->stride + a;
                    for (size_t b = 0; b < pool->kernel; b++) {
                        sum += x[row * x_shape.width + s * pool->stride + b];
                    }
                }
                y[at++] = narrow(sum);
            }
        }
    }
}

void lutra_operation_add(int32_t *y, const int32_t *x0, const int32_t *x1, size_t count) {
    for (size_t i = 0; i < count; i++) {
        y[i] = narrow((int64_t)x0[i] + x1[i]);
    }
}

void lutra_operation_round(int32_t *y, const LutraRoundOperation *round, LutraShape shape,
                           const int32_t *x) {
    const size_t plane = (size_t)shape.height * shape.width;
    for (size_t c = 0; c < shape.channels; c++) {
        const int64_t offset = round->offsets == NULL ? 0 : round->offsets[c];
        for (size_t i = c * plane; i < (c + 1) * plane; i++) {
            y[i] = narrow(lutra_round_half_up(x[i] + offset, round->dropped_bits));
        }
    }
}

int32_t lutra_table_lookup(const LutraTableOperation *table, uint32_t channel, int64_t x,
                           uint64_t *out_of_domain) {
    int64_t entry = x - table->first_input;
    if (entry < 0) {
        entry = 0;
        (*out_of_domain)++;
    } else if (entry >= table->entry_count) {
        entry = (int64_t)table->entry_count - 1;
        (*out_of_domain)++;
    }
    const size_t row = table->table_of_channel[channel];
    return table->entries[row * table->entry_count + (size_t)entry];
}

uint64_t lutra_operation_table(int32_t *y, const LutraTableOperation *table, LutraShape shape,
                               const int32_t *x) {
    const size_t plane = (size_t)shape.height * shape.width;
    uint64_t out_of_domain = 0;
    for (uint32_t c = 0; c < shape.channels; c++) {
        for (size_t i = c * plane; i < (c + 1) * plane; i++) {
            y[i] = lutra_table_lookup(table, c, x[i], &out_of_domain);
        }
    }
    return out_of_domain;
}

void lutra_operation_output(float *logits, const LutraOutputOperation *output, uint32_t channels,
                            const int32_t *x) {
    for (uint32_t c = 0; c < channels; c++) {
        float y = (float)x[c] * output->scale;
        for (uint32_t s = 0; s < output->step_count; s++) {
            const LutraAffineStep *const step = &output->steps[s];
            y = lutra_affine_value(y, step->mean[c], step->inverse_deviation[c], step->weight[c],
                                   step->bias[c]);
        }
        logits[c] = y;
    }
}

uint64_t lutra_operation_apply(int32_t *y, const LutraCircuit *circuit, uint32_t index,
                               const uint8_t *pixels, const int32_t *const *values) {
    const LutraOperation *const op = &circuit->operations[index];
    const int32_t *const x = op->input_count > 0 ? values[op->inputs[0]] : NULL;
    const LutraShape none = {0};
    const LutraShape x_shape =
        op->input_count > 0 ? circuit->operations[op->inputs[0]].shape : none;
    switch (op->kind) {
        case LUTRA_OPERATION_INPUT:
            lutra_operation_input(y, &op->u.input, op->shape, pixels);
            return 0;
        case LUTRA_OPERATION_LINEAR:
            lutra_operation_linear(y, &op->u.linear, op->shape.channels, x);
            return 0;
        case LUTRA_OPERATION_CONV:
            lutra_operation_conv(y, &op->u.conv, op->shape, x, x_shape);
            return 0;
        case LUTRA_OPERATION_SUM_POOL:
            lutra_operation_sum_pool(y, &op->u.sum_pool, op->shape, x, x_shape);
            return 0;
        case LUTRA_OPERATION_ADD:
            lutra_operation_add(y, x, values[op->inputs[1]], lutra_shape_elements(op->shape));
            return 0;
        case LUTRA_OPERATION_ROUND:
            lutra_operation_round(y, &op->u.round, op->shape, x);
            return 0;
        case LUTRA_OPERATION_TABLE:
            return lutra_operation_table(y, &op->u.table, op->shape, x);
        case LUTRA_OPERATION_OUTPUT: break;
    }
    LUTRA_ASSERT(!"an operation with integer results");
    return 0;
}

uint32_t lutra_argmax(const float *logits, uint32_t count) {
    LUTRA_ASSERT(count >= 1);
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (logits[i] > logits[best]) {
            best = i;
        }
    }
    return best;
}
