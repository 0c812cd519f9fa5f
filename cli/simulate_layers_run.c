/* SPDX-License-Identifier: Apache-2.0 */
/* The runs behind `lutra simulate --layers`. */
#include <string.h>

#include "base/memory.h"
#include "cli/simulate.h"

static LutraStatus count_values(SimulateLayers *layers, const SimulateOptions *options,
                                const LutraSimulation *clear, const LutraImages *images,
                                const LutraCircuit *circuit, LutraError *error) {
    LutraLayerSettings settings;
    CliProgress progress;
    lutra_layer_settings_default(&settings);
    settings.threads = options->common.threads;
    settings.cpu_flags = options->common.cpu_flags;
    settings.noise_model = options->noise.settings.model;
    cli_progress_start(&progress, &options->common);
    settings.progress = &progress.progress;
    const LutraStatus status =
        lutra_circuit_statistics(&layers->statistics, circuit, images, clear, &settings, error);
    cli_progress_stop(&progress);
    return status;
}

/** Runs the images with one table's noise; the draws are those of the first run with all noise. */
static LutraStatus run_alone(SimulateAlone *alone, const SimulateOptions *options,
                             uint32_t operation, const LutraSimulation *clear,
                             const LutraImages *images, const LutraCircuit *circuit,
                             LutraError *error) {
    LutraSimulation noisy = {0};
    const LutraStatus status =
        simulate_run_alone(&noisy, options, operation, images, circuit, error);
    if (status == LUTRA_OK) {
        alone->was_run = true;
        alone->top1_hits = noisy.top1_hits;
        for (uint64_t i = 0; i < noisy.images; i++) {
            alone->answers_changed += noisy.predictions[i] != clear->predictions[i];
        }
    }
    lutra_simulation_deinit(&noisy);
    return status;
}

LutraStatus simulate_run_layers(SimulateLayers *layers, const SimulateOptions *options,
                                const LutraSimulation *result, const LutraImages *images,
                                const LutraCircuit *circuit, LutraError *error) {
    const bool is_noisy = options->mode == LUTRA_MODE_NOISY &&
                          options->noise.settings.kind != LUTRA_NOISE_SOURCES;
    LutraSimulation own = {0};
    const LutraSimulation *clear = result;
    LutraStatus status = LUTRA_OK;
    if (options->mode != LUTRA_MODE_CLEAR) {
        LUTRA_TRY_GOTO(status, simulate_run_clear(&own, options, images, circuit, error));
        clear = &own;
    }
    LUTRA_TRY_GOTO(status, count_values(layers, options, clear, images, circuit, error));
    layers->clear_top1_hits = clear->top1_hits;
    if (is_noisy) {
        LUTRA_TRY_GOTO(status, lutra_alloc(&layers->alone, circuit->operation_count,
                                           sizeof *layers->alone, error));
    }
    if (options->mode == LUTRA_MODE_NOISY && !is_noisy) {
        cli_note(&options->common, "simulate",
                 "noise of sources is not drawn for one layer alone: use --noise lookups for that");
    }
    for (uint32_t i = 0; is_noisy && i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (lutra_operation_is_encrypted(op) && op->kind == LUTRA_OPERATION_TABLE) {
            LUTRA_TRY_GOTO(status, run_alone(&layers->alone[i], options, i, clear, images, circuit,
                                             error));
        }
    }
done:
    lutra_simulation_deinit(&own);
    return status;
}

void simulate_layers_deinit(SimulateLayers *layers) {
    lutra_circuit_statistics_deinit(&layers->statistics);
    lutra_free(&layers->alone);
    memset(layers, 0, sizeof *layers);
}
