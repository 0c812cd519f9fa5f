/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of a circuit, operation by operation, in topological order. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sim/key_layout.h"
#include "sim/operations.h"

enum { MAX_EXTENT = 1 << 16, MAX_KERNEL = 1 << 12 };

typedef struct {
    const LutraCircuit *circuit;
    bool *used;      /* (operation_count) an operation after it reads it */
    bool *decrypted; /* (operation_count) an encrypted value is among its ancestors or itself */
    LutraError *error;
} Check;

#define REFUSE(check, op, ...) \
    (lutra_error_set((check)->error, LUTRA_EDATA, __VA_ARGS__), refuse((check)->error, (op)))

static LutraStatus refuse(LutraError *error, const LutraOperation *op) {
    char prefix[LUTRA_NAME_BYTES + 16];
    (void)snprintf(prefix, sizeof prefix, "operation '%.*s'", LUTRA_NAME_BYTES - 1, op->name);
    return lutra_error_prefix(error, LUTRA_EDATA, prefix);
}

static bool all_finite(const float *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

static bool same_encoding(LutraEncoding a, LutraEncoding b) {
    return a.bits == b.bits && a.is_signed == b.is_signed;
}

static LutraStatus check_input(Check *check, const LutraOperation *op) {
    const LutraInputOperation *const input = &op->u.input;
    if (input->code_of_pixel == NULL || !isfinite(input->scale)) {
        return REFUSE(check, op, "codes are missing or the scale is not finite");
    }
    for (size_t i = 0; i < (size_t)op->shape.channels * 256; i++) {
        if (!lutra_encoding_holds(op->encoding, input->code_of_pixel[i])) {
            return REFUSE(check, op, "code %d does not fit in %u bits", input->code_of_pixel[i],
                          op->encoding.bits);
        }
    }
    return LUTRA_OK;
}

static LutraStatus check_linear(Check *check, const LutraOperation *op, LutraShape x_shape) {
    const LutraLinearOperation *const linear = &op->u.linear;
    if (linear->weights == NULL || linear->in_features != lutra_shape_elements(x_shape)) {
        return REFUSE(check, op, "has %u input features, but its input has %zu elements",
                      linear->in_features, lutra_shape_elements(x_shape));
    }
    if (op->shape.height != 1 || op->shape.width != 1) {
        return REFUSE(check, op, "a linear result must be a vector");
    }
    return LUTRA_OK;
}

static LutraStatus check_window(Check *check, const LutraOperation *op, LutraShape x_shape,
                                uint32_t kernel, uint32_t stride, uint32_t padding) {
    if (kernel == 0 || kernel > MAX_KERNEL || stride == 0 || stride > MAX_KERNEL ||
        padding >= kernel) {
        return REFUSE(check, op, "kernel %u, stride %u, padding %u are not possible", kernel,
                      stride, padding);
    }
    const uint32_t height = lutra_window_positions(x_shape.height, kernel, stride, padding);
    const uint32_t width = lutra_window_positions(x_shape.width, kernel, stride, padding);
    if (op->shape.height != height || op->shape.width != width) {
        return REFUSE(check, op, "result is %u x %u, but its window gives %u x %u",
                      op->shape.height, op->shape.width, height, width);
    }
    return LUTRA_OK;
}

static LutraStatus check_conv(Check *check, const LutraOperation *op, LutraShape x_shape) {
    const LutraConvOperation *const conv = &op->u.conv;
    if (conv->weights == NULL || conv->in_channels != x_shape.channels) {
        return REFUSE(check, op, "has %u input channels, but its input has %u", conv->in_channels,
                      x_shape.channels);
    }
    return check_window(check, op, x_shape, conv->kernel, conv->stride, conv->padding);
}

static LutraStatus check_pool(Check *check, const LutraOperation *op, LutraShape x_shape) {
    if (op->shape.channels != x_shape.channels) {
        return REFUSE(check, op, "has %u channels, but its input has %u", op->shape.channels,
                      x_shape.channels);
    }
    return check_window(check, op, x_shape, op->u.sum_pool.kernel, op->u.sum_pool.stride, 0);
}

static LutraStatus check_round(Check *check, const LutraOperation *op, const LutraOperation *x) {
    const LutraRoundOperation *const round = &op->u.round;
    if (round->mode != LUTRA_ROUNDING_EXACT && round->mode != LUTRA_ROUNDING_APPROXIMATE) {
        return REFUSE(check, op, "unknown rounding mode %d", (int)round->mode);
    }
    if (!lutra_shape_equal(op->shape, x->shape)) {
        return REFUSE(check, op, "result and input differ in shape");
    }
    if (round->dropped_bits >= x->encoding.bits ||
        op->encoding.bits != x->encoding.bits - round->dropped_bits ||
        op->encoding.is_signed != x->encoding.is_signed) {
        return REFUSE(check, op, "dropping %u of %u bits cannot leave %u", round->dropped_bits,
                      x->encoding.bits, op->encoding.bits);
    }
    const int64_t half = round->dropped_bits == 0 ? 0 : INT64_C(1) << (round->dropped_bits - 1);
    for (uint32_t c = 0; c < op->shape.channels; c++) {
        const int64_t offset = round->offsets == NULL ? 0 : round->offsets[c];
        if (x->static_range.min + offset < INT32_MIN ||
            x->static_range.max + offset + half > INT32_MAX) {
            return REFUSE(check, op, "offset %lld of channel %u leaves 32 bits", (long long)offset,
                          c);
        }
    }
    return LUTRA_OK;
}

static LutraStatus check_table(Check *check, const LutraOperation *op, const LutraOperation *x) {
    const LutraTableOperation *const table = &op->u.table;
    if (!lutra_shape_equal(op->shape, x->shape)) {
        return REFUSE(check, op, "result and input differ in shape");
    }
    if (x->encoding.bits > LUTRA_MAX_TABLE_BITS) {
        return REFUSE(check, op, "reads %u bits, more than a table's %d", x->encoding.bits,
                      LUTRA_MAX_TABLE_BITS);
    }
    if (table->entries == NULL || table->table_of_channel == NULL || table->table_count == 0 ||
        table->entry_count != UINT32_C(1) << x->encoding.bits ||
        table->table_count > op->shape.channels ||
        table->table_count > LUTRA_MAX_CIRCUIT_ELEMENTS / table->entry_count ||
        table->first_input != lutra_encoding_min(x->encoding)) {
        return REFUSE(check, op,
                      "%u tables of %u entries from %d do not fit %u channels of %u bits",
                      table->table_count, table->entry_count, table->first_input,
                      op->shape.channels, x->encoding.bits);
    }
    for (uint32_t c = 0; c < op->shape.channels; c++) {
        if (table->table_of_channel[c] >= table->table_count) {
            return REFUSE(check, op, "channel %u names table %u of %u", c,
                          table->table_of_channel[c], table->table_count);
        }
    }
    int32_t min = table->entries[0];
    int32_t max = table->entries[0];
    for (size_t i = 1; i < (size_t)table->table_count * table->entry_count; i++) {
        min = table->entries[i] < min ? table->entries[i] : min;
        max = table->entries[i] > max ? table->entries[i] : max;
    }
    if (!lutra_encoding_holds(op->encoding, min) || !lutra_encoding_holds(op->encoding, max)) {
        return REFUSE(check, op, "entry %d does not fit in %u bits",
                      lutra_encoding_holds(op->encoding, min) ? max : min, op->encoding.bits);
    }
    const uint32_t parameters = check->circuit->parameter_count;
    if (parameters > 0 ? table->parameter_index >= parameters : table->parameter_index != 0) {
        return REFUSE(check, op, "names parameter set %u of %u", table->parameter_index,
                      parameters);
    }
    return LUTRA_OK;
}

static LutraStatus check_output(Check *check, const LutraOperation *op, const LutraOperation *x) {
    const LutraOutputOperation *const output = &op->u.output;
    const uint32_t classes = check->circuit->class_count;
    if (op->shape.channels != classes || op->shape.height != 1 || op->shape.width != 1 ||
        !lutra_shape_equal(op->shape, x->shape)) {
        return REFUSE(check, op, "must be a vector of %u classes", classes);
    }
    if (!isfinite(output->scale) || output->step_count > LUTRA_MAX_AFFINE_STEPS) {
        return REFUSE(check, op, "bad scale or %u affine steps", output->step_count);
    }
    for (uint32_t s = 0; s < output->step_count; s++) {
        const LutraAffineStep *const step = &output->steps[s];
        if (step->mean == NULL || step->inverse_deviation == NULL || step->weight == NULL ||
            step->bias == NULL || !all_finite(step->mean, classes) ||
            !all_finite(step->inverse_deviation, classes) || !all_finite(step->weight, classes) ||
            !all_finite(step->bias, classes)) {
            return REFUSE(check, op, "affine step %u is not finite", s);
        }
    }
    return LUTRA_OK;
}

static LutraStatus check_kind(Check *check, const LutraOperation *op) {
    const LutraOperation *const x =
        op->input_count > 0 ? &check->circuit->operations[op->inputs[0]] : op;
    switch (op->kind) {
        case LUTRA_OPERATION_INPUT: return check_input(check, op);
        case LUTRA_OPERATION_LINEAR: return check_linear(check, op, x->shape);
        case LUTRA_OPERATION_CONV: return check_conv(check, op, x->shape);
        case LUTRA_OPERATION_SUM_POOL: return check_pool(check, op, x->shape);
        case LUTRA_OPERATION_ADD:
            for (uint32_t i = 0; i < op->input_count; i++) {
                if (!lutra_shape_equal(op->shape,
                                       check->circuit->operations[op->inputs[i]].shape)) {
                    return REFUSE(check, op, "result and inputs differ in shape");
                }
            }
            return LUTRA_OK;
        case LUTRA_OPERATION_ROUND: return check_round(check, op, x);
        case LUTRA_OPERATION_TABLE: return check_table(check, op, x);
        case LUTRA_OPERATION_OUTPUT: return check_output(check, op, x);
    }
    return REFUSE(check, op, "unknown kind %d", (int)op->kind);
}

static LutraStatus check_topology(Check *check, uint32_t index) {
    const LutraOperation *const op = &check->circuit->operations[index];
    const uint32_t last = check->circuit->operation_count - 1;
    const uint32_t wanted = op->kind == LUTRA_OPERATION_INPUT ? 0
                            : op->kind == LUTRA_OPERATION_ADD ? 2
                                                              : 1;
    if ((op->kind == LUTRA_OPERATION_INPUT) != (index == 0) ||
        (op->kind == LUTRA_OPERATION_OUTPUT) != (index == last)) {
        return REFUSE(check, op, "a circuit starts with its only input and ends with its only "
                                 "output");
    }
    if (op->input_count != wanted) {
        return REFUSE(check, op, "has %u inputs, needs %u", op->input_count, wanted);
    }
    bool after_encrypted = false;
    for (uint32_t i = 0; i < op->input_count; i++) {
        if (op->inputs[i] >= index) {
            return REFUSE(check, op, "reads operation %u, which does not come before it",
                          op->inputs[i]);
        }
        const LutraOperation *const x = &check->circuit->operations[op->inputs[i]];
        check->used[op->inputs[i]] = true;
        const bool decrypted = check->decrypted[op->inputs[i]];
        if (decrypted && x->in_clear && !op->in_clear && index != last) {
            return REFUSE(check, op, "is encrypted, but '%s' before it was decrypted", x->name);
        }
        after_encrypted = after_encrypted || decrypted;
    }
    check->decrypted[index] = after_encrypted || lutra_operation_is_encrypted(op);
    return LUTRA_OK;
}

static LutraStatus check_encoding(Check *check, const LutraOperation *op) {
    if (op->encoding.bits < 1 || op->encoding.bits > LUTRA_MAX_VALUE_BITS) {
        return REFUSE(check, op, "%u bits are not possible", op->encoding.bits);
    }
    const bool keeps =
        op->kind == LUTRA_OPERATION_LINEAR || op->kind == LUTRA_OPERATION_CONV ||
        op->kind == LUTRA_OPERATION_SUM_POOL || op->kind == LUTRA_OPERATION_ADD ||
        op->kind == LUTRA_OPERATION_OUTPUT;
    for (uint32_t i = 0; keeps && i < op->input_count; i++) {
        const LutraOperation *const x = &check->circuit->operations[op->inputs[i]];
        if (!same_encoding(op->encoding, x->encoding)) {
            return REFUSE(check, op, "is %s %u bits, but its input '%s' is %s %u",
                          op->encoding.is_signed ? "signed" : "unsigned", op->encoding.bits,
                          x->name, x->encoding.is_signed ? "signed" : "unsigned",
                          x->encoding.bits);
        }
    }
    return LUTRA_OK;
}

static LutraStatus check_ranges(Check *check, const LutraOperation *op) {
    LutraRange inputs[LUTRA_MAX_OPERATION_INPUTS] = {{0}};
    for (uint32_t i = 0; i < op->input_count; i++) {
        inputs[i] = check->circuit->operations[op->inputs[i]].static_range;
    }
    const LutraShape none = {0};
    const LutraShape x_shape =
        op->input_count > 0 ? check->circuit->operations[op->inputs[0]].shape : none;
    const LutraRange proved = lutra_operation_static_range(op, x_shape, inputs);
    const LutraRange stated = op->static_range;
    if (stated.min > proved.min || stated.max < proved.max) {
        return REFUSE(check, op, "values reach %lld .. %lld, more than the stated %lld .. %lld",
                      (long long)proved.min, (long long)proved.max, (long long)stated.min,
                      (long long)stated.max);
    }
    if (stated.min < INT32_MIN || stated.max > INT32_MAX) {
        return REFUSE(check, op, "values of %lld .. %lld do not fit in 32 bits",
                      (long long)stated.min, (long long)stated.max);
    }
    return LUTRA_OK;
}

static LutraStatus check_name(Check *check, uint32_t index) {
    const LutraOperation *const op = &check->circuit->operations[index];
    if (memchr(op->name, '\0', LUTRA_NAME_BYTES) == NULL || op->name[0] == '\0') {
        return lutra_error_set(check->error, LUTRA_EDATA, "operation %u has no proper name", index);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(op->name, check->circuit->operations[i].name) == 0) {
            return REFUSE(check, op, "the name is not unique");
        }
    }
    return LUTRA_OK;
}

static LutraStatus check_shape(Check *check, const LutraOperation *op, size_t *elements) {
    const LutraShape shape = op->shape;
    if (shape.channels == 0 || shape.height == 0 || shape.width == 0 ||
        shape.channels > MAX_EXTENT || shape.height > MAX_EXTENT || shape.width > MAX_EXTENT) {
        return REFUSE(check, op, "shape %u x %u x %u is not possible", shape.channels, shape.height,
                      shape.width);
    }
    *elements += lutra_shape_elements(shape);
    if (*elements > LUTRA_MAX_CIRCUIT_ELEMENTS) {
        return REFUSE(check, op, "the circuit has more than %d elements",
                      LUTRA_MAX_CIRCUIT_ELEMENTS);
    }
    return LUTRA_OK;
}

static LutraStatus check_parameters(const LutraCircuit *circuit, LutraError *error) {
    for (uint32_t i = 0; i < circuit->parameter_count; i++) {
        const LutraCryptoParameters *const p = &circuit->parameters[i];
        const bool dimensions = p->lwe_dim >= 1 && p->lwe_dim <= 1 << 16 && p->glwe_dim >= 1 &&
                                p->glwe_dim <= 64 && p->log2_poly >= 1 && p->log2_poly <= 20;
        const bool decompositions =
            p->pbs_level >= 1 && p->pbs_base_log >= 1 && p->ks_level >= 1 && p->ks_base_log >= 1 &&
            p->pbs_level <= 64 && p->pbs_base_log <= 64 && p->ks_level <= 64 &&
            p->ks_base_log <= 64 && p->pbs_level * p->pbs_base_log <= 64 &&
            p->ks_level * p->ks_base_log <= 64;
        const bool noise = isfinite(p->lwe_std) && p->lwe_std >= 0.0 && isfinite(p->glwe_std) &&
                           p->glwe_std >= 0.0 && isfinite(p->norm2) && isfinite(p->p_error) &&
                           isfinite(p->p_error_target) && isfinite(p->cost);
        const bool words = p->modulus_switch <= LUTRA_MODULUS_SWITCH_CENTERED &&
                           memchr(p->curve, '\0', LUTRA_CURVE_NAME_BYTES) != NULL &&
                           p->precision_bits <= 64;
        if (!dimensions || !decompositions || !noise || !words) {
            return lutra_error_set(error, LUTRA_EDATA, "crypto parameter set %u is not possible",
                                   i);
        }
    }
    return LUTRA_OK;
}

static LutraStatus check_operations(Check *check) {
    size_t elements = 0;
    const uint32_t count = check->circuit->operation_count;
    for (uint32_t i = 0; i < count; i++) {
        const LutraOperation *const op = &check->circuit->operations[i];
        LUTRA_TRY(check_name(check, i));
        LUTRA_TRY(check_shape(check, op, &elements));
        LUTRA_TRY(check_topology(check, i));
        LUTRA_TRY(check_encoding(check, op));
        LUTRA_TRY(check_kind(check, op));
        LUTRA_TRY(check_ranges(check, op));
    }
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (!check->used[i]) {
            const LutraOperation *const op = &check->circuit->operations[i];
            return REFUSE(check, op, "nothing reads its result");
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_circuit_check(const LutraCircuit *circuit, LutraError *error) {
    if (circuit->operations == NULL || circuit->operation_count < 2 ||
        circuit->operation_count > LUTRA_MAX_OPERATIONS || circuit->class_count == 0) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "a circuit of %u operations and %u classes is not possible",
                               circuit->operation_count, circuit->class_count);
    }
    if (circuit->parameter_count > LUTRA_MAX_OPERATIONS ||
        (circuit->parameter_count > 0 && circuit->parameters == NULL)) {
        return lutra_error_set(error, LUTRA_EDATA, "%u crypto parameter sets are not possible",
                               circuit->parameter_count);
    }
    LUTRA_TRY(check_parameters(circuit, error));
    LutraStatus status = LUTRA_OK;
    Check check = {.circuit = circuit, .error = error};
    LUTRA_TRY_GOTO(status, lutra_alloc(&check.used, circuit->operation_count, sizeof(bool), error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&check.decrypted, circuit->operation_count, sizeof(bool), error));
    LUTRA_TRY_GOTO(status, check_operations(&check));
    if (circuit->parameter_count > 1) {
        LutraKeyLayout layout;
        status = lutra_key_layout_init(&layout, circuit, error);
        lutra_key_layout_deinit(&layout);
    }
done:
    lutra_free(&check.used);
    lutra_free(&check.decrypted);
    return status;
}
