/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/circuit.h"

#include <string.h>

#include "base/memory.h"

size_t lutra_shape_elements(LutraShape shape) {
    return (size_t)shape.channels * shape.height * shape.width;
}

bool lutra_shape_equal(LutraShape a, LutraShape b) {
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
}

uint32_t lutra_window_positions(uint32_t extent, uint32_t kernel, uint32_t stride,
                                uint32_t padding) {
    const uint32_t padded = extent + 2 * padding;
    return padded < kernel ? 0 : (padded - kernel) / stride + 1;
}

int64_t lutra_encoding_min(LutraEncoding encoding) {
    return encoding.is_signed ? -(INT64_C(1) << (encoding.bits - 1)) : 0;
}

int64_t lutra_encoding_max(LutraEncoding encoding) {
    return (INT64_C(1) << (encoding.is_signed ? encoding.bits - 1 : encoding.bits)) - 1;
}

bool lutra_encoding_holds(LutraEncoding encoding, int64_t value) {
    return value >= lutra_encoding_min(encoding) && value <= lutra_encoding_max(encoding);
}

uint32_t lutra_rounding_dropped_bits(LutraEncoding encoding, uint32_t kept) {
    return kept != LUTRA_ROUNDING_NONE && encoding.bits > kept ? encoding.bits - kept : 0;
}

LutraEncoding lutra_encoding_of_range(int64_t min, int64_t max) {
    LutraEncoding encoding = {.bits = 1, .is_signed = min < 0};
    while (encoding.bits < 62 &&
           (lutra_encoding_min(encoding) > min || lutra_encoding_max(encoding) < max)) {
        encoding.bits++;
    }
    return encoding;
}

const char *lutra_operation_kind_name(LutraOperationKind kind) {
    switch (kind) {
        case LUTRA_OPERATION_INPUT: return "input";
        case LUTRA_OPERATION_LINEAR: return "linear";
        case LUTRA_OPERATION_CONV: return "conv";
        case LUTRA_OPERATION_SUM_POOL: return "sum_pool";
        case LUTRA_OPERATION_ADD: return "add";
        case LUTRA_OPERATION_ROUND: return "round";
        case LUTRA_OPERATION_TABLE: return "table";
        case LUTRA_OPERATION_OUTPUT: return "output";
    }
    return "unknown";
}

static void output_deinit(LutraOutputOperation *output) {
    for (uint32_t s = 0; s < LUTRA_MAX_AFFINE_STEPS; s++) {
        lutra_free(&output->steps[s].mean);
        lutra_free(&output->steps[s].inverse_deviation);
        lutra_free(&output->steps[s].weight);
        lutra_free(&output->steps[s].bias);
    }
}

void lutra_operation_deinit(LutraOperation *op) {
    switch (op->kind) {
        case LUTRA_OPERATION_INPUT: lutra_free(&op->u.input.code_of_pixel); break;
        case LUTRA_OPERATION_LINEAR: lutra_free(&op->u.linear.weights); break;
        case LUTRA_OPERATION_CONV: lutra_free(&op->u.conv.weights); break;
        case LUTRA_OPERATION_ROUND: lutra_free(&op->u.round.offsets); break;
        case LUTRA_OPERATION_TABLE:
            lutra_free(&op->u.table.entries);
            lutra_free(&op->u.table.table_of_channel);
            break;
        case LUTRA_OPERATION_OUTPUT: output_deinit(&op->u.output); break;
        case LUTRA_OPERATION_SUM_POOL:
        case LUTRA_OPERATION_ADD: break;
    }
}

void lutra_circuit_deinit(LutraCircuit *circuit) {
    for (uint32_t i = 0; circuit->operations != NULL && i < circuit->operation_count; i++) {
        lutra_operation_deinit(&circuit->operations[i]);
    }
    lutra_free(&circuit->operations);
    lutra_free(&circuit->parameters);
    lutra_free(&circuit->name);
    lutra_free(&circuit->network_text);
    lutra_free(&circuit->provenance);
    memset(circuit, 0, sizeof *circuit);
}

bool lutra_operation_is_encrypted(const LutraOperation *operation) {
    return !operation->in_clear && operation->kind != LUTRA_OPERATION_INPUT &&
           operation->kind != LUTRA_OPERATION_OUTPUT;
}

uint32_t lutra_operation_bits_left(const LutraOperation *operation) {
    const bool leaves = lutra_operation_is_encrypted(operation) &&
                        operation->kind == LUTRA_OPERATION_ROUND &&
                        operation->u.round.mode == LUTRA_ROUNDING_APPROXIMATE;
    return leaves ? operation->u.round.dropped_bits : 0;
}

uint64_t lutra_operation_pbs(const LutraOperation *operation) {
    if (operation->in_clear) {
        return 0;
    }
    const uint64_t elements = lutra_shape_elements(operation->shape);
    if (operation->kind == LUTRA_OPERATION_TABLE) {
        return elements;
    }
    if (operation->kind == LUTRA_OPERATION_ROUND &&
        operation->u.round.mode == LUTRA_ROUNDING_EXACT) {
        return elements * operation->u.round.dropped_bits;
    }
    return 0;
}

uint64_t lutra_operation_macs(const LutraOperation *operation) {
    const uint64_t elements = lutra_shape_elements(operation->shape);
    if (operation->kind == LUTRA_OPERATION_LINEAR) {
        return elements * operation->u.linear.in_features;
    }
    if (operation->kind == LUTRA_OPERATION_CONV) {
        const LutraConvOperation *const conv = &operation->u.conv;
        return elements * conv->in_channels * conv->kernel * conv->kernel;
    }
    return 0;
}

uint64_t lutra_circuit_pbs(const LutraCircuit *circuit) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        sum += lutra_operation_pbs(&circuit->operations[i]);
    }
    return sum;
}

uint64_t lutra_circuit_macs(const LutraCircuit *circuit) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        sum += lutra_operation_macs(&circuit->operations[i]);
    }
    return sum;
}
