/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/clear.h"

#include <string.h>

#include "base/memory.h"
#include "sim/operations.h"

struct LutraClearProgram {
    const LutraCircuit *circuit;
    uint32_t cpu_flags;
};

LutraOperationStatistics lutra_operation_statistics_empty(void) {
    return (LutraOperationStatistics){.min = INT64_MAX, .max = INT64_MIN};
}

void lutra_operation_statistics_merge(LutraOperationStatistics *into,
                                      const LutraOperationStatistics *from) {
    into->elements += from->elements;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    into->zeros += from->zeros;
    into->out_of_range += from->out_of_range;
    into->outside_observed += from->outside_observed;
}

LutraStatus lutra_clear_program_create(LutraClearProgram **program, const LutraCircuit *circuit,
                                       uint32_t cpu_flags, LutraError *error) {
    LUTRA_TRY(lutra_alloc(program, 1, sizeof **program, error));
    **program = (LutraClearProgram){.circuit = circuit, .cpu_flags = cpu_flags};
    return LUTRA_OK;
}

void lutra_clear_program_destroy(LutraClearProgram **program) {
    lutra_free(program);
}

size_t lutra_clear_scratch_bytes(const LutraClearProgram *program) {
    size_t elements = 0;
    for (uint32_t i = 0; i < program->circuit->operation_count; i++) {
        elements += lutra_shape_elements(program->circuit->operations[i].shape);
    }
    return elements * sizeof(int32_t) + program->circuit->operation_count * sizeof(int32_t *);
}

static void observe(LutraOperationStatistics *statistics, const LutraOperation *op,
                    const int32_t *y) {
    const size_t count = lutra_shape_elements(op->shape);
    const bool counts_zeros =
        op->kind == LUTRA_OPERATION_INPUT || op->kind == LUTRA_OPERATION_TABLE;
    const bool observed = op->observed_range.min <= op->observed_range.max;
    statistics->elements += count;
    for (size_t i = 0; i < count; i++) {
        statistics->min = y[i] < statistics->min ? y[i] : statistics->min;
        statistics->max = y[i] > statistics->max ? y[i] : statistics->max;
        statistics->zeros += counts_zeros && y[i] == 0;
        statistics->outside_observed +=
            observed && (y[i] < op->observed_range.min || y[i] > op->observed_range.max);
        statistics->out_of_range +=
            op->kind == LUTRA_OPERATION_OUTPUT &&
            (y[i] < lutra_encoding_min(op->encoding) || y[i] > lutra_encoding_max(op->encoding));
    }
}

void lutra_clear_run(const LutraClearProgram *program, float *logits,
                     LutraOperationStatistics *statistics, const uint8_t *pixels, void *scratch) {
    const LutraCircuit *const circuit = program->circuit;
    int32_t **const values = scratch;
    int32_t *at = (int32_t *)(void *)(values + circuit->operation_count);
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (op->kind == LUTRA_OPERATION_OUTPUT) {
            lutra_operation_output(logits, &op->u.output, op->shape.channels,
                                   values[op->inputs[0]]);
            observe(&statistics[i], op, values[op->inputs[0]]);
            continue;
        }
        values[i] = at;
        at += lutra_shape_elements(op->shape);
        statistics[i].out_of_range += lutra_operation_apply(values[i], circuit, i, pixels,
                                                            (const int32_t *const *)values);
        observe(&statistics[i], op, values[i]);
    }
}
