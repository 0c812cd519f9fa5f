/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An experiment answers one published question with one command.
 *
 * It is one INI file, experiments/NAME.ini, and where the program's other commands do not suffice a
 * C file, experiments/NAME.c, that is registered in experiments.c. The INI file says in its section
 * [experiment] what is asked, how it is answered, where the claim comes from, what would refute it
 * and how long it takes; [quick] and [full] hold the settings of a short and a long run; other
 * sections belong to the experiment.
 *
 * A run writes into one folder: configuration.ini (the INI file as it was read), run.json (seed,
 * versions, processor, results), and the experiment's own CSV and PNG files.
 */
#ifndef LUTRA_EXPERIMENTS_EXPERIMENT_H
#define LUTRA_EXPERIMENTS_EXPERIMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/ini_file.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/status.h"

/** What one run is asked for; nothing is owned. */
typedef struct {
    const char *folder; /* for output files; exists */
    bool force;         /* overwrite them */
    bool full;          /* section [full] instead of [quick] */
    uint64_t seed;
    uint32_t threads;
    const LutraIni *settings;
    const char *settings_path; /* for errors */
    const char *stamp;         /* one line of versions, processor and date, for files and charts */
    const LutraProgress *progress;
    FILE *report; /* text for people; NULL: none */
} LutraExperimentRun;

typedef struct {
    bool holds;     /* nothing that was measured refutes the claim */
    uint32_t done;  /* parts that were finished, such as parameter sets */
    uint32_t parts; /* in all */
} LutraExperimentOutcome;

typedef struct {
    const char *name;
    const char *const *files; /* that a run writes into its folder, ended by NULL */

    /** Settings, and whether this build can do it: everything that can fail before long work. */
    LutraStatus (*check)(const LutraExperimentRun *run, LutraError *error);

    /**
     * @param[out] outcome  filled unless there is an error other than LUTRA_ECANCELLED
     * @param      results  object to fill
     * @errors LUTRA_ECANCELLED: what was finished is written and in `results`
     */
    LutraStatus (*run)(LutraExperimentOutcome *outcome, LutraJson *results,
                       const LutraExperimentRun *run, LutraError *error);
} LutraExperiment;

/** The table, ended by NULL. */
extern const LutraExperiment *const lutra_experiments[];

/* --- reading settings ------------------------------------------------------------------------- */

/** "quick" or "full". */
const char *lutra_experiment_setting(const LutraExperimentRun *run);

/** Value of a key; NULL if the section has none. */
const char *lutra_experiment_value(const LutraIni *ini, const char *section, const char *key);

/** A whole number from `min` to `max`; LUTRA_EDATA names the file, section and key. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_number(uint32_t *value, const LutraExperimentRun *run,
                                                     const char *section, const char *key,
                                                     uint32_t min, uint32_t max, LutraError *error);

/** A real number from `min` to `max`. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_real(double *value, const LutraExperimentRun *run,
                                                   const char *section, const char *key, double min,
                                                   double max, LutraError *error);

/**
 * Refuses keys that nobody reads.
 *
 * @param keys  ended by NULL
 */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_check_keys(const LutraExperimentRun *run,
                                                         const char *section,
                                                         const char *const *keys,
                                                         LutraError *error);

/* --- output files ----------------------------------------------------------------------------- */

/** "FOLDER/NAME"; heap, free with lutra_free. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_path(char **path, const LutraExperimentRun *run,
                                                   const char *name, LutraError *error);

/** A text file under construction: print to `out`. */
typedef struct {
    FILE *out;
    char *text;
    size_t bytes;
} LutraExperimentFile;

/** Begins a CSV file: two comment lines say what made it. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_csv_open(LutraExperimentFile *file,
                                                       const LutraExperimentRun *run,
                                                       LutraError *error);

/** Writes it into the folder and frees. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_csv_close(LutraExperimentFile *file,
                                                        const LutraExperimentRun *run,
                                                        const char *name, LutraError *error);

/** The experiments themselves. */
extern const LutraExperiment lutra_experiment_noise;

#endif
