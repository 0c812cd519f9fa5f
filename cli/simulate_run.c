/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of `lutra simulate`: one, or several with noise drawn anew. */
#include "base/memory.h"
#include "cli/simulate.h"

/** Mode and noise of one run. */
typedef struct {
    LutraSimulationMode mode;
    uint32_t repeat;
    uint32_t only_operation; /* UINT32_MAX: all */
} RunKind;

static LutraStatus run_once(LutraSimulation *result, const SimulateOptions *options, RunKind kind,
                            const LutraImages *images, const LutraCircuit *circuit,
                            LutraError *error) {
    LutraSimulateSettings settings;
    CliProgress progress;
    lutra_simulate_default(&settings);
    settings.mode = kind.mode;
    settings.threads = options->common.threads;
    settings.cpu_flags = options->common.cpu_flags;
    settings.keep_logits = options->logits_path != NULL;
    settings.noise = options->noise.settings;
    settings.noise.repeat = kind.repeat;
    settings.noise.only_operation = kind.only_operation;
    cli_progress_start(&progress, &options->common);
    settings.progress = &progress.progress;
    const LutraStatus status = lutra_simulate(result, circuit, images, &settings, error);
    cli_progress_stop(&progress);
    return status;
}

LutraStatus simulate_run_clear(LutraSimulation *result, const SimulateOptions *options,
                               const LutraImages *images, const LutraCircuit *circuit,
                               LutraError *error) {
    const RunKind kind = {LUTRA_MODE_CLEAR, 0, UINT32_MAX};
    return run_once(result, options, kind, images, circuit, error);
}

LutraStatus simulate_run_alone(LutraSimulation *result, const SimulateOptions *options,
                               uint32_t operation, const LutraImages *images,
                               const LutraCircuit *circuit, LutraError *error) {
    const RunKind kind = {LUTRA_MODE_NOISY, 0, operation};
    return run_once(result, options, kind, images, circuit, error);
}

/** Adds what `from` counted; answers and logits stay those of the first run. */
static void add_run(LutraSimulation *into, const LutraSimulation *from) {
    into->out_of_range += from->out_of_range;
    into->word_images += from->word_images;
    into->seconds += from->seconds;
    for (size_t i = 0; i < (size_t)into->class_count * into->class_count; i++) {
        into->confusion[i] += from->confusion[i];
    }
    for (uint32_t i = 0; i < into->operation_count; i++) {
        lutra_operation_statistics_merge(&into->operations[i], &from->operations[i]);
    }
}

static void note_run(SimulateRuns *runs, const LutraSimulation *run) {
    runs->top1_hits[runs->count++] = run->top1_hits;
    runs->top1_hits_sum += run->top1_hits;
    runs->top5_hits_sum += run->top5_hits;
}

LutraStatus simulate_run(SimulateRuns *runs, const SimulateOptions *options,
                         const LutraImages *images, const LutraCircuit *circuit,
                         LutraError *error) {
    LUTRA_TRY(lutra_alloc(&runs->top1_hits, options->noise.repeats, sizeof(uint64_t), error));
    RunKind kind = {options->mode, 0, UINT32_MAX};
    LutraStatus status = run_once(&runs->result, options, kind, images, circuit, error);
    if (runs->result.images > 0) { /* also after Ctrl-C: what is finished counts */
        note_run(runs, &runs->result);
    }
    for (uint32_t i = 1; status == LUTRA_OK && i < options->noise.repeats; i++) {
        LutraSimulation run = {0};
        kind.repeat = i;
        status = run_once(&run, options, kind, images, circuit, error);
        if (status == LUTRA_OK) { /* one that was stopped has fewer images */
            add_run(&runs->result, &run);
            note_run(runs, &run);
        }
        lutra_simulation_deinit(&run);
    }
    return status;
}

void simulate_runs_deinit(SimulateRuns *runs) {
    lutra_simulation_deinit(&runs->result);
    lutra_free(&runs->top1_hits);
    *runs = (SimulateRuns){0};
}
