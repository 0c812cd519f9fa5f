/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the experiment 'noise': settings, studies, files, charts. */
#ifndef LUTRA_EXPERIMENTS_NOISE_PRIV_H
#define LUTRA_EXPERIMENTS_NOISE_PRIV_H

#include "bridge/noise_study.h"
#include "experiments/experiment.h"

enum { NOISE_MAX_SETS = 32 };

/** One parameter set of the INI file and what was measured on it. */
typedef struct {
    uint32_t number; /* of its section */
    double p_error;  /* asked for */
    LutraNoiseStudySettings settings;
    LutraNoiseStudyResult result;
} NoiseSet;

typedef struct {
    uint32_t set_count;
    uint32_t finished;  /* sets with a result */
    uint32_t curve_set; /* number of its section */
    double tolerance;   /* of standard deviations, relative */
    NoiseSet sets[NOISE_MAX_SETS];
} NoiseExperiment;

/** Whether nothing in a set's result refutes tfhe-rs's formulas. */
bool noise_holds(const NoiseExperiment *experiment, const NoiseSet *set);

/** noise-sets.csv, noise-quantities.csv, noise-rates.csv, noise-curve.csv. */
LUTRA_MUST_CHECK LutraStatus noise_write_tables(const NoiseExperiment *experiment,
                                                const LutraExperimentRun *run, LutraError *error);

/** noise-deviation.png, noise-ratio.png, noise-failures.png, noise-off-by-one.png. */
LUTRA_MUST_CHECK LutraStatus noise_write_charts(const NoiseExperiment *experiment,
                                                const LutraExperimentRun *run, LutraError *error);

void noise_fill_json(LutraJson *results, const NoiseExperiment *experiment);

/** One set as text. */
void noise_print(FILE *out, const NoiseExperiment *experiment, const NoiseSet *set);

#endif
