/* SPDX-License-Identifier: Apache-2.0 */
/* See circuit_checksum.h. */
#include "sim/circuit_checksum.h"

#include <string.h>

#include "base/checksum.h"

static void add_numbers(LutraChecksum *sum, const uint32_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        lutra_checksum_u64(sum, numbers[i]);
    }
}

static void add_signed(LutraChecksum *sum, const int32_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        lutra_checksum_u64(sum, (uint64_t)(int64_t)numbers[i]);
    }
}

static void add_float(LutraChecksum *sum, float number) {
    uint32_t bits = 0;
    memcpy(&bits, &number, sizeof bits);
    lutra_checksum_u64(sum, bits);
}

static void add_floats(LutraChecksum *sum, const float *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        add_float(sum, numbers[i]);
    }
}

static void add_double(LutraChecksum *sum, double number) {
    uint64_t bits = 0;
    memcpy(&bits, &number, sizeof bits);
    lutra_checksum_u64(sum, bits);
}

static void add_input(LutraChecksum *sum, const LutraInputOperation *input, size_t channels) {
    add_float(sum, input->scale);
    for (size_t i = 0; i < channels * 256; i++) {
        lutra_checksum_u64(sum, (uint64_t)(int64_t)input->code_of_pixel[i]);
    }
}

static void add_output(LutraChecksum *sum, const LutraOutputOperation *output, size_t channels) {
    add_float(sum, output->scale);
    lutra_checksum_u64(sum, output->step_count);
    for (uint32_t s = 0; s < output->step_count; s++) {
        add_floats(sum, output->steps[s].mean, channels);
        add_floats(sum, output->steps[s].inverse_deviation, channels);
        add_floats(sum, output->steps[s].weight, channels);
        add_floats(sum, output->steps[s].bias, channels);
    }
}

static void add_table(LutraChecksum *sum, const LutraTableOperation *table, size_t channels) {
    lutra_checksum_u64(sum, table->table_count);
    lutra_checksum_u64(sum, table->entry_count);
    lutra_checksum_u64(sum, (uint64_t)(int64_t)table->first_input);
    lutra_checksum_u64(sum, table->parameter_index);
    add_signed(sum, table->entries, (size_t)table->table_count * table->entry_count);
    add_numbers(sum, table->table_of_channel, channels);
}

static void add_kind(LutraChecksum *sum, const LutraOperation *op) {
    const size_t channels = op->shape.channels;
    switch (op->kind) {
        case LUTRA_OPERATION_INPUT: add_input(sum, &op->u.input, channels); break;
        case LUTRA_OPERATION_LINEAR:
            lutra_checksum_u64(sum, op->u.linear.in_features);
            lutra_checksum_bytes(sum, op->u.linear.weights, channels * op->u.linear.in_features);
            break;
        case LUTRA_OPERATION_CONV: {
            const LutraConvOperation *const conv = &op->u.conv;
            const uint32_t window[4] = {conv->in_channels, conv->kernel, conv->stride,
                                        conv->padding};
            add_numbers(sum, window, 4);
            lutra_checksum_bytes(
                sum, conv->weights,
                channels * conv->in_channels * conv->kernel * conv->kernel);
            break;
        }
        case LUTRA_OPERATION_SUM_POOL:
            lutra_checksum_u64(sum, op->u.sum_pool.kernel);
            lutra_checksum_u64(sum, op->u.sum_pool.stride);
            break;
        case LUTRA_OPERATION_ROUND:
            lutra_checksum_u64(sum, op->u.round.dropped_bits);
            lutra_checksum_u64(sum, (uint64_t)op->u.round.mode);
            lutra_checksum_u64(sum, op->u.round.offsets != NULL);
            add_signed(sum, op->u.round.offsets, op->u.round.offsets != NULL ? channels : 0);
            break;
        case LUTRA_OPERATION_TABLE: add_table(sum, &op->u.table, channels); break;
        case LUTRA_OPERATION_OUTPUT: add_output(sum, &op->u.output, channels); break;
        case LUTRA_OPERATION_ADD: break;
    }
}

static void add_operation(LutraChecksum *sum, const LutraOperation *op) {
    const uint32_t numbers[8] = {(uint32_t)op->kind,   op->input_count,
                                 op->shape.channels,   op->shape.height,
                                 op->shape.width,      op->encoding.bits,
                                 op->encoding.is_signed, op->in_clear};
    lutra_checksum_bytes(sum, op->name, strlen(op->name) + 1);
    add_numbers(sum, numbers, 8);
    add_numbers(sum, op->inputs, op->input_count);
    add_kind(sum, op);
}

static void add_set(LutraChecksum *sum, const LutraCryptoParameters *set) {
    const uint32_t numbers[8] = {set->lwe_dim,      set->glwe_dim, set->log2_poly,
                                 set->pbs_level,    set->pbs_base_log, set->ks_level,
                                 set->ks_base_log,  set->modulus_switch};
    add_numbers(sum, numbers, 8);
    add_double(sum, set->lwe_std);
    add_double(sum, set->glwe_std);
}

uint64_t lutra_circuit_checksum(const LutraCircuit *circuit) {
    LutraChecksum sum;
    lutra_checksum_start(&sum);
    lutra_checksum_u64(&sum, circuit->class_count);
    lutra_checksum_u64(&sum, circuit->operation_count);
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        add_operation(&sum, &circuit->operations[i]);
    }
    lutra_checksum_u64(&sum, circuit->parameter_count);
    for (uint32_t i = 0; i < circuit->parameter_count; i++) {
        add_set(&sum, &circuit->parameters[i]);
    }
    return lutra_checksum_value(&sum);
}
