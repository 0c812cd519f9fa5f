/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one experiment, or all. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bridge/backend.h"
#include "cli/cost_report.h"
#include "cli/experiment.h"
#include "cli/run_stamp.h"
#include "experiments/compare.h"
#include "train/gemm.h"

#ifndef LUTRA_VERSION
#define LUTRA_VERSION "unknown"
#endif

static const char *const COMMAND = "experiment";
static const char *const CONFIGURATION = "configuration.ini";
static const char *const RECORD = "run.json";
static const char *const FIGURES = "figures.csv";

enum { MOST_SETTINGS = 1 << 20, MOST_EXPERIMENTS = 64 };

/* --- where experiments lie -------------------------------------------------------------------- */

bool experiment_assets(char folder[EXPERIMENT_PATH_BYTES]) {
    static const char *const places[] = {"/../share/lutra/experiments", "/../../experiments"};
    char program[EXPERIMENT_PATH_BYTES / 2];
    char probe[EXPERIMENT_PATH_BYTES + 32];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length > 0) {
        program[length] = '\0';
        char *const slash = strrchr(program, '/');
        *(slash != NULL ? slash : program) = '\0';
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            (void)snprintf(folder, EXPERIMENT_PATH_BYTES, "%s%s", program, places[i]);
            (void)snprintf(probe, sizeof probe, "%s/noise.ini", folder);
            if (lutra_file_exists(probe)) {
                return true;
            }
        }
    }
    (void)snprintf(folder, EXPERIMENT_PATH_BYTES, "experiments");
    return lutra_file_exists("experiments/noise.ini");
}

void experiment_settings_deinit(ExperimentSettings *settings) {
    lutra_ini_deinit(&settings->ini);
    lutra_bytes_deinit(&settings->text);
}

LutraStatus experiment_settings_read(ExperimentSettings *settings, const char *name,
                                     const char *given, LutraError *error) {
    char folder[EXPERIMENT_PATH_BYTES];
    struct stat info;
    if (given != NULL && stat(given, &info) == 0 && S_ISDIR(info.st_mode)) {
        (void)snprintf(settings->path, sizeof settings->path, "%s/%s.ini", given, name);
    } else if (given != NULL) {
        (void)snprintf(settings->path, sizeof settings->path, "%s", given);
    } else if (!experiment_assets(folder) ||
               (size_t)snprintf(settings->path, sizeof settings->path, "%s/%s.ini", folder, name) >=
                   sizeof settings->path ||
               !lutra_file_exists(settings->path)) {
        return lutra_error_set(error, LUTRA_EIO,
                               "cannot find '%s.ini'; give it with --settings FILE", name);
    }
    LUTRA_TRY(lutra_file_read(&settings->text, settings->path, MOST_SETTINGS, error));
    return lutra_ini_parse(&settings->ini, (const char *)settings->text.data, settings->path,
                           error);
}

const char *experiment_about(const ExperimentSettings *settings, const char *key) {
    const char *const value = lutra_experiment_value(&settings->ini, "experiment", key);
    return value != NULL ? value : "";
}

void experiment_stamp_line(char line[512]) {
    CliRunStamp stamp;
    cli_run_stamp(&stamp);
    (void)snprintf(line, 512, "lutra %s, %s, %s, %s, %s", LUTRA_VERSION,
                   lutra_backend_tfhe()->name(), stamp.processor, stamp.system, stamp.date);
}

/* --- one run ---------------------------------------------------------------------------------- */

typedef enum { STATE_DONE, STATE_REFUTED, STATE_SKIPPED, STATE_INTERRUPTED, STATE_FAILED } State;

/** One experiment being run. */
typedef struct {
    const ExperimentOptions *options;
    const LutraExperiment *experiment;
    ExperimentSettings settings;
    LutraExperimentRun run;
    LutraFigures figures;
    CliProfile machine;
    char stamp[512];
    char assets[EXPERIMENT_PATH_BYTES];
    bool was_complete; /* resumed, and there was nothing left to do */
    LutraExperimentOutcome outcome;
    double seconds;        /* of this run */
    double seconds_before; /* of those that it goes on from */
} Job;

static void job_deinit(Job *job) {
    lutra_figures_deinit(&job->figures);
    cli_profile_deinit(&job->machine);
    experiment_settings_deinit(&job->settings);
}

static LutraStatus find(const LutraExperiment **experiment, const char *name, LutraError *error) {
    for (size_t i = 0; lutra_experiments[i] != NULL; i++) {
        if (strcmp(lutra_experiments[i]->name, name) == 0) {
            *experiment = lutra_experiments[i];
            return LUTRA_OK;
        }
    }
    return lutra_error_set(error, LUTRA_EINVAL,
                           "unknown experiment '%s'; 'lutra experiment list' shows them", name);
}

static LutraStatus check_output(const LutraExperimentRun *run, const char *name,
                                LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_experiment_path(&path, run, name, error));
    const LutraStatus status = lutra_file_check_output(path, run->force, error);
    lutra_free(&path);
    return status;
}

/** Makes the folder and refuses to overwrite, before long work. */
static LutraStatus check_folder(const LutraExperimentRun *run, const LutraExperiment *experiment,
                                LutraError *error) {
    LUTRA_TRY(lutra_folder_create(run->folder, error));
    LUTRA_TRY(check_output(run, CONFIGURATION, error));
    LUTRA_TRY(check_output(run, RECORD, error));
    LUTRA_TRY(check_output(run, FIGURES, error));
    for (size_t i = 0; experiment->files[i] != NULL; i++) {
        LUTRA_TRY(check_output(run, experiment->files[i], error));
    }
    return LUTRA_OK;
}

static LutraStatus write_bytes(const LutraExperimentRun *run, const char *name, const void *data,
                               size_t bytes, LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_experiment_path(&path, run, name, error));
    const LutraStatus status = lutra_file_write(path, data, bytes, run->force, error);
    lutra_free(&path);
    return status;
}

static LutraStatus set(Job *job, const char *key, const char *value, LutraError *error) {
    return lutra_figures_set_fact(&job->figures, key, value, error);
}

/** What the figures say of the run before it begins. */
static LutraStatus set_facts(Job *job, LutraError *error) {
    static const char *const about[] = {"question", "method", "source", "refuted_if", "limits"};
    CliRunStamp stamp;
    char number[32];
    LUTRA_TRY(set(job, "experiment", job->experiment->name, error));
    for (size_t i = 0; i < sizeof about / sizeof *about; i++) {
        const char *const value = experiment_about(&job->settings, about[i]);
        if (value[0] != '\0') {
            LUTRA_TRY(set(job, about[i], value, error));
        }
    }
    LUTRA_TRY(set(job, "setting", lutra_experiment_setting(&job->run), error));
    (void)snprintf(number, sizeof number, "%" PRIu64, job->run.seed);
    LUTRA_TRY(set(job, "seed", number, error));
    (void)snprintf(number, sizeof number, "%" PRIu32, job->run.threads);
    LUTRA_TRY(set(job, "threads", number, error));
    cli_run_stamp(&stamp);
    LUTRA_TRY(set(job, "version", LUTRA_VERSION, error));
    LUTRA_TRY(set(job, "real FHE", lutra_backend_tfhe()->name(), error));
    LUTRA_TRY(set(job, "matrix products", lutra_gemm_library(), error));
    LUTRA_TRY(set(job, "processor", stamp.processor, error));
    LUTRA_TRY(set(job, "system", stamp.system, error));
    LUTRA_TRY(set(job, "date", stamp.date, error));
    return set(job, "times predicted for",
               job->machine.path != NULL ? job->machine.profile.cpu
                                         : "built-in profile; see lutra bench --calibrate",
               error);
}

/** Whether a fact of the run that is gone on with is the same; says so if not. */
static LutraStatus check_same(const Job *job, const char *key, const char *value,
                              LutraError *error) {
    const char *const known = lutra_figures_fact(&job->figures, key);
    return known != NULL && strcmp(known, value) == 0
               ? LUTRA_OK
               : lutra_error_set(error, LUTRA_EINVAL,
                                 "'%s' holds a run with %s '%s', not '%s'; begin anew in another "
                                 "folder",
                                 job->run.folder, key, known != NULL ? known : "", value);
}

/** Takes over the figures that are there, if they are of the same settings. */
static LutraStatus resume(Job *job, LutraError *error) {
    LutraBytes then = {0};
    char *path = NULL;
    char seed[32];
    LUTRA_TRY(lutra_experiment_path(&path, &job->run, FIGURES, error));
    if (!lutra_file_exists(path)) {
        lutra_free(&path);
        return LUTRA_OK;
    }
    LutraStatus status = lutra_figures_read(&job->figures, path, error);
    lutra_free(&path);
    LUTRA_TRY(status);
    if (lutra_figures_fact(&job->figures, "skipped") != NULL) {
        lutra_figures_deinit(&job->figures);
        return LUTRA_OK;
    }
    (void)snprintf(seed, sizeof seed, "%" PRIu64, job->run.seed);
    LUTRA_TRY(check_same(job, "experiment", job->experiment->name, error));
    LUTRA_TRY(check_same(job, "setting", lutra_experiment_setting(&job->run), error));
    LUTRA_TRY(check_same(job, "seed", seed, error));
    LUTRA_TRY(lutra_experiment_path(&path, &job->run, CONFIGURATION, error));
    status = lutra_file_read(&then, path, MOST_SETTINGS, error);
    lutra_free(&path);
    if (status == LUTRA_OK && (then.bytes != job->settings.text.bytes ||
                               memcmp(then.data, job->settings.text.data, then.bytes) != 0)) {
        status = lutra_error_set(error, LUTRA_EINVAL,
                                 "'%s' holds a run with other settings; "
                                 "begin anew in another folder",
                                 job->run.folder);
    }
    lutra_bytes_deinit(&then);
    const char *const complete = lutra_figures_fact(&job->figures, "complete");
    job->was_complete = complete != NULL && strcmp(complete, "yes") == 0;
    const char *const seconds = lutra_figures_fact(&job->figures, "seconds");
    const double before = seconds != NULL ? strtod(seconds, NULL) : 0.0;
    job->seconds_before = isfinite(before) ? fmax(0.0, before) : 0.0;
    return status;
}

/** Everything before the work. */
static LutraStatus prepare(Job *job, const char *name, const char *folder, LutraError *error) {
    const ExperimentOptions *const options = job->options;
    LUTRA_TRY(find(&job->experiment, name, error));
    LUTRA_TRY(experiment_settings_read(&job->settings, name, options->settings_path, error));
    LUTRA_TRY(cli_profile_find(&job->machine, NULL, error));
    experiment_stamp_line(job->stamp);
    job->run =
        (LutraExperimentRun){.folder = folder,
                             .force = options->common.force || options->resume,
                             .full = options->full,
                             .seed = options->common.seed,
                             .threads = options->common.threads,
                             .cpu_flags = options->common.cpu_flags,
                             .machine = &job->machine.profile,
                             .inputs = options->inputs,
                             .input_count = options->input_count,
                             .inputs_folder = options->inputs_folder,
                             .resume = options->resume,
                             .figures = &job->figures,
                             .settings = &job->settings.ini,
                             .settings_path = job->settings.path,
                             .name = job->experiment->name,
                             .assets_folder = experiment_assets(job->assets) ? job->assets : NULL,
                             .stamp = job->stamp,
                             .report = options->common.json ? NULL : stdout};
    LUTRA_TRY(job->experiment->check(&job->run, error));
    if (options->resume) {
        LUTRA_TRY(resume(job, error));
    }
    LUTRA_TRY(check_folder(&job->run, job->experiment, error));
    LUTRA_TRY(set_facts(job, error));
    return write_bytes(&job->run, CONFIGURATION, job->settings.text.data, job->settings.text.bytes,
                       error);
}

static LutraJson *new_record(const Job *job) {
    const LutraExperimentRun *const run = &job->run;
    CliRunStamp stamp;
    cli_run_stamp(&stamp);
    LutraJson *const json = lutra_json_create("lutra.experiment/1");
    lutra_json_set_text(json, "experiment", job->experiment->name);
    lutra_json_set_text(json, "question", experiment_about(&job->settings, "question"));
    lutra_json_set_text(json, "setting", lutra_experiment_setting(run));
    lutra_json_set_text(json, "settings_path", job->settings.path);
    lutra_json_set_i64(json, "seed", (int64_t)run->seed);
    lutra_json_set_i64(json, "threads", run->threads);
    lutra_json_set_text(json, "version", LUTRA_VERSION);
    lutra_json_set_text(json, "backend", lutra_backend_tfhe()->name());
    lutra_json_set_text(json, "processor", stamp.processor);
    lutra_json_set_text(json, "system", stamp.system);
    lutra_json_set_text(json, "date", stamp.date);
    return json;
}

static void conclude_record(LutraJson *json, const Job *job) {
    const LutraExperimentOutcome *const outcome = &job->outcome;
    lutra_json_set_bool(json, "complete", outcome->done == outcome->parts);
    lutra_json_set_i64(json, "parts", outcome->parts);
    lutra_json_set_i64(json, "parts_done", outcome->done);
    if (outcome->done > 0) {
        lutra_json_set_bool(json, "holds", outcome->holds);
    } else {
        lutra_json_set_null(json, "holds");
    }
    lutra_json_set_f64(json, "seconds", job->seconds_before + job->seconds);
    LutraJson *const facts = lutra_json_set_object(json, "facts");
    for (uint32_t i = 0; i < job->figures.fact_count; i++) {
        lutra_json_set_text(facts, job->figures.facts[i].key, job->figures.facts[i].value);
    }
    lutra_figures_set_json(lutra_json_set_array(json, "figures"), &job->figures);
}

/** Figures with the verdict, and run.json. */
static LutraStatus write_results(Job *job, LutraJson *json, LutraError *error) {
    const LutraExperimentOutcome *const outcome = &job->outcome;
    char seconds[32];
    char *text = NULL;
    const bool complete = outcome->parts > 0 && outcome->done == outcome->parts;
    (void)snprintf(seconds, sizeof seconds, "%.0f", job->seconds_before + job->seconds);
    LUTRA_TRY(set(job, "complete", complete ? "yes" : "no", error));
    LUTRA_TRY(set(job, "holds", outcome->done == 0 ? "" : outcome->holds ? "yes" : "no", error));
    LUTRA_TRY(set(job, "seconds", seconds, error));
    job->run.force = true; /* what this run itself has written */
    LUTRA_TRY(lutra_experiment_checkpoint(&job->run, error));
    conclude_record(json, job);
    LUTRA_TRY(lutra_json_text(&text, json, error));
    const LutraStatus status = write_bytes(&job->run, RECORD, text, strlen(text), error);
    lutra_free(&text);
    return status;
}

static void print_conclusion(const Job *job) {
    const LutraExperimentOutcome *const outcome = &job->outcome;
    printf("%" PRIu32 " of %" PRIu32 " parts in %.0f s, written to %s\n", outcome->done,
           outcome->parts, job->seconds, job->run.folder);
    printf("verdict  %s\n", outcome->done == 0 ? "nothing was measured"
                            : outcome->holds   ? "nothing that was measured refutes the claim"
                                               : "what was measured refutes the claim");
}

/**
 * Runs what is prepared.
 *
 * @param[out] json  the record, owned by the caller; NULL if there is none
 */
static LutraStatus work(Job *job, LutraJson **json, LutraError *error) {
    CliProgress progress;
    LutraError later = {""};
    const double start = lutra_seconds();
    *json = new_record(job);
    job->outcome = (LutraExperimentOutcome){.holds = true};
    cli_progress_start(&progress, &job->options->common);
    job->run.progress = &progress.progress;
    const LutraStatus status = job->experiment->run(
        &job->outcome, lutra_json_set_object(*json, "results"), &job->run, error);
    cli_progress_stop(&progress);
    job->seconds = lutra_seconds() - start;
    if (status != LUTRA_OK && status != LUTRA_ECANCELLED) {
        return status;
    }
    const LutraStatus written = write_results(job, *json, &later);
    if (written != LUTRA_OK) {
        return lutra_error_set(error, written, "%s", later.message);
    }
    return status;
}

static int run_one(const ExperimentOptions *options) {
    Job job = {.options = options};
    LutraJson *json = NULL;
    LutraError error = {""};
    int code = CLI_EXIT_DONE;
    LutraStatus status = prepare(&job, options->words[0], options->output, &error);
    if (status == LUTRA_OK && job.was_complete) {
        cli_note(&options->common, COMMAND, "'%s' is complete; its charts are drawn again",
                 options->output);
    }
    if (status == LUTRA_OK) {
        status = work(&job, &json, &error);
        if (status == LUTRA_OK || status == LUTRA_ECANCELLED) {
            if (options->common.json) {
                code = cli_print_json(COMMAND, &json);
            } else {
                print_conclusion(&job);
            }
            code = code == CLI_EXIT_DONE && !job.outcome.holds ? CLI_EXIT_CONDITION : code;
        }
    }
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    lutra_json_destroy(&json);
    job_deinit(&job);
    return code;
}

/* --- all -------------------------------------------------------------------------------------- */

static const char *const state_names[] = {"done", "refuted", "skipped", "interrupted", "failed"};

/** Leaves a folder that says why there is nothing in it. */
static LutraStatus write_skip(Job *job, const char *folder, const char *why, LutraError *error) {
    lutra_figures_deinit(&job->figures);
    LUTRA_TRY(lutra_folder_create(folder, error));
    job->run.folder = folder;
    LUTRA_TRY(set_facts(job, error));
    LUTRA_TRY(set(job, "skipped", why, error));
    return lutra_experiment_checkpoint(&job->run, error);
}

static State run_of_all(const ExperimentOptions *options, const char *name, const char *folder,
                        LutraStatus *failed, LutraError *error) {
    Job job = {.options = options};
    LutraJson *json = NULL;
    State state = STATE_DONE;
    LutraStatus status = prepare(&job, name, folder, error);
    const bool missing = status == LUTRA_EUNAVAILABLE;
    if (status == LUTRA_OK && job.was_complete) {
        cli_note(&options->common, COMMAND, "%s: complete already", name);
        const char *const holds = lutra_figures_fact(&job.figures, "holds");
        state = holds != NULL && strcmp(holds, "no") == 0 ? STATE_REFUTED : STATE_DONE;
    } else if (status == LUTRA_OK) {
        if (job.run.report != NULL) {
            printf("== %s\n", name);
            (void)fflush(stdout);
        }
        status = work(&job, &json, error);
        state = status == LUTRA_ECANCELLED ? STATE_INTERRUPTED
                : job.outcome.holds        ? STATE_DONE
                                           : STATE_REFUTED;
        if ((status == LUTRA_OK || status == LUTRA_ECANCELLED) && job.run.report != NULL) {
            print_conclusion(&job);
        }
    } else if (missing) {
        char why[LUTRA_ERROR_BYTES];
        (void)snprintf(why, sizeof why, "%s", error->message);
        cli_note(&options->common, COMMAND, "%s: skipped: %s", name, why);
        status = write_skip(&job, folder, why, error);
        state = STATE_SKIPPED;
    }
    if (status != LUTRA_OK && status != LUTRA_ECANCELLED) {
        *failed = status;
        state = STATE_FAILED;
    }
    lutra_json_destroy(&json);
    job_deinit(&job);
    return state;
}

typedef struct {
    uint32_t count;
    const char *names[MOST_EXPERIMENTS];
    char *folders[MOST_EXPERIMENTS];
    State states[MOST_EXPERIMENTS];
    char messages[MOST_EXPERIMENTS][LUTRA_ERROR_BYTES];
} All;

static int print_all(const ExperimentOptions *options, const All *all, const char *page) {
    if (!options->common.json) {
        printf("\n");
        for (uint32_t i = 0; i < all->count; i++) {
            printf("%-14s %s%s%s\n", all->names[i], state_names[all->states[i]],
                   all->messages[i][0] != '\0' ? ": " : "", all->messages[i]);
        }
        printf("report   %s\n", page);
        return cli_end_text("lutra experiment");
    }
    LutraJson *json = lutra_json_create("lutra.experiment/1");
    LutraJson *const array = lutra_json_set_array(json, "experiments");
    for (uint32_t i = 0; i < all->count; i++) {
        LutraJson *const object = lutra_json_add_object(array);
        lutra_json_set_text(object, "name", all->names[i]);
        lutra_json_set_text(object, "folder", all->folders[i]);
        lutra_json_set_text(object, "state", state_names[all->states[i]]);
        lutra_json_set_text(object, "message", all->messages[i]);
    }
    lutra_json_set_text(json, "report", page);
    return cli_print_json(COMMAND, &json);
}

/** All names there are, or those that were given. */
static LutraStatus list_names(All *all, const ExperimentOptions *options, LutraError *error) {
    const bool every = strcmp(options->words[0], "all") == 0;
    for (uint32_t i = 0; every ? lutra_experiments[i] != NULL : i < options->word_count; i++) {
        const LutraExperiment *experiment = lutra_experiments[i];
        if (!every) {
            LUTRA_TRY(find(&experiment, options->words[i], error));
        }
        LUTRA_ASSERT(i < MOST_EXPERIMENTS);
        all->names[i] = experiment->name;
        LUTRA_TRY(lutra_file_path_in(&all->folders[i], options->output, all->names[i], error));
        all->count = i + 1;
    }
    return LUTRA_OK;
}

/** Runs them one after another, as far as Ctrl-C lets it; *failed is the first failure. */
static void run_each(All *all, const ExperimentOptions *options, LutraStatus *failed,
                     LutraError *error) {
    for (uint32_t i = 0; i < all->count; i++) {
        LutraError here = {""};
        LutraStatus status = LUTRA_OK;
        all->states[i] = run_of_all(options, all->names[i], all->folders[i], &status, &here);
        if (all->states[i] == STATE_FAILED || all->states[i] == STATE_SKIPPED) {
            (void)snprintf(all->messages[i], sizeof all->messages[i], "%s", here.message);
        }
        if (status != LUTRA_OK && *failed == LUTRA_OK) {
            *failed = status;
            (void)lutra_error_set(error, status, "%s: %s", all->names[i], here.message);
        }
        if (all->states[i] == STATE_INTERRUPTED) {
            for (uint32_t k = i + 1; k < all->count; k++) {
                all->states[k] = STATE_FAILED;
                (void)snprintf(all->messages[k], sizeof all->messages[k], "not begun");
            }
            break;
        }
    }
}

static int exit_code_of_all(const All *all) {
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->states[i] == STATE_INTERRUPTED) {
            return CLI_EXIT_INTERRUPTED;
        }
    }
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->states[i] == STATE_REFUTED) {
            return CLI_EXIT_CONDITION;
        }
    }
    return CLI_EXIT_DONE;
}

static int run_all(const ExperimentOptions *options) {
    All *all = NULL;
    char *page = NULL;
    const char *written[MOST_EXPERIMENTS];
    uint32_t written_count = 0;
    LutraError error = {""};
    LutraStatus failed = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    LutraStatus status = lutra_alloc(&all, 1, sizeof *all, &error);
    if (status == LUTRA_OK) {
        LUTRA_TRY_GOTO(status, list_names(all, options, &error));
        LUTRA_TRY_GOTO(status, lutra_folder_create(options->output, &error));
        LUTRA_TRY_GOTO(status, lutra_file_path_in(&page, options->output, "report.html", &error));
        const bool force = options->common.force || options->resume;
        LUTRA_TRY_GOTO(status, lutra_file_check_output(page, force, &error));
        run_each(all, options, &failed, &error);
        for (uint32_t i = 0; i < all->count; i++) {
            if (all->states[i] != STATE_FAILED) {
                written[written_count++] = all->folders[i];
            }
        }
        LutraError later = {""};
        status = experiment_write_report(written, written_count, page, force, &later);
        if (status != LUTRA_OK) {
            (void)lutra_error_set(&error, status, "%s", later.message);
        } else {
            code = print_all(options, all, page);
            code = code == CLI_EXIT_DONE ? exit_code_of_all(all) : code;
            status = failed;
        }
    }
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    for (uint32_t i = 0; all != NULL && i < all->count; i++) {
        lutra_free(&all->folders[i]);
    }
    lutra_free(&all);
    lutra_free(&page);
    return code;
}

int experiment_run(const ExperimentOptions *options) {
    const bool many = options->word_count > 1 || strcmp(options->words[0], "all") == 0;
    return many ? run_all(options) : run_one(options);
}
