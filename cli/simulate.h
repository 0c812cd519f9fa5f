/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `lutra simulate`. */
#ifndef LUTRA_CLI_SIMULATE_H
#define LUTRA_CLI_SIMULATE_H

#include "cli/cli.h"
#include "cli/noise_options.h"
#include "datasets/dataset.h"
#include "sim/layer_statistics.h"
#include "sim/simulate.h"

typedef struct {
    CliCommon common;
    CliNoise noise;
    const char *circuit_path;
    const char *data_path;
    const char *logits_path;
    const char *predictions_path;
    const char *confusion_path;
    const char *gallery_path;
    const char *layers_folder;
    LutraSimulationMode mode;
    LutraSplitKind split;
    uint64_t limit;
    bool strict;
    bool explains; /* one image instead of the split */
    uint64_t explained_image;
} SimulateOptions;

/** Words of --mode by LutraSimulationMode, ended by NULL. */
extern const char *const simulate_mode_names[];

/* ---- runs ---- */

/** What one run found, or several whose noise was drawn anew. */
typedef struct {
    LutraSimulation result;  /* images, answers and logits of the first, all else summed; owned */
    uint32_t count;          /* finished */
    uint64_t *top1_hits;     /* (repeats asked for) of each, owned */
    uint64_t top1_hits_sum;
    uint64_t top5_hits_sum;
} SimulateRuns;

/**
 * Runs the circuit as often as the options say.
 *
 * @param[in,out] runs  zeroed before; deinit it also on error
 * @errors those of lutra_simulate; after LUTRA_ECANCELLED runs holds what was finished
 */
LUTRA_MUST_CHECK LutraStatus simulate_run(SimulateRuns *runs, const SimulateOptions *options,
                                          const LutraImages *images, const LutraCircuit *circuit,
                                          LutraError *error);
void simulate_runs_deinit(SimulateRuns *runs);

/** Once, with noise in one operation only. */
LUTRA_MUST_CHECK LutraStatus simulate_run_alone(LutraSimulation *result,
                                                const SimulateOptions *options,
                                                uint32_t operation, const LutraImages *images,
                                                const LutraCircuit *circuit, LutraError *error);

/** Once, in clear mode, whatever the options say. */
LUTRA_MUST_CHECK LutraStatus simulate_run_clear(LutraSimulation *result,
                                                const SimulateOptions *options,
                                                const LutraImages *images,
                                                const LutraCircuit *circuit, LutraError *error);

/** What noise in one operation alone does to the answers. */
typedef struct {
    bool was_run;
    uint64_t top1_hits;
    uint64_t answers_changed; /* images with another answer than in clear mode */
} SimulateAlone;

/** What --layers adds. */
typedef struct {
    LutraCircuitStatistics statistics; /* of clear values, whatever the mode was */
    uint64_t clear_top1_hits;
    SimulateAlone *alone; /* (operation_count), owned; NULL: not noisy mode, or noise that cannot be
                             drawn for one operation alone */
} SimulateLayers;

/**
 * Counts what tables read; in noisy mode also runs the images once for every table, alone noisy.
 *
 * @param[in,out] layers  zeroed before; deinit it also on error
 * @param         result  of the mode that the options say
 */
LUTRA_MUST_CHECK LutraStatus simulate_run_layers(SimulateLayers *layers,
                                                 const SimulateOptions *options,
                                                 const LutraSimulation *result,
                                                 const LutraImages *images,
                                                 const LutraCircuit *circuit, LutraError *error);
void simulate_layers_deinit(SimulateLayers *layers);

/** What was found; nothing is owned. */
typedef struct {
    const SimulateOptions *options;
    const LutraCircuit *circuit;
    const LutraDataset *dataset;
    const LutraSimulation *result; /* of runs */
    const SimulateRuns *runs;
    const SimulateLayers *layers; /* NULL without --layers */
} SimulateOutcome;

/* ---- files ---- */

/** Whether the files that the options ask for can be written. */
LUTRA_MUST_CHECK LutraStatus simulate_check_outputs(const SimulateOptions *options,
                                                    LutraError *error);

/** Writes them. */
LUTRA_MUST_CHECK LutraStatus simulate_write_files(const SimulateOutcome *outcome,
                                                  LutraError *error);

/* ---- what tables and the output read ---- */

/** Whether layers.csv, layers.h5 and layers.png can be written; creates the folder. */
LUTRA_MUST_CHECK LutraStatus simulate_check_layers(const SimulateOptions *options,
                                                   LutraError *error);

/** Writes them. */
LUTRA_MUST_CHECK LutraStatus simulate_write_layers(const SimulateOutcome *outcome,
                                                   LutraError *error);

/** A table on stdout. */
void simulate_print_layers(const SimulateOutcome *outcome);

/** The same as members of an operation's object; nothing if the operation reads nothing. */
void simulate_set_layer(LutraJson *object, const SimulateOutcome *outcome, uint32_t operation);

/** Look-ups per image that noise is expected to change, over all layers; NAN if not predicted. */
double simulate_expected_changed(const LutraCircuitStatistics *layers);

/* ---- one image ---- */

/** Prints one image's way through the circuit; returns an exit code. */
int simulate_explain(const SimulateOptions *options, const LutraCircuit *circuit,
                     const LutraDataset *dataset);

/* ---- reports on stdout; they return an exit code ---- */

int simulate_print_json(const SimulateOutcome *outcome);
int simulate_print_text(const SimulateOutcome *outcome);

#endif
