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
 * versions, processor, results), figures.csv (every result with its interval, figures.h), and the
 * experiment's own CSV and PNG files. Published figures stand in experiments/published/NAME.csv,
 * those of an earlier run in experiments/expected/NAME-quick.csv and NAME-full.csv.
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
#include "experiments/figures.h"
#include "sim/machine_profile.h"

/** A file that the user gives an experiment, by the name that its INI file knows it by. */
typedef struct {
    const char *name; /* such as "cifar10" or "vgg9" */
    const char *path;
} LutraExperimentInput;

/** What one run is asked for; nothing is owned. */
typedef struct {
    const char *folder; /* for output files; exists */
    bool force;         /* overwrite them */
    bool full;          /* section [full] instead of [quick] */
    uint64_t seed;
    uint32_t threads;
    uint32_t cpu_flags;                 /* LutraCpuFlag mask */
    const LutraMachineProfile *machine; /* that times are predicted for */
    const LutraExperimentInput *inputs;
    uint32_t input_count;
    const char *inputs_folder; /* where NAME.h5 is looked for; may be NULL */
    bool resume;               /* figures that are there already need not be made again */
    LutraFigures *figures;     /* to fill */
    const LutraIni *settings;
    const char *settings_path; /* for errors, and for files that lie beside it */
    const char *name;          /* of the experiment */
    const char *assets_folder; /* where published/ and expected/ lie; may be NULL */
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

    /** Settings, inputs, and whether this build can do it: everything that can fail before long
     * work. LUTRA_EUNAVAILABLE: something is missing, and the sentence says what to do. */
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

/** Words or numbers separated by commas: copies the next one, without blanks, and moves on; false
 * at the end. */
bool lutra_experiment_next_word(char *word, size_t bytes, const char **rest);

/* --- inputs ----------------------------------------------------------------------------------- */

/**
 * Where an input lies: as the user says, else NAME.h5 in the folder of inputs, else what section
 * [inputs] of the settings says, else NAME.h5 among the trained models that come with the program.
 *
 * @param[out] path  heap, free with lutra_free; NULL if there is none or what is named is not there
 * @errors LUTRA_EIO a path that the user gave does not exist; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_find_input(char **path, const LutraExperimentRun *run,
                                                         const char *name, LutraError *error);

/** LUTRA_EUNAVAILABLE with what section [how] of the settings says on `name`. */
LutraStatus lutra_experiment_missing_input(const LutraExperimentRun *run, const char *name,
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

/** Writes figures.csv as it stands, so that --resume can go on from it. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_checkpoint(const LutraExperimentRun *run,
                                                         LutraError *error);

/** Writes it into the folder and frees. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_csv_close(LutraExperimentFile *file,
                                                        const LutraExperimentRun *run,
                                                        const char *name, LutraError *error);

/** Published figures of the experiment: published/NAME.csv beside its INI file; none if there is no
 * such file. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_published(LutraFigures *figures,
                                                        const LutraExperimentRun *run,
                                                        LutraError *error);

/** The experiments themselves. */
extern const LutraExperiment lutra_experiment_noise;
extern const LutraExperiment lutra_experiment_p_error;
extern const LutraExperiment lutra_experiment_rounding;
extern const LutraExperiment lutra_experiment_accumulators;
extern const LutraExperiment lutra_experiment_vgg11;
extern const LutraExperiment lutra_experiment_hybrid;
extern const LutraExperiment lutra_experiment_agreement;
extern const LutraExperiment lutra_experiment_agreement_lean;
extern const LutraExperiment lutra_experiment_family;

#endif
