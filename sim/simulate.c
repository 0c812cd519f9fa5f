/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/simulate.h"

#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/operations.h"
#include "sim/simulate_priv.h"

void lutra_simulate_default(LutraSimulateSettings *settings) {
    *settings = (LutraSimulateSettings){
        .mode = LUTRA_MODE_CLEAR, .threads = 1, .cpu_flags = lutra_cpu_detect()};
    lutra_noise_settings_default(&settings->noise);
}

void lutra_simulation_deinit(LutraSimulation *simulation) {
    lutra_free(&simulation->confusion);
    lutra_free(&simulation->predictions);
    lutra_free(&simulation->logits);
    lutra_free(&simulation->operations);
    memset(simulation, 0, sizeof *simulation);
}

LutraStatus lutra_simulate(LutraSimulation *simulation, const LutraCircuit *circuit,
                           const LutraImages *images, const LutraSimulateSettings *settings,
                           LutraError *error) {
    uint32_t count = 1;
    return lutra_simulate_pass(&simulation, &circuit, &count, images, settings, error);
}

void lutra_image_values_deinit(LutraImageValues *values) {
    lutra_free(&values->values);
    lutra_free(&values->logits);
    lutra_free(&values->arena);
    memset(values, 0, sizeof *values);
}

LutraStatus lutra_simulate_image_values(LutraImageValues *values, const LutraCircuit *circuit,
                                        const uint8_t *pixels, LutraError *error) {
    LutraStatus status = LUTRA_OK;
    LutraImageValues result = {.operation_count = circuit->operation_count};
    const uint32_t last = circuit->operation_count - 1;
    size_t elements = 0;
    for (uint32_t i = 0; i < last; i++) {
        elements += lutra_shape_elements(circuit->operations[i].shape);
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&result.arena, elements, sizeof(int32_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&result.logits, circuit->class_count, sizeof(float), error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&result.values, circuit->operation_count, sizeof(int32_t *), error));
    int32_t *at = result.arena;
    for (uint32_t i = 0; i < last; i++) {
        result.values[i] = at;
        at += lutra_shape_elements(circuit->operations[i].shape);
        (void)lutra_operation_apply(result.values[i], circuit, i, pixels,
                                    (const int32_t *const *)result.values);
    }
    const LutraOperation *const output = &circuit->operations[last];
    result.values[last] = result.values[output->inputs[0]];
    lutra_operation_output(result.logits, &output->u.output, circuit->class_count,
                           result.values[last]);
    *values = result;
    return LUTRA_OK;
done:
    lutra_image_values_deinit(&result);
    return status;
}
