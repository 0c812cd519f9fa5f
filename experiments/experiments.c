/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of experiments, and what they share; see experiment.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "experiments/experiment.h"

/* Name, files, check and run of each: filled in by its own file. */
const LutraExperiment *const lutra_experiments[] = {
    &lutra_experiment_rounding,       &lutra_experiment_vgg11,
    &lutra_experiment_accumulators,   &lutra_experiment_p_error,
    &lutra_experiment_hybrid,         &lutra_experiment_agreement,
    &lutra_experiment_agreement_lean, &lutra_experiment_noise,
    &lutra_experiment_family,         NULL};

const char *lutra_experiment_setting(const LutraExperimentRun *run) {
    return run->full ? "full" : "quick";
}

const char *lutra_experiment_value(const LutraIni *ini, const char *section, const char *key) {
    for (size_t i = 0; i < ini->entry_count; i++) {
        const LutraIniEntry *const entry = &ini->entries[i];
        if (strcmp(entry->section, section) == 0 && strcmp(entry->key, key) == 0) {
            return entry->value;
        }
    }
    return NULL;
}

static LutraStatus missing(const LutraExperimentRun *run, const char *section, const char *key,
                           LutraError *error) {
    return lutra_error_set(error, LUTRA_EDATA, "'%s': section [%s] has no '%s'", run->settings_path,
                           section, key);
}

LutraStatus lutra_experiment_number(uint32_t *value, const LutraExperimentRun *run,
                                    const char *section, const char *key, uint32_t min,
                                    uint32_t max, LutraError *error) {
    const char *const text = lutra_experiment_value(run->settings, section, key);
    if (text == NULL) {
        return missing(run, section, key, error);
    }
    char *end = NULL;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number < min ||
        number > max) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s': '%s' in section [%s] is '%s'; should be an integer from "
                               "%" PRIu32 " to %" PRIu32,
                               run->settings_path, key, section, text, min, max);
    }
    *value = (uint32_t)number;
    return LUTRA_OK;
}

LutraStatus lutra_experiment_real(double *value, const LutraExperimentRun *run, const char *section,
                                  const char *key, double min, double max, LutraError *error) {
    const char *const text = lutra_experiment_value(run->settings, section, key);
    if (text == NULL) {
        return missing(run, section, key, error);
    }
    char *end = NULL;
    const double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= min && number <= max)) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s': '%s' in section [%s] is '%s'; should be a number from %g to "
                               "%g",
                               run->settings_path, key, section, text, min, max);
    }
    *value = number;
    return LUTRA_OK;
}

LutraStatus lutra_experiment_check_keys(const LutraExperimentRun *run, const char *section,
                                        const char *const *keys, LutraError *error) {
    for (size_t i = 0; i < run->settings->entry_count; i++) {
        const LutraIniEntry *const entry = &run->settings->entries[i];
        bool known = strcmp(entry->section, section) != 0;
        for (size_t k = 0; !known && keys[k] != NULL; k++) {
            known = strcmp(entry->key, keys[k]) == 0;
        }
        if (!known) {
            return lutra_error_set(error, LUTRA_EDATA, "'%s':%d: section [%s] knows no '%s'",
                                   run->settings_path, entry->line, section, entry->key);
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_experiment_published(LutraFigures *figures, const LutraExperimentRun *run,
                                       LutraError *error) {
    char file[128];
    char *path = NULL;
    *figures = (LutraFigures){0};
    if (run->assets_folder == NULL) {
        return LUTRA_OK;
    }
    (void)snprintf(file, sizeof file, "published/%.64s.csv", run->name);
    LUTRA_TRY(lutra_file_path_in(&path, run->assets_folder, file, error));
    const LutraStatus status =
        lutra_file_exists(path) ? lutra_figures_read(figures, path, error) : LUTRA_OK;
    lutra_free(&path);
    return status;
}

bool lutra_experiment_next_word(char *word, size_t bytes, const char **rest) {
    const char *p = *rest + strspn(*rest, ", \t");
    const size_t length = strcspn(p, ", \t");
    if (length == 0) {
        return false;
    }
    (void)snprintf(word, bytes, "%.*s", (int)length, p);
    *rest = p + length;
    return true;
}

/** NAME.h5 in pretrained/ beside the experiments. */
static LutraStatus find_pretrained(char **path, const LutraExperimentRun *run, const char *name,
                                   LutraError *error) {
    char file[160];
    if (run->assets_folder == NULL) {
        return LUTRA_OK;
    }
    (void)snprintf(file, sizeof file, "pretrained/%.120s.h5", name);
    LUTRA_TRY(lutra_file_path_in(path, run->assets_folder, file, error));
    if (!lutra_file_exists(*path)) {
        lutra_free(path);
    }
    return LUTRA_OK;
}

LutraStatus lutra_experiment_find_input(char **path, const LutraExperimentRun *run,
                                        const char *name, LutraError *error) {
    char file[128];
    *path = NULL;
    for (uint32_t i = 0; i < run->input_count; i++) {
        if (strcmp(run->inputs[i].name, name) == 0) {
            return lutra_file_exists(run->inputs[i].path)
                       ? lutra_string_copy(path, run->inputs[i].path, error)
                       : lutra_error_set(error, LUTRA_EIO, "input '%s': there is no '%s'", name,
                                         run->inputs[i].path);
        }
    }
    (void)snprintf(file, sizeof file, "%.120s.h5", name);
    if (run->inputs_folder != NULL) {
        LUTRA_TRY(lutra_file_path_in(path, run->inputs_folder, file, error));
        if (lutra_file_exists(*path)) {
            return LUTRA_OK;
        }
        lutra_free(path);
    }
    const char *const usual = lutra_experiment_value(run->settings, "inputs", name);
    if (usual != NULL && lutra_file_exists(usual)) {
        return lutra_string_copy(path, usual, error);
    }
    return find_pretrained(path, run, name, error);
}

LutraStatus lutra_experiment_missing_input(const LutraExperimentRun *run, const char *name,
                                           LutraError *error) {
    const char *const how = lutra_experiment_value(run->settings, "how", name);
    return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                           "input '%s' is missing; give it with --input %s=FILE%s%s", name, name,
                           how != NULL ? "; to make it: " : "", how != NULL ? how : "");
}

LutraStatus lutra_experiment_checkpoint(const LutraExperimentRun *run, LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_experiment_path(&path, run, "figures.csv", error));
    const LutraStatus status = lutra_figures_write(run->figures, path, true, error);
    lutra_free(&path);
    return status;
}

LutraStatus lutra_experiment_path(char **path, const LutraExperimentRun *run, const char *name,
                                  LutraError *error) {
    const size_t bytes = strlen(run->folder) + strlen(name) + 2;
    LUTRA_TRY(lutra_alloc(path, bytes, 1, error));
    (void)snprintf(*path, bytes, "%s/%s", run->folder, name);
    return LUTRA_OK;
}

LutraStatus lutra_experiment_csv_open(LutraExperimentFile *file, const LutraExperimentRun *run,
                                      LutraError *error) {
    *file = (LutraExperimentFile){0};
    file->out = open_memstream(&file->text, &file->bytes);
    if (file->out == NULL) {
        return lutra_error_set(error, LUTRA_ENOMEM, "out of memory");
    }
    fprintf(file->out, "# %s\n# setting %s, seed %" PRIu64 ", %" PRIu32 " threads\n", run->stamp,
            lutra_experiment_setting(run), run->seed, run->threads);
    return LUTRA_OK;
}

LutraStatus lutra_experiment_csv_close(LutraExperimentFile *file, const LutraExperimentRun *run,
                                       const char *name, LutraError *error) {
    char *path = NULL;
    const bool complete = ferror(file->out) == 0;
    const bool closed = fclose(file->out) == 0;
    LutraStatus status = lutra_experiment_path(&path, run, name, error);
    if (status == LUTRA_OK) {
        status = complete && closed
                     ? lutra_file_write(path, file->text, file->bytes, run->force, error)
                     : lutra_error_set(error, LUTRA_ENOMEM, "out of memory for '%s'", path);
    }
    lutra_free(&path);
    free(file->text);
    *file = (LutraExperimentFile){0};
    return status;
}
