/* SPDX-License-Identifier: Apache-2.0 */
/* See server_circuit.h. */
#include "sim/server_circuit.h"

#include <string.h>

#include "base/memory.h"
#include "sim/circuit_copy.h"

static void clear_weights(int8_t *weights, size_t count) {
    memset(weights, 0, count * sizeof *weights);
}

/** The value of a range that is nearest to 0. */
static int64_t near_zero(LutraRange range) {
    return range.min > 0 ? range.min : range.max < 0 ? range.max : 0;
}

static void clear_table(LutraTableOperation *table, LutraRange range) {
    for (size_t i = 0; i < (size_t)table->table_count * table->entry_count; i++) {
        table->entries[i] = (int32_t)near_zero(range);
    }
}

static void clear_input(LutraInputOperation *input, size_t channels, LutraRange range) {
    input->scale = 1.0f;
    for (size_t i = 0; i < channels * 256; i++) {
        input->code_of_pixel[i] = (int16_t)near_zero(range);
    }
}

static void clear_round(LutraRoundOperation *round, uint32_t channels) {
    if (round->offsets != NULL) {
        memset(round->offsets, 0, channels * sizeof *round->offsets);
    }
}

/** Zeroes all that an operation in the clear knows of the model. */
static void empty_operation(LutraOperation *op) {
    const size_t channels = op->shape.channels;
    if (op->kind == LUTRA_OPERATION_LINEAR) {
        clear_weights(op->u.linear.weights, channels * op->u.linear.in_features);
    } else if (op->kind == LUTRA_OPERATION_CONV) {
        const LutraConvOperation *const conv = &op->u.conv;
        clear_weights(conv->weights, channels * conv->in_channels * conv->kernel * conv->kernel);
    } else if (op->kind == LUTRA_OPERATION_ROUND) {
        clear_round(&op->u.round, op->shape.channels);
    } else if (op->kind == LUTRA_OPERATION_TABLE) {
        clear_table(&op->u.table, op->static_range);
    } else if (op->kind == LUTRA_OPERATION_INPUT) {
        clear_input(&op->u.input, channels, op->static_range);
    }
}

static void empty_output(LutraOutputOperation *output) {
    for (uint32_t i = 0; i < output->step_count; i++) {
        lutra_free(&output->steps[i].mean);
        lutra_free(&output->steps[i].inverse_deviation);
        lutra_free(&output->steps[i].weight);
        lutra_free(&output->steps[i].bias);
    }
    *output = (LutraOutputOperation){.scale = 1.0f};
}

static LutraStatus copy_operations(LutraCircuit *server, const LutraCircuit *circuit,
                                   LutraError *error) {
    LUTRA_TRY(lutra_alloc(&server->operations, circuit->operation_count, sizeof *server->operations,
                          error));
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        LutraOperation *const op = &server->operations[i];
        LUTRA_TRY(lutra_operation_copy(op, &circuit->operations[i], error));
        server->operation_count = i + 1;
        if (op->kind == LUTRA_OPERATION_OUTPUT) {
            empty_output(&op->u.output);
        } else if (!lutra_operation_is_encrypted(op)) {
            empty_operation(op);
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_server_circuit(LutraCircuit *server, const LutraCircuit *circuit,
                                 LutraError *error) {
    LutraCircuit made = {.class_count = circuit->class_count};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_string_copy(&made.name, "server", error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&made.network_text, "", error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&made.provenance, "{}", error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.parameters, circuit->parameter_count,
                                       sizeof *made.parameters, error));
    made.parameter_count = circuit->parameter_count;
    if (made.parameter_count > 0) {
        memcpy(made.parameters, circuit->parameters,
               circuit->parameter_count * sizeof *made.parameters);
    }
    LUTRA_TRY_GOTO(status, copy_operations(&made, circuit, error));
    LUTRA_TRY_GOTO(status, lutra_circuit_check(&made, error));
    *server = made;
    made = (LutraCircuit){0};
done:
    lutra_circuit_deinit(&made);
    return status;
}

/** Whether some operation that is encrypted, or some that is not, reads a result. */
static bool is_read(const LutraCircuit *circuit, uint32_t operation, bool encrypted) {
    for (uint32_t i = operation + 1; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        for (uint32_t k = 0; k < op->input_count; k++) {
            if (op->inputs[k] == operation && lutra_operation_is_encrypted(op) == encrypted) {
                return true;
            }
        }
    }
    return false;
}

bool lutra_is_sent_to_server(const LutraCircuit *circuit, uint32_t operation) {
    return !lutra_operation_is_encrypted(&circuit->operations[operation]) &&
           is_read(circuit, operation, true);
}

bool lutra_is_sent_to_client(const LutraCircuit *circuit, uint32_t operation) {
    return lutra_operation_is_encrypted(&circuit->operations[operation]) &&
           is_read(circuit, operation, false);
}

bool lutra_runs_before_server(const LutraCircuit *circuit, uint32_t operation) {
    const LutraOperation *const op = &circuit->operations[operation];
    if (lutra_operation_is_encrypted(op)) {
        return false;
    }
    for (uint32_t k = 0; k < op->input_count; k++) {
        if (!lutra_runs_before_server(circuit, op->inputs[k])) {
            return false;
        }
    }
    return true;
}
