/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `lutra experiment`: where experiments lie, running one or all, reports. */
#ifndef LUTRA_CLI_EXPERIMENT_H
#define LUTRA_CLI_EXPERIMENT_H

#include "base/file.h"
#include "base/ini_file.h"
#include "cli/cli.h"
#include "experiments/experiment.h"

enum { EXPERIMENT_PATH_BYTES = 4096, EXPERIMENT_MOST_WORDS = 64 };

typedef struct {
    CliCommon common;
    const char *action;
    const char *words[EXPERIMENT_MOST_WORDS]; /* names or folders after the action */
    uint32_t word_count;
    const char *settings_path;
    const char *expected_path;
    const char *output; /* -o */
    const char *inputs_folder;
    LutraExperimentInput inputs[EXPERIMENT_MOST_WORDS];
    uint32_t input_count;
    bool full;
    bool resume;
} ExperimentOptions;

/** An INI file as it was read. */
typedef struct {
    char path[EXPERIMENT_PATH_BYTES];
    LutraBytes text;
    LutraIni ini;
} ExperimentSettings;

void experiment_settings_deinit(ExperimentSettings *settings);

/** Reads the INI file of an experiment: `given`, or NAME.ini of those that come with the
 * program. */
LUTRA_MUST_CHECK LutraStatus experiment_settings_read(ExperimentSettings *settings,
                                                      const char *name, const char *given,
                                                      LutraError *error);

/** Value of [experiment] `key`, or "". */
const char *experiment_about(const ExperimentSettings *settings, const char *key);

/** Where experiments lie that come with the program: beside it, in its source tree, or here; false
 * if nowhere. */
bool experiment_assets(char folder[EXPERIMENT_PATH_BYTES]);

/** `run NAME` and `run all`; returns an exit code. */
int experiment_run(const ExperimentOptions *options);

/** `compare DIR ...`; returns an exit code. */
int experiment_compare(const ExperimentOptions *options);

/** `report DIR ...`; returns an exit code. */
int experiment_report(const ExperimentOptions *options);

/** Writes one page over the runs in `folders`. */
LUTRA_MUST_CHECK LutraStatus experiment_write_report(const char *const *folders, uint32_t count,
                                                     const char *path, bool force,
                                                     LutraError *error);

/** One line of versions, processor, system and date; 512 bytes. */
void experiment_stamp_line(char line[512]);

#endif
