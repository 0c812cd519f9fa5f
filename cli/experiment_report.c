/* SPDX-License-Identifier: Apache-2.0 */
/* Compares runs with published and stored figures, and makes pages of them. */
#include <string.h>

#include "base/memory.h"
#include "cli/experiment.h"
#include "experiments/compare.h"
#include "experiments/report.h"

static const char *const COMMAND = "experiment";

static LutraStatus read_runs(LutraCompare *runs, const char *const *folders, uint32_t count,
                             const char *expected, LutraError *error) {
    char assets[EXPERIMENT_PATH_BYTES];
    const bool found = experiment_assets(assets);
    for (uint32_t i = 0; i < count; i++) {
        LUTRA_TRY(lutra_compare_read(&runs[i], folders[i], found ? assets : NULL, expected, error));
    }
    return LUTRA_OK;
}

static void free_runs(LutraCompare **runs, uint32_t count) {
    for (uint32_t i = 0; *runs != NULL && i < count; i++) {
        lutra_compare_deinit(&(*runs)[i]);
    }
    lutra_free(runs);
}

LutraStatus experiment_write_report(const char *const *folders, uint32_t count, const char *path,
                                    bool force, LutraError *error) {
    LutraCompare *runs = NULL;
    char stamp[512];
    experiment_stamp_line(stamp);
    LUTRA_TRY(lutra_alloc(&runs, count, sizeof *runs, error));
    LutraStatus status = read_runs(runs, folders, count, NULL, error);
    if (status == LUTRA_OK) {
        status = lutra_report_write(runs, count, stamp, path, force, error);
    }
    free_runs(&runs, count);
    return status;
}

int experiment_report(const ExperimentOptions *options) {
    LutraError error = {""};
    const LutraStatus status = experiment_write_report(
        options->words, options->word_count, options->output, options->common.force, &error);
    if (status != LUTRA_OK) {
        return cli_fail(COMMAND, status, &error);
    }
    if (options->common.json) {
        LutraJson *json = lutra_json_create("lutra.experiment/1");
        lutra_json_set_text(json, "report", options->output);
        lutra_json_set_i64(json, "runs", options->word_count);
        return cli_print_json(COMMAND, &json);
    }
    printf("%s: %u runs\n", options->output, options->word_count);
    return cli_end_text("lutra experiment");
}

int experiment_compare(const ExperimentOptions *options) {
    LutraCompare *runs = NULL;
    LutraError error = {""};
    uint32_t moved = 0;
    int code = CLI_EXIT_DONE;
    LutraStatus status = lutra_alloc(&runs, options->word_count, sizeof *runs, &error);
    if (status == LUTRA_OK) {
        status =
            read_runs(runs, options->words, options->word_count, options->expected_path, &error);
    }
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    } else if (options->common.json) {
        LutraJson *json = lutra_json_create("lutra.experiment/1");
        LutraJson *const array = lutra_json_set_array(json, "runs");
        for (uint32_t i = 0; i < options->word_count; i++) {
            lutra_compare_set_json(lutra_json_add_object(array), &runs[i]);
        }
        code = cli_print_json(COMMAND, &json);
    } else {
        for (uint32_t i = 0; i < options->word_count; i++) {
            lutra_compare_print(stdout, &runs[i]);
        }
        code = cli_end_text("lutra experiment");
    }
    for (uint32_t i = 0; status == LUTRA_OK && i < options->word_count; i++) {
        moved += runs[i].moved;
    }
    free_runs(&runs, options->word_count);
    return code == CLI_EXIT_DONE && moved > 0 ? CLI_EXIT_CONDITION : code;
}
